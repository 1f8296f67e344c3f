// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the cases one after another, each in a process that can be killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform/found.h"
#include "conform/interrupt.h"
#include "conform/kmsg.h"
#include "conform/suite.h"
#include "conform/worker.h"
#include "device/kernel.h"
#include "device/state.h"

#define VERDICT_MAX	(WORKER_TEXT + 256)

/* --- in the case's process --- */

/* "P", "F" or "S" and why, then lines of notes. */
static void tell(struct conform *c, char mark, const char *fmt, va_list args)
{
	char text[1024];
	int len = snprintf(text, sizeof(text), "%c", mark);

	len += vsnprintf(text + len, sizeof(text) - len - 1, fmt, args);
	if (len > (int)sizeof(text) - 2)
		len = sizeof(text) - 2;
	text[len++] = '\n';
	if (write(c->verdict, text, len) != len)
		_exit(2);
}

static void note(struct conform *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell(c, ' ', fmt, args);
	va_end(args);
}

/* Takes the device to RUNNING, if need be by a reset, and leaves the process. */
static void __attribute__((noreturn)) restore(struct conform *c)
{
	struct vfio_device_feature_mig_state state = { .data_fd = -1 };
	int fd;

	if (!c->dev)
		_exit(0);
	if (dut_feature(c, VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
			&state, sizeof(state)) ||
	    state.device_state == VFIO_DEVICE_STATE_RUNNING)
		_exit(0);
	if (state.device_state != VFIO_DEVICE_STATE_RESUMING &&
	    !dut_set(c, VFIO_DEVICE_STATE_RUNNING, &fd))
		_exit(0);
	if (dut_ioctl(c, DEVICE_SELF, VFIO_DEVICE_RESET, NULL))
		note(c, "the device is left in %s and cannot be reset",
		     device_state_name(state.device_state));
	else if (state.device_state != VFIO_DEVICE_STATE_RESUMING)
		note(c, "the device was left in %s; it was reset",
		     device_state_name(state.device_state));
	_exit(0);
}

void conform_fail(struct conform *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell(c, 'F', fmt, args);
	va_end(args);
	restore(c);
}

void conform_skip(struct conform *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	tell(c, 'S', fmt, args);
	va_end(args);
	restore(c);
}

struct work {
	const struct conform_options *options;
	const struct conform_case *k;
};

static void __attribute__((noreturn)) run_case(void *arg, int out, struct pulse *pulse)
{
	const struct work *work = arg;
	struct conform c = {
		.spec = work->options->spec,
		.keep_rules = work->options->keep_rules,
		.verdict = out,
		.pulse = pulse,
	};

	dut_open(&c);
	work->k->run(&c);
	if (c.dev)
		require_state(&c, work->k->leaves ? work->k->leaves : VFIO_DEVICE_STATE_RUNNING,
			      "when the case has ended");
	if (write(out, "P\n", 2) != 2)
		_exit(2);
	restore(&c);
}

/* --- in ours --- */

struct suite {
	const struct conform_options *options;
	unsigned int has;		/* NEEDS_*: what the device offers */
	struct error blocked;		/* why it must not take the blocked arc */
	unsigned int stuck;		/* the case that could not be killed, 0: none */
	unsigned int counts[CONFORM_SKIPPED + 1];
};

struct outcome {
	enum conform_verdict verdict;
	char text[VERDICT_MAX];		/* lines */
	uint64_t ns;
};

static const struct {
	unsigned int need;
	const char *missing;
} reasons[] = {
	{ NEEDS_P2P, "the device does not offer RUNNING_P2P" },
	{ NEEDS_PRE_COPY, "the device does not offer PRE_COPY" },
	{ NEEDS_INFO_V2, "the kernel has no MIG_PRECOPY_INFOv2 (Linux 7.1)" },
	{ NEEDS_LAB, "the device takes no rules of delay and failure" },
	{ NEEDS_KERNEL, "the device is emulated in this process: no descriptors" },
	{ NEEDS_LOG, "the driver does not log the memory that the device writes" },
	{ NEEDS_DMA, "the suite knows no way to make this device write memory" },
	{ DESTRUCTIVE, "a driver with this defect takes the host down; see --destructive" },
};

static bool probe(struct device *dev, uint32_t feature)
{
	struct vfio_device_feature arg = {
		.argsz = sizeof(arg),
		.flags = feature | VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_PROBE,
	};

	return !dev->calls->ioctl(dev, DEVICE_SELF, VFIO_DEVICE_FEATURE, &arg);
}

bool conform_may_block(struct device *dev, const struct conform_options *options,
		       struct error *err)
{
	struct error why;

	if (options->destructive || dev->lab || !(dev->flags & VFIO_MIGRATION_PRE_COPY) ||
	    kernel_is_safe(&why))
		return true;
	error_set(err, 0, "%s; see --destructive", why.text);
	return false;
}

static unsigned int offers(struct device *dev, const struct conform_options *options,
			   struct error *blocked)
{
	const bool has[] = {
		dev->flags & VFIO_MIGRATION_P2P,
		dev->flags & VFIO_MIGRATION_PRE_COPY,
		probe(dev, VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2),
		dev->lab && !options->keep_rules,
		dev->calls->fileno(dev, DEVICE_SELF) >= 0,
		probe(dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_START),
		!dev->calls->dma(dev, 0, 0),
		options->destructive,
		conform_may_block(dev, options, blocked),
	};
	unsigned int mask = 0;

	for (size_t i = 0; i < sizeof(has) / sizeof(has[0]); i++)
		mask |= has[i] ? 1u << i : 0;
	return mask;
}

static void say(struct outcome *o, enum conform_verdict verdict, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds a line; a failure is not taken back. */
static void say(struct outcome *o, enum conform_verdict verdict, const char *fmt, ...)
{
	size_t used = strlen(o->text);
	va_list args;

	if (o->verdict != CONFORM_FAILED)
		o->verdict = verdict;
	va_start(args, fmt);
	vsnprintf(o->text + used, sizeof(o->text) - used, fmt, args);
	va_end(args);
}

/* Puts together what the case told and how its process ended. */
static void conclude(struct outcome *o, struct worker *w)
{
	char *rest = strchr(w->told, '\n');

	if (!rest) {
		if (w->end == WORKER_HUNG)
			say(o, CONFORM_FAILED, "it did not end: %s\n", w->why);
		else if (WIFSIGNALED(w->status))
			say(o, CONFORM_FAILED, "its process died: %s\n",
			    strsignal(WTERMSIG(w->status)));
		else
			say(o, CONFORM_FAILED, "its process ended without a verdict, status %d\n",
			    WEXITSTATUS(w->status));
		return;
	}
	*rest++ = '\0';
	if (w->told[1])
		say(o, CONFORM_PASSED, "%s\n", w->told + 1);
	if (*rest)
		say(o, CONFORM_PASSED, "%s", rest);
	o->verdict = *w->told == 'P' ? CONFORM_PASSED :
		     *w->told == 'S' ? CONFORM_SKIPPED : CONFORM_FAILED;
	if (w->end == WORKER_HUNG)
		say(o, CONFORM_FAILED, "the device did not come back: %s\n", w->why);
}

static void run_in_child(struct suite *s, const struct conform_case *k, struct outcome *o)
{
	struct work work = { s->options, k };
	struct worker w = {
		.run = run_case, .arg = &work, .limit_s = s->options->limit_s,
		.finish = k->needs & DESTRUCTIVE,	/* half of it is a device without driver */
	};
	int ret = worker_run(&w);

	if (ret) {
		say(o, CONFORM_FAILED, "cannot start a process: %s\n", strerror(-ret));
		return;
	}
	o->ns = w.ns;
	if (w.end == WORKER_INTERRUPTED)
		say(o, CONFORM_SKIPPED, "%s\n", interrupt_text());
	else
		conclude(o, &w);
	if (!w.stuck)
		return;
	s->stuck = k->id;
	say(o, CONFORM_FAILED, "its process cannot be killed and keeps the device\n");
}

/* Why @k is not run, or NULL. */
static const char *unfit(const struct suite *s, const struct conform_case *k)
{
	const unsigned int missing = k->needs & ~s->has;

	if (s->options->skip[k->id])
		return "--skip";
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (missing & reasons[i].need)
			return reasons[i].missing;
	return missing & BLOCKED_ARC ? s->blocked.text : NULL;
}

static void try(struct suite *s, const struct conform_case *k, struct outcome *o)
{
	int kmsg = s->has & NEEDS_KERNEL ? kmsg_begin() : -1;
	char warning[256];

	run_in_child(s, k, o);
	if (kmsg_end(kmsg, warning, sizeof(warning)))
		say(o, CONFORM_FAILED, "meanwhile the kernel said: %s\n", warning);
}

static void run_one(struct suite *s, const char *subject, const struct conform_case *k)
{
	const char *why = unfit(s, k);
	struct outcome o = { .verdict = CONFORM_PASSED };

	if (why)
		say(&o, CONFORM_SKIPPED, "%s\n", why);
	else if (interrupt_signal())
		say(&o, CONFORM_SKIPPED, "%s\n", interrupt_text());
	else if (s->stuck)
		say(&o, CONFORM_SKIPPED, "case %u still keeps the device\n", s->stuck);
	else
		try(s, k, &o);
	s->options->listener->outcome(&(struct conform_outcome){
		.subject = subject, .tested = k, .verdict = o.verdict, .text = o.text, .ns = o.ns,
	});
	s->counts[o.verdict]++;
}

static bool is_chosen(const struct conform_options *options, unsigned int id)
{
	bool all = true;

	for (size_t i = 0; i < CONFORM_IDS_MAX; i++)
		all = all && !options->only[i];
	return all || options->only[id];
}

static void run_all(struct suite *s)
{
	size_t count = 0;

	for (const struct conform_subject *u = conform_subjects; u->name; u++)
		for (const struct conform_case *k = u->cases; k->id; k++)
			count += is_chosen(s->options, k->id);
	s->options->listener->begin(s->options->spec, count);
	for (const struct conform_subject *u = conform_subjects; u->name; u++)
		for (const struct conform_case *k = u->cases; k->id; k++)
			if (is_chosen(s->options, k->id))
				run_one(s, u->name, k);
	s->options->listener->end(s->counts, interrupt_signal() ? interrupt_text() : NULL);
}

int conform_open(const struct conform_options *options, struct device **ret_dev,
		 struct found *ret_found, struct error *err)
{
	struct device *dev;
	int ret = device_open(options->spec, &dev, err);

	if (ret)
		return ret;
	if (!dev->calls)
		ret = error_set(err, -EINVAL, "%s is no device that could be tested",
				options->spec);
	if (!ret)
		ret = found_take(ret_found, dev, err);
	if (ret)
		dev->ops->close(dev);
	else
		*ret_dev = dev;
	return ret;
}

int conform_status(enum conform_verdict verdict, int put_back, struct error *err)
{
	static const int statuses[] = {
		[CONFORM_PASSED] = 0, [CONFORM_FAILED] = 1, [CONFORM_SKIPPED] = 77,
	};

	if (interrupt_signal() && !put_back)
		error_set(err, 0, "%s", interrupt_text());
	if (interrupt_signal())
		return 128 + interrupt_signal();
	return put_back && verdict != CONFORM_FAILED ? 3 : statuses[verdict];
}

int conform_run(const struct conform_options *options, struct error *err)
{
	struct suite suite = { .options = options };
	struct device *dev;
	struct found found;
	int ret;

	interrupt_catch();
	ret = conform_open(options, &dev, &found, err);
	if (ret)
		return ret;
	suite.has = offers(dev, options, &suite.blocked);
	dev->ops->close(dev);
	run_all(&suite);
	ret = found_put_back(&found, err);
	if (suite.counts[CONFORM_FAILED])
		return conform_status(CONFORM_FAILED, ret, err);
	if (suite.counts[CONFORM_PASSED])
		return conform_status(CONFORM_PASSED, ret, err);
	if (!ret)
		error_set(err, 0, "no case ran, each was skipped");
	return conform_status(CONFORM_SKIPPED, ret, err);
}
