// SPDX-License-Identifier: GPL-2.0-only
#include "device/kernel.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/utsname.h>

#define FIXED_IN	"Linux 7.2, 7.1.4, 6.18.39, 6.12.96"

/*
 * The first release with the fix of each stable series that is known to have it. From the lists of
 * commits that kernel.org published with each push to the trees:
 *	7.2	a26b499b757c, merged on 2026-06-17 with the tag vfio-v7.2-rc1
 *	7.1	a3a8afa2f6e7, in "Linux 7.1.4"
 *	6.18	7f2d6b31089e, in what linux-rolling-lts got on 2026-07-18, which was 6.18.39
 *	6.12	ed7d5599e6c3, in "Linux 6.12.96"; Debian's 6.12.95 hangs, its 6.12.117 does not
 * A backport was in review for 6.6.145, and no list of 6.6.145 was found that has it.
 */
static const struct { unsigned long major, minor, patch; } fixed[] = {
	{ 7, 1, 4 },
	{ 6, 18, 39 },
	{ 6, 12, 96 },
};

/* From here on every release of Linus's tree has it, release candidates included. */
#define MAINLINE_MAJOR	7
#define MAINLINE_MINOR	2

/* The number at *@at, which is moved behind it; false when there is none. */
static bool take_number(const char **at, unsigned long *ret)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	*ret = strtoul(*at, &end, 10);
	*at = end;
	return true;
}

bool kernel_refuses_blocked_arc(const char *release)
{
	unsigned long major, minor, patch = 0;

	if (!take_number(&release, &major) || *release++ != '.' || !take_number(&release, &minor))
		return false;
	if (*release == '.') {
		release++;
		if (!take_number(&release, &patch))
			return false;
	}
	if (major != MAINLINE_MAJOR ? major > MAINLINE_MAJOR : minor >= MAINLINE_MINOR)
		return true;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (fixed[i].major == major && fixed[i].minor == minor)
			return patch >= fixed[i].patch;
	return false;
}

bool kernel_is_safe(struct error *err)
{
	const char *release = secure_getenv("MIGLAB_RELEASE");
	struct utsname name;

	if (!release)
		release = uname(&name) ? "unknown" : name.release;
	if (kernel_refuses_blocked_arc(release))
		return true;
	error_set(err, 0, "the kernel %s is not known to have a26b499b757c (" FIXED_IN
		  "), without which a driver other than miglab_vfio_pci hangs the host when "
		  "PRE_COPY is wanted in STOP_COPY", release);
	return false;
}
