/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The knobs and records that miglab's own devices have beside the uAPI: the
 * attributes of /sys/bus/pci/devices/BDF/miglab/, the same below a mediated device,
 * and for an emulated device the same names and the same text.
 */
#ifndef MIGLAB_DEVICE_LAB_H
#define MIGLAB_DEVICE_LAB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct lab;

/* Who writes, for what belongs to its writer: the attribute hold. */
struct lab_writer {
	uint64_t connection;	/* a number that no other one ever has; 0: this process itself */
	pid_t pid;		/* at its other end, for people */
};

struct lab_ops {
	void (*close)(struct lab *lab);
	/* The whole text, NUL-terminated, in memory that the caller frees. Never blocks long. */
	int (*read)(struct lab *lab, const char *attribute, char **ret_text, struct error *err);
	/* One write(2) of the whole text; refused whole or taken whole. */
	int (*write)(struct lab *lab, const char *attribute, const char *text, struct error *err);
	/*
	 * As write(), for a client of this process; and when that has gone, what belonged to
	 * it ends. NULL where the kernel takes this process for the writer.
	 */
	int (*write_for)(struct lab *lab, const struct lab_writer *writer, const char *attribute,
			 const char *text, struct error *err);
	void (*gone)(struct lab *lab, uint64_t connection);
};

struct lab {
	const struct lab_ops *ops;
	const char *witness;	/* who keeps the history: "kernel", "emulated (same process)" */
};

/*
 * The attributes of the PCI function or the mediated device @name. Needs no open device, only that
 * it is one of miglab's. -ENXIO with a sentence when it is not.
 */
int lab_open_sysfs(const char *name, struct lab **ret_lab, struct error *err);

/* -EINVAL, and what `rules_error` says with the names that it could have been. */
int lab_rules_refused(const char *complaint, struct error *err);

/*
 * Fills @err when `hold` did not take @text, and returns @code; @in_force is what the
 * attribute reads.
 */
int lab_refuse_hold(int code, const char *text, const char *in_force, struct error *err);

/* One line of the attribute `history`; see driver/core/history.h for the meaning. */
struct lab_arc {
	uint64_t seq;
	uint32_t from, to, requested;	/* enum vfio_device_mig_state */
	uint64_t begin_ns, end_ns;	/* CLOCK_MONOTONIC; end_ns 0 while in progress */
	int result;			/* 0, negative errno, or 1 while in progress */
	uint32_t rule;
	int32_t pid;
};

/*
 * Parses the text of `history` into an array that the caller frees; oldest
 * first. -EINVAL with the line when one is malformed.
 */
int lab_parse_history(const char *text, struct lab_arc **ret_arcs, size_t *ret_count,
		      struct error *err);

#endif
