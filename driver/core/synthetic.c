// SPDX-License-Identifier: GPL-2.0-only
#include "synthetic.h"
#include "fsm.h"
#include "prng.h"

#define NS_PER_SEC	1000000000ull

/* Work is counted in bytes per second times nanoseconds; this much rewrites one page. */
#define PAGE_WORK	(MIGLAB_PAGE * NS_PER_SEC)

/* Filling a state lets others run after so many bytes, a power of 2. */
#define BREATH		(64u * MIGLAB_PAGE)

/* A prime above the pages of any state: steps of it visit each page once before any twice. */
#define PAGE_STRIDE	1000003u

static_assert(MIGLAB_STATE_BYTES_MAX / MIGLAB_PAGE < PAGE_STRIDE, "else it might share a factor");
static_assert(MIGLAB_STATE_BYTES_MAX / MIGLAB_PAGE <= U64_MAX / PAGE_WORK, "work fits 64 bits");

static u32 page_count(const struct miglab_synthetic *m)
{
	return (u32)(m->content->id.state_bytes / MIGLAB_PAGE);
}

bool miglab_synthetic_size_ok(u64 state_bytes)
{
	return state_bytes >= MIGLAB_STATE_BYTES_MIN && state_bytes <= MIGLAB_STATE_BYTES_MAX &&
	       state_bytes % MIGLAB_PAGE == 0;
}
EXPORT_SYMBOL_GPL(miglab_synthetic_size_ok);

void miglab_synthetic_init(struct miglab_synthetic *m, struct miglab_content *content, u64 seed)
{
	u64 i;

	*m = (struct miglab_synthetic){ .content = content, .prng = seed };
	for (i = 0; i < content->id.state_bytes; i += sizeof(__le64)) {
		__le64 noise = cpu_to_le64(miglab_prng(&m->prng));

		memcpy(content->bytes + i, &noise, sizeof(noise));
		if (i % BREATH == 0)
			cond_resched();
	}
}

bool miglab_synthetic_active(u32 state)
{
	return state == MIGLAB_RUNNING || state == MIGLAB_PRE_COPY;
}

void miglab_synthetic_run(struct miglab_synthetic *m, bool active, u64 now_ns)
{
	m->running = active;
	m->since_ns = now_ns;
}

/* Nanoseconds of activity until @pages more are due; @m->rate is not 0. */
static u64 ns_until(const struct miglab_synthetic *m, u32 pages)
{
	return div64_u64(pages * PAGE_WORK - m->work - 1, m->rate) + 1;
}

/* How many pages are due after @elapsed_ns; what remains of the work is carried over. */
static u32 pages_due(struct miglab_synthetic *m, u64 elapsed_ns)
{
	u32 due = page_count(m);

	if (!m->rate)
		return 0;
	/* Past this point more work would change nothing, and could overflow. */
	if (elapsed_ns >= ns_until(m, due)) {
		m->work = 0;
		return due;
	}
	m->work += elapsed_ns * m->rate;
	due = (u32)div64_u64(m->work, PAGE_WORK);
	m->work -= due * PAGE_WORK;
	return due;
}

/* Changes 8 bytes of a page: enough for any checksum, and cheap for a large state. */
static void rewrite(struct miglab_synthetic *m, u32 page)
{
	__le64 noise = cpu_to_le64(miglab_prng(&m->prng));
	u64 word = miglab_prng(&m->prng) % (MIGLAB_PAGE / sizeof(noise));
	u8 *bytes = m->content->bytes + (u64)page * MIGLAB_PAGE;

	memcpy(bytes + word * sizeof(noise), &noise, sizeof(noise));
}

void miglab_synthetic_advance(struct miglab_synthetic *m, struct miglab_precopy *track, u64 now_ns)
{
	u32 pages = page_count(m);
	u32 page, due;

	if (!m->running || now_ns <= m->since_ns)
		return;
	due = pages_due(m, now_ns - m->since_ns);
	m->since_ns = now_ns;

	page = (u32)miglab_prng(&m->prng) % pages;
	while (due--) {
		rewrite(m, page);
		if (track)
			miglab_precopy_mark(track, page);
		page = (page + PAGE_STRIDE) % pages;
	}
}

u64 miglab_synthetic_next_ns(const struct miglab_synthetic *m, u64 now_ns)
{
	u64 due_ns;

	if (!m->running || !m->rate)
		return U64_MAX;
	due_ns = m->since_ns + ns_until(m, 1);
	return due_ns > now_ns ? due_ns - now_ns : 0;
}
