// SPDX-License-Identifier: GPL-2.0-only
/*
 * One guest, many migrations: to and fro between the same devices, by miglab run.
 *
 * Usage: relay COUNT A B RAM [WORKLOAD]
 *
 * A and B are devices as miglab run takes them, several with '+' between them: vfio:BDF+vfio:BDF.
 * The guest begins on A. After each migration both sides must have completed it, with memories of
 * one checksum, and the workload must have gone on where it stood and find nothing wrong; after the
 * last one for a whole round. Prints one line of TAP, and why it failed.
 *
 * Exit status: 0 passed, 1 not, 2 bad usage, 3 no directory for its sockets.
 */
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "qmp/client.h"

#define PATIENCE_NS	(300 * NSEC_PER_SEC)	/* only what hangs takes so long */
#define LOOK_MS		20
#define DEVICES_MAX	4

struct vm {
	struct child child;
	struct qmp_client *client;
	int64_t here;		/* what its workload did, as last asked */
	int64_t operations, interrupts;
	char checksum[32];
};

static char dir[] = "/tmp/miglab-relay-XXXXXX";
static const char *ram, *workload, *title = "relay";
static struct vm vms[2];

/* What machines leave behind that are killed, too. */
static void tidy(void)
{
	static const char *const names[] = { "a", "a.log", "b", "b.log", "wire" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

static void end_all(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		if (vms[i].child.pid)
			child_end(&vms[i].child);
		child_print_log(&vms[i].child);
	}
	tidy();
}

static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *fmt, ...)
{
	va_list ap;

	printf("not ok - %s\n# ", title);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	end_all();
	exit(1);
}

static struct json_object *call(struct vm *vm, const char *command, struct json_object *args)
{
	struct json_object *answer = NULL;
	struct error err;

	if (qmp_client_call(vm->client, command, args, clock_ns() + PATIENCE_NS, &answer, &err))
		fail("%s: %s: %s", vm->child.name, command, err.text);
	return answer;
}

static void do_call(struct vm *vm, const char *command, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void do_call(struct vm *vm, const char *command, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_put(call(vm, command, json_tokener_parse(text)));
}

static const char *text_of(struct json_object *object, const char *name)
{
	const char *text = json_object_get_string(json_object_object_get(object, name));

	return text ? text : "";
}

static int64_t number_of(struct json_object *object, const char *name)
{
	return json_object_get_int64(json_object_object_get(object, name));
}

/* @devices is written to. */
static void start(struct vm *vm, const char *name, char *devices, bool incoming)
{
	char *argv[32] = { "build/miglab", "run", "--ram", (char *)ram, "--qmp" };
	char qmp[64], log[64], ids[DEVICES_MAX][256], *save = NULL;
	unsigned int argc = 5, count = 0;
	struct error err;

	*vm = (struct vm){ .child.out = -1 };
	snprintf(qmp, sizeof(qmp), "unix:%s/%s", dir, name);
	snprintf(log, sizeof(log), "%s/%s.log", dir, name);
	argv[argc++] = qmp;
	for (char *d = strtok_r(devices, "+", &save); d && count < DEVICES_MAX;
	     d = strtok_r(NULL, "+", &save)) {
		snprintf(ids[count], sizeof(ids[0]), "%s,id=vf%u", d, count);
		argv[argc++] = "--device";
		argv[argc++] = ids[count++];
	}
	if (incoming)
		argv[argc++] = "--incoming=defer";
	if (workload) {
		argv[argc++] = "--workload";
		argv[argc++] = (char *)workload;
	}
	if (child_start(&vm->child, name, argv, log, false, &err))
		fail("%s: %s", name, err.text);
	while (qmp_client_connect(qmp, clock_ns() + LOOK_MS * NSEC_PER_MSEC, &vm->client, &err)) {
		if (child_ended(&vm->child, 0))
			fail("%s ended with status %d", name, vm->child.status);
	}
	do_call(vm, "migrate-set-capabilities",
		"{\"capabilities\":[{\"capability\":\"x-device-statistics\",\"state\":true}]}");
	do_call(vm, "migrate-set-parameters", "{\"avail-switchover-bandwidth\":1000000000}");
}

static void stop(struct vm *vm)
{
	do_call(vm, "quit", "{}");
	qmp_client_free(vm->client);
	vm->client = NULL;
	if (!child_ended(&vm->child, clock_ns() + PATIENCE_NS) || vm->child.status)
		fail("%s does not end", vm->child.name);
	child_end(&vm->child);
}

/* How far the workload is. Returns how many operations are a round. */
static int64_t ask_workload(struct vm *vm)
{
	struct json_object *report = call(vm, "x-query-workload", NULL);
	const char *error = text_of(report, "error");
	int64_t round = number_of(report, "round");

	vm->here = number_of(report, "here");
	vm->operations = number_of(report, "operations");
	vm->interrupts = number_of(report, "interrupts");
	if (*error)
		fail("%s: %s", vm->child.name, error);
	json_object_put(report);
	return round;
}

/* Until it has done a round and one operation, or @one operation. */
static void await_work(struct vm *vm, bool one)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;
	int64_t round;

	if (!workload)
		return;
	for (;;) {
		round = ask_workload(vm);
		if (vm->here > (one ? 0 : round))
			return;
		if (clock_ns() > until_ns)
			fail("%s: the workload is at operation %lld for ever", vm->child.name,
			     (long long)vm->operations);
		poll(NULL, 0, LOOK_MS);
	}
}

/* The destination's guest began where the source's had stopped. */
static void check_went_on(const struct vm *from, const struct vm *to)
{
	if (workload && to->operations - to->here != from->operations)
		fail("%s: the workload went on after operation %lld instead of %lld",
		     to->child.name, (long long)(to->operations - to->here),
		     (long long)from->operations);
}

static void await_end(struct vm *vm)
{
	uint64_t until_ns = clock_ns() + PATIENCE_NS;

	for (;;) {
		struct json_object *info = call(vm, "query-migrate", NULL), *memory;

		if (!strcmp(text_of(info, "status"), "failed"))
			fail("%s: %s", vm->child.name, text_of(info, "error-desc"));
		if (!strcmp(text_of(info, "status"), "completed")) {
			memory = json_object_object_get(info, "x-memory");
			snprintf(vm->checksum, sizeof(vm->checksum), "%s",
				 text_of(memory, "checksum"));
			json_object_put(info);
			return;
		}
		json_object_put(info);
		if (clock_ns() > until_ns)
			fail("%s: the migration does not end", vm->child.name);
		poll(NULL, 0, LOOK_MS);
	}
}

static void migrate(struct vm *from, struct vm *to)
{
	do_call(to, "migrate-incoming", "{\"uri\":\"unix:%s/wire\",\"exit-on-error\":false}", dir);
	do_call(from, "migrate", "{\"uri\":\"unix:%s/wire\"}", dir);
	await_end(from);
	await_end(to);
	if (!*from->checksum || strcmp(from->checksum, to->checksum))
		fail("checksums differ: %s and %s", from->checksum, to->checksum);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "a", "b" };
	unsigned int count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, side = 0;
	char what[128], devices[512];

	if (argc < 5 || argc > 6 || !count) {
		fprintf(stderr, "usage: relay COUNT A B RAM [WORKLOAD]\n");
		return 2;
	}
	ram = argv[4];
	workload = argv[5];
	snprintf(what, sizeof(what), "%u migrations of a guest with %s", count,
		 workload ? workload : "memory");
	title = what;
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 3;
	snprintf(devices, sizeof(devices), "%s", argv[2]);
	start(&vms[0], names[0], devices, false);
	await_work(&vms[0], true);
	for (unsigned int i = 0; i < count; i++, side = !side) {
		struct vm *from = &vms[side], *to = &vms[!side];

		snprintf(devices, sizeof(devices), "%s", argv[2 + !side]);
		start(to, names[!side], devices, true);
		migrate(from, to);
		if (workload)
			ask_workload(from);
		stop(from);
		await_work(to, i + 1 < count);
		check_went_on(from, to);
	}
	printf("# %lld operations, %lld interrupts, checksum %s\nok - %s\n",
	       (long long)vms[side].operations, (long long)vms[side].interrupts,
	       vms[side].checksum, title);
	stop(&vms[side]);
	tidy();
	return 0;
}
