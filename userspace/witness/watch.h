/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arcs of any VFIO migration driver as they happen, and what they add up to.
 */
#ifndef MIGLAB_WITNESS_WATCH_H
#define MIGLAB_WITNESS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

struct watch_options {
	const char *const *devices;	/* names that are watched, as the kernel spells them */
	size_t device_count;		/* 0: all */
	const char *record;		/* file that a recording is written to; NULL: none */
	bool json;			/* one object a line */
	uint64_t timeout_ns;		/* when it ends by itself; 0: when it is interrupted */
	int interrupt_fd;		/* readable when the user wants an end; -1: none */
};

/**
 * watch_run() - show arcs on @out until it is interrupted
 *
 * The first line says that it watches: every arc that begins later is shown.
 *
 * Return: 0; 1 when the kernel lost lines, so that arcs may be missing; 77 when there
 * was no arc; negative errno with @err.
 */
int watch_run(const struct watch_options *opt, FILE *out, struct error *err);

#endif
