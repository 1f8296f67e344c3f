// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random walk over the calls of a device, in step with a model of it, and the
 * shortest sequence that still goes wrong.
 *
 * The walk is done by a process of its own, so that a call that hangs and a device
 * that crashes it leave the sequence that led there.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "conform/found.h"
#include "conform/interrupt.h"
#include "conform/kmsg.h"
#include "conform/suite.h"
#include "conform/walk.h"
#include "conform/worker.h"
#include "device/lab.h"
#include "device/state.h"

#define TRAIL		4096	/* steps that are remembered and can be replayed */
#define SHRINK_NS	(60 * NSEC_PER_SEC)	/* then it is short enough */
#define GET_SIZE	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DATA_SIZE)
#define GET_STATE	(VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)
#define RESET_ONE_IN	64	/* resets are slow, and end what is interesting */
#define WHAT_SIZE	256

/* Shared with the process that walks. */
struct trail {
	_Atomic unsigned long steps;	/* taken so far */
	bool begun;			/* the device was opened, and a stream of it is there */
	bool wrong;			/* the last one was not explained: */
	bool stuck;			/* whoever took it cannot be killed, and has the device */
	char what[WHAT_SIZE];
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

/* What a process that walks is given. */
struct walk_work {
	const struct conform_options *options;
	struct trail *trail;
	unsigned long steps;
	uint64_t seed;
};

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

/* Takes @step; false when the model explains what comes back, else @text is what went wrong. */
static bool take(struct walk *w, const struct walk_step *step, char text[WHAT_SIZE])
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
		return false;
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
		snprintf(text, WHAT_SIZE, "the answer is %s and GET then says %s (%u); "
			 "expected: %s", result_text(ret, buf),
			 device_state_name(state.device_state), state.device_state, wanted);
	else if (wanted)
		snprintf(text, WHAT_SIZE, "the answer is %s; expected: %s", result_text(ret, buf),
			 wanted);
	return wanted;
}

static void walk_open(struct walk *w, const struct walk_work *work, int out, struct pulse *pulse)
{
	const struct conform_options *options = work->options;
	char *rules = NULL;

	*w = (struct walk){ .fd = NO_FD };
	w->c = (struct conform){
		.spec = options->spec, .keep_rules = options->keep_rules, .verdict = out,
		.pulse = pulse,
	};
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
	work->trail->begun = true;
}

static void walk_in_child(void *arg, int out, struct pulse *pulse)
{
	struct walk_work *work = arg;
	struct trail *t = work->trail;
	struct walk w;

	walk_open(&w, work, out, pulse);
	while (t->steps < work->steps && !t->wrong) {
		struct walk_step step = choose(&work->seed);

		if (t->count == TRAIL) {
			step = (struct walk_step){ .call = WALK_RESET };
			t->count = 0;
		}
		t->step[t->count++] = step;
		t->wrong = take(&w, &step, t->what);
		t->steps++;
	}
}

/* Does the walk over the trail's steps, from a fresh open, still go wrong in its last step? */
static void replay_in_child(void *arg, int out, struct pulse *pulse)
{
	struct walk_work *work = arg;
	struct trail *t = work->trail;
	struct walk w;

	walk_open(&w, work, out, pulse);
	for (unsigned int i = 0; i < t->count && !t->wrong; i++) {
		t->wrong = take(&w, &t->step[i], t->what);
		t->steps++;
	}
}

/* What @w ended with besides what it has put down: it could not begin, it hung or died. */
static void conclude(const struct worker *w, struct trail *t)
{
	t->stuck = w->stuck;
	if (w->end == WORKER_INTERRUPTED || t->wrong)
		return;
	t->wrong = w->end == WORKER_HUNG || !t->begun || !WIFEXITED(w->status) ||
		   WEXITSTATUS(w->status);
	if (w->end == WORKER_HUNG)
		snprintf(t->what, sizeof(t->what), "it does not return: %s", w->why);
	else if (!t->begun && *w->told)
		snprintf(t->what, sizeof(t->what), "%.*s", (int)strcspn(w->told + 1, "\n"),
			 w->told + 1);
	else if (t->wrong)
		snprintf(t->what, sizeof(t->what), "the process died: %s",
			 WIFSIGNALED(w->status) ? strsignal(WTERMSIG(w->status)) :
			 "without a signal");
}

/* Runs it, and puts what went wrong into the trail. Returns 0 or what worker_run() says. */
static int in_worker(void (*run)(void *arg, int out, struct pulse *pulse), struct walk_work *work,
		     struct worker *w)
{
	int ret;

	*w = (struct worker){ .run = run, .arg = work, .limit_s = work->options->limit_s };
	ret = worker_run(w);
	if (!ret)
		conclude(w, work->trail);
	return ret;
}

static bool still_wrong(const struct conform_options *options, struct trail *t,
			const struct walk_step *steps, unsigned int count)
{
	struct walk_work work = { .options = options, .trail = t };
	struct worker w;

	if (t->stuck || interrupt_signal())
		return false;
	memcpy(t->step, steps, count * sizeof(*steps));
	t->count = count;
	t->wrong = t->begun = false;
	t->steps = 0;
	return !in_worker(replay_in_child, &work, &w) && t->wrong && t->begun &&
	       t->steps >= count - 1;
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
	char what[WHAT_SIZE];

	printf("step %lu of the walk went wrong: %s\n", (unsigned long)t->steps, t->what);
	fflush(stdout);
	memcpy(steps, t->step, count * sizeof(*steps));
	memcpy(what, t->what, sizeof(what));
	if (still_wrong(options, t, steps, count)) {
		count = shrink(options, t, steps, count);
		if (still_wrong(options, t, steps, count))
			memcpy(what, t->what, sizeof(what));
		printf("the same from RUNNING with %u steps:\n", count);
	} else {
		printf("it %s; the last %u steps:\n",
		       t->stuck ? "cannot be killed and keeps the device" :
		       interrupt_signal() ? "was not tried again" : "does not happen again", count);
	}
	for (unsigned int i = 0; i < count; i++)
		print_step(&steps[i]);
	printf("  %s\n", what);
}

/* What the walk came to; what could not be begun was skipped or failed. */
static enum conform_verdict report(const struct walk_work *work, const struct worker *w,
				   struct error *err)
{
	struct trail *t = work->trail;

	if (w->end == WORKER_INTERRUPTED) {
		printf("%s after %lu steps\n", interrupt_text(), (unsigned long)t->steps);
		return CONFORM_SKIPPED;
	}
	if (!t->begun && *w->told == 'S') {
		error_set(err, 0, "the walk cannot begin: %s", t->what);
		return CONFORM_SKIPPED;
	}
	if (!t->begun)
		printf("the walk cannot begin: %s\n", t->what);
	else if (t->wrong)
		report_wrong(work->options, t);
	else
		printf("%lu steps, seed %lu: each answer is the model's\n",
		       (unsigned long)t->steps, (unsigned long)work->seed);
	return t->wrong ? CONFORM_FAILED : CONFORM_PASSED;
}

/* The kernel's log is read beside; @kernel: there is one behind the device. */
static int walk(struct walk_work *work, bool kernel, enum conform_verdict *ret_verdict,
		struct error *err)
{
	const int kmsg = kernel ? kmsg_begin() : -1;
	char warning[WHAT_SIZE];
	struct worker w;
	int ret = in_worker(walk_in_child, work, &w);

	if (kmsg_end(kmsg, warning, sizeof(warning)) && !work->trail->wrong) {
		work->trail->wrong = true;
		snprintf(work->trail->what, sizeof(work->trail->what), "the kernel said: %.200s",
			 warning);
	}
	if (ret)
		return error_set(err, ret, "cannot start a process for the walk: %s",
				 strerror(-ret));
	*ret_verdict = report(work, &w, err);
	return 0;
}

int conform_walk(const struct conform_options *options, unsigned long steps, unsigned long seed,
		 struct error *err)
{
	struct walk_work work = { .options = options, .steps = steps, .seed = seed };
	enum conform_verdict verdict = CONFORM_SKIPPED;
	struct device *dev;
	struct found found;
	bool kernel, may;
	int ret, back;

	interrupt_catch();
	ret = conform_open(options, &dev, &found, err);
	if (ret)
		return ret;
	kernel = dev->calls->fileno(dev, DEVICE_SELF) >= 0;
	may = conform_may_block(dev, options, err);
	dev->ops->close(dev);
	work.trail = mmap(NULL, sizeof(*work.trail), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (work.trail == MAP_FAILED)
		ret = error_set(err, -ENOMEM, "no memory for the walk");
	else if (may)
		ret = walk(&work, kernel, &verdict, err);
	back = found_put_back(&found, err);
	return ret ? ret : conform_status(verdict, back, err);
}
