// SPDX-License-Identifier: GPL-2.0-only
/*
 * miglab run and clients that write as they like. The answers are those that QEMU
 * 11.1.3 gave to the same words, except for device-list-properties, which has more
 * properties there and this one off.
 */
#include "vm.h"

#include <json-c/json.h>

#define NEGOTIATE	"{\"execute\": \"qmp_capabilities\"}"
#define NEGOTIATED	"{\"return\": {}}\n"
#define EXECUTE(c)	"{\"execute\": \"" c "\"}"
#define WITH(c, args)	"{\"execute\": \"" c "\", \"arguments\": {" args "}}"
#define RETURN(value)	"{\"return\": " value "}\n"
#define FAIL(class, text) "{\"error\": {\"class\": \"" class "\", \"desc\": \"" text "\"}}\n"
#define GENERIC(text)	FAIL("GenericError", text)
#define CAPS(entry)	WITH("migrate-set-capabilities", "\"capabilities\": [" entry "]")
#define QOM(c, path, more) WITH(c, "\"path\": \"" path "\", \"property\": " more)
#define VF0		"/machine/peripheral/vf0"
#define DOWNTIME	GENERIC("Option downtime-limit expects an integer in the range of 0 to " \
				"(2000 * 1000) ms")
#define REALIZED	GENERIC("Attempt to set property 'migration-events' on device 'vf0' " \
				"(type 'vfio-pci') after it was realized")

static const struct row {
	const char *name, *input;
	const char *output;	/* a JSON value a line, after the greeting */
} rows[] = {
	{ "no newline anywhere",
	  NEGOTIATE "{\"execute\":\"query-status\",\"id\":1}{\"id\":\"b\",\"execute\":\"stop\"}",
	  NEGOTIATED "{\"return\": {\"running\": false, \"status\": \"prelaunch\"}, \"id\": 1}\n"
	  "{\"return\": {}, \"id\": \"b\"}\n" },
	{ "newlines everywhere",
	  "\n\r\n{\n\"execute\"\n:\r\n\"qmp_capabilities\"\n}\n\n" EXECUTE("query-migrate") "\n",
	  NEGOTIATED RETURN("{}") },
	{ "not negotiated", EXECUTE("query-status"),
	  FAIL("CommandNotFound",
	       "Expecting capabilities negotiation with 'qmp_capabilities'") },
	{ "query-events is no more", NEGOTIATE EXECUTE("query-events"),
	  NEGOTIATED FAIL("CommandNotFound", "The command query-events has not been found") },
	{ "migrate-continue", NEGOTIATE EXECUTE("migrate-continue")
	  WITH("migrate-continue", "\"state\": \"pre-switchover\"")
	  WITH("migrate-continue", "\"state\": \"bogus\"")
	  WITH("migrate-continue", "\"state\": \"colo\"")
	  WITH("migrate-continue", "\"state\": \"none\""),
	  NEGOTIATED GENERIC("Parameter 'state' is missing")
	  GENERIC("Migration not in expected state: none")
	  GENERIC("Parameter 'state' does not accept value 'bogus'")
	  GENERIC("Migration not in expected state: none") RETURN("{}") },
	{ "capabilities", NEGOTIATE CAPS("{\"capability\": \"switchover-ack\", \"state\": true}")
	  CAPS("{\"capability\": \"nope\", \"state\": true}") CAPS("{\"capability\": \"events\"}")
	  CAPS("{\"capability\": \"events\", \"state\": 1}")
	  CAPS("{\"capability\": 1, \"state\": true}") CAPS("1")
	  CAPS("{\"capability\": \"events\", \"state\": true, \"x\": 1}")
	  CAPS("{\"capability\": \"switchover-ack\", \"state\": true}, "
	       "{\"capability\": \"return-path\", \"state\": true}")
	  CAPS("{\"capability\": \"return-path\", \"state\": false}")
	  CAPS("{\"capability\": \"return-path\", \"state\": false}, "
	       "{\"capability\": \"switchover-ack\", \"state\": false}"),
	  NEGOTIATED GENERIC("Capability 'switchover-ack' requires capability 'return-path'")
	  GENERIC("Parameter 'capability' does not accept value 'nope'")
	  GENERIC("Parameter 'capabilities[0].state' is missing")
	  GENERIC("Invalid parameter type for 'capabilities[0].state', expected: boolean")
	  GENERIC("Invalid parameter type for 'capabilities[0].capability', expected: string")
	  GENERIC("Invalid parameter type for 'capabilities[0]', expected: object")
	  GENERIC("Parameter 'capabilities[0].x' is unexpected") RETURN("{}")
	  GENERIC("Capability 'switchover-ack' requires capability 'return-path'") RETURN("{}") },
	{ "parameters", NEGOTIATE WITH("migrate-set-parameters", "\"downtime-limit\": 3000000")
	  WITH("migrate-set-parameters", "\"downtime-limit\": -1")
	  WITH("migrate-set-parameters", "\"downtime-limit\": \"1\""),
	  NEGOTIATED DOWNTIME DOWNTIME GENERIC("Parameter 'downtime-limit' expects uint64") },
	{ "where to", NEGOTIATE EXECUTE("migrate") WITH("migrate", "\"uri\": \"bogus\""),
	  NEGOTIATED GENERIC("need either 'uri' or 'channels' argument")
	  GENERIC("unknown migration protocol: bogus") },
	{ "objects", NEGOTIATE QOM("qom-get", VF0, "\"migration-events\"")
	  QOM("qom-get", "vf0", "\"migration-events\"")
	  QOM("qom-get", VF0, "\"nope\"")
	  QOM("qom-get", "/machine/peripheral/vf9", "\"migration-events\"")
	  QOM("qom-set", VF0, "\"migration-events\", \"value\": false")
	  QOM("qom-set", VF0, "\"migration-events\", \"value\": \"x\"")
	  QOM("qom-set", VF0, "\"nope\", \"value\": false")
	  QOM("qom-set", "/machine/peripheral/vf9", "\"migration-events\", \"value\": true"),
	  NEGOTIATED RETURN("true") RETURN("true")
	  GENERIC("Property 'vfio-pci.nope' not found")
	  FAIL("DeviceNotFound", "Device '/machine/peripheral/vf9' not found")
	  REALIZED REALIZED GENERIC("Property 'vfio-pci.nope' not found")
	  FAIL("DeviceNotFound", "Device '/machine/peripheral/vf9' not found") },
	{ "properties", NEGOTIATE WITH("device-list-properties", "\"typename\": \"bogus\"")
	  WITH("device-list-properties", "\"typename\": \"vfio-pci\""),
	  NEGOTIATED FAIL("DeviceNotFound", "Device 'bogus' not found")
	  RETURN("[{\"name\": \"migration-events\", \"type\": \"bool\", \"default-value\": true, "
		 "\"description\": \"Emit VFIO migration QAPI event when a VFIO device changes "
		 "its migration state. For management applications\"}]") },
};

/* Writes @input in pieces of @piece bytes, says that this is all, and reads to the end. */
static void converse(const char *input, size_t piece, char *ret_output, size_t size)
{
	size_t len = strlen(input), have = 0;
	int fd = dial_at("machine", "", 0);
	ssize_t n;

	for (size_t i = 0; i < len; i += piece) {
		size_t count = len - i < piece ? len - i : piece;

		assert_int_equal(send(fd, input + i, count, MSG_NOSIGNAL), count);
	}
	shutdown(fd, SHUT_WR);
	while ((n = recv(fd, ret_output + have, size - 1 - have, 0)) > 0)
		have += n;
	ret_output[have] = '\0';
	close(fd);
}

/* Members have no order. */
static bool same(const char *got, const char *want)
{
	struct json_object *a = json_tokener_parse(got), *b = json_tokener_parse(want);
	bool equal = a && b && json_object_equal(a, b);

	json_object_put(a);
	json_object_put(b);
	return equal;
}

static void expect_output(const struct row *row, char *got)
{
	char *want = strdup(row->output), *wanted, *line, *got_save, *want_save;

	line = strtok_r(got, "\r\n", &got_save);
	assert_non_null(line);
	assert_non_null(strstr(line, "\"QMP\""));
	wanted = strtok_r(want, "\n", &want_save);
	while (wanted) {
		line = strtok_r(NULL, "\r\n", &got_save);
		if (!line || !same(line, wanted))
			fail_msg("%s:\n got: %s\nwant: %s", row->name, line ? line : "the end",
				 wanted);
		wanted = strtok_r(NULL, "\n", &want_save);
	}
	assert_null(strtok_r(NULL, "\r\n", &got_save));
	free(want);
}

/* All at once, byte by byte, and in pieces that fit to nothing. */
static void test_rows(void **state)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 7 };
	static char output[1 << 16];
	struct vm vm;

	(void)state;
	start(&vm, "machine", QUICK, 1, "vf", "--paused");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {
			converse(rows[i].input, pieces[j], output, sizeof(output));
			expect_output(&rows[i], output);
		}
	}
	end(&vm);
}

/* A thousand commands in one write get a thousand answers, in their order. */
static void test_many_at_once(void **state)
{
	static char input[1 << 17] = NEGOTIATE, output[1 << 18];
	char *line, *save;
	struct vm vm;

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		sprintf(input + strlen(input), "{\"execute\": \"query-status\", \"id\": %u}", i);
	start(&vm, "machine", QUICK, 1, "vf", "--paused");
	converse(input, SIZE_MAX, output, sizeof(output));
	assert_non_null(strtok_r(output, "\r\n", &save));
	assert_non_null(strtok_r(NULL, "\r\n", &save));
	for (unsigned int i = 0; i < 1000; i++) {
		struct json_object *answer;

		line = strtok_r(NULL, "\r\n", &save);
		assert_non_null(line);
		answer = json_tokener_parse(line);
		assert_int_equal(json_object_get_int(json_object_object_get(answer, "id")), i);
		json_object_put(answer);
	}
	assert_null(strtok_r(NULL, "\r\n", &save));
	end(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_many_at_once),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
