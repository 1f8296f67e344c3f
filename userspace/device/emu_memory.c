// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulated device's DMA to guest memory, and its record of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "device/emu.h"
#include "device/memory.h"

static struct emu *to_emu(struct device *dev)
{
	return (struct emu *)dev;
}

/* No page is ever the same twice. */
static void write_page(struct emu_memory *m)
{
	u64 page = m->next, *at = (u64 *)(m->host + page * MEMORY_PAGE);

	m->next = (page + 1) % (m->length / MEMORY_PAGE);
	m->count++;
	for (size_t i = 0; i < MEMORY_PAGE / sizeof(*at); i++)
		at[i] = m->count * 0x9e3779b97f4a7c15ull + i;
	if (m->written && page != m->misses)
		m->written[page / 64] |= 1ull << page % 64;
}

void emu_memory_advance(struct emu *e, u64 now_ns)
{
	struct emu_memory *m = &e->memory;
	double due = m->due + (double)(now_ns - m->since_ns) * m->rate / NSEC_PER_SEC;

	if (m->host && emu_may_write(e->state)) {
		/* Nobody can tell a second round of the same pages from one. */
		m->due = due < m->length ? (u64)due : m->length;
		for (; m->due >= MEMORY_PAGE; m->due -= MEMORY_PAGE)
			write_page(m);
	}
	m->since_ns = now_ns;
}

void emu_memory_clear(struct emu *e, u64 iova, u64 length)
{
	struct emu_memory *m = &e->memory;

	if (m->host && iova >= m->iova && length <= m->length &&
	    iova - m->iova <= m->length - length)
		memset(m->host + (iova - m->iova), 0, length);
}

static void advance(struct emu *e)
{
	emu_memory_advance(e, clock_ns());
}

int emu_map(struct device *dev, uint64_t iova, void *host, uint64_t length, struct error *err)
{
	struct emu *e = to_emu(dev);
	int ret = 0;

	pthread_mutex_lock(&e->model_lock);
	if (e->memory.host) {
		ret = error_set(err, -EBUSY, "%s: an emulated device takes one mapping only",
				dev->name);
	} else {
		e->memory.host = host;
		e->memory.iova = iova;
		e->memory.length = length;
		e->memory.since_ns = clock_ns();
	}
	pthread_mutex_unlock(&e->model_lock);
	return ret;
}

int emu_track(struct device *dev, uint64_t iova, uint64_t length, struct error *err)
{
	struct emu *e = to_emu(dev);
	u64 *written = calloc(memory_bitmap_words(length), sizeof(*written));
	int ret = 0;

	if (!written)
		return error_set(err, -ENOMEM, "%s: no memory for its record of writes", dev->name);
	pthread_mutex_lock(&e->model_lock);
	if (e->memory.written || e->memory.iova != iova || e->memory.length != length) {
		ret = error_set(err, -EINVAL, "%s: it records one mapping, once", dev->name);
	} else {
		advance(e);
		e->memory.written = written;
		written = NULL;
	}
	pthread_mutex_unlock(&e->model_lock);
	free(written);
	return ret;
}

int emu_dirty(struct device *dev, uint64_t *bitmap, struct error *err)
{
	struct emu *e = to_emu(dev);
	u64 *written;

	pthread_mutex_lock(&e->model_lock);
	advance(e);
	written = e->memory.written;
	for (size_t i = 0; written && i < memory_bitmap_words(e->memory.length); i++) {
		bitmap[i] |= written[i];
		written[i] = 0;
	}
	pthread_mutex_unlock(&e->model_lock);
	return written ? 0 : error_set(err, -EINVAL, "%s: it records nothing", dev->name);
}

void emu_untrack(struct device *dev)
{
	struct emu *e = to_emu(dev);

	pthread_mutex_lock(&e->model_lock);
	free(e->memory.written);
	e->memory.written = NULL;
	pthread_mutex_unlock(&e->model_lock);
}
