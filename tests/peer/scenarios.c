// SPDX-License-Identifier: GPL-2.0-only
#include "scenario.h"

/* What cancels or fails after the machine has stopped waits there, for a clock. */
#define PAUSE		"pause-before-switchover"
#define ACK		"return-path,switchover-ack"

#define FAIL(arc)	"arc=" arc " errno=EIO"
#define FAIL_ONCE(arc)	"arc=" arc " errno=EIO times=1"
#define SLOW(arc)	"arc=" arc " delay_us=300000"
#define HOLD(arc)	"arc=" arc " hold limit_us=3600000000"

#define CANCELLED	{ "M:cancelled", "M:failed" }
#define FAILED		{ "M:failed", "M:failed" }

/* The arcs of a device on its way there. */
#define TO_RESUMING(id)	" " #id ":RUNNING>RUNNING_P2P..RESUMING " \
			#id ":RUNNING_P2P>STOP..RESUMING " #id ":STOP>RESUMING"
#define TO_STOP_COPY(id) " " #id ":RUNNING>PRE_COPY " #id ":PRE_COPY>PRE_COPY_P2P " \
			 #id ":PRE_COPY_P2P>STOP_COPY"
#define TO_RUNNING(id)	" " #id ":RESUMING>STOP..RUNNING_P2P " #id ":STOP>RUNNING_P2P " \
			#id ":RUNNING_P2P>RUNNING"
/* QEMU takes it to RUNNING before it starts the machine, and there once more. */
#define ROLL_BACK(id)	" " #id ":STOP_COPY>STOP..RUNNING " #id ":STOP>RUNNING_P2P..RUNNING " \
			#id ":RUNNING_P2P>RUNNING " #id ":RUNNING>RUNNING_P2P " \
			#id ":RUNNING_P2P>RUNNING"
#define BACK_FROM_STOP_COPY(id) TO_STOP_COPY(id) ROLL_BACK(id)
#define BACK_TO_STOP(id) " " #id ":RUNNING>RUNNING_P2P " #id ":RUNNING_P2P>STOP"

/* What a destination does that stays paused; QEMU's device stays in RESUMING. */
#define WAITS		{ [DESTINATION] = " M:setup M:active V:vf0:resuming V:vf0:stop " \
					  "M:completed" }
#define WHY_WAITS	"a device that refuses the state says so then, not at cont"
#define WAITS_ARCS	{ [DESTINATION] = TO_RESUMING(vf0) " vf0:RESUMING>STOP" }

/* What a destination loses makes both sides fail; QEMU's say that they completed. */
#define LOST		{ " M:setup V:vf0:pre-copy M:active V:vf0:pre-copy-p2p-prepare " \
			  "V:vf0:pre-copy-p2p V:vf0:stop-copy STOP M:device M:failing " \
			  "V:vf0:running RESUME V:vf0:running-p2p V:vf0:running M:failed", \
			  " M:setup M:active V:vf0:resuming RESUME V:vf0:running " \
			  "V:vf0:running-p2p V:vf0:stop STOP M:failed" }
#define LOST_ARCS(how)	{ BACK_FROM_STOP_COPY(vf0), TO_RESUMING(vf0) how BACK_TO_STOP(vf0) }
#define WHY_LOST	"QEMU resets the device, loses its state, and says completed"

const struct scenario scenarios[] = {
	/* Nothing goes wrong. */
	{
		.name = "success", .quick = true,
	}, {
		.name = "success-two", .quick = true, .devices = 2,
	}, {
		.name = "success-no-p2p", .quick = true, .profile = "no-p2p",
	}, {
		.name = "success-no-precopy", .quick = true, .profile = "no-precopy",
	}, {
		.name = "success-no-precopy-two", .profile = "no-precopy", .devices = 2,
	}, {
		.name = "success-stop-copy", .profile = "stop-copy",
	}, {
		.name = "success-after-long-pre-copy", .endless = true,
		.steps = { { AWAIT, SOURCE, "M:active" }, { CONVERGE, SOURCE } },
	}, {
		.name = "pause", .quick = true, .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate-continue", PRE_SWITCHOVER } },
	}, {
		.name = "pause-two", .devices = 2, .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate-continue", PRE_SWITCHOVER } },
	}, {
		.name = "pause-no-precopy", .profile = "no-precopy", .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate-continue", PRE_SWITCHOVER } },
	}, {
		.name = "ack", .capabilities = ACK,
	}, {
		.name = "ack-two", .devices = 2, .capabilities = ACK,
	}, {
		.name = "ack-reinit", .endless = true, .capabilities = ACK,
		.rules = { { "op=precopy_info reinit nth=3" } },
		.steps = { { AWAIT, SOURCE, "M:active" }, { ACTED, SOURCE }, { CONVERGE, SOURCE } },
	},

	/* The source does not run, or is stopped meanwhile. */
	{
		.name = "source-never-run", .beginning = NEVER_RUN,
		.why = WHY_WAITS, .ours = WAITS, .ours_arcs = WAITS_ARCS,
	}, {
		.name = "source-paused", .quick = true, .beginning = PAUSED_FIRST,
		.why = WHY_WAITS, .ours = WAITS, .ours_arcs = WAITS_ARCS,
	}, {
		.name = "destination-waits", .waiting = true,
		.why = WHY_WAITS, .ours = WAITS, .ours_arcs = WAITS_ARCS,
	}, {
		.name = "stop-in-pre-copy", .endless = true,
		.steps = { { AWAIT, SOURCE, "M:active" }, { TELL, SOURCE, "stop" },
			   { AWAIT, SOURCE, "STOP" }, { CONVERGE, SOURCE } },
		.why = WHY_WAITS, .ours = WAITS, .ours_arcs = WAITS_ARCS,
	}, {
		.name = "stop-cont-in-pre-copy", .endless = true,
		.rules = { { HOLD("PRE_COPY>PRE_COPY_P2P") } },
		.steps = { { AWAIT, SOURCE, "M:active" }, { SEND, SOURCE, "stop" },
			   { HELD, SOURCE, "0" }, { SEND, SOURCE, "cont" },
			   { RELEASE, SOURCE, "0" }, { AWAIT, SOURCE, "V:vf0:running" },
			   { CONVERGE, SOURCE } },
		.last = FAILED,
		.why = "QEMU keeps a data_fd that is of no use any more, and always fails",
		.ours = { " M:setup V:vf0:pre-copy M:active V:vf0:pre-copy-p2p-prepare "
			  "V:vf0:pre-copy-p2p V:vf0:stop-copy STOP RESUME V:vf0:running-p2p "
			  "V:vf0:running V:vf0:running-p2p V:vf0:stop STOP M:device "
			  "V:vf0:stop-copy M:completed V:vf0:stop",
			  " M:setup M:active V:vf0:resuming RESUME V:vf0:running-p2p "
			  "V:vf0:running M:completed" },
		.ours_last = { "M:completed V:vf0:stop", "M:completed" },
		.ours_arcs = { TO_STOP_COPY(vf0) " vf0:STOP_COPY>STOP..RUNNING_P2P "
			       "vf0:STOP>RUNNING_P2P vf0:RUNNING_P2P>RUNNING "
			       "vf0:RUNNING>RUNNING_P2P vf0:RUNNING_P2P>STOP "
			       "vf0:STOP>STOP_COPY vf0:STOP_COPY>STOP",
			       TO_RESUMING(vf0) TO_RESUMING(vf0) TO_RUNNING(vf0) },
	}, {
		.name = "stop-in-pre-switchover", .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" }, { TELL, SOURCE, "stop" },
			   { TELL, SOURCE, "migrate-continue", PRE_SWITCHOVER } },
		.why = "QEMU forgets the stop, and the destination runs",
		.ours = WAITS, .ours_arcs = WAITS_ARCS,
	},

	/* Somebody gives it up. */
	{
		.name = "cancel-pre-copy", .quick = true, .endless = true,
		.steps = { { AWAIT, SOURCE, "M:active" }, { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-copy-two", .endless = true, .devices = 2,
		.steps = { { AWAIT, SOURCE, "M:active" }, { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-copy-no-p2p", .endless = true, .profile = "no-p2p",
		.steps = { { AWAIT, SOURCE, "M:active" }, { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-switchover", .quick = true, .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-switchover-two", .devices = 2, .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-switchover-no-p2p", .capabilities = PAUSE, .profile = "no-p2p",
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-switchover-no-precopy", .capabilities = PAUSE,
		.profile = "no-precopy",
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-switchover-stop-copy", .capabilities = PAUSE,
		.profile = "stop-copy",
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-source-paused", .capabilities = PAUSE, .beginning = PAUSED_FIRST,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
		.why = "QEMU lets the device run although the machine is paused",
		.ours = { " M:setup M:active M:pre-switchover M:cancelling M:cancelled" },
		.ours_arcs = { "" },
	}, {
		.name = "cancel-and-again", .endless = true,
		.steps = { { AWAIT, SOURCE, "M:active" }, { TELL, SOURCE, "migrate_cancel" },
			   { AWAIT, SOURCE, "M:cancelled" }, { AWAIT, DESTINATION, "M:failed" },
			   { RENEW, DESTINATION }, { MIGRATE, SOURCE },
			   { AWAIT, SOURCE, "M:active" }, { CONVERGE, SOURCE } },
	}, {
		.name = "cancel-pre-switchover-and-fail", .capabilities = PAUSE,
		.rules = { { FAIL_ONCE("RUNNING_P2P>RUNNING") } },
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	}, {
		.name = "cancel-pre-copy-and-fail", .endless = true,
		.rules = { { FAIL_ONCE("PRE_COPY>RUNNING") } },
		.steps = { { AWAIT, SOURCE, "M:active" }, { TELL, SOURCE, "migrate_cancel" } },
		.last = CANCELLED,
	},

	/* An arc of the source fails. */
	{
		.name = "fail-pre-copy",
		.rules = { { FAIL("RUNNING>PRE_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-pre-copy-second", .devices = 2,
		.rules = { { NULL, FAIL("RUNNING>PRE_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-pre-copy-p2p", .quick = true,
		.rules = { { FAIL("PRE_COPY>PRE_COPY_P2P") } },
		.last = FAILED,
	}, {
		.name = "fail-pre-copy-p2p-two", .devices = 2,
		.rules = { { FAIL("PRE_COPY>PRE_COPY_P2P") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-copy", .quick = true,
		.rules = { { FAIL("PRE_COPY_P2P>STOP_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-copy-two", .devices = 2,
		.rules = { { NULL, FAIL("PRE_COPY_P2P>STOP_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-copy-no-p2p", .profile = "no-p2p",
		.rules = { { FAIL("PRE_COPY>STOP_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-running-p2p-no-precopy", .profile = "no-precopy",
		.rules = { { FAIL_ONCE("RUNNING>RUNNING_P2P") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-no-precopy", .profile = "no-precopy",
		.rules = { { FAIL_ONCE("RUNNING_P2P>STOP") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-copy-no-precopy", .profile = "no-precopy",
		.rules = { { FAIL("STOP>STOP_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-copy-no-precopy-two", .profile = "no-precopy", .devices = 2,
		.rules = { { NULL, FAIL("STOP>STOP_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-stop-copy", .profile = "stop-copy",
		.rules = { { FAIL_ONCE("RUNNING>STOP") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-copy-stop-copy", .profile = "stop-copy",
		.rules = { { FAIL("STOP>STOP_COPY") } },
		.last = FAILED,
	}, {
		.name = "fail-stop-after-completion",
		.rules = { { FAIL("STOP_COPY>STOP") } },
		.last = { "V:vf0:running" },
	}, {
		.name = "fail-reset", .quick = true,
		.rules = { { FAIL("PRE_COPY>PRE_COPY_P2P") "; op=reset errno=EIO" } },
		.last = { "signal:6", "M:failed" },
		.why = "QEMU aborts when a reset fails",
		.ours = { " M:setup V:vf0:pre-copy M:active V:vf0:pre-copy-p2p-prepare STOP "
			  "M:device M:failing RESUME M:failed" },
		.ours_last = { "M:failed" },
	},

	/* Its data fails. */
	{
		.name = "fail-read-pre-copy",
		.rules = { { "op=read errno=EIO" } },
		.last = FAILED,
	}, {
		.name = "fail-read-stop-copy", .profile = "no-precopy",
		.rules = { { "op=read errno=EIO" } },
		.last = FAILED,
	}, {
		.name = "fail-read-stop-copy-two", .profile = "no-precopy", .devices = 2,
		.rules = { { "op=read errno=EIO" } },
		.last = FAILED,
		.why = "ours sends the data of all devices at once, after the last STOP_COPY",
		.ours = { " M:setup M:active V:vf1:running-p2p V:vf0:running-p2p V:vf1:stop "
			  "V:vf0:stop STOP M:device V:vf0:stop-copy V:vf1:stop-copy M:failing "
			  "V:vf1:running V:vf0:running RESUME V:vf0:running-p2p V:vf1:running-p2p "
			  "V:vf0:running V:vf1:running M:failed" },
		.ours_arcs = { BACK_TO_STOP(vf0) " vf0:STOP>STOP_COPY" ROLL_BACK(vf0)
			       BACK_TO_STOP(vf1) " vf1:STOP>STOP_COPY" ROLL_BACK(vf1) },
	},

	/* The destination fails. */
	{
		.name = "fail-resuming",
		.rules = { [DESTINATION] = { FAIL("STOP>RESUMING") } },
		.last = FAILED,
	}, {
		.name = "fail-resuming-second", .devices = 2,
		.rules = { [DESTINATION] = { NULL, FAIL("STOP>RESUMING") } },
		.last = FAILED,
	}, {
		.name = "fail-write",
		.rules = { [DESTINATION] = { "op=write errno=EIO" } },
		.last = FAILED,
	}, {
		.name = "fail-load",
		.rules = { [DESTINATION] = { "op=load errno=EIO" } },
		.why = WHY_LOST, .ours = LOST, .ours_last = FAILED,
		.ours_arcs = LOST_ARCS(" vf0:RESUMING>STOP..RUNNING_P2P=EIO"),
	}, {
		.name = "fail-running-p2p", .quick = true,
		.rules = { [DESTINATION] = { FAIL("STOP>RUNNING_P2P") } },
		.why = WHY_LOST, .ours = LOST, .ours_last = FAILED,
		.ours_arcs = LOST_ARCS(" vf0:RESUMING>STOP..RUNNING_P2P "
				       "vf0:STOP>RUNNING_P2P=EIO"),
	}, {
		.name = "fail-running-p2p-two", .devices = 2,
		.rules = { [DESTINATION] = { FAIL("STOP>RUNNING_P2P") } },
		.why = WHY_LOST,
		.ours = { " M:setup V:vf0:pre-copy V:vf1:pre-copy M:active "
			  "V:vf1:pre-copy-p2p-prepare V:vf1:pre-copy-p2p "
			  "V:vf0:pre-copy-p2p-prepare V:vf0:pre-copy-p2p V:vf1:stop-copy "
			  "V:vf0:stop-copy STOP M:device M:failing V:vf1:running V:vf0:running "
			  "RESUME V:vf0:running-p2p V:vf1:running-p2p V:vf0:running V:vf1:running "
			  "M:failed",
			  " M:setup M:active V:vf0:resuming V:vf1:resuming RESUME V:vf0:running "
			  "V:vf1:running-p2p V:vf0:running-p2p V:vf1:stop V:vf0:stop STOP "
			  "M:failed" },
		.ours_last = FAILED,
		.ours_arcs = { BACK_FROM_STOP_COPY(vf0) BACK_FROM_STOP_COPY(vf1),
			       TO_RESUMING(vf0) " vf0:RESUMING>STOP..RUNNING_P2P "
			       "vf0:STOP>RUNNING_P2P=EIO" BACK_TO_STOP(vf0)
			       TO_RESUMING(vf1) " vf1:RESUMING>STOP..RUNNING_P2P "
			       "vf1:STOP>RUNNING_P2P vf1:RUNNING_P2P>STOP" },
	},

	/* What takes long. */
	{
		.name = "slow-two", .devices = 2,
		.rules = { { SLOW("PRE_COPY>PRE_COPY_P2P"),
			     SLOW("PRE_COPY>PRE_COPY_P2P") } },
		.from = "V:vf1:pre-copy-p2p-prepare", .to = "V:vf0:pre-copy-p2p-prepare",
	}, {
		.name = "slow-precopy-info-two", .devices = 2, .capabilities = ACK,
		.rules = { { "op=precopy_info delay_us=300000",
			     "op=precopy_info delay_us=300000" } },
		.from = "V:vf1:pre-copy-p2p", .to = "V:vf0:pre-copy-p2p-prepare",
	}, {
		.name = "query-while-held", .quick = true,
		.rules = { { HOLD("PRE_COPY>PRE_COPY_P2P") } },
		.steps = { { HELD, SOURCE, "0" }, { ASK, SOURCE, "query-migrate" },
			   { RELEASE, SOURCE, "0" } },
		.why = "QEMU answers nothing while a device's ioctl lasts",
		.ours = { " M:setup V:vf0:pre-copy M:active V:vf0:pre-copy-p2p-prepare "
			  "query-migrate:answered V:vf0:pre-copy-p2p V:vf0:stop-copy STOP "
			  "M:device M:completed V:vf0:stop" },
	},

	/* A side goes away. */
	{
		.name = "no-peer", .no_peer = true,
		.last = FAILED,
	}, {
		.name = "kill-destination-pre-copy", .endless = true,
		.steps = { { AWAIT, SOURCE, "M:active" }, { AWAIT, DESTINATION, "V:vf0:resuming" },
			   { KILL, DESTINATION } },
		.last = { "M:failed", "" },
	}, {
		.name = "kill-destination-pre-switchover", .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { AWAIT, DESTINATION, "V:vf0:resuming" }, { KILL, DESTINATION },
			   { SEND, SOURCE, "migrate-continue", PRE_SWITCHOVER } },
		.last = { "M:failed", "" },
	}, {
		.name = "kill-source-pre-copy", .endless = true,
		.steps = { { AWAIT, SOURCE, "M:active" }, { AWAIT, DESTINATION, "V:vf0:resuming" },
			   { KILL, SOURCE } },
		.last = { "", "M:failed" },
	}, {
		.name = "kill-source-pre-switchover", .capabilities = PAUSE,
		.steps = { { AWAIT, SOURCE, "M:pre-switchover" },
			   { AWAIT, DESTINATION, "V:vf0:resuming" }, { KILL, SOURCE } },
		.last = { "", "M:failed" },
	},
	{ 0 },
};
