// SPDX-License-Identifier: GPL-2.0-only
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define KILLED_NS	(5 * NSEC_PER_SEC)	/* for the kernel to end who was killed */
#define LOOK_NS		(10 * NSEC_PER_MSEC)	/* where nothing wakes us */
#define LOG_PREFIX	"miglab: "		/* of what our own programs write */

/* In the child. A signal from the terminal is the parent's, who ends its children in order. */
static void become(char *const *argv, const char *log, int out, pid_t parent)
{
	sigset_t none;
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (getppid() == parent && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0 &&
	    (out < 0 || dup2(out, STDOUT_FILENO) >= 0)) {
		execv(argv[0], argv);
		dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
	}
	_exit(3);
}

int child_start(struct child *child, const char *name, char *const *argv, const char *log,
		bool with_output, struct error *err)
{
	int fds[2] = { -1, -1 };
	pid_t parent = getpid();

	*child = (struct child){ .name = name, .out = -1 };
	snprintf(child->log, sizeof(child->log), "%s", log);
	if (with_output && pipe2(fds, O_CLOEXEC))
		return error_set(err, -errno, "no pipe for the %s: %s", name, strerror(errno));
	child->pid = fork();
	if (child->pid == 0)
		become(argv, log, fds[1], parent);
	if (fds[1] >= 0)
		close(fds[1]);
	child->out = fds[0];
	if (child->pid < 0) {
		child->pid = 0;
		return error_set(err, -errno, "cannot start the %s: %s", name, strerror(errno));
	}
	return 0;
}

static bool reap(struct child *child, int flags)
{
	int status;

	if (child->pid && waitpid(child->pid, &status, flags) == child->pid) {
		child->pid = 0;
		child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	return !child->pid;
}

/* How long to wait before the next look, at most until the deadline. */
static int next_look_ms(const struct pollfd *end, uint64_t left_ns)
{
	/*
	 * A traced child is readable as soon as it is a zombie, but its tracer, which LeakSanitizer
	 * is at an exit, keeps it from being reaped; and without a pidfd nothing wakes us.
	 */
	uint64_t look_ns = end->fd < 0 || end->revents ? LOOK_NS : left_ns;

	return (look_ns < left_ns ? look_ns : left_ns) / NSEC_PER_MSEC + 1;
}

bool child_ended(struct child *child, uint64_t deadline_ns)
{
	struct pollfd end = { .fd = -1, .events = POLLIN };
	uint64_t now_ns;

	if (!reap(child, WNOHANG) && deadline_ns > clock_ns())
		end.fd = syscall(SYS_pidfd_open, child->pid, 0);
	while (!reap(child, WNOHANG) && (now_ns = clock_ns()) < deadline_ns)
		poll(&end, end.revents ? 0 : 1, next_look_ms(&end, deadline_ns - now_ns));
	if (end.fd >= 0)
		close(end.fd);
	return !child->pid;
}

void child_end(struct child *child)
{
	if (child->pid) {
		kill(child->pid, SIGKILL);
		if (!child_ended(child, clock_ns() + KILLED_NS))
			log_warn("the %s, process %d, was killed and does not end: a call of its device does not return",
				 child->name, (int)child->pid);
		child->pid = 0;
	}
	if (child->out > 0)
		close(child->out);
	child->out = -1;
}

static const char *without_prefix(const char *line)
{
	return strncmp(line, LOG_PREFIX, strlen(LOG_PREFIX)) ? line : line + strlen(LOG_PREFIX);
}

void child_last_words(const struct child *child, char *ret_line, size_t size)
{
	FILE *log = child->name ? fopen(child->log, "r+e") : NULL;
	char line[1024];
	long begin = 0, last = 0;

	*ret_line = '\0';
	while (log && fgets(line, sizeof(line), log)) {
		line[strcspn(line, "\n")] = '\0';
		snprintf(ret_line, size, "%s", without_prefix(line));
		last = begin;
		begin = ftell(log);
	}
	/* Said once. */
	if (log && (ftruncate(fileno(log), last) || fclose(log)))
		log_info("%s: %s", child->log, strerror(errno));
}

void child_print_log(const struct child *child)
{
	FILE *log = child->name ? fopen(child->log, "re") : NULL;
	char line[1024];

	if (!log)
		return;
	while (fgets(line, sizeof(line), log))
		fprintf(stderr, "%s: %s", child->name, without_prefix(line));
	fclose(log);
}
