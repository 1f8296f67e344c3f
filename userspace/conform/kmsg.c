// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conform/kmsg.h"

static const char *const complaints[] = {
	"BUG: ", "WARNING: ", "UBSAN: ", "KASAN: ", "Oops: ", "general protection fault",
	"kernel BUG at ", "INFO: task ", "possible circular locking", "refcount_t: ",
};

int kmsg_begin(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* The message of a record "priority,sequence,time,flags;message\n..". */
static const char *message(char *record)
{
	char *text = strchr(record, ';');

	text = text ? text + 1 : record;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Return: its length, 0 when there is none. What was overwritten before it was read is skipped. */
static size_t next_record(int fd, char *ret_record, size_t size)
{
	ssize_t n;

	do {
		n = read(fd, ret_record, size - 1);
	} while (n < 0 && errno == EPIPE);
	if (n <= 0)
		return 0;
	ret_record[n] = '\0';
	return (size_t)n;
}

bool kmsg_end(int fd, char *ret_line, size_t size)
{
	bool found = false;
	char record[8192];

	if (fd < 0)
		return false;
	while (!found && next_record(fd, record, sizeof(record))) {
		const char *text = message(record);

		for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]) && !found; i++)
			found = strstr(text, complaints[i]) != NULL;
		if (found)
			snprintf(ret_line, size, "%s", text);
	}
	close(fd);
	return found;
}
