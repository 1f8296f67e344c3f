// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_DEVICE_FEATURE itself, before the driver sees anything.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "conform/case.h"

#define HEAD		sizeof(struct vfio_device_feature)
#define GET		VFIO_DEVICE_FEATURE_GET
#define SET		VFIO_DEVICE_FEATURE_SET
#define PROBE		VFIO_DEVICE_FEATURE_PROBE
#define STATE		VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE

static void argsz_is_checked(struct conform *c)
{
	char none[8] = "";

	require_result(c, dut_feature_raw(c, HEAD - 1, GET | STATE, none, sizeof(none)), -EINVAL,
		       "argsz 7");
	require_result(c, dut_ioctl(c, DEVICE_SELF, VFIO_DEVICE_FEATURE, (void *)8), -EFAULT,
		       "an argument at address 8");
}

static void unknown_flags(struct conform *c)
{
	char payload[8] = "";

	for (uint32_t bit = 1u << 19; bit; bit <<= 1)
		require_result(c, dut_feature(c, GET | STATE | bit, payload, sizeof(payload)),
			       -EINVAL, "GET with flag 0x%x", bit);
}

static void get_and_set(struct conform *c)
{
	char payload[8] = "";

	require_result(c, dut_feature(c, GET | SET | STATE, payload, sizeof(payload)), -EINVAL,
		       "GET|SET without PROBE");
}

static void no_way(struct conform *c)
{
	char payload[8] = "";

	require_result(c, dut_feature(c, STATE, payload, sizeof(payload)), -EINVAL,
		       "neither GET nor SET nor PROBE");
}

static void probe(struct conform *c)
{
	char none = 0;

	require_result(c, dut_feature(c, PROBE | GET | SET | STATE, &none, 0), 0,
		       "PROBE of GET|SET MIG_DEVICE_STATE without a payload");
	require_result(c, dut_feature(c, PROBE | GET | VFIO_DEVICE_FEATURE_MIGRATION, &none, 0), 0,
		       "PROBE of GET MIGRATION");
	require_result(c, dut_feature(c, PROBE | SET | VFIO_DEVICE_FEATURE_MIGRATION, &none, 0),
		       -EINVAL, "PROBE of SET MIGRATION");
}

static void payload_size(struct conform *c)
{
	char payload[72] = "";

	require_result(c, dut_feature_raw(c, HEAD + 4, GET | STATE, payload, 8), -EINVAL,
		       "GET with half a payload");
	require_result(c, dut_feature_raw(c, HEAD + 4, SET | STATE, payload, 8), -EINVAL,
		       "SET with half a payload");
	require_result(c, dut_feature_raw(c, HEAD + 72, GET | STATE, payload, 72), 0,
		       "GET with more room than needed");
}

static void absent_features(struct conform *c)
{
	char none = 0;
	int start = dut_feature(c, PROBE | SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &none, 0);

	if (!start)
		conform_skip(c, "the device offers all that the core knows");
	require_result(c, start, -ENOTTY, "PROBE of DMA_LOGGING_START");
	require_result(c, dut_feature(c, PROBE | SET | VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
				      &none, 0), -ENOTTY, "PROBE of DMA_LOGGING_STOP");
	require_result(c, dut_feature(c, PROBE | GET | VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
				      &none, 0), -ENOTTY, "PROBE of DMA_LOGGING_REPORT");
}

static void info_v2(struct conform *c)
{
	const uint32_t v2 = VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2;
	char none = 0;
	int probed = dut_feature(c, PROBE | SET | v2, &none, 0);

	if (probed == -ENOTTY)
		conform_skip(c, "the kernel has no MIG_PRECOPY_INFOv2 (Linux 7.1)");
	require_result(c, probed, c->flags & VFIO_MIGRATION_PRE_COPY ? 0 : -EINVAL,
		       "PROBE of SET MIG_PRECOPY_INFOv2");
	require_result(c, dut_feature(c, SET | v2, &none, 0), probed, "SET MIG_PRECOPY_INFOv2");
}

/* A descriptor of the device's own file can be opened anew, unbound; one of a group cannot. */
static void before_bind(struct conform *c)
{
	struct vfio_device_feature arg = { .argsz = HEAD, .flags = PROBE | GET | STATE };
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dut_fileno(c, DEVICE_SELF));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		conform_skip(c, "a device of a group is never without access");
	ret = ioctl(fd, VFIO_DEVICE_FEATURE, &arg) ? -errno : 0;
	close(fd);
	require_result(c, ret, -EINVAL, "VFIO_DEVICE_FEATURE before the bind");
}

#define UAPI	"uapi/linux/vfio.h, VFIO_DEVICE_FEATURE"

const struct conform_case envelope_cases[] = {
	{ 1, "argsz", CLASS_CORE, 0, 0, UAPI,
	  "An argsz below the header is EINVAL, an argument that cannot be reached EFAULT.",
	  argsz_is_checked },
	{ 2, "unknown-flags", CLASS_CORE, 0, 0, UAPI,
	  "A flag beside the feature's number, GET, SET and PROBE is EINVAL.", unknown_flags },
	{ 3, "get-and-set", CLASS_CORE, 0, 0, UAPI,
	  "GET and SET together without PROBE are EINVAL.", get_and_set },
	{ 4, "no-way", CLASS_CORE, 0, 0, UAPI,
	  "Neither GET nor SET nor PROBE is EINVAL.", no_way },
	{ 5, "probe", CLASS_CORE, 0, 0, UAPI,
	  "PROBE needs no payload and says EINVAL to a direction that the feature lacks.", probe },
	{ 6, "payload-size", CLASS_CORE, 0, 0, UAPI,
	  "GET and SET refuse an argsz too small for the payload and take a larger one.",
	  payload_size },
	{ 7, "absent-features", CLASS_CORE, 0, 0, UAPI,
	  "PROBE of a feature that the driver has not is ENOTTY.", absent_features },
	{ 8, "info-v2", CLASS_CORE, 0, 0,
	  "uapi/linux/vfio.h, VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2",
	  "MIG_PRECOPY_INFOv2 is offered with PRE_COPY and EINVAL without it.", info_v2 },
	{ 9, "before-bind", CLASS_CORE, NEEDS_KERNEL, 0,
	  "uapi/linux/vfio.h, VFIO_DEVICE_BIND_IOMMUFD",
	  "A device file that is not bound to an iommufd answers EINVAL.", before_bind },
	{ }
};
