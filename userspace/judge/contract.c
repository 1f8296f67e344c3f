// SPDX-License-Identifier: GPL-2.0-only
#include "judge/contract.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "device/uapi.h"
#include "judge/contract_rules.h"

#define UAPI	"uapi/linux/vfio.h, "
#define QAPI	"QEMU's qapi/"

const struct contract_rule contract_rules[CONTRACT_RULES] = {
	{ "prepare-before", QAPI "vfio.json, pre-copy-p2p-prepare",
	  "a device that is about to go to PRE_COPY_P2P is announced before it goes",
	  contract_prepare_before },
	{ "not-too-early", QAPI "vfio.json, pre-copy-p2p-prepare",
	  "it is announced when it is about to go, not long before",
	  contract_not_too_early },
	{ "p2p-barrier", UAPI "the P2P quiescent state",
	  "no device that may start peer-to-peer DMA runs beside one that is stopped",
	  contract_p2p_barrier },
	{ "state-moved", UAPI "STOP -> STOP_COPY and RESUMING -> STOP",
	  "completed means that the state of every device was saved, or loaded",
	  contract_state_moved },
	{ "stream-complete", UAPI "STOP -> STOP_COPY",
	  "a stream is the state when it was read to its end",
	  contract_stream_complete },
	{ "true-end", QAPI "migration.json, MigrationStatus",
	  "each device ends where what the VMM says needs it to be",
	  contract_true_end },
	{ "recovery", UAPI "struct vfio_device_feature_mig_state",
	  "after an arc that failed the VMM finds out, or sees to it, where the device is",
	  contract_recovery },
	{ "quiesce-announced", UAPI "RUNNING -> RUNNING_P2P",
	  "a device without PRE_COPY that goes deaf is announced, too",
	  contract_quiesce_announced },
	{ "downtime", QAPI "migration.json, downtime-limit",
	  "the machine stands no longer than the limit",
	  contract_downtime },
	{ "witnesses-agree", "Documentation/vmm-contract.rst",
	  "the driver's own history says of each arc what the kernel's trace says",
	  contract_witnesses_agree },
};

void contract_say(struct contract_line *line, enum verdict_outcome outcome, const char *fmt, ...)
{
	size_t used = strlen(line->text);
	va_list ap;

	if (used && used + 2 < sizeof(line->text)) {
		memcpy(line->text + used, "; ", 3);
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(line->text + used, sizeof(line->text) - used, fmt, ap);
	va_end(ap);
	line->outcome = outcome;
}

int contract_result(const struct contract_input *in, const struct contract_record *at,
		    const struct contract_record **ret_end)
{
	const struct contract_record *end = in->records + in->count, *r;

	for (r = at + 1; r < end; r++) {
		if (r->device != at->device || r->what != CONTRACT_ENDS)
			continue;
		if (ret_end)
			*ret_end = r;
		return r->result;
	}
	if (ret_end)
		*ret_end = NULL;
	return 0;
}

bool contract_loads(const struct contract_input *in, unsigned int device)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->records[i].what == CONTRACT_BEGINS && in->records[i].device == device &&
		    in->records[i].to == VFIO_DEVICE_STATE_RESUMING)
			return true;
	return false;
}

uint32_t contract_follow(uint32_t state, const struct contract_record *record)
{
	switch (record->what) {
	case CONTRACT_BEGINS:
		return record->from;
	case CONTRACT_ENDS:
		return record->result ? CONTRACT_UNKNOWN : record->to;
	case CONTRACT_KNOWN:
	case CONTRACT_FOUND:
		return record->to;
	case CONTRACT_RESET:
		return record->result ? CONTRACT_UNKNOWN : VFIO_DEVICE_STATE_RUNNING;
	default:
		return state;
	}
}

uint32_t contract_end_state(const struct contract_input *in, unsigned int device)
{
	uint32_t state = in->start[device];

	for (size_t i = 0; i < in->count; i++)
		if (in->records[i].device == device)
			state = contract_follow(state, &in->records[i]);
	return state;
}

const struct contract_record *contract_end(const struct contract_input *in)
{
	const struct contract_record *end = NULL;

	for (size_t i = 0; i < in->count; i++)
		if (in->records[i].what == CONTRACT_STATUS)
			end = in->records[i].status == CONTRACT_SETUP ? NULL : &in->records[i];
	return end;
}

bool contract_is_stopped(uint32_t state)
{
	return state == VFIO_DEVICE_STATE_STOP || state == VFIO_DEVICE_STATE_STOP_COPY ||
	       state == VFIO_DEVICE_STATE_RESUMING;
}

void contract_judge(const struct contract_input *in, struct contract_line lines[CONTRACT_RULES])
{
	for (size_t i = 0; i < CONTRACT_RULES; i++) {
		lines[i] = (struct contract_line){
			.rule = &contract_rules[i], .outcome = VERDICT_NONE,
		};
		contract_rules[i].judge(in, &lines[i]);
	}
}

enum verdict_outcome contract_sum(const struct contract_line lines[CONTRACT_RULES],
				  const bool chosen[CONTRACT_RULES])
{
	/* The first of these that a line has decides. */
	static const enum verdict_outcome order[] = { VERDICT_FAIL, VERDICT_OPEN, VERDICT_PASS };

	for (size_t n = 0; n < sizeof(order) / sizeof(order[0]); n++)
		for (size_t i = 0; i < CONTRACT_RULES; i++)
			if ((!chosen || chosen[i]) && lines[i].outcome == order[n])
				return order[n];
	return VERDICT_NONE;
}

int contract_ids(const char *text, bool ret_named[CONTRACT_RULES], struct error *err)
{
	const char *at = text;

	do {
		int len = (int)strcspn(at, ",");
		size_t i;

		for (i = 0; i < CONTRACT_RULES; i++)
			if ((int)strlen(contract_rules[i].id) == len &&
			    !strncmp(contract_rules[i].id, at, len))
				break;
		if (i == CONTRACT_RULES)
			return error_set(err, -EINVAL, "\"%.*s\" is no verdict; miglab judge "
					 "--list has their names", len, at);
		ret_named[i] = true;
		at += len + 1;
	} while (at[-1]);
	return 0;
}
