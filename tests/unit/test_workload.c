// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workloads on an edu that is made up: what a good one does passes, and each thing
 * that can go wrong with it is found.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "device/uapi.h"
#include "workload/workload.h"

#define BAR_BYTES	(64u << 10)
#define REGION(index)	((off_t)(index) << 40)
#define PATIENCE_NS	(200 * NSEC_PER_SEC)

enum {
	LIVE = 0x04, FACTORIAL = 0x08, IRQ_STATUS = 0x24, IRQ_ACK = 0x64, DMA_FROM = 0x80,
	DMA_TO = 0x88, DMA_COUNT = 0x90, DMA_COMMAND = 0x98
};

/* What it does wrong, once, in the operation whose number is @at. */
enum defect {
	NONE, LOST_DMA, LOST_INTERRUPT, ONE_MORE_INTERRUPT, STRAY_STATUS, TWICE_OUT, TWICE_IN,
	WRONG_BYTE, TOO_LONG, WRONG_FACTORIAL,
};

/* Both an edu and, with @bar, memory behind a BAR; both find the memory at address 0. */
struct fake {
	struct device device;
	bool is_edu;
	struct memory *memory;
	uint8_t *bar;		/* mapped at @bar_iova */
	uint64_t bar_iova;
	int bar_fd, irq;
	uint32_t registers[0x100 / 4];
	uint8_t buffer[4096];
	enum defect defect;
	uint32_t at;
};

static struct fake *to_fake(struct device *dev)
{
	return (struct fake *)dev;
}

static bool errs(struct fake *f, enum defect defect)
{
	if (f->defect != defect || f->registers[LIVE / 4] != ~f->at)
		return false;
	f->defect = NONE;
	return true;
}

static void interrupt(struct fake *f, uint32_t bit)
{
	uint64_t count = 1;

	f->registers[IRQ_STATUS / 4] |= bit;
	if (errs(f, STRAY_STATUS))
		f->registers[IRQ_STATUS / 4] |= 0x40;
	if (errs(f, LOST_INTERRUPT))
		return;
	if (errs(f, ONE_MORE_INTERRUPT))
		count = 2;
	assert_int_equal(write(f->irq, &count, sizeof(count)), sizeof(count));
}

static uint8_t *at_iova(struct fake *f, uint64_t iova)
{
	return f->bar && iova >= f->bar_iova ? f->bar + (iova - f->bar_iova) :
					       f->memory->bytes + iova;
}

static void transfer(struct fake *f, uint32_t command)
{
	uint32_t from = f->registers[DMA_FROM / 4], to = f->registers[DMA_TO / 4];
	uint32_t count = f->registers[DMA_COUNT / 4];

	if (errs(f, LOST_DMA))
		return;
	if (!(command & 2)) {
		memcpy(f->buffer, at_iova(f, from), count);
	} else {
		f->buffer[17] ^= errs(f, WRONG_BYTE);
		memcpy(at_iova(f, to), f->buffer, count + errs(f, TOO_LONG));
	}
	if (command & 4)
		interrupt(f, 0x100);
}

static void compute(struct fake *f, uint32_t n)
{
	f->registers[FACTORIAL / 4] = 1;
	for (; n > 1; n--)
		f->registers[FACTORIAL / 4] *= n;
	f->registers[FACTORIAL / 4] += errs(f, WRONG_FACTORIAL);
	interrupt(f, 1);
}

/* The last transfer again, as a driver would that restores a command that was done. */
static void repeat(struct fake *f)
{
	uint32_t command = f->registers[DMA_COMMAND / 4];

	if (command & 2 ? errs(f, TWICE_OUT) : errs(f, TWICE_IN))
		transfer(f, command & ~4u);
}

static ssize_t fake_pwrite(struct device *dev, int fd, const void *buf, size_t size, off_t offset)
{
	struct fake *f = to_fake(dev);
	uint32_t at = offset, value;

	(void)fd;
	if (offset >= REGION(VFIO_PCI_CONFIG_REGION_INDEX))
		return size;
	assert_int_equal(size, 4);
	memcpy(&value, buf, 4);
	if (at == DMA_FROM)
		repeat(f);
	f->registers[at / 4] = at == LIVE ? ~value : value;
	if (at == FACTORIAL)
		compute(f, value);
	else if (at == IRQ_ACK)
		f->registers[IRQ_STATUS / 4] &= ~value;
	else if (at == DMA_COMMAND)
		transfer(f, value);
	return size;
}

static ssize_t fake_pread(struct device *dev, int fd, void *buf, size_t size, off_t offset)
{
	struct fake *f = to_fake(dev);
	uint32_t id = f->is_edu ? 0x11e81234 : 0x00051b36;

	(void)fd;
	memset(buf, 0, size);
	if (offset == REGION(VFIO_PCI_CONFIG_REGION_INDEX) + PCI_VENDOR_ID)
		memcpy(buf, &id, size);
	else if (offset < REGION(VFIO_PCI_CONFIG_REGION_INDEX))
		memcpy(buf, &f->registers[offset / 4], size);
	return size;
}

static int fake_ioctl(struct device *dev, int fd, unsigned long request, void *arg)
{
	struct vfio_region_info *info = arg;
	struct vfio_irq_set *set = arg;
	struct fake *f = to_fake(dev);

	(void)fd;
	if (request == VFIO_DEVICE_SET_IRQS) {
		memcpy(&f->irq, set->data, sizeof(f->irq));
		return 0;
	}
	assert_int_equal(request, VFIO_DEVICE_GET_REGION_INFO);
	info->offset = REGION(info->index);
	info->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
	if (info->index == VFIO_PCI_BAR0_REGION_INDEX && !f->is_edu) {
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
		info->size = BAR_BYTES;
		info->offset = 0;
	}
	return 0;
}

static int fake_fileno(struct device *dev, int fd)
{
	(void)fd;
	return to_fake(dev)->bar_fd;
}

static int fake_map(struct device *dev, uint64_t iova, void *host, uint64_t length,
		    struct error *err)
{
	struct fake *f = to_fake(dev);

	(void)err;
	assert_int_equal(length, BAR_BYTES);
	f->bar = host;
	f->bar_iova = iova;
	return 0;
}

static const struct device_ops fake_ops = { .map = fake_map };
static const struct device_calls fake_calls = {
	.ioctl = fake_ioctl, .pread = fake_pread, .pwrite = fake_pwrite, .fileno = fake_fileno,
};

/* A machine: memory, an edu and a device with memory of its own. */
struct guest_bench {
	struct memory *memory;
	struct fake edu, bar;
	struct device *devices[2];
	struct workload *workload;
};

static void open_bench(struct guest_bench *b, const char *kind)
{
	struct error err = { "" };

	memset(b, 0, sizeof(*b));
	assert_int_equal(memory_new(WORKLOAD_MEMORY_MIN, &b->memory, &err), 0);
	b->edu = (struct fake){ .is_edu = true, .memory = b->memory, .bar_fd = -1 };
	b->bar.bar_fd = memfd_create("bar", MFD_CLOEXEC);
	assert_int_equal(ftruncate(b->bar.bar_fd, BAR_BYTES), 0);
	b->edu.device = (struct device){ .ops = &fake_ops, .calls = &fake_calls, .name = "edu" };
	b->bar.device = (struct device){ .ops = &fake_ops, .calls = &fake_calls, .name = "bar" };
	b->devices[0] = &b->bar.device;
	b->devices[1] = &b->edu.device;
	if (workload_new(kind, b->memory, b->devices, 2, &b->workload, &err))
		fail_msg("%s", err.text);
}

static void close_bench(struct guest_bench *b)
{
	workload_free(b->workload);
	close(b->bar.bar_fd);
	memory_free(b->memory);
}

/* Until it has done so many more since it was set going, or found something. */
static struct workload_report await_operations(struct workload *w, uint64_t count)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	struct workload_report r;

	do {
		workload_report(w, &r);
		assert_true(clock_ns() < until_ns);
	} while (r.here < count && !*r.error.text);
	return r;
}

static void test_good_device(void **state)
{
	static const char *const kinds[] = { "edu-dma", "edu-p2p", "bar-write" };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct workload_report r;
		struct guest_bench b;

		open_bench(&b, kinds[i]);
		assert_int_equal(workload_run(b.workload), 0);
		r = await_operations(b.workload, 40);
		assert_string_equal(r.error.text, "");
		assert_string_equal(r.kind, kinds[i]);
		assert_true(r.running);
		workload_pause(b.workload);
		workload_report(b.workload, &r);
		assert_false(r.running);
		assert_true(i == 2 || r.interrupts >= 3 * r.operations);
		close_bench(&b);
	}
}

/* It stands where it stood, in another machine too, whose devices have the same state. */
static void test_goes_on_elsewhere(void **state)
{
	static const char *const kinds[] = { "edu-dma", "edu-p2p", "bar-write" };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct workload_report before, after;
		uint8_t bar[BAR_BYTES];
		struct guest_bench a, b;

		open_bench(&a, kinds[i]);
		open_bench(&b, kinds[i]);
		assert_int_equal(workload_run(a.workload), 0);
		await_operations(a.workload, 40);
		workload_pause(a.workload);
		workload_settle(a.workload);
		workload_report(a.workload, &before);

		memory_write(b.memory, 0, a.memory->bytes, a.memory->size);
		memcpy(b.edu.registers, a.edu.registers, sizeof(a.edu.registers));
		memcpy(b.edu.buffer, a.edu.buffer, sizeof(a.edu.buffer));
		assert_int_equal(pread(a.bar.bar_fd, bar, BAR_BYTES, 0), BAR_BYTES);
		assert_int_equal(pwrite(b.bar.bar_fd, bar, BAR_BYTES, 0), BAR_BYTES);
		assert_int_equal(workload_run(b.workload), 0);
		after = await_operations(b.workload, before.round + 1);
		assert_string_equal(after.error.text, "");
		assert_int_equal(after.operations - after.here, before.operations);
		close_bench(&a);
		close_bench(&b);
	}
}

/* One that was not acknowledged in time may come again on the other side, and only there. */
static void test_interrupt_again(void **state)
{
	const uint64_t one = 1;
	struct workload_report r;
	struct guest_bench b;

	(void)state;
	for (unsigned int again = 1; again <= 2; again++) {
		open_bench(&b, "edu-dma");
		b.edu.defect = LOST_DMA;
		b.edu.at = 7;
		assert_int_equal(workload_run(b.workload), 0);
		do {
			workload_report(b.workload, &r);
		} while (r.operations < 7 || b.edu.defect != NONE);
		workload_pause(b.workload);
		/* It is done after all while the guest stands. */
		transfer(&b.edu, b.edu.registers[DMA_COMMAND / 4]);
		workload_settle(b.workload);
		for (unsigned int i = 0; i < again; i++)
			assert_int_equal(write(b.edu.irq, &one, sizeof(one)), sizeof(one));
		assert_int_equal(workload_run(b.workload), 0);
		r = await_operations(b.workload, 5);
		assert_true(again == 1 ? !*r.error.text :
			    strstr(r.error.text, "interrupts came where") != NULL);
		close_bench(&b);
	}
}

/* Memory of a device that did not come along is found, though the processor alone writes it. */
static void test_bar_left_behind(void **state)
{
	uint8_t bar[BAR_BYTES] = { 0 };
	struct workload_report r;
	struct guest_bench b;

	(void)state;
	open_bench(&b, "bar-write");
	assert_int_equal(workload_run(b.workload), 0);
	await_operations(b.workload, 40);
	workload_pause(b.workload);
	workload_settle(b.workload);
	assert_int_equal(pwrite(b.bar.bar_fd, bar, BAR_BYTES, 0), BAR_BYTES);
	assert_int_equal(workload_run(b.workload), 0);
	r = await_operations(b.workload, UINT64_MAX);
	assert_non_null(strstr(r.error.text, "of its slot is not what operation"));
	close_bench(&b);
}

static void test_defects(void **state)
{
	static const struct {
		const char *kind;
		enum defect defect;
		const char *sentence;
	} rows[] = {
		{ "edu-dma", ONE_MORE_INTERRUPT, "23 interrupts came where 22" },
		{ "edu-dma", STRAY_STATUS, "the interrupt status is 0x4" },
		{ "edu-dma", TWICE_OUT, "of the target is not what operation 6 left" },
		{ "edu-p2p", TWICE_OUT, "of the target is not what operation 6 left" },
		{ "edu-dma", TWICE_IN, "byte 0 of the target is not what operation 7 left" },
		{ "edu-dma", WRONG_BYTE, "byte 17 of the target is not what operation" },
		{ "edu-p2p", WRONG_BYTE, "byte 17 of the target is not what operation" },
		{ "edu-dma", TOO_LONG, "the device wrote behind the" },
		{ "edu-dma", WRONG_FACTORIAL, "register 0x8 is" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct workload_report r;
		struct guest_bench b;

		open_bench(&b, rows[i].kind);
		b.edu.defect = rows[i].defect;
		b.edu.at = 7;
		assert_int_equal(workload_run(b.workload), 0);
		r = await_operations(b.workload, 40);
		if (!strstr(r.error.text, rows[i].sentence))
			fail_msg("%zu: \"%s\" is not in \"%s\"", i, rows[i].sentence, r.error.text);
		close_bench(&b);
	}
}

/* What never comes is waited for: nothing is taken for finished that is not. */
static void test_lost(void **state)
{
	static const enum defect defects[] = { LOST_DMA, LOST_INTERRUPT };

	(void)state;
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
		struct workload_report r;
		struct guest_bench b;

		open_bench(&b, "edu-dma");
		b.edu.defect = defects[i];
		b.edu.at = 7;
		assert_int_equal(workload_run(b.workload), 0);
		do {
			workload_report(b.workload, &r);
		} while (r.operations < 7 || b.edu.defect != NONE);
		/* More than it needs for one that is not lost. */
		usleep(200000);
		workload_report(b.workload, &r);
		assert_int_equal(r.operations, 7);
		close_bench(&b);
	}
}

static void test_bad_machines(void **state)
{
	static const struct {
		const char *kind;
		unsigned int first, count;
		const char *why;
	} rows[] = {
		{ "edu", 0, 2, "edu is no workload; there are edu-dma, edu-p2p and bar-write" },
		{ "edu-dma", 0, 1, "needs an edu, a function 1234:11e8" },
		{ "edu-p2p", 1, 1, "needs a device with a memory BAR" },
		{ "bar-write", 1, 1, "needs a device with a memory BAR" },
	};
	struct workload *w = NULL;
	struct guest_bench b;
	struct memory *small, *large;
	struct error err;

	(void)state;
	open_bench(&b, "edu-dma");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(workload_new(rows[i].kind, b.memory, b.devices + rows[i].first,
					      rows[i].count, &w, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i].why));
	}
	assert_int_equal(memory_new(MEMORY_PAGE, &small, &err), 0);
	assert_int_equal(workload_new("edu-dma", small, b.devices, 2, &w, &err), -EINVAL);
	assert_non_null(strstr(err.text, "give --ram of at least 64K"));
	assert_int_equal(workload_new("edu-dma", NULL, b.devices, 2, &w, &err), -EINVAL);
	/* No room for the BAR behind it, of what edu reaches. */
	assert_int_equal(memory_new(256u << 20, &large, &err), 0);
	assert_int_equal(workload_new("edu-p2p", large, b.devices, 2, &w, &err), -EINVAL);
	assert_non_null(strstr(err.text, "edu reaches 256 MiB"));
	assert_null(w);
	memory_free(large);
	memory_free(small);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_device),
		cmocka_unit_test(test_goes_on_elsewhere),
		cmocka_unit_test(test_interrupt_again),
		cmocka_unit_test(test_bar_left_behind),
		cmocka_unit_test(test_defects),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_bad_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
