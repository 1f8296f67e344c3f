/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The events that show the arcs of any driver, as the kernel's
 * Documentation/trace/fprobetrace.rst has them: at the return of the helper that
 * each driver asks for its next arc, and of the ioctl around it.
 */
#ifndef MIGLAB_WITNESS_PROBES_H
#define MIGLAB_WITNESS_PROBES_H

#define PROBE_ARC	"arc"
#define PROBE_END	"end"

/* The function and what of it is recorded. */
#define PROBE_ARC_OF	"vfio_mig_get_next_state%return dev=device->dev->kobj.name:string " \
			"cur=cur_fsm:u32 new=new_fsm:u32 next=+0(next_fsm):u32 ret=$retval:s32"
/* Of VFIO_DEVICE_FEATURE the flags, and the state that a GET answered with. */
#define PROBE_END_OF	"vfio_device_fops_unl_ioctl%return file=filep:x64 cmd=cmd:x32 " \
			"flags=+u4(arg):x32 state=+u8(arg):u32 ret=$retval:s64"

/*
 * uapi/linux/vfio.h: VFIO_DEVICE_FEATURE, SET or GET of MIG_DEVICE_STATE, and
 * VFIO_DEVICE_RESET. A VMM asks for other features thousands of times a second.
 */
#define PROBE_END_FILTER "(cmd == 0x3b75 && (flags == 0x20002 || flags == 0x10002)) || " \
			 "cmd == 0x3b6f"

/*
 * For who listens to a VMM: what it writes into a UNIX socket, if that announces PRE_COPY_P2P.
 * So the sending is before the ioctl or behind it, whenever somebody gets to read it.
 */
#define PROBE_SENT	"sent"
#define PROBE_SENT_OF	"unix_stream_sendmsg text=+0(msg->msg_iter.ubuf):ustring"
#define PROBE_SENT_FILTER "text ~ \"*pre-copy-p2p-prepare*\""

#endif
