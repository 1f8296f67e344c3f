// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer of a migration: reached over TCP, silent, or a stranger. A peer is made
 * silent by SIGSTOP, so that nothing but its silence tells; a held arc is none.
 */
#include "vm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define TIMEOUT		"{\"x-peer-timeout\": 1000}"
#define LONG_TIMEOUT	"{\"x-peer-timeout\": 5000}"	/* even a starved thread is heard in it */
#define LARGE		"emu:state_bytes=64M"
#define SILENT_S	", which was to %s, said nothing for 1000 ms (x-peer-timeout)"
#define DEAF		"emu:state_bytes=64M,rules=arc=STOP>RESUMING hold limit_us=3600000000"
#define ARC_HELD(arc)	"emu:rules=arc=" arc " hold limit_us=3600000000"

/* A port of 127.0.0.1 or ::1 that nobody uses. */
static unsigned int free_port(int family)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = family == AF_INET ? sizeof(in) : sizeof(in6);
	struct sockaddr *any = family == AF_INET ? (void *)&in : (void *)&in6;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, any, len), 0);
	assert_int_equal(getsockname(fd, any, &len), 0);
	close(fd);
	return ntohs(family == AF_INET ? in.sin_port : in6.sin6_port);
}

static void migrate_over_tcp(int family, const char *host)
{
	char args[160];
	struct vm s, d;

	start_source(&s, QUICK, 2, NULL);
	start(&d, "destination", QUICK, 2, "vf", "--incoming=defer");
	snprintf(args, sizeof(args), "{\"uri\": \"tcp:%s:%u\"}", host, free_port(family));
	/* Nobody is there yet. */
	do_call(&s, "migrate", args);
	expect_events(&s, "M setup, M failing, M failed");
	do_call(&d, "migrate-incoming", args);
	do_call(&s, "migrate", args);
	expect_events(&s, "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		      "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, V vf0 pre-copy-p2p-prepare, "
		      "V vf0 pre-copy-p2p, V vf1 stop-copy, V vf0 stop-copy, STOP, M device, "
		      "M completed, V vf0 stop, V vf1 stop");
	expect_events(&d, "M setup, M active, V vf0 resuming, V vf1 resuming, RESUME, "
		      "V vf0 running-p2p, V vf1 running-p2p, V vf0 running, V vf1 running, "
		      "M completed");
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

static void test_tcp(void **state)
{
	(void)state;
	migrate_over_tcp(AF_INET, "127.0.0.1");
}

static void test_tcp_ipv6(void **state)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool have = fd >= 0 && !bind(fd, (struct sockaddr *)&in6, sizeof(in6));

	(void)state;
	if (fd >= 0)
		close(fd);
	if (!have)
		skip();
	migrate_over_tcp(AF_INET6, "[::1]");
}

static void do_file(struct vm *vm, const char *command, const char *name)
{
	char args[160];

	snprintf(args, sizeof(args), "{\"uri\": \"file:%s\"%s}", path_of(name),
		 strcmp(command, "migrate") ? ", \"exit-on-error\": false" : "");
	do_call(vm, command, args);
}

/* The last migration failed with a reason that has @why in it. */
static void expect_reason(struct vm *vm, const char *why)
{
	struct json_object *info = call(vm, "query-migrate", NULL);
	const char *text = json_object_get_string(json_object_object_get(info, "error-desc"));

	if (!text || !strstr(text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, text ? text : "");
	json_object_put(info);
}

/* A destination takes one migration, and is none any more when that fails. */
static void refuse_file(const char *name, const char *why)
{
	struct vm d;

	start(&d, "destination", QUICK, 1, "vf", "--incoming=defer");
	do_file(&d, "migrate-incoming", name);
	expect_events(&d, "M setup, M failed");
	expect_reason(&d, why);
	expect_member(&d, "query-status", "status", "inmigrate");
	end(&d);
}

static off_t size_of(const char *name)
{
	struct stat st;

	assert_int_equal(stat(path_of(name), &st), 0);
	return st.st_size;
}

static void save_to_file(struct vm *s, const char *name)
{
	start_source(s, QUICK, 1, NULL);
	do_file(s, "migrate", name);
	expect_events(s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
}

static void remove_file(const char *name)
{
	char data[32];

	snprintf(data, sizeof(data), "%s.vf0", name);
	assert_int_equal(unlink(path_of(name)), 0);
	assert_int_equal(unlink(path_of(data)), 0);
}

/* Each refusal of the file, and then the same file as it was. */
static void test_file(void **state)
{
	char done;
	struct vm s, d;
	int fd;

	(void)state;
	save_to_file(&s, "other");
	end(&s);
	save_to_file(&s, "saved");
	refuse_file("nowhere", "No such file or directory");
	refuse_file(".", "as a file: it is no regular file");
	refuse_file("saved.vf0", "holds no migration of this version");

	fd = open(path_of("saved"), O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &done, 1, size_of("saved") - 1), 1);
	assert_int_equal(ftruncate(fd, size_of("saved") - 1), 0);
	refuse_file("saved", "is not complete: the migration to it did not end");
	assert_int_equal(pwrite(fd, "\1\1", 2, size_of("saved")), 2);
	refuse_file("saved", "is not complete");
	assert_int_equal(ftruncate(fd, size_of("saved") - 1), 0);
	close(fd);
	assert_int_equal(done, 1);

	assert_int_equal(rename(path_of("saved.vf0"), path_of("mine")), 0);
	assert_int_equal(rename(path_of("other.vf0"), path_of("saved.vf0")), 0);
	refuse_file("saved", "saved.vf0 does not belong to");
	assert_int_equal(rename(path_of("saved.vf0"), path_of("other.vf0")), 0);
	assert_int_equal(rename(path_of("mine"), path_of("saved.vf0")), 0);

	start(&d, "destination", QUICK, 1, "vf", "--incoming=defer");
	do_file(&d, "migrate-incoming", "saved");
	expect_events(&d, DESTINATION_1);
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
	remove_file("saved");
	remove_file("other");
}

/* Cut within the state of the device: seen while it is loaded, and nothing runs. */
static void test_truncated_file(void **state)
{
	struct vm s, d;

	(void)state;
	save_to_file(&s, "saved");
	end(&s);
	assert_int_equal(truncate(path_of("saved.vf0"), size_of("saved.vf0") - 1), 0);
	start(&d, "destination", QUICK, 1, "vf", "--incoming=defer");
	do_file(&d, "migrate-incoming", "saved");
	expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
	expect_member(&d, "query-status", "status", "inmigrate");
	end(&d);
	remove_file("saved");
}

/* What cannot be written is the source's again, and what was written is gone. */
static void test_full_file(void **state)
{
	const struct rlimit small = { .rlim_cur = 1 << 19, .rlim_max = RLIM_INFINITY };
	struct rlimit before;
	struct vm s;
	char args[160];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	start_source(&s, QUICK, 1, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	do_file(&s, "migrate", "saved");
	expect_events(&s, SETUP_1 ", M failing, V vf0 running, M failed");
	expect_member(&s, "query-migrate", "error-desc",
		      "vf0: cannot send its state: File too large");
	snprintf(args, sizeof(args), "{\"uri\": \"file:%s/none/saved\"}", dir);
	do_call(&s, "migrate", args);
	expect_events(&s, "M setup, M failing, M failed");
	do_call(&s, "migrate", "{\"uri\": \"file:/dev/full\"}");
	expect_events(&s, "M setup, M failing, M failed");
	expect_member(&s, "query-migrate", "error-desc",
		      "cannot use /dev/full as a file: it is no regular file");
	expect_member(&s, "query-status", "status", "running");
	end(&s);
}

#define FAILS		"emu:rules=arc=RUNNING>PRE_COPY errno=EIO times=1"

static struct stat stat_of(const char *name)
{
	struct stat st;

	assert_int_equal(lstat(path_of(name), &st), 0);
	return st;
}

/* What is in the directory beside logs and sockets: names with @part in them. */
static unsigned int count_files(const char *part)
{
	unsigned int count = 0;
	DIR *d = opendir(dir);
	struct dirent *e;

	while ((e = readdir(d)))
		count += !!strstr(e->d_name, part);
	closedir(d);
	return count;
}

static void fail_to_save(struct vm *s, const char *name, const char *why)
{
	do_file(s, "migrate", name);
	expect_events(s, "M setup, M failing, M failed");
	expect_reason(s, why);
}

/* A migration that fails leaves the one before it alone; one that does not takes its place. */
static void test_an_older_file_stays(void **state)
{
	struct stat before, data, after;
	struct vm s, d;

	(void)state;
	save_to_file(&s, "saved");
	end(&s);
	assert_int_equal(chmod(path_of("saved"), 0644), 0);
	before = stat_of("saved");
	data = stat_of("saved.vf0");

	start_source(&s, FAILS, 1, NULL);
	do_file(&s, "migrate", "saved");
	expect_events(&s, "M setup, V vf0 running, M active, M failing, M failed");
	assert_int_equal(stat_of("saved").st_ino, before.st_ino);
	assert_int_equal(stat_of("saved").st_size, before.st_size);
	assert_int_equal(stat_of("saved.vf0").st_ino, data.st_ino);
	assert_int_equal(stat_of("saved.vf0").st_size, data.st_size);
	assert_int_equal(stat_of("saved.vf0").st_mtim.tv_nsec, data.st_mtim.tv_nsec);

	do_file(&s, "migrate", "saved");
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	after = stat_of("saved");
	assert_int_not_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_mode & 07777, 0600);
	assert_int_equal(stat_of("saved.vf0").st_mode & 07777, 0600);
	start(&d, "destination", QUICK, 1, "vf", "--incoming=defer");
	do_file(&d, "migrate-incoming", "saved");
	expect_events(&d, DESTINATION_1);
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
	assert_int_equal(count_files(".part"), 0);
	remove_file("saved");
}

/* Links and whatever else is no file are neither followed nor replaced. */
static void test_only_a_file_is_replaced(void **state)
{
	int precious = open(path_of("precious"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct vm s;

	(void)state;
	assert_int_equal(write(precious, "gold", 4), 4);
	close(precious);
	assert_int_equal(symlink(path_of("precious"), path_of("link")), 0);
	assert_int_equal(symlink(path_of("precious"), path_of("saved.vf0")), 0);
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	start_source(&s, QUICK, 1, NULL);
	fail_to_save(&s, "link", "/link as a file: it is no regular file");
	fail_to_save(&s, "saved", "/saved.vf0 as a file: it is no regular file");
	fail_to_save(&s, "fifo", "/fifo as a file: it is no regular file");
	expect_member(&s, "query-status", "status", "running");
	end(&s);
	assert_true(S_ISLNK(stat_of("link").st_mode));
	assert_true(S_ISLNK(stat_of("saved.vf0").st_mode));
	assert_true(S_ISFIFO(stat_of("fifo").st_mode));
	assert_int_equal(stat_of("precious").st_size, 4);
	assert_int_equal(count_files("saved"), 1);
	assert_int_equal(count_files(".part"), 0);
	unlink(path_of("link"));
	unlink(path_of("saved.vf0"));
	unlink(path_of("fifo"));
	unlink(path_of("precious"));
}

/* Quit in the middle of it, with the device held: nothing stays, and the older one does. */
static void test_quit_while_saving(void **state)
{
	struct stat before;
	struct vm s;

	(void)state;
	save_to_file(&s, "saved");
	end(&s);
	before = stat_of("saved");
	start_source(&s, HELD, 1, NULL);
	do_file(&s, "migrate", "saved");
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	assert_int_equal(count_files(".part"), 2);
	end(&s);
	assert_int_equal(count_files(".part"), 0);
	assert_int_equal(stat_of("saved").st_ino, before.st_ino);
	remove_file("saved");
}

/* A lease on a file keeps whoever opens it waiting, as a file system that hangs does. */
static void test_a_file_system_that_hangs(void **state)
{
	struct vm s, d;
	int fd;

	(void)state;
	signal(SIGIO, SIG_IGN);
	save_to_file(&s, "saved");
	end(&s);
	fd = open(path_of("saved.vf0"), O_RDWR | O_CLOEXEC);
	if (fcntl(fd, F_SETLEASE, F_WRLCK)) {
		print_message("# no lease on a file here\n");
		close(fd);
		remove_file("saved");
		skip();
	}
	start(&d, "destination", QUICK, 1, "vf", "--incoming=defer");
	do_file(&d, "migrate-incoming", "saved");
	expect_events(&d, "M setup");
	expect_member(&d, "query-status", "status", "inmigrate");
	expect_member(&d, "query-migrate", "status", "setup");
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	close(fd);
	expect_events(&d, "M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		      "M completed");
	end(&d);
	remove_file("saved");
}

/* Where the destination is held, and the source's last event there. */
struct silence {
	const char *source, *destination;	/* DEV */
	const char *reached;			/* the source's events up to there */
	const char *after;			/* and those that follow from the silence */
	const char *duty, *runstate;
};

static const struct silence destinations[] = {
	{ QUICK, NULL, "M setup", "M failing, M failed", "get ready", "running" },
	{ LARGE, DEAF, SETUP_1, "M failing, V vf0 running, M failed",
	  "take the devices' state", "running" },
	{ QUICK, ARC_HELD("RESUMING>STOP"),
	  SETUP_1 ", " QUIESCE_1 ", V vf0 stop-copy, STOP, M device",
	  "M failing, V vf0 stop, M failed", "take over", "paused" },
};

static void expect_silence(struct vm *vm, const char *who, const char *duty)
{
	struct json_object *info = call(vm, "query-migrate", NULL);
	const char *text = json_object_get_string(json_object_object_get(info, "error-desc"));
	char want[128];

	snprintf(want, sizeof(want), "the %s" SILENT_S, who, duty);
	if (!text || strncmp(text, want, strlen(want)))
		fail_msg("\"%s\" does not begin with \"%s\"", text ? text : "", want);
	json_object_put(info);
}

/* Somebody who listens and never even accepts. */
static int mute_listener(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path_of("migration"));
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void run_silent_destination(const struct silence *row)
{
	struct vm s, d;
	int fd = -1;

	start_source(&s, row->source, 1, NULL);
	do_call(&s, "migrate-set-parameters", TIMEOUT);
	if (row->destination)
		start_destination(&d, row->destination, 1, "vf");
	else
		fd = mute_listener();
	migrate(&s);
	expect_events(&s, row->reached);
	if (row->destination)
		kill(d.child.pid, SIGSTOP);
	expect_events(&s, row->after);
	expect_silence(&s, "destination", row->duty);
	expect_member(&s, "query-status", "status", row->runstate);
	end(&s);
	if (row->destination) {
		qmp_client_free(d.client);
		child_end(&d.child);
	} else {
		close(fd);
	}
	unlink(path_of("destination"));
	unlink(path_of("migration"));
}

static void test_silent_destination(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++)
		run_silent_destination(&destinations[i]);
}

/* Of the source, which is stopped at these points; the destination waits again. */
static const struct silence sources[] = {
	{ LARGE, DEAF, SETUP_1, NULL, "send the devices' state", NULL },
	{ HELD, QUICK, SETUP_1 ", V vf0 pre-copy-p2p-prepare", NULL, "send the devices' state",
	  NULL },
};

static void run_silent_source(const struct silence *row)
{
	bool held = row->destination != (const char *)QUICK;
	struct vm s, d;

	start_source(&s, row->source, 1, NULL);
	start_destination(&d, row->destination, 1, "vf");
	do_call(&d, "migrate-set-parameters", TIMEOUT);
	migrate(&s);
	expect_events(&s, row->reached);
	expect_events(&d, "M setup, M active");
	kill(s.child.pid, SIGSTOP);
	/* Its arc comes first; the silence has nothing to do with it. */
	if (held)
		release(&d, "vf0");
	expect_events(&d, "V vf0 resuming, M failed");
	expect_silence(&d, "source", row->duty);
	expect_member(&d, "query-status", "status", "inmigrate");
	/* Awake again it hears so, and runs on. */
	kill(s.child.pid, SIGCONT);
	if (!held)
		release(&s, "vf0");
	expect_events(&s, held ? "M failing, V vf0 running, M failed" :
				 "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, "
				 "V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed");
	expect_silence(&s, "source", row->duty);
	expect_member(&s, "query-status", "status", "running");
	end(&s);
	end(&d);
}

static void test_silent_source(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		run_silent_source(&sources[i]);
}

/* One deadline passes: that of a stranger to a third machine, which closes it then. */
static void outlast_deadline(void)
{
	struct vm clock;
	char args[160];
	int stranger;
	char byte;

	start(&clock, "clock", "emu", 1, "vf", "--incoming=defer");
	do_call(&clock, "migrate-set-parameters", LONG_TIMEOUT);
	snprintf(args, sizeof(args), "{\"uri\": \"%s\"}", uri_of("third"));
	do_call(&clock, "migrate-incoming", args);
	expect_events(&clock, "M setup");
	stranger = dial_at("third", "", 0);
	assert_int_equal(read(stranger, &byte, 1), 0);
	close(stranger);
	end(&clock);
}

/* Held twice as long as the deadline, at either end: both control threads are alive. */
static void test_a_held_arc_is_no_silence(void **state)
{
	struct vm s, d;

	(void)state;
	start_source(&s, HELD, 1, NULL);
	start_destination(&d, ARC_HELD("RESUMING>STOP"), 1, "vf");
	do_call(&s, "migrate-set-parameters", LONG_TIMEOUT);
	do_call(&d, "migrate-set-parameters", LONG_TIMEOUT);
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	outlast_deadline();
	outlast_deadline();
	release(&s, "vf0");
	expect_events(&s, "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device");
	expect_events(&d, "M setup, M active, V vf0 resuming, RESUME");
	outlast_deadline();
	outlast_deadline();
	release(&d, "vf0");
	expect_events(&s, "M completed, V vf0 stop");
	expect_events(&d, "V vf0 running-p2p, V vf0 running, M completed");
	expect_equal_fingerprints(&s, &d);
	end(&s);
	end(&d);
}

/* A source that says who it is, and leaves its device's connection out. */
static void test_missing_connection(void **state)
{
	const struct hello hello = {
		.kind = HELLO_CONTROL, .session = 1, .count = 1, .id = { "vf0" },
	};
	int control;
	struct vm d;

	(void)state;
	start_destination(&d, QUICK, 1, "vf");
	do_call(&d, "migrate-set-parameters", TIMEOUT);
	control = dial_hello(&hello);
	expect_events(&d, "M setup, M failed");
	expect_silence(&d, "source", "connect all its devices");
	close(control);
	end(&d);
}

#define STRANGERS	80	/* more than there is room for */

/* They all go in the end, and the source that comes after them gets in. */
static void test_strangers_hold_no_place(void **state)
{
	static const char *const says[] = { "", "\1" };
	int strangers[STRANGERS];
	struct vm s, d;
	char byte;

	(void)state;
	start_source(&s, QUICK, 1, NULL);
	start_destination(&d, QUICK, 1, "vf");
	do_call(&d, "migrate-set-parameters", TIMEOUT);
	for (unsigned int i = 0; i < STRANGERS; i++)
		strangers[i] = dial(says[i % 2], i % 2);
	for (unsigned int i = 0; i < STRANGERS; i++) {
		assert_true(read(strangers[i], &byte, 1) <= 0);
		close(strangers[i]);
	}
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	end(&s);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_ipv6),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_truncated_file),
		cmocka_unit_test(test_full_file),
		cmocka_unit_test(test_an_older_file_stays),
		cmocka_unit_test(test_only_a_file_is_replaced),
		cmocka_unit_test(test_quit_while_saving),
		cmocka_unit_test(test_a_file_system_that_hangs),
		cmocka_unit_test(test_silent_destination),
		cmocka_unit_test(test_silent_source),
		cmocka_unit_test(test_a_held_arc_is_no_silence),
		cmocka_unit_test(test_missing_connection),
		cmocka_unit_test(test_strangers_hold_no_place),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
