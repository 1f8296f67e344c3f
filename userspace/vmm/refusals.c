// SPDX-License-Identifier: GPL-2.0-only
/* Which commands the coordinator cannot carry out now, in QEMU's words. */
#include <stddef.h>

#include "vmm/coordinator.h"

static unsigned int real_devices(const struct coordinator *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->count; i++)
		n += !(c->device[i].flags & DEVICE_IS_MEMORY);
	return n;
}

const char *coordinator_blocked(const struct coordinator *c)
{
	for (unsigned int i = 0; i < c->count; i++) {
		/* Its state is lost, and the destination would wait for it for ever. */
		if (c->device[i].state == VFIO_DEVICE_STATE_ERROR)
			return "A device is in state ERROR and cannot be migrated";
		if (real_devices(c) > 1 &&
		    !(c->device[i].flags & (VFIO_MIGRATION_P2P | DEVICE_IS_MEMORY)))
			return "Multiple VFIO devices migration is supported only if all of "
			       "them support P2P migration";
	}
	return NULL;
}

static const char *refuses_incoming(const struct coordinator *c)
{
	if (c->runstate != RUN_INMIGRATE)
		return "'-incoming' was not specified on the command line";
	return c->status == STATUS_NONE ? NULL : "The incoming migration has already been started";
}

static const char *refuses_migrate(const struct coordinator *c)
{
	if (c->runstate == RUN_INMIGRATE)
		return "Guest is waiting for an incoming migration";
	if (coordinator_migrating(c))
		return "There's a migration process in progress";
	if (c->runstate == RUN_POSTMIGRATE)
		return "Can't migrate the vm that was paused due to previous migration";
	return coordinator_blocked(c);
}

const char *coordinator_refuses(const struct coordinator *c, enum input_kind command)
{
	switch (command) {
	case INPUT_MIGRATE:
		return refuses_migrate(c);
	case INPUT_INCOMING:
		return refuses_incoming(c);
	case INPUT_CONT:
		return c->runstate == RUN_FINISH_MIGRATE ? "Migration is not finalized yet" : NULL;
	default:
		return NULL;
	}
}
