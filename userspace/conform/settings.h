/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one of our own devices was set to do, which a driver that lets go of it forgets: so that
 * a case that makes it let go leaves the device as it was. The rules are the suite's affair.
 */
#ifndef MIGLAB_CONFORM_SETTINGS_H
#define MIGLAB_CONFORM_SETTINGS_H

#include "base/error.h"

struct lab;

enum { SETTINGS = 4 };

struct settings {
	char *text[SETTINGS];	/* NULL: this device has no such setting */
};

/* Takes them down. Without a @lab there are none. */
void settings_take(struct settings *s, struct lab *lab);

/*
 * Writes those that differ by now, and forgets all. They are in force from the next open on.
 * 0; or -EINVAL with a sentence about the first that was refused. The others were tried, too.
 */
int settings_put_back(struct settings *s, struct lab *lab, struct error *err);

#endif
