/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file system with one file of one page, whose server answers everything but reads: who touches
 * a mapping of it waits for as long as the server lives, which is a process of its own.
 */
#ifndef TESTS_VM_SILENT_H
#define TESTS_VM_SILENT_H

#include <sys/types.h>

struct silent {
	char dir[32];
	pid_t server;
	int reads;	/* a pipe: a byte for each read that is not answered */
};

/* Both assert. The file is silent_path(). */
void silent_mount(struct silent *s);
void silent_unmount(struct silent *s);

const char *silent_path(const struct silent *s);

#endif
