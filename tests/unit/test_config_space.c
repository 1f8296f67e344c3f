// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include <errno.h>

#include "core/config_space.h"

static const struct miglab_function_id plain = {
	.vendor = 0x1234,
	.device = 0x11e8,
	.subvendor = 0x1af4,
	.subdevice = 0x1100,
	.class = 0x00ff00,
	.revision = 0x10,
	.intx = true,
	.msi = 4,
	.msix = 5,
	.msix_bar = 2,
	.bar = {
		[0] = { 1u << 20, 0 },
		[2] = { 4096, 0 },
		[4] = { 1ull << 33, MIGLAB_BAR_64BIT | MIGLAB_BAR_PREFETCH },
	},
};

static struct miglab_config_space *plain_space(void)
{
	static struct miglab_config_space c;

	assert_int_equal(miglab_config_space_init(&c, &plain), 0);
	return &c;
}

static u32 read_config(const struct miglab_config_space *c, u32 at, u32 len)
{
	u8 bytes[4] = { 0 };

	miglab_config_space_read(c, at, bytes, len);
	return bytes[0] | (u32)bytes[1] << 8 | (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
}

static u32 write_config(struct miglab_config_space *c, u32 at, u32 len, u32 value)
{
	u8 bytes[4] = { (u8)value, (u8)(value >> 8), (u8)(value >> 16), (u8)(value >> 24) };

	return miglab_config_space_write(c, at, bytes, len);
}

/* Where the capability is, found as software finds it. */
static u32 find(const struct miglab_config_space *c, u32 id)
{
	u32 at = read_config(c, PCI_CAPABILITY_LIST, 1);

	for (u32 turns = 0; at; turns++) {
		assert_true(at >= 0x40 && at < 0x100 && at % 4 == 0 && turns < 48);
		if (read_config(c, at, 1) == id)
			return at;
		at = read_config(c, at + 1, 1);
	}
	return 0;
}

static void test_header(void **unused)
{
	struct miglab_config_space *c = plain_space();

	(void)unused;
	assert_int_equal(read_config(c, PCI_VENDOR_ID, 4), 0x11e81234);
	assert_int_equal(read_config(c, PCI_COMMAND, 2), 0);
	assert_int_equal(read_config(c, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	assert_int_equal(read_config(c, PCI_CLASS_REVISION, 4), 0x00ff0010);
	assert_int_equal(read_config(c, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_NORMAL);
	assert_int_equal(read_config(c, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
	assert_int_equal(read_config(c, PCI_INTERRUPT_PIN, 1), 1);
	assert_int_equal(read_config(c, PCI_ROM_ADDRESS, 4), 0);
	/* No extended capabilities, and nothing that could be written there. */
	write_config(c, 0x100, 4, ~0u);
	write_config(c, 0xffc, 4, ~0u);
	assert_int_equal(read_config(c, 0x100, 4), 0);
	assert_int_equal(read_config(c, 0xffc, 4), 0);
}

/* Ids, class and what else software relies on stay, whatever is written. */
static void test_read_only(void **unused)
{
	struct miglab_config_space *c = plain_space();
	static const u8 rows[] = { 0x00, 0x08, 0x2c, 0x34 };

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 before = read_config(c, rows[i], 4);

		write_config(c, rows[i], 4, ~before);
		assert_int_equal(read_config(c, rows[i], 4), before);
	}
	write_config(c, PCI_COMMAND, 4, ~0u);
	assert_int_equal(read_config(c, PCI_COMMAND, 2), 0x546);
	assert_int_equal(read_config(c, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	write_config(c, PCI_INTERRUPT_LINE, 2, 0x0a0b);
	assert_int_equal(read_config(c, PCI_INTERRUPT_LINE, 2), 0x010b);
}

static void test_sizing(void **unused)
{
	struct miglab_config_space *c = plain_space();
	static const struct {
		u32 bar, after, size;
	} rows[] = {
		{ 0, 0x00000000, 0xfff00000 },
		{ 1, 0x00000000, 0x00000000 },
		{ 2, 0x00000000, 0xfffff000 },
		{ 3, 0x00000000, 0x00000000 },
		{ 4, 0x0000000c, 0x0000000c },
		{ 5, 0x00000000, 0xfffffffe },
	};

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		u32 at = PCI_BASE_ADDRESS_0 + 4 * rows[i].bar;

		assert_int_equal(read_config(c, at, 4), rows[i].after);
		write_config(c, at, 4, ~0u);
		assert_int_equal(read_config(c, at, 4), rows[i].size);
		write_config(c, at, 4, 0);
		assert_int_equal(read_config(c, at, 4), rows[i].after);
	}
	/* Byte by byte it is the same register. */
	for (u32 i = 0; i < 4; i++)
		write_config(c, PCI_BASE_ADDRESS_0 + i, 1, 0xfe);
	assert_int_equal(read_config(c, PCI_BASE_ADDRESS_0, 4), 0xfef00000);
}

static void test_capabilities(void **unused)
{
	struct miglab_config_space *c = plain_space();
	u32 at;

	(void)unused;
	at = find(c, PCI_CAP_ID_MSIX);
	assert_int_equal(read_config(c, at + PCI_MSIX_FLAGS, 2), 4);
	assert_int_equal(read_config(c, at + PCI_MSIX_TABLE, 4), 2);
	assert_int_equal(read_config(c, at + PCI_MSIX_PBA, 4), MIGLAB_MSIX_PBA | 2);
	at = find(c, PCI_CAP_ID_MSI);
	assert_int_equal(read_config(c, at + PCI_MSI_FLAGS, 2), PCI_MSI_FLAGS_64BIT | 2 << 1);
	at = find(c, PCI_CAP_ID_EXP);
	assert_int_equal(read_config(c, at + PCI_EXP_FLAGS, 2), 2);
	assert_true(read_config(c, at + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	at = find(c, PCI_CAP_ID_PM);
	assert_int_equal(read_config(c, at + PCI_PM_CTRL, 2), PCI_PM_CTRL_NO_SOFT_RESET);
	assert_int_equal(find(c, PCI_CAP_ID_VPD), 0);
}

static void test_fewer_capabilities(void **unused)
{
	struct miglab_function_id id = plain;
	struct miglab_config_space c;

	(void)unused;
	id.msi = 0;
	id.msix = 0;
	id.intx = false;
	assert_int_equal(miglab_config_space_init(&c, &id), 0);
	assert_int_equal(find(&c, PCI_CAP_ID_MSI), 0);
	assert_int_equal(find(&c, PCI_CAP_ID_MSIX), 0);
	assert_true(find(&c, PCI_CAP_ID_EXP));
	assert_int_equal(read_config(&c, PCI_INTERRUPT_PIN, 1), 0);
	miglab_config_space_enable_msi(&c, true);
	miglab_config_space_enable_msix(&c, true);
	write_config(&c, PCI_COMMAND, 2, ~0u);
	assert_false(miglab_config_space_msi(&c));
	assert_false(miglab_config_space_msix(&c));
	assert_false(miglab_config_space_intx(&c));
}

static void test_command(void **unused)
{
	struct miglab_config_space *c = plain_space();

	(void)unused;
	assert_false(miglab_config_space_memory(c));
	assert_false(miglab_config_space_master(c));
	assert_true(miglab_config_space_intx(c));
	write_config(c, PCI_COMMAND, 1, PCI_COMMAND_MEMORY);
	assert_true(miglab_config_space_memory(c));
	write_config(c, PCI_COMMAND, 1, PCI_COMMAND_MASTER);
	assert_true(miglab_config_space_master(c));
	assert_false(miglab_config_space_memory(c));
	write_config(c, PCI_COMMAND + 1, 1, PCI_COMMAND_INTX_DISABLE >> 8);
	assert_false(miglab_config_space_intx(c));
	assert_true(miglab_config_space_master(c));
}

/* A message needs both its capability's bit and bus mastering, and stands for INTx. */
static void test_messages(void **unused)
{
	struct miglab_config_space *c = plain_space();
	u32 msi = find(c, PCI_CAP_ID_MSI), msix = find(c, PCI_CAP_ID_MSIX);

	(void)unused;
	write_config(c, msi + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	assert_false(miglab_config_space_msi(c));
	assert_false(miglab_config_space_intx(c));
	write_config(c, PCI_COMMAND, 2, PCI_COMMAND_MASTER);
	assert_true(miglab_config_space_msi(c));
	miglab_config_space_enable_msi(c, false);
	assert_false(miglab_config_space_msi(c));
	assert_true(miglab_config_space_intx(c));

	miglab_config_space_enable_msix(c, true);
	assert_true(miglab_config_space_msix(c));
	assert_false(miglab_config_space_intx(c));
	assert_false(miglab_config_space_msix_masked(c));
	write_config(c, msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_MASKALL);
	assert_true(miglab_config_space_msix_masked(c));
	assert_false(miglab_config_space_msix(c));

	write_config(c, msi + PCI_MSI_ADDRESS_LO, 4, ~0u);
	assert_int_equal(read_config(c, msi + PCI_MSI_ADDRESS_LO, 4), 0xfffffffc);
	write_config(c, msi + PCI_MSI_DATA_64, 4, ~0u);
	assert_int_equal(read_config(c, msi + PCI_MSI_DATA_64, 4), 0xffff);
}

static void test_msi_size(void **unused)
{
	struct miglab_config_space *c = plain_space();
	u32 at = find(c, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS;

	(void)unused;
	write_config(c, at, 2, 2 << 4);
	assert_int_equal(read_config(c, at, 2) >> 4 & 7, 2);
	write_config(c, at, 2, 3 << 4 | PCI_MSI_FLAGS_ENABLE);
	assert_int_equal(read_config(c, at, 2) >> 4 & 7, 2);
	assert_true(read_config(c, at, 2) & PCI_MSI_FLAGS_ENABLE);
}

static void test_power(void **unused)
{
	struct miglab_config_space *c = plain_space();
	u32 at = find(c, PCI_CAP_ID_PM) + PCI_PM_CTRL;

	(void)unused;
	write_config(c, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	write_config(c, at, 2, 1);
	assert_int_equal(read_config(c, at, 1) & 3, 0);
	write_config(c, at, 2, 3);
	assert_int_equal(read_config(c, at, 1) & 3, 3);
	assert_false(miglab_config_space_memory(c));
	assert_false(miglab_config_space_master(c));
	assert_false(miglab_config_space_intx(c));
	write_config(c, at, 2, 2);
	assert_int_equal(read_config(c, at, 1) & 3, 3);
	miglab_config_space_reset(c);
	assert_int_equal(read_config(c, at, 1) & 3, 0);
	assert_true(miglab_config_space_memory(c));
}

static void test_resets(void **unused)
{
	struct miglab_config_space *c = plain_space();
	u32 at = find(c, PCI_CAP_ID_EXP) + PCI_EXP_DEVCTL;

	(void)unused;
	assert_int_equal(write_config(c, at, 2, 0x7fff), 0);
	assert_int_equal(write_config(c, at, 2, 0xffff), MIGLAB_CFG_FLR);
	assert_false(read_config(c, at, 2) & PCI_EXP_DEVCTL_BCR_FLR);
	assert_int_equal(write_config(c, at + 1, 1, 0x80), MIGLAB_CFG_FLR);
	assert_int_equal(write_config(c, at + 1, 1, 0x7f), 0);
	assert_int_equal(write_config(c, at - 1, 4, 0xff00ff00 | 0x800000), MIGLAB_CFG_FLR);

	write_config(c, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	write_config(c, PCI_BASE_ADDRESS_0, 4, 0xabc00000);
	miglab_config_space_set_pending(c, true);
	assert_true(read_config(c, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	miglab_config_space_reset(c);
	assert_false(read_config(c, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	assert_int_equal(read_config(c, PCI_BASE_ADDRESS_0, 4), 0xabc00000);
	assert_true(miglab_config_space_memory(c));
	miglab_config_space_power_on(c);
	assert_int_equal(read_config(c, PCI_BASE_ADDRESS_0, 4), 0);
	assert_false(miglab_config_space_memory(c));
}

static void test_migration(void **unused)
{
	struct miglab_config_space *c = plain_space(), there;
	u8 saved[MIGLAB_CFG_USED], again[MIGLAB_CFG_USED];

	(void)unused;
	write_config(c, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	write_config(c, PCI_BASE_ADDRESS_4, 4, 0xffffffff);
	write_config(c, PCI_BASE_ADDRESS_5, 4, 0x2);
	write_config(c, PCI_INTERRUPT_LINE, 1, 11);
	miglab_config_space_enable_msix(c, true);
	miglab_config_space_set_pending(c, true);
	miglab_config_space_save(c, saved);

	assert_int_equal(miglab_config_space_init(&there, &plain), 0);
	assert_int_equal(miglab_config_space_check(&there, saved), 0);
	assert_false(miglab_config_space_memory(&there));
	assert_int_equal(miglab_config_space_load(&there, saved), 0);
	assert_true(miglab_config_space_msix(&there));
	assert_int_equal(read_config(&there, PCI_BASE_ADDRESS_5, 4), 0x2);
	assert_int_equal(read_config(&there, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	miglab_config_space_save(&there, again);
	assert_memory_equal(saved, again, sizeof(saved));
}

/* A bit that no write can change is that of another function. */
static void test_bad_state(void **unused)
{
	struct miglab_config_space *c = plain_space(), before;
	u8 good[MIGLAB_CFG_USED], bad[MIGLAB_CFG_USED];
	u32 pm = find(c, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	u32 msi = find(c, PCI_CAP_ID_MSI) + PCI_MSI_FLAGS;

	(void)unused;
	miglab_config_space_save(c, good);
	before = *c;
	for (u32 bit = 0; bit < 8 * MIGLAB_CFG_USED; bit++) {
		bool ok = c->writable[bit / 8] & 1 << bit % 8;

		/* D1 and D2, and 16 vectors of 4 */
		if (bit / 8 == pm || (bit / 8 == msi && bit % 8 == 6))
			ok = false;
		memcpy(bad, good, sizeof(bad));
		bad[bit / 8] ^= 1 << bit % 8;
		if (miglab_config_space_check(c, bad) != (ok ? 0 : -EINVAL))
			fail_msg("bit %u of %#x", bit % 8, bit / 8);
		if (!ok) {
			assert_int_equal(miglab_config_space_load(c, bad), -EINVAL);
			assert_memory_equal(c, &before, sizeof(before));
		}
	}
}

static void test_bad_functions(void **unused)
{
	struct miglab_config_space c;
	struct miglab_function_id id;

	(void)unused;
#define REFUSED(field, value) do {						\
		id = plain;							\
		id.field = value;						\
		assert_int_equal(miglab_config_space_init(&c, &id), -EINVAL);	\
	} while (0)
	REFUSED(vendor, 0xffff);
	REFUSED(class, 0x1000000);
	REFUSED(msi, 3);
	REFUSED(msi, 64);
	REFUSED(msix, 65);
	REFUSED(msix_bar, 6);
	REFUSED(msix_bar, 3);
	REFUSED(bar[0].bytes, 8);
	REFUSED(bar[0].bytes, 4097);
	REFUSED(bar[0].bytes, 1ull << 32);
	REFUSED(bar[2].bytes, 2048);
	REFUSED(bar[5].bytes, 4096);
	REFUSED(bar[4].flags, 0);
#undef REFUSED
	id = plain;
	id.bar[5].flags = MIGLAB_BAR_64BIT;
	id.bar[4].bytes = 0;
	id.bar[5].bytes = 4096;
	assert_int_equal(miglab_config_space_init(&c, &id), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_sizing),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_fewer_capabilities),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_msi_size),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_migration),
		cmocka_unit_test(test_bad_state),
		cmocka_unit_test(test_bad_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
