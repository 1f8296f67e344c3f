// SPDX-License-Identifier: GPL-2.0-only
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

bool kmsg_end(int fd, char *ret_line, size_t size)
{
	bool found = false;
	char record[8192];
	ssize_t n;

	if (fd < 0)
		return false;
	while (!found && (n = read(fd, record, sizeof(record) - 1)) > 0) {
		const char *text;

		record[n] = '\0';
		text = message(record);
		for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]) && !found; i++)
			found = strstr(text, complaints[i]) != NULL;
		if (found)
			snprintf(ret_line, size, "%s", text);
	}
	close(fd);
	return found;
}
