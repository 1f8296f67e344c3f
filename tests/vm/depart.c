// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

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

int request_event(void)
{
	int event = eventfd(0, EFD_CLOEXEC);

	assert_true(event >= 0);
	wire_interrupts(find_descriptor(DEVICE_FD, -1), VFIO_PCI_REQ_IRQ_INDEX, &event, 1);
	return event;
}

void await_request(int event)
{
	struct pollfd pfd = { .fd = event, .events = POLLIN };

	assert_int_equal(poll(&pfd, 1, PATIENCE_MS), 1);
	close(event);
}

void bind_again(unsigned int index)
{
	struct error err = { "" };

	if (bind_function(function(index), NULL, NULL, &err))
		fail_msg("%s", err.text);
}
