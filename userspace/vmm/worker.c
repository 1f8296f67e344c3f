// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct worker {
	struct worker_pool *pool;
	work_fn run;
	void *mover;
	unsigned int index;
	pthread_t thread;
	struct work work;		/* protected by pool->lock, like all below */
	struct work_result result;
	bool posted, quit;
	pthread_cond_t wake;
	struct worker *next;		/* of those that have an answer */
};

struct worker_pool {
	struct loop *loop;
	pthread_mutex_t lock;		/* protects the mailboxes and the list; a leaf */
	struct worker *first, **last;	/* those that have an answer */
};

int worker_pool_new(struct loop *loop, struct worker_pool **ret_pool)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return -ENOMEM;
	pool->loop = loop;
	pool->last = &pool->first;
	pthread_mutex_init(&pool->lock, NULL);
	*ret_pool = pool;
	return 0;
}

void worker_pool_free(struct worker_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* With the pool's lock held. */
static void answer(struct worker *w, const struct work_result *result)
{
	struct worker_pool *pool = w->pool;

	w->result = *result;
	w->posted = false;
	w->next = NULL;
	*pool->last = w;
	pool->last = &w->next;
}

static void *worker_main(void *opaque)
{
	struct worker *w = opaque;
	struct worker_pool *pool = w->pool;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct work_result result;
		struct work work;

		while (!w->posted && !w->quit)
			pthread_cond_wait(&w->wake, &pool->lock);
		if (w->quit)
			break;
		work = w->work;
		pthread_mutex_unlock(&pool->lock);
		w->run(w->mover, &work, &result);
		pthread_mutex_lock(&pool->lock);
		answer(w, &result);
		loop_wake(pool->loop);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Signals are for the control thread. */
static int start_thread(struct worker *w)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = -pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

int worker_new(struct worker_pool *pool, work_fn run, void *mover, unsigned int index,
	       struct worker **ret_worker)
{
	struct worker *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return -ENOMEM;
	w->pool = pool;
	w->run = run;
	w->mover = mover;
	w->index = index;
	pthread_cond_init(&w->wake, NULL);
	ret = start_thread(w);
	if (ret) {
		pthread_cond_destroy(&w->wake);
		free(w);
		return ret;
	}
	*ret_worker = w;
	return 0;
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->pool->lock);
	w->quit = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->pool->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->wake);
	free(w);
}

void worker_post(struct worker *w, const struct work *work)
{
	pthread_mutex_lock(&w->pool->lock);
	w->work = *work;
	w->posted = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->pool->lock);
}

bool worker_pool_take(struct worker_pool *pool, unsigned int *ret_index,
		      struct work_result *ret_result)
{
	struct worker *w;

	pthread_mutex_lock(&pool->lock);
	w = pool->first;
	if (w) {
		pool->first = w->next;
		if (!pool->first)
			pool->last = &pool->first;
		*ret_index = w->index;
		*ret_result = w->result;
	}
	pthread_mutex_unlock(&pool->lock);
	return w;
}
