/* SPDX-License-Identifier: GPL-2.0-only */
/* A migration as a row: what two machines are told, and what must come of it. */
#ifndef TESTS_PEER_SCENARIO_H
#define TESTS_PEER_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

#define SCENARIO_DEVICES	2	/* of each side, at most */
#define SCENARIO_STEPS		12

enum side { SOURCE, DESTINATION, SIDES };

/*
 * What a player does between "migrate" and the last events. Nothing sleeps: a step
 * that waits names the event or the hold that it waits for.
 */
enum verb {
	NOTHING,	/* the end of the steps */
	AWAIT,		/* an event, of those that no step has awaited yet */
	TELL,		/* a command that must succeed */
	SEND,		/* a command whose answer is not waited for: the machine may be blocked */
	ASK,		/* the same; whether the answer comes while it is blocked is an event */
	HELD,		/* until an arc of a device, by its number, is held */
	ACTED,		/* until a rule of device 0 acted, for the first time */
	RELEASE,	/* one permit for a device, by its number */
	CONVERGE,	/* the pre-copy that was endless need not be so any more */
	MIGRATE,	/* once more */
	KILL,		/* the process */
	RENEW,		/* a new process in the place of one that is of no more use */
};

struct step {
	enum verb verb;
	enum side side;
	const char *text;	/* event, command; the number of a device as text */
	const char *json;	/* the arguments of the command */
};

/* Where migrate-continue goes on. */
#define PRE_SWITCHOVER	"{\"state\": \"pre-switchover\"}"

/* How the source is when it migrates. */
enum beginning { RUNNING_FIRST, PAUSED_FIRST, NEVER_RUN };

struct scenario {
	const char *name;
	bool quick;			/* belongs to the few that each check plays */
	const char *profile;		/* of all devices; NULL: full */
	size_t devices;			/* 0: one */
	enum beginning beginning;
	bool waiting;			/* the destination was started to stay paused */
	bool endless;			/* pre-copy does not end until CONVERGE */
	bool no_peer;			/* nobody listens where it migrates to */
	const char *capabilities;	/* beside "events", separated by commas */
	const char *rules[SIDES][SCENARIO_DEVICES];
	struct step steps[SCENARIO_STEPS];
	/*
	 * The events, separated by blanks, after which nothing comes. NULL: the one that ends
	 * a migration that was completed, a source's being "stop" of its last device. "" is
	 * for a side that was killed.
	 */
	const char *last[SIDES];
	const char *from, *to;		/* events of the source, the time between which is told */
	/*
	 * Why ours is not QEMU's, and then what our events and arcs are; a side without has
	 * QEMU's. All are NULL where nothing differs.
	 */
	const char *why;
	const char *ours[SIDES];
	const char *ours_last[SIDES];	/* where it is not QEMU's */
	const char *ours_arcs[SIDES];
};

/* Ends with one that has no name. */
extern const struct scenario scenarios[];

#endif
