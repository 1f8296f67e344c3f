// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the coordinator decides, as rows: inputs on the left, the events of the
 * wire on the right. The events are those of QEMU 11.1 except where a row says so.
 */
#include "coordinator_rows.h"

/* Two devices that migrate, after two passes each. */
#define TWO_PASSED \
	"M setup, V vf0 pre-copy, V vf1 pre-copy, M active, V vf1 pre-copy-p2p-prepare, " \
	"V vf1 pre-copy-p2p, V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, " \
	"V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop, V vf1 stop"
#define TWICE_PASSED \
	"M setup, set vf0 PRE_COPY, V vf0 pre-copy, set vf1 PRE_COPY, V vf1 pre-copy, M active, " \
	"pass vf0, pass vf1, pass vf0, pass vf1, " \
	"V vf1 pre-copy-p2p-prepare, set vf1 PRE_COPY_P2P, V vf1 pre-copy-p2p, " \
	"V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, " \
	"set vf1 STOP_COPY, V vf1 stop-copy, set vf0 STOP_COPY, V vf0 stop-copy, STOP, " \
	"M device, save vf0, save vf1, tell done, M completed, " \
	"set vf0 STOP, V vf0 stop, set vf1 STOP, V vf1 stop, close"

static const struct row source_rows[] = {
	{ "boot", 7, 1, .script = "cont all", .runstate = RUN_RUNNING,
	  .wire = "RESUME, V vf0 running-p2p, V vf0 running" },
	{ "boot of a device without P2P that runs already", 5, 1, .script = "cont all",
	  .runstate = RUN_RUNNING, .wire = "RESUME" },
	{ "success", 7, 1, .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, tell done, "
		 "M completed, set vf0 STOP, V vf0 stop, close" },
	{ "success without prepare", 7, 1, .no_prepare = true, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, "
		  "M device, M completed, V vf0 stop" },
	{ "success of three: stop backward, the rest forward", 7, 3,
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, V vf2 pre-copy, M active, "
		  "V vf2 pre-copy-p2p-prepare, V vf2 pre-copy-p2p, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf2 stop-copy, V vf1 stop-copy, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop, V vf1 stop, V vf2 stop" },
	{ "success without P2P", 5, 1, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop" },
	{ "success without PRE_COPY", 3, 1, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, M active, V vf0 running-p2p, V vf0 stop, STOP, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "success with STOP_COPY alone", 1, 1, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, M active, V vf0 stop, STOP, M device, V vf0 stop-copy, M completed, "
		  "V vf0 stop" },
	{ "passes go on until the rest is small, then until the last one is back", 7, 2,
	  .script = START "ok ok more more ok ok all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = TWO_PASSED, .all = TWICE_PASSED },
	{ "stop, and cont before the last pass is back: all passes go on", 7, 2,
	  .script = START "ok ok stop more cont more ok ok all loaded all",
	  .runstate = RUN_POSTMIGRATE, .wire = TWO_PASSED, .all = TWICE_PASSED },
	{ "the last pass finds more: all passes go on", 7, 2,
	  .script = START "ok ok ok more ok ok all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = TWO_PASSED, .all = TWICE_PASSED },
	{ "paused before", 7, 1, .script = BOOT "stop all migrate ready all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "V vf0 running-p2p, V vf0 stop, STOP, M setup, M active, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "never run, as with -S", 7, 1, .script = "migrate ready all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, M device, V vf0 stop-copy, M completed, "
		  "V vf0 stop" },
	/* QEMU goes on when what is left fits into the downtime, which here nobody waits for. */
	{ "stop in pre-copy", 7, 1, .script = START "ok more stop more all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, tell done paused, "
		 "M completed, set vf0 STOP, V vf0 stop, close" },
	/* In QEMU it fails behind the last stop-copy. */
	{ "stop and cont in pre-copy", 7, 1,
	  .script = START "ok more stop more cont all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, RESUME, V vf0 running-p2p, "
		  "V vf0 running, V vf0 running-p2p, V vf0 stop, STOP, M device, V vf0 stop-copy, "
		  "M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, STOP, RESUME, set vf0 RUNNING_P2P, "
		 "V vf0 running-p2p, set vf0 RUNNING, V vf0 running, set vf0 RUNNING_P2P, "
		 "V vf0 running-p2p, set vf0 STOP, V vf0 stop, STOP, M device, set vf0 STOP_COPY, "
		 "V vf0 stop-copy, save again vf0, tell done, M completed, set vf0 STOP, V vf0 stop, "
		 "close" },
	{ "stop, cont and stop", 7, 1,
	  .script = START "ok more stop more cont ok ok stop all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, RESUME, V vf0 running-p2p, "
		  "V vf0 running, V vf0 running-p2p, V vf0 stop, STOP, M device, V vf0 stop-copy, "
		  "M completed, V vf0 stop" },
	{ "paused before, cont in pre-copy's place", 7, 1, .runstate = RUN_POSTMIGRATE,
	  .script = BOOT "stop all migrate cont ready all loaded all",
	  .wire = "V vf0 running-p2p, V vf0 stop, STOP, M setup, M active, RESUME, "
		  "V vf0 running-p2p, V vf0 running, V vf0 running-p2p, V vf0 stop, STOP, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "pause-before-switchover", 7, 2, .with_pause = true,
	  .script = START "all continue all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M pre-switchover, M device, "
		  "M completed, V vf0 stop, V vf1 stop" },
	{ "it waits for migrate-continue", 7, 1, .with_pause = true, .script = START "all",
	  .runstate = RUN_FINISH_MIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover" },
	{ "an early migrate-continue is for nothing", 7, 1, .with_pause = true,
	  .script = START "continue all", .runstate = RUN_FINISH_MIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover" },
	{ "migrate while the boot is still under way", 7, 1,
	  .script = "cont migrate ready all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "RESUME, M setup, V vf0 running-p2p, V vf0 running, V vf0 pre-copy, M active, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop" },
};

static const struct row ack_rows[] = {
	{ "the switchover waits for each device's acknowledgment", 7, 2, .with_ack = true,
	  .script = START "ok ok ok ok ack ok ok ack ok ok all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M completed, "
		  "V vf0 stop, V vf1 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, set vf1 PRE_COPY, V vf1 pre-copy, "
		 "M active, pass vf0, pass vf1, pass vf0, pass vf1, pass vf0, pass vf1, "
		 "V vf1 pre-copy-p2p-prepare, set vf1 PRE_COPY_P2P, V vf1 pre-copy-p2p, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "info vf0, info vf1, "
		 "set vf1 STOP_COPY, V vf1 stop-copy, set vf0 STOP_COPY, V vf0 stop-copy, STOP, "
		 "M device, save vf0, save vf1, tell done, M completed, "
		 "set vf0 STOP, V vf0 stop, set vf1 STOP, V vf1 stop, close" },
	{ "REINIT of the last pass: no machine that runs is stopped before", 7, 2, .with_ack = true,
	  .script = START "ok ok ack ack ok reinit ok ok ok ok ok ok ack ok ok all loaded all",
	  .runstate = RUN_POSTMIGRATE, .wire = TWO_PASSED },
	{ "another one is due for each REINIT", 7, 1, .with_ack = true,
	  .script = START "ok ok ack reinit ok ok ack all loaded all", .runstate = RUN_POSTMIGRATE,
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, pass vf0, "
		 "pass vf0, pass vf0, pass vf0, "
		 "V vf0 pre-copy-p2p-prepare, set vf0 PRE_COPY_P2P, V vf0 pre-copy-p2p, "
		 "info vf0, set vf0 STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, tell done, "
		 "M completed, set vf0 STOP, V vf0 stop, close" },
	{ "REINIT when the machine stands already", 7, 1, .with_ack = true,
	  .script = START "ok ack ok ok reinit all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 running, "
		  "RESUME, V vf0 running-p2p, V vf0 running, M failed",
	  .error = "Switchover ACK was requested by 1 devices during switchover" },
	{ "a machine that is stopped waits for none", 7, 1, .with_ack = true,
	  .script = START "ok ok stop all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop" },
	{ "devices without PRE_COPY ask for none", 3, 1, .with_ack = true,
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, M active, V vf0 running-p2p, V vf0 stop, STOP, M device, "
		  "V vf0 stop-copy, M completed, V vf0 stop" },
	{ "an acknowledgment that nobody asked for", 7, 1, .script = START "ok ack all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "the peer sent a message out of turn" },
	{ "one acknowledgment too many counts for nothing", 7, 1, .with_ack = true,
	  .script = START "ok ack ack all loaded all", .runstate = RUN_POSTMIGRATE },
	{ "those that were due before cont are void", 7, 1, .with_ack = true,
	  .script = START "ok stop ok cont all loaded all", .runstate = RUN_POSTMIGRATE,
	  .error = "" },
	{ "the destination acknowledges each", 7, 2, true, .with_ack = true,
	  .script = "incoming ready ok ok initial ok initial ok done all", .runstate = RUN_RUNNING,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, "
		 "set vf1 RESUMING, V vf1 resuming, load vf0, load vf1, tell ack, load vf0, "
		 "tell ack, load vf0, RESUME, set vf0 RUNNING_P2P, V vf0 running-p2p, "
		 "set vf1 RUNNING_P2P, V vf1 running-p2p, set vf0 RUNNING, V vf0 running, "
		 "set vf1 RUNNING, V vf1 running, tell loaded, M completed, close" },
	{ "the source dies while it is acknowledged", 7, 1, true, .with_ack = true,
	  .script = "incoming ready ok lost initial all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, M failed", .error = "gone",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, load vf0, "
		 "abort, end vf0, tell failed, close, M failed" },
};

static const struct row cancel_rows[] = {
	{ "cancel in setup", 7, 1, .script = BOOT "migrate cancel", .runstate = RUN_RUNNING,
	  .wire = "M setup, M cancelling, M cancelled" },
	{ "cancel in pre-copy", 7, 1, .script = START "ok cancel more all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M cancelling, V vf0 running, M cancelled",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, M active, pass vf0, M cancelling, "
		 "abort, tell failed, close, set vf0 RUNNING, V vf0 running, M cancelled",
	  .error = "the migration was cancelled" },
	{ "cancel between two devices' PRE_COPY", 7, 2, .script = START "cancel ok ok all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M cancelling, V vf0 pre-copy, V vf1 pre-copy, V vf1 running, "
		  "V vf0 running, M cancelled" },
	{ "cancel after stop, two devices", 7, 2,
	  .script = START "ok ok ok ok ok ok ok ok cancel all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M cancelling, "
		  "V vf1 running, V vf0 running, RESUME, V vf0 running-p2p, V vf1 running-p2p, "
		  "V vf0 running, V vf1 running, M cancelled" },
	{ "cancel in pre-switchover", 7, 2, .with_pause = true, .script = START "all cancel all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M pre-switchover, M cancelling, "
		  "V vf1 running, V vf0 running, RESUME, V vf0 running-p2p, V vf1 running-p2p, "
		  "V vf0 running, V vf1 running, M cancelled" },
	/* In QEMU the device then runs in a machine that stands. */
	{ "cancel in pre-switchover of a machine that was paused", 7, 1, .with_pause = true,
	  .script = BOOT "stop all migrate ready all | cancel all", .runstate = RUN_PAUSED,
	  .wire = "M cancelling, M cancelled" },
	{ "stop in pre-copy, then cancel when it stands", 7, 1, .with_pause = true,
	  .script = START "ok stop ok all cancel all", .runstate = RUN_PAUSED,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover, M cancelling, "
		  "V vf0 stop, M cancelled" },
	{ "cancel while stop is carried out in pre-copy", 7, 1,
	  .script = START "ok stop ok cancel all", .runstate = RUN_PAUSED,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, M cancelling, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, V vf0 stop, M cancelled" },
	{ "cancel in mid-switchover waits for the stop", 7, 1, .script = START "ok ok cancel all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, M cancelling, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, V vf0 running, RESUME, "
		  "V vf0 running-p2p, V vf0 running, M cancelled" },
	{ "cancel when the destination may run is too late", 7, 1,
	  .script = START "all cancel loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop" },
	{ "a second migration after a cancelled one", 7, 1,
	  .script = START "ok cancel all migrate ready all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, M cancelling, V vf0 running, M cancelled, "
		  "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop" },
	{ "stop in pre-copy, then cancel: it stays stopped", 7, 1,
	  .script = START "ok stop cancel all", .runstate = RUN_PAUSED,
	  .wire = "M setup, V vf0 pre-copy, M active, M cancelling, V vf0 running, M cancelled, "
		  "V vf0 running-p2p, V vf0 stop, STOP" },
};

static const struct row failure_rows[] = {
	{ "no connection", 7, 1, .script = BOOT "migrate lost", .runstate = RUN_RUNNING,
	  .wire = "M setup, M failing, M failed", .error = "gone" },
	{ "PRE_COPY fails", 7, 1, .script = START "fail", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 running, M active, M failing, M failed", .error = "vf0 broke" },
	{ "PRE_COPY of the second fails, the third is not begun", 7, 3,
	  .script = START "ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 running, M active, M failing, V vf0 running, "
		  "M failed" },
	{ "PRE_COPY_P2P fails", 7, 1, .script = START "ok ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, V vf0 running, "
		  "V vf0 stop, STOP, M device, M failing, V vf0 running, RESUME, V vf0 running-p2p, "
		  "V vf0 running, M failed", .error = "vf0 broke" },
	{ "PRE_COPY_P2P fails and the reset too", 7, 2, .script = START "ok ok ok ok dead all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, V vf1 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, "
		  "M failing, V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed" },
	{ "STOP_COPY fails", 7, 1, .script = START "ok ok ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 running, STOP, M device, M failing, RESUME, "
		  "V vf0 running-p2p, V vf0 running, M failed", .error = "vf0 broke" },
	{ "PRE_COPY_P2P fails with pause-before-switchover", 7, 1, .with_pause = true,
	  .script = START "ok ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, V vf0 running, "
		  "V vf0 stop, STOP, M pre-switchover, M device, M failing, V vf0 running, RESUME, "
		  "V vf0 running-p2p, V vf0 running, M failed", .error = "vf0 broke" },
	{ "PRE_COPY_P2P of the first of two to stop fails", 7, 2,
	  .script = START "ok ok ok ok fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, V vf1 pre-copy-p2p-prepare, "
		  "V vf1 running, V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, V vf1 stop, "
		  "V vf0 stop-copy, STOP, M device, M failing, V vf1 running, V vf0 running, RESUME, "
		  "V vf0 running-p2p, V vf1 running-p2p, V vf0 running, V vf1 running, M failed",
	  .error = "vf1 broke" },
	{ "STOP_COPY of a device without PRE_COPY fails", 3, 1, .script = START "ok ok fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 running-p2p, V vf0 stop, STOP, M device, V vf0 stop, "
		  "M failing, V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed" },
	{ "the destination dies in pre-switchover", 7, 1, .with_pause = true,
	  .script = START "all lost all", .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M pre-switchover, M device, M failing, "
		  "V vf0 running, RESUME, V vf0 running-p2p, V vf0 running, M failed" },
	{ "STOP fails after completion", 7, 1, .script = START "ok ok ok ok ok loaded fail",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 running",
	  .error = "" },
	{ "the destination dies in pre-copy", 7, 1, .script = START "ok more lost fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "gone" },
	{ "the destination dies while the arc is under way", 7, 1, .script = START "ok ok lost all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 running, "
		  "RESUME, V vf0 running-p2p, V vf0 running, M failed", .error = "gone" },
	{ "the destination does not get ready", 7, 1, .script = "cont all migrate silent all",
	  .runstate = RUN_RUNNING, .wire = NULL,
	  .error = "the destination, which was to get ready, said nothing" },
	{ "the destination is silent in pre-copy", 7, 1, .script = START "ok silent fail all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "the destination, which was to take the devices' state, said nothing" },
	/* It may run: nobody tells it that it failed, and this machine stays where it is. */
	{ "the destination is silent at the end", 7, 1, .script = START "all silent all",
	  .runstate = RUN_PAUSED, .all = NULL,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 stop, "
		  "M failed",
	  .error = "the destination, which was to take over, said nothing; " DOUBT },
	{ "the destination dies at the end", 7, 1, .script = START "all lost all cont all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M failing, V vf0 stop, "
		  "M failed, RESUME, V vf0 running-p2p, V vf0 running", .error = "gone; " DOUBT },
	{ "the destination gives up and dies", 7, 1, .script = START "all failed lost all",
	  .runstate = RUN_RUNNING, .error = "it broke" },
	{ "who waits for the end is not started by an earlier cont", 7, 1,
	  .script = START "all cont lost all", .runstate = RUN_PAUSED, .error = "gone; " DOUBT },
	{ "the destination loses the state", 7, 2, .script = START "all failed all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, V vf1 pre-copy, M active, "
		  "V vf1 pre-copy-p2p-prepare, V vf1 pre-copy-p2p, "
		  "V vf0 pre-copy-p2p-prepare, V vf0 pre-copy-p2p, "
		  "V vf1 stop-copy, V vf0 stop-copy, STOP, M device, M failing, "
		  "V vf1 running, V vf0 running, RESUME, V vf0 running-p2p, V vf1 running-p2p, "
		  "V vf0 running, V vf1 running, M failed", .error = "it broke" },
	{ "loaded before there was anything to load", 7, 1, .script = START "ok loaded all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, V vf0 pre-copy, M active, M failing, V vf0 running, M failed",
	  .error = "the peer sent a message out of turn" },
};

static const struct row destination_rows[] = {
	{ "success", 7, 1, true, .script = "incoming ready all done all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, load vf0, "
		 "RESUME, set vf0 RUNNING_P2P, V vf0 running-p2p, set vf0 RUNNING, V vf0 running, "
		 "tell loaded, M completed, close" },
	{ "success of two", 7, 2, true, .script = "incoming ready all done all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, RESUME, V vf0 running-p2p, "
		  "V vf1 running-p2p, V vf0 running, V vf1 running, M completed" },
	{ "the source was paused", 7, 1, true, .script = "incoming ready all done-paused cont all",
	  .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, V vf0 stop, M completed, RESUME, "
		  "V vf0 running-p2p, V vf0 running" },
	{ "stopped while it waits", 7, 1, true, .script = "incoming stop ready all done all",
	  .runstate = RUN_PAUSED,
	  .wire = "M setup, M active, V vf0 resuming, V vf0 stop, M completed" },
	{ "paused, and the state is refused on the way out of RESUMING", 7, 2, true,
	  .script = "incoming ready ok ok ok ok done-paused fail all", .runstate = RUN_INMIGRATE,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, "
		 "set vf1 RESUMING, V vf1 resuming, load vf0, load vf1, set vf0 STOP, "
		 "V vf0 running, set vf1 STOP, V vf1 stop, tell failed, close, M failed",
	  .error = "vf0 broke" },
	{ "cancel is for the source", 7, 1, true,
	  .script = "incoming ready ok ok done cancel all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed" },
	{ "ready twice", 7, 1, true, .script = "incoming ready ready all",
	  .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, M failed",
	  .error = "the peer sent a message out of turn" },
	{ "done before it is ready", 7, 1, true, .script = "incoming done",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M failed",
	  .error = "the peer sent a message out of turn" },
	{ "the source is another one", 7, 1, true, .script = "incoming lost",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M failed", .error = "gone" },
	{ "RESUMING fails", 7, 1, true, .script = "incoming ready fail", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 running, M failed",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 running, tell failed, "
		 "close, M failed" },
	{ "RESUMING of the first of two fails", 7, 2, true, .script = "incoming ready fail",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M active, V vf0 running, M failed" },
	{ "the source gives up between two devices' RESUMING", 7, 2, true,
	  .script = "incoming ready failed ok ok all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, M failed",
	  .error = "it broke" },
	{ "a truncated stream", 7, 2, true, .script = "incoming ready ok ok fail fail all",
	  .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, M failed",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, "
		 "set vf1 RESUMING, V vf1 resuming, load vf0, load vf1, abort, end vf0, end vf1, "
		 "tell failed, close, M failed", .error = "vf0 broke" },
	{ "the source dies", 7, 1, true, .script = "incoming ready ok lost fail all",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M active, V vf0 resuming, M failed",
	  .error = "gone" },
	/* QEMU says completed here, on both sides. */
	{ "the state is refused on the way out of RESUMING", 7, 2, true,
	  .script = "incoming ready ok ok ok ok done fail all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, RESUME, V vf0 running, "
		  "V vf1 running-p2p, V vf0 running-p2p, V vf1 stop, V vf0 stop, STOP, M failed",
	  .error = "vf0 broke" },
	/* The source runs on when it is told, so it is told when nothing runs here. */
	{ "running fails: the source is told last", 7, 1, true,
	  .script = "incoming ready ok ok done ok fail all", .runstate = RUN_INMIGRATE,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, load vf0, "
		 "RESUME, set vf0 RUNNING_P2P, V vf0 running-p2p, set vf0 RUNNING, V vf0 running, "
		 "set vf0 RUNNING_P2P, V vf0 running-p2p, set vf0 STOP, V vf0 stop, STOP, "
		 "tell failed, close, M failed", .error = "vf0 broke" },
	{ "the source dies when it is all there", 7, 1, true,
	  .script = "incoming ready ok ok done lost all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed", .error = "" },
	{ "the source is silent when it is all there", 7, 1, true,
	  .script = "incoming ready ok ok done silent lost all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed", .error = "" },
	{ "the source does not connect everything", 7, 1, true, .script = "incoming silent lost",
	  .runstate = RUN_INMIGRATE, .wire = "M setup, M failed",
	  .error = "the source, which was to connect all its devices, said nothing" },
	{ "the source is silent in the middle", 7, 1, true,
	  .script = "incoming ready ok silent fail all", .runstate = RUN_INMIGRATE,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, load vf0, "
		 "abort, end vf0, tell failed, close, M failed",
	  .error = "the source, which was to send the devices' state, said nothing" },
	{ "the source does not say that it is done", 7, 1, true,
	  .script = "incoming ready ok ok silent all", .runstate = RUN_INMIGRATE,
	  .wire = "M setup, M active, V vf0 resuming, M failed",
	  .error = "the source, which was to say that it sent everything, said nothing" },
};

/* vf1 is the memory. Of its states nobody hears; the processors stand first and go last. */
static const struct row memory_rows[] = {
	{ "stop and cont", 7, 2, .memory = true, .script = BOOT "stop all cont all",
	  .runstate = RUN_RUNNING,
	  .all = "cpus stop vf1, set vf0 RUNNING_P2P, V vf0 running-p2p, set vf1 STOP, "
		 "set vf0 STOP, V vf0 stop, STOP, RESUME, set vf0 RUNNING_P2P, V vf0 "
		 "running-p2p, set vf0 RUNNING, V vf0 running, set vf1 RUNNING, cpus run "
		 "vf1" },
	{ "success", 7, 2, .memory = true, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, set vf1 PRE_COPY, M active, "
		 "pass vf0, pass vf1, cpus stop vf1, V vf0 pre-copy-p2p-prepare, set vf0 "
		 "PRE_COPY_P2P, V vf0 pre-copy-p2p, set vf1 STOP_COPY, set vf0 "
		 "STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, save vf1, tell "
		 "done, M completed, set vf0 STOP, V vf0 stop, set vf1 STOP, close" },
	{ "success as of cloud-hypervisor", 7, 3, .memory = true, .policy = "cloud-hypervisor",
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, M active, V vf0 stop, V vf1 stop, STOP, M device, V vf0 stop-copy, "
		  "V vf1 stop-copy, M completed, V vf0 stop, V vf1 stop",
	  .all = "M setup, set vf2 PRE_COPY, M active, pass vf2, cpus stop vf2, set vf0 STOP, "
		 "V vf0 stop, set vf1 STOP, V vf1 stop, set vf2 STOP_COPY, STOP, M device, "
		 "set vf0 STOP_COPY, V vf0 stop-copy, set vf1 STOP_COPY, V vf1 stop-copy, "
		 "save vf0, save vf1, save vf2, tell done, M completed, set vf0 STOP, V vf0 stop, "
		 "set vf1 STOP, V vf1 stop, set vf2 STOP, close" },
	{ "a cancel as of cloud-hypervisor", 7, 2, .policy = "cloud-hypervisor",
	  .with_pause = true, .script = START "all cancel all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 stop, V vf1 stop, STOP, M pre-switchover, "
		  "M cancelling, RESUME, V vf0 running, V vf1 running, M cancelled" },
	{ "a failure as of cloud-hypervisor", 7, 2, .policy = "cloud-hypervisor",
	  .script = START "ok fail all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 stop, V vf1 running, STOP, M device, M failing, "
		  "RESUME, V vf0 running, M failed", .error = "vf1 broke" },
	{ "a destination as of cloud-hypervisor", 7, 2, .policy = "cloud-hypervisor",
	  .incoming = true, .script = "incoming ready all done all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, V vf1 resuming, RESUME, V vf0 running, "
		  "V vf1 running, M completed" },
	{ "success of the group", 7, 2, .memory = true, .policy = "group",
	  .script = START "all loaded all", .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 pre-copy-p2p-prepare, "
		  "V vf0 pre-copy-p2p, V vf0 stop-copy, STOP, M device, M completed, V vf0 stop",
	  .all = "M setup, set vf0 PRE_COPY, set vf1 PRE_COPY, V vf0 pre-copy, M active, "
		 "pass vf0, pass vf1, cpus stop vf1, V vf0 pre-copy-p2p-prepare, set vf0 "
		 "PRE_COPY_P2P, V vf0 pre-copy-p2p, set vf0 STOP_COPY, set vf1 "
		 "STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, save vf1, tell "
		 "done, M completed, set vf0 STOP, set vf1 STOP, V vf0 stop, close" },
	{ "each change is announced, and none is of the memory", 7, 2, .memory = true,
	  .prepare_all = true, .script = "migrate ready all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .all = "M setup, V vf0 x-pre-copy-prepare, set vf0 PRE_COPY, V vf0 pre-copy, "
		 "set vf1 PRE_COPY, M active, pass vf0, pass vf1, M device, V vf0 "
		 "x-stop-copy-prepare, set vf0 STOP_COPY, V vf0 stop-copy, set vf1 "
		 "STOP_COPY, save vf0, save vf1, tell done paused, M completed, V vf0 "
		 "x-stop-prepare, set vf0 STOP, V vf0 stop, set vf1 STOP, close" },
	{ "a device without P2P beside it", 5, 2, .memory = true, .script = START "all loaded all",
	  .runstate = RUN_POSTMIGRATE,
	  .wire = "M setup, V vf0 pre-copy, M active, V vf0 stop-copy, STOP, M device, "
		  "M completed, V vf0 stop" },
	{ "the destination gives up at the end", 7, 2, .memory = true,
	  .script = START "all failed all", .runstate = RUN_RUNNING,
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, set vf1 PRE_COPY, M active, "
		 "pass vf0, pass vf1, cpus stop vf1, V vf0 pre-copy-p2p-prepare, set vf0 "
		 "PRE_COPY_P2P, V vf0 pre-copy-p2p, set vf1 STOP_COPY, set vf0 "
		 "STOP_COPY, V vf0 stop-copy, STOP, M device, save vf0, save vf1, tell "
		 "done, M failing, tell failed, close, set vf1 RUNNING, set vf0 RUNNING, "
		 "V vf0 running, RESUME, set vf0 RUNNING_P2P, V vf0 running-p2p, set vf0 "
		 "RUNNING, V vf0 running, cpus run vf1, M failed" },
	{ "cancelled in pre-copy: the processors never stood", 7, 2, .memory = true,
	  .script = START "ok ok more cancel all", .runstate = RUN_RUNNING,
	  .all = "M setup, set vf0 PRE_COPY, V vf0 pre-copy, set vf1 PRE_COPY, M active, "
		 "pass vf0, pass vf1, pass vf0, M cancelling, abort, tell failed, close, "
		 "set vf1 RUNNING, set vf0 RUNNING, V vf0 running, cpus run vf1, M "
		 "cancelled" },
	{ "destination", 7, 2, true, .memory = true,
	  .script = "incoming ready ok ok ok ok done all", .runstate = RUN_RUNNING,
	  .wire = "M setup, M active, V vf0 resuming, RESUME, V vf0 running-p2p, V vf0 running, "
		  "M completed",
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, set "
		 "vf1 RESUMING, load vf0, load vf1, RESUME, set vf0 RUNNING_P2P, V vf0 "
		 "running-p2p, set vf0 RUNNING, V vf0 running, set vf1 RUNNING, cpus run "
		 "vf1, tell loaded, M completed, close" },
	{ "destination of a machine that stands", 7, 2, true, .memory = true,
	  .script = "incoming ready ok ok ok ok done-paused all cont all",
	  .runstate = RUN_RUNNING,
	  .all = "M setup, M active, tell ready, set vf0 RESUMING, V vf0 resuming, set "
		 "vf1 RESUMING, load vf0, load vf1, set vf0 STOP, V vf0 stop, set vf1 "
		 "STOP, tell loaded, M completed, close, RESUME, set vf0 RUNNING_P2P, V "
		 "vf0 running-p2p, set vf0 RUNNING, V vf0 running, set vf1 RUNNING, cpus "
		 "run vf1" },
};

static void test_memory(void **state)
{
	(void)state;
	RUN_ROWS(memory_rows);
}

static void test_source(void **state)
{
	(void)state;
	RUN_ROWS(source_rows);
}

static void test_ack(void **state)
{
	(void)state;
	RUN_ROWS(ack_rows);
}

static void test_cancel(void **state)
{
	(void)state;
	RUN_ROWS(cancel_rows);
}

static void test_failure(void **state)
{
	(void)state;
	RUN_ROWS(failure_rows);
}

static void test_destination(void **state)
{
	(void)state;
	RUN_ROWS(destination_rows);
}

static void test_recover(void **state)
{
	static const uint32_t flags[] = { FLAGS_P2P_PRE_COPY };
	struct outputs out = { .count = 0 };
	struct coordinator c;

	(void)state;
	coordinator_init(&c, policy_find("qemu"), false, true, flags, 1);
	coordinator_step(&c, &(struct input){ .kind = INPUT_INCOMING }, &out);
	out.count = 0;
	coordinator_step(&c, &(struct input){ .kind = INPUT_MESSAGE, .message = MSG_READY }, &out);
	assert_int_equal(out.item[out.count - 1].kind, OUTPUT_WORK);
	assert_int_equal(out.item[out.count - 1].state, VFIO_DEVICE_STATE_RESUMING);
	assert_int_equal(out.item[out.count - 1].recover, VFIO_DEVICE_STATE_RUNNING);
}

static void test_refusals(void **state)
{
	static const uint32_t without_p2p[] = { VFIO_MIGRATION_STOP_COPY,
						VFIO_MIGRATION_STOP_COPY };
	struct outputs out = { .count = 0 };
	struct coordinator c;

	(void)state;
	coordinator_init(&c, policy_find("qemu"), false, false, without_p2p, 2);
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "Multiple VFIO devices migration is supported only if all of them "
			    "support P2P migration");
	assert_non_null(coordinator_refuses(&c, INPUT_INCOMING));
	coordinator_init(&c, policy_find("qemu"), false, false, without_p2p, 1);
	assert_null(coordinator_refuses(&c, INPUT_MIGRATE));
	coordinator_step(&c, &(struct input){ .kind = INPUT_MIGRATE }, &out);
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "There's a migration process in progress");
	assert_null(coordinator_refuses(&c, INPUT_CONT));
	c.runstate = RUN_FINISH_MIGRATE;
	assert_string_equal(coordinator_refuses(&c, INPUT_CONT), "Migration is not finalized yet");
	c.runstate = RUN_RUNNING;
	c.status = STATUS_FAILED;
	c.device[0].state = VFIO_DEVICE_STATE_ERROR;
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "A device is in state ERROR and cannot be migrated");
	coordinator_init(&c, policy_find("qemu"), false, true, without_p2p, 1);
	assert_string_equal(coordinator_refuses(&c, INPUT_MIGRATE),
			    "Guest is waiting for an incoming migration");
	assert_null(coordinator_refuses(&c, INPUT_INCOMING));
	coordinator_step(&c, &(struct input){ .kind = INPUT_INCOMING }, &out);
	assert_non_null(coordinator_refuses(&c, INPUT_INCOMING));
}

static void test_policies(void **state)
{
	(void)state;
	assert_non_null(policy_find("qemu"));
	assert_non_null(policy_find("group"));
	assert_non_null(policy_find("cloud-hypervisor"));
	assert_null(policy_find("other"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_destination),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
