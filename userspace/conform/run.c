// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the cases one after another, each in a process that can be killed.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/kmsg.h"
#include "conform/suite.h"
#include "device/lab.h"
#include "device/state.h"

#define VERDICT_MAX	2048
#define KILLED_GRACE_NS	(5 * NSEC_PER_SEC)

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

static void __attribute__((noreturn)) run_case(const struct conform_options *options,
					       const struct conform_case *k, int verdict)
{
	struct conform c = {
		.spec = options->spec,
		.keep_rules = options->keep_rules,
		.verdict = verdict,
	};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dut_open(&c);
	k->run(&c);
	if (c.dev)
		require_state(&c, k->leaves ? k->leaves : VFIO_DEVICE_STATE_RUNNING,
			      "when the case has ended");
	if (write(verdict, "P\n", 2) != 2)
		_exit(2);
	restore(&c);
}

/* --- in ours --- */

struct suite {
	const struct conform_options *options;
	unsigned int has;		/* NEEDS_*: what the device offers */
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

static unsigned int offers(struct device *dev, const struct conform_options *options)
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

/* Reads what the case tells until it ends; false at the deadline. */
static bool listen_to(int fd, uint64_t deadline_ns, char text[VERDICT_MAX])
{
	size_t used = 0;

	for (;;) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_ns();
		ssize_t n;

		text[used] = '\0';
		if (now >= deadline_ns ||
		    poll(&pfd, 1, (deadline_ns - now) / NSEC_PER_MSEC + 1) < 1)
			return false;
		n = read(fd, text + used, VERDICT_MAX - 1 - used);
		if (n <= 0)
			return true;
		used += n;
	}
}

static bool reap(pid_t pid, uint64_t deadline_ns, int *ret_status)
{
	while (waitpid(pid, ret_status, WNOHANG) != pid) {
		if (clock_ns() >= deadline_ns)
			return false;
		usleep(1000);
	}
	return true;
}

/* Puts together what the case told and how its process ended. */
static void conclude(struct outcome *o, char *told, bool in_time, int status)
{
	char *rest = strchr(told, '\n');

	if (!rest) {
		if (!in_time)
			say(o, CONFORM_FAILED, "it did not end in time\n");
		else if (WIFSIGNALED(status))
			say(o, CONFORM_FAILED, "its process died: %s\n",
			    strsignal(WTERMSIG(status)));
		else
			say(o, CONFORM_FAILED, "its process ended without a verdict, status %d\n",
			    WEXITSTATUS(status));
		return;
	}
	*rest++ = '\0';
	if (told[1])
		say(o, CONFORM_PASSED, "%s\n", told + 1);
	if (*rest)
		say(o, CONFORM_PASSED, "%s", rest);
	o->verdict = *told == 'P' ? CONFORM_PASSED :
		     *told == 'S' ? CONFORM_SKIPPED : CONFORM_FAILED;
	if (!in_time)
		say(o, CONFORM_FAILED, "the device did not come back in time\n");
}

static void run_in_child(struct suite *s, const struct conform_case *k, struct outcome *o)
{
	const uint64_t begin = clock_ns();
	char told[VERDICT_MAX];
	int pipes[2], status = 0;
	bool in_time;
	pid_t pid;

	fflush(stdout);
	pid = pipe(pipes) ? -1 : fork();
	if (pid < 0) {
		say(o, CONFORM_FAILED, "cannot start a process: %s\n", strerror(errno));
		return;
	}
	if (!pid) {
		close(pipes[0]);
		run_case(s->options, k, pipes[1]);
	}
	close(pipes[1]);
	in_time = listen_to(pipes[0], begin + s->options->limit_s * NSEC_PER_SEC, told);
	close(pipes[0]);
	if (!in_time)
		kill(pid, SIGKILL);
	if (!reap(pid, clock_ns() + KILLED_GRACE_NS, &status)) {
		kill(pid, SIGKILL);
		s->stuck = k->id;
	}
	o->ns = clock_ns() - begin;
	conclude(o, told, in_time, status);
	if (s->stuck)
		say(o, CONFORM_FAILED, "its process cannot be killed and keeps the device\n");
}

/* Why @k is not run, or NULL. */
static const char *unfit(const struct suite *s, const struct conform_case *k)
{
	const unsigned int missing = k->needs & ~s->has;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (missing & reasons[i].need)
			return reasons[i].missing;
	return NULL;
}

static void run_one(struct suite *s, const char *subject, const struct conform_case *k)
{
	const char *why = s->options->skip[k->id] ? "--skip" : unfit(s, k);
	struct outcome o = { .verdict = CONFORM_PASSED };
	char warning[256];
	int kmsg;

	if (s->stuck) {
		say(&o, CONFORM_SKIPPED, "case %u still keeps the device\n", s->stuck);
	} else if (why) {
		say(&o, CONFORM_SKIPPED, "%s\n", why);
	} else {
		kmsg = s->has & NEEDS_KERNEL ? kmsg_begin() : -1;
		run_in_child(s, k, &o);
		if (kmsg_end(kmsg, warning, sizeof(warning)))
			say(&o, CONFORM_FAILED, "meanwhile the kernel said: %s\n", warning);
	}
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
	s->options->listener->end(s->counts);
}

void conform_put_back(const struct conform_options *options, const char *rules)
{
	struct device *dev;

	if (!rules || device_open(options->spec, &dev, NULL))
		return;
	dev->lab->ops->write(dev->lab, "rules", rules, NULL);
	dev->ops->close(dev);
}

int conform_run(const struct conform_options *options, struct error *err)
{
	struct suite suite = { .options = options };
	char *rules = NULL;
	struct device *dev;
	int ret = device_open(options->spec, &dev, err);

	if (ret)
		return ret;
	if (!dev->calls)
		ret = error_set(err, -EINVAL, "%s is no device that could be tested",
				options->spec);
	else
		suite.has = offers(dev, options);
	if (!ret && suite.has & NEEDS_LAB)
		ret = dev->lab->ops->read(dev->lab, "rules", &rules, err);
	dev->ops->close(dev);
	if (!ret) {
		run_all(&suite);
		if (!suite.stuck)
			conform_put_back(options, rules);
	}
	free(rules);
	if (ret)
		return ret;
	if (suite.counts[CONFORM_FAILED])
		return 1;
	return suite.counts[CONFORM_PASSED] ? 0 : error_set(err, 3, "no case ran");
}
