/* SPDX-License-Identifier: GPL-2.0-only */
/* A network interface that drops what arrives. */
#ifndef TESTS_GUARD_LINK_H
#define TESTS_GUARD_LINK_H

#include <stdbool.h>

/*
 * Puts a filter that drops everything at the ingress of @name, which has a clsact
 * qdisc, or takes it away. In force when it returns: 0 or negative errno. One
 * message to the kernel, since starting tc(8) may take longer than a connection lives.
 */
int link_drop(const char *name, bool drop);

#endif
