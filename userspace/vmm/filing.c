// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/filing.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/savefile.h"

#define SETTLE_S	10	/* a file system that takes longer hangs */

struct filing {
	struct loop *loop;
	struct loop_source *source;
	int wake;			/* eventfd: @run is over */
	filing_fn done;
	void *opaque;

	pthread_mutex_t lock;		/* protects these two; a leaf */
	bool busy, ended;

	/* The thread's while it is busy, the loop's otherwise. */
	int (*run)(struct filing *f, struct error *err);
	int ret;
	struct error error;
	char path[SAVEFILE_PATH_MAX + 1];
	struct hello hello;
	bool running;			/* the source was */
	bool temporary;			/* files were created, and not all of them kept */
	int control;
	int data[HELLO_DEVICES_MAX];
};

/* Those that were ended and are still at it. */
static pthread_mutex_t ending_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ending_over = PTHREAD_COND_INITIALIZER;
static unsigned int ending;

static void close_all(struct filing *f)
{
	if (f->control >= 0)
		close(f->control);
	for (unsigned int i = 0; i < HELLO_DEVICES_MAX; i++) {
		if (f->data[i] >= 0)
			close(f->data[i]);
	}
	if (!f->temporary)
		return;
	savefile_drop(f->path, NULL, f->hello.session);
	for (unsigned int i = 0; i < f->hello.count; i++)
		savefile_drop(f->path, f->hello.id[i], f->hello.session);
}

static void free_filing(struct filing *f)
{
	if (f->wake >= 0)
		close(f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* The last that happens to @f, in whichever thread. */
static void finish(struct filing *f)
{
	close_all(f);
	free_filing(f);
	pthread_mutex_lock(&ending_lock);
	ending--;
	pthread_cond_broadcast(&ending_over);
	pthread_mutex_unlock(&ending_lock);
}

static void *filing_main(void *opaque)
{
	struct filing *f = opaque;
	bool ended;

	if (f->run)
		f->ret = f->run(f, &f->error);
	pthread_mutex_lock(&f->lock);
	f->busy = false;
	ended = f->ended;
	/* Behind the unlock it may be gone. */
	if (!ended)
		eventfd_write(f->wake, 1);
	pthread_mutex_unlock(&f->lock);
	if (ended)
		finish(f);
	return NULL;
}

/* Signals are for the control thread. */
static int start(struct filing *f, int (*run)(struct filing *f, struct error *err))
{
	sigset_t all, old;
	pthread_t thread;
	int ret;

	f->run = run;
	f->busy = true;
	f->error = (struct error){ 0 };
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&thread, NULL, filing_main, f);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret)
		f->busy = false;
	else
		pthread_detach(thread);
	return ret;
}

static void on_done(void *opaque, int fd, short revents)
{
	struct filing *f = opaque;
	struct error err = f->error;
	eventfd_t count;

	(void)revents;
	eventfd_read(fd, &count);
	/* Which may end it. */
	f->done(f->opaque, f->ret, &err);
}

int filing_new(struct loop *loop, const char *path, filing_fn done, void *opaque,
	       struct filing **ret_filing)
{
	struct filing *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->loop = loop;
	f->done = done;
	f->opaque = opaque;
	f->control = -1;
	for (unsigned int i = 0; i < HELLO_DEVICES_MAX; i++)
		f->data[i] = -1;
	strncpy(f->path, path, SAVEFILE_PATH_MAX);
	pthread_mutex_init(&f->lock, NULL);
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->source = f->wake < 0 ? NULL : loop_add(loop, f->wake, POLLIN, on_done, f);
	if (!f->source) {
		free_filing(f);
		return -ENOMEM;
	}
	*ret_filing = f;
	return 0;
}

static int run_create(struct filing *f, struct error *err)
{
	struct hello data = { .kind = HELLO_DATA, .session = f->hello.session };
	int ret = savefile_create(f->path, NULL, &f->hello, &f->control, err);

	for (unsigned int i = 0; !ret && i < f->hello.count; i++) {
		data.index = i;
		ret = savefile_create(f->path, f->hello.id[i], &data, &f->data[i], err);
	}
	return ret;
}

int filing_create(struct filing *f, const struct hello *hello)
{
	f->hello = *hello;
	f->temporary = true;
	return start(f, run_create);
}

/* PATH at last: until then what it had says that its devices' files are not its own. */
static int run_keep(struct filing *f, struct error *err)
{
	int ret = savefile_done(f->control, f->running, err);

	for (unsigned int i = 0; !ret && i < f->hello.count; i++)
		ret = savefile_keep(f->path, f->hello.id[i], f->hello.session, err);
	if (!ret)
		ret = savefile_keep(f->path, NULL, f->hello.session, err);
	f->temporary = ret;
	return ret;
}

int filing_keep(struct filing *f, bool running)
{
	f->running = running;
	return start(f, run_keep);
}

static int run_read(struct filing *f, struct error *err)
{
	return savefile_read(f->path, &f->hello, &f->running, err);
}

int filing_read(struct filing *f)
{
	return start(f, run_read);
}

static int run_open(struct filing *f, struct error *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < f->hello.count; i++)
		ret = savefile_open(f->path, &f->hello, i, &f->data[i], err);
	return ret;
}

int filing_open(struct filing *f)
{
	return start(f, run_open);
}

const struct hello *filing_hello(const struct filing *f)
{
	return &f->hello;
}

bool filing_running(const struct filing *f)
{
	return f->running;
}

int filing_data(const struct filing *f, unsigned int index)
{
	return f->data[index];
}

void filing_end(struct filing *f)
{
	bool busy;

	if (!f)
		return;
	loop_remove(f->source);
	pthread_mutex_lock(&ending_lock);
	ending++;
	pthread_mutex_unlock(&ending_lock);
	pthread_mutex_lock(&f->lock);
	f->ended = true;
	busy = f->busy;
	pthread_mutex_unlock(&f->lock);
	/* To close a file may take long, too. */
	if (!busy && start(f, NULL))
		finish(f);
}

void filing_settle(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SETTLE_S;
	pthread_mutex_lock(&ending_lock);
	while (ending && !pthread_cond_timedwait(&ending_over, &ending_lock, &until))
		;
	pthread_mutex_unlock(&ending_lock);
}
