// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bad input on the command line: one sentence on stderr, nothing on stdout, the
 * exit status that says whose fault it is, and nothing done. The PCI functions are
 * those of a made-up sysfs.
 */
#include "../unit/tree.h"

#include "base/child.h"
#include "base/clock.h"

#define PATIENCE_NS	(200 * NSEC_PER_SEC)	/* only a test that fails takes so long */
#define ARGS_MAX	12
#define QMP		"--qmp=unix:/nonexistent/qmp"
#define LONG		"/0123456789012345678901234567890123456789012345678901234567890123456789" \
			"0123456789012345678901234567890123456789"
#define ENDLESS		"emu:rules=arc=RUNNING>PRE_COPY delay_us=99999999999999999999"

#define NO_ADDRESS	"is not the address of a PCI function; write it like 0000:01:00.0"
#define NO_FUNCTION	"there is no PCI function 0000:99:00.0"
#define NO_GROUP	"0000:02:00.0 has no IOMMU group"

static const struct row {
	char *args[ARGS_MAX];
	int status;
	const char *sentence;	/* a part of it */
} rows[] = {
	{ { "bind", "somewhere" }, 2, NO_ADDRESS },
	{ { "bind", "99:00.0" }, 2, NO_FUNCTION },
	{ { "bind", "02:00.0" }, 3, NO_GROUP },
	{ { "bind", "vfio:99:00.0" }, 2, NO_FUNCTION },
	{ { "list", "99:00.0" }, 2, NO_FUNCTION },
	{ { "bind" }, 2, "give one PCI address" },
	{ { "unbind", "somewhere" }, 2, NO_ADDRESS },
	{ { "unbind", "99:00.0" }, 2, NO_FUNCTION },
	{ { "unbind", "01:00.0" }, 2, "is not bound to miglab_vfio_pci, its driver is e1000e" },
	{ { "rules", "somewhere" }, 2, NO_ADDRESS },
	{ { "rules", "emu:seed=1" }, 2, "write its rules as emu:rules=RULES" },
	{ { "rules", "99:00.0", "hold" }, 2, NO_FUNCTION },
	{ { "rules", "01:00.0", "" }, 3,
	  "is not bound to miglab_vfio_pci, its driver is e1000e; run: miglab bind" },
	{ { "run", QMP, "--device=vfio:somewhere,id=a" }, 2, NO_ADDRESS },
	{ { "run", QMP, "--device=vfio:99:00.0,id=a" }, 2, NO_FUNCTION },
	{ { "run", QMP, "--device=vfio:02:00.0,id=a" }, 3, NO_GROUP },
	{ { "run", QMP, "--device=vfio:01:00.0,id=a" }, 3,
	  "its driver is e1000e, which is none of VFIO's; run: miglab bind" },
	{ { "run", QMP, "--device=emu:rules=arc=NOWHERE>STOP,id=a" }, 2,
	  "rules=: line 1 column 1: " },
	{ { "run", QMP, "--device=emu:rules=arc=STOP>RESUMING hold;mood=1,id=a" }, 2,
	  "line 1 column 24: unknown key: \"mood=1\"" },
	{ { "run", QMP, "--device=" ENDLESS ",id=a" }, 2, "line 1 column 22: " },
	{ { "run", QMP, "--device=emu:state_bytes=1T,id=a" }, 2, "state_bytes=1T is not a number" },
	{ { "run", QMP, "--device=emu:state_bytes=2G,id=a" }, 2, "must be a multiple of 4096" },
	{ { "run", QMP, "--device=emu:,id=a" }, 2, "unknown key \"\"" },
	{ { "run", "--qmp=unix:" LONG, "--device=emu,id=a" }, 2, "choose a shorter one" },
	{ { "run", "--qmp=tcp:localhost:1", "--device=emu,id=a" }, 2,
	  "QMP is served on UNIX sockets only, write unix:PATH" },
	{ { "run", QMP, "--qmp=unix:/b", "--device=emu,id=a" }, 2,
	  "--qmp is given twice, \"unix:/nonexistent/qmp\" and \"unix:/b\"; give one" },
	{ { "run", QMP, "--device=emu,id=a", "--incoming=defer", "--incoming=unix:/a" }, 2,
	  "--incoming is given twice, \"defer\" and \"unix:/a\"; give one" },
	{ { "run", QMP, "--device=emu,id=a", "--policy=qemu", "--policy=group" }, 2,
	  "--policy is given twice, \"qemu\" and \"group\"; give one" },
	{ { "run", QMP, "--device=emu,id=a", "--workload=edu-dma", "--workload=bar-write" }, 2,
	  "--workload is given twice, \"edu-dma\" and \"bar-write\"; give one" },
	{ { "run", QMP, "--device=emu:seed=1,seed=2,id=a" }, 2, "seed is there twice; give one" },
	{ { "run", QMP, "--device=emu,id=a,id=b" }, 2, "two ids, a and b; give one" },
	{ { "run", QMP, "--device=emu, id=a" }, 2,
	  "there is a blank before \"id=a\"; write keys without" },
	{ { "run", QMP, "--device=emu,state_bytes=1T,id=a" }, 2,
	  "state_bytes=1T is not a number" },
	{ { "run", QMP, "--device=emu+state_bytes=1T,id=a" }, 2, "write emu or emu:key=value" },
	{ { "run", QMP, "--device=emu" }, 2, "has no id; append ,id=ID" },
	{ { "run", QMP, "--device=emu,id=a" }, 3, "cannot create the socket /nonexistent/qmp" },
	{ { "migrate", "--from=vfio:somewhere", "--to=emu" }, 2, NO_ADDRESS },
	{ { "migrate", "--from=emu", "--to=vfio:99:00.0" }, 2, NO_FUNCTION },
	{ { "migrate", "--from=emu:rules=arc=STOP", "--to=emu" }, 2, "line 1 column 1: " },
	{ { "migrate", "--from=emu", "--to=discard", "--from=emu", "--to=discard" }, 2,
	  "--to discard is for one device and there are 2; give one --from" },
	{ { "migrate", "--from=discard", "--to=emu" }, 2, "--from discard has no state" },
	{ { "migrate", "--from=emu", "--to=discard:a=b" }, 2, "discard has no keys" },
	{ { "judge", QMP, "--device=a=somewhere" }, 2, NO_ADDRESS },
	{ { "judge", QMP, "--device=a=01:00.0", "--device=b=0000:01:00.0" }, 2, "twice" },
	{ { "judge", QMP, "--device=a=01:00.0", "--device=b=vfio:01:00.0" }, 2, "twice" },
	{ { "migrate", "--from=99:00.0", "--to=emu" }, 2, NO_FUNCTION },
	{ { "judge", "--qmp=unix:" LONG, "--device=a=emu" }, 2, "choose a shorter one" },
	{ { "teleport" }, 2, "there is no command \"teleport\"" },
	{ { NULL }, 2, "a command is missing" },
};

static void run_row(const struct row *row, const char *log)
{
	char *program = getenv("MIGLAB"), *argv[ARGS_MAX + 2] = { NULL }, text[4096];
	struct child child;
	struct error err;
	FILE *in;

	argv[0] = program ? program : "build/miglab";
	memcpy(argv + 1, row->args, sizeof(row->args));
	assert_int_equal(child_start(&child, "miglab", argv, log, true, &err), 0);
	assert_true(child_ended(&child, clock_ns() + PATIENCE_NS));
	assert_int_equal(read(child.out, text, sizeof(text)), 0);
	in = fopen(log, "r");
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	unlink(log);
	if (child.status != row->status || !strstr(text, row->sentence))
		fail_msg("%s %s: status %d, not %d, or \"%s\" is not in: %s", argv[1], argv[2],
			 child.status, row->status, row->sentence, text);
	child_end(&child);
}

static void test_rows(void **state)
{
	char log[sizeof(tree_root) + 8];

	(void)state;
	tree_file("", "bus/pci/drivers/miglab_vfio_pci/bind");
	tree_file("", "bus/pci/drivers_probe");
	tree_function("0000:01:00.0", "0x020000\n", "3", "e1000e");
	tree_function("0000:02:00.0", "0x020000\n", NULL, "e1000e");
	snprintf(log, sizeof(log), "%s/log", tree_root);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(&rows[i], log);
	assert_tree_file("(null)\n", "bus/pci/devices/0000:01:00.0/driver_override");
	assert_tree_file("", "bus/pci/drivers/e1000e/unbind");
	assert_tree_file("", "bus/pci/drivers_probe");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
