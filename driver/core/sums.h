/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksums of a state's pages, taken while their bytes pass and are in the cache, and that of the
 * whole, which follows from them: so a state that has come by a stream is not read once more.
 *
 * Pure: memory comes from the caller, who serialises.
 */
#ifndef MIGLAB_CORE_SUMS_H
#define MIGLAB_CORE_SUMS_H

#include "port.h"

struct miglab_sums {
	u64 pages;
	u32 *crc;	/* of each page alone: crc32c from 0, no inversion */
	u64 *known;	/* a bit for each page whose crc is that of its bytes */
	u64 at;		/* up to where a page has come whose end has not */
	u32 part;	/* its crc so far */
};

/* Bytes that miglab_sums_init() needs for a state of @state_bytes. */
size_t miglab_sums_bytes_needed(u64 state_bytes);

/* Nothing is known yet. @memory is aligned as u64, and is zeroed. */
void miglab_sums_init(struct miglab_sums *s, u64 state_bytes, void *memory);

/*
 * These are the @len bytes at @offset of the state now. Pages may come in any pieces and more than
 * once; what is known of one is forgotten when it comes anew, and does not come whole and in order.
 */
void miglab_sums_add(struct miglab_sums *s, u64 offset, const u8 *bytes, size_t len);

/*
 * The checksum over all of @state, as miglab_content_fingerprint() has it. Pages that are not known
 * are read. The caller may sleep.
 */
u32 miglab_sums_fingerprint(const struct miglab_sums *s, const u8 *state);

#endif
