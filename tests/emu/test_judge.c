// SPDX-License-Identifier: GPL-2.0-only
/*
 * The whole judge against a VMM that follows a script: a QMP server with emulated
 * devices, which announces its transitions properly or does not.
 *
 * The script begins when the judge enables MIGRATION events, its last act before it
 * listens; what has to come before or after an arc is before or after it in the script.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "device/lab.h"
#include "device/ops.h"
#include "judge/judge.h"
#include "qmp/events.h"
#include "qmp/server.h"

#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))
#define DEVICES		2
#define STEPS_MAX	12
#define HOLD		"arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000"
#define SHORT_HOLD	"arc=PRE_COPY>PRE_COPY_P2P hold limit_us=100000"
#define SLOW		"arc=PRE_COPY>PRE_COPY_P2P delay_us=100000"

enum act {
	END_OF_SCRIPT,
	SET,		/* device, state */
	SAY,		/* device, state: a VFIO_MIGRATION event */
	STATUS,		/* of MIGRATION */
	NULLS,		/* events whose members are null */
	HEARD,		/* wait until the judge, which releases, has the event that was said last */
	STARVE,		/* the judge has waited a minute for a processor */
	INTERRUPT,	/* the user wants the verdict now */
	DIE,		/* close the QMP socket */
};

struct step {
	enum act act;
	int device;
	int state;
	const char *status;
};

#define ENTER(dev)	{ SET, dev, VFIO_DEVICE_STATE_PRE_COPY, NULL }
#define LEAVE(dev)	{ SET, dev, VFIO_DEVICE_STATE_RUNNING, NULL }
#define P2P(dev)	{ SET, dev, VFIO_DEVICE_STATE_PRE_COPY_P2P, NULL }
#define STOP_COPY(dev)	{ SET, dev, VFIO_DEVICE_STATE_STOP_COPY, NULL }
#define PREPARE(dev)	{ SAY, dev, QMP_VFIO_PRE_COPY_P2P_PREPARE, NULL }
#define DONE(dev)	{ SAY, dev, QMP_VFIO_PRE_COPY_P2P, NULL }
#define RUN(dev)	{ SET, dev, VFIO_DEVICE_STATE_RUNNING, NULL }
#define HEARD_IT	{ HEARD, 0, 0, NULL }
#define STARVED		{ STARVE, 0, 0, NULL }
#define INTERRUPTED	{ INTERRUPT, 0, 0, NULL }
#define COMPLETED	{ STATUS, 0, 0, "completed" }
#define FAILED		{ STATUS, 0, 0, "failed" }
#define CANCELLED	{ STATUS, 0, 0, "cancelled" }

struct row {
	const char *name;
	const char *rules;
	struct step steps[STEPS_MAX];
	bool release;
	bool thief;		/* somebody else releases what the judge is about to */
	int expected;		/* 0: any number */
	uint64_t lead_ns;	/* 0: no limit */
	size_t devices;		/* judged; 0: 1 */
	const char *property;	/* what qom-get says: "on", "off", "no device"; NULL: an error */
	const char *migration;	/* what query-migrate says; NULL: nothing */
	bool older;		/* the first device has made an arc before the judge began */
	bool json;
	int result;
	const char *out;	/* a part of what the judge prints; NULL: nothing to find */
	const char *last;	/* the end of it; NULL: not looked at */
	const char *error;	/* a part of the sentence, when there is no verdict */
};

static const struct row rows[] = {
	{ .name = "announced, held and released", .rules = HOLD, .release = true, .expected = 1,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), DONE(0), COMPLETED },
	  .result = 0, .out = " it   BEFORE  PASS\n",
	  .last = "result: 1 transition judged, migration completed, history: emulated (same "
		  "process)   PASS\n" },
	{ .name = "announced on the way to stop-copy", .rules = HOLD, .release = true,
	  .expected = 1, .steps = { ENTER(0), PREPARE(0), HEARD_IT, STOP_COPY(0), COMPLETED },
	  .result = 0, .out = "   BEFORE  PASS" },
	{ .name = "announced, by clock or by hold", .rules = HOLD, .release = true, .expected = 1,
	  .steps = { ENTER(0), PREPARE(0), P2P(0), DONE(0), COMPLETED },
	  .result = 0, .last = "  PASS\n" },
	{ .name = "announced too early", .rules = HOLD, .release = true, .expected = 1,
	  .lead_ns = 1, .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), DONE(0), COMPLETED },
	  .result = 1, .out = " ms before it, more than 0 ms   EARLY  FAIL\n",
	  .last = "   FAIL\n" },
	{ .name = "not announced", .rules = SLOW, .expected = 1,
	  .steps = { ENTER(0), P2P(0), DONE(0), COMPLETED },
	  .result = 1, .out = "  no prepare   MISSING  FAIL\n" },
	{ .name = "not announced and held: fails at the hold's limit", .rules = SHORT_HOLD,
	  .release = true, .expected = 1, .steps = { ENTER(0), P2P(0), FAILED },
	  .result = 1, .out = "failed (timed out)  no prepare   MISSING  FAIL\n" },
	{ .name = "announced when it is done", .rules = SLOW, .expected = 1,
	  .steps = { ENTER(0), P2P(0), PREPARE(0), DONE(0), COMPLETED },
	  .result = 1, .out = "   LATE  FAIL" },
	{ .name = "announced when it is done, as far as a starved judge can tell", .rules = SLOW,
	  .expected = 1, .steps = { ENTER(0), P2P(0), STARVED, PREPARE(0), DONE(0), COMPLETED },
	  .result = 3, .out = "   INCONCLUSIVE\n", .last = "   INCONCLUSIVE\n" },
	{ .name = "announced twice", .rules = HOLD, .release = true, .expected = 1,
	  .steps = { ENTER(0), PREPARE(0), PREPARE(0), P2P(0), DONE(0), COMPLETED },
	  .result = 1, .out = "2 times   DUPLICATE  FAIL" },
	{ .name = "another device is announced", .rules = SLOW, .devices = 2,
	  .steps = { ENTER(0), ENTER(1), PREPARE(1), P2P(0), COMPLETED },
	  .result = 1, .out = "vf1 emu  PRE_COPY -> PRE_COPY_P2P  a prepare without an "
			      "arc that follows   STRAY  FAIL" },
	{ .name = "two devices, interleaved", .rules = HOLD, .release = true, .expected = 1,
	  .devices = 2,
	  .steps = { ENTER(0), ENTER(1), PREPARE(1), PREPARE(0), P2P(0), P2P(1), DONE(1), DONE(0),
		     COMPLETED },
	  .result = 0, .out = "vf1 emu  PRE_COPY -> PRE_COPY_P2P  arc" },
	{ .name = "announced, cancelled, and tried again without: nothing lets it go",
	  .rules = SHORT_HOLD, .release = true, .expected = 1,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, LEAVE(0), ENTER(0), P2P(0), FAILED },
	  .result = 1, .out = "failed (timed out)  no prepare   MISSING  FAIL" },
	{ .name = "released by somebody else in that moment: not claimed", .rules = HOLD,
	  .release = true, .thief = true, .expected = 1,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), COMPLETED }, .result = 0,
	  .out = " ms before it   BEFORE  PASS" },
	{ .name = "two devices, one without an arc", .rules = HOLD, .release = true, .devices = 2,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), DONE(0), COMPLETED },
	  .result = JUDGE_SKIPPED, .out = "  no arc; its history is empty   N/A\n",
	  .last = "1 transition judged, 1 device made none, migration completed, history: emulated "
		  "(same process)   N/A\n" },
	{ .name = "events with nothing in them", .rules = HOLD, .release = true, .expected = 1,
	  .steps = { ENTER(0), { NULLS, 0, 0, NULL }, PREPARE(0), HEARD_IT, P2P(0), COMPLETED },
	  .result = 0, .out = "   BEFORE  PASS" },
	{ .name = "no arc", .steps = { ENTER(0), COMPLETED }, .result = JUDGE_SKIPPED,
	  .out = "  no arc; it went RUNNING -> PRE_COPY   N/A\n", .last = "   N/A\n" },
	{ .name = "no arc, one expected", .expected = 1, .steps = { ENTER(0), COMPLETED },
	  .result = 1, .out = "0 arcs, 1 expected; it went RUNNING -> PRE_COPY   N/A  FAIL" },
	{ .name = "announced for nothing", .rules = HOLD, .release = true,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, COMPLETED }, .result = 1,
	  .out = "   STRAY  FAIL\n" },
	{ .name = "cancelled before the arc", .rules = HOLD, .release = true,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, RUN(0), CANCELLED }, .result = JUDGE_SKIPPED,
	  .out = "a prepare, then the migration was given up   WITHDRAWN\n",
	  .last = "migration cancelled, history: emulated (same process)   N/A\n" },
	{ .name = "cancelled, and migrated again", .rules = HOLD, .release = true, .expected = 1,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, RUN(0), ENTER(0), PREPARE(0), P2P(0), DONE(0),
		     COMPLETED }, .result = 0, .out = "   WITHDRAWN\n", .last = "  PASS\n" },
	{ .name = "interrupted, nothing judged", .steps = { ENTER(0), INTERRUPTED },
	  .result = JUDGE_SKIPPED, .last = "did not end (interrupted), history: emulated (same "
					   "process)   N/A\n" },
	{ .name = "interrupted before the end", .rules = HOLD, .release = true,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), DONE(0), INTERRUPTED },
	  .result = 3, .out = "   BEFORE  PASS\n", .last = "   INCONCLUSIVE\n" },
	{ .name = "interrupted before the end, and something is wrong",
	  .steps = { ENTER(0), P2P(0), DONE(0), INTERRUPTED }, .result = 1, .last = "   FAIL\n" },
	{ .name = "interrupted while it goes on", .rules = HOLD, .release = true,
	  .migration = "active",
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), DONE(0), INTERRUPTED },
	  .result = 3, .last = "   INCONCLUSIVE\n" },
	{ .name = "interrupted, and query-migrate knows the end", .rules = HOLD, .release = true,
	  .migration = "completed",
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), DONE(0), INTERRUPTED },
	  .result = 0, .last = "migration completed, history: emulated (same process)   PASS\n" },
	{ .name = "interrupted, and query-migrate knows the end, as JSON", .rules = HOLD,
	  .release = true, .migration = "completed", .json = true,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), DONE(0), INTERRUPTED }, .result = 0,
	  .last = "\"result\":\"PASS\",\"pass\":true,\"ended\":\"migration\",\"migration\":"
		  "\"completed\",\"arcs\":1,\"held\":0,\"without\":0}\n" },
	{ .name = "interrupted, as JSON", .json = true, .steps = { ENTER(0), INTERRUPTED },
	  .result = JUDGE_SKIPPED,
	  .last = "\"ended\":\"interrupted\",\"arcs\":0,\"held\":0,\"without\":1}\n" },
	{ .name = "interrupted, and query-migrate knows an older one", .migration = "completed",
	  .older = true, .rules = SLOW,
	  .steps = { ENTER(0), INTERRUPTED }, .result = JUDGE_SKIPPED,
	  .last = "did not end (interrupted), history: emulated (same process)   N/A\n" },
	{ .name = "the completion event comes after the end of the migration", .rules = HOLD,
	  .release = true, .expected = 1,
	  .steps = { ENTER(0), PREPARE(0), HEARD_IT, P2P(0), COMPLETED, DONE(0) },
	  .result = 0, .out = "   BEFORE  PASS" },
	{ .name = "the VMM dies", .steps = { ENTER(0), { DIE, 0, 0, NULL } }, .result = -EPIPE,
	  .error = "vf0" },
	{ .name = "events are on", .property = "on", .steps = { ENTER(0), COMPLETED },
	  .result = JUDGE_SKIPPED },
	{ .name = "events are off", .property = "off", .result = -EOPNOTSUPP,
	  .error = "sends no events of vf0: start it with migration-events=on" },
	{ .name = "a device that the VMM does not have", .property = "no device",
	  .result = -ENODEV, .error = "has no device vf0" },
};

/* The VMM. */
struct vmm {
	const struct row *row;
	char uri[64];
	struct loop *loop;
	struct qmp_server *server;
	struct device *devices[DEVICES];
	pthread_t control, script;
	bool scripted;			/* the script has begun */
	const struct step *say;		/* for the control thread; NULL: end */
	sem_t said, heard;
	int interrupt[2];
	char schedstat[64];
};

static int interrupt_fd;		/* of the VMM that is on: a new descriptor each time */

static int find_device(struct json_object *args)
{
	const char *id = json_object_get_string(json_object_object_get(args, "device"));

	return id[2] - '0';
}

static int do_read(void *opaque, struct json_object *args, struct json_object **ret,
		   struct qmp_error *err)
{
	const char *name = json_object_get_string(json_object_object_get(args, "attribute"));
	struct vmm *vmm = opaque;
	struct lab *lab = vmm->devices[find_device(args)]->lab;
	char *text;

	/* The judge looks there when it has a prepare event, and not before. */
	if (!strcmp(name, "held"))
		sem_post(&vmm->heard);
	if (lab->ops->read(lab, name, &text, &err->error))
		return -EINVAL;
	*ret = json_object_new_object();
	json_object_object_add(*ret, "text", json_object_new_string(text));
	free(text);
	return 0;
}

static void steal(struct lab *lab, const char *text)
{
	bool held = true;
	struct error err;
	char *now;

	assert_int_equal(lab->ops->write(lab, "release", text, &err), 0);
	while (held) {
		assert_int_equal(lab->ops->read(lab, "held", &now, &err), 0);
		held = strcmp(now, "none\n");
		free(now);
		sched_yield();
	}
}

static int do_write(void *opaque, struct json_object *args, struct json_object **ret,
		    struct qmp_error *err)
{
	const char *name = json_object_get_string(json_object_object_get(args, "attribute"));
	const char *text = json_object_get_string(json_object_object_get(args, "text"));
	struct vmm *vmm = opaque;
	struct lab *lab = vmm->devices[find_device(args)]->lab;

	(void)ret;
	if (vmm->row->thief && !strcmp(name, "release"))
		steal(lab, text);
	return lab->ops->write(lab, name, text, &err->error);
}

static int do_status(void *opaque, struct json_object *args, struct json_object **ret,
		     struct qmp_error *err)
{
	(void)opaque;
	(void)args;
	(void)ret;
	(void)err;
	return 0;
}

static int do_qom_get(void *opaque, struct json_object *args, struct json_object **ret,
		      struct qmp_error *err)
{
	const char *property = ((struct vmm *)opaque)->row->property;

	(void)args;
	if (!property)
		return qmp_fail(err, QMP_GENERIC_ERROR, "Property not found");
	if (!strcmp(property, "no device"))
		return qmp_fail(err, QMP_DEVICE_NOT_FOUND, "Device not found");
	*ret = json_object_new_boolean(!strcmp(property, "on"));
	return 0;
}

static int do_query_migrate(void *opaque, struct json_object *args, struct json_object **ret,
			    struct qmp_error *err)
{
	const char *migration = ((struct vmm *)opaque)->row->migration;

	(void)args;
	(void)err;
	*ret = json_object_new_object();
	if (migration)
		json_object_object_add(*ret, "status", json_object_new_string(migration));
	return 0;
}

/* Waits until the control thread has done @step. */
static void say(struct vmm *vmm, const struct step *step)
{
	vmm->say = step;
	loop_wake(vmm->loop);
	sem_wait(&vmm->said);
}

static void write_schedstat(const struct vmm *vmm, const char *text)
{
	FILE *out = fopen(vmm->schedstat, "w");

	assert_non_null(out);
	fprintf(out, "%s\n", text);
	fclose(out);
}

static void *play_script(void *opaque)
{
	struct vmm *vmm = opaque;
	const struct step *step;
	struct error err;

	for (step = vmm->row->steps; step->act; step++) {
		struct device *dev = vmm->devices[step->device];

		if (step->act == SET)
			dev->ops->set_state(dev, step->state, &err);
		else if (step->act == HEARD)
			sem_wait(&vmm->heard);
		else if (step->act == STARVE)
			write_schedstat(vmm, "1 60000000000 1");
		else if (step->act == INTERRUPT)
			assert_int_equal(write(vmm->interrupt[1], "", 1), 1);
		else
			say(vmm, step);
	}
	return NULL;
}

static int do_capabilities(void *opaque, struct json_object *args, struct json_object **ret,
			   struct qmp_error *err)
{
	struct vmm *vmm = opaque;

	(void)args;
	(void)ret;
	(void)err;
	if (!vmm->scripted)
		assert_int_equal(pthread_create(&vmm->script, NULL, play_script, vmm), 0);
	vmm->scripted = true;
	return 0;
}

static const struct qmp_command commands[] = {
	{ "x-miglab-read", "device:s,attribute:s", do_read, "" },
	{ "x-miglab-write", "device:s,attribute:s,text:s", do_write, "" },
	{ "migrate-set-capabilities", "capabilities:a", do_capabilities, "" },
	{ "query-status", "", do_status, "" },
	{ "query-migrate", "", do_query_migrate, "" },
	{ "qom-get", "path:s,property:s", do_qom_get, "" },
	{ NULL, NULL, NULL, NULL },
};

/* The control thread's part of a step. */
static void on_wake(void *opaque)
{
	struct vmm *vmm = opaque;
	const struct step *step = vmm->say;
	char id[8];

	if (!step) {
		loop_stop(vmm->loop, 0);
		return;
	}
	snprintf(id, sizeof(id), "vf%d", step->device);
	if (step->act == SAY)
		qmp_server_event(vmm->server, "VFIO_MIGRATION",
				 qmp_vfio_migration_data(id, step->state));
	if (step->act == STATUS)
		qmp_server_event(vmm->server, "MIGRATION", qmp_migration_data(step->status));
	if (step->act == NULLS) {
		qmp_server_event(vmm->server, "VFIO_MIGRATION",
				 json_tokener_parse("{\"device-id\": null, "
						    "\"device-state\": null}"));
		qmp_server_event(vmm->server, "MIGRATION",
				 json_tokener_parse("{\"status\": null}"));
	}
	if (step->act == DIE) {
		qmp_server_free(vmm->server);
		vmm->server = NULL;
	}
	sem_post(&vmm->said);
}

static void *serve(void *opaque)
{
	struct vmm *vmm = opaque;

	loop_run(vmm->loop);
	return NULL;
}

static void make_older_arc(struct device *dev)
{
	static const uint32_t states[] = {
		VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P,
		VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_RUNNING,
	};
	struct error err;
	size_t i;

	for (i = 0; i < ROWS(states); i++)
		assert_int_equal(dev->ops->set_state(dev, states[i], &err), 0);
}

static void start(struct vmm *vmm, const struct row *row)
{
	struct error err = { "" };
	char spec[256];
	int i;

	*vmm = (struct vmm){ .row = row };
	snprintf(vmm->uri, sizeof(vmm->uri), "unix:/tmp/miglab-test-judge-%d.qmp", getpid());
	snprintf(spec, sizeof(spec), "emu:rules=%s", row->rules ? row->rules : "");
	for (i = 0; i < DEVICES; i++)
		if (device_open(row->rules ? spec : "emu", &vmm->devices[i], &err))
			fail_msg("%s", err.text);
	sem_init(&vmm->said, 0, 0);
	sem_init(&vmm->heard, 0, 0);
	assert_int_equal(pipe(vmm->interrupt), 0);
	interrupt_fd = vmm->interrupt[0];
	snprintf(vmm->schedstat, sizeof(vmm->schedstat), "/tmp/miglab-test-judge-%d.sched",
		 getpid());
	write_schedstat(vmm, "1 0 1");
	if (row->older)
		make_older_arc(vmm->devices[0]);
	assert_int_equal(loop_new(&vmm->loop), 0);
	loop_on_wake(vmm->loop, on_wake, vmm);
	if (qmp_server_new(vmm->loop, vmm->uri, commands, vmm, &vmm->server, &err))
		fail_msg("%s", err.text);
	assert_int_equal(pthread_create(&vmm->control, NULL, serve, vmm), 0);
}

static void finish(struct vmm *vmm)
{
	int i;

	if (vmm->scripted)
		pthread_join(vmm->script, NULL);
	vmm->say = NULL;
	loop_wake(vmm->loop);
	pthread_join(vmm->control, NULL);
	qmp_server_free(vmm->server);
	loop_free(vmm->loop);
	for (i = 0; i < DEVICES; i++)
		vmm->devices[i]->ops->close(vmm->devices[i]);
	sem_destroy(&vmm->said);
	sem_destroy(&vmm->heard);
	close(vmm->interrupt[0]);
	close(vmm->interrupt[1]);
	unlink(vmm->schedstat);
}

/* The judge closes what it gets. */
static int watch_interrupts(void)
{
	return dup(interrupt_fd);
}

static void test_row(void **state)
{
	static const struct witness_target targets[DEVICES] = {
		{ "vf0", "emu" }, { "vf1", "emu" },
	};
	const struct row *row = *state;
	struct vmm vmm;
	struct judge_options opt = {
		.witness.targets = targets,
		.witness.target_count = row->devices ? row->devices : 1,
		.witness.release = row->release,
		.timeout_ns = 200 * NSEC_PER_SEC,
		.watch_interrupts = watch_interrupts,
		.lead_ns = row->lead_ns,
		.json = row->json,
		.expected = row->expected ? row->expected : -1,
	};
	struct error err = { "" };
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int result;

	start(&vmm, row);
	opt.witness.qmp = vmm.uri;
	opt.witness.schedstat = vmm.schedstat;
	result = judge_run(&opt, out, &err);
	fclose(out);
	finish(&vmm);
	if (result != row->result)
		fail_msg("ended with %d instead of %d: \"%s\"\n%s", result, row->result, err.text,
			 text);
	if (row->out && !strstr(text, row->out))
		fail_msg("\"%s\" is not in:\n%s", row->out, text);
	if (row->last && (size < strlen(row->last) ||
			  strcmp(text + size - strlen(row->last), row->last)))
		fail_msg("this does not end with \"%s\":\n%s", row->last, text);
	if (row->error && !strstr(err.text, row->error))
		fail_msg("\"%s\" is not in \"%s\"", row->error, err.text);
	assert_int_equal(strncmp(text, row->json ? "{\"listening\":" : "listening: ", 11) != 0,
			 row->error && !vmm.scripted);
	free(text);
}

int main(void)
{
	struct CMUnitTest tests[ROWS(rows)];
	size_t i;

	for (i = 0; i < ROWS(rows); i++)
		tests[i] = (struct CMUnitTest){ rows[i].name, test_row, NULL, NULL,
						(void *)&rows[i] };
	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
