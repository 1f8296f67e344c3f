// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/pci.h"
#include "device/vfio.h"
#include "raw.h"

static struct {
	struct device dev;	/* its lab only */
	struct vfio_files files;
	const char *bdf;
} raw;

struct device *raw_open(unsigned int index)
{
	char group[SYSFS_NAME_SIZE];
	struct error err = { "" };

	raw.bdf = function(index);
	if (lab_open_sysfs(raw.bdf, &raw.dev.lab, &err) < 0 ||
	    pci_iommu_group(raw.bdf, group, &err) < 0 ||
	    vfio_group_open(raw.bdf, group, &raw.files, &err) < 0)
		fail_msg("%s", err.text);
	set_attribute(&raw.dev, "rules", "\n");
	return &raw.dev;
}

void raw_close(void)
{
	if (raw.files.device > 0) {
		close(raw.files.device);
		close(raw.files.group);
		close(raw.files.container);
	}
	if (raw.dev.lab)
		raw.dev.lab->ops->close(raw.dev.lab);
	memset(&raw, 0, sizeof(raw));
}

int close_raw(void **state)
{
	raw_close();
	return close_functions(state);
}

const char *raw_bdf(void)
{
	return raw.bdf;
}

/* VFIO_DEVICE_FEATURE of the device's state. */
static int state_feature(uint32_t direction, struct vfio_device_feature_mig_state *state)
{
	union {
		struct vfio_device_feature head;
		char bytes[sizeof(struct vfio_device_feature) + sizeof(*state)];
	} arg = {
		.head = {
			.argsz = sizeof(arg),
			.flags = direction | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		},
	};
	int ret;

	memcpy(arg.head.data, state, sizeof(*state));
	ret = ioctl(raw.files.device, VFIO_DEVICE_FEATURE, &arg) ? -errno : 0;
	memcpy(state, arg.head.data, sizeof(*state));
	return ret;
}

int raw_set(uint32_t want, int *ret_fd)
{
	struct vfio_device_feature_mig_state state = { .device_state = want, .data_fd = 12345 };
	int ret = state_feature(VFIO_DEVICE_FEATURE_SET, &state);

	/* The core forgets it when the arcs are done and only the descriptor is missing. */
	if (ret == -EMFILE)
		state.data_fd = -1;
	if (ret)
		assert_int_equal(state.data_fd, -1);
	*ret_fd = state.data_fd;
	return ret;
}

int raw_go(uint32_t want)
{
	int fd;

	assert_int_equal(raw_set(want, &fd), 0);
	assert_int_equal(raw_state(), want);
	return fd;
}

uint32_t raw_state(void)
{
	struct vfio_device_feature_mig_state state = { .data_fd = 12345 };

	assert_int_equal(state_feature(VFIO_DEVICE_FEATURE_GET, &state), 0);
	assert_int_equal(state.data_fd, -1);
	return state.device_state;
}

int raw_reset(void)
{
	return ioctl(raw.files.device, VFIO_DEVICE_RESET) ? -errno : 0;
}

int raw_hot_reset(void)
{
	union {
		struct vfio_pci_hot_reset head;
		char bytes[sizeof(struct vfio_pci_hot_reset) + sizeof(int)];
	} arg = { .head = { .argsz = sizeof(arg), .count = 1 } };

	memcpy(arg.head.group_fds, &raw.files.group, sizeof(int));
	return ioctl(raw.files.device, VFIO_DEVICE_PCI_HOT_RESET, &arg) ? -errno : 0;
}

unsigned char *at_the_edge(size_t size)
{
	size_t whole = (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	char *map = mmap(NULL, whole + PAGE_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(munmap(map + whole, PAGE_BYTES), 0);
	return (unsigned char *)map + whole - size;
}

static off_t command_offset(void)
{
	struct vfio_region_info info = {
		.argsz = sizeof(info),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};

	assert_int_equal(ioctl(raw.files.device, VFIO_DEVICE_GET_REGION_INFO, &info), 0);
	return (off_t)info.offset + PCI_COMMAND;
}

uint16_t raw_command(void)
{
	uint16_t command;

	assert_int_equal(pread(raw.files.device, &command, sizeof(command), command_offset()),
			 sizeof(command));
	return command;
}

ssize_t raw_write_command(const void *buf, size_t size)
{
	ssize_t n = pwrite(raw.files.device, buf, size, command_offset());

	return n < 0 ? -errno : n;
}

void raw_set_command(uint16_t command)
{
	assert_int_equal(raw_write_command(&command, sizeof(command)), sizeof(command));
}
