// SPDX-License-Identifier: GPL-2.0-only
/* The tables of moves: which device goes where. */
#include "vmm/program.h"

#define IN(state)	(1u << VFIO_DEVICE_STATE_##state)
#define IN_ANY		(~IN(ERROR))
#define TO(state)	VFIO_DEVICE_STATE_##state
#define RESET		VFIO_DEVICE_STATE_ERROR
#define HAS_P2P		VFIO_MIGRATION_P2P
#define HAS_PRE_COPY	VFIO_MIGRATION_PRE_COPY

const struct move move_begin_pre_copy[] = {
	{ IN(RUNNING), HAS_PRE_COPY, TO(PRE_COPY), TO(RUNNING), false },
	{ 0 },
};

const struct move move_memory_ahead[] = {
	{ IN(RUNNING), HAS_PRE_COPY | DEVICE_IS_MEMORY, TO(PRE_COPY), TO(RUNNING), false },
	{ 0 },
};

const struct move move_quiesce[] = {
	{ IN(PRE_COPY) | IN(PRE_COPY_P2P), HAS_P2P, TO(PRE_COPY_P2P), RESET, true },
	{ IN(RUNNING), HAS_P2P, TO(RUNNING_P2P), RESET, false },
	{ 0 },
};

const struct move move_rejoin[] = {
	{ IN_ANY, HAS_P2P, TO(RUNNING_P2P), RESET, false },
	{ 0 },
};

const struct move move_halt[] = {
	{ IN(PRE_COPY) | IN(PRE_COPY_P2P) | IN(STOP_COPY), 0, TO(STOP_COPY), RESET, false },
	{ IN_ANY, 0, TO(STOP), RESET, false },
	{ 0 },
};

const struct move move_run[] = {
	{ IN_ANY, 0, TO(RUNNING), RESET, false },
	{ 0 },
};

const struct move move_stop_copy[] = {
	{ IN_ANY, 0, TO(STOP_COPY), TO(STOP), false },
	{ 0 },
};

const struct move move_end_saving[] = {
	{ IN(PRE_COPY) | IN(PRE_COPY_P2P), 0, TO(RUNNING), RESET, false },
	{ IN(STOP_COPY), 0, TO(STOP), RESET, false },
	{ 0 },
};

const struct move move_resume[] = {
	{ IN_ANY, 0, TO(RESUMING), TO(RUNNING), false },
	{ 0 },
};

const struct move devices_in_pre_copy[] = { { .from = IN(PRE_COPY) }, { 0 } };

const struct move devices_in_pre_copy_group[] = {
	{ .from = IN(PRE_COPY) | IN(PRE_COPY_P2P) },
	{ 0 },
};

const struct move devices_in_saving[] = {
	{ .from = IN(PRE_COPY) | IN(PRE_COPY_P2P) | IN(STOP_COPY) },
	{ 0 },
};

const struct move devices_in_stop_copy[] = { { .from = IN(STOP_COPY) }, { 0 } };
const struct move devices_in_resuming[] = { { .from = IN(RESUMING) }, { 0 } };
const struct move devices_in_error[] = { { .from = IN(ERROR) }, { 0 } };
const struct move devices_not_running[] = { { .from = ~IN(RUNNING) }, { 0 } };
const struct move devices_all[] = { { .from = ~0u }, { 0 } };

const struct move processors[] = { { .from = ~0u, .needs = DEVICE_IS_MEMORY }, { 0 } };

/* One that runs has not got lost: to reset it would cost its state for nothing. */
const struct move devices_not_quiesced[] = {
	{ .from = ~(IN(RUNNING_P2P) | IN(RUNNING)), .needs = HAS_P2P },
	{ 0 },
};
