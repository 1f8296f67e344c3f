/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What driver/core may use, for userspace. Its twin for the kernel is
 * driver/port/port.h; -I picks one of them.
 */
#ifndef MIGLAB_PORT_H
#define MIGLAB_PORT_H

#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define U64_MAX UINT64_MAX
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define static_assert _Static_assert

/* Nothing but a declaration once more: there are no modules. */
#define DECLARE_AGAIN(symbol) extern __typeof__(symbol) symbol
#define EXPORT_SYMBOL_GPL DECLARE_AGAIN

#define cpu_to_le16(x) ((__le16)htole16(x))
#define cpu_to_le32(x) ((__le32)htole32(x))
#define cpu_to_le64(x) ((__le64)htole64(x))
#define le16_to_cpu(x) le16toh(x)
#define le32_to_cpu(x) le32toh(x)
#define le64_to_cpu(x) le64toh(x)

static inline u64 div64_u64(u64 dividend, u64 divisor)
{
	return dividend / divisor;
}

/* Long work on the way gives others the processor: userspace has no need to. */
static inline void cond_resched(void)
{
}

/*
 * The CRC of Castagnoli over @len bytes, continued from @crc; no inversion at
 * either end, as the kernel's crc32c().
 */
u32 crc32c(u32 crc, const void *data, size_t len);

#endif
