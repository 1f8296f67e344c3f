/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest says on its serial port: a file that every VMM of a row appends to. */
#ifndef TESTS_PEER_SERIAL_H
#define TESTS_PEER_SERIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define SERIAL_LINE	256

struct serial {
	int fd, changes;	/* the file, and the kernel's word that it has changed */
	unsigned int turn;	/* the last that the guest was content with; 0 before the first */
	char line[SERIAL_LINE];	/* as far as it has come */
	size_t used;
};

/* Creates the file, which is empty then, and reads from its beginning. 0 or negative errno. */
int serial_open(struct serial *serial, const char *path, struct error *err);

/* A zeroed one is not allowed. */
void serial_close(struct serial *serial);

/*
 * serial_judge() - one line of the guest
 * @turn: as in struct serial, and goes on with the line
 *
 * Return: 0 when it is the next turn and all is well, a note in it, or of before the first; 1 when
 * the guest found a difference, or a turn is missing, repeated, or not to be understood.
 */
int serial_judge(unsigned int *turn, const char *line, struct error *err);

/*
 * Reads on until the guest has finished @turn: -ETIMEDOUT when it does not until @deadline_ns,
 * else as serial_judge().
 */
int serial_await(struct serial *serial, unsigned int turn, uint64_t deadline_ns, struct error *err);

/* Reads what is there already. As serial_judge(). */
int serial_settle(struct serial *serial, struct error *err);

#endif
