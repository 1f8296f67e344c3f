// SPDX-License-Identifier: GPL-2.0-only
#include "guard/plan.h"

#include <string.h>

enum plan_action plan_event(struct plan *p, const struct plan_options *opt, unsigned int vmm,
			    const char *state, uint64_t now_ns)
{
	if (!strcmp(state, "running")) {
		p->due = p->suspended;
		p->heard = false;
		p->due_from = vmm;
		return PLAN_NOTHING;
	}
	if (strcmp(state, "pre-copy-p2p-prepare") && strcmp(state, "pre-copy-p2p"))
		return PLAN_NOTHING;
	/* The next migration of a device that is back: another VMM's event is an older one. */
	if (p->due && p->due_from == vmm) {
		p->due = false;
		p->until_ns = now_ns + opt->limit_ns;
	}
	if (p->suspended)
		return PLAN_NOTHING;
	p->suspended = true;
	p->until_ns = now_ns + opt->limit_ns;
	return PLAN_SUSPEND;
}

static enum plan_action restore_if(struct plan *p, bool condition)
{
	if (!p->suspended || !condition)
		return PLAN_NOTHING;
	p->suspended = false;
	p->due = false;
	return PLAN_RESTORE;
}

enum plan_action plan_settle(struct plan *p)
{
	bool again = p->due && p->heard;

	p->heard = p->due;
	return restore_if(p, again);
}

bool plan_vanished(struct plan *p, const struct plan_options *opt, uint64_t now_ns)
{
	if (!p->suspended || now_ns + opt->grace_ns >= p->until_ns)
		return false;
	p->until_ns = now_ns + opt->grace_ns;
	return true;
}

enum plan_action plan_time(struct plan *p, uint64_t now_ns)
{
	return restore_if(p, now_ns >= p->until_ns);
}

uint64_t plan_deadline(const struct plan *p)
{
	if (p->suspended && p->due)
		return 0;
	return p->suspended ? p->until_ns : UINT64_MAX;
}
