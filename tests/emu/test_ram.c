// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machines with memory: it arrives as it was when all devices had stopped, or the
 * migration fails and says so.
 */
#include "vm.h"

#include <fcntl.h>

#include "device/memory.h"

/* It goes round this memory many times while anybody looks. */
#define SMALL		"64K"
#define BUSY		"emu:dma_bytes_per_sec=4G"
#define HELD_BUSY	HELD ",dma_bytes_per_sec=4G"
/* Its DMA to that page is in no record. */
#define FORGETFUL	HELD ",dma_bytes_per_sec=4G,dma_log_misses=5"

static const char statistics[] =
	"{\"capabilities\": [{\"capability\": \"x-device-statistics\", \"state\": true}]}";

static void memory_text(struct vm *vm, const char *name, char *text, size_t size)
{
	struct json_object *info = call(vm, "query-migrate", NULL);
	struct json_object *memory = json_object_object_get(info, "x-memory");
	const char *value = json_object_get_string(json_object_object_get(memory, name));

	snprintf(text, size, "%s", value ? value : "absent");
	json_object_put(info);
}

static void expect_equal_memories(struct vm *s, struct vm *d)
{
	char one[32], other[32];

	memory_text(s, "checksum", one, sizeof(one));
	memory_text(d, "checksum", other, sizeof(other));
	assert_string_not_equal(one, "absent");
	assert_string_equal(one, other);
}

static int64_t ram_number(struct vm *vm, const char *name)
{
	struct json_object *info = call(vm, "query-migrate", NULL);
	struct json_object *ram = json_object_object_get(info, "ram"), *value;
	int64_t number = -1;

	if (json_object_object_get_ex(ram, name, &value))
		number = json_object_get_int64(value);
	json_object_put(info);
	return number;
}

static void start_both(struct vm *s, const char *source, struct vm *d, const char *destination,
		       unsigned int count, const char *ram)
{
	start_source(s, source, count, ram);
	start_with(d, "destination", destination, count, "vf", "--incoming=defer", ram);
	listen_for_migration(d);
	do_call(s, "migrate-set-capabilities", statistics);
	do_call(d, "migrate-set-capabilities", statistics);
}

/* More is written than can be sent, whatever the bandwidth: passes end all the same. */
static void test_moved(void **state)
{
	struct vm s, d;

	(void)state;
	start_both(&s, BUSY, &d, QUICK, 1, "--ram=16M");
	do_call(&s, "migrate-set-parameters", "{\"avail-switchover-bandwidth\": 1000000}");
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	expect_equal_memories(&s, &d);
	expect_equal_fingerprints(&s, &d);
	assert_int_equal(ram_number(&s, "total"), 16 << 20);
	assert_int_equal(ram_number(&s, "remaining"), 0);
	assert_true(ram_number(&s, "normal") + ram_number(&s, "duplicate") >= 4096);
	assert_int_equal(ram_number(&s, "normal-bytes"), ram_number(&s, "normal") * 4096);
	/* Two passes that ended as they began, and what came when all had stopped. */
	assert_true(ram_number(&s, "dirty-sync-count") >= 3);
	end(&s);
	end(&d);
}

/* The states of the memory are nobody's business, and it needs no P2P. */
static void test_four_devices(void **state)
{
	struct vm s, d;

	(void)state;
	start_both(&s, BUSY, &d, QUICK, 4, "--ram=1M");
	migrate(&s);
	expect_events(&s, SOURCE_4);
	expect_equal_memories(&s, &d);
	end(&s);
	do_call(&d, "quit", NULL);
	qmp_client_free(d.client);
	assert_true(child_ended(&d.child, clock_ns() + PATIENCE_NS));
}

static void test_group(void **state)
{
	struct vm s, d;

	(void)state;
	policy = "--policy=group";
	start_both(&s, BUSY, &d, QUICK, 1, "--ram=" SMALL);
	policy = NULL;
	migrate(&s);
	expect_events(&s, SETUP_1 ", " QUIESCE_1 ", " FINISH_1);
	expect_events(&d, DESTINATION_1);
	expect_equal_memories(&s, &d);
	end(&s);
	end(&d);
}

static void test_no_p2p(void **state)
{
	static const char no_p2p[] = "emu:profile=no-p2p,dma_bytes_per_sec=4G";
	struct vm s, d;

	(void)state;
	start(&s, "source", no_p2p, 1, "vf", "--ram=" SMALL);
	start_with(&d, "destination", no_p2p, 1, "vf", "--incoming=defer", "--ram=" SMALL);
	listen_for_migration(&d);
	migrate(&s);
	expect_events(&d, "M setup, M active, V vf0 resuming, RESUME, V vf0 running, M completed");
	do_call(&s, "migrate-set-capabilities", statistics);
	do_call(&d, "migrate-set-capabilities", statistics);
	expect_events(&s, SETUP_1 ", V vf0 stop-copy, STOP, M device, M completed, V vf0 stop");
	expect_equal_memories(&s, &d);
	end(&s);
	end(&d);
}

static void expect_failure(struct vm *d, const char *why)
{
	struct json_object *info;
	const char *text;

	expect_member(d, "query-migrate", "status", "failed");
	info = call(d, "query-migrate", NULL);
	text = json_object_get_string(json_object_object_get(info, "error-desc"));
	if (!strstr(text, why))
		fail_msg("\"%s\" is not in \"%s\"", why, text);
	json_object_put(info);
}

/* A source whose record is wrong goes on; what arrived never runs. */
static void fail_for_page_5(const char *source, const char *why)
{
	struct vm s, d;

	start_both(&s, source, &d, QUICK, 1, "--ram=" SMALL);
	migrate(&s);
	expect_events(&s, SETUP_1 ", V vf0 pre-copy-p2p-prepare");
	release(&s, "vf0");
	if (!why) {
		expect_events(&s, "V vf0 pre-copy-p2p, " FINISH_1);
		expect_events(&d, DESTINATION_1);
		expect_equal_memories(&s, &d);
	} else {
		expect_events(&s, "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, "
			      "M failing, V vf0 running, RESUME, V vf0 running-p2p, "
			      "V vf0 running, M failed");
		expect_events(&d, "M setup, M active, V vf0 resuming, M failed");
		expect_member(&s, "query-status", "status", "running");
		expect_failure(&d, why);
	}
	end(&s);
	end(&d);
}

static void test_page_that_is_in_no_record(void **state)
{
	(void)state;
	fail_for_page_5(HELD_BUSY, NULL);
	fail_for_page_5(FORGETFUL, "the page at address 0x5000 is not what the source has");
}

static void test_other_sizes(void **state)
{
	static const struct { const char *source, *destination, *why; } rows[] = {
		{ "--ram=" SMALL, "--ram=128K",
		  "a memory of 65536 bytes and the destination one of 131072;" },
		{ "--ram=" SMALL, NULL, "a memory of 65536 bytes and the destination one of 0;" },
		{ NULL, "--ram=" SMALL, "a memory of 0 bytes and the destination one of 65536;" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[128] = "";
		struct vm s, d;

		start_source(&s, QUICK, 1, rows[i].source);
		start_with(&d, "destination", QUICK, 1, "vf", "--incoming=defer",
			   rows[i].destination);
		listen_for_migration(&d);
		migrate(&s);
		while (strcmp(text, "M failed"))
			next_event(&s, text, sizeof(text));
		for (*text = '\0'; strcmp(text, "M failed"); )
			next_event(&d, text, sizeof(text));
		expect_failure(&d, rows[i].why);
		expect_failure(&s, rows[i].why);
		expect_member(&s, "query-status", "status", "running");
		end(&s);
		end(&d);
	}
}

/* Flips a byte of the first page that is in the file of the memory. */
static void corrupt_page(const char *path)
{
	uint8_t header[FRAME_HEADER_BYTES], byte;
	enum frame_type type = FRAME_HELLO;
	uint32_t length = 0;
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	while (type != FRAME_PAGES) {
		assert_int_not_equal(lseek(fd, length, SEEK_CUR), -1);
		assert_int_equal(read(fd, header, sizeof(header)), sizeof(header));
		assert_int_equal(frame_header(header, &type, &length), 0);
	}
	assert_int_not_equal(lseek(fd, 8 + 100, SEEK_CUR), -1);
	assert_int_equal(read(fd, &byte, 1), 1);
	byte ^= 0x10;
	assert_int_not_equal(lseek(fd, -1, SEEK_CUR), -1);
	assert_int_equal(write(fd, &byte, 1), 1);
	close(fd);
}

static void migrate_by_file(bool corrupt)
{
	char args[160], text[128] = "";
	struct vm s, d;

	start_source(&s, BUSY, 1, "--ram=" SMALL);
	do_call(&s, "stop", NULL);
	snprintf(args, sizeof(args), "{\"uri\": \"file:%s\"}", path_of("saved"));
	do_call(&s, "migrate", args);
	while (strcmp(text, "M completed"))
		next_event(&s, text, sizeof(text));
	while (strcmp(text, "V vf0 stop"))
		next_event(&s, text, sizeof(text));
	if (corrupt)
		corrupt_page(path_of("saved.#ram"));
	start_with(&d, "destination", QUICK, 1, "vf", "--incoming=defer", "--ram=" SMALL);
	do_call(&s, "migrate-set-capabilities", statistics);
	do_call(&d, "migrate-set-capabilities", statistics);
	snprintf(args, sizeof(args), "{\"uri\": \"file:%s\", \"exit-on-error\": false}",
		 path_of("saved"));
	do_call(&d, "migrate-incoming", args);
	while (strncmp(text, "M completed", 11) && strncmp(text, "M failed", 8))
		next_event(&d, text, sizeof(text));
	if (corrupt)
		expect_failure(&d, "is not what the source has: checksum");
	else
		expect_equal_memories(&s, &d);
	unlink(path_of("saved"));
	unlink(path_of("saved.vf0"));
	unlink(path_of("saved.#ram"));
	end(&s);
	end(&d);
}

static void test_page_that_the_wire_changed(void **state)
{
	(void)state;
	migrate_by_file(false);
	migrate_by_file(true);
}

/* Started again in the middle: everything is sent once more, and holds. */
static void test_stop_and_cont(void **state)
{
	static const char deaf[] =
		"emu:state_bytes=64M,rules=arc=STOP>RESUMING hold limit_us=3600000000";
	struct vm s, d;

	(void)state;
	start_both(&s, "emu:rules=,dma_bytes_per_sec=1G,state_bytes=64M", &d, deaf, 1,
		   "--ram=1M");
	migrate(&s);
	expect_events(&s, SETUP_1);
	do_call(&s, "stop", NULL);
	do_call(&s, "cont", NULL);
	release(&d, "vf0");
	expect_events(&d, DESTINATION_1);
	expect_equal_memories(&s, &d);
	do_call(&s, "quit", NULL);
	qmp_client_free(s.client);
	assert_true(child_ended(&s.child, clock_ns() + PATIENCE_NS));
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_four_devices),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_no_p2p),
		cmocka_unit_test(test_page_that_is_in_no_record),
		cmocka_unit_test(test_other_sizes),
		cmocka_unit_test(test_page_that_the_wire_changed),
		cmocka_unit_test(test_stop_and_cont),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
