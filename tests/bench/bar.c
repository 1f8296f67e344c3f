// SPDX-License-Identifier: GPL-2.0-only
/*
 * Usage: bar SOURCE DESTINATION
 *
 * Moves what is in the memory of one function with the model bar to another while every
 * hundredth page changes once, and copies that memory: through a mapping of the BAR, and by as many
 * system calls to or from a file in memory, since saving and loading have to pass both. Prints the
 * bytes of the BAR, and times in nanoseconds: all reads in pre-copy, a copy out, all writes of a
 * session with the arc that puts them in the device, a copy in, the arc RUNNING_P2P > STOP, which
 * reads the BAR and takes a checksum of it as that arc does; and the bytes that were sent again.
 *
 * Exit status: 0, 1 when the fingerprints differ, 2 bad usage, 3 could not measure.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/fsm.h"
#include "device/calls.h"
#include "device/function.h"
#include "device/lab.h"

#define BAR_INDEX	2
#define PIECE		(1u << 20)
#define PAGE		4096u

struct function {
	struct device *dev;
	unsigned char *map;
	size_t bytes;
};

static void die(const char *what)
{
	fprintf(stderr, "bar: %s\n", what);
	exit(3);
}

static void open_function(struct function *f, const char *spec)
{
	struct vfio_region_info info;
	struct error err = { "" };

	if (device_open(spec, &f->dev, &err))
		die(err.text);
	if (!f->dev->lab || function_region(f->dev, BAR_INDEX, &info))
		die("the function has no such BAR, or is not one of ours");
	f->bytes = info.size;
	f->map = mmap(NULL, f->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		      f->dev->calls->fileno(f->dev, DEVICE_SELF), (off_t)info.offset);
	if (f->map == MAP_FAILED)
		die("the BAR cannot be mapped");
}

static void go(struct function *f, uint32_t state)
{
	struct error err = { "" };

	if (f->dev->ops->set_state(f->dev, state, &err))
		die(err.text);
}

/* What there is for now into @room bytes; returns how many it took. */
static size_t save(struct function *f, unsigned char *stream, size_t room)
{
	size_t have = 0;
	ssize_t n;

	while ((n = f->dev->ops->read(f->dev, stream + have, PIECE)) > 0) {
		have += (size_t)n;
		if (have + PIECE > room)
			die("it sends more than half of its state again");
	}
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

/* A BAR has whole pieces. */
static void copy_out(struct function *f, unsigned char *to, int file)
{
	size_t at;

	for (at = 0; at < f->bytes; at += PIECE) {
		memcpy(to + at, f->map + at, PIECE);
		if (pread(file, to + at, PIECE, (off_t)at) != PIECE)
			die("the file cannot be read");
	}
}

static void copy_in(struct function *f, unsigned char *from, int file)
{
	size_t at;

	for (at = 0; at < f->bytes; at += PIECE) {
		if (pwrite(file, from + at, PIECE, (off_t)at) != PIECE)
			die("the file cannot be written");
		memcpy(f->map + at, from + at, PIECE);
	}
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

/* Through the mapping, one byte of every hundredth page. */
static void change(struct function *f)
{
	size_t at;

	for (at = 0; at + PAGE <= f->bytes; at += 100 * PAGE)
		f->map[at]++;
}

/* The time of the second of two: page faults are no part of the copy. */
static uint64_t copy_ns(void (*copy)(struct function *f, unsigned char *bytes, int file),
			struct function *f, unsigned char *bytes, int file)
{
	uint64_t begun;

	copy(f, bytes, file);
	begun = clock_ns();
	copy(f, bytes, file);
	return clock_ns() - begun;
}

/* From RUNNING and back. */
static uint64_t stop_ns(struct function *f)
{
	uint64_t begun, ns;

	go(f, MIGLAB_RUNNING_P2P);
	begun = clock_ns();
	go(f, MIGLAB_STOP);
	ns = clock_ns() - begun;
	go(f, MIGLAB_RUNNING);
	return ns;
}

/* Both devices end in RUNNING, with the same bytes, or this ends. */
static void measure(struct function *src, struct function *dst, unsigned char *stream, size_t room)
{
	int file = memfd_create("copy", MFD_CLOEXEC);
	uint64_t begun, save_ns, load_ns, out_ns, in_ns;
	size_t bytes, again;

	go(dst, MIGLAB_RESUMING);
	go(src, MIGLAB_PRE_COPY);
	begun = clock_ns();
	bytes = save(src, stream, room);
	save_ns = clock_ns() - begun;
	change(src);
	again = save(src, stream + bytes, room - bytes);
	bytes += again;
	go(src, MIGLAB_STOP_COPY);
	bytes += save(src, stream + bytes, room - bytes);
	begun = clock_ns();
	load(dst, stream, bytes);
	load_ns = clock_ns() - begun;
	if (!same_state(src, dst)) {
		fprintf(stderr, "bar: the states differ\n");
		exit(1);
	}
	go(src, MIGLAB_RUNNING);
	go(dst, MIGLAB_RUNNING);
	in_ns = copy_ns(copy_in, dst, stream, file);
	out_ns = copy_ns(copy_out, src, stream, file);
	close(file);
	printf("%zu %llu %llu %llu %llu %llu %zu\n", src->bytes, (unsigned long long)save_ns,
	       (unsigned long long)out_ns, (unsigned long long)load_ns, (unsigned long long)in_ns,
	       (unsigned long long)stop_ns(dst), again);
}

static void close_function(struct function *f)
{
	munmap(f->map, f->bytes);
	f->dev->ops->close(f->dev);
}

int main(int argc, char **argv)
{
	struct function src, dst;
	unsigned char *stream;
	size_t room;

	if (argc != 3) {
		fprintf(stderr, "usage: bar SOURCE DESTINATION\n");
		return 2;
	}
	open_function(&src, argv[1]);
	open_function(&dst, argv[2]);
	if (src.bytes != dst.bytes)
		die("the functions have memory of different sizes");
	room = src.bytes + src.bytes / 2 + 2 * PIECE;
	stream = malloc(room);
	if (!stream)
		die("no memory for the stream");
	memset(stream, 1, room);
	memcpy(dst.map, stream, dst.bytes);
	measure(&src, &dst, stream, room);
	close_function(&src);
	close_function(&dst);
	free(stream);
	return 0;
}
