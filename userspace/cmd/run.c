// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/privileges.h"
#include "cmd/cmd.h"
#include "vmm/config.h"
#include "vmm/machine.h"

static const char usage[] =
	"Usage: miglab run --device DEV,id=ID[,migration-events=off] [--device ..] --qmp unix:PATH\n"
	"                  [--incoming URI|defer] [--paused] [--policy P] [--no-prepare]\n"
	"                  [--ram SIZE] [--workload W]\n"
	"\n"
	"A machine that consists of devices: runs, migrates and answers QMP until quit,\n"
	"SIGTERM, SIGINT or SIGHUP. It is ready when the QMP socket accepts.\n"
	"\n"
	"  --device     vfio:BDF or vfio:UUID, perhaps with ,via=group or ,via=cdev, or\n"
	"               emu[:key=value,..], or discard for a destination that throws the state\n"
	"               away; may be repeated\n"
	"  --qmp        where the QMP server listens\n"
	"  --incoming   wait for a migration at URI, unix:PATH or tcp:HOST:PORT, or take the\n"
	"               one in file:PATH, or wait for migrate-incoming\n"
	"  --paused     do not run before cont, as -S of QEMU\n"
	"  --policy     the order of transitions: qemu (as QEMU 11.1, the default), group (all\n"
	"               devices together), or cloud-hypervisor (each stops for itself, without\n"
	"               pre-copy and P2P)\n"
	"  --no-prepare send no pre-copy-p2p-prepare: the defect that the judge is to find\n"
	"  --ram SIZE   memory that the devices reach by DMA, and that migrates with them;\n"
	"               a multiple of 4K, with K, M or G behind it\n"
	"  --workload W a program that keeps devices busy and checks what they do: edu-dma,\n"
	"               edu-p2p or bar-write\n"
	"\n"
	"Keys of emu, and what they are by default; bytes may have K, M or G behind them:\n"
	"\n"
	"  state_bytes=1M         how much state it has: 4K to 1G, a multiple of 4K; the same on\n"
	"                         both sides\n"
	"  profile=full           what it can do: full, no-p2p, no-precopy, stop-copy\n"
	"  rules=..               see miglab rules --help; by default PRE_COPY>PRE_COPY_P2P takes\n"
	"                         300 ms\n"
	"  dirty_bytes_per_sec=0  how much of its state it changes while it runs\n"
	"  dma_bytes_per_sec=0    how much it writes to the memory of --ram\n"
	"  dma_log_misses=PAGE    a page of that memory whose writes its log lacks; none\n"
	"  seed=N                 of the noise that its state begins with; random\n"
	"  mutant=NAME            a defect, see miglab conform --mutants; none\n";

enum {
	OPT_DEVICE = 1, OPT_QMP, OPT_INCOMING, OPT_PAUSED, OPT_POLICY, OPT_NO_PREPARE, OPT_RAM,
	OPT_WORKLOAD
};

static const struct option options[] = {
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "qmp", required_argument, NULL, OPT_QMP },
	{ "incoming", required_argument, NULL, OPT_INCOMING },
	{ "paused", no_argument, NULL, OPT_PAUSED },
	{ "policy", required_argument, NULL, OPT_POLICY },
	{ "no-prepare", no_argument, NULL, OPT_NO_PREPARE },
	{ "ram", required_argument, NULL, OPT_RAM },
	{ "workload", required_argument, NULL, OPT_WORKLOAD },
	{ 0 },
};

static int add_device(struct machine_config *config, const char *arg, struct error *err)
{
	struct machine_device *d = &config->device[config->count];
	int ret;

	if (config->count == VMM_DEVICES_MAX)
		return error_set(err, -EINVAL, "more than %d devices", VMM_DEVICES_MAX);
	ret = machine_device_open(arg, d, err);
	if (ret)
		return ret;
	config->count++;
	for (unsigned int i = 0; i + 1 < config->count; i++) {
		if (!strcmp(config->device[i].id, d->id))
			return error_set(err, -EINVAL, "two devices have id=%s; ids are unique",
					 d->id);
	}
	return 0;
}

static int add_memory(struct machine_config *config, const char *size, struct error *err)
{
	uint64_t bytes;
	int ret = cmd_size("--ram", size, &bytes, err);

	if (ret)
		return ret;
	ret = memory_new(bytes, &config->memory, err);
	return ret ? error_prefix(err, ret, "--ram %s", size) : 0;
}

static int map_memory(const struct machine_config *config, struct error *err)
{
	int ret = 0;

	if (config->count == VMM_DEVICES_MAX)
		return error_set(err, -EINVAL, "more than %d devices beside --ram",
				 VMM_DEVICES_MAX - 1);
	for (unsigned int i = 0; !ret && i < config->count; i++) {
		struct device *d = config->device[i].device;

		ret = d->ops->map(d, 0, config->memory->bytes, config->memory->size, err);
	}
	return ret;
}

/* Before any thread, and while the process may still lock as much memory as it likes. */
static int furnish(struct machine_config *config, const char *workload, struct error *err)
{
	struct device *devices[VMM_DEVICES_MAX];
	int ret = config->memory ? map_memory(config, err) : 0;

	if (ret || !workload)
		return ret;
	for (unsigned int i = 0; i < config->count; i++)
		devices[i] = config->device[i].device;
	return workload_new(workload, config->memory, devices, config->count, &config->workload,
			    err);
}

static int parse_option(int id, struct machine_config *config, const char **workload,
			struct error *err)
{
	switch (id) {
	case OPT_DEVICE:
		return add_device(config, optarg, err);
	case OPT_QMP:
		config->qmp = optarg;
		break;
	case OPT_INCOMING:
		config->incoming = optarg;
		break;
	case OPT_PAUSED:
		config->paused = true;
		break;
	case OPT_POLICY:
		config->policy = policy_find(optarg);
		if (!config->policy)
			return error_set(err, -EINVAL,
					 "--policy %s is unknown; there are qemu, group and cloud-hypervisor",
					 optarg);
		break;
	case OPT_NO_PREPARE:
		config->no_prepare = true;
		break;
	case OPT_RAM:
		return add_memory(config, optarg, err);
	case OPT_WORKLOAD:
		*workload = optarg;
		break;
	}
	return 0;
}

static void on_signal(void *opaque, int fd, short revents)
{
	(void)fd;
	(void)revents;
	loop_stop(opaque, 0);
}

/* SIGTERM, SIGINT and SIGHUP are quit. A peer that went away, or is full, is seen by the write. */
static int watch_signals(struct loop *loop, struct error *err)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0 || !loop_add(loop, fd, POLLIN, on_signal, loop))
		return error_set(err, -EMFILE, "cannot watch for signals: %s", strerror(errno));
	return fd;
}

/* The status of the process, or a negative errno when it could not start. */
static int serve(const struct machine_config *config, struct error *err)
{
	struct machine *machine;
	struct loop *loop;
	int signals, ret = loop_new(&loop);

	if (ret)
		return error_set(err, ret, "no event loop: %s", strerror(-ret));
	signals = watch_signals(loop, err);
	ret = signals < 0 ? signals : machine_new(loop, config, &machine, err);
	if (!ret) {
		ret = loop_run(loop);
		if (ret < 0)
			error_set(err, ret, "event loop: %s", strerror(-ret));
		if (!ret)
			machine_say_shutdown(machine);
		/* A device that is held in a transition ends with the process only. */
		if (!machine_free(machine)) {
			fflush(NULL);
			_exit(ret < 0 ? 3 : ret);
		}
	}
	loop_free(loop);
	if (signals >= 0)
		close(signals);
	return ret;
}

static int run_run(int argc, char **argv)
{
	struct machine_device devices[VMM_DEVICES_MAX];
	struct machine_config config = { .policy = policy_find("qemu"), .device = devices };
	const char *workload = NULL;
	struct error err;
	int id, ret = 0;

	while (!ret && (id = cmd_option(argc, argv, NULL)) != -1)
		ret = parse_option(id, &config, &workload, &err);
	if (!ret && (!config.qmp || !config.count))
		ret = error_set(&err, -EINVAL,
				"give --qmp and at least one --device; see miglab run --help");
	if (!ret)
		ret = furnish(&config, workload, &err);
	/* The devices are open; there is no thread yet. */
	if (!ret)
		ret = privileges_drop(&err);
	if (!ret)
		ret = serve(&config, &err);
	if (ret < 0)
		log_error("run: %s", err.text);
	workload_free(config.workload);
	for (unsigned int i = 0; i < config.count; i++)
		machine_device_close(&devices[i]);
	memory_free(config.memory);
	return cmd_status(ret);
}

const struct command command_run = {
	.name = "run",
	.args = "--device DEV,id=ID.. --qmp URI [OPTION..]",
	.what = "own devices and migrate them, as a VMM does",
	.usage = usage,
	.options = options,
	.repeats = "device",
	.operands = 0,
	.run = run_run,
};
