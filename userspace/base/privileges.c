// SPDX-License-Identifier: GPL-2.0-only
#include "base/privileges.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static_assert(CAP_DAC_OVERRIDE < 32 && CAP_NET_BIND_SERVICE < 32 && CAP_IPC_LOCK < 32,
	      "PRIVILEGES_KEPT is the lower half");

int privileges_drop(struct error *err)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    syscall(SYS_capget, &head, caps))
		goto out_error;
	caps[0].permitted &= PRIVILEGES_KEPT;
	caps[0].effective &= PRIVILEGES_KEPT;
	caps[0].inheritable = 0;
	caps[1] = (struct __user_cap_data_struct){ 0 };
	if (!syscall(SYS_capset, &head, caps))
		return 0;
out_error:
	return error_set(err, -errno, "cannot drop privileges: %s", strerror(errno));
}
