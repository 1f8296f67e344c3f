/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways to compute port.h's crc32c(), which picks the fastest that this
 * processor has.
 */
#ifndef MIGLAB_PORT_CRC32C_H
#define MIGLAB_PORT_CRC32C_H

#include "port.h"

/* crc32c() for any processor, by eight tables. */
u32 crc32c_by_table(u32 crc, const void *data, size_t len);

#endif
