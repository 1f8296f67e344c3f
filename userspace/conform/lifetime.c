// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ends: of the process, of the descriptors in any order, of the driver.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conform/case.h"
#include "conform/settings.h"
#include "device/lab.h"
#include "device/state.h"

static void directory(struct conform *c, char ret_path[PATH_MAX])
{
	require_result(c, c->dev->calls->sysfs(c->dev, ret_path, PATH_MAX), 0,
		       "looking up its directory in sysfs");
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

#define TEXT_SIZE	32
#define LOOKS		40	/* as many in a row: to let go takes a sleep or two anyway */

/* The beginning of a file, as a string; or the negative errno. */
static int read_text(const char *path, char text[TEXT_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, TEXT_SIZE - 1);
	text[n > 0 ? n : 0] = '\0';
	n = n < 0 ? -errno : 0;
	close(fd);
	return n;
}

/* How the driver lets go of the device and takes it again. */
struct parting {
	char leave[PATH_MAX], leave_text[NAME_MAX];
	char come[PATH_MAX], come_text[NAME_MAX];
	atomic_int thread;	/* that lets go; 0 until it runs */
	atomic_bool done;
	int result;
	struct settings before;
};

/* A function is unbound and bound; a mediated device is removed and created. */
static void plan_parting(struct conform *c, struct parting *p)
{
	char path[PATH_MAX], end[PATH_MAX];

	settings_take(&p->before, c->dev->lab);
	directory(c, path);
	snprintf(p->come_text, sizeof(p->come_text), "%.200s", strrchr(path, '/') + 1);
	snprintf(end, sizeof(end), "%.4000s/mdev_type", path);
	if (realpath(end, p->come)) {
		strncat(p->come, "/create", sizeof(p->come) - strlen(p->come) - 1);
		snprintf(p->leave, sizeof(p->leave), "%.4000s/remove", path);
		snprintf(p->leave_text, sizeof(p->leave_text), "1");
	} else {
		snprintf(end, sizeof(end), "%.4000s/driver", path);
		require(c, realpath(end, path), "it has no driver");
		snprintf(p->leave, sizeof(p->leave), "%.4000s/unbind", path);
		snprintf(p->come, sizeof(p->come), "%.4000s/bind", path);
		memcpy(p->leave_text, p->come_text, sizeof(p->leave_text));
	}
}

static void *leave(void *arg)
{
	struct parting *p = arg;

	p->thread = syscall(SYS_gettid);
	p->result = write_text(p->leave, p->leave_text);
	p->done = true;
	return NULL;
}

static bool sleeps_in_write(const struct parting *p)
{
	char path[64], text[TEXT_SIZE], *end;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", p->thread);
	/* A number while it sleeps in a system call, else "running". */
	return !read_text(path, text) && strtol(text, &end, 10) == SYS_write && end != text;
}

/* Waits until the thread that lets go has done, or has long been asleep in its write(). */
static void await_leaving(const struct parting *p)
{
	for (int looks = 0; looks < LOOKS && !p->done; usleep(5000))
		looks = sleeps_in_write(p) ? looks + 1 : 0;
}

static void driver_leaves(struct conform *c, struct parting *p)
{
	leave(p);
	require_result(c, p->result, 0, "writing to %s", p->leave);
}

static void driver_returns(struct conform *c, struct parting *p)
{
	struct error err = { "" };

	require_result(c, write_text(p->come, p->come_text), 0, "writing to %s", p->come);
	for (int i = 0; i < 100; i++) {		/* udev may still be at work */
		if (!device_open(c->spec, &c->dev, NULL))
			break;
		usleep(50000);
	}
	if (c->dev) {
		require(c, !settings_put_back(&p->before, c->dev->lab, &err), "%s", err.text);
		dut_close(c);
	}
	dut_open(c);
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "when the driver is back");
}

static void fd_outlives_driver(struct conform *c)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	uint32_t state = dut_offers(c, VFIO_DEVICE_STATE_PRE_COPY) ? VFIO_DEVICE_STATE_PRE_COPY :
			 VFIO_DEVICE_STATE_STOP_COPY;
	struct parting p;
	char byte = 0;
	int fd;

	plan_parting(c, &p);
	fd = dut_fileno(c, dut_go(c, state));
	dut_close(c);
	driver_leaves(c, &p);
	require(c, read(fd, &byte, 1) <= 0, "read() gives data");
	require(c, write(fd, &byte, 1) < 0, "write() succeeds");
	require(c, ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info) < 0, "the figures are given");
	close(fd);
	driver_returns(c, &p);
}

static void unbind_in_use(struct conform *c)
{
	struct parting p = { .done = false };
	pthread_t thread;

	plan_parting(c, &p);
	dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	pthread_create(&thread, NULL, leave, &p);
	await_leaving(&p);
	require(c, !p.done, "the driver is gone while the device is in use");
	dut_close(c);
	pthread_join(thread, NULL);
	require_result(c, p.result, 0, "writing to %s", p.leave);
	driver_returns(c, &p);
}

/* A child that holds what was open here, until it is killed. */
static pid_t start_child(struct conform *c, void (*prepare)(struct conform *c, uint32_t state),
			 uint32_t state)
{
	int pipes[2];
	char byte;
	pid_t pid;

	require(c, !pipe(pipes), "no pipe");
	pid = fork();
	require(c, pid >= 0, "no process");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pipes[0]);
		prepare(c, state);
		if (write(pipes[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipes[1]);
	if (read(pipes[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		_exit(0);	/* the child has told why */
	}
	close(pipes[0]);
	return pid;
}

static void kill_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void open_and_go(struct conform *c, uint32_t state)
{
	dut_open(c);
	dut_go(c, state);
}

static void *go_in_thread(void *arg)
{
	int fd;

	dut_set(arg, VFIO_DEVICE_STATE_STOP, &fd);
	return NULL;
}

static void open_and_hang(struct conform *c, uint32_t state)
{
	pthread_t thread;

	(void)state;
	dut_open(c);
	dut_lab(c, "rules", c->flags & VFIO_MIGRATION_P2P ? "arc=RUNNING>RUNNING_P2P hold" :
		"arc=RUNNING>STOP hold");
	pthread_create(&thread, NULL, go_in_thread, c);
	dut_wait_held(c);
}

static void owner_is_killed(struct conform *c)
{
	const bool lab = c->dev->lab && !c->keep_rules;

	dut_close(c);
	for (uint32_t state = 1; state <= VFIO_DEVICE_STATE_PRE_COPY_P2P; state++) {
		if (!dut_offers(c, state))
			continue;
		kill_child(start_child(c, open_and_go, state));
		dut_open(c);
		require_state(c, VFIO_DEVICE_STATE_RUNNING, "opened after its owner was killed");
		dut_close(c);
	}
	if (lab)
		kill_child(start_child(c, open_and_hang, 0));
	dut_open(c);
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "opened after its owner was killed in an arc");
}

static void only_data_fd(struct conform *c, uint32_t state)
{
	(void)state;
	dut_close(c);
}

static void child_has_data_fd(struct conform *c)
{
	pid_t pid;

	dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	pid = start_child(c, only_data_fd, 0);
	dut_close(c);
	dut_open(c);
	require_state(c, VFIO_DEVICE_STATE_RUNNING, "opened while a child has an old data_fd");
	kill_child(pid);
	dut_go(c, VFIO_DEVICE_STATE_STOP_COPY);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static void opened_twice(struct conform *c)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind) };
	char path[PATH_MAX];
	uint32_t state;
	int group = c->dev->calls->group(c->dev), fd;
	union {
		struct vfio_device_feature head;
		char bytes[sizeof(struct vfio_device_feature) + 8];
	} arg = { .head = { .argsz = sizeof(arg), .flags = VFIO_DEVICE_FEATURE_GET |
			    VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE } };

	if (group < 0) {
		/* One that could be bound to: the first bind is the only reason to refuse. */
		bind.iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
		require(c, bind.iommufd >= 0, "cannot open /dev/iommu: %s", strerror(errno));
		require_result(c, dut_ioctl(c, DEVICE_SELF, VFIO_DEVICE_BIND_IOMMUFD, &bind),
			       -EINVAL, "a second bind");
		close(bind.iommufd);
		return;
	}
	directory(c, path);
	dut_go(c, VFIO_DEVICE_STATE_STOP);
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, strrchr(path, '/') + 1);
	require(c, fd >= 0, "the group gives no second descriptor: %s", strerror(errno));
	require(c, !ioctl(fd, VFIO_DEVICE_FEATURE, &arg), "GET by the second descriptor failed");
	memcpy(&state, arg.head.data, sizeof(state));
	require(c, state == VFIO_DEVICE_STATE_STOP, "by the second descriptor the state is %s",
		device_state_name(state));
	close(fd);
	dut_go(c, VFIO_DEVICE_STATE_RUNNING);
}

static long module_users(struct conform *c, const char *path)
{
	char text[TEXT_SIZE];
	int ret = read_text(path, text);

	if (ret == -ENOENT)
		conform_skip(c, "the driver is built into the kernel");
	require_result(c, ret, 0, "reading %s", path);
	return strtol(text, NULL, 10);
}

static void module_is_pinned(struct conform *c)
{
	char path[PATH_MAX];
	long with, without;
	int fd;

	directory(c, path);
	strncat(path, "/driver/module/refcnt", sizeof(path) - strlen(path) - 1);
	fd = dut_fileno(c, dut_go(c, VFIO_DEVICE_STATE_STOP_COPY));
	dut_close(c);
	with = module_users(c, path);
	close(fd);
	without = module_users(c, path);
	require(c, with > without, "a data_fd does not keep the module: %ld users, %ld without it",
		with, without);
	dut_open(c);
	dut_home(c);
}

#define OPS	"linux/vfio.h, struct vfio_migration_ops"

const struct conform_case lifetime_cases[] = {
	{ 43, "fd-outlives-driver", CLASS_ROB, NEEDS_KERNEL | DESTRUCTIVE, 0, OPS,
	  "A data_fd that outlives the driver's binding touches nothing that is gone.",
	  fd_outlives_driver },
	{ 87, "owner-is-killed", CLASS_ROB, NEEDS_KERNEL, 0, OPS,
	  "An owner that is killed in any state or arc goes away; the next open is RUNNING.",
	  owner_is_killed },
	{ 88, "child-has-data-fd", CLASS_ROB, NEEDS_KERNEL, 0, OPS,
	  "A data_fd in another process does not keep the device.", child_has_data_fd },
	{ 89, "opened-twice", CLASS_CORE, NEEDS_KERNEL, 0,
	  "uapi/linux/vfio.h, VFIO_DEVICE_BIND_IOMMUFD",
	  "A second bind is EINVAL; a second descriptor of a group shares the state.",
	  opened_twice },
	{ 90, "unbind-in-use", CLASS_ROB, NEEDS_KERNEL | DESTRUCTIVE, 0, OPS,
	  "An unbind in STOP_COPY waits for the close and is clean then.", unbind_in_use },
	{ 91, "module-is-pinned", CLASS_ROB, NEEDS_KERNEL, 0, OPS,
	  "An open data_fd keeps the module.", module_is_pinned },
	{ }
};
