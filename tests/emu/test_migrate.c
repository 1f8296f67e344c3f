// SPDX-License-Identifier: GPL-2.0-only
/* miglab migrate from the outside: its exit status, what it prints and what it leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/clock.h"

#define PATIENCE_NS	(200 * NSEC_PER_SEC)	/* only a test that fails takes so long */

/* Held until the judge has its event: no doubt about the order, however busy the machine is. */
#define PROVED		"emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=60000000"
#define SHORT_HOLD	"emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=100000"
#define BIG		"emu:state_bytes=64M"
#define RESTLESS	PROVED ",state_bytes=64M,dirty_bytes_per_sec=4G"
#define ARGS_MAX	16

static char dir[] = "/tmp/miglab-test-XXXXXX";

struct row {
	const char *name;
	char *args[ARGS_MAX];
	int status;
	const char *says;	/* a part of stdout or, when it was not tried, of stderr */
};

static const struct row rows[] = {
	{ "one device", { "--from", PROVED, "--to", "emu" }, 0, "fingerprints equal: crc32c:" },
	{ "the judge's line", { "--from", PROVED, "--to", "emu" }, 0,
	  "  PASS\nresult: 1 transition judged" },
	{ "four devices, in pairs",
	  { "--from", PROVED, "--to", "emu", "--from", PROVED ",state_bytes=4M",
	    "--to", "emu:state_bytes=4M", "--from", PROVED, "--to", "emu", "--from", PROVED,
	    "--to", "emu" }, 0, "\nvf3 " },
	{ "thrown away", { "--from", PROVED, "--to", "discard" }, 0,
	  "state thrown away: no fingerprints to compare" },
	{ "thrown away, and judged", { "--from", PROVED, "--to", "discard" }, 0,
	  "  PASS\nresult: 1 transition judged" },
	{ "thrown away, not announced",
	  { "--from", SHORT_HOLD, "--to", "discard", "--no-prepare" }, 1, "MISSING  FAIL" },
	{ "thrown away, an arc fails", { "--from", "emu:rules=arc=PRE_COPY_P2P>STOP_COPY errno=EIO",
	    "--to", "discard" }, 1, "source: migration failed: vf0: cannot go to STOP_COPY" },
	{ "two are thrown away", { "--from", "emu", "--to", "discard", "--from", "emu", "--to",
	    "emu" }, 2, NULL },
	{ "from nothing", { "--from", "discard", "--to", "emu" }, 2, NULL },
	{ "discard has no keys", { "--from", "emu", "--to", "discard:fast=1" }, 2, NULL },
	{ "not announced", { "--from", SHORT_HOLD, "--to", "emu", "--no-prepare" }, 1,
	  "MISSING  FAIL" },
	{ "not announced, not held", { "--from", "emu", "--to", "emu", "--no-prepare" }, 1,
	  "fingerprints equal" },
	{ "an arc that is expected and absent",
	  { "--from", PROVED, "--to", "emu", "--expect", "2" }, 1, "2 expected" },
	{ "an arc fails", { "--from", "emu:rules=arc=PRE_COPY_P2P>STOP_COPY errno=EIO",
	    "--to", "emu" }, 1, "source: migration failed: vf0: cannot go to STOP_COPY: "
	    "Input/output error" },
	{ "the destination loses the state",
	  { "--from", PROVED, "--to", "emu:rules=arc=STOP>RUNNING_P2P errno=EIO" }, 1,
	  "destination: migration failed: vf0: cannot go to RUNNING_P2P" },
	{ "a byte is wrong", { "--from", "emu:rules=op=save corrupt=4096", "--to", "emu" }, 1,
	  "fingerprints differ: source crc32c:" },
	{ "other sizes", { "--from", "emu", "--to", "emu:state_bytes=4M" }, 1,
	  "refuses its state" },
	{ "it takes too long", { "--timeout", "1", "--from", "emu", "--to",
	    "emu:rules=arc=STOP>RESUMING hold" }, 3, "not done within 1 s; see --timeout" },
	{ "it does not converge", { "--timeout", "5", "--downtime-limit", "0", "--from", RESTLESS,
	    "--to", BIG }, 3, "ms, and the limit is 0 ms; see --downtime-limit" },
	{ "it may stand for long", { "--downtime-limit", "2000000", "--from", RESTLESS, "--to",
	    BIG }, 0, "fingerprints equal" },
	{ "a downtime beyond QEMU's", { "--from", "emu", "--to", "emu", "--downtime-limit",
	    "2000001" }, 2, "give a number from 0 to 2000000" },
	{ "no such device", { "--from", "emu", "--to", "emu:mood=1" }, 2, NULL },
	{ "an odd one", { "--from", "emu", "--to", "emu", "--from", "emu" }, 2, NULL },
	{ "nothing", { NULL }, 2, NULL },
	{ "no such policy", { "--from", "emu", "--to", "emu", "--policy", "other" }, 2, NULL },
	{ "no number", { "--from", "emu", "--to", "emu", "--timeout", "soon" }, 2, NULL },
};

static void read_log(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	buf[fread(buf, 1, size - 1, f)] = '\0';
	fclose(f);
}

static void run_row(const struct row *row)
{
	char *program = getenv("MIGLAB"), *argv[ARGS_MAX + 3], log[64], out[16384], said[4096];
	struct child child;
	bool tried = row->status < 2;
	struct error err;
	size_t len = 0;
	ssize_t n;

	argv[0] = program ? program : "build/miglab";
	argv[1] = "migrate";
	memcpy(argv + 2, row->args, sizeof(row->args));
	argv[ARGS_MAX + 2] = NULL;
	snprintf(log, sizeof(log), "%s.log", dir);
	assert_int_equal(child_start(&child, "migrate", argv, log, true, &err), 0);
	while ((n = read(child.out, out + len, sizeof(out) - 1 - len)) > 0)
		len += n;
	out[len] = '\0';
	assert_true(child_ended(&child, clock_ns() + PATIENCE_NS));
	read_log(log, said, sizeof(said));
	if (child.status != row->status || (tried ? !strstr(out, row->says) : len) ||
	    (!tried && row->says && !strstr(said, row->says)))
		fail_msg("%s: status %d, not %d; %s%s", row->name, child.status, row->status, out,
			 said);
	child_end(&child);
	unlink(log);
	/* Nothing is left in it. */
	if (rmdir(dir) || mkdir(dir, 0700))
		fail_msg("%s: left something in TMPDIR", row->name);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i]);
}

/* Nobody reads what it prints: it says so, and still clears away behind itself. */
static void test_closed_output(void **state)
{
	char *program = getenv("MIGLAB"), log[64];
	char *argv[] = { program ? program : "build/miglab", "migrate", "--from", PROVED, "--to",
			 "emu", NULL };
	struct child child;
	struct error err;

	(void)state;
	snprintf(log, sizeof(log), "%s.log", dir);
	assert_int_equal(child_start(&child, "migrate", argv, log, true, &err), 0);
	close(child.out);
	child.out = -1;
	assert_true(child_ended(&child, clock_ns() + PATIENCE_NS));
	assert_int_equal(child.status, 3);
	child_end(&child);
	unlink(log);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? setenv("TMPDIR", dir, 1) : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_closed_output),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
