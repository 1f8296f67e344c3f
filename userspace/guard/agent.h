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
 * @deadline_ns: CLOCK_MONOTONIC; until then it is tried again while nobody listens there
 * @answer_ns: how long an answer may take
 *
 * take() fails with -ETIMEDOUT when there is no answer within @answer_ns. Whoever does not
 * answer, or is gone, is connected to anew when it is asked the next time: no answer can be
 * taken for that of an older question.
 *
 * Return: 0, -EINVAL for another kind of address, or what connect(2) said.
 */
int guard_open_agent(const char *uri, uint64_t deadline_ns, uint64_t answer_ns,
		     struct guarded **ret, struct error *err);

#endif
