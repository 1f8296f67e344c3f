// SPDX-License-Identifier: GPL-2.0-only
#include "judge/hold.h"

#include <stdio.h>

#include "device/uapi.h"
#include "judge/verdict.h"

uint64_t hold_seq(const char *text)
{
	unsigned long long seq;

	return sscanf(text, "PRE_COPY>PRE_COPY_P2P seq=%llu ", &seq) == 1 ? seq : 0;
}

bool hold_announced(const struct lab_arc *arcs, size_t count, uint64_t seq, uint64_t received_ns)
{
	uint64_t since_ns = 0;
	size_t i;

	for (i = 0; i < count && arcs[i].seq < seq; i++) {
		bool entered = arcs[i].to == VFIO_DEVICE_STATE_PRE_COPY && !arcs[i].result;

		if (entered || verdict_is_tested(&arcs[i]))
			since_ns = arcs[i].end_ns;
	}
	return received_ns > since_ns;
}
