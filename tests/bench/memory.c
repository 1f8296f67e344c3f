// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: memory SOURCE DESTINATION ROUNDS
 *
 * Moves what is in the memory of one function with the model bar to another, ROUNDS times,
 * and copies that memory through a mapping of the BAR, out and in. Prints for each round the
 * bytes and four times in nanoseconds: all reads in pre-copy, a copy out, all
 * writes of a session with the arc that puts them in the device, a copy in.
 *
 * Exit status: 0, 1 when the fingerprints differ, 2 bad usage, 3 could not measure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "device/lab.h"
#include "device/vfio.h"

#define BAR_INDEX	2
#define PIECE		(1u << 20)

struct function {
	struct device *dev;
	unsigned char *map;
	size_t bytes;
};

static void die(const char *what)
{
	fprintf(stderr, "memory: %s\n", what);
	exit(3);
}

static void open_function(struct function *f, const char *spec)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = BAR_INDEX };
	struct error err = { "" };
	int fd;

	if (device_open(spec, &f->dev, &err))
		die(err.text);
	fd = ((struct vfio *)f->dev)->files.device;
	if (!f->dev->lab || ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		die("the function has no such BAR, or is not one of ours");
	f->bytes = info.size;
	f->map = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      (off_t)info.offset);
	if (f->map == MAP_FAILED)
		die("the BAR cannot be mapped");
}

static void go(struct function *f, uint32_t state)
{
	struct error err = { "" };

	if (f->dev->ops->set_state(f->dev, state, &err))
		die(err.text);
}

/* What there is for now; returns its bytes. */
static size_t save(struct function *f, unsigned char *stream)
{
	size_t have = 0;
	ssize_t n;

	while ((n = f->dev->ops->read(f->dev, stream + have, PIECE)) > 0)
		have += (size_t)n;
	if (n && n != -ENOMSG)
		die(strerror((int)-n));
	return have;
}

static void load(struct function *f, const unsigned char *stream, size_t bytes)
{
	size_t done = 0;
	ssize_t n;

	while (done < bytes) {
		n = f->dev->ops->write(f->dev, stream + done,
				       bytes - done < PIECE ? bytes - done : PIECE);
		if (n < 0)
			die(strerror((int)-n));
		done += (size_t)n;
	}
	go(f, MIGLAB_STOP);
}

static void copy(unsigned char *to, const unsigned char *from, size_t bytes)
{
	size_t at;

	for (at = 0; at < bytes; at += PIECE)
		memcpy(to + at, from + at, bytes - at < PIECE ? bytes - at : PIECE);
}

static bool same_state(struct function *a, struct function *b)
{
	struct error err = { "" };
	char *from, *to;
	bool same;

	if (a->dev->lab->ops->read(a->dev->lab, "fingerprint", &from, &err) ||
	    b->dev->lab->ops->read(b->dev->lab, "fingerprint", &to, &err))
		die(err.text);
	same = !strcmp(from, to);
	free(from);
	free(to);
	return same;
}

/* One round; both devices end in RUNNING. */
static bool measure(struct function *src, struct function *dst, unsigned char *stream)
{
	uint64_t at[8];
	size_t bytes;
	bool same;

	go(dst, MIGLAB_RESUMING);
	go(src, MIGLAB_PRE_COPY);
	at[0] = clock_ns();
	bytes = save(src, stream);
	at[1] = clock_ns();
	go(src, MIGLAB_STOP_COPY);
	bytes += save(src, stream + bytes);
	at[2] = clock_ns();
	load(dst, stream, bytes);
	at[3] = clock_ns();
	same = same_state(src, dst);
	go(src, MIGLAB_RUNNING);
	go(dst, MIGLAB_RUNNING);
	/* Page faults are no part of the copy. */
	copy(stream, src->map, src->bytes);
	at[4] = clock_ns();
	copy(stream, src->map, src->bytes);
	at[5] = clock_ns();
	copy(dst->map, stream, dst->bytes);
	at[6] = clock_ns();
	copy(dst->map, stream, dst->bytes);
	at[7] = clock_ns();
	printf("%zu %llu %llu %llu %llu\n", src->bytes, (unsigned long long)(at[1] - at[0]),
	       (unsigned long long)(at[5] - at[4]), (unsigned long long)(at[3] - at[2]),
	       (unsigned long long)(at[7] - at[6]));
	return same;
}

int main(int argc, char **argv)
{
	struct function src, dst;
	unsigned char *stream;
	bool same = true;
	size_t room;
	int rounds;

	rounds = argc == 4 ? atoi(argv[3]) : 0;
	if (rounds < 1) {
		fprintf(stderr, "usage: memory SOURCE DESTINATION ROUNDS\n");
		return 2;
	}
	open_function(&src, argv[1]);
	open_function(&dst, argv[2]);
	if (src.bytes != dst.bytes)
		die("the functions have memory of different sizes");
	room = src.bytes + src.bytes / 64 + 2 * PIECE;
	stream = malloc(room);
	if (!stream)
		die("no memory for the stream");
	memset(stream, 1, room);
	copy(dst.map, stream, dst.bytes);
	while (rounds-- && same)
		same = measure(&src, &dst, stream);
	munmap(src.map, src.bytes);
	munmap(dst.map, dst.bytes);
	src.dev->ops->close(src.dev);
	dst.dev->ops->close(dst.dev);
	free(stream);
	if (!same)
		fprintf(stderr, "memory: the states differ\n");
	return same ? 0 : 1;
}
