// SPDX-License-Identifier: GPL-2.0-only
/*
 * QMP clients that misbehave while a migration is under way, in the program that users
 * run: for another client nothing changes, and the server stays below its bound.
 */
#include "vm.h"

#include <sys/resource.h>

#include "qmp/server.h"

#define NEGOTIATE	"{\"execute\": \"qmp_capabilities\"}"
#define CROWD		1000
#define PROGRAM_BYTES	(32u << 20)	/* what the program may need without clients */
/* And for each of them: what it leaves unread, and a request that it does not finish. */
#define BOUND_BYTES	(PROGRAM_BYTES + QMP_CLIENTS_MAX * (QMP_BACKLOG_MAX + 40 * QMP_REQUEST_MAX))

/* Until the server has had enough. */
static void pour(int fd, const char *text)
{
	while (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
		;
}

static void never_reads(void)
{
	int fd = dial_at("source", "", 0);

	pour(fd, NEGOTIATE);
	close(fd);
}

static void endless_brace(void)
{
	static char block[1 << 16];
	int fd = dial_at("source", "", 0);
	size_t sent = 0;
	ssize_t n = 1;

	memset(block, 'x', sizeof(block));
	assert_true(send(fd, "{\"execute\": \"", 13, MSG_NOSIGNAL) == 13);
	while (sent < 64 << 20 && n > 0) {
		n = send(fd, block, sizeof(block), MSG_NOSIGNAL);
		sent += n > 0 ? n : 0;
	}
	/* It was not heard to the end. */
	assert_true(n < 0);
	close(fd);
}

static void one_at_a_time(void)
{
	int fd = dial_at("source", "", 0);

	for (size_t i = 0; i < CROWD; i++)
		close(dial_at("source", "", 0));
	close(fd);
}

/* All at once, as far as descriptors go; those for whom there is no room are closed. */
static void crowd(void)
{
	static int fds[CROWD];
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < CROWD + 64 ? limit.rlim_max : CROWD + 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (size_t i = 0; i < CROWD && i + 64 < limit.rlim_cur; i++) {
		fds[i] = dial_at("source", "", 0);
		send(fds[i], NEGOTIATE, strlen(NEGOTIATE), MSG_NOSIGNAL);
	}
	for (size_t i = 0; i < CROWD && i + 64 < limit.rlim_cur; i++)
		close(fds[i]);
}

/* As many as there is room for, each with as much as it may leave behind. */
static void all_backlogs(void)
{
	static char request[QMP_REQUEST_MAX];
	int fds[QMP_CLIENTS_MAX - 1];

	/* Nothing but numbers: the costliest request for its size. */
	strcpy(request, "{\"execute\": \"query-status\", \"id\": [0");
	for (size_t len = strlen(request); len < sizeof(request) - 16; len += 2)
		strcpy(request + len, ",0");
	strcat(request, "]}");
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		fds[i] = dial_at("source", "", 0);
		send(fds[i], NEGOTIATE, strlen(NEGOTIATE), MSG_NOSIGNAL);
		/* The last one lacks its end. */
		for (int n = 0; n < 15; n++)
			send(fds[i], request, strlen(request) - (n == 14), MSG_NOSIGNAL);
	}
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
}

/* What a client does, or what it says, byte by byte when @trickle. */
static const struct row {
	const char *name, *text;
	bool trickle;
	void (*run)(void);
	const char *answer;	/* a part of the last answer */
} rows[] = {
	{ "never reads", NULL, false, never_reads, NULL },
	{ "64 MiB without an end", NULL, false, endless_brace, NULL },
	{ "a thousand one after another", NULL, false, one_at_a_time, NULL },
	{ "a thousand at once", NULL, false, crowd, NULL },
	{ "every backlog is full", NULL, false, all_backlogs, NULL },
	{ "a byte at a time", NEGOTIATE "{\"execute\": \"query-status\", \"id\": 7}", true, NULL,
	  "\"id\":7" },
	{ "deep", NEGOTIATE "{\"execute\": \"stop\", \"id\": "
	  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", false, NULL,
	  "JSON nesting depth limit exceeded" },
	{ "a command twice", NEGOTIATE "{\"execute\": \"query-status\", \"execute\": \"quit\"}",
	  false, NULL, "duplicate key" },
	{ "an argument twice", NEGOTIATE "{\"execute\": \"migrate\", \"arguments\": "
	  "{\"uri\": \"unix:/a\", \"uri\": \"unix:/b\"}}", false, NULL, "duplicate key" },
	{ "no UTF-8", NEGOTIATE "{\"execute\": \"\xc3\x28\"}\n", false, NULL, "JSON parse error" },
	{ "a surrogate", NEGOTIATE "{\"execute\": \"\xed\xa0\x80\"}\n", false, NULL,
	  "JSON parse error" },
	{ "a NUL", NEGOTIATE "{\"execute\": \"quit\\u0000\"}", false, NULL, "must be a string" },
	{ "an unknown argument",
	  NEGOTIATE "{\"execute\": \"quit\", \"arguments\": {\"now\": true}}", false,
	  NULL, "Parameter 'now' is unexpected" },
	{ "an unknown member", NEGOTIATE "{\"execute\": \"quit\", \"sooner\": 1}", false, NULL,
	  "QMP input member 'sooner' is unexpected" },
	{ "an unknown command", NEGOTIATE "{\"execute\": \"explode\"}", false, NULL,
	  "CommandNotFound" },
	{ "not negotiated", "{\"execute\": \"quit\"}", false, NULL, "CommandNotFound" },
	{ "a second migration", NEGOTIATE "{\"execute\": \"migrate\", \"arguments\": "
	  "{\"uri\": \"unix:/a\"}}", false, NULL, "There's a migration process in progress" },
};

/* Until @part is there. */
static void expect_answer(int fd, const char *name, const char *part)
{
	char text[8192];
	size_t len = 0;
	ssize_t n = 1;

	do {
		text[len] = '\0';
		if (strstr(text, part))
			return;
		n = read(fd, text + len, sizeof(text) - 1 - len);
		len += n > 0 ? n : 0;
	} while (n > 0);
	fail_msg("%s: \"%s\" is not in %s", name, part, text);
}

static void run_row(const struct row *row)
{
	size_t step = row->trickle ? 1 : strlen(row->text ? row->text : "");
	int fd;

	if (row->run) {
		row->run();
		return;
	}
	fd = dial_at("source", "", 0);
	for (const char *at = row->text; *at; at += step)
		assert_int_equal(send(fd, at, step, MSG_NOSIGNAL), step);
	expect_answer(fd, row->name, row->answer);
	close(fd);
}

/* The most that it ever had in memory. */
static size_t peak_bytes(const struct vm *vm)
{
	char path[64], line[256];
	size_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)vm->child.pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "VmHWM: %zu kB", &kib);
	fclose(f);
	assert_true(kib > 0);
	return kib << 10;
}

static void test_abuse(void **state)
{
	size_t before, after;
	struct vm s, d;

	(void)state;
	start_source(&s, HELD, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	before = peak_bytes(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run_row(&rows[i]);
		expect_member(&s, "query-migrate", "status", "active");
		expect_no_event(&s);
	}
	after = peak_bytes(&s);
	print_message("# peak memory: %zu KiB before, %zu KiB after, bound %u KiB\n", before >> 10,
		      after >> 10, BOUND_BYTES >> 10);
	assert_true(before < PROGRAM_BYTES);
	assert_true(after < BOUND_BYTES);
	finish_held(&s, &d);
}

/* Clients come, say half a request and go, while nothing holds the migration back. */
static void test_abuse_of_a_migration_that_runs(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, "emu:state_bytes=16M,dirty_bytes_per_sec=16M", 1, NULL);
	start_destination(&d, "emu:state_bytes=16M", 1, "vf");
	migrate(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* This one may be too late. */
		if (strcmp(rows[i].name, "a second migration"))
			run_row(&rows[i]);
	}
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

/* Sanitizers have a memory of their own: the one beside it without them is measured. */
static int use_plain_program(void **state)
{
	char *asan = getenv("MIGLAB"), plain[256], *at;

	if (asan) {
		snprintf(plain, sizeof(plain), "%s", asan);
		at = strstr(plain, "asan/miglab");
		if (at)
			strcpy(at, "miglab");
		setenv("MIGLAB", plain, 1);
	}
	return make_dir(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_abuse),
		cmocka_unit_test(test_abuse_of_a_migration_that_runs),
	};

	return cmocka_run_group_tests(tests, use_plain_program, remove_dir);
}
