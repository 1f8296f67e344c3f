// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "device/module.h"
#include "device/sysfs.h"

extern char **environ;

int module_load(const char *name, const char *path, struct error *err)
{
	char *const argv[] = { "modprobe", (char *)name, NULL };
	int ret, status = 0;
	pid_t pid;

	if (sysfs_exists("%s", path))
		return 0;
	ret = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (ret)
		return error_set(err, -ENOENT, "cannot run modprobe: %s", strerror(ret));
	if (waitpid(pid, &status, 0) != pid || status || !sysfs_exists("%s", path))
		return error_set(err, -ENOENT,
				 "the module %s is not loaded and `modprobe %s` failed; "
				 "install it (make dkms-install) or insmod it, and with Secure "
				 "Boot enrol the key that signed it", name, name);
	return 0;
}
