// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include <errno.h>

#include "core/fsm.h"
#include "core/rules.h"
#include "device/lab.h"
#include "device/state.h"
#include "device/uapi.h"
#include "tree.h"

#define BDF "0000:01:00.0"

static void test_history_is_parsed(void **arg)
{
	/* the module fills its lines up with blanks, an emulated device does not */
	const char *text = "7 RUNNING PRE_COPY STOP_COPY 1000 2000 0 0 42   \n"
			   "8 PRE_COPY PRE_COPY_P2P STOP_COPY 18446744073709551615 0 busy 2 42\n"
			   "9 PRE_COPY_P2P STOP_COPY STOP_COPY 3000 4000 -5 3 -1\n";
	struct lab_arc *arcs;
	struct error err;
	size_t count;

	(void)arg;
	assert_int_equal(lab_parse_history(text, &arcs, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_int_equal(arcs[0].seq, 7);
	assert_int_equal(arcs[0].from, VFIO_DEVICE_STATE_RUNNING);
	assert_int_equal(arcs[0].to, VFIO_DEVICE_STATE_PRE_COPY);
	assert_int_equal(arcs[0].requested, VFIO_DEVICE_STATE_STOP_COPY);
	assert_int_equal(arcs[0].begin_ns, 1000);
	assert_int_equal(arcs[0].end_ns, 2000);
	assert_int_equal(arcs[0].result, 0);
	assert_int_equal(arcs[0].pid, 42);
	assert_int_equal(arcs[1].to, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	assert_true(arcs[1].begin_ns == UINT64_MAX);
	assert_int_equal(arcs[1].result, 1);
	assert_int_equal(arcs[1].rule, 2);
	assert_int_equal(arcs[2].result, -EIO);
	assert_int_equal(arcs[2].pid, -1);
	free(arcs);
}

static void test_no_history_is_no_error(void **arg)
{
	struct lab_arc *arcs;
	struct error err;
	size_t count = 9;

	(void)arg;
	assert_int_equal(lab_parse_history("", &arcs, &count, &err), 0);
	assert_int_equal(count, 0);
	free(arcs);
}

static void test_malformed_history_is_refused(void **arg)
{
	static const char *const rows[] = {
		"\n",
		"1 RUNNING PRE_COPY PRE_COPY 1 2 0 0\n",
		"1 RUNNING PRE_COPY PRE_COPY 1 2 0 0 7 8\n",
		"1 RUNNING PAUSED PRE_COPY 1 2 0 0 7\n",
		"1 running PRE_COPY PRE_COPY 1 2 0 0 7\n",
		"1 RUNNING PRE_COPY PRE_COPY 1 2 5 0 7\n",
		"1 RUNNING PRE_COPY PRE_COPY 1 2 -5x 0 7\n",
		"x RUNNING PRE_COPY PRE_COPY 1 2 0 0 7\n",
		"1 RUNNING PRE_COPY PRE_COPY_P2P_AND_MORE 1 2 0 0 7\n",
	};
	const char *good = "1 RUNNING PRE_COPY PRE_COPY 1 2 0 0 7\n";

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256], sentence[256];
		struct lab_arc *arcs = NULL;
		struct error err;
		size_t count = 9;

		snprintf(text, sizeof(text), "%s%s", good, rows[i]);
		assert_int_equal(lab_parse_history(text, &arcs, &count, &err), -EINVAL);
		snprintf(sentence, sizeof(sentence), "history: line 2 is malformed: \"%.*s\"",
			 (int)strlen(rows[i]) - 1, rows[i]);
		assert_string_equal(err.text, sentence);
		assert_null(arcs);
		assert_int_equal(count, 9);
	}
}

static void test_a_cut_line_is_refused(void **arg)
{
	struct lab_arc *arcs;
	struct error err;
	size_t count;

	(void)arg;
	assert_int_equal(lab_parse_history("1 RUNNING PRE_COPY PRE_COPY 1 2 0 0 7", &arcs, &count,
					   &err), -EINVAL);
	assert_non_null(strstr(err.text, "has no end"));
}

static void test_state_names(void **arg)
{
	uint32_t state;

	(void)arg;
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(device_state_parse(device_state_name(i), &state), 0);
		assert_int_equal(state, i);
	}
	assert_string_equal(device_state_name(8), "?");
	assert_string_equal(device_state_name(VFIO_DEVICE_STATE_PRE_COPY_P2P), "PRE_COPY_P2P");
	assert_int_equal(device_state_parse("?", &state), -EINVAL);
	assert_int_equal(device_state_parse("PRE_COPY_P2", &state), -EINVAL);
}

static void test_lab_reads_and_writes_attributes(void **arg)
{
	struct lab *lab;
	struct error err;
	char *text;

	(void)arg;
	tree_function(BDF, "0x020000\n", "7", "miglab_vfio_pci");
	tree_file("old\n", "bus/pci/devices/" BDF "/miglab/rules");
	assert_int_equal(lab_open_sysfs("01:00.0", &lab, &err), 0);
	assert_string_equal(lab->witness, "kernel");
	assert_int_equal(lab->ops->read(lab, "rules", &text, &err), 0);
	assert_string_equal(text, "old\n");
	free(text);
	assert_int_equal(lab->ops->write(lab, "rules", "a=1\nb=2\n", &err), 0);
	assert_tree_file("a=1\nb=2\n", "bus/pci/devices/" BDF "/miglab/rules");
	assert_int_equal(lab->ops->read(lab, "colour", &text, &err), -ENOENT);
	assert_string_equal(err.text, "cannot read attribute colour of " BDF
			    ": No such file or directory");
	assert_int_equal(lab->ops->write(lab, "colour", "1", &err), -ENOENT);
	lab->ops->close(lab);
}

static void test_long_attributes_are_read_whole(void **arg)
{
	enum { LINES = 2000 };
	char *long_text = malloc(LINES * 10 + 1), *text;
	struct lab *lab;
	struct error err;

	(void)arg;
	for (int i = 0; i < LINES; i++)
		sprintf(long_text + i * 10, "line %04d\n", i);
	tree_function(BDF, "0x020000\n", "7", "miglab_vfio_pci");
	tree_file(long_text, "bus/pci/devices/" BDF "/miglab/history");
	assert_int_equal(lab_open_sysfs(BDF, &lab, &err), 0);
	assert_int_equal(lab->ops->read(lab, "history", &text, &err), 0);
	assert_string_equal(text, long_text);
	free(text);
	free(long_text);
	lab->ops->close(lab);
}

static void test_lab_of_other_drivers(void **arg)
{
	struct lab *lab;
	struct error err;

	(void)arg;
	tree_function(BDF, "0x020000\n", "7", "e1000e");
	assert_int_equal(lab_open_sysfs(BDF, &lab, &err), -ENXIO);
	assert_string_equal(err.text, BDF " is not bound to miglab_vfio_pci, its driver is "
			    "e1000e; run: miglab bind " BDF);
	assert_int_equal(lab_open_sysfs("02:00.0", &lab, &err), -ENODEV);
	assert_string_equal(err.text, "there is no PCI function 0000:02:00.0; `miglab list` shows "
			    "those that are");
	assert_int_equal(lab_open_sysfs("02:00", &lab, &err), -EINVAL);
}

/* What is offered in place of a word that is wrong is right. */
static void test_hints_of_rules(void **arg)
{
	static const struct {
		const char *complaint, *rule;	/* where a name belongs */
		unsigned int names;
	} rows[] = {
		{ "line 1 column 1: unknown state: \"x\"", "arc=%s>x", 7 },
		{ "line 1 column 1: unknown op: \"x\"", "op=%s", 11 },
		{ "line 1 column 1: unknown key: \"x\"", "%s", 20 },
		{ "line 1 column 1: unknown errno: \"x\"", "arc=STOP>RUNNING errno=%s", 35 },
	};
	char rule[64], *name, *save;
	struct error err;

	(void)arg;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int names = 0;

		assert_int_equal(lab_rules_refused(rows[i].complaint, &err), -EINVAL);
		assert_memory_equal(err.text, rows[i].complaint, strlen(rows[i].complaint));
		name = strtok_r(err.text + strlen(rows[i].complaint), ",; ", &save);
		for (; name; name = strtok_r(NULL, ",; ", &save)) {
			struct miglab_rules_error why = { .what = "" };
			struct miglab_rules rules;

			snprintf(rule, sizeof(rule), rows[i].rule, name);
			miglab_rules_parse(&rules, rule, strlen(rule), &why);
			/* an unknown state is one on either side */
			if (!strcmp(rows[i].rule, "arc=%s>x")) {
				uint32_t state;

				names += !miglab_state_parse(name, strlen(name), &state);
			} else {
				names += strncmp(why.what, "unknown", 7) != 0;
			}
		}
		assert_int_equal(names, rows[i].names);
	}
	lab_rules_refused("line 1 column 1: number too small: \"x\"", &err);
	assert_string_equal(err.text, "line 1 column 1: number too small: \"x\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history_is_parsed),
		cmocka_unit_test(test_no_history_is_no_error),
		cmocka_unit_test(test_malformed_history_is_refused),
		cmocka_unit_test(test_a_cut_line_is_refused),
		cmocka_unit_test(test_state_names),
		tree_test(test_lab_reads_and_writes_attributes),
		tree_test(test_long_attributes_are_read_whole),
		tree_test(test_lab_of_other_drivers),
		cmocka_unit_test(test_hints_of_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
