// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a running machine leaves to others: sockets, descriptors, privileges.
 */
#include "vm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include "base/privileges.h"

/* Calls @fn with the path of each entry of @directory; the sum of what it returns. */
static int for_each(const char *directory, int (*fn)(const char *path))
{
	DIR *d = opendir(directory);
	struct dirent *e;
	int sum = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", directory, e->d_name);
		if (*e->d_name != '.')
			sum += fn(path);
	}
	closedir(d);
	return sum;
}

/* The number behind @key in a file of "key:\tnumber" lines. */
static unsigned long long number_of(const char *path, const char *key, int base)
{
	FILE *file = fopen(path, "re");
	unsigned long long number = 0;
	size_t len = strlen(key);
	char line[256];
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file)) {
		found = !strncmp(line, key, len);
		if (found)
			number = strtoull(line + len, NULL, base);
	}
	fclose(file);
	assert_true(found);
	return number;
}

/* --- descriptors ---------------------------------------------------------------- */

/* 1 when a program that this process executes would get the descriptor; not stdin and so on. */
static int is_inherited(const char *path)
{
	return atoi(strrchr(path, '/') + 1) > STDERR_FILENO &&
	       !(number_of(path, "flags:", 8) & O_CLOEXEC);
}

static int count_one(const char *path)
{
	(void)path;
	return 1;
}

static int inherited_from(const struct vm *vm)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", vm->child.pid);
	/* The loop, signals and the QMP socket at least. */
	assert_true(for_each(path, count_one) > STDERR_FILENO + 3);
	return for_each(path, is_inherited);
}

/* In the middle of a migration, when all connections are there. */
static void test_descriptors_are_closed_on_exec(void **state)
{
	struct vm source, destination;

	(void)state;
	start_destination(&destination, HELD, 1, "vf");
	start_source(&source, HELD, 1, NULL);
	migrate(&source);
	expect_events(&source, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	assert_int_equal(inherited_from(&source), 0);
	assert_int_equal(inherited_from(&destination), 0);
	finish_held(&source, &destination);
}

/* The check sees one that is not: the machine got it from us. */
static void test_an_inherited_descriptor_is_seen(void **state)
{
	int fd = open("/dev/null", O_RDONLY);
	struct vm vm;

	(void)state;
	start_source(&vm, QUICK, 1, NULL);
	close(fd);
	assert_int_equal(inherited_from(&vm), 1);
	end(&vm);
}

/* --- privileges ----------------------------------------------------------------- */

/* 1 when a thread may do more than it needs to. */
static int is_privileged(const char *task)
{
	static const char *const sets[] = { "CapPrm:", "CapEff:" };
	unsigned long long more = 0;
	char path[600];

	snprintf(path, sizeof(path), "%s/status", task);
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		more |= number_of(path, sets[i], 16) & ~(unsigned long long)PRIVILEGES_KEPT;
	more |= number_of(path, "CapInh:", 16) | number_of(path, "CapAmb:", 16);
	return more || number_of(path, "NoNewPrivs:", 10) != 1;
}

static void test_privileges_are_dropped(void **state)
{
	struct vm vm;
	char path[64];

	(void)state;
	start_source(&vm, QUICK, 2, NULL);
	snprintf(path, sizeof(path), "/proc/%d/task", vm.child.pid);
	/* One thread for each device, too. */
	assert_true(for_each(path, count_one) >= 3);
	assert_int_equal(for_each(path, is_privileged), 0);
	end(&vm);
}

static void test_privileges_are_seen(void **state)
{
	static const char *const tasks[] = {
		"CapInh: 0\nCapPrm: 0\nCapEff: 0\nCapAmb: 0\nNoNewPrivs: 0\n",
		"CapInh: 0\nCapPrm: 200000\nCapEff: 0\nCapAmb: 0\nNoNewPrivs: 1\n",
		"CapInh: 2\nCapPrm: 2\nCapEff: 2\nCapAmb: 0\nNoNewPrivs: 1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
		FILE *file = fopen(path_of("status"), "we");

		fputs(tasks[i], file);
		fclose(file);
		assert_int_equal(is_privileged(dir), 1);
		unlink(path_of("status"));
	}
}

/* --- sockets -------------------------------------------------------------------- */

/* With a migration awaited, which has had its events. */
static void quit(struct vm *vm)
{
	do_call(vm, "quit", NULL);
	qmp_client_free(vm->client);
	assert_true(child_ended(&vm->child, clock_ns() + PATIENCE_NS));
}

static void test_sockets_are_private(void **state)
{
	struct vm vm;
	struct stat st;
	mode_t before = umask(0);

	(void)state;
	start_destination(&vm, QUICK, 1, "vf");
	umask(before);
	assert_int_equal(stat(path_of("destination"), &st), 0);
	assert_true(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	assert_int_equal(stat(path_of("migration"), &st), 0);
	assert_true(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0600);
	quit(&vm);
}

/* A port that nobody has at the moment. */
static int free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	return ntohs(in.sin_port);
}

static bool warns_at(const char *host)
{
	char args[96], text[4096];
	struct vm vm;
	FILE *log;
	size_t len;

	start(&vm, "destination", QUICK, 1, "vf", "--incoming=defer");
	snprintf(args, sizeof(args), "{\"uri\": \"tcp:%s:%d\"}", host, free_port());
	do_call(&vm, "migrate-incoming", args);
	log = fopen(path_of("destination.log"), "re");
	len = fread(text, 1, sizeof(text) - 1, log);
	text[len] = '\0';
	fclose(log);
	unlink(path_of("destination.log"));
	quit(&vm);
	return strstr(text, "other hosts can reach");
}

static void test_an_open_port_is_said(void **state)
{
	(void)state;
	assert_true(warns_at("0.0.0.0"));
	assert_false(warns_at("127.0.0.1"));
}

/* What we were started with by others is none of our machines'. */
static int setup(void **state)
{
	if (close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC))
		return -1;
	return make_dir(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_descriptors_are_closed_on_exec),
		cmocka_unit_test(test_an_inherited_descriptor_is_seen),
		cmocka_unit_test(test_privileges_are_dropped),
		cmocka_unit_test(test_privileges_are_seen),
		cmocka_unit_test(test_sockets_are_private),
		cmocka_unit_test(test_an_open_port_is_said),
	};

	return cmocka_run_group_tests(tests, setup, remove_dir);
}
