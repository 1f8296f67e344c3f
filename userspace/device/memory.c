// SPDX-License-Identifier: GPL-2.0-only
#include "device/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WORD_PAGES	64u

size_t memory_bitmap_words(uint64_t size)
{
	uint64_t pages = size / MEMORY_PAGE;

	return (pages + WORD_PAGES - 1) / WORD_PAGES;
}

static int check_size(uint64_t size, struct error *err)
{
	if (size && size % MEMORY_PAGE == 0 && size <= MEMORY_SIZE_MAX)
		return 0;
	return error_set(err, -EINVAL,
			 "a memory of %llu bytes: give a multiple of %u, from %u to %llu",
			 (unsigned long long)size, MEMORY_PAGE, MEMORY_PAGE, MEMORY_SIZE_MAX);
}

int memory_new(uint64_t size, struct memory **ret_memory, struct error *err)
{
	struct memory *m;
	int ret = check_size(size, err);

	if (ret)
		return ret;
	m = calloc(1, sizeof(*m));
	if (m)
		m->written = calloc(memory_bitmap_words(size), sizeof(*m->written));
	if (!m || !m->written)
		goto no_memory;
	m->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->bytes == MAP_FAILED)
		goto no_memory;
	m->size = size;
	*ret_memory = m;
	return 0;

no_memory:
	if (m)
		free(m->written);
	free(m);
	return error_set(err, -ENOMEM, "the system has no %llu bytes for the memory",
			 (unsigned long long)size);
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	munmap(m->bytes, m->size);
	free(m->written);
	free(m);
}

void memory_write(struct memory *m, uint64_t at, const void *bytes, size_t len)
{
	memcpy(m->bytes + at, bytes, len);
	for (uint64_t page = at / MEMORY_PAGE; len && page <= (at + len - 1) / MEMORY_PAGE; page++)
		atomic_fetch_or_explicit(&m->written[page / WORD_PAGES], 1ull << page % WORD_PAGES,
					 memory_order_release);
}

void memory_collect(struct memory *m, uint64_t *bitmap)
{
	for (size_t i = 0; i < memory_bitmap_words(m->size); i++)
		bitmap[i] |= atomic_exchange_explicit(&m->written[i], 0, memory_order_acquire);
}
