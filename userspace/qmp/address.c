// SPDX-License-Identifier: GPL-2.0-only
#include "qmp/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int check_options(const char *options, struct error *err)
{
	static const char *const known[] = { ",server=on", ",server", ",wait=off", ",nowait" };
	size_t len, i;

	for (; *options; options += len) {
		len = 1 + strcspn(options + 1, ",");
		for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strlen(known[i]) == len && !strncmp(options, known[i], len))
				break;
		if (i == sizeof(known) / sizeof(known[0]))
			return error_set(err, -EINVAL, "unknown option '%.*s', write "
					 "unix:PATH[,server=on][,wait=off]", (int)len - 1,
					 options + 1);
	}
	return 0;
}

int qmp_address_parse(const char *uri, struct address *ret_address, struct error *err)
{
	size_t len = strcspn(uri, ",");
	char *bare = strndup(uri, len);
	int ret;

	if (!bare)
		return error_set(err, -ENOMEM, "qmp: no memory for an address");
	ret = check_options(uri + len, err);
	if (!ret && !strncmp(bare, "tcp:", 4))
		ret = error_set(err, -EINVAL,
				"'%s': QMP is served on UNIX sockets only, write unix:PATH", bare);
	if (!ret)
		ret = unix_address(bare, ret_address, err);
	free(bare);
	return ret ? error_prefix(err, ret, "qmp") : 0;
}
