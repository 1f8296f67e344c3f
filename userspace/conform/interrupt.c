// SPDX-License-Identifier: GPL-2.0-only
#include "conform/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };

static volatile sig_atomic_t first, count;

static void remember(int signal)
{
	if (!first)
		first = signal;
	count++;
}

void interrupt_catch(void)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		const struct sigaction action = { .sa_handler = remember };
		struct sigaction old;

		sigaction(signals[i], &action, &old);
		if (old.sa_handler == SIG_IGN)
			sigaction(signals[i], &old, NULL);
	}
}

void interrupt_ignore(void)
{
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
}

int interrupt_signal(void)
{
	return first;
}

const char *interrupt_text(void)
{
	static char text[40];

	if (first)
		snprintf(text, sizeof(text), "interrupted by SIG%s", sigabbrev_np(first));
	return text;
}

unsigned int interrupt_count(void)
{
	return count;
}
