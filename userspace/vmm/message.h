/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What source and destination say to each other on the control connection.
 */
#ifndef MIGLAB_VMM_MESSAGE_H
#define MIGLAB_VMM_MESSAGE_H

enum message {
	MSG_READY,	/* destination: your devices are mine, all connections are there */
	MSG_DONE,	/* source: every device's end mark was sent */
	MSG_LOADED,	/* destination: every device has its state and I took over */
	MSG_FAILED,	/* either: I gave up, and why */
	MSG_ACK,	/* destination: the initial bytes of one device are here */
};

#endif
