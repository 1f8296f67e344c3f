// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: throughput SOURCE DESTINATION PIECE..
 *
 * Moves the state of one device to another in reads and writes of PIECE bytes, and copies
 * each piece into a file in memory and out of it, so that all four meet the same machine.
 * Prints for each PIECE one line: PIECE and four times in nanoseconds, of a read from SOURCE, a
 * read from the file, a write to DESTINATION and a write to the file. A tenth of the pieces
 * took no longer than that: the others met what else a shared machine does.
 *
 * Exit status: 0, 1 when the fingerprints differ, 2 bad usage, 3 could not measure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "device/lab.h"
#include "device/ops.h"

#define PIECE_MAX (1u << 20)

enum { SAVE, COPY_OUT, LOAD, COPY_IN, CALLS };

struct bench {
	struct device *src, *dst;
	int file;		/* as large as the stream, all of it in memory */
	unsigned char piece[PIECE_MAX];
	uint64_t stream_max;	/* bytes of the stream, at most */
	size_t size;		/* of a piece */
	uint64_t bytes;
	size_t pieces;
	uint64_t *took[CALLS];	/* nanoseconds for each piece */
};

static void die(const char *what)
{
	fprintf(stderr, "throughput: %s\n", what);
	exit(3);
}

static struct device *open_device(const char *spec)
{
	struct error err = { "" };
	struct device *dev;

	if (device_open(spec, &dev, &err))
		die(err.text);
	if (!dev->lab)
		die("the device is not one of ours: it has no fingerprint");
	return dev;
}

static void go(struct device *dev, uint32_t state)
{
	struct error err = { "" };

	if (dev->ops->set_state(dev, state, &err))
		die(err.text);
}

/* What it takes to have memory is no part of the copy. */
static void make_file(struct bench *b)
{
	struct error err = { "" };
	uint64_t bytes, done;

	if (b->src->ops->data_size(b->src, &bytes, &err))
		die(err.text);
	b->stream_max = bytes;
	b->file = memfd_create("copy", MFD_CLOEXEC);
	for (done = 0; done < bytes; done += PIECE_MAX)
		if (pwrite(b->file, b->piece, PIECE_MAX, (off_t)done) != PIECE_MAX)
			die("no memory for the copy");
}

static void write_all(struct bench *b, size_t n)
{
	size_t done = 0;
	ssize_t wrote;

	while (done < n) {
		wrote = b->dst->ops->write(b->dst, b->piece + done, n - done);
		if (wrote < 0)
			die(strerror((int)-wrote));
		done += (size_t)wrote;
	}
}

/* One piece through all four; false at the end of the stream. */
static bool move_piece(struct bench *b)
{
	uint64_t at[CALLS + 1];
	ssize_t n;

	at[0] = clock_ns();
	n = b->src->ops->read(b->src, b->piece, b->size);
	at[1] = clock_ns();
	if (n < 0)
		die(strerror((int)-n));
	if (!n)
		return false;
	if (b->pieces > b->stream_max / b->size)
		die("there are more pieces than the stream can have");
	if (pwrite(b->file, b->piece, (size_t)n, (off_t)b->bytes) != n)
		die("the file takes no copy");
	at[2] = clock_ns();
	write_all(b, (size_t)n);
	at[3] = clock_ns();
	if (pread(b->file, b->piece, (size_t)n, (off_t)b->bytes) != n)
		die("the file gives no copy");
	at[4] = clock_ns();

	b->took[SAVE][b->pieces] = at[1] - at[0];
	b->took[COPY_IN][b->pieces] = at[2] - at[1];
	b->took[LOAD][b->pieces] = at[3] - at[2];
	b->took[COPY_OUT][b->pieces] = at[4] - at[3];
	b->bytes += (uint64_t)n;
	b->pieces++;
	return true;
}

static bool same_state(struct bench *b)
{
	struct error err = { "" };
	char *from, *to;
	bool same;

	if (b->src->lab->ops->read(b->src->lab, "fingerprint", &from, &err) ||
	    b->dst->lab->ops->read(b->dst->lab, "fingerprint", &to, &err))
		die(err.text);
	same = strcmp(from, "none\n") && !strcmp(from, to);
	free(from);
	free(to);
	return same;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_times(struct bench *b)
{
	int i;

	printf("%zu", b->size);
	for (i = 0; i < CALLS; i++) {
		qsort(b->took[i], b->pieces, sizeof(*b->took[i]), compare);
		printf(" %llu", (unsigned long long)b->took[i][b->pieces / 10]);
	}
	printf("\n");
}

/* Moves the state in pieces of @size bytes; both devices end in STOP. */
static bool measure(struct bench *b, size_t size)
{
	bool same;
	int i;

	b->size = size;
	b->bytes = 0;
	b->pieces = 0;
	for (i = 0; i < CALLS; i++) {
		b->took[i] = calloc(b->stream_max / size + 1, sizeof(*b->took[i]));
		if (!b->took[i])
			die("no memory for the figures");
	}
	go(b->dst, MIGLAB_RESUMING);
	go(b->src, MIGLAB_STOP_COPY);
	while (move_piece(b))
		;
	go(b->dst, MIGLAB_STOP);
	same = same_state(b);
	go(b->src, MIGLAB_STOP);
	if (same)
		print_times(b);
	for (i = 0; i < CALLS; i++)
		free(b->took[i]);
	return same;
}

int main(int argc, char **argv)
{
	static struct bench b;
	bool same = true;
	size_t size;
	int i;

	for (i = 3; i < argc; i++) {
		size = strtoul(argv[i], NULL, 10);
		if (!size || size > PIECE_MAX)
			argc = 0;
	}
	if (argc < 4) {
		fprintf(stderr, "usage: throughput SOURCE DESTINATION PIECE.., of up to %u bytes\n",
			PIECE_MAX);
		return 2;
	}
	b.src = open_device(argv[1]);
	b.dst = open_device(argv[2]);
	make_file(&b);
	for (i = 3; i < argc && same; i++)
		same = measure(&b, strtoul(argv[i], NULL, 10));
	if (!same)
		fprintf(stderr, "throughput: the states differ\n");
	b.src->ops->close(b.src);
	b.dst->ops->close(b.dst);
	close(b.file);
	return same ? 0 : 1;
}
