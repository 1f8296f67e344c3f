// SPDX-License-Identifier: GPL-2.0-only
#include "player.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribute.h"
#include "base/clock.h"
#include "device/lab.h"
#include "device/state.h"

#define GUARD_NS	(300 * NSEC_PER_SEC)
#define SEND_NS		(5 * NSEC_PER_SEC)
#define NO_RULES	"\n"
#define ENDLESS_RATE	"1000000000"

static const char *const roles[SIDES] = { "source", "destination" };

/* A scenario as it is played. */
struct stage {
	const struct scenario *scenario;
	enum vmm_kind kind;
	const struct functions *functions;
	const char *dir;
	size_t devices;
	struct vmm vmm[SIDES];
	struct qmp_client *second[SIDES];	/* for commands that may not be answered */
	uint64_t seq[SIDES][SCENARIO_DEVICES];	/* of the last arc before it began */
};

static bool sends_to(const struct scenario *scenario, enum side side)
{
	size_t i;

	for (i = 0; scenario->steps[i].verb; i++)
		if (scenario->steps[i].side == side &&
		    (scenario->steps[i].verb == SEND || scenario->steps[i].verb == ASK))
			return true;
	return false;
}

static int set_up_devices(struct stage *s, struct error *err)
{
	const struct scenario *row = s->scenario;
	size_t side, i;
	int ret = 0;

	for (side = 0; side < SIDES; side++)
		for (i = 0; !ret && i < s->devices; i++) {
			const char *bdf = s->functions->bdf[side][i];
			const char *rules = row->rules[side][i];

			ret = attribute_write(bdf, "profile", row->profile ? row->profile : "full",
					      err);
			if (!ret)
				ret = attribute_write(bdf, "dirty_bytes_per_sec",
						      row->endless ? ENDLESS_RATE : "0", err);
			if (!ret)
				ret = attribute_write(bdf, "rules", NO_RULES, err);
			/* Those of the source begin when it has booted. */
			if (!ret && rules && side == DESTINATION)
				ret = attribute_write(bdf, "rules", rules, err);
		}
	return ret;
}

static int start_side(struct stage *s, enum side side, struct error *err)
{
	const struct vmm_plan plan = {
		.kind = side == DESTINATION && s->kind == MIGLAB_NO_PREPARE ? MIGLAB : s->kind,
		.dir = s->dir,
		.role = roles[side],
		.bdfs = s->functions->bdf[side],
		.devices = s->devices,
		.incoming = side == DESTINATION,
		.paused = side == DESTINATION ? s->scenario->waiting :
						s->scenario->beginning == NEVER_RUN,
		.capabilities = s->scenario->capabilities,
		.cpu = side,
	};
	int ret = vmm_start(&s->vmm[side], &plan, err);

	if (!ret && sends_to(s->scenario, side))
		ret = qmp_client_connect(s->vmm[side].judge_uri, clock_ns() + GUARD_NS,
					 &s->second[side], err);
	return ret;
}

/* The event with which a machine has started all its devices. */
static void last_device(const struct stage *s, const char *state, char *text, size_t size)
{
	snprintf(text, size, "V:vf%zu:%s", s->devices - 1, state);
}

/*
 * What a source does at boot is over before anybody is connected, or is not. Stopped and
 * started once it is in a state that we know, and its sequence begins there.
 */
static int settle_source(struct stage *s, struct error *err)
{
	struct vmm *vmm = &s->vmm[SOURCE];
	char running[32];
	int ret = 0;

	if (s->scenario->beginning == NEVER_RUN)
		return 0;
	last_device(s, "running", running, sizeof(running));
	ret = vmm_call(vmm, "stop", NULL, err);
	if (!ret)
		ret = vmm_await(vmm, "STOP", clock_ns() + GUARD_NS, err);
	if (!ret && s->scenario->beginning == RUNNING_FIRST)
		ret = vmm_call(vmm, "cont", NULL, err) ?:
		      vmm_await(vmm, running, clock_ns() + GUARD_NS, err);
	vmm_forget(vmm);
	return ret;
}

static int last_seq(const char *bdf, uint64_t *ret_seq, struct error *err)
{
	struct lab_arc *arcs;
	size_t count;
	char *text;
	int ret = attribute_read(bdf, "history", &text, err);

	if (ret)
		return ret;
	ret = lab_parse_history(text, &arcs, &count, err);
	free(text);
	if (ret)
		return ret;
	*ret_seq = count ? arcs[count - 1].seq : 0;
	free(arcs);
	return 0;
}

static int note_beginning(struct stage *s, struct error *err)
{
	size_t side, i;
	int ret = 0;

	for (side = 0; side < SIDES; side++)
		for (i = 0; !ret && i < s->devices; i++)
			ret = last_seq(s->functions->bdf[side][i], &s->seq[side][i], err);
	for (i = 0; !ret && i < s->devices; i++)
		if (s->scenario->rules[SOURCE][i])
			ret = attribute_write(s->functions->bdf[SOURCE][i], "rules",
					      s->scenario->rules[SOURCE][i], err);
	return ret;
}

static int migrate(struct stage *s, struct error *err)
{
	char uri[256];

	snprintf(uri, sizeof(uri), "unix:%s/migration", s->dir);
	return vmm_command(&s->vmm[SOURCE], "migrate", uri, err);
}

static int incoming(struct stage *s, struct error *err)
{
	char json[512];

	snprintf(json, sizeof(json), "{\"uri\": \"unix:%s/migration\", \"exit-on-error\": false}",
		 s->dir);
	return vmm_call(&s->vmm[DESTINATION], "migrate-incoming", json, err);
}

static bool is_held(const char *text)
{
	return strcmp(text, "none\n");
}

static bool has_acted(const char *text)
{
	return !strstr(text, "rules_acted 0\n");
}

/* Until an attribute says what is waited for; @complaint if it never does. */
static int wait_until(const char *bdf, const char *name, bool (*says)(const char *text),
		      const char *complaint, struct error *err)
{
	uint64_t deadline_ns = clock_ns() + GUARD_NS;

	for (;;) {
		char *text;
		int ret = attribute_read(bdf, name, &text, err);
		bool now = !ret && says(text);

		if (ret)
			return ret;
		free(text);
		if (now)
			return 0;
		if (clock_ns() > deadline_ns)
			return error_set(err, -ETIMEDOUT, "%s: %s", bdf, complaint);
		poll(NULL, 0, 10);
	}
}

/* What the old process said stays in the sequence. */
static int renew(struct stage *s, enum side side, struct error *err)
{
	struct vmm old = s->vmm[side];
	int ret;

	vmm_stop(&s->vmm[side]);
	ret = start_side(s, side, err);
	memcpy(s->vmm[side].sequence, old.sequence, sizeof(old.sequence));
	memcpy(s->vmm[side].at_ns, old.at_ns, sizeof(old.at_ns));
	s->vmm[side].count = old.count;
	s->vmm[side].awaited = strlen(old.sequence);
	return ret ? ret : incoming(s, err);
}

/*
 * An answer that does not come while the machine is blocked comes later, and is dropped. QEMU is
 * until an arc that is held goes on, however long one waits; ours owes its answer, however long it
 * takes on a busy host.
 */
static void send_command(struct stage *s, const struct step *step)
{
	bool owed = step->verb == ASK && s->kind != QEMU_11;
	struct error ignored;
	int ret = qmp_client_call(s->second[step->side], step->text,
				  step->json ? json_tokener_parse(step->json) : NULL,
				  clock_ns() + (owed ? GUARD_NS : SEND_NS), NULL, &ignored);

	if (step->verb == SEND)
		return;
	vmm_drain(&s->vmm[step->side]);
	vmm_note(&s->vmm[step->side], "%s:%s", step->text, ret ? "unanswered" : "answered");
}

static int take_step(struct stage *s, const struct step *step, struct error *err)
{
	struct vmm *vmm = &s->vmm[step->side];
	const char *bdf = s->functions->bdf[step->side][step->text ? *step->text == '1' : 0];

	switch (step->verb) {
	case NOTHING:
		break;
	case AWAIT:
		return vmm_await(vmm, step->text, clock_ns() + GUARD_NS, err);
	case TELL:
		return vmm_call(vmm, step->text, step->json, err);
	case SEND:
	case ASK:
		send_command(s, step);
		return 0;
	case HELD:
		return wait_until(bdf, "held", is_held, "no arc is held", err);
	case ACTED:
		return wait_until(bdf, "stats", has_acted, "no rule acts", err);
	case RELEASE:
		return attribute_write(bdf, "release", "1", err);
	case CONVERGE:
		return vmm_call(vmm, "migrate-set-parameters", VMM_CONVERGES, err);
	case MIGRATE:
		return migrate(s, err);
	case KILL:
		kill(vmm->pid, SIGKILL);
		return vmm_await(vmm, "signal:9", clock_ns() + GUARD_NS, err);
	case RENEW:
		return renew(s, step->side, err);
	}
	return 0;
}

/* One event after the other, separated by blanks. */
static int await_all(struct vmm *vmm, const char *events, struct error *err)
{
	char *text = strdup(events), *save = NULL, *event;
	int ret = 0;

	for (event = strtok_r(text, " ", &save); !ret && event; event = strtok_r(NULL, " ", &save))
		ret = vmm_await(vmm, event, clock_ns() + GUARD_NS, err);
	free(text);
	return ret;
}

/* The last event of each side has come, and each has answered once more after it. */
static int wait_for_the_end(struct stage *s, struct error *err)
{
	char stopped[32];
	const char *last[SIDES] = { stopped, "M:completed" };
	size_t side;
	int ret = 0;

	last_device(s, "stop", stopped, sizeof(stopped));
	for (side = 0; !ret && side < SIDES; side++) {
		if (s->scenario->last[side])
			last[side] = s->scenario->last[side];
		if (s->kind != QEMU_11 && s->scenario->ours_last[side])
			last[side] = s->scenario->ours_last[side];
		if (side == SOURCE || !s->scenario->no_peer)
			ret = await_all(&s->vmm[side], last[side], err);
	}
	for (side = 0; !ret && side < SIDES; side++) {
		if (s->vmm[side].pid)
			ret = vmm_call(&s->vmm[side], "query-status", NULL, err);
		vmm_drain(&s->vmm[side]);
	}
	return ret;
}

static void add_arc(char *text, size_t device, const struct lab_arc *arc)
{
	const char *result = !arc->result ? "" :
			     arc->result < 0 ? strerrorname_np(-arc->result) : "busy";
	bool passed_through = arc->requested != arc->to;
	size_t used = strlen(text);
	int n = snprintf(text + used, SEQUENCE_MAX - used, " vf%zu:%s>%s%s%s%s%s", device,
			 device_state_name(arc->from), device_state_name(arc->to),
			 passed_through ? ".." : "",
			 passed_through ? device_state_name(arc->requested) : "",
			 *result ? "=" : "", result);

	/* What is cut off would not be compared. */
	if (n < 0 || used + n >= SEQUENCE_MAX)
		abort();
}

static int read_arcs(const struct stage *s, struct recording *ret_recording, struct error *err)
{
	struct lab_arc *arcs;
	size_t side, i, n, count;
	char *text;
	int ret;

	for (side = 0; side < SIDES; side++)
		for (i = 0; i < s->devices; i++) {
			ret = attribute_read(s->functions->bdf[side][i], "history", &text, err);
			if (ret)
				return ret;
			ret = lab_parse_history(text, &arcs, &count, err);
			free(text);
			if (ret)
				return ret;
			for (n = 0; n < count; n++)
				if (arcs[n].seq > s->seq[side][i])
					add_arc(ret_recording->arcs[side], i, &arcs[n]);
			free(arcs);
		}
	return 0;
}

/* Where the first such word of the sequence is, or the number of words. */
static size_t find_event(const struct vmm *vmm, const char *event)
{
	const char *at = vmm->sequence;
	size_t i, length = strlen(event);

	for (i = 0; i < vmm->count; i++, at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strcspn(at, " ") == length && !strncmp(at, event, length))
			break;
	}
	return i;
}

static double measure(const struct vmm *vmm, const char *from, const char *to)
{
	size_t a = from ? find_event(vmm, from) : vmm->count;
	size_t b = to ? find_event(vmm, to) : vmm->count;

	if (a >= vmm->count || b >= vmm->count)
		return -1;
	return ((double)vmm->at_ns[b] - (double)vmm->at_ns[a]) / NSEC_PER_MSEC;
}

static int perform(struct stage *s, struct error *err)
{
	const struct scenario *row = s->scenario;
	size_t i;
	int ret = set_up_devices(s, err);

	if (!ret)
		ret = start_side(s, DESTINATION, err);
	if (!ret)
		ret = start_side(s, SOURCE, err);
	if (!ret)
		ret = settle_source(s, err);
	if (!ret)
		ret = note_beginning(s, err);
	if (!ret && row->endless)
		ret = vmm_call(&s->vmm[SOURCE], "migrate-set-parameters", VMM_ENDLESS, err);
	if (!ret && !row->no_peer)
		ret = incoming(s, err);
	if (!ret)
		ret = migrate(s, err);
	for (i = 0; !ret && row->steps[i].verb; i++)
		ret = take_step(s, &row->steps[i], err);
	return ret ? ret : wait_for_the_end(s, err);
}

int play(const struct scenario *scenario, enum vmm_kind kind, const struct functions *functions,
	 const char *dir, struct recording *ret_recording, struct error *err)
{
	struct stage s = {
		.scenario = scenario,
		.kind = kind,
		.functions = functions,
		.dir = dir,
		.devices = scenario->devices ? scenario->devices : 1,
	};
	size_t side;
	int ret = perform(&s, err);

	*ret_recording = (struct recording){ 0 };
	for (side = 0; ret && side < SIDES; side++)
		vmm_drain(&s.vmm[side]);
	for (side = 0; side < SIDES; side++)
		memcpy(ret_recording->events[side], s.vmm[side].sequence, SEQUENCE_MAX);
	ret_recording->measured_ms = measure(&s.vmm[SOURCE], scenario->from, scenario->to);
	if (!ret)
		ret = read_arcs(&s, ret_recording, err);
	for (side = 0; side < SIDES; side++) {
		qmp_client_free(s.second[side]);
		vmm_stop(&s.vmm[side]);
		if (ret && s.vmm[side].role)
			print_log(s.vmm[side].log);
	}
	return ret;
}
