// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "device/bind.h"
#include "device/pci.h"
#include "depart.h"
#include "lab.h"

void depart_unbind(struct departure *d)
{
	snprintf(d->path, sizeof(d->path), PCI_DRIVERS "/" MIGLAB_DRIVER "/unbind");
	d->text = function(0);
}

static void *departure_main(void *opaque)
{
	struct departure *d = opaque;

	d->result = sysfs_write(d->text, "%s", d->path);
	return NULL;
}

void departure_start(struct departure *d)
{
	assert_int_equal(pthread_create(&d->thread, NULL, departure_main, d), 0);
}

void departure_end(struct departure *d)
{
	assert_int_equal(pthread_join(d->thread, NULL), 0);
	assert_int_equal(d->result, 0);
}

void bind_again(unsigned int index)
{
	struct error err = { "" };

	if (bind_function(function(index), NULL, NULL, &err))
		fail_msg("%s", err.text);
}
