/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections of another program, which is asked over a socket: one word and a
 * newline there, "suspend" or "restore", one line back, "ok COUNT" or "error TEXT".
 * A program whose socket closes while it is suspended restores by itself.
 */
#ifndef MIGLAB_GUARD_AGENT_H
#define MIGLAB_GUARD_AGENT_H

#include "base/error.h"
#include "guard/ops.h"

/**
 * guard_open_agent() - connect to the program at @uri
 * @uri: "unix:PATH"
 *
 * An operation fails with -ETIMEDOUT when there is no answer within two seconds, and from
 * then on with -EPIPE, since no answer could be told from an old one.
 *
 * Return: 0, -EINVAL for another kind of address, or what connect(2) said.
 */
int guard_open_agent(const char *uri, struct guarded **ret, struct error *err);

#endif
