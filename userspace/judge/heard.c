// SPDX-License-Identifier: GPL-2.0-only
#include "judge/heard.h"

#include <stdio.h>
#include <string.h>

#include "device/uapi.h"
#include "qmp/events.h"

/* "x-stop-copy-prepare" for "stop-copy", and "pre-copy-p2p-prepare" without the prefix. */
static bool is_announcement(const char *text, const char *state)
{
	size_t len = strlen(state);

	if (!strncmp(text, "x-", 2))
		text += 2;
	return !strncmp(text, state, len) && !strcmp(text + len, "-prepare");
}

static bool vfio_event(const char *text, struct contract_record *ret)
{
	for (unsigned int s = VFIO_DEVICE_STATE_STOP; s <= VFIO_DEVICE_STATE_PRE_COPY_P2P; s++) {
		const char *state = qmp_vfio_state_name(s);

		ret->to = s;
		ret->what = CONTRACT_SAID;
		if (!strcmp(text, state))
			return true;
		ret->what = CONTRACT_ANNOUNCED;
		if (is_announcement(text, state))
			return true;
	}
	return false;
}

enum contract_status heard_status(const char *status)
{
	static const struct {
		const char *name;
		enum contract_status status;
	} ends[] = {
		{ "completed", CONTRACT_COMPLETED },
		{ "failed", CONTRACT_FAILED },
		{ "cancelled", CONTRACT_CANCELLED },
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!strcmp(status, ends[i].name))
			return ends[i].status;
	return CONTRACT_SETUP;
}

bool heard_event(const struct qmp_event *event, int device, struct contract_record *ret)
{
	*ret = (struct contract_record){ .ns = event->received_ns };
	if (!strcmp(event->name, QMP_EVENT_MIGRATION)) {
		ret->what = CONTRACT_STATUS;
		ret->status = heard_status(qmp_event_text(event, "status"));
		return true;
	}
	ret->what = CONTRACT_STANDS;
	if (!strcmp(event->name, QMP_EVENT_STOP))
		return true;
	ret->what = CONTRACT_RUNS;
	if (!strcmp(event->name, QMP_EVENT_RESUME))
		return true;
	if (device < 0 || strcmp(event->name, QMP_EVENT_VFIO_MIGRATION))
		return false;
	ret->device = device;
	return vfio_event(qmp_event_text(event, "device-state"), ret);
}
