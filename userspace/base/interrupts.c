// SPDX-License-Identifier: GPL-2.0-only
#include "base/interrupts.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>

int interrupts_watch(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}
