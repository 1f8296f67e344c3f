// SPDX-License-Identifier: GPL-2.0-only
#include "unit.h"

#include "cmd/presets.h"
#include "core/fsm.h"
#include "core/rules.h"

static const char *const names[] = { "default", "downtime", "mlx5", "hisilicon", "pds" };

static struct miglab_rules rules_of(const struct preset *preset)
{
	struct miglab_rules_error err;
	struct miglab_rules rules;

	if (miglab_rules_parse(&rules, preset->rules, strlen(preset->rules), &err))
		fail_msg("%s: line %u: %s", preset->name, err.line, err.what);
	assert_true(rules.count > 0);
	return rules;
}

static void test_rules_are_good(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct preset *preset = preset_find(names[i]);

		assert_non_null(preset);
		assert_string_equal(preset->name, names[i]);
		rules_of(preset);
	}
	assert_null(preset_find(""));
	assert_null(preset_find("list"));
	assert_null(preset_find("mlx"));
}

/* A rule for an arc that the profile lacks would never act. */
static void test_arcs_are_of_the_profile(void **unused)
{
	static const char *const shapes[] = { "default", "mlx5", "hisilicon", "pds" };
	u32 flags, next;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct preset *preset = preset_find(shapes[i]);
		struct miglab_rules rules = rules_of(preset);

		assert_int_equal(miglab_profile_parse(preset->profile, strlen(preset->profile),
						      &flags), 0);
		for (u32 r = 0; r < rules.count; r++) {
			const struct miglab_rule *rule = &rules.rule[r];

			if (rule->op != MIGLAB_OP_ARC)
				continue;
			assert_int_equal(miglab_fsm_next(flags, rule->from, rule->to, &next), 0);
			assert_int_equal(next, rule->to);
		}
	}
}

static void test_the_default_is_the_default(void **unused)
{
	(void)unused;
	assert_string_equal(preset_find("default")->rules, MIGLAB_RULES_DEFAULT "\n");
}

static void test_list_names_each_once(void **unused)
{
	char *text = NULL, *line;
	size_t size, n = 0;
	FILE *out = open_memstream(&text, &size);

	(void)unused;
	assert_non_null(out);
	preset_list(out);
	assert_int_equal(fclose(out), 0);
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), n++) {
		assert_true(n < ARRAY_SIZE(names));
		assert_int_equal(strncmp(line, names[n], strlen(names[n])), 0);
		assert_int_equal(line[strlen(names[n])], ' ');
	}
	assert_int_equal(n, ARRAY_SIZE(names));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_are_good),
		cmocka_unit_test(test_arcs_are_of_the_profile),
		cmocka_unit_test(test_the_default_is_the_default),
		cmocka_unit_test(test_list_names_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
