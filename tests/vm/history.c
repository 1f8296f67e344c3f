// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attribute history, read in pieces while the device goes on: the ring is full, so that each
 * new arc takes the place of the oldest.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fsm.h"
#include "core/history.h"
#include "lab.h"

#define TEXT_MAX	(4 * MIGLAB_HISTORY_ARCS * MIGLAB_HISTORY_LINE)
#define KNOWN		8	/* readers that the driver tells apart */
#define READERS		20

/* One reader of the file, and what it has so far. */
struct reader {
	int fd;
	size_t size;
	char text[TEXT_MAX];
};

static struct reader readers[READERS];

static void reader_open(struct reader *r)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/miglab/history", function(0));
	r->fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(r->fd >= 0);
	r->size = 0;
}

/* One read() of at most @size bytes; is there more? */
static bool reader_step(struct reader *r, size_t size)
{
	ssize_t n = read(r->fd, r->text + r->size, size);

	assert_true(n >= 0);
	r->size += (size_t)n;
	assert_true(r->size + 4096 < TEXT_MAX);
	return n;
}

/* The rest of it; the lines are to be freed. */
static struct lab_arc *reader_end(struct reader *r, size_t *ret_count)
{
	struct error err = { "" };
	struct lab_arc *arcs;

	while (reader_step(r, 4096))
		;
	close(r->fd);
	r->text[r->size] = '\0';
	if (lab_parse_history(r->text, &arcs, ret_count, &err))
		fail_msg("%s", err.text);
	return arcs;
}

/* Each SET is one arc. */
static void make_arcs(struct device *dev, unsigned int n)
{
	uint32_t state = state_of(dev);

	while (n--)
		go(dev, state ^= MIGLAB_RUNNING ^ MIGLAB_RUNNING_P2P);
}

static struct device *open_with_a_full_ring(void)
{
	struct device *dev = open_function(0);

	make_arcs(dev, MIGLAB_HISTORY_ARCS + 1);
	return dev;
}

static void assert_no_gap(const struct lab_arc *arcs, size_t count)
{
	size_t i;

	for (i = 1; i < count; i++)
		assert_int_equal(arcs[i].seq, arcs[i - 1].seq + 1);
}

static void an_arc_between_two_reads_moves_no_line(void **state)
{
	struct device *dev = open_with_a_full_ring();
	uint64_t last = last_seq(dev);
	struct lab_arc *arcs;
	size_t count, i;

	(void)state;
	reader_open(&readers[0]);
	for (i = 0; i < 40; i++) {
		make_arcs(dev, 3);
		assert_true(reader_step(&readers[0], 1000));
	}
	arcs = reader_end(&readers[0], &count);
	assert_no_gap(arcs, count);
	assert_int_equal(arcs[0].seq, last + 3 - MIGLAB_HISTORY_ARCS + 1);
	assert_int_equal(arcs[count - 1].seq, last_seq(dev));
	free(arcs);
}

/* What is lost shows as a gap, and nothing comes twice. */
static void what_is_overwritten_is_a_gap(void **state)
{
	struct device *dev = open_with_a_full_ring();
	size_t count, i, gaps = 0;
	struct lab_arc *arcs;

	(void)state;
	reader_open(&readers[0]);
	reader_step(&readers[0], 4096);
	make_arcs(dev, MIGLAB_HISTORY_ARCS);
	arcs = reader_end(&readers[0], &count);
	for (i = 1; i < count; i++) {
		assert_true(arcs[i].seq > arcs[i - 1].seq);
		gaps += arcs[i].seq != arcs[i - 1].seq + 1;
	}
	assert_int_equal(gaps, 1);
	assert_int_equal(arcs[count - 1].seq, last_seq(dev));
	free(arcs);
}

/* Those that it has forgotten may miss lines; all get whole ones, up to the newest. */
static void the_last_readers_are_known(void **state)
{
	struct device *dev = open_with_a_full_ring();
	struct lab_arc *arcs;
	size_t count, i;

	(void)state;
	for (i = 0; i < READERS; i++) {
		reader_open(&readers[i]);
		reader_step(&readers[i], 4096);
		make_arcs(dev, 1);
	}
	while (i--) {
		arcs = reader_end(&readers[i], &count);
		assert_int_equal(arcs[count - 1].seq, last_seq(dev));
		if (i >= READERS - KNOWN)
			assert_no_gap(arcs, count);
		free(arcs);
	}
}

static void a_read_far_behind_the_end_is_empty(void **state)
{
	struct device *dev = open_with_a_full_ring();

	(void)dev;
	(void)state;
	reader_open(&readers[0]);
	assert_true(reader_step(&readers[0], 160));
	assert_int_equal(pread(readers[0].fd, readers[0].text, 4096,
			       MIGLAB_HISTORY_ARCS * MIGLAB_HISTORY_LINE), 0);
	assert_int_equal(pread(readers[0].fd, readers[0].text, 4096, INT64_MAX - 4096), 0);
	close(readers[0].fd);
}

int history_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(an_arc_between_two_reads_moves_no_line),
		row(what_is_overwritten_is_a_gap),
		row(the_last_readers_are_known),
		row(a_read_far_behind_the_end_is_empty),
	};

	return cmocka_run_group_tests_name("history", rows, NULL, NULL);
}
