// SPDX-License-Identifier: GPL-2.0-only
#include "config_space.h"

/* Where the capabilities are. */
#define PM_AT		0x40u
#define MSI_AT		0x50u
#define MSIX_AT		0x60u
#define EXP_AT		0x70u
#define EXP_BYTES	0x3cu	/* of version 2 */

#define NO_DEVICE	0xffffu	/* no vendor has this id */

static u16 get16(const u8 *bytes, u32 at)
{
	return (u16)(bytes[at] | bytes[at + 1] << 8);
}

static void put16(u8 *bytes, u32 at, u16 value)
{
	bytes[at] = (u8)value;
	bytes[at + 1] = (u8)(value >> 8);
}

static void put32(u8 *bytes, u32 at, u32 value)
{
	put16(bytes, at, (u16)value);
	put16(bytes, at + 2, (u16)(value >> 16));
}

static void set16(u8 *bytes, u32 at, u16 bits, bool on)
{
	u16 value = get16(bytes, at);

	put16(bytes, at, on ? value | bits : value & (u16)~bits);
}

/* --- what there is ------------------------------------------------------------------- */

static bool is_one_bit(u64 value)
{
	return value && !(value & (value - 1));
}

static bool bar_ok(const struct miglab_function_id *id, u32 bar)
{
	bool wide = id->bar[bar].flags & MIGLAB_BAR_64BIT;
	u64 bytes = id->bar[bar].bytes;

	if (!bytes)
		return true;
	if (!is_one_bit(bytes) || bytes < 16)
		return false;
	if (wide)
		return bar + 1 < MIGLAB_BARS && !id->bar[bar + 1].bytes;
	return bytes <= 1ull << 31;
}

static bool id_ok(const struct miglab_function_id *id)
{
	u32 bar;

	if (id->vendor == NO_DEVICE || id->class >> 24)
		return false;
	if (id->msi && (!is_one_bit(id->msi) || id->msi > MIGLAB_MSI_MAX))
		return false;
	if (id->msix > MIGLAB_MSIX_MAX)
		return false;
	if (id->msix && (id->msix_bar >= MIGLAB_BARS ||
			 id->bar[id->msix_bar].bytes < 2 * MIGLAB_MSIX_PBA))
		return false;
	for (bar = 0; bar < MIGLAB_BARS; bar++)
		if (!bar_ok(id, bar))
			return false;
	return true;
}

static void add_header(struct miglab_config_space *c, const struct miglab_function_id *id)
{
	put16(c->initial, PCI_VENDOR_ID, id->vendor);
	put16(c->initial, PCI_DEVICE_ID, id->device);
	put16(c->writable, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
	      PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	put16(c->initial, PCI_STATUS, PCI_STATUS_CAP_LIST);
	put32(c->initial, PCI_CLASS_REVISION, id->class << 8 | id->revision);
	c->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	put16(c->initial, PCI_SUBSYSTEM_VENDOR_ID, id->subvendor);
	put16(c->initial, PCI_SUBSYSTEM_ID, id->subdevice);
	c->writable[PCI_INTERRUPT_LINE] = 0xff;
	c->initial[PCI_INTERRUPT_PIN] = id->intx;	/* 1 is INTA# */
}

/* The address bits below its size are 0 whatever is written: so software learns the size. */
static void add_bar(struct miglab_config_space *c, const struct miglab_function_id *id, u32 bar)
{
	u32 at = PCI_BASE_ADDRESS_0 + 4 * bar, flags = PCI_BASE_ADDRESS_SPACE_MEMORY;
	u64 address = ~(id->bar[bar].bytes - 1);

	if (id->bar[bar].flags & MIGLAB_BAR_PREFETCH)
		flags |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	if (id->bar[bar].flags & MIGLAB_BAR_64BIT) {
		flags |= PCI_BASE_ADDRESS_MEM_TYPE_64;
		put32(c->writable, at + 4, (u32)(address >> 32));
	}
	put32(c->writable, at, (u32)address);
	put32(c->initial, at, flags);
}

/* A capability at @at, in front of the list. */
static void add_capability(struct miglab_config_space *c, u8 id, u32 at)
{
	c->initial[at + PCI_CAP_LIST_ID] = id;
	c->initial[at + PCI_CAP_LIST_NEXT] = c->initial[PCI_CAPABILITY_LIST];
	c->initial[PCI_CAPABILITY_LIST] = (u8)at;
}

/* D0 and D3hot, and back without the loss of anything. */
static void add_pm(struct miglab_config_space *c)
{
	add_capability(c, PCI_CAP_ID_PM, PM_AT);
	put16(c->initial, PM_AT + PCI_PM_PMC, 3);	/* version 1.2 of its specification */
	put16(c->initial, PM_AT + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	put16(c->writable, PM_AT + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
}

static u16 log_2(u32 value)
{
	u16 log = 0;

	while (value >>= 1)
		log++;
	return log;
}

static void add_msi(struct miglab_config_space *c, u32 vectors)
{
	u16 size = (u16)(log_2(vectors) << 1);

	add_capability(c, PCI_CAP_ID_MSI, MSI_AT);
	put16(c->initial, MSI_AT + PCI_MSI_FLAGS, PCI_MSI_FLAGS_64BIT | size);
	put16(c->writable, MSI_AT + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	put32(c->writable, MSI_AT + PCI_MSI_ADDRESS_LO, 0xfffffffc);
	put32(c->writable, MSI_AT + PCI_MSI_ADDRESS_HI, 0xffffffff);
	put16(c->writable, MSI_AT + PCI_MSI_DATA_64, 0xffff);
}

static void add_msix(struct miglab_config_space *c, u32 vectors, u32 bar)
{
	add_capability(c, PCI_CAP_ID_MSIX, MSIX_AT);
	put16(c->initial, MSIX_AT + PCI_MSIX_FLAGS, (u16)(vectors - 1));
	put16(c->writable, MSIX_AT + PCI_MSIX_FLAGS,
	      PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	put32(c->initial, MSIX_AT + PCI_MSIX_TABLE, bar);
	put32(c->initial, MSIX_AT + PCI_MSIX_PBA, MIGLAB_MSIX_PBA | bar);
}

/* An endpoint behind the slowest link there is, that can reset itself. */
static void add_express(struct miglab_config_space *c)
{
	add_capability(c, PCI_CAP_ID_EXP, EXP_AT);
	put16(c->initial, EXP_AT + PCI_EXP_FLAGS, PCI_EXP_TYPE_ENDPOINT << 4 | 2);
	put32(c->initial, EXP_AT + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	put16(c->writable, EXP_AT + PCI_EXP_DEVCTL,
	      PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
	      PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
	      PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ);
	put32(c->initial, EXP_AT + PCI_EXP_LNKCAP, PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4);
	put16(c->writable, EXP_AT + PCI_EXP_LNKCTL,
	      PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_RCB | PCI_EXP_LNKCTL_CCC | PCI_EXP_LNKCTL_ES);
	put16(c->initial, EXP_AT + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_CLS_2_5GB | 1 << 4);
	put32(c->initial, EXP_AT + PCI_EXP_LNKCAP2, PCI_EXP_LNKCAP2_SLS_2_5GB);
}

static_assert(EXP_AT + EXP_BYTES <= MIGLAB_CFG_USED, "the capabilities fit");

int miglab_config_space_init(struct miglab_config_space *c, const struct miglab_function_id *id)
{
	u32 bar;

	if (!id_ok(id))
		return -EINVAL;
	memset(c, 0, sizeof(*c));
	add_header(c, id);
	for (bar = 0; bar < MIGLAB_BARS; bar++)
		if (id->bar[bar].bytes)
			add_bar(c, id, bar);
	add_express(c);
	if (id->msix)
		add_msix(c, id->msix, id->msix_bar);
	if (id->msi)
		add_msi(c, id->msi);
	add_pm(c);
	miglab_config_space_power_on(c);
	return 0;
}

void miglab_config_space_power_on(struct miglab_config_space *c)
{
	memcpy(c->now, c->initial, sizeof(c->now));
}

void miglab_config_space_reset(struct miglab_config_space *c)
{
	set16(c->now, PM_AT + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK, false);
	miglab_config_space_set_pending(c, false);
}

/* --- access -------------------------------------------------------------------------- */

void miglab_config_space_read(const struct miglab_config_space *c, u32 offset, u8 *buf, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		buf[i] = offset + i < MIGLAB_CFG_USED ? c->now[offset + i] : 0;
}

static u16 power_state(const u8 *bytes)
{
	return get16(bytes, PM_AT + PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK;
}

static bool power_state_ok(const u8 *bytes)
{
	return power_state(bytes) == 0 || power_state(bytes) == 3;
}

static bool has_capability(const struct miglab_config_space *c, u32 capability_at)
{
	return c->initial[capability_at];
}

/* More vectors of MSI than there are? */
static bool msi_size_ok(const u8 *bytes)
{
	u16 flags = get16(bytes, MSI_AT + PCI_MSI_FLAGS);

	return (flags & PCI_MSI_FLAGS_QSIZE) >> 4 <= (flags & PCI_MSI_FLAGS_QMASK) >> 1;
}

/* Values that no register takes are as if they had not been written. */
static void drop_refused(struct miglab_config_space *c, u16 old_power, u16 old_msi)
{
	if (!power_state_ok(c->now)) {
		set16(c->now, PM_AT + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK, false);
		set16(c->now, PM_AT + PCI_PM_CTRL, old_power, true);
	}
	if (!msi_size_ok(c->now)) {
		set16(c->now, MSI_AT + PCI_MSI_FLAGS, PCI_MSI_FLAGS_QSIZE, false);
		set16(c->now, MSI_AT + PCI_MSI_FLAGS, old_msi & PCI_MSI_FLAGS_QSIZE, true);
	}
}

u32 miglab_config_space_write(struct miglab_config_space *c, u32 offset, const u8 *buf, u32 len)
{
	u16 old_msi = get16(c->now, MSI_AT + PCI_MSI_FLAGS), old_power = power_state(c->now);
	const u32 flr_at = EXP_AT + PCI_EXP_DEVCTL + 1;
	u32 i, at, todo = 0;
	u8 mask;

	for (i = 0; i < len && offset + i < MIGLAB_CFG_USED; i++) {
		at = offset + i;
		mask = c->writable[at];
		c->now[at] = (u8)((c->now[at] & ~mask) | (buf[i] & mask));
		/* Reads as 0, so nothing is kept of it. */
		if (at == flr_at && (buf[i] << 8) & PCI_EXP_DEVCTL_BCR_FLR)
			todo |= MIGLAB_CFG_FLR;
	}
	drop_refused(c, old_power, old_msi);
	return todo;
}

/* --- what it means -------------------------------------------------------------------- */

static bool command_lets(const struct miglab_config_space *c, u16 bit)
{
	return power_state(c->now) == 0 && get16(c->now, PCI_COMMAND) & bit;
}

bool miglab_config_space_memory(const struct miglab_config_space *c)
{
	return command_lets(c, PCI_COMMAND_MEMORY);
}

bool miglab_config_space_master(const struct miglab_config_space *c)
{
	return command_lets(c, PCI_COMMAND_MASTER);
}

static bool msi_enabled(const struct miglab_config_space *c)
{
	return get16(c->now, MSI_AT + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE;
}

static bool msix_enabled(const struct miglab_config_space *c)
{
	return get16(c->now, MSIX_AT + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE;
}

bool miglab_config_space_intx(const struct miglab_config_space *c)
{
	return c->now[PCI_INTERRUPT_PIN] && power_state(c->now) == 0 &&
	       !(get16(c->now, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) &&
	       !msi_enabled(c) && !msix_enabled(c);
}

/* A message is a write to memory. */
bool miglab_config_space_msi(const struct miglab_config_space *c)
{
	return msi_enabled(c) && miglab_config_space_master(c);
}

bool miglab_config_space_msix(const struct miglab_config_space *c)
{
	return msix_enabled(c) && miglab_config_space_master(c);
}

bool miglab_config_space_msix_masked(const struct miglab_config_space *c)
{
	return get16(c->now, MSIX_AT + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_MASKALL;
}

void miglab_config_space_enable_msi(struct miglab_config_space *c, bool on)
{
	if (has_capability(c, MSI_AT))
		set16(c->now, MSI_AT + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, on);
}

void miglab_config_space_enable_msix(struct miglab_config_space *c, bool on)
{
	if (has_capability(c, MSIX_AT))
		set16(c->now, MSIX_AT + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, on);
}

void miglab_config_space_set_pending(struct miglab_config_space *c, bool on)
{
	set16(c->now, PCI_STATUS, PCI_STATUS_INTERRUPT, on);
}

/* --- migration ------------------------------------------------------------------------- */

void miglab_config_space_save(const struct miglab_config_space *c, u8 *buf)
{
	memcpy(buf, c->now, MIGLAB_CFG_USED);
	set16(buf, PCI_STATUS, PCI_STATUS_INTERRUPT, false);
}

int miglab_config_space_check(const struct miglab_config_space *c, const u8 *buf)
{
	u32 i;

	for (i = 0; i < MIGLAB_CFG_USED; i++)
		if ((buf[i] ^ c->initial[i]) & ~c->writable[i])
			return -EINVAL;
	return power_state_ok(buf) && msi_size_ok(buf) ? 0 : -EINVAL;
}

int miglab_config_space_load(struct miglab_config_space *c, const u8 *buf)
{
	int ret = miglab_config_space_check(c, buf);

	if (!ret)
		memcpy(c->now, buf, MIGLAB_CFG_USED);
	return ret;
}
