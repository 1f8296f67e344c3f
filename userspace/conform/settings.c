// SPDX-License-Identifier: GPL-2.0-only
#include "conform/settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/lab.h"

static const char *const attributes[SETTINGS] = {
	"profile", "model", "state_bytes", "dirty_bytes_per_sec",
};

static char *read_setting(struct lab *lab, const char *attribute)
{
	char *text = NULL;

	if (lab)
		lab->ops->read(lab, attribute, &text, NULL);
	return text;
}

void settings_take(struct settings *s, struct lab *lab)
{
	for (int i = 0; i < SETTINGS; i++)
		s->text[i] = read_setting(lab, attributes[i]);
}

int settings_put_back(struct settings *s, struct lab *lab, struct error *err)
{
	int ret = 0;

	for (int i = 0; i < SETTINGS; i++) {
		char *now = read_setting(lab, attributes[i]);

		if (now && s->text[i] && strcmp(now, s->text[i]) &&
		    lab->ops->write(lab, attributes[i], s->text[i], ret ? NULL : err))
			ret = -EINVAL;
		free(now);
		free(s->text[i]);
		s->text[i] = NULL;
	}
	return ret;
}
