// SPDX-License-Identifier: GPL-2.0-only
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sysfs.h>

#include "device.h"
#include "hold.h"

/* Has @owner a thread that has not begun to exit, whatever became of its first one? */
static bool is_alive(struct pid *owner)
{
	struct task_struct *leader;
	bool alive;

	rcu_read_lock();
	leader = pid_task(owner, PIDTYPE_TGID);
	alive = leader && atomic_read(&leader->signal->live);
	rcu_read_unlock();
	return alive;
}

static void end_lease(struct miglab_hold *h)
{
	miglab_lease_end(&h->lease);
	put_pid(h->owner);
	h->owner = NULL;
}

/* A lease whose owner is gone is none. */
static void drop_dead_lease(struct miglab_device *m)
{
	lockdep_assert_held(&m->state_lock);
	if (m->hold.owner && !is_alive(m->hold.owner))
		end_lease(&m->hold);
}

/* A struct pid is the owner's as long as somebody refers to it, its number is not. */
static u64 number_of(const struct pid *owner)
{
	return (uintptr_t)owner;
}

static ssize_t hold_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct miglab_device *m = miglab_from_dev(dev);
	const struct miglab_lease *lease = &m->hold.lease;
	ssize_t len;

	mutex_lock(&m->state_lock);
	drop_dead_lease(m);
	if (lease->owner)
		len = sysfs_emit(buf, MIGLAB_LEASE_FMT, miglab_state_name(lease->from),
				 miglab_state_name(lease->to), lease->limit_us, lease->pid);
	else
		len = sysfs_emit(buf, MIGLAB_LEASE_NONE);
	mutex_unlock(&m->state_lock);
	return len;
}

static int write_lease(struct miglab_device *m, const struct miglab_lease *wanted)
{
	struct pid *writer = task_tgid(current);
	struct miglab_hold *h = &m->hold;
	int ret;

	lockdep_assert_held(&m->state_lock);
	drop_dead_lease(m);
	ret = miglab_lease_write(&h->lease, wanted, number_of(writer), pid_nr(writer));
	if (ret)
		return ret;
	put_pid(h->owner);
	h->owner = h->lease.owner ? get_pid(writer) : NULL;
	return 0;
}

static ssize_t hold_store(struct device *dev, struct device_attribute *attr, const char *buf,
			  size_t len)
{
	struct miglab_device *m = miglab_from_dev(dev);
	struct miglab_lease wanted;
	int ret;

	ret = miglab_lease_parse(buf, len, &wanted);
	if (ret)
		return ret;
	mutex_lock(&m->state_lock);
	ret = write_lease(m, &wanted);
	mutex_unlock(&m->state_lock);
	wake_up_all(&m->wait);
	return ret ?: len;
}
DEVICE_ATTR_RW(hold);

struct pid *miglab_hold_owner(struct miglab_device *m, u32 from, u32 to)
{
	lockdep_assert_held(&m->state_lock);
	drop_dead_lease(m);
	/* As rules, so that a waiter who tries again while we leave goes through. */
	if (m->closing || !miglab_lease_holds(&m->hold.lease, from, to))
		return NULL;
	return get_pid(m->hold.owner);
}

bool miglab_hold_is_over(const struct miglab_device *m, struct pid *owner, u32 ended)
{
	return READ_ONCE(m->hold.lease.ended) != ended || !is_alive(owner);
}

int miglab_hold_release(struct miglab_device *m, u64 seq)
{
	int ret = -ESRCH;

	mutex_lock(&m->state_lock);
	if (m->held && m->held->seq == seq) {
		WRITE_ONCE(m->hold.released, true);
		ret = 0;
	}
	mutex_unlock(&m->state_lock);
	wake_up_all(&m->wait);
	return ret;
}

void miglab_hold_destroy(struct miglab_hold *h)
{
	put_pid(h->owner);
}
