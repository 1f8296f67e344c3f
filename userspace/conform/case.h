/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cases of conform: one for each assertion that Documentation/conform.rst
 * lists, grouped by subject.
 *
 * A case runs in a process of its own, with the device freshly opened and RUNNING,
 * and ends by returning (it passed), or by conform_fail() or conform_skip(), which
 * do not return. What it leaves open, the end of its process closes.
 */
#ifndef MIGLAB_CONFORM_CASE_H
#define MIGLAB_CONFORM_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conform/pulse.h"
#include "device/ops.h"

/* Who demands it. */
enum conform_class {
	CLASS_CORE,	/* VFIO's core or the file system enforces it, whatever the driver does */
	CLASS_SPEC,	/* uapi/linux/vfio.h demands it of the driver */
	CLASS_SHOULD,	/* users rely on it */
	CLASS_ROB,	/* nowhere written, and a kernel must survive it */
};

/* What a case needs; where it is missing the case is skipped with the reason. */
#define NEEDS_P2P	(1u << 0)	/* the device offers RUNNING_P2P */
#define NEEDS_PRE_COPY	(1u << 1)	/* it offers PRE_COPY */
#define NEEDS_INFO_V2	(1u << 2)	/* the kernel has MIG_PRECOPY_INFOv2 */
#define NEEDS_LAB	(1u << 3)	/* it takes rules of delay and failure */
#define NEEDS_KERNEL	(1u << 4)	/* it is behind real descriptors */
#define NEEDS_LOG	(1u << 5)	/* it logs what it writes to memory */
#define NEEDS_DMA	(1u << 6)	/* the suite can make it write memory */
#define DESTRUCTIVE	(1u << 7)	/* a driver with the defect takes the host down */
#define BLOCKED_ARC	(1u << 8)	/* it takes the blocked arc: device/kernel.h */

/* No data_fd, where one may be missing: neither a descriptor nor DEVICE_SELF. */
#define NO_FD	(-2)

struct conform;

struct conform_case {
	unsigned int id;		/* the number of the assertion; stable */
	const char *name;
	enum conform_class class;
	unsigned int needs;
	uint32_t leaves;		/* the state it ends in; 0: RUNNING */
	const char *where;		/* the place in the specification */
	const char *what;		/* what is required */
	void (*run)(struct conform *c);
};

/* The cases of one subject, in the order of their ids; ends with id 0. */
struct conform_subject {
	const char *name;
	const struct conform_case *cases;
};

extern const struct conform_case envelope_cases[];
extern const struct conform_case capability_cases[];
extern const struct conform_case arcs_cases[];
extern const struct conform_case session_cases[];
extern const struct conform_case precopy_cases[];
extern const struct conform_case stream_cases[];
extern const struct conform_case stopped_cases[];
extern const struct conform_case reset_cases[];
extern const struct conform_case lifetime_cases[];
extern const struct conform_case logging_cases[];

/* A case under way: the device under test and where the verdict goes. */
struct conform {
	struct device *dev;		/* NULL while the case has closed it */
	const char *spec;		/* DEV, to open it again */
	uint32_t flags;			/* VFIO_MIGRATION_* */
	bool keep_rules;		/* an open leaves the rules in force */
	int verdict;			/* the descriptor for it */
	struct pulse *pulse;		/* where its calls are counted; NULL: nowhere */
};

/* Ends the case: it failed, and why, in one sentence. Not from threads of the case. */
void conform_fail(struct conform *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Ends the case: it could not be run, and why. */
void conform_skip(struct conform *c, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Fails with the rest of the arguments unless @condition. */
#define require(c, condition, ...) \
	do { if (!(condition)) conform_fail(c, __VA_ARGS__); } while (0)

/* Fails unless @got, a count or a negative errno, is @want; @fmt says what was done. */
void require_result(struct conform *c, long long got, long long want, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* "0", "4096", "EINVAL": a result in words. @buf is what it may be put in. */
const char *result_text(long long result, char buf[24]);

/* --- the device under test; what cannot fail in a sound setup fails the case --- */

/* What the opener did: open again after dut_close(). The rules of a lab device are emptied. */
void dut_open(struct conform *c);
void dut_close(struct conform *c);

/* VFIO_DEVICE_FEATURE with @argsz as given: 0 or negative errno. @payload has @size bytes. */
int dut_feature_raw(struct conform *c, uint32_t argsz, uint32_t flags, void *payload, size_t size);
/* The same with the argsz that fits. */
int dut_feature(struct conform *c, uint32_t flags, void *payload, size_t size);

/* SET: 0 or negative errno; *ret_fd is what came back as the data_fd. Any thread. */
int dut_set(struct conform *c, uint32_t state, int *ret_fd);
/* SET that succeeds; returns the data_fd or -1. */
int dut_go(struct conform *c, uint32_t state);
/* GET. */
uint32_t dut_state(struct conform *c);
void require_state(struct conform *c, uint32_t state, const char *when);
/* Does the device offer @state? Not ERROR. */
bool dut_offers(const struct conform *c, uint32_t state);
/* RUNNING from wherever it is, by SET or if that fails by RESET. */
void dut_home(struct conform *c);
/* VFIO_DEVICE_RESET that succeeds. */
void dut_reset(struct conform *c);

int dut_ioctl(struct conform *c, int fd, unsigned long request, void *arg);
ssize_t dut_read(struct conform *c, int fd, void *buf, size_t size);
ssize_t dut_write(struct conform *c, int fd, const void *buf, size_t size);
int dut_poll(struct conform *c, int fd, short events, int timeout_ms);
void dut_close_fd(struct conform *c, int fd);
/* The descriptor itself; fails the case where there is none. */
int dut_fileno(struct conform *c, int fd);

/* VFIO_MIG_GET_PRECOPY_INFO that succeeds. */
struct vfio_precopy_info dut_info(struct conform *c, int fd);
/* The same, whatever it answers. */
int dut_info_raw(struct conform *c, int fd, struct vfio_precopy_info *info);

/* Writes an attribute of the lab. */
void dut_lab(struct conform *c, const char *attribute, const char *text);
/* Reads one; the heap's, goes with the process. */
char *dut_lab_text(struct conform *c, const char *attribute);
/* Waits until a rule holds an arc. */
void dut_wait_held(struct conform *c);

/* A region of the device; false when it has none of that index. */
bool dut_region(struct conform *c, unsigned int index, off_t *ret_offset, size_t *ret_size);

/* --- its work: what NEEDS_DMA is for --- */

/* @length bytes of memory that the device finds at @iova, none of them 0; go with the process. */
const uint8_t *dut_memory(struct conform *c, uint64_t iova, uint64_t length);
/* Has the device left @bytes alone? */
bool dut_untouched(const uint8_t *bytes, uint64_t length);
/* Gives the device work, to write zeros there. */
void dut_dma(struct conform *c, uint64_t iova, uint64_t length);
/* Waits until it is done; fails the case if it is not in some seconds. */
void dut_dma_wait(struct conform *c);

/* --- streams --- */

struct bytes {
	uint8_t *data;		/* the heap's; goes with the process */
	size_t size;
};

/* Reads in pieces until read() gives 0 or fails, which is *ret_end. */
struct bytes dut_drain(struct conform *c, int fd, size_t piece, ssize_t *ret_end);
/* A whole stream, saved from STOP on; the device is in STOP afterwards. */
struct bytes dut_save(struct conform *c);
/* Writes all in pieces: 0 or the negative errno of the write that failed. */
int dut_feed(struct conform *c, int fd, struct bytes stream, size_t piece);
/* RESUMING, the stream, STOP: what the SET of STOP said, or the write. The data_fd is closed. */
int dut_load(struct conform *c, struct bytes stream, size_t piece);
/* From RUNNING to @state; RESUMING is entered and given @stream whole. The data_fd or -1. */
int dut_enter(struct conform *c, uint32_t state, struct bytes stream);

#endif
