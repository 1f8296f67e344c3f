// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver or the function leaves while it is in use: unbind, removal from the
 * bus and unloading, in each state, in a held arc, with the data_fd left open and
 * with the owner killed. Afterwards the function is bound anew and migrates.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fsm.h"
#include "device/pci.h"
#include "depart.h"
#include "lab.h"

#define HOLD "arc=PRE_COPY>PRE_COPY_P2P hold limit_us=600000000"

static const uint32_t states[] = {
	MIGLAB_RUNNING, MIGLAB_RUNNING_P2P, MIGLAB_PRE_COPY, MIGLAB_PRE_COPY_P2P,
	MIGLAB_STOP_COPY, MIGLAB_STOP, MIGLAB_RESUMING,
};

#define NR_STATES (sizeof(states) / sizeof(states[0]))

/* A way in which function 0 leaves, and how it comes back but for its driver. */
struct way {
	void (*prepare)(struct departure *d);
	void (*come_back)(void);
};

static void stay(void)
{
}

/* The root port goes, and with it what is behind it. */
static void prepare_removal(struct departure *d)
{
	char link[PATH_MAX], real[PATH_MAX], *slash;

	snprintf(link, sizeof(link), "/sys/" PCI_DEVICES "/%s", function(0));
	assert_non_null(realpath(link, real));
	slash = strrchr(real, '/');
	assert_non_null(slash);
	*slash = '\0';
	snprintf(d->path, sizeof(d->path), PCI_DEVICES "%s/remove", strrchr(real, '/'));
	d->text = "1";
}

static void rescan(void)
{
	assert_false(sysfs_exists(PCI_DEVICES "/%s", function(0)));
	assert_int_equal(sysfs_write("1", "bus/pci/rescan"), 0);
	assert_true(sysfs_exists(PCI_DEVICES "/%s", function(0)));
}

static const struct way unbind = { depart_unbind, stay };
static const struct way removal = { prepare_removal, rescan };

/* What every row ends with. */
static void assert_usable(void)
{
	struct device *src = open_function(0), *dst = open_function(1);

	assert_int_equal(state_of(src), MIGLAB_RUNNING);
	assert_int_equal(stat_of(src, "sessions_live"), 0);
	move_state(src, dst);
	go(src, MIGLAB_RUNNING);
	move_state(dst, src);
	close_function(src);
	close_function(dst);
}

/* A data_fd whose device is gone fails at once, and says so to who polls. */
static void assert_dead(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	bool saves = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
	char byte = 0;

	assert_int_equal(saves ? read(fd, &byte, 1) : write(fd, &byte, 1), -1);
	assert_int_equal(errno, ENODEV);
	assert_int_equal(poll(&pfd, 1, 0), 1);
	assert_true(pfd.revents & POLLHUP);
}

static bool has_session(uint32_t state)
{
	return miglab_state_is_saving(state) || state == MIGLAB_RESUMING;
}

/* It leaves while a process has it open in @at, with a copy of its data_fd kept to the end. */
static void leave_in(const struct way *way, uint32_t at)
{
	struct device *dev = open_function(0);
	int event = request_event(), data_fd = -1;
	struct departure d;

	go(dev, at);
	if (has_session(at))
		data_fd = dup(find_descriptor(SESSION_FD, -1));
	way->prepare(&d);
	departure_start(&d);
	await_request(event);
	assert_int_equal(state_of(dev), at);
	close_function(dev);
	departure_end(&d);
	if (data_fd >= 0)
		assert_dead(data_fd);
	way->come_back();
	bind_again(0);
	if (data_fd >= 0) {
		assert_dead(data_fd);
		close(data_fd);
	}
	assert_usable();
}

/* What the owner does that is killed; it runs in a child, where nothing may assert. */
static void own_until_killed(uint32_t at)
{
	struct device *dev;
	struct error err;
	char spec[32];

	snprintf(spec, sizeof(spec), "vfio:%s", function(0));
	if (device_open(spec, &dev, &err) || dev->ops->set_state(dev, at, &err))
		_exit(1);
	kill(getpid(), SIGSTOP);
	_exit(2);
}

/* A process that has function 0 open in @at. */
static pid_t owner_start(uint32_t at)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		own_until_killed(at);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

/* The attributes go first of all, which shows that the departure is on its way. */
static void await_attributes_gone(void)
{
	while (sysfs_exists(PCI_DEVICES "/%s/miglab/state", function(0)))
		sched_yield();
}

static void leave_from_a_killed_owner(const struct way *way, uint32_t at)
{
	pid_t owner = owner_start(at);
	struct departure d;

	way->prepare(&d);
	departure_start(&d);
	await_attributes_gone();
	kill_child(owner);
	departure_end(&d);
	way->come_back();
	bind_again(0);
	assert_usable();
}

static void an_unbind_in_each_state(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR_STATES; i++)
		leave_in(&unbind, states[i]);
}

static void an_unbind_in_each_state_of_an_owner_that_is_killed(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR_STATES; i++)
		leave_from_a_killed_owner(&unbind, states[i]);
}

static void a_removal_in_each_state(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR_STATES; i++)
		leave_in(&removal, states[i]);
}

/* The arc that is held fails at once; nobody needs to release it. */
static void a_removal_in_a_held_arc(void **state)
{
	struct device *dev = open_function(0);
	struct departure d;
	struct setter set;

	(void)state;
	set_attribute(dev, "rules", HOLD);
	go(dev, MIGLAB_PRE_COPY);
	setter_start(&set, dev, MIGLAB_PRE_COPY_P2P);
	wait_held(dev->lab);
	removal.prepare(&d);
	departure_start(&d);
	assert_int_equal(setter_join(&set), -ENODEV);
	assert_int_equal(state_of(dev), MIGLAB_PRE_COPY);
	close_function(dev);
	departure_end(&d);
	removal.come_back();
	bind_again(0);
	assert_usable();
}

static void a_removal_from_an_owner_that_is_killed(void **state)
{
	(void)state;
	leave_from_a_killed_owner(&removal, MIGLAB_STOP_COPY);
}

static int unload(void)
{
	return syscall(SYS_delete_module, MIGLAB_DRIVER, O_NONBLOCK) ? -errno : 0;
}

static unsigned int count_bound(void)
{
	unsigned int n = 0;
	char driver[SYSFS_NAME_SIZE];
	const char *at = getenv("MIGLAB_DEVICES");

	for (; (at = strstr(at, "0000:")) != NULL; at++) {
		pci_driver(function(n), driver);
		if (strcmp(driver, MIGLAB_DRIVER))
			break;
		n++;
	}
	return n;
}

/* A device and a data_fd each keep it; once neither is left it goes, and can be loaded again. */
static void the_module_stays_for_its_users_only(void **state)
{
	unsigned int bound = count_bound(), i;
	struct device *dev = open_function(0);
	int data_fd;

	(void)state;
	assert_int_equal(unload(), -EAGAIN);
	go(dev, MIGLAB_PRE_COPY);
	data_fd = dup(find_descriptor(SESSION_FD, -1));
	close_function(dev);
	assert_int_equal(unload(), -EAGAIN);
	assert_dead(data_fd);
	close(data_fd);
	assert_int_equal(unload(), 0);
	for (i = 0; i < bound; i++)
		bind_again(i);
	assert_usable();
}

int leave_rows(void)
{
	const struct CMUnitTest rows[] = {
		row(an_unbind_in_each_state),
		row(an_unbind_in_each_state_of_an_owner_that_is_killed),
		row(a_removal_in_each_state),
		row(a_removal_in_a_held_arc),
		row(a_removal_from_an_owner_that_is_killed),
		row(the_module_stays_for_its_users_only),
	};

	return cmocka_run_group_tests_name("leave", rows, NULL, NULL);
}
