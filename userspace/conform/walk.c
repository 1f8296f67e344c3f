// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random walk over the calls of a device, in step with a model of it, and the
 * shortest sequence that still goes wrong.
 *
 * The walk is done by a process of its own, so that a call that hangs and a device
 * that crashes it leave the sequence that led there.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/kmsg.h"
#include "conform/suite.h"
#include "conform/walk.h"
#include "device/lab.h"
#include "device/state.h"

#define TRAIL		4096	/* steps that are remembered and can be replayed */
#define SHRINK_NS	(60 * NSEC_PER_SEC)	/* then it is short enough */
#define GET_SIZE	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE)
#define GET_STATE	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)
#define RESET_ONE_IN	64	/* resets are slow, and end what is interesting */

/* Shared with the process that walks. */
struct trail {
	_Atomic unsigned long steps;	/* taken so far */
	bool wrong;			/* the last one was not explained: */
	char what[160];
	struct walk_step step[TRAIL];	/* the last ones, from a reset on */
	unsigned int count;
};

static unsigned int next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

static struct walk_step choose(uint64_t *seed)
{
	static const enum walk_call often[] = {
		WALK_SET, WALK_SET, WALK_SET, WALK_GET, WALK_READ, WALK_READ, WALK_WRITE,
		WALK_WRITE, WALK_INFO, WALK_SIZE,
	};
	static const uint32_t sizes[] = { 0, 1, 100, 4096, 70000, 1u << 22 };
	unsigned int number = next_random(seed);
	struct walk_step step = { .call = often[number % 10] };

	if (!(number / 10 % RESET_ONE_IN))
		step.call = WALK_RESET;
	if (step.call == WALK_SET)
		step.arg = next_random(seed) % (VFIO_DEVICE_STATE_PRE_COPY_P2P + 2);
	else if (step.call == WALK_READ || step.call == WALK_WRITE)
		step.arg = sizes[next_random(seed) % 6];
	return step;
}

/* The device of a walk, and what it has done. */
struct walk {
	struct conform c;
	struct walk_model model;
	struct bytes stream;	/* a whole one, of this device */
	uint8_t *buf;		/* as large as any read */
	int fd;			/* the last data_fd, or NO_FD */
};

static long long do_set(struct walk *w, uint32_t state, bool *ret_new)
{
	int fd, ret = dut_set(&w->c, state, &fd);

	*ret_new = !ret && fd >= 0;
	if (*ret_new) {
		if (w->fd >= 0)
			w->c.dev->calls->close(w->c.dev, w->fd);
		w->fd = fd;
	}
	return ret;
}

static long long do_write(struct walk *w, uint32_t size)
{
	size_t at = w->model.fed < w->stream.size ? w->model.fed : 0;
	size_t left = w->stream.size - w->model.fed;

	if (size > left)
		size = left;	/* never beyond its end, which would be an error of ours */
	return dut_write(&w->c, w->fd, w->stream.data + at, size);
}

/* Takes @step; NULL when the model explains what comes back, else what went wrong. */
static const char *take(struct walk *w, const struct walk_step *step, char text[160])
{
	struct vfio_device_feature_mig_data_size size;
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	struct vfio_device_feature_mig_state state = { 0 };
	struct walk_step done = *step;
	const char *wanted;
	bool new_fd = false;
	long long ret = 0;
	char buf[24];

	if (step->call == WALK_SET)
		ret = do_set(w, step->arg, &new_fd);
	else if (step->call == WALK_READ)
		ret = dut_read(&w->c, w->fd, w->buf, step->arg);
	else if (step->call == WALK_WRITE && w->model.fed >= w->stream.size)
		return NULL;
	else if (step->call == WALK_WRITE)
		ret = do_write(w, step->arg);
	else if (step->call == WALK_INFO)
		ret = dut_info_raw(&w->c, w->fd, &info);
	else if (step->call == WALK_SIZE)
		ret = dut_feature(&w->c, GET_SIZE, &size, sizeof(size));
	else if (step->call == WALK_RESET)
		ret = dut_ioctl(&w->c, DEVICE_SELF, VFIO_DEVICE_RESET, NULL);
	if (step->call == WALK_SET || step->call == WALK_GET) {
		int got = dut_feature(&w->c, GET_STATE, &state, sizeof(state));

		ret = step->call == WALK_GET ? got : ret;
	}
	if (step->call == WALK_WRITE && done.arg > w->stream.size - w->model.fed)
		done.arg = w->stream.size - w->model.fed;
	wanted = walk_explain(&w->model, &done, ret, state.device_state, new_fd);
	if (wanted && (step->call == WALK_SET || step->call == WALK_GET))
		snprintf(text, 160, "%s, state %s, instead of %s", result_text(ret, buf),
			 device_state_name(state.device_state), wanted);
	else if (wanted)
		snprintf(text, 160, "%s instead of %s", result_text(ret, buf), wanted);
	return wanted;
}

static void walk_open(struct walk *w, const struct conform_options *options)
{
	char *rules = NULL;

	*w = (struct walk){ .fd = NO_FD };
	w->c.spec = options->spec;
	w->c.keep_rules = options->keep_rules;
	w->c.verdict = STDERR_FILENO;
	dut_open(&w->c);
	if (options->keep_rules && w->c.dev->lab) {
		w->c.dev->lab->ops->read(w->c.dev->lab, "rules", &rules, NULL);
		dut_lab(&w->c, "rules", "\n");
	}
	w->stream = dut_save(&w->c);
	w->buf = malloc(1u << 22);
	dut_reset(&w->c);
	if (rules)
		dut_lab(&w->c, "rules", rules);
	free(rules);
	walk_begin(&w->model, w->c.flags, options->keep_rules, w->stream.size);
}

static void __attribute__((noreturn)) walk_in_child(const struct conform_options *options,
						    struct trail *t, unsigned long steps,
						    uint64_t seed)
{
	struct walk w;

	walk_open(&w, options);
	while (t->steps < steps && !t->wrong) {
		struct walk_step step = choose(&seed);

		if (t->count == TRAIL) {
			step = (struct walk_step){ .call = WALK_RESET };
			t->count = 0;
		}
		t->step[t->count++] = step;
		t->wrong = take(&w, &step, t->what);
		t->steps++;
	}
	_exit(0);
}

/* Does the walk over @t's steps, from a fresh open, still go wrong in its last step? */
static void __attribute__((noreturn)) replay_in_child(const struct conform_options *options,
						      struct trail *t)
{
	char what[160];
	struct walk w;

	walk_open(&w, options);
	for (unsigned int i = 0; i < t->count && !t->wrong; i++) {
		t->wrong = take(&w, &t->step[i], what);
		t->steps++;
		if (t->wrong)
			memcpy(t->what, what, sizeof(what));
	}
	_exit(0);
}

/*
 * Waits for @pid while it makes progress. What it did wrong is in @t afterwards,
 * dying and hanging included.
 */
static void watch(pid_t pid, struct trail *t, unsigned int limit_s)
{
	uint64_t deadline = clock_ns() + limit_s * NSEC_PER_SEC;
	unsigned long seen = t->steps;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (t->steps != seen) {
			seen = t->steps;
			deadline = clock_ns() + limit_s * NSEC_PER_SEC;
		}
		if (clock_ns() > deadline) {
			t->wrong = true;
			strcpy(t->what, "it does not return");
			kill(pid, SIGKILL);
			return;
		}
		usleep(1000);
	}
	if (t->wrong || (WIFEXITED(status) && !WEXITSTATUS(status)))
		return;
	t->wrong = true;
	snprintf(t->what, sizeof(t->what), "the process died: %s",
		 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "without a signal");
}

static bool still_wrong(const struct conform_options *options, struct trail *t,
			const struct walk_step *steps, unsigned int count)
{
	pid_t pid;

	memcpy(t->step, steps, count * sizeof(*steps));
	t->count = count;
	t->wrong = false;
	t->steps = 0;
	pid = fork();
	if (!pid)
		replay_in_child(options, t);
	if (pid < 0)
		return false;
	watch(pid, t, options->limit_s);
	return t->wrong && t->steps >= count - 1;
}

/* Leaves out runs of steps, ever shorter ones, as long as it goes wrong without them. */
static unsigned int shrink(const struct conform_options *options, struct trail *t,
			   struct walk_step *steps, unsigned int count)
{
	const uint64_t end = clock_ns() + SHRINK_NS;

	for (unsigned int run = count / 2; run; run /= 2)
		for (unsigned int at = 0; at + run < count && clock_ns() < end;) {
			struct walk_step fewer[TRAIL];

			memcpy(fewer, steps, at * sizeof(*steps));
			memcpy(fewer + at, steps + at + run, (count - at - run) * sizeof(*steps));
			if (!still_wrong(options, t, fewer, count - run)) {
				at += run;
				continue;
			}
			count -= run;
			memcpy(steps, fewer, count * sizeof(*steps));
		}
	return count;
}

static void print_step(const struct walk_step *step)
{
	static const char *const names[] = {
		[WALK_SET] = "SET", [WALK_GET] = "GET", [WALK_READ] = "read",
		[WALK_WRITE] = "write", [WALK_INFO] = "precopy_info",
		[WALK_SIZE] = "data_size", [WALK_RESET] = "reset",
	};

	printf("  %s", names[step->call]);
	if (step->call == WALK_SET)
		printf(" %u (%s)", step->arg, device_state_name(step->arg));
	else if (step->call == WALK_READ || step->call == WALK_WRITE)
		printf(" %u bytes", step->arg);
	putchar('\n');
}

static void report_wrong(const struct conform_options *options, struct trail *t)
{
	struct walk_step steps[TRAIL];
	unsigned int count = t->count;
	char what[160];

	printf("step %lu of the walk went wrong: %s\n", t->steps, t->what);
	fflush(stdout);
	memcpy(steps, t->step, count * sizeof(*steps));
	memcpy(what, t->what, sizeof(what));
	if (still_wrong(options, t, steps, count)) {
		count = shrink(options, t, steps, count);
		if (still_wrong(options, t, steps, count))
			memcpy(what, t->what, sizeof(what));
		printf("the same from RUNNING with %u steps:\n", count);
	} else {
		printf("it does not happen again; the last %u steps:\n", count);
	}
	for (unsigned int i = 0; i < count; i++)
		print_step(&steps[i]);
	printf("  gives %s\n", what);
}

int conform_walk(const struct conform_options *options, unsigned long steps, unsigned long seed,
		 struct error *err)
{
	struct trail *t;
	struct device *dev;
	char *rules = NULL;
	char warning[256];
	int ret = device_open(options->spec, &dev, err), kmsg;
	pid_t pid;

	if (ret)
		return ret;
	if (!dev->calls)
		ret = error_set(err, -EINVAL, "%s is no device that could be tested",
				options->spec);
	kmsg = !ret && dev->calls->fileno(dev, DEVICE_SELF) >= 0 ? kmsg_begin() : -1;
	if (!ret && dev->lab && !options->keep_rules)
		ret = dev->lab->ops->read(dev->lab, "rules", &rules, err);
	dev->ops->close(dev);
	if (ret)
		return ret;
	t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	fflush(stdout);
	pid = t == MAP_FAILED ? -1 : fork();
	if (pid < 0)
		return error_set(err, -ENOMEM, "no memory or process for the walk");
	if (!pid)
		walk_in_child(options, t, steps, seed);
	watch(pid, t, options->limit_s);
	if (kmsg_end(kmsg, warning, sizeof(warning)) && !t->wrong) {
		t->wrong = true;
		snprintf(t->what, sizeof(t->what), "the kernel said: %.120s", warning);
	}
	if (t->wrong)
		report_wrong(options, t);
	else
		printf("%lu steps, seed %lu: each answer is the model's\n", (unsigned long)t->steps,
		       seed);
	conform_put_back(options, rules);
	free(rules);
	return t->wrong ? 1 : 0;
}
