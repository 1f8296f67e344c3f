// SPDX-License-Identifier: GPL-2.0-only
#include "history.h"

static u32 slot(u64 seq)
{
	return (u32)(seq % MIGLAB_HISTORY_ARCS);
}

void miglab_history_init(struct miglab_history *h)
{
	memset(h, 0, sizeof(*h));
	h->next_seq = 1;
}

struct miglab_arc *miglab_history_begin(struct miglab_history *h, u32 from, u32 to, u32 requested,
					s32 pid, u64 now_ns)
{
	struct miglab_arc *arc = &h->arc[slot(h->next_seq)];

	*arc = (struct miglab_arc){
		.seq = h->next_seq++,
		.from = from,
		.to = to,
		.requested = requested,
		.begin_ns = now_ns,
		.result = MIGLAB_IN_PROGRESS,
		.pid = pid,
	};
	return arc;
}

const struct miglab_arc *miglab_history_from(const struct miglab_history *h, u64 seq)
{
	u64 oldest = h->next_seq > MIGLAB_HISTORY_ARCS ? h->next_seq - MIGLAB_HISTORY_ARCS : 1;

	if (seq < oldest)
		seq = oldest;
	return seq < h->next_seq ? &h->arc[slot(seq)] : NULL;
}
