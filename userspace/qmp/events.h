/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data of QEMU's events. Names and spelling are those of qapi/vfio.json,
 * qapi/migration.json and qapi/run-state.json. STOP and RESUME have no data.
 */
#ifndef MIGLAB_QMP_EVENTS_H
#define MIGLAB_QMP_EVENTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#define QMP_EVENT_VFIO_MIGRATION	"VFIO_MIGRATION"
#define QMP_EVENT_PREPARE_ACK		"X_VFIO_PREPARE_ACK"
#define QMP_EVENT_VFIO_LATE		"X_VFIO_MIGRATION_LATE"
#define QMP_EVENT_MIGRATION		"MIGRATION"
#define QMP_EVENT_STOP			"STOP"
#define QMP_EVENT_RESUME		"RESUME"
#define QMP_EVENT_SHUTDOWN		"SHUTDOWN"

/*
 * QEMU's QapiVfioMigrationState, except that the values are those of enum
 * vfio_device_mig_state, so that a device's state needs no translation. ERROR (0)
 * has no event. The last one is no state: it announces PRE_COPY_P2P.
 */
enum qmp_vfio_state {
	QMP_VFIO_STOP = 1,
	QMP_VFIO_RUNNING,
	QMP_VFIO_STOP_COPY,
	QMP_VFIO_RESUMING,
	QMP_VFIO_RUNNING_P2P,
	QMP_VFIO_PRE_COPY,
	QMP_VFIO_PRE_COPY_P2P,
	QMP_VFIO_PRE_COPY_P2P_PREPARE,
};

/* "pre-copy-p2p-prepare" and so on; NULL for ERROR and for what is no state. Static text. */
const char *qmp_vfio_state_name(unsigned int state);

/* Data of VFIO_MIGRATION, owned by the caller; NULL where qmp_vfio_state_name() gives NULL. */
struct json_object *qmp_vfio_migration_data(const char *device_id, unsigned int state);

/* The same for the announcement of @state: "pre-copy-p2p-prepare", or "x-stop-copy-prepare" etc. */
struct json_object *qmp_vfio_prepare_data(const char *device_id, unsigned int state);

/* Data of X_VFIO_PREPARE_ACK, which is not of QEMU: the client that answered, or did not. */
struct json_object *qmp_vfio_ack_data(const char *device_id, uint64_t client, bool answered,
				      uint64_t elapsed_us);

/* Data of X_VFIO_MIGRATION_LATE, which is not of QEMU; two states of enum qmp_vfio_state. */
struct json_object *qmp_vfio_late_data(const char *device_id, unsigned int state,
				       unsigned int requested, uint64_t elapsed_us);

/* Data of SHUTDOWN, which the host asked for: by quit, or by a signal. */
struct json_object *qmp_shutdown_data(bool by_quit);

/* Data of MIGRATION; @status as MigrationStatus spells it, "active" and so on. */
struct json_object *qmp_migration_data(const char *status);

#endif
