// SPDX-License-Identifier: GPL-2.0-only
/*
 * In the virtual test host, QEMU 11.1 migrates a guest that drives its device and checks what it
 * does (tests/guest), back and forth while it runs. The guest must see no difference where the
 * driver's model carries the device's state, and must see one where it does not.
 *
 * Usage: guest [--list | [--often] [ROW..]]
 *
 * Every row unless some are named; --often moves the guest a hundred times, back and forth, in
 * those rows in which it must see no difference. The functions in $MIGLAB_DEVICES and
 * $MIGLAB_TESTDEVS are bound to miglab_vfio_pci; $MIGLAB_MDEV_EDUS and $MIGLAB_MDEV_MEMS are
 * emulated ones of those models, which were made without rules. TAP; exit status 0 all as
 * expected, 1 a row is not, 2 bad usage, 3 could not run.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attribute.h"
#include "base/clock.h"
#include "serial.h"
#include "vmm.h"

#define ROWS		(sizeof(rows) / sizeof(rows[0]))
#define GUARD_NS	(300 * NSEC_PER_SEC)
#define GUEST		"build/tests/guest/guest"
#define OFTEN		100

#define DEVICES		"MIGLAB_DEVICES"
#define MEMORIES	"MIGLAB_TESTDEVS"
#define MDEV_EDUS	"MIGLAB_MDEV_EDUS"
#define MDEV_MEMORIES	"MIGLAB_MDEV_MEMS"

/* The turn in which the guest was moved ends, and the next looks at all that was moved. */
#define TURNS		2

enum { SIDES = 2 };

struct row {
	const char *name;
	const char *functions;	/* the variable that names them; NULL: an edu of QEMU's own */
	const char *model;	/* of miglab_vfio_pci; NULL: the functions have theirs */
	bool messages;		/* its interrupts are MSI, not INTx */
	unsigned int moves;
	const char *finds;	/* how the guest's complaint begins, after a move; NULL: none */
};

static const struct row rows[] = {
	{ "edu-emulated", NULL, NULL, false, 1, "edu: " },	/* QEMU migrates nothing of it */
	{ "edu-synthetic", DEVICES, "synthetic", false, 1, "edu: " },
	{ "edu", DEVICES, "edu", false, 4, NULL },
	{ "edu-msi", DEVICES, "edu", true, 4, NULL },
	{ "bar-synthetic", MEMORIES, "synthetic", false, 1, "bar: " },
	{ "bar", MEMORIES, "bar", false, 2, NULL },
	{ "mdev-edu", MDEV_EDUS, NULL, false, 4, NULL },
	{ "mdev-edu-msi", MDEV_EDUS, NULL, true, 4, NULL },
	{ "mdev-mem", MDEV_MEMORIES, NULL, false, 4, NULL },
};

/* A row as it is played. */
struct play {
	const struct row *row;
	unsigned int moves;
	char *bdf[SIDES];
	const char *dir;
	struct vmm vmm[SIDES];
	struct serial serial;
	char path[128];		/* of the serial port's file */
};

static const char *const roles[SIDES] = { "here", "there" };

static int start(struct play *p, unsigned int side, bool incoming, struct error *err)
{
	const bool emulated = !p->row->functions;
	struct args more = { .count = 0 };
	struct vmm_plan plan = {
		.kind = QEMU_11, .dir = p->dir, .role = roles[side],
		.bdfs = (const char *const *)&p->bdf[side], .devices = emulated ? 0 : 1,
		.incoming = incoming, .cpu = side,
	};
	int ret;

	args_add(&more, "-kernel");
	args_add(&more, GUEST);
	args_add(&more, "-chardev");
	args_add(&more, "file,id=serial,append=on,path=%s", p->path);
	args_add(&more, "-serial");
	args_add(&more, "chardev:serial");
	if (p->row->messages) {
		args_add(&more, "-append");
		args_add(&more, "msi");
	}
	if (emulated) {
		args_add(&more, "-device");
		args_add(&more, "edu");
	}
	more.v[more.count] = NULL;
	plan.more = (const char *const *)more.v;
	ret = vmm_start(&p->vmm[side], &plan, err);
	args_free(&more);
	return ret;
}

/* From one side to the other while it runs, until the side that it left has ended. */
static int move(struct play *p, unsigned int from, struct error *err)
{
	struct vmm *source = &p->vmm[from], *destination = &p->vmm[!from];
	uint64_t deadline_ns = clock_ns() + GUARD_NS;
	char uri[256];
	int ret = start(p, !from, true, err);

	snprintf(uri, sizeof(uri), "unix:%s/migration", p->dir);
	if (!ret)
		ret = vmm_command(destination, "migrate-incoming", uri, err);
	if (!ret)
		ret = serial_settle(&p->serial, err);
	if (!ret)
		ret = vmm_command(source, "migrate", uri, err);
	if (!ret)
		ret = vmm_wait(source, deadline_ns, err);
	if (!ret)
		ret = vmm_wait(destination, deadline_ns, err);
	vmm_stop(source);
	return ret;
}

static int go_on(struct play *p, unsigned int turns, struct error *err)
{
	return serial_await(&p->serial, p->serial.turn + turns, clock_ns() + GUARD_NS, err);
}

/* What the guest says after a move: 0 when that is what the row expects. */
static int look(struct play *p, struct error *err)
{
	const char *finds = p->row->finds, *colon;
	struct error said = { "" };
	int ret = serial_settle(&p->serial, &said);

	if (!ret)
		ret = go_on(p, TURNS, &said);
	if (!finds)
		return ret ? error_set(err, ret, "%s", said.text) : 0;
	colon = strchr(said.text, ':');
	if (ret == 1 && colon && !strncmp(colon + 2, finds, strlen(finds))) {
		printf("# found: %s\n", said.text);
		return 0;
	}
	return error_set(err, 1, "the guest should have found that its device is another one%s%s",
			 ret ? ": " : "", said.text);
}

/* Of both functions, from the next open on. */
static int set_model(const struct play *p, const char *model, struct error *err)
{
	unsigned int side;
	int ret = 0;

	for (side = 0; !ret && p->row->model && side < SIDES; side++)
		ret = attribute_write(p->bdf[side], "model", model, err);
	return ret;
}

static int set_up(struct play *p, struct error *err)
{
	unsigned int side;
	int ret = set_model(p, p->row->model, err);

	for (side = 0; !ret && p->row->model && side < SIDES; side++)
		ret = attribute_write(p->bdf[side], "rules", "\n", err);
	return ret;
}

static int migrate(struct play *p, struct error *err)
{
	unsigned int i;
	int ret = start(p, 0, false, err);

	if (!ret)
		ret = go_on(p, TURNS, err);
	for (i = 0; !ret && i < p->moves; i++) {
		ret = move(p, i % SIDES, err);
		if (!ret)
			ret = look(p, err);
		if (ret)
			error_prefix(err, ret, "move %u", i + 1);
	}
	return ret;
}

static int play_row(struct play *p, struct error *err)
{
	unsigned int side;
	int ret;

	snprintf(p->path, sizeof(p->path), "%s/serial", p->dir);
	ret = serial_open(&p->serial, p->path, err);
	if (ret)
		return ret;
	ret = set_up(p, err);
	if (!ret)
		ret = migrate(p, err);
	for (side = 0; side < SIDES; side++) {
		vmm_stop(&p->vmm[side]);
		if (ret && p->vmm[side].role)
			print_log(p->vmm[side].log);
	}
	if (ret)
		print_log(p->path);
	serial_close(&p->serial);
	/* For whoever uses the functions next. */
	set_model(p, "synthetic", NULL);
	return ret;
}

/* Copies of the first words of that variable; NULL where there are fewer. */
static void find_functions(const char *variable, char *ret_bdf[SIDES])
{
	const char *names = getenv(variable);
	char *copy = strdup(names ? names : ""), *save = NULL, *name = strtok_r(copy, " ", &save);
	unsigned int i;

	for (i = 0; i < SIDES; i++, name = strtok_r(NULL, " ", &save))
		ret_bdf[i] = name ? strdup(name) : NULL;
	free(copy);
}

static int try_row(const struct row *row, bool often, const char *dir, unsigned int *ret_turns,
		   struct error *err)
{
	struct play p = {
		.row = row, .moves = often && !row->finds ? OFTEN : row->moves, .dir = dir,
	};
	unsigned int side;
	int ret;

	if (row->functions)
		find_functions(row->functions, p.bdf);
	if (row->functions && !p.bdf[SIDES - 1])
		ret = error_set(err, -ENODEV, "%s names no two functions", row->functions);
	else
		ret = play_row(&p, err);
	*ret_turns = p.serial.turn;
	for (side = 0; side < SIDES; side++)
		free(p.bdf[side]);
	return ret;
}

/* What the harness must not be content with. */
static const struct {
	const char *name, *lines[4];
} controls[] = {
	{ "a turn is missing", { "1 ok", "2 ok", "4 ok" } },
	{ "a turn is repeated", { "1 ok", "2 ok", "2 ok" } },
	{ "the guest begins anew", { "1 ok", "edu: registers at 0", "2 ok" } },
	{ "the guest finds a difference", { "1 ok", "2 FAIL: bar: word", "3 ok" } },
	{ "a note is of another turn", { "1 ok", "3 note: what" } },
	{ "a turn is cut short", { "1 ok", "2 o" } },
};

static int play_controls(int *number)
{
	int bad = 0;
	size_t i, n;

	for (i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		struct error err = { "" };
		unsigned int turn = 0;
		int ret = 0;

		for (n = 0; !ret && controls[i].lines[n]; n++)
			ret = serial_judge(&turn, controls[i].lines[n], &err);
		printf("%sok %d - control: %s: %s\n", ret == 1 ? "" : "not ", ++*number,
		       controls[i].name, ret ? err.text : "not noticed");
		bad |= ret != 1;
	}
	return bad;
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc < 2 || (argc == 2 && !strcmp(argv[1], "--often"));
}

static int usage_error(int argc, char **argv)
{
	size_t r;
	int i;

	for (i = 1; i < argc; i++) {
		for (r = 0; r < ROWS && strcmp(rows[r].name, argv[i]); r++)
			;
		if (r == ROWS && strcmp(argv[i], "--often")) {
			fprintf(stderr, "guest: there is no row %s; see guest --list\n", argv[i]);
			return 2;
		}
	}
	return 0;
}

static int list(void)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		puts(rows[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	bool often = argc > 1 && !strcmp(argv[1], "--often");
	char dir[] = "/tmp/miglab-guest-XXXXXX";
	int number = 0, bad;
	size_t i;

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return list();
	if (usage_error(argc, argv))
		return 2;
	if (!mkdtemp(dir)) {
		fprintf(stderr, "guest: /tmp is not writable\n");
		return 3;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	bad = play_controls(&number);
	for (i = 0; i < ROWS; i++) {
		unsigned int turns = 0;
		struct error err = { "" };
		int ret;

		if (!is_wanted(rows[i].name, argc, argv))
			continue;
		ret = try_row(&rows[i], often, dir, &turns, &err);
		bad |= ret != 0;
		printf("%sok %d - %s: %u turns%s%s\n", ret ? "not " : "", ++number, rows[i].name,
		       turns, ret ? ": " : "", ret ? err.text : "");
	}
	printf("1..%d\n", number);
	return bad;
}
