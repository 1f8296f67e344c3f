// SPDX-License-Identifier: GPL-2.0-only
#include "judge/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "device/lab.h"
#include "device/pci.h"
#include "device/state.h"
#include "device/sysfs.h"
#include "device/uapi.h"
#include "judge/hold.h"
#include "judge/remote.h"
#include "judge/tracing.h"
#include "judge/vmm_device.h"

#define RELEASE_POLL_MS	2	/* at first, then twice as long each time */
#define RELEASE_POLL_MAX_MS	64
#define SETTLE_POLL_MS	10
#define DRAIN_NS	(100 * NSEC_PER_MSEC)	/* until a VMM that never stops is left alone */
#define SETTLE_NS	(10 * NSEC_PER_SEC)
#define LEAVE_NS	(2 * NSEC_PER_SEC)	/* for a source to leave STOP_COPY */
#define UNBEGUN_NS	(1 * NSEC_PER_SEC)	/* from a prepare event to its arc */
#define CALL_NS		(5 * NSEC_PER_SEC)
#define PROMPT_NS	(NSEC_PER_SEC / 2)	/* a VMM that is there answers before it is told */

/* The initial namespaces: include/uapi/linux/nsfs.h, TIME_NS_INIT_INO and PID_NS_INIT_INO. */
#define TIME_NS_INIT	"time:[4026531834]"
#define PID_NS_INIT	"pid:[4026531836]"

/* What the kernel says of each thread: the time it ran, waited for a processor, and how often. */
#define SCHEDSTAT	"/proc/thread-self/schedstat"

struct witness_device {
	struct lab *lab;		/* NULL: its driver keeps no history, the trace does */
	char name[SYSFS_NAME_SIZE];	/* as the kernel spells it; "": the kernel has it not */
	struct lab_arc *arcs;		/* as read last; the record points to it */
	char disagreement[AGREE_TEXT_MAX];	/* of history and trace; "": none */
	bool leased;			/* its transitions under test are held for us */
	size_t waiting;			/* the receipt that may release, plus 1; 0: none */
};

struct witness {
	const struct witness_options *opt;
	struct qmp_client *client;
	struct tracing *tracing;	/* of all devices; NULL: none */
	const char **names;		/* for it */
	struct remote *remote;		/* to the attributes of emulated devices; NULL: none yet */
	struct witness_device *devices;
	struct verdict_device *records;	/* as many */
	struct verdict_receipt *receipts;
	size_t receipt_count, receipt_room;
	uint64_t broken_ns;
	char migration[16];		/* the last word of MIGRATION; "": it has not ended */
	int schedstat;			/* SCHEDSTAT, or -1 */
	uint64_t waited_ns;		/* for a processor, in all */
	uint64_t late_ns;		/* of that since the time before that events were taken */
};

const char *witness_keeper(const struct witness *w, size_t i)
{
	return w->devices[i].lab ? w->devices[i].lab->witness : "kernel's trace";
}

/* --- opening --------------------------------------------------------------- */

/* The namespace @kind of @pid; false on a kernel without them, where all are in one. */
static bool namespace_of(const char *pid, const char *kind, char name[64])
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, kind);
	len = readlink(path, name, 63);
	if (len < 0)
		return false;
	name[len] = '\0';
	return true;
}

/* The process that serves the QMP socket; 0: not known. */
static pid_t vmm_pid(const struct witness *w)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(qmp_client_fd(w->client), SOL_SOCKET, SO_PEERCRED, &peer, &len) ? 0 :
	       peer.pid;
}

/* The kernel's history has the initial namespace's clock, an emulated one the VMM's. */
static int check_clocks(const struct witness *w, const struct witness_target *target,
			struct error *err)
{
	char mine[64], theirs[64] = TIME_NS_INIT, pid[16];

	if (!namespace_of("self", "time", mine))
		return 0;
	if (target_is_emulated(target)) {
		snprintf(pid, sizeof(pid), "%d", vmm_pid(w));
		if (!namespace_of(pid, "time", theirs))
			return 0;
	}
	if (strcmp(mine, theirs))
		return error_set(err, -EXDEV,
				 "the judge is in the time namespace %s and the history of %s in "
				 "%s, so their clocks cannot be compared: run the judge there",
				 mine, target->id, theirs);
	return 0;
}

/* What the trace has is as a history that nobody has to read. Good until it is taken again. */
static void point_to_trace(struct witness *w, size_t i)
{
	const struct traced_device *traced = &tracing_seen(w->tracing)->devices[i];

	w->records[i].arcs = traced->arcs;
	w->records[i].count = traced->count;
}

static int read_history(struct witness *w, size_t i, struct error *err)
{
	struct witness_device *dev = &w->devices[i];
	struct lab_arc *arcs;
	size_t count;
	char *text;
	int ret;

	if (!dev->lab) {
		point_to_trace(w, i);
		return 0;
	}
	ret = dev->lab->ops->read(dev->lab, "history", &text, err);
	if (ret)
		return ret;
	ret = lab_parse_history(text, &arcs, &count, err);
	free(text);
	if (ret)
		return error_prefix(err, ret, "history of %s", w->opt->targets[i].id);
	free(dev->arcs);
	dev->arcs = arcs;
	w->records[i].arcs = arcs;
	w->records[i].count = count;
	return 0;
}

/* From here on the device's arcs under test are held, as long as we live. */
static int hold_device(struct witness_device *dev, struct error *err)
{
	int ret = dev->lab->ops->write(dev->lab, "hold", HOLD_LEASE, err);

	dev->leased = !ret;
	return ret;
}

/* The lease on an emulated device ends with the connection. */
static void close_device(const struct witness *w, size_t i)
{
	struct witness_device *dev = &w->devices[i];
	struct error err;

	if (dev->leased && !target_is_emulated(&w->opt->targets[i]) &&
	    dev->lab->ops->write(dev->lab, "hold", "none\n", &err))
		log_warn("the hold is not given up before the judge ends: %s", err.text);
	if (dev->lab)
		dev->lab->ops->close(dev->lab);
	free(dev->arcs);
}

static int open_emulated(struct witness *w, const char *id, uint64_t deadline_ns,
			 struct lab **ret_lab, struct error *err)
{
	int ret = 0;

	if (!w->remote)
		ret = remote_connect(w->opt->qmp, deadline_ns, &w->remote, err);
	return ret ? ret : lab_open_remote(w->remote, id, ret_lab, err);
}

/*
 * A function can be looked at without the VMM, and before it is there. One that keeps no
 * history is for the trace, if there can be one: @why says why that one does not.
 */
static int open_function(struct witness *w, size_t i, struct error *why, struct error *err)
{
	const struct witness_target *target = &w->opt->targets[i];
	struct witness_device *dev = &w->devices[i];
	int ret;

	if (target_is_emulated(target))
		return 0;
	ret = check_clocks(w, target, err) ?: pci_or_mdev_find(target->where, dev->name, err);
	if (ret)
		return ret;
	ret = lab_open_sysfs(dev->name, &dev->lab, why);
	if (ret && ret != -ENODEV && ret != -ENXIO)
		return error_set(err, ret, "%s", why->text);
	return 0;
}

/*
 * Who serves the socket, if that can be told from who makes the arcs: the kernel's history
 * has the initial namespace's numbers, and an emulated one is the VMM's own.
 */
static pid_t owner(const struct witness *w, const struct witness_target *target)
{
	char mine[64];

	if (w->opt->any_process || target_is_emulated(target))
		return 0;
	if (namespace_of("self", "pid", mine) && strcmp(mine, PID_NS_INIT)) {
		log_info("%s: not compared: whose arcs and whose events they are, from within a pid "
			 "namespace", target->id);
		return 0;
	}
	return vmm_pid(w);
}

/* Only a driver of miglab's holds, and lets go. */
static int check_hold(const struct witness *w, size_t i, struct error *err)
{
	if (w->devices[i].lab || !w->opt->release)
		return 0;
	return error_set(err, -EINVAL, "%s: the driver of %s has no hold: leave out --hold and "
			 "--release", w->opt->targets[i].id, w->opt->targets[i].where);
}

static int open_device(struct witness *w, size_t i, uint64_t deadline_ns, struct error *err)
{
	const struct witness_target *target = &w->opt->targets[i];
	struct witness_device *dev = &w->devices[i];
	size_t count;
	int ret = 0;

	if (target_is_emulated(target))
		ret = check_clocks(w, target, err) ?:
		      open_emulated(w, target->id, deadline_ns, &dev->lab, err);
	if (!ret)
		ret = check_hold(w, i, err);
	if (!ret && w->tracing)
		ret = tracing_take(w->tracing, true, err);
	if (!ret)
		ret = read_history(w, i, err);
	if (!ret && w->opt->hold)
		ret = hold_device(dev, err);
	if (ret)
		return ret;
	count = w->records[i].count;
	w->records[i].since_ns = clock_ns();
	w->records[i].first_seq = count ? w->records[i].arcs[count - 1].seq + 1 : 1;
	w->records[i].pid = owner(w, target);
	return 0;
}

/* Without MIGRATION events the judge still works, and ends when it is told to. */
static void enable_events(struct witness *w, uint64_t deadline_ns)
{
	struct json_object *args = json_object_new_object();
	struct json_object *list = json_object_new_array();
	struct json_object *events = json_object_new_object();
	struct error err;

	json_object_object_add(events, "capability", json_object_new_string("events"));
	json_object_object_add(events, "state", json_object_new_boolean(true));
	json_object_array_add(list, events);
	json_object_object_add(args, "capabilities", list);
	if (qmp_client_call(w->client, "migrate-set-capabilities", args, deadline_ns, NULL, &err))
		log_warn("the VMM does not enable MIGRATION events (%s); without them the judge "
			 "ends at --timeout or when it is interrupted", err.text);
}

/* As long as it takes, but not in silence. */
static int connect_vmm(struct witness *w, uint64_t deadline_ns, struct error *err)
{
	uint64_t soon_ns = clock_ns() + PROMPT_NS;
	int ret;

	if (soon_ns < deadline_ns) {
		ret = qmp_client_connect(w->opt->qmp, soon_ns, &w->client, err);
		if (ret != -ENOENT && ret != -ECONNREFUSED && ret != -EAGAIN && ret != -ETIMEDOUT)
			return ret;
		log_warn("waiting for %s: %s", w->opt->qmp, ret == -ETIMEDOUT ?
			 "no greeting, as when another client has it" : strerror(-ret));
	}
	return qmp_client_connect(w->opt->qmp, deadline_ns, &w->client, err);
}

/* Does one of the devices depend on the trace? */
static bool needs_trace(const struct witness *w)
{
	for (size_t i = 0; i < w->opt->target_count; i++)
		if (w->devices[i].name[0] && !w->devices[i].lab)
			return true;
	return false;
}

/*
 * The trace has all devices, also those with a history. What stands for /sys in a test is in no
 * kernel. @why: why one of them keeps no history.
 */
static int open_trace(struct witness *w, const struct error *why, struct error *err)
{
	struct error missing;
	bool any = false;
	int ret;

	for (size_t i = 0; i < w->opt->target_count; i++) {
		w->names[i] = w->devices[i].name;
		any |= w->names[i][0];
	}
	if (!any)
		return 0;
	if (getenv("MIGLAB_SYSFS"))
		ret = error_set(&missing, -ENOENT, "no kernel has this device");
	else
		ret = tracing_open(w->names, w->opt->target_count, &w->tracing, &missing);
	if (ret && needs_trace(w))
		return error_set(err, -ENXIO,
				 "%.200s; and the kernel's trace cannot stand in: %.200s",
				 *why->text ? why->text : "a mediated device keeps no history",
				 missing.text);
	if (ret)
		log_info("the kernel's trace is no second witness: %s", missing.text);
	return 0;
}

int witness_connect(const struct witness_options *opt, uint64_t deadline_ns,
		    struct witness **ret_w, struct error *err)
{
	struct witness *w = calloc(1, sizeof(*w));
	struct error why = { "" };
	int ret = 0;
	size_t i;

	if (!w)
		return error_set(err, -ENOMEM, "no memory for the witness");
	w->opt = opt;
	w->schedstat = open(opt->schedstat ? opt->schedstat : SCHEDSTAT, O_RDONLY | O_CLOEXEC);
	w->devices = calloc(opt->target_count, sizeof(*w->devices));
	w->records = calloc(opt->target_count, sizeof(*w->records));
	w->names = calloc(opt->target_count, sizeof(*w->names));
	if (!w->devices || !w->records || !w->names) {
		witness_free(w);
		return error_set(err, -ENOMEM, "no memory for %zu devices", opt->target_count);
	}
	for (i = 0; !ret && i < opt->target_count; i++)
		ret = open_function(w, i, &why, err);
	ret = ret ?: open_trace(w, &why, err) ?: connect_vmm(w, deadline_ns, err);
	if (ret) {
		witness_free(w);
		return ret;
	}
	*ret_w = w;
	return 0;
}

/*
 * How long was the judge ready to run, and did not, since this was asked last? As long may
 * an event have waited for it. 0 on a kernel that does not count.
 */
static uint64_t lateness(struct witness *w)
{
	uint64_t waited_ns, before_ns = w->waited_ns;
	char text[96];
	ssize_t len = w->schedstat < 0 ? -1 : pread(w->schedstat, text, sizeof(text) - 1, 0);

	if (len < 0)
		return 0;
	text[len] = '\0';
	if (sscanf(text, "%*u %" SCNu64, &waited_ns) != 1)
		return 0;
	w->waited_ns = waited_ns;
	return waited_ns - before_ns;
}

int witness_begin(struct witness *w, uint64_t deadline_ns, struct error *err)
{
	const struct witness_options *opt = w->opt;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < opt->target_count; i++)
		ret = vmm_check_device(w->client, opt->qmp, &opt->targets[i], deadline_ns, err) ?:
		      open_device(w, i, deadline_ns, err);
	if (!ret && !opt->keep_events)
		enable_events(w, deadline_ns);
	lateness(w);
	return ret;
}

void witness_free(struct witness *w)
{
	size_t i;

	if (!w)
		return;
	for (i = 0; w->devices && i < w->opt->target_count; i++)
		close_device(w, i);
	remote_free(w->remote);
	tracing_close(w->tracing);
	for (i = 0; i < w->receipt_count; i++)
		free((char *)w->receipts[i].id);
	free(w->receipts);
	free(w->devices);
	free(w->records);
	free(w->names);
	qmp_client_free(w->client);
	if (w->schedstat >= 0)
		close(w->schedstat);
	free(w);
}

/* --- receiving ------------------------------------------------------------- */

static int add_receipt(struct witness *w, const char *id, enum verdict_event what,
		       uint64_t received_ns)
{
	struct verdict_receipt receipt = {
		.id = strdup(id),
		.device = target_find(w->opt->targets, w->opt->target_count, id),
		.event = what,
		.received_ns = received_ns,
		.late_ns = w->late_ns,
	};

	if (w->receipt_count == w->receipt_room) {
		size_t room = w->receipt_room ? 2 * w->receipt_room : 16;
		void *more = realloc(w->receipts, room * sizeof(*w->receipts));

		if (more) {
			w->receipts = more;
			w->receipt_room = room;
		}
	}
	if (!receipt.id || w->receipt_count == w->receipt_room) {
		free((char *)receipt.id);
		return -ENOMEM;
	}
	if (w->tracing)
		tracing_mark(w->tracing, w->receipt_count);
	w->receipts[w->receipt_count++] = receipt;
	if (what == VERDICT_PREPARE && receipt.device >= 0)
		w->devices[receipt.device].waiting = w->receipt_count;
	return 0;
}

static int take_vfio_event(struct witness *w, const struct qmp_event *event)
{
	const char *state = qmp_event_text(event, "device-state");
	const char *id = qmp_event_text(event, "device-id");

	if (!strcmp(state, "pre-copy-p2p-prepare"))
		return add_receipt(w, id, VERDICT_PREPARE, event->received_ns);
	if (!strcmp(state, "pre-copy-p2p"))
		return add_receipt(w, id, VERDICT_DONE, event->received_ns);
	return 0;
}

static int take_answer(struct witness *w, const struct qmp_event *event)
{
	bool answered = json_object_get_boolean(json_object_object_get(event->data, "answered"));
	int64_t us = json_object_get_int64(json_object_object_get(event->data, "elapsed-us"));
	int ret = add_receipt(w, qmp_event_text(event, "device-id"),
			      answered ? VERDICT_ANSWER : VERDICT_SILENCE, event->received_ns);

	if (!ret && us > 0)
		w->receipts[w->receipt_count - 1].elapsed_ns = us * NSEC_PER_USEC;
	return ret;
}

static bool is_end(const char *status)
{
	return !strcmp(status, "completed") || !strcmp(status, "failed") ||
	       !strcmp(status, "cancelled");
}

static int take_event(struct witness *w, const struct qmp_event *event, struct error *err)
{
	if (w->opt->on_event)
		w->opt->on_event(w->opt->opaque, event);
	if (!strcmp(event->name, "MIGRATION") && is_end(qmp_event_text(event, "status")))
		snprintf(w->migration, sizeof(w->migration), "%s",
			 qmp_event_text(event, "status"));
	if ((!strcmp(event->name, "VFIO_MIGRATION") && take_vfio_event(w, event)) ||
	    (!strcmp(event->name, "X_VFIO_PREPARE_ACK") && take_answer(w, event)))
		return error_set(err, -ENOMEM, "no memory for one more event");
	return 0;
}

/*
 * Takes at least the events that are here now: 0, 1 when more come all the time, or
 * -ENOMEM; a connection that broke shows in broken_ns, with the reason in @err.
 */
static int take_events(struct witness *w, struct error *err)
{
	uint64_t until_ns = clock_ns() + DRAIN_NS;
	struct qmp_event event;
	int ret = 0;

	w->late_ns = lateness(w);
	while (!w->broken_ns && !ret) {
		int more = qmp_client_event(w->client, 0, &event, err);

		if (!more)
			break;
		if (more < 0) {
			w->broken_ns = clock_ns();
			break;
		}
		ret = take_event(w, &event, err);
		if (!ret && event.received_ns > until_ns)
			ret = 1;
		qmp_event_release(&event);
	}
	return ret;
}

/* Which transition under test is held now? *ret_seq is 0 for none. */
static int read_held(struct witness_device *dev, uint64_t *ret_seq, struct error *err)
{
	char *text;
	int ret = dev->lab->ops->read(dev->lab, "held", &text, err);

	if (ret)
		return ret;
	*ret_seq = hold_seq(text);
	free(text);
	return 0;
}

/* Lets transition @seq go; one that is not held any more has gone without the judge. */
static int release(struct witness *w, size_t i, uint64_t seq, struct error *err)
{
	struct witness_device *dev = &w->devices[i];
	uint64_t now_ns = clock_ns(), held;
	struct error why;
	char text[32];
	int ret;

	snprintf(text, sizeof(text), "seq=%llu\n", (unsigned long long)seq);
	ret = dev->lab->ops->write(dev->lab, "release", text, err);
	if (!ret) {
		w->receipts[dev->waiting - 1].released_ns = now_ns;
		return 0;
	}
	if (read_held(dev, &held, &why) || held == seq)
		return ret;
	log_warn("%s: transition %llu went on without the judge, released by another or at its limit",
		 w->opt->targets[i].id, (unsigned long long)seq);
	return 0;
}

/*
 * The proof by hold: seen held after its prepare event was here, so that nobody but the
 * judge ends the wait. An event that announced another transition lets none go.
 */
static int release_held(struct witness *w, size_t i, struct error *err)
{
	struct witness_device *dev = &w->devices[i];
	uint64_t seq;
	int ret;

	ret = read_held(dev, &seq, err);
	if (ret || !seq)
		return ret;
	ret = read_history(w, i, err);
	if (ret)
		return ret;
	if (hold_announced(dev->arcs, w->records[i].count, seq,
			   w->receipts[dev->waiting - 1].received_ns))
		ret = release(w, i, seq, err);
	dev->waiting = 0;
	return ret;
}

/* Returns the number of devices that wait to be seen held, or negative errno. */
static int release_waiting(struct witness *w, struct error *err)
{
	int ret, waiting = 0;
	size_t i;

	if (!w->opt->release)
		return 0;
	for (i = 0; i < w->opt->target_count; i++) {
		if (!w->devices[i].waiting)
			continue;
		ret = release_held(w, i, err);
		if (ret)
			return ret;
		waiting += w->devices[i].waiting != 0;
	}
	return waiting;
}

static int poll_until(const struct witness *w, int interrupt_fd, uint64_t deadline_ns)
{
	struct pollfd fds[] = {
		{ .fd = w->broken_ns ? -1 : qmp_client_fd(w->client), .events = POLLIN },
		{ .fd = interrupt_fd, .events = POLLIN },
		{ .fd = w->remote ? remote_fd(w->remote) : -1, .events = POLLIN },
		{ .fd = w->tracing ? tracing_fd(w->tracing) : -1, .events = POLLIN },
	};
	int patience_ms = w->tracing ? tracing_patience(w->tracing) : -1;
	uint64_t now = clock_ns();
	uint64_t ms = deadline_ns > now ? (deadline_ns - now) / NSEC_PER_MSEC + 1 : 0;

	if (patience_ms >= 0 && ms > (uint64_t)patience_ms)
		ms = patience_ms;
	if (poll(fds, 4, ms > INT_MAX ? INT_MAX : (int)ms) < 0 && errno != EINTR)
		return -errno;
	if (fds[2].revents)
		remote_drain(w->remote);
	return fds[1].revents != 0;
}

int witness_watch(struct witness *w, int interrupt_fd, uint64_t deadline_ns, struct error *err)
{
	unsigned int poll_ms = RELEASE_POLL_MS;
	size_t heard = 0;

	for (;;) {
		int ret = take_events(w, err), took;
		uint64_t wake_ns = ret ? 0 : deadline_ns;

		if (ret < 0)
			return ret;
		if (w->migration[0])
			return WITNESS_MIGRATION;
		if (w->broken_ns)
			return WITNESS_GONE;
		ret = release_waiting(w, err);
		if (ret < 0)
			return ret;
		took = w->tracing ? tracing_take(w->tracing, false, err) : 0;
		if (took)
			return took;
		if (clock_ns() >= deadline_ns)
			return WITNESS_TIMEOUT;
		/* The arc of an announcement begins soon, or nobody can tell when. */
		if (heard != w->receipt_count)
			poll_ms = RELEASE_POLL_MS;
		heard = w->receipt_count;
		if (ret && clock_ns() + poll_ms * NSEC_PER_MSEC < wake_ns)
			wake_ns = clock_ns() + poll_ms * NSEC_PER_MSEC;
		if (2 * poll_ms <= RELEASE_POLL_MAX_MS)
			poll_ms *= 2;
		ret = poll_until(w, interrupt_fd, wake_ns);
		if (ret < 0)
			return error_set(err, ret, "poll: %s", strerror(-ret));
		if (ret)
			return WITNESS_INTERRUPTED;
	}
}

/* --- collecting ------------------------------------------------------------ */

/* NULL: there is none. */
static const struct lab_arc *last_arc(const struct verdict_device *record)
{
	return record->count ? &record->arcs[record->count - 1] : NULL;
}

/* Is an arc under test in progress? */
static bool is_busy(const struct verdict_device *record)
{
	const struct lab_arc *last = last_arc(record);

	return last && !last->end_ns && verdict_is_tested(last);
}

/* Does a prepare event of device @i, received a moment ago, still wait for its arc? */
static bool is_unbegun(const struct witness *w, size_t i, uint64_t now)
{
	const struct verdict_device *record = &w->records[i];
	uint64_t last_ns = 0;
	size_t n;

	for (n = 0; n < record->count; n++)
		if (verdict_is_tested(&record->arcs[n]))
			last_ns = record->arcs[n].begin_ns;
	for (n = 0; n < w->receipt_count; n++) {
		const struct verdict_receipt *r = &w->receipts[n];

		if (r->device == (int)i && r->event == VERDICT_PREPARE &&
		    r->received_ns > last_ns + VERDICT_NOISE_NS &&
		    now < r->received_ns + UNBEGUN_NS)
			return true;
	}
	return false;
}

/* Is the device in STOP_COPY, as one whose state was moved is for a moment? */
static bool is_leaving(const struct verdict_device *record)
{
	const struct lab_arc *last = last_arc(record);

	return last && last->end_ns && !last->result && last->to == VFIO_DEVICE_STATE_STOP_COPY;
}

/* Reads all histories: 1 when something is still under way, 0, or negative errno. */
static int read_histories(struct witness *w, uint64_t now, uint64_t leave_ns, struct error *err)
{
	int ret, busy = 0;
	size_t i;

	if (needs_trace(w)) {
		ret = tracing_take(w->tracing, true, err);
		if (ret)
			return ret;
	}
	for (i = 0; i < w->opt->target_count; i++) {
		ret = read_history(w, i, err);
		if (ret)
			return ret;
		busy |= is_busy(&w->records[i]) || is_unbegun(w, i, now) ||
			(now < leave_ns && is_leaving(&w->records[i]));
	}
	return busy;
}

/*
 * What the VMM sent before the histories were read is before the answer to this
 * on the wire. A VMM that is gone, or stuck, has its say no more.
 */
static void fetch_the_rest(struct witness *w)
{
	struct error err;

	if (!w->broken_ns &&
	    qmp_client_call(w->client, "query-status", NULL, clock_ns() + CALL_NS, NULL, &err))
		log_warn("the VMM does not answer query-status: %s", err.text);
}

/* Has a device made an arc under test since the judge began? */
static bool has_arc(const struct witness *w)
{
	size_t i, n;

	for (i = 0; i < w->opt->target_count; i++)
		for (n = 0; n < w->records[i].count; n++)
			if (w->records[i].arcs[n].seq >= w->records[i].first_seq &&
			    verdict_is_tested(&w->records[i].arcs[n]))
				return true;
	return false;
}

/*
 * A VMM whose MIGRATION events are off, or are late, can be asked. What it says is of the
 * migration that made the last arc, so of none without an arc.
 */
static void ask_migration(struct witness *w)
{
	struct json_object *answer = NULL, *status;
	struct error err;

	if (w->migration[0] || w->broken_ns || !has_arc(w) ||
	    qmp_client_call(w->client, "query-migrate", NULL, clock_ns() + CALL_NS, &answer, &err))
		return;
	if (json_object_object_get_ex(answer, "status", &status) && status &&
	    is_end(json_object_get_string(status)))
		snprintf(w->migration, sizeof(w->migration), "%s", json_object_get_string(status));
	json_object_put(answer);
}

bool witness_state(struct witness *w, size_t i, uint32_t *ret_state)
{
	struct lab *lab = w->devices[i].lab;
	struct error err;
	char *text;
	int ret;

	if (!lab)
		return traced_state(tracing_seen(w->tracing), i, ret_state);
	if (lab->ops->read(lab, "state", &text, &err)) {
		log_info("%s: where it is cannot be read: %s", w->opt->targets[i].id, err.text);
		return false;
	}
	text[strcspn(text, "\n")] = '\0';
	ret = device_state_parse(text, ret_state);
	free(text);
	return !ret;
}

int witness_runs(struct witness *w)
{
	struct json_object *answer = NULL, *running;
	struct error err;
	int ret = -1;

	if (w->broken_ns || qmp_client_call(w->client, "query-status", NULL, clock_ns() + CALL_NS,
					    &answer, &err))
		return -1;
	if (json_object_object_get_ex(answer, "running", &running))
		ret = json_object_get_boolean(running);
	json_object_put(answer);
	return ret;
}

const char *witness_migration(const struct witness *w)
{
	return w->migration[0] ? w->migration : NULL;
}

/*
 * The receipts that the trace has among its arcs: of a device that it is the only witness of,
 * the order in the buffer decides, and no clock. Where it has the VMM's own write of what was
 * received, that one counts: nobody can hold such an arc until the judge has been awake.
 */
static void order_receipts(struct witness *w)
{
	for (size_t i = 0; i < w->receipt_count; i++) {
		struct verdict_receipt *r = &w->receipts[i];
		uint64_t ns = tracing_marked(w->tracing, i), sent_ns = 0;

		if (!ns || r->device < 0 || w->devices[r->device].lab)
			continue;
		if (r->event == VERDICT_PREPARE)
			sent_ns = traced_sent(tracing_seen(w->tracing), r->id,
					      w->records[r->device].pid, ns);
		r->received_ns = sent_ns ? sent_ns : ns;
	}
}

/* Takes what the trace has: as the history of a device that keeps none, else to compare them. */
static void hear_trace(struct witness *w, uint64_t read_ns)
{
	for (size_t i = 0; i < w->opt->target_count; i++) {
		const struct traced_device *traced = &tracing_seen(w->tracing)->devices[i];
		struct witness_device *dev = &w->devices[i];
		struct verdict_device *record = &w->records[i];

		if (!dev->name[0])
			continue;
		if (!dev->lab) {
			point_to_trace(w, i);
			continue;
		}
		record->witnesses = 2;
		if (!traced_agrees(record->arcs, record->count, traced->arcs, traced->count,
				   record->since_ns, read_ns, dev->disagreement))
			record->disagreement = dev->disagreement;
	}
}

const struct contract_record *witness_asked(const struct witness *w, size_t *ret_count)
{
	static const struct contract_record none;

	for (size_t i = 0; i < w->opt->target_count; i++)
		if (!w->tracing || !w->devices[i].name[0])
			return NULL;
	*ret_count = tracing_seen(w->tracing)->asked_count;
	return *ret_count ? tracing_seen(w->tracing)->asked : &none;
}

int witness_collect(struct witness *w, struct verdict_input *ret_in, struct error *err)
{
	uint64_t begin_ns = clock_ns(), read_ns;
	uint64_t leave_ns = w->opt->settle && !w->broken_ns ? begin_ns + LEAVE_NS : 0;
	int ret;

	for (;;) {
		read_ns = clock_ns();
		ret = read_histories(w, read_ns, leave_ns, err);
		if (ret <= 0 || read_ns >= begin_ns + SETTLE_NS)
			break;
		poll(NULL, 0, SETTLE_POLL_MS);
		ret = take_events(w, err);
		if (ret >= 0)
			ret = release_waiting(w, err);
		if (ret < 0)
			break;
	}
	if (ret < 0)
		return ret;
	fetch_the_rest(w);
	ask_migration(w);
	ret = take_events(w, err);
	if (ret < 0)
		return ret;
	if (w->tracing) {
		ret = tracing_take(w->tracing, true, err);
		if (ret)
			return ret;
		order_receipts(w);
		hear_trace(w, read_ns);
	}
	*ret_in = (struct verdict_input){
		.devices = w->records,
		.device_count = w->opt->target_count,
		.receipts = w->receipts,
		.receipt_count = w->receipt_count,
		.broken_ns = w->broken_ns,
		.until_ns = read_ns,
		.noise_ns = VERDICT_NOISE_NS,
		.lead_ns = VERDICT_LEAD_NS,
		.hold_ns = w->opt->hold ? HOLD_LIMIT_US * NSEC_PER_USEC : 0,
		.expected = -1,
	};
	return 0;
}
