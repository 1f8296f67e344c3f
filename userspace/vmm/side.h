/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One of the two machines of a rehearsal, as a process and a QMP client of it, and the
 * questions that it is asked.
 */
#ifndef MIGLAB_VMM_SIDE_H
#define MIGLAB_VMM_SIDE_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/child.h"
#include "base/error.h"
#include "vmm/outcome.h"

struct qmp_client;

struct side {
	struct child child;
	const char *socket;	/* its name in the directory of the rehearsal */
	struct qmp_client *client;	/* NULL: not connected yet */
	uint64_t deadline_ns;	/* CLOCK_MONOTONIC: of every question */
	bool mute;		/* a question got no answer in time, and none is asked any more */
};

/*
 * One command and its answer, which the caller puts; @ret may be NULL. @args are taken over.
 * Waits ten seconds, or until @s->deadline_ns if that is earlier. 0 or what
 * qmp_client_call() says, with the command and the machine in front of the sentence.
 */
int side_call(struct side *s, const char *command, struct json_object *args,
	      struct json_object **ret, struct error *err);

/* A member of what @command answers; 0 when there is none. */
uint64_t side_number(struct side *s, const char *command, const char *name);

/* A device's attribute as text for the caller to free; NULL when it has none. */
char *side_attribute(struct side *s, unsigned int device, const char *name);

/* The rest fills in what @s, the @end of @o, says; what it does not say stays as it was. */

/* What the devices are capable of. */
void side_ask_flags(struct side *s, struct outcome *o);
/* status and error-desc of query-migrate, and amounts of a source that completed. */
int side_ask_migration(struct side *s, enum outcome_end end, struct outcome *o,
		       struct error *err);
void side_ask_memory(struct side *s, enum outcome_end end, struct outcome *o);
void side_ask_workload(struct side *s, enum outcome_end end, struct outcome *o);
void side_ask_fingerprints(struct side *s, enum outcome_end end, struct outcome *o);
void side_ask_sizes(struct side *s, enum outcome_end end, struct outcome *o);
/* Who runs, and the devices' states. */
void side_ask_states(struct side *s, enum outcome_end end, struct outcome *o);

#endif
