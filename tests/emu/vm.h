/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * miglab run as a process of its own and a QMP client of it: what the tests of whole
 * machines begin with. Sockets and logs are in one directory of the test.
 */
#ifndef MIGLAB_TESTS_EMU_VM_H
#define MIGLAB_TESTS_EMU_VM_H

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/clock.h"
#include "qmp/client.h"
#include "vmm/framing.h"

#define PATIENCE_NS	(200 * NSEC_PER_SEC)	/* only a test that fails takes so long */
#define QUICK		"emu:rules=arc=PRE_COPY>PRE_COPY_P2P delay_us=1000"
#define HELD		"emu:rules=arc=PRE_COPY>PRE_COPY_P2P hold limit_us=3600000000"

static char dir[] = "/tmp/miglab-test-XXXXXX";

/* Of the machines that are started from now on: "--policy=..", or NULL. */
static const char *policy;

struct vm {
	struct child child;
	struct qmp_client *client;
	unsigned int devices;
};

static inline char *path_of(const char *name)
{
	static char paths[4][64];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%.32s", dir, name);
	return path;
}

static inline char *uri_of(const char *name)
{
	static char uris[4][80];
	static unsigned int turn;
	char *uri = uris[turn++ % 4];

	snprintf(uri, sizeof(uris[0]), "unix:%s", path_of(name));
	return uri;
}

static inline char *program(void)
{
	char *env = getenv("MIGLAB");

	return env ? env : "build/miglab";
}

/* The answer of a command, or NULL with the error's text in @err. */
static inline struct json_object *try(struct vm *vm, const char *command, const char *args,
				      struct error *err)
{
	struct json_object *parsed = args ? json_tokener_parse(args) : NULL, *answer = NULL;

	assert_true(!args || parsed);
	if (qmp_client_call(vm->client, command, parsed, clock_ns() + PATIENCE_NS, &answer, err))
		return NULL;
	return answer;
}

static inline struct json_object *call(struct vm *vm, const char *command, const char *args)
{
	struct error err;
	struct json_object *answer = try(vm, command, args, &err);

	if (!answer)
		fail_msg("%s: %s", command, err.text);
	return answer;
}

static inline void do_call(struct vm *vm, const char *command, const char *args)
{
	json_object_put(call(vm, command, args));
}

static inline void expect_refused(struct vm *vm, const char *command, const char *args,
				  const char *why)
{
	struct error err;

	assert_null(try(vm, command, args, &err));
	if (!strstr(err.text, why))
		fail_msg("%s: \"%s\" is not in \"%s\"", command, why, err.text);
}

/* Asserts that member @name of what @query returns is @want. */
static inline void expect_member(struct vm *vm, const char *query, const char *name,
				 const char *want)
{
	struct json_object *answer = call(vm, query, NULL);
	const char *got = json_object_get_string(json_object_object_get(answer, name));

	if (!got || strcmp(got, want))
		fail_msg("%s of %s is \"%s\", not \"%s\"", name, query, got ? got : "absent", want);
	json_object_put(answer);
}

static inline void next_event(struct vm *vm, char *text, size_t size)
{
	struct qmp_event e;
	struct error err = { "no event" };

	if (qmp_client_event(vm->client, clock_ns() + PATIENCE_NS, &e, &err) != 1)
		fail_msg("%s: %s", vm->child.name, err.text);
	if (!strcmp(e.name, "VFIO_MIGRATION"))
		snprintf(text, size, "V %s %s",
			 json_object_get_string(json_object_object_get(e.data, "device-id")),
			 json_object_get_string(json_object_object_get(e.data, "device-state")));
	else if (!strcmp(e.name, "MIGRATION"))
		snprintf(text, size, "M %s",
			 json_object_get_string(json_object_object_get(e.data, "status")));
	else
		snprintf(text, size, "%s", e.name);
	qmp_event_release(&e);
}

/* The next events are these, in this order. */
static inline void expect_events(struct vm *vm, const char *want)
{
	char got[2048] = "";

	while (strlen(got) < strlen(want)) {
		char text[128];

		next_event(vm, text, sizeof(text));
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", *got ? ", " : "",
			 text);
		if (strncmp(got, want, strlen(got)))
			break;
	}
	if (strcmp(got, want))
		fail_msg("%s:\n got: %s\nwant: %s", vm->child.name, got, want);
}

/* A command's answer comes after all events before it. */
static inline void expect_no_event(struct vm *vm)
{
	struct qmp_event e;
	struct error err;

	do_call(vm, "query-status", NULL);
	assert_int_equal(qmp_client_event(vm->client, 0, &e, &err), 0);
}

static inline void attribute(struct vm *vm, const char *device, const char *name, char *text,
			     size_t size)
{
	struct json_object *answer;
	char args[128];

	snprintf(args, sizeof(args), "{\"device\": \"%s\", \"attribute\": \"%s\"}", device, name);
	answer = call(vm, "x-miglab-read", args);
	snprintf(text, size, "%s",
		 json_object_get_string(json_object_object_get(answer, "text")));
	json_object_put(answer);
}

static inline void release(struct vm *vm, const char *device)
{
	char args[128];

	snprintf(args, sizeof(args),
		 "{\"device\": \"%s\", \"attribute\": \"release\", \"text\": \"1\"}", device);
	do_call(vm, "x-miglab-write", args);
}

static inline void expect_equal_fingerprints(struct vm *a, struct vm *b)
{
	for (unsigned int i = 0; i < a->devices; i++) {
		char id[16], one[64], other[64];

		snprintf(id, sizeof(id), "vf%u", i);
		attribute(a, id, "fingerprint", one, sizeof(one));
		attribute(b, id, "fingerprint", other, sizeof(other));
		assert_string_equal(one, other);
	}
}

/* Has all events of the boot behind it, whether we have seen them or not. */
static inline void settle(struct vm *vm)
{
	char text[128] = "";

	do_call(vm, "stop", NULL);
	while (strcmp(text, "STOP"))
		next_event(vm, text, sizeof(text));
	do_call(vm, "cont", NULL);
	for (unsigned int i = 0; i < 1 + 2 * vm->devices; i++)
		next_event(vm, text, sizeof(text));
	expect_no_event(vm);
}

/* @extra and @more: arguments, or NULL. */
static inline void start_with(struct vm *vm, const char *name, const char *device,
			      unsigned int count, const char *id, const char *extra,
			      const char *more)
{
	char *argv[16] = { program(), "run", "--qmp", uri_of(name) }, devices[4][256], log[32];
	struct error err;
	unsigned int argc = 4;

	memset(vm, 0, sizeof(*vm));
	vm->devices = count;
	for (unsigned int i = 0; i < count; i++) {
		snprintf(devices[i], sizeof(devices[i]), "%s,id=%s%u", device, id, i);
		argv[argc++] = "--device";
		argv[argc++] = devices[i];
	}
	if (policy)
		argv[argc++] = (char *)policy;
	if (extra)
		argv[argc++] = (char *)extra;
	argv[argc] = (char *)more;
	snprintf(log, sizeof(log), "%s.log", name);
	assert_int_equal(child_start(&vm->child, name, argv, path_of(log), false, &err), 0);
	while (qmp_client_connect(uri_of(name), clock_ns() + 100 * NSEC_PER_MSEC, &vm->client,
				  &err)) {
		if (child_ended(&vm->child, 0)) {
			child_print_log(&vm->child);
			fail_msg("%s: %s", name, err.text);
		}
	}
	do_call(vm, "migrate-set-capabilities",
		"{\"capabilities\": [{\"capability\": \"events\", \"state\": true}]}");
	do_call(vm, "migrate-set-parameters", "{\"avail-switchover-bandwidth\": 1000000000}");
}

/* @extra: one more argument, or NULL. */
static inline void start(struct vm *vm, const char *name, const char *device, unsigned int count,
			 const char *id, const char *extra)
{
	start_with(vm, name, device, count, id, extra, NULL);
}

static inline void start_source(struct vm *vm, const char *device, unsigned int count,
				const char *extra)
{
	start(vm, "source", device, count, "vf", extra);
	settle(vm);
}

static inline void listen_for_migration(struct vm *vm)
{
	char args[160];

	snprintf(args, sizeof(args), "{\"uri\": \"%s\", \"exit-on-error\": false}",
		 uri_of("migration"));
	do_call(vm, "migrate-incoming", args);
}

static inline void start_destination(struct vm *vm, const char *device, unsigned int count,
				     const char *id)
{
	start(vm, "destination", device, count, id, "--incoming=defer");
	listen_for_migration(vm);
}

static inline void migrate(struct vm *vm)
{
	char args[160];

	snprintf(args, sizeof(args), "{\"uri\": \"%s\"}", uri_of("migration"));
	do_call(vm, "migrate", args);
}

/* Ends by itself with status 0, and takes its sockets along. */
static inline void end(struct vm *vm)
{
	expect_no_event(vm);
	do_call(vm, "quit", NULL);
	qmp_client_free(vm->client);
	assert_true(child_ended(&vm->child, clock_ns() + PATIENCE_NS));
	assert_int_equal(vm->child.status, 0);
	assert_int_not_equal(access(path_of(vm->child.name), F_OK), 0);
}

/* A connection to the socket @name that begins with these bytes. */
static inline int dial_at(const char *name, const void *bytes, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path_of(name));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	/* A server without room may be gone already, which only a write would notice. */
	if (len)
		assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
	return fd;
}

/* One to the destination. */
static inline int dial(const void *bytes, size_t len)
{
	return dial_at("migration", bytes, len);
}

static inline int dial_hello(const struct hello *hello)
{
	uint8_t frame[HELLO_BYTES_MAX];

	return dial(frame, hello_encode(frame, hello));
}

static inline int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

/* With the logs; whatever else is in it is an error. */
static inline int remove_dir(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	(void)state;
	while ((e = readdir(d))) {
		if (strstr(e->d_name, ".log"))
			unlink(path_of(e->d_name));
	}
	closedir(d);
	return rmdir(dir);
}

#define SETUP_1		"M setup, V vf0 pre-copy, M active"
#define QUIESCE_1	"V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p"
#define FINISH_1	"V vf0 stop-copy, STOP, M device, M completed, V vf0 stop"
#define DESTINATION_1	"M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, " \
			"V vf0 running, M completed"

/* Of four devices that all goes well for, by the policy "qemu". */
#define SOURCE_4 \
	"M setup, V vf0 pre-copy, V vf1 pre-copy, V vf2 pre-copy, " \
	"V vf3 pre-copy, M active, V vf3 pre-copy-p2p-prepare, V vf3 pre-copy-p2p, " \
	"V vf2 pre-copy-p2p-prepare, V vf2 pre-copy-p2p, " \
	"V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, " \
	"V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, " \
	"V vf3 stop-copy, V vf2 stop-copy, V vf1 stop-copy, V vf0 stop-copy, STOP, " \
	"M device, M completed, V vf0 stop, V vf1 stop, V vf2 stop, V vf3 stop"

/* Lets the arc PRE_COPY>PRE_COPY_P2P of vf0 go, which is held: all goes well from there. */
static inline void finish_held(struct vm *source, struct vm *destination)
{
	release(source, "vf0");
	expect_events(source, "V vf0 pre-copy-p2p, " FINISH_1);
	expect_events(destination, DESTINATION_1);
	expect_equal_fingerprints(source, destination);
	end(source);
	end(destination);
}

#endif
