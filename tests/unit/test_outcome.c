// SPDX-License-Identifier: GPL-2.0-only
/* The verdict on a whole rehearsal: whatever is not as it should be fails it. */
#include "unit.h"

#include <stdbool.h>

#include "device/uapi.h"
#include "vmm/outcome.h"

#define FULL	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY)
#define NO_P2P	(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY)

static struct outcome o;

static void set_device(unsigned int i, uint32_t flags)
{
	o.device[i] = (struct outcome_device){
		.dev = { "emu", "emu" }, .known = true, .flags = flags, .judged = true,
		.quiesced = flags == FULL, .announced = flags == FULL,
		.fingerprint = { "crc32c:12345678", "crc32c:12345678" },
		.state = { "STOP", "RUNNING" },
	};
}

/* Two devices that all went well for. */
static void set_good(void)
{
	o = (struct outcome){
		.count = 2, .begun = true, .judge = OUTCOME_JUDGE_PASS,
		.machine = {
			{ .migration = "completed", .answered = true, .runstate = "postmigrate" },
			{ .migration = "completed", .answered = true, .running = true,
			  .runstate = "running" },
		},
	};
	set_device(0, FULL);
	set_device(1, FULL);
}

static void without_p2p(void)
{
	set_device(0, NO_P2P);
	set_device(1, NO_P2P);
}

static void add_memory(void)
{
	o.memory = (struct outcome_memory){
		.there = true, .checksum = { "12345678", "12345678" },
	};
}

static void add_workload(void)
{
	o.workload = (struct outcome_workload){ .kind = "edu-dma", .told = { true, true } };
}

static void good(void)
{
}

static void thrown_away(void)
{
	o.device[0].thrown_away = true;
}

static void thrown_away_unlike(void)
{
	thrown_away();
	strcpy(o.device[0].fingerprint[OUTCOME_DESTINATION], "none");
}

static void none_equal(void)
{
	strcpy(o.device[1].fingerprint[OUTCOME_SOURCE], "none");
	strcpy(o.device[1].fingerprint[OUTCOME_DESTINATION], "none");
}

static void differ(void)
{
	o.device[1].fingerprint[OUTCOME_DESTINATION][9] = '8';
}

static void foreign(void)
{
	*o.device[1].fingerprint[OUTCOME_DESTINATION] = '\0';
}

static void all_foreign(void)
{
	*o.device[0].fingerprint[OUTCOME_SOURCE] = '\0';
	foreign();
}

static void both_run(void)
{
	o.machine[OUTCOME_SOURCE].running = true;
}

static void none_runs(void)
{
	o.machine[OUTCOME_DESTINATION].running = false;
}

static void is_mute(void)
{
	o.machine[OUTCOME_DESTINATION].answered = false;
}

static void failed(void)
{
	strcpy(o.machine[OUTCOME_SOURCE].migration, "failed");
}

static void half_failed(void)
{
	strcpy(o.machine[OUTCOME_DESTINATION].migration, "failed");
}

static void cancelled(void)
{
	strcpy(o.machine[OUTCOME_SOURCE].migration, "cancelled");
}

static void judge_fails(void)
{
	o.judge = OUTCOME_JUDGE_FAIL;
}

static void judge_na(void)
{
	o.judge = OUTCOME_JUDGE_NA;
}

static void unjudged(void)
{
	o.judge = OUTCOME_UNJUDGED;
}

static void without_p2p_na(void)
{
	without_p2p();
	judge_na();
}

static void false_announcement(void)
{
	set_device(1, NO_P2P);
	o.device[1].announced = true;
}

static void memory_differs(void)
{
	add_memory();
	o.memory.checksum[OUTCOME_DESTINATION][0] = '2';
}

static void memory_unknown(void)
{
	add_memory();
	*o.memory.checksum[OUTCOME_SOURCE] = *o.memory.checksum[OUTCOME_DESTINATION] = '\0';
}

static void workload_wrong(void)
{
	add_workload();
	strcpy(o.workload.error[OUTCOME_DESTINATION], "a byte");
}

static void workload_silent(void)
{
	add_workload();
	o.workload.told[OUTCOME_SOURCE] = false;
}

static void untried(void)
{
	error_set(&o.error, 0, "interrupted");
	judge_fails();
}

static const struct {
	const char *name;
	void (*set)(void);
	const char *line;	/* the last one */
} rows[] = {
	{ "good", good,
	  "PASS: the state arrived; each transition to PRE_COPY_P2P was announced in time" },
	{ "no P2P", without_p2p,
	  "PASS: the state arrived; nothing was announced because nothing had to be (N/A)" },
	{ "no P2P, and a judge without work", without_p2p_na,
	  "PASS: the state arrived; nothing was announced because nothing had to be (N/A)" },
	{ "memory", add_memory, "PASS: the state arrived; each transition" },
	{ "workload", add_workload, "PASS: the state arrived; each transition" },
	{ "thrown away", thrown_away, "PASS: the state that could be compared arrived; each" },
	{ "thrown away, of course unlike", thrown_away_unlike,
	  "PASS: the state that could be compared arrived; each" },
	{ "one is another's", foreign, "PASS: the state that could be compared arrived; each" },
	{ "all are another's", all_foreign,
	  "PASS: the migration completed, with no state to compare (N/A); each" },
	{ "mute at the end", is_mute, "PASS: the state arrived" },
	{ "both run", both_run, "FAIL: both machines run" },
	{ "none runs", none_runs,
	  "FAIL: the migration completed, and the destination does not run" },
	{ "failed", failed, "FAIL: the migration failed" },
	{ "failed there", half_failed, "FAIL: the migration failed" },
	{ "cancelled", cancelled, "FAIL: the migration was cancelled" },
	{ "fingerprints differ", differ, "FAIL: the state of vf1 did not arrive" },
	{ "nobody looked at it", none_equal, "FAIL: the state of vf1 did not arrive" },
	{ "memory differs", memory_differs, "FAIL: the memory did not arrive" },
	{ "memory is not known", memory_unknown, "FAIL: the memory did not arrive" },
	{ "the workload", workload_wrong, "FAIL: the workload found something wrong" },
	{ "a workload that says nothing", workload_silent,
	  "FAIL: the workload found something wrong" },
	{ "the judge", judge_fails, "FAIL: the judge is not content" },
	{ "a judge without work", judge_na,
	  "FAIL: there was no transition to PRE_COPY_P2P to judge" },
	{ "no judge", unjudged, "FAIL: nobody judged it" },
	{ "announced what it has not", false_announcement,
	  "FAIL: vf1 announced PRE_COPY_P2P, which it does not have" },
	{ "not tried", untried, "N/A: interrupted" },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct error line;

		set_good();
		rows[i].set();
		outcome_last_line(&o, &line);
		if (strncmp(line.text, rows[i].line, strlen(rows[i].line)))
			fail_msg("%s: \"%s\"", rows[i].name, line.text);
	}
}

static char *text_of(void)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	outcome_text(&o, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void expect_text(const char *want)
{
	char *text = text_of();

	if (!strstr(text, want))
		fail_msg("\"%s\" is not in:\n%s", want, text);
	free(text);
}

/* Those in the same state together; a call that has not returned is another. */
static void test_states(void **state)
{
	(void)state;
	set_good();
	o.count = 5;
	for (unsigned int i = 2; i < 5; i++)
		o.device[i] = o.device[1];
	expect_text("now: the destination runs (running), vf0 to vf4 RUNNING\n");
	strcpy(o.device[0].state[OUTCOME_DESTINATION], "RUNNING_P2P");
	o.device[4].busy[OUTCOME_DESTINATION] = true;
	expect_text("(running), vf0 RUNNING_P2P, vf1 to vf3 RUNNING, vf4 RUNNING (in a call)\n");
	strcpy(o.machine[OUTCOME_SOURCE].gone, "ended with status 3");
	o.machine[OUTCOME_SOURCE].answered = false;
	expect_text("\nnow: the source ended with status 3\nnow: the destination runs");
	*o.machine[OUTCOME_SOURCE].gone = '\0';
	expect_text("\nnow: the source does not answer\n");
}

static void test_lacks(void **state)
{
	(void)state;
	set_good();
	without_p2p();
	strcpy(o.device[0].profile, "no-p2p");
	o.device[1].flags = VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P;
	expect_text("vf0 emu -> emu  no PRE_COPY_P2P (profile no-p2p)  fingerprints equal: ");
	expect_text("vf1 emu -> emu  no PRE_COPY (its flags)  fingerprints equal: ");
	set_device(1, FULL);
	o.device[1].quiesced = false;
	expect_text("vf1 emu -> emu  PRE_COPY -> PRE_COPY_P2P not made  ");
}

/* What was not begun has nothing to say. */
static void test_not_begun(void **state)
{
	char *text;

	(void)state;
	set_good();
	o.begun = false;
	text = text_of();
	assert_string_equal(text, "");
	free(text);
}

/* Objects of devices are verdicts; that of the run, and what is none, are not. */
static void test_json(void **state)
{
	struct json_object *object, *list;

	(void)state;
	set_good();
	o.judge_lines = "{\"device\": \"vf0\", \"text\": \"vf0 PASS\"}\nnoise\n"
			"{\"result\": \"PASS\", \"text\": \"all\"}\n";
	object = outcome_json(&o);
	list = json_object_object_get(object, "verdicts");
	assert_int_equal(json_object_array_length(list), 1);
	list = json_object_object_get(object, "devices");
	assert_int_equal(json_object_array_length(list), 2);
	assert_string_equal(json_object_get_string(json_object_object_get(object, "result")),
			    "PASS");
	json_object_put(object);
	expect_text("\nvf0 PASS\nnoise\nall\nnow: ");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_lacks),
		cmocka_unit_test(test_not_begun),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
