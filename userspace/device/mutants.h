/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The catalogue of defects that an emulated device can be given, each with the
 * case of conform that has to find it: "emu:mutant=NAME".
 */
#ifndef MIGLAB_DEVICE_MUTANTS_H
#define MIGLAB_DEVICE_MUTANTS_H

#include "device/calls.h"

struct mutant {
	unsigned int id;		/* of the case */
	const char *name;
	const char *what;		/* the defect */
	struct device_calls calls;	/* what it does in its own way; NULL: as a sound device */
	uint32_t flags;			/* VFIO_MIGRATION_* that it offers; 0: as asked for */
};

/* In the order of their ids; ends with a NULL name. */
extern const struct mutant device_mutants[];

#endif
