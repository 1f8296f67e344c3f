// SPDX-License-Identifier: GPL-2.0-only
/* What is UTF-8 stays, what is not becomes '?'. */
#include "unit.h"

#include "base/utf8.h"

static void test_clean(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "plain\n", "plain\n" },
		{ "\xc2\x80 \xe0\xa0\x80 \xed\x9f\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf",
		  "\xc2\x80 \xe0\xa0\x80 \xed\x9f\xbf \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf" },
		{ "\x80", "?" },
		{ "\xffz", "?z" },
		{ "cut \xc3", "cut ?" },
		{ "cut \xf0\x9f\x98", "cut ???" },
		{ "\xc3\xc3\xa9", "?\xc3\xa9" },
		{ "\xc1\xbf", "??" },
		{ "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[32];

		strcpy(text, rows[i][0]);
		utf8_clean(text);
		assert_string_equal(text, rows[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
