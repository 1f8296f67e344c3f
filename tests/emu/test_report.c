// SPDX-License-Identifier: GPL-2.0-only
/* miglab migrate --report: what it writes can be opened by those that it is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#define MIGRATE	"\"${MIGLAB:-build/miglab}\" migrate --report "
#define PROVED	"'emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000'"
#define PAIR	" --from " PROVED " --to emu"

static char dir[] = "/tmp/miglab-test-XXXXXX";

/* The status of a shell's line in the directory's parent; %s is the directory. */
static int sh(const char *fmt)
{
	char *line;
	int status;

	assert_true(asprintf(&line, fmt, dir, dir, dir) > 0);
	status = system(line);
	free(line);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static char *slurp(const char *name)
{
	char path[128], *text = NULL;
	size_t size = 0;
	FILE *in;

	snprintf(path, sizeof(path), "%s/report/%s", dir, name);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_true(getdelim(&text, &size, '\0', in) > 0);
	fclose(in);
	return text;
}

/* --- the rules of trace events ---------------------------------------------- */

static struct json_object *member(struct json_object *e, const char *key)
{
	return json_object_object_get(e, key);
}

static double number(struct json_object *e, const char *key)
{
	return json_object_get_double(member(e, key));
}

static bool is_number(struct json_object *e, const char *key)
{
	enum json_type type = json_object_get_type(member(e, key));

	return (type == json_type_int || type == json_type_double) && number(e, key) >= 0;
}

static bool is_text(struct json_object *e, const char *key)
{
	return json_object_is_type(member(e, key), json_type_string);
}

/* What is wrong with an event by itself; NULL: nothing. */
static const char *event_fault(struct json_object *e)
{
	const char *phase = is_text(e, "ph") ? json_object_get_string(member(e, "ph")) : "";

	if (!is_text(e, "name") || !is_number(e, "pid") || !is_number(e, "tid"))
		return "an event without name, pid or tid";
	if (!strcmp(phase, "X"))
		return is_number(e, "ts") && is_number(e, "dur") ? NULL :
		       "a complete event without ts or dur";
	if (!strcmp(phase, "i"))
		return is_number(e, "ts") && is_text(e, "s") ? NULL :
		       "an instant without ts or scope";
	if (!strcmp(phase, "M"))
		return is_text(member(e, "args"), "name") ? NULL : "metadata without a name";
	return "an unknown phase";
}

static bool is_complete(struct json_object *e)
{
	return !strcmp(json_object_get_string(member(e, "ph")), "X");
}

static bool same_track(struct json_object *a, struct json_object *b)
{
	return number(a, "pid") == number(b, "pid") && number(a, "tid") == number(b, "tid");
}

/* Half a nanosecond is what a double makes of them. */
static bool overlap(struct json_object *a, struct json_object *b)
{
	return number(a, "ts") + 0.0005 < number(b, "ts") + number(b, "dur") &&
	       number(b, "ts") + 0.0005 < number(a, "ts") + number(a, "dur");
}

static const char *trace_fault(struct json_object *trace)
{
	struct json_object *events = member(trace, "traceEvents");
	size_t count = json_object_is_type(events, json_type_array) ?
		       json_object_array_length(events) : 0;

	for (size_t i = 0; i < count; i++) {
		struct json_object *e = json_object_array_get_idx(events, i);
		const char *fault = event_fault(e);

		if (fault)
			return fault;
		for (size_t n = 0; is_complete(e) && n < i; n++) {
			struct json_object *other = json_object_array_get_idx(events, n);

			if (is_complete(other) && same_track(e, other) && overlap(e, other))
				return "complete events overlap on a track";
		}
	}
	return count ? NULL : "no events";
}

static size_t count_events(struct json_object *trace, const char *category)
{
	struct json_object *events = member(trace, "traceEvents");
	size_t found = 0;

	for (size_t i = 0; i < json_object_array_length(events); i++) {
		struct json_object *e = json_object_array_get_idx(events, i);

		found += is_text(e, "cat") &&
			 !strcmp(json_object_get_string(member(e, "cat")), category);
	}
	return found;
}

/* --- four devices ------------------------------------------------------------ */

static int make_report(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return sh(MIGRATE "%s/report" PAIR PAIR PAIR PAIR " >%s/out");
}

static int remove_report(void **state)
{
	(void)state;
	return sh("rm -r %s");
}

static void test_svg(void **state)
{
	(void)state;
	assert_int_equal(sh("xmllint --noout %s/report/timeline.svg"), 0);
	assert_int_equal(sh("rsvg-convert %s/report/timeline.svg -o %s/light.png"), 0);
	assert_int_equal(sh("head -c 8 %s/light.png | od -An -c | grep -q 'P   N   G'"), 0);
	/* Dark is the same with the rules that are for dark, and looks different. */
	assert_int_equal(sh("sed '/^@media/d; /^}$/d' %s/report/timeline.svg | "
			    "rsvg-convert -o %s/dark.png"), 0);
	assert_int_equal(sh("cmp -s %s/light.png %s/dark.png"), 1);
	/* One that is cut off is neither. */
	assert_int_equal(sh("head -c 9000 %s/report/timeline.svg >%s/cut.svg"), 0);
	assert_int_not_equal(sh("xmllint --noout %s/cut.svg 2>%s/why"), 0);
	assert_int_not_equal(sh("rsvg-convert %s/cut.svg -o %s/cut.png 2>%s/why"), 0);
}

static void test_trace(void **state)
{
	char *text = slurp("trace.json");
	struct json_object *trace = json_tokener_parse(text), *events, *first;

	(void)state;
	assert_non_null(trace);
	if (trace_fault(trace))
		fail_msg("trace.json: %s", trace_fault(trace));
	assert_int_equal(count_events(trace, "deaf"), 4);
	assert_int_equal(count_events(trace, "prepare"), 4);
	assert_true(count_events(trace, "arc") >= 4 * 8);
	/* The check sees an overlap, and a half of an event. */
	events = member(trace, "traceEvents");
	for (size_t i = 0; ; i++) {
		first = json_object_array_get_idx(events, i);
		if (is_complete(first) && number(first, "dur") > 1)
			break;
	}
	json_object_array_add(events, json_object_get(first));
	assert_string_equal(trace_fault(trace), "complete events overlap on a track");
	json_object_object_del(first, "dur");
	assert_string_equal(trace_fault(trace), "a complete event without ts or dur");
	json_object_put(trace);
	free(text);
}

static void test_summary(void **state)
{
	static const char *const parts[] = {
		"src-downtime-start -> src-vm-stopped: ", "Device SAVE of vf3 took ", "\nvf0  ",
		"dst-precopy-loadvm-completed -> dst-precopy-bh-vm-started: ", "\n  deaf  ",
	};
	char *text = slurp("summary.txt");

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strstr(text, parts[i]))
			fail_msg("\"%s\" is not in %s", parts[i], text);
	free(text);
}

/* Nothing but the three, and a report of the next migration takes their place. */
static void test_files(void **state)
{
	(void)state;
	assert_int_equal(sh("test \"$(ls -A %s/report | tr '\\n' ' ')\" = "
			    "'summary.txt timeline.svg trace.json '"), 0);
	assert_int_equal(sh(MIGRATE "%s/report" PAIR " >%s/out"), 0);
	assert_int_equal(sh("grep -q ^vf3 %s/report/summary.txt"), 1);
	assert_int_equal(sh("grep -q ^vf0 %s/report/summary.txt"), 0);
}

/* A migration that fails is what a report is for. */
static void test_failed(void **state)
{
	(void)state;
	assert_int_equal(sh(MIGRATE "%s/failed --from "
			    "'emu:rules=arc=PRE_COPY_P2P>STOP_COPY errno=EIO' --to emu >%s/out "
			    "2>%s/why"), 1);
	assert_int_equal(sh("grep -q 'PRE_COPY_P2P > STOP_COPY .*Input/output' "
			    "%s/failed/summary.txt"), 0);
	assert_int_equal(sh("grep -q '^source: failed, destination: failed$' "
			    "%s/failed/summary.txt"), 0);
	assert_int_equal(sh("grep -q '>source: failed, destination: failed<' "
			    "%s/failed/timeline.svg"), 0);
	assert_int_equal(sh("xmllint --noout %s/failed/timeline.svg"), 0);
}

/* Said before the migration: no line of it is printed. It is the system's fault, not the user's. */
static void test_unwritable(void **state)
{
	(void)state;
	assert_int_equal(sh(MIGRATE "%s/out/report" PAIR " >%s/none 2>%s/why"), 3);
	assert_int_equal(sh("grep -q 'cannot be written: Not a directory' %s/why"), 0);
	assert_int_equal(sh("test -s %s/none"), 1);
	assert_int_equal(sh("mkdir -p %s/taken/trace.json"), 0);
	assert_int_equal(sh(MIGRATE "%s/taken" PAIR " >%s/none 2>%s/why"), 3);
	assert_int_equal(sh("grep -q 'trace.json cannot be written: Is a directory' %s/why"), 0);
	assert_int_equal(sh("test \"$(ls -A %s/taken)\" = trace.json"), 0);
	assert_int_equal(sh(MIGRATE "/proc/%.0s" PAIR " >%s/none 2>%s/why"), 3);
	assert_int_equal(sh("test -s %s/none"), 1);
	assert_int_equal(sh(MIGRATE "''%.0s" PAIR " >%s/none 2>%s/why"), 3);
}

/* With its parents, and as open to others as the user's umask has it; it says where it is. */
static void test_made(void **state)
{
	(void)state;
	assert_int_equal(sh("umask 027; " MIGRATE "%s/a/b//c/" PAIR " >%s/out"), 0);
	assert_int_equal(sh("test \"$(stat -c %%a %s/a/b/c/summary.txt)\" = 640"), 0);
	assert_int_equal(sh("test \"$(stat -c %%a %s/a/b)\" = 750"), 0);
	assert_int_equal(sh("grep -q '^report: .*/a/b//c//summary.txt, timeline.svg and "
			    "trace.json$' %s/out"), 0);
	assert_int_equal(sh("tail -n 1 %s/out | grep -q ^PASS:"), 0);
	assert_int_equal(sh("head -n 1 %s/a/b/c/summary.txt | grep -q '^PASS: the state arrived'"),
			 0);
	assert_int_equal(sh("grep -q 'fingerprints equal: crc32c:' %s/a/b/c/summary.txt"), 0);
	assert_int_equal(sh("umask 0; " MIGRATE "%s/open" PAIR " --json >%s/out"), 0);
	assert_int_equal(sh("test \"$(stat -c %%a %s/open/trace.json)\" = 666"), 0);
	/* The judge's lines are text there, whatever else is JSON. */
	assert_int_equal(sh("grep -q '{' %s/open/summary.txt"), 1);
	assert_int_equal(sh("grep -q '^vf0 emu .*PASS' %s/open/summary.txt"), 0);
	assert_int_equal(sh("grep -q '\"report\":\".*/open\"' %s/out"), 0);
}

/* Each table is in the order of time. */
static void test_order(void **state)
{
	(void)state;
	assert_int_equal(sh("awk '/^  side/ { at = 0; next } "
			    "/^  (source|destination|deaf) / { "
			    "t = substr($0, 42, 10) + 0; "
			    "n++; if (t < at) bad = 1; at = t } "
			    "END { exit bad || n < 40 }' %s/report/summary.txt"), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_svg),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_summary),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_made),
	};

	return cmocka_run_group_tests(tests, make_report, remove_report);
}
