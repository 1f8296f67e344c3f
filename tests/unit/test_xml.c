// SPDX-License-Identifier: GPL-2.0-only
/* What text becomes in XML. */
#include "unit.h"

#include <stdlib.h>

#include "report/xml.h"

static void test_put(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "a<b>&\"c\"", "a&lt;b&gt;&amp;&quot;c&quot;" },
		{ "its'", "its'" },
		{ "bell\a", "bell?" },
		{ "two\nlines\n", "two\nlines" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size;
		char *got = NULL;
		FILE *out = open_memstream(&got, &size);

		assert_non_null(out);
		xml_put(out, rows[i].text);
		fclose(out);
		assert_string_equal(got, rows[i].want);
		free(got);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_put) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
