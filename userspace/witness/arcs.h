/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The migration arcs of any VFIO driver, out of the lines of the kernel's trace.
 *
 * Every migration driver asks the kernel's vfio_mig_get_next_state() for the next
 * arc before it takes it, within the VFIO_DEVICE_FEATURE ioctl that sets the state
 * (uapi/linux/vfio.h). So the return of that helper begins an arc; the next one of the
 * same thread, or the return of the ioctl, ends it. See probes.h for the two events.
 *
 * Pure: lines in, records out; no I/O, no clock.
 */
#ifndef MIGLAB_WITNESS_ARCS_H
#define MIGLAB_WITNESS_ARCS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WITNESS_NAME_MAX	64	/* of a device: a BDF, a UUID */
#define WITNESS_COMM_MAX	16	/* the kernel's TASK_COMM_LEN */

#define WITNESS_IN_PROGRESS	1	/* as a result: no return of the ioctl so far */
#define WITNESS_UNKNOWN		2	/* as a result: the trace does not say how it ended */

struct witness_arc {
	char device[WITNESS_NAME_MAX];	/* "0000:65:00.1", or a mediated device's UUID */
	char comm[WITNESS_COMM_MAX];	/* of the thread */
	pid_t tid, tgid;		/* tgid 0: the trace does not say */
	uint32_t from, to;		/* enum vfio_device_mig_state */
	uint32_t wanted;		/* the end of the path that the VMM asked for */
	uint64_t begin_ns, end_ns;	/* of the trace, to the microsecond; end_ns 0: not over */
	int result;			/* 0, negative errno, or one of the two above */
};

/* What a line of the trace made known. */
enum arcs_news {
	ARCS_BEGUN,	/* an arc begins: WITNESS_IN_PROGRESS */
	ARCS_ENDED,	/* the same arc is over */
	ARCS_STATE,	/* a GET answered, or a SET without an arc, that it is in the state to */
	ARCS_RESET,	/* VFIO_DEVICE_RESET of the device returned result */
	ARCS_LOST,	/* the kernel's buffer overflowed: that many lines, result, are missing */
	ARCS_SENT,	/* tgid wrote that it announces a device of it to go to PRE_COPY_P2P */
	ARCS_MARK,	/* somebody wrote ARCS_MARK_TEXT and the number result into the buffer */
};

#define ARCS_MARK_TEXT	"miglab mark "

/*
 * @arc is good until the function returns. What is no arc has the time of its return as
 * both times, and from and wanted as to; ARCS_LOST has nothing but its result, ARCS_MARK
 * that and the two times. The device of ARCS_SENT is called as the VMM calls it.
 */
typedef void (*arcs_fn)(void *opaque, enum arcs_news news, const struct witness_arc *arc);

struct arcs;

/* NULL: no memory. */
struct arcs *arcs_new(arcs_fn fn, void *opaque);
/* Arcs that are in progress are forgotten, and not told. NULL is allowed. */
void arcs_free(struct arcs *arcs);

/**
 * arcs_line() - the next line of the trace
 * @line: without its newline, as trace_pipe has it; lines of one thread in order
 *
 * Return: 0, also for a line of some other event; -EBADMSG for one of ours that is not
 * understood; -ENOMEM.
 */
int arcs_line(struct arcs *arcs, const char *line);

/* Each arc that is in progress, as ARCS_BEGUN. */
void arcs_unfinished(struct arcs *arcs);

/* When a line was written; 0 when it does not say: a note of the kernel about lost lines. */
uint64_t arcs_line_ns(const char *line);

#endif
