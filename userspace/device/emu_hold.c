// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds the arcs of an emulated device, and who lets them go.
 */
#include <errno.h>
#include <stdio.h>

#include "device/emu.h"

#define PERMITS_MAX	1000000u	/* as the module has it */

static int refuse(struct emu *e, int code, const char *text, struct error *err)
{
	const struct miglab_lease *lease = &e->lease;
	char in_force[128];

	snprintf(in_force, sizeof(in_force), MIGLAB_LEASE_FMT, miglab_state_name(lease->from),
		 miglab_state_name(lease->to), (unsigned long long)lease->limit_us, lease->pid);
	return lab_refuse_hold(code, text, in_force, err);
}

int emu_hold_write(struct emu *e, const struct lab_writer *writer, const char *text,
		   struct error *err)
{
	u64 owner = writer->connection ? writer->connection : EMU_OWNER_SELF;
	struct miglab_lease wanted;
	int ret;

	ret = miglab_lease_parse(text, strlen(text), &wanted);
	pthread_mutex_lock(&e->lock);
	if (!ret)
		ret = miglab_lease_write(&e->lease, &wanted, owner, writer->pid);
	if (ret)
		refuse(e, ret, text, err);
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	return ret;
}

void emu_hold_gone(struct emu *e, u64 connection)
{
	pthread_mutex_lock(&e->lock);
	if (e->lease.owner == connection)
		miglab_lease_end(&e->lease);
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
}

static int release_seq(struct emu *e, u64 seq, struct error *err)
{
	if (!e->held || e->held->seq != seq)
		return error_set(err, -ESRCH, "release: transition %llu is not held",
				 (unsigned long long)seq);
	e->released = true;
	return 0;
}

static int add_permits(struct emu *e, u64 permits, struct error *err)
{
	if (permits > PERMITS_MAX || e->permits + permits > PERMITS_MAX)
		return error_set(err, -EINVAL, "release: more than %u permits", PERMITS_MAX);
	e->permits += permits;
	return 0;
}

int emu_release(struct emu *e, const char *text, struct error *err)
{
	struct miglab_release release;
	int ret;

	if (miglab_release_parse(text, strlen(text), &release))
		return error_set(err, -EINVAL, "release: \"%s\" is not a number, nor seq=N",
				 text);
	pthread_mutex_lock(&e->lock);
	ret = release.by_seq ? release_seq(e, release.number, err) :
	      add_permits(e, release.number, err);
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	return ret;
}
