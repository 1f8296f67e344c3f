// SPDX-License-Identifier: GPL-2.0-only
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "session.h"
#include "trace.h"

struct miglab_session {
	struct kref kref;		/* one for the file, one for the device */
	struct module *owner;		/* the driver, a reference: it is what VFIO's user knows */
	struct miglab_stats *stats;
	struct miglab_rulebook *book;
	wait_queue_head_t wait;		/* poll() sleeps here */
	struct delayed_work look;	/* wakes it when the device's state changes */

	/*
	 * Serialises read() and write(). Held over user copies and hence for as long as
	 * a page fault takes; so nothing but read() and write() may wait for it. The first
	 * of all locks. Guards the record while it is read or assembled.
	 */
	struct mutex io_lock;
	struct miglab_outgoing out;	/* saving: the record that is being read */
	u64 final_delay_us;		/* before the first read() in STOP_COPY */

	struct miglab_decoder decoder;	/* guarded by the image's lock */

	/* Guards phase, image and vdev. Held for a few instructions. */
	spinlock_t lock;
	enum miglab_phase phase;
	struct vfio_device *vdev;	/* exists until the session is dead */
	struct miglab_image *image;	/* NULL once dead */
};

/*
 * The session's image, referenced and locked, or NULL when the session is dead.
 * The phase is tested under the image's lock, since another session may use the
 * image as soon as this one is dead.
 */
static struct miglab_image *session_enter(struct miglab_session *s, enum miglab_phase *ret_phase)
{
	struct miglab_image *image = NULL;
	enum miglab_phase phase;

	spin_lock(&s->lock);
	if (s->image)
		image = miglab_image_get(s->image);
	spin_unlock(&s->lock);
	if (!image)
		return NULL;

	mutex_lock(&image->lock);
	spin_lock(&s->lock);
	phase = s->phase;
	spin_unlock(&s->lock);
	if (phase == MIGLAB_PHASE_DEAD) {
		mutex_unlock(&image->lock);
		miglab_image_put(image);
		return NULL;
	}
	*ret_phase = phase;
	return image;
}

static void session_leave(struct miglab_image *image)
{
	mutex_unlock(&image->lock);
	miglab_image_put(image);
}

static bool session_dead(struct miglab_session *s)
{
	return READ_ONCE(s->phase) == MIGLAB_PHASE_DEAD;
}

/* Waits for @us because a rule says so, at most until the session or the device ends. */
static int session_pause(struct miglab_session *s, u64 us)
{
	int ret = 0;

	if (us)
		ret = wait_event_interruptible_hrtimeout(s->book->pauses,
							 session_dead(s) ||
							 READ_ONCE(s->book->closed),
							 ns_to_ktime(us * NSEC_PER_USEC));
	return ret == -ETIME ? 0 : ret;
}

/*
 * An operation begins: waits and fails as a rule wants. What else it wants goes to
 * @ret_plan, which is untouched when there is no rule.
 */
static int session_obey(struct miglab_session *s, enum miglab_op op, struct miglab_plan *ret_plan)
{
	int ret;

	if (!miglab_rulebook_knows(s->book, op) || session_dead(s))
		return 0;
	*ret_plan = miglab_rulebook_op(s->book, op);
	ret = session_pause(s, ret_plan->delay_us);
	return ret ?: ret_plan->error;
}

/* A read() or write() begins: as session_obey(), which may cut @len, then takes io_lock. */
static int session_begin_io(struct miglab_session *s, enum miglab_op op, size_t *len)
{
	struct miglab_plan plan = { .rule = 0 };
	int ret;

	ret = session_obey(s, op, &plan);
	if (ret)
		return ret;
	if (plan.faults & MIGLAB_FAULT_SHORT)
		*len = min_t(u64, *len, plan.size);
	return mutex_lock_interruptible(&s->io_lock) ? -ERESTARTSYS : 0;
}

/* The rule for op=save may make the final state slow to come: once, io_lock is held. */
static int session_await_final(struct miglab_session *s)
{
	int ret;

	if (!s->final_delay_us || READ_ONCE(s->phase) != MIGLAB_PHASE_STOPCOPY)
		return 0;
	ret = session_pause(s, s->final_delay_us);
	if (!ret)
		s->final_delay_us = 0;
	return ret;
}

/*
 * Copies between the user and the image itself go on without the image's lock, since
 * they may fault and hang, while a reset, a close or an arc ends the session. So each holds a
 * reference of the image. What is read may change meanwhile, but then it is marked and
 * sent again, and nothing changes once the end record's fingerprint is known. What
 * is written goes to an image that is nobody's state yet: it becomes the device's only
 * when the end record was seen, and that cannot be while io_lock is held for a page.
 */

/*
 * The image that the next bytes come from, with one reference. NULL at the end of the data,
 * with 0 in @ret_error, or -ENOMSG in pre-copy; or with -ENODEV when dead, or the model's
 * error.
 */
static struct miglab_image *session_stage(struct miglab_session *s, int *ret_error)
{
	struct miglab_image *image;
	enum miglab_phase phase;
	int ret = 1;

	*ret_error = -ENODEV;
	image = session_enter(s, &phase);
	if (!image)
		return NULL;
	if (s->out.taken == s->out.size) {
		miglab_image_advance(image);
		ret = miglab_content_stage(&image->content, &image->track,
					   phase == MIGLAB_PHASE_STOPCOPY, &s->out);
	}
	mutex_unlock(&image->lock);
	if (ret > 0)
		return image;
	miglab_image_put(image);
	*ret_error = ret || phase == MIGLAB_PHASE_STOPCOPY ? ret : -ENOMSG;
	return NULL;
}

/* The user has @n more bytes of the record; takes the reference. Returns -ENODEV when dead. */
static int session_taken(struct miglab_session *s, struct miglab_image *image, size_t n)
{
	int ret = -ENODEV;

	mutex_lock(&image->lock);
	if (!session_dead(s)) {
		s->out.taken += n;
		miglab_precopy_read(&image->track, n);
		ret = 0;
	}
	session_leave(image);
	return ret;
}

/* Fills the user's buffer as far as there is data; the error, if any, goes to @ret_error. */
static size_t session_copy_out(struct miglab_session *s, char __user *buf, size_t len,
			       int *ret_error)
{
	struct miglab_image *image;
	size_t done = 0, n, left;
	const u8 *at;
	int ret = 0;

	while (done < len && !ret && !(done && signal_pending(current))) {
		image = session_stage(s, &ret);
		if (!image)
			break;
		n = min(len - done, miglab_content_next(&image->content, &s->out, &at));
		left = copy_to_user(buf + done, at, n);
		ret = session_taken(s, image, n - left);
		if (ret)
			break;
		done += n - left;
		if (left)
			ret = -EFAULT;
		cond_resched();
	}
	*ret_error = ret;
	return done;
}

static ssize_t save_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	struct miglab_session *s = file->private_data;
	size_t done = 0;
	int error;

	if (!len)
		return 0;
	error = session_begin_io(s, MIGLAB_OP_READ, &len);
	if (error)
		return error;
	error = session_await_final(s);
	if (!error)
		done = session_copy_out(s, buf, len, &error);
	mutex_unlock(&s->io_lock);

	miglab_stats_add(s->stats, MIGLAB_BYTES_READ, done);
	trace_miglab_read(s->book->name, len, done ? done : error);
	return done ? done : error;
}

/*
 * Where the next bytes of the stream go, and how many; or an error. Unless that, @ret_image
 * is where they may go to, with one reference.
 */
static ssize_t session_want(struct miglab_session *s, struct miglab_image **ret_image, u8 **ret_at)
{
	struct miglab_image *image;
	enum miglab_phase phase;
	ssize_t ret;

	image = session_enter(s, &phase);
	if (!image)
		return -ENODEV;
	ret = miglab_decoder_want(&s->decoder, ret_at);
	mutex_unlock(&image->lock);
	if (ret < 0)
		miglab_image_put(image);
	else
		*ret_image = image;
	return ret;
}

/* @n of them have arrived; takes the reference. */
static int session_got(struct miglab_session *s, struct miglab_image *image, size_t n)
{
	int ret = -ENODEV;

	mutex_lock(&image->lock);
	if (!session_dead(s))
		ret = miglab_decoder_got(&s->decoder, n);
	session_leave(image);
	return ret;
}

/* @n bytes of the stream are at @at now: if they are of pages, their checksums are taken. */
static void session_sum(struct miglab_image *image, const u8 *at, size_t n)
{
	const struct miglab_content *content = &image->content;

	if (at >= content->bytes && at < content->bytes + content->id.state_bytes)
		miglab_sums_add(&image->sums, at - content->bytes, at, n);
}

/* Decodes the user's buffer; the error, if any, goes to @ret_error. */
static size_t session_copy_in(struct miglab_session *s, const char __user *buf, size_t len,
			      int *ret_error)
{
	struct miglab_image *image;
	size_t done = 0, left;
	ssize_t n;
	u8 *at;
	int ret = 0;

	while (done < len && !ret && !(done && signal_pending(current))) {
		n = session_want(s, &image, &at);
		if (n < 0) {
			ret = n;
			break;
		}
		n = min_t(size_t, n, len - done);
		left = copy_from_user(at, buf + done, n);
		session_sum(image, at, n - left);
		ret = session_got(s, image, n - left);
		if (ret)
			break;
		done += n - left;
		if (left)
			ret = -EFAULT;
		cond_resched();
	}
	*ret_error = ret;
	return done;
}

static ssize_t resume_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct miglab_session *s = file->private_data;
	size_t done;
	int error;

	if (!len)
		return 0;
	error = session_begin_io(s, MIGLAB_OP_WRITE, &len);
	if (error)
		return error;
	done = session_copy_in(s, buf, len, &error);
	mutex_unlock(&s->io_lock);

	miglab_stats_add(s->stats, MIGLAB_BYTES_WRITTEN, done);
	trace_miglab_write(s->book->name, len, done ? done : error);
	return done ? done : error;
}

/*
 * Is there something to read, or will never be? If there is nothing yet, has the work
 * look again when the device's state changes next.
 */
static bool session_readable(struct miglab_session *s)
{
	u64 initial, dirty, next_ns;
	struct miglab_image *image;
	enum miglab_phase phase;

	image = session_enter(s, &phase);
	if (!image)
		return true;
	miglab_image_advance(image);
	miglab_precopy_info(&image->track, &initial, &dirty);
	next_ns = U64_MAX;
	if (image->track.left)
		next_ns = miglab_image_next_ns(image);
	session_leave(image);

	if (phase == MIGLAB_PHASE_STOPCOPY || initial + dirty)
		return true;
	if (next_ns == U64_MAX)
		return false;
	/* The pace may have changed since the work was last scheduled. */
	mod_delayed_work(compat_unbound_wq, &s->look,
			 min_t(u64, nsecs_to_jiffies64(next_ns), HZ) + 1);
	return false;
}

/* Wakes who polls, unless a rule loses the wake-up. */
static void session_wake(struct miglab_session *s)
{
	if (wq_has_sleeper(&s->wait) &&
	    miglab_rulebook_op(s->book, MIGLAB_OP_POLL).faults & MIGLAB_FAULT_DROP)
		return;
	wake_up_all(&s->wait);
}

static void session_look(struct work_struct *work)
{
	struct miglab_session *s = container_of(work, struct miglab_session, look.work);

	/* Who polls again has it look again. */
	if (wq_has_sleeper(&s->wait) && session_readable(s))
		session_wake(s);
}

static __poll_t save_poll(struct file *file, poll_table *table)
{
	struct miglab_session *s = file->private_data;
	__poll_t mask = 0;

	poll_wait(file, &s->wait, table);
	if (session_readable(s))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (session_dead(s))
		mask |= EPOLLHUP | EPOLLERR;
	return mask;
}

static __poll_t resume_poll(struct file *file, poll_table *table)
{
	struct miglab_session *s = file->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &s->wait, table);
	if (session_dead(s))
		mask |= EPOLLHUP | EPOLLERR;
	return mask;
}

/* Has the user asked for VFIO_PRECOPY_INFO_REINIT? */
static bool session_opted_in(struct miglab_session *s)
{
	bool ret;

	spin_lock(&s->lock);
	ret = s->phase != MIGLAB_PHASE_DEAD && compat_precopy_info_v2(s->vdev);
	spin_unlock(&s->lock);
	return ret;
}

/* The figures, in pre-copy, as the rule for op=precopy_info wants them. */
static int session_precopy_info(struct miglab_session *s, u32 faults,
				struct vfio_precopy_info *info)
{
	struct miglab_image *image;
	enum miglab_phase phase;
	u64 initial, dirty;

	image = session_enter(s, &phase);
	if (!image)
		return -EINVAL;
	miglab_image_advance(image);
	if (faults & MIGLAB_FAULT_REINIT && phase == MIGLAB_PHASE_PRECOPY && session_opted_in(s)) {
		miglab_precopy_reinit(&image->track);
		info->flags = VFIO_PRECOPY_INFO_REINIT;
	}
	miglab_precopy_info(&image->track, &initial, &dirty);
	session_leave(image);
	if (phase != MIGLAB_PHASE_PRECOPY)
		return -EINVAL;

	info->initial_bytes = faults & MIGLAB_FAULT_GARBAGE ? U64_MAX : initial;
	info->dirty_bytes = faults & MIGLAB_FAULT_GARBAGE ? U64_MAX : dirty;
	return 0;
}

/*
 * VFIO_MIG_GET_PRECOPY_INFO. Not vfio_check_precopy_ioctl(), which looks at the
 * device: that may be gone. The flags returned are 0 but for a session that began
 * anew, which both versions of the interface allow.
 */
static long save_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const size_t minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct miglab_session *s = file->private_data;
	struct vfio_precopy_info info = { .argsz = 0 };
	struct miglab_plan plan = { .rule = 0 };
	void __user *user = (void __user *)arg;
	int ret;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info.argsz, user, sizeof(info.argsz)))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	ret = session_obey(s, MIGLAB_OP_PRECOPY_INFO, &plan);
	if (!ret)
		ret = session_precopy_info(s, plan.faults, &info);
	if (ret)
		return ret;
	return copy_to_user(user, &info, minsz) ? -EFAULT : 0;
}

static void session_free(struct kref *kref)
{
	struct miglab_session *s = container_of(kref, struct miglab_session, kref);
	struct module *owner = s->owner;

	miglab_stats_add(s->stats, MIGLAB_SESSIONS_LIVE, -1);
	miglab_stats_put(s->stats);
	miglab_rulebook_put(s->book);
	mutex_destroy(&s->io_lock);
	kfree(s);
	module_put(owner);
}

struct miglab_session *miglab_session_get(struct miglab_session *s)
{
	kref_get(&s->kref);
	return s;
}

void miglab_session_put(struct miglab_session *s)
{
	kref_put(&s->kref, session_free);
}

static int session_release(struct inode *inode, struct file *file)
{
	struct miglab_session *s = file->private_data;

	cancel_delayed_work_sync(&s->look);
	miglab_session_put(s);
	return 0;
}

static const struct file_operations save_fops = {
	.owner = THIS_MODULE,
	.read = save_read,
	.poll = save_poll,
	.unlocked_ioctl = save_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = session_release,
};

static const struct file_operations resume_fops = {
	.owner = THIS_MODULE,
	.write = resume_write,
	.poll = resume_poll,
	.release = session_release,
};

static struct miglab_session *session_alloc(struct miglab_image *image, enum miglab_phase phase)
{
	struct miglab_session *s;

	s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	if (!s)
		return NULL;
	kref_init(&s->kref);
	init_waitqueue_head(&s->wait);
	INIT_DELAYED_WORK(&s->look, session_look);
	mutex_init(&s->io_lock);
	spin_lock_init(&s->lock);
	s->phase = phase;
	s->image = miglab_image_get(image);
	s->stats = miglab_stats_get(image->stats);
	miglab_stats_add(s->stats, MIGLAB_SESSIONS_LIVE, 1);
	miglab_decoder_init(&s->decoder, &image->content.id, image->content.bytes);
	return s;
}

struct miglab_session *miglab_session_new(struct miglab_image *image, enum miglab_phase phase,
					  struct vfio_device *vdev, struct miglab_rulebook *book,
					  struct file **ret_file)
{
	bool save = phase != MIGLAB_PHASE_RESUMING;
	struct miglab_session *s;
	struct file *file;

	s = session_alloc(image, phase);
	if (!s)
		return ERR_PTR(-ENOMEM);
	/* The device is open: VFIO has a reference too. */
	s->owner = vdev->dev->driver->owner;
	__module_get(s->owner);
	s->vdev = vdev;
	s->book = miglab_rulebook_get(book);
	file = anon_inode_getfile("miglab", save ? &save_fops : &resume_fops, s,
				  save ? O_RDONLY : O_WRONLY);
	if (IS_ERR(file)) {
		miglab_session_kill(s);
		miglab_session_drop(s);
		return ERR_CAST(file);
	}
	stream_open(file_inode(file), file);
	trace_miglab_session(book->name, save ? "save" : "resume");
	*ret_file = file;
	return miglab_session_get(s);
}

void miglab_session_begin(struct miglab_session *s, struct miglab_image *image)
{
	struct miglab_plan plan = miglab_rulebook_op(s->book, MIGLAB_OP_SAVE);

	lockdep_assert_held(&image->lock);
	miglab_image_track(image);
	miglab_precopy_spoil(&image->track,
			     plan.faults & MIGLAB_FAULT_CORRUPT ? plan.corrupt : U64_MAX,
			     plan.faults & MIGLAB_FAULT_TRUNCATE ? plan.truncate : U64_MAX);
	/* Nobody reads yet: the file is not the user's before the arc has ended. */
	s->final_delay_us = plan.delay_us;
}

void miglab_session_finalize(struct miglab_session *s)
{
	spin_lock(&s->lock);
	if (s->phase == MIGLAB_PHASE_PRECOPY)
		s->phase = MIGLAB_PHASE_STOPCOPY;
	spin_unlock(&s->lock);
	session_wake(s);
}

void miglab_session_nudge(struct miglab_session *s)
{
	session_wake(s);
}

void miglab_session_kill(struct miglab_session *s)
{
	spin_lock(&s->lock);
	s->phase = MIGLAB_PHASE_DEAD;
	spin_unlock(&s->lock);
	wake_up_all(&s->wait);
	wake_up_all(&s->book->pauses);
}

void miglab_session_drop(struct miglab_session *s)
{
	struct miglab_image *image;

	spin_lock(&s->lock);
	image = s->image;
	s->image = NULL;
	spin_unlock(&s->lock);
	if (image)
		miglab_image_put(image);
	trace_miglab_session(s->book->name, "end");
	miglab_session_put(s);
}

int miglab_session_seal(struct miglab_session *s, struct miglab_image **ret_image)
{
	struct miglab_image *image;
	enum miglab_phase phase;
	int ret;

	image = session_enter(s, &phase);
	if (!image)
		return -ENODEV;
	ret = miglab_content_loaded(&image->content, &s->decoder) ?: miglab_image_check(image);
	if (ret) {
		session_leave(image);
		return ret;
	}
	miglab_session_kill(s);
	mutex_unlock(&image->lock);
	*ret_image = image;
	return 0;
}

u64 miglab_session_remaining(struct miglab_session *s)
{
	struct miglab_image *image;
	enum miglab_phase phase;
	u64 ret = 0;

	image = session_enter(s, &phase);
	if (!image)
		return 0;
	if (phase != MIGLAB_PHASE_RESUMING) {
		miglab_image_advance(image);
		ret = miglab_precopy_remaining(&image->track);
	}
	session_leave(image);
	return ret;
}
