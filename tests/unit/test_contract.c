// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verdicts of judge/contract.h, row by row. What was witnessed is written as words, ten
 * milliseconds from one to the next; devices are letters:
 *
 *	a:STOP>STOP_COPY	an arc, begun and ended; a:..=EIO one that failed
 *	a:STOP>RUNNING_P2P..RUNNING	one on the way to somewhere else
 *	a+RUNNING>STOP, a.	it begins; it ends, or fails: a.EIO
 *	a?RUNNING		the VMM asked; a! reset it, a!EIO in vain
 *	a|, a/			its stream was read to the end; not to the end
 *	a=STOP, a~STOP		VFIO_MIGRATION: it is there; it will go there
 *	M:completed		MIGRATION; STANDS and RUNS: the machine
 *	@500			the next word is at 500 ms
 *	^a:STOP			where it was at first
 */
#include "unit.h"

#include <errno.h>

#include "device/state.h"
#include "judge/contract.h"
#include "judge/heard.h"

#define MS(n)		((n) * 1000000ull)
#define RECORDS_MAX	128
#define DEVICES_MAX	3
#define ROWS(a)		(sizeof(a) / sizeof((a)[0]))

struct scene {
	struct contract_record records[RECORDS_MAX];
	uint32_t start[DEVICES_MAX];
	struct contract_input in;
	uint64_t ns;
};

static uint32_t state_of(const char *name)
{
	uint32_t state = 0;

	if (device_state_parse(name, &state))
		fail_msg("no state %s", name);
	return state;
}

static int error_of(const char *name)
{
	static const struct { const char *name; int error; } errors[] = {
		{ "", 0 }, { "EIO", -EIO },
	};

	for (size_t i = 0; i < ROWS(errors); i++)
		if (!strcmp(name, errors[i].name))
			return errors[i].error;
	fail_msg("no error %s", name);
	return 0;
}

static struct contract_record *add(struct scene *s, enum contract_what what, unsigned int device)
{
	struct contract_record *r = &s->records[s->in.count++];

	assert_true(s->in.count < RECORDS_MAX);
	*r = (struct contract_record){ .what = what, .device = device, .ns = s->ns };
	return r;
}

/* "STOP>STOP_COPY", "STOP>RUNNING_P2P..RUNNING" */
static struct contract_record *begin(struct scene *s, unsigned int device, char *text)
{
	struct contract_record *r = add(s, CONTRACT_BEGINS, device);
	char *to = strchr(text, '>'), *wanted = strstr(text, "..");

	assert_non_null(to);
	*to++ = '\0';
	if (wanted)
		*wanted = '\0';
	r->from = state_of(text);
	r->to = state_of(to);
	r->wanted = wanted ? state_of(wanted + 2) : r->to;
	return r;
}

static void end(struct scene *s, unsigned int device, const char *error)
{
	struct contract_record *begun = &s->records[s->in.count], *r;

	do
		assert_true(begun-- > s->records);
	while (begun->what != CONTRACT_BEGINS || begun->device != device);
	r = add(s, CONTRACT_ENDS, device);
	r->from = begun->from;
	r->to = begun->to;
	r->wanted = begun->wanted;
	r->result = error_of(error);
}

static void arc(struct scene *s, unsigned int device, char *text)
{
	char *error = strchr(text, '=');

	if (error)
		*error++ = '\0';
	begin(s, device, text);
	s->ns += MS(5);
	end(s, device, error ? error : "");
	s->ns -= MS(5);
}

static void device_word(struct scene *s, char *word)
{
	unsigned int device = word[0] - 'a';
	char *text = word + 2;

	assert_true(device < DEVICES_MAX);
	if (device >= s->in.devices)
		s->in.devices = device + 1;
	switch (word[1]) {
	case ':':
		arc(s, device, text);
		break;
	case '+':
		begin(s, device, text);
		break;
	case '.':
		end(s, device, text);
		break;
	case '?':
		add(s, CONTRACT_KNOWN, device)->to = state_of(text);
		break;
	case '!':
		add(s, CONTRACT_RESET, device)->result = error_of(text);
		break;
	case '|':
	case '/':
		add(s, CONTRACT_READ, device)->whole = word[1] == '|';
		break;
	case '=':
		add(s, CONTRACT_SAID, device)->to = state_of(text);
		break;
	case '~':
		add(s, CONTRACT_ANNOUNCED, device)->to = state_of(text);
		break;
	default:
		fail_msg("no word %s", word);
	}
}

static void word(struct scene *s, char *text)
{
	if (text[0] == '@')
		s->ns = MS(atoi(text + 1) - 10);
	else if (text[0] == '^')
		s->start[text[1] - 'a'] = state_of(text + 3);
	else if (!strncmp(text, "M:", 2))
		add(s, CONTRACT_STATUS, 0)->status = heard_status(text + 2);
	else if (!strcmp(text, "STANDS"))
		add(s, CONTRACT_STANDS, 0);
	else if (!strcmp(text, "RUNS"))
		add(s, CONTRACT_RUNS, 0);
	else
		device_word(s, text);
	if (text[0] != '^')
		s->ns += MS(10);
}

/* A device that nobody placed was where its first arc begins. */
static void place(struct scene *s)
{
	for (size_t i = s->in.count; i-- > 0;)
		if (s->records[i].what == CONTRACT_BEGINS)
			s->start[s->records[i].device] = s->records[i].from;
}

static void read_scene(struct scene *s, const char *words)
{
	static const char *const ids[] = { "a", "b", "c" };
	char text[2048], *rest = text, *at;
	uint32_t given[DEVICES_MAX];

	*s = (struct scene){ .ns = MS(10) };
	for (size_t i = 0; i < DEVICES_MAX; i++)
		s->start[i] = CONTRACT_UNKNOWN;
	assert_true(strlen(words) < sizeof(text));
	strcpy(text, words);
	while ((at = strsep(&rest, " ")))
		if (*at)
			word(s, at);
	memcpy(given, s->start, sizeof(given));
	place(s);
	for (size_t i = 0; i < DEVICES_MAX; i++)
		if (given[i] != CONTRACT_UNKNOWN)
			s->start[i] = given[i];
	s->in.records = s->records;
	s->in.start = s->start;
	s->in.ids = ids;
	s->in.sees_questions = true;
}

/* The ways of a device. */
#define QUIET(d)	#d ":PRE_COPY>PRE_COPY_P2P "
#define COPIES(d)	#d ":PRE_COPY_P2P>STOP_COPY "
#define BACK(d)		#d ":STOP_COPY>STOP..RUNNING " #d ":STOP>RUNNING_P2P..RUNNING " \
			#d ":RUNNING_P2P>RUNNING "
#define QUIET_BACK(d)	#d ":STOP_COPY>STOP..RUNNING_P2P " #d ":STOP>RUNNING_P2P "
#define LOADS(d)	#d ":RUNNING>RUNNING_P2P..RESUMING " #d ":RUNNING_P2P>STOP..RESUMING " \
			#d ":STOP>RESUMING "
#define ARRIVES(d)	#d ":RESUMING>STOP..RUNNING_P2P " #d ":STOP>RUNNING_P2P "
#define GOES(d)		#d ":RUNNING_P2P>RUNNING "
#define ONE_IS_SAVED	"M:setup a:RUNNING>PRE_COPY " QUIET(a) COPIES(a)
#define TWO_ARE_SAVED	"M:setup a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY " QUIET(b) QUIET(a) \
			COPIES(b) COPIES(a)

struct row {
	const char *rule, *name, *words;
	const char *want;		/* "PASS", "FAIL", "OPEN" or "N/A" */
	const char *text;		/* a part of the sentence; NULL: not looked at */
	unsigned int downtime_ms;
	bool blind;			/* questions are not in the record */
};

#define BARRIER		.rule = "p2p-barrier"
#define MOVED		.rule = "state-moved"
#define STREAM		.rule = "stream-complete"
#define TRUE_END	.rule = "true-end"
#define RECOVERY	.rule = "recovery"
#define QUIESCE		.rule = "quiesce-announced"
#define DOWNTIME	.rule = "downtime"

static const struct row rows[] = {
	/* --- p2p-barrier --- */
	{ BARRIER, "one device has nobody to send to", ONE_IS_SAVED, "N/A", "one device" },
	{ BARRIER, "none stopped or started",
	  "a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY a:PRE_COPY>RUNNING b:PRE_COPY>RUNNING", "N/A" },
	{ BARRIER, "all are quiet, then all stop", TWO_ARE_SAVED, "PASS", "2 steps" },
	{ BARRIER, "one stops before the other is quiet",
	  "a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY " QUIET(b) COPIES(b) QUIET(a) COPIES(a), "FAIL",
	  "b went PRE_COPY_P2P -> STOP_COPY while a was in PRE_COPY" },
	{ BARRIER, "one stops while the other is about to be quiet",
	  "a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY " QUIET(b) "a+PRE_COPY>PRE_COPY_P2P " COPIES(b)
	  "a. " COPIES(a), "FAIL", "b went PRE_COPY_P2P -> STOP_COPY while a was in PRE_COPY" },
	{ BARRIER, "a device that nobody touches runs on",
	  "^b:RUNNING " ONE_IS_SAVED "b=RUNNING", "FAIL", "while b was in RUNNING" },
	{ BARRIER, "nobody knows where the other one is", ONE_IS_SAVED "b=RUNNING", "PASS" },
	{ BARRIER, "one after the other from RUNNING to STOP",
	  "a:RUNNING>STOP b:RUNNING>STOP a:STOP>STOP_COPY b:STOP>STOP_COPY", "FAIL",
	  "a went RUNNING -> STOP while b was in RUNNING" },
	{ BARRIER, "back one by one, the others still stopped",
	  TWO_ARE_SAVED BACK(b) BACK(a), "FAIL",
	  "b went RUNNING_P2P -> RUNNING while a was in STOP_COPY" },
	{ BARRIER, "back over the barrier",
	  TWO_ARE_SAVED QUIET_BACK(b) QUIET_BACK(a) GOES(b) GOES(a), "PASS" },
	{ BARRIER, "one is released while the other is about to leave STOP",
	  TWO_ARE_SAVED QUIET_BACK(b) "a:STOP_COPY>STOP..RUNNING_P2P a+STOP>RUNNING_P2P " GOES(b)
	  "a.", "FAIL", "b went RUNNING_P2P -> RUNNING while a was in STOP" },
	{ BARRIER, "an arc that fails takes nobody anywhere",
	  "a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY " QUIET(b) "b:PRE_COPY_P2P>STOP_COPY=EIO", "N/A" },
	{ BARRIER, "one fails and is reset, and the other one stops nevertheless",
	  "a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY " QUIET(b) QUIET(a)
	  "b:PRE_COPY_P2P>STOP_COPY=EIO b! " COPIES(a), "FAIL",
	  "a went PRE_COPY_P2P -> STOP_COPY while b was in RUNNING" },
	{ BARRIER, "one fails, and the other one stops, which nobody can hold against it",
	  "a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY " QUIET(b) QUIET(a)
	  "b:PRE_COPY_P2P>STOP_COPY=EIO " COPIES(a), "PASS" },
	{ BARRIER, "a reset is no step: there is no other way out",
	  TWO_ARE_SAVED "b! b:RUNNING>RUNNING_P2P " QUIET_BACK(a) GOES(a) GOES(b), "PASS" },
	{ BARRIER, "a reset that fails brings nobody to RUNNING",
	  "a:RUNNING>PRE_COPY b:RUNNING>PRE_COPY " QUIET(b) QUIET(a) "b!EIO " COPIES(a), "PASS" },
	{ BARRIER, "destinations were not in use", LOADS(a) LOADS(b) ARRIVES(a) ARRIVES(b)
	  GOES(a) GOES(b), "PASS", "2 steps" },
	{ BARRIER, "a destination runs while another one still loads",
	  LOADS(a) LOADS(b) ARRIVES(a) GOES(a) ARRIVES(b) GOES(b), "FAIL",
	  "a went RUNNING_P2P -> RUNNING while b was in RESUMING" },
	{ BARRIER, "a destination runs while another one has not begun to load",
	  "b:RUNNING>RUNNING_P2P..RESUMING b:RUNNING_P2P>STOP..RESUMING " LOADS(a) ARRIVES(a)
	  GOES(a) "b:STOP>RESUMING", "FAIL",
	  "a went RUNNING_P2P -> RUNNING while b was in STOP" },
	{ BARRIER, "the first of three faults is said",
	  "a:RUNNING>STOP b:RUNNING>STOP c:RUNNING>STOP", "FAIL",
	  "a went RUNNING -> STOP while b was in RUNNING" },
	/* --- state-moved --- */
	{ MOVED, "saved", ONE_IS_SAVED "M:completed a:STOP_COPY>STOP", "PASS" },
	{ MOVED, "not completed", ONE_IS_SAVED "M:failed", "N/A", "did not complete" },
	{ MOVED, "no end", ONE_IS_SAVED, "N/A", "not seen" },
	{ MOVED, "completed without a transition: a device that nobody moves",
	  "^a:RUNNING M:setup a=RUNNING M:completed", "FAIL", "a was neither saved nor loaded" },
	{ MOVED, "one of two is left out", "b=RUNNING " ONE_IS_SAVED "M:completed", "FAIL",
	  "b was neither saved nor loaded" },
	{ MOVED, "it stopped, and nobody read it",
	  "M:setup a:RUNNING>STOP M:completed", "FAIL", "a was neither" },
	{ MOVED, "it could not be saved",
	  "a:RUNNING>PRE_COPY " QUIET(a) "a:PRE_COPY_P2P>STOP_COPY=EIO a! M:completed", "FAIL" },
	{ MOVED, "it went back to run, then it was said to be complete",
	  ONE_IS_SAVED BACK(a) "M:completed", "FAIL", "left STOP_COPY to run again" },
	{ MOVED, "it was reset, then it was said to be complete",
	  ONE_IS_SAVED "a! M:completed", "FAIL", "left STOP_COPY to run again" },
	{ MOVED, "what comes after is another matter",
	  ONE_IS_SAVED "M:completed a:STOP_COPY>STOP=EIO a!", "PASS" },
	{ MOVED, "loaded", "M:setup " LOADS(a) ARRIVES(a) GOES(a) "M:completed", "PASS" },
	{ MOVED, "loaded, then reset",
	  "M:setup " LOADS(a) "a:RESUMING>STOP..RUNNING_P2P a:STOP>RUNNING_P2P=EIO a! a=RUNNING "
	  "M:completed", "FAIL", "a was reset, and lost what was loaded" },
	{ MOVED, "loaded, and a reset that failed",
	  "M:setup " LOADS(a) ARRIVES(a) "a!EIO M:completed", "PASS" },
	{ MOVED, "the driver refused it",
	  "M:setup " LOADS(a) "a:RESUMING>STOP=EIO M:completed", "FAIL", "refused the state" },
	{ MOVED, "the driver refused it, and it was reset",
	  "M:setup " LOADS(a) "a:RESUMING>STOP=EIO a! M:completed", "FAIL", "lost" },
	{ MOVED, "the driver was not asked", "M:setup " LOADS(a) "M:completed", "FAIL",
	  "a was still in RESUMING" },
	{ MOVED, "loaded and set to wait",
	  "M:setup " LOADS(a) "a:RESUMING>STOP M:completed", "PASS" },
	{ MOVED, "a second try counts",
	  LOADS(a) "a:RESUMING>STOP=EIO a! " LOADS(a) ARRIVES(a) "M:completed", "PASS" },
	{ MOVED, "cancelled, then completed",
	  ONE_IS_SAVED BACK(a) "M:cancelled " ONE_IS_SAVED "M:completed", "PASS" },
	/* --- stream-complete --- */
	{ STREAM, "read to its end", ONE_IS_SAVED "a| M:completed", "PASS",
	  "1 streams" },
	{ STREAM, "cut short", ONE_IS_SAVED "a/ M:completed", "FAIL",
	  "the stream of a was not read to its end" },
	{ STREAM, "one of two is cut short", TWO_ARE_SAVED "a| b/ M:completed", "FAIL",
	  "the stream of b" },
	{ STREAM, "cut short, and read on", ONE_IS_SAVED "a/ a| M:completed", "PASS" },
	{ STREAM, "the end was read after completed", ONE_IS_SAVED "a/ M:completed a|",
	  "FAIL" },
	{ STREAM, "nobody knows", ONE_IS_SAVED "M:completed", "N/A", "nothing tells" },
	{ STREAM, "nobody knows of one", TWO_ARE_SAVED "a| M:completed", "N/A" },
	{ STREAM, "a cancelled one may be left", ONE_IS_SAVED "a/ M:cancelled", "N/A" },
	{ STREAM, "a destination has none",
	  "M:setup " LOADS(a) ARRIVES(a) "M:completed", "N/A", "no stream" },
	{ STREAM, "a new session begins anew",
	  ONE_IS_SAVED "a| " BACK(a) ONE_IS_SAVED "M:completed", "N/A" },
	/* --- true-end --- */
	{ TRUE_END, "a source that has completed stands",
	  ONE_IS_SAVED "STANDS M:completed a:STOP_COPY>STOP", "PASS" },
	{ TRUE_END, "it may still be where it was read", ONE_IS_SAVED "STANDS M:completed",
	  "PASS" },
	{ TRUE_END, "it was reset, and runs beside its destination",
	  ONE_IS_SAVED "STANDS M:completed a:STOP_COPY>STOP=EIO a!", "FAIL",
	  "a is in RUNNING, of a source that has completed" },
	{ TRUE_END, "half running is running",
	  ONE_IS_SAVED "STANDS M:completed a:STOP_COPY>STOP a:STOP>RUNNING_P2P", "FAIL",
	  "a is in RUNNING_P2P" },
	{ TRUE_END, "nobody knows where it is",
	  ONE_IS_SAVED "STANDS M:completed a:STOP_COPY>STOP=EIO", "N/A", "not known" },
	{ TRUE_END, "it failed, and all runs on",
	  TWO_ARE_SAVED "STANDS " BACK(a) BACK(b) "RUNS M:failed", "PASS" },
	{ TRUE_END, "it failed, and one device does not run",
	  TWO_ARE_SAVED "STANDS " BACK(a) "RUNS M:failed", "FAIL",
	  "b is in STOP_COPY, of a machine that runs" },
	{ TRUE_END, "it failed, and one device is quiet for ever",
	  ONE_IS_SAVED "STANDS " QUIET_BACK(a) "RUNS M:failed", "FAIL", "a is in RUNNING_P2P" },
	{ TRUE_END, "cancelled on a paused machine",
	  "STANDS ^a:STOP M:setup a:STOP>STOP_COPY a:STOP_COPY>STOP M:cancelled", "PASS" },
	{ TRUE_END, "cancelled on a paused machine, and the device runs",
	  "STANDS M:setup a:STOP>RUNNING_P2P..RUNNING a:RUNNING_P2P>RUNNING M:cancelled", "FAIL",
	  "a is in RUNNING, of a machine that is paused" },
	{ TRUE_END, "a machine that never ran has its devices as they were opened",
	  "STANDS ^a:RUNNING M:setup a:RUNNING>PRE_COPY a:PRE_COPY>RUNNING M:cancelled", "PASS" },
	{ TRUE_END, "a destination that has completed runs",
	  "M:setup " LOADS(a) ARRIVES(a) "RUNS " GOES(a) "M:completed", "PASS" },
	{ TRUE_END, "a destination that has completed waits",
	  "M:setup " LOADS(a) "a:RESUMING>STOP STANDS M:completed", "PASS" },
	{ TRUE_END, "a destination that runs with a device that does not",
	  "M:setup " LOADS(a) ARRIVES(a) "RUNS M:completed", "FAIL", "a is in RUNNING_P2P" },
	{ TRUE_END, "a destination that failed owes nothing",
	  "M:setup " LOADS(a) "RUNS M:failed", "N/A" },
	{ TRUE_END, "nobody says whether the machine runs", ONE_IS_SAVED BACK(a) "M:failed",
	  "N/A" },
	{ TRUE_END, "no end", ONE_IS_SAVED "RUNS", "N/A", "not seen" },
	{ TRUE_END, "the second end counts",
	  "RUNS M:setup M:failed " ONE_IS_SAVED "STANDS M:completed", "PASS" },
	/* --- recovery --- */
	{ RECOVERY, "nothing failed", ONE_IS_SAVED, "N/A" },
	{ RECOVERY, "asked", "a:PRE_COPY>PRE_COPY_P2P=EIO a?PRE_COPY " QUIET(a), "PASS" },
	{ RECOVERY, "set to what it was", "a:RUNNING>PRE_COPY=EIO a?RUNNING", "PASS" },
	{ RECOVERY, "set back", "a:PRE_COPY>PRE_COPY_P2P=EIO a:PRE_COPY>RUNNING", "PASS" },
	{ RECOVERY, "reset", "a:PRE_COPY>PRE_COPY_P2P=EIO a!", "PASS", "1 failed arcs" },
	{ RECOVERY, "a reset that fails is one that was tried",
	  "a:PRE_COPY>PRE_COPY_P2P=EIO a!EIO", "PASS" },
	{ RECOVERY, "left alone", "a:PRE_COPY>PRE_COPY_P2P=EIO b:RUNNING>PRE_COPY", "FAIL",
	  "a failed on its way to PRE_COPY_P2P (Input/output error), and nobody asked" },
	{ RECOVERY, "sent on", "a:PRE_COPY>PRE_COPY_P2P=EIO " COPIES(a), "FAIL",
	  "a failed on its way to PRE_COPY_P2P (Input/output error), and was sent on" },
	{ RECOVERY, "tried again without a question", "a:PRE_COPY>PRE_COPY_P2P=EIO " QUIET(a),
	  "FAIL", "sent on" },
	{ RECOVERY, "to RESUMING is forward", "a:RUNNING>RUNNING_P2P=EIO " LOADS(a), "FAIL" },
	{ RECOVERY, "the VMM saying so is no question",
	  "a:PRE_COPY>PRE_COPY_P2P=EIO a=RUNNING", "FAIL", "nobody asked" },
	{ RECOVERY, "a second failure counts, too",
	  "a:PRE_COPY>PRE_COPY_P2P=EIO a?PRE_COPY a:PRE_COPY>RUNNING=EIO", "FAIL",
	  "a failed on its way to RUNNING" },
	{ RECOVERY, "nobody records questions", "a:PRE_COPY>PRE_COPY_P2P=EIO", "N/A",
	  "1 of 1 failures", .blind = true },
	{ RECOVERY, "nobody records questions, and it was set back",
	  "a:PRE_COPY>PRE_COPY_P2P=EIO a:PRE_COPY>RUNNING", "PASS", .blind = true },
	/* --- quiesce-announced --- */
	{ QUIESCE, "a device with PRE_COPY is another matter", ONE_IS_SAVED, "N/A" },
	{ QUIESCE, "not announced",
	  "M:setup a:RUNNING>RUNNING_P2P a:RUNNING_P2P>STOP", "FAIL",
	  "a RUNNING -> RUNNING_P2P, 5.0 ms, and nothing was said before" },
	{ QUIESCE, "announced",
	  "M:setup a~RUNNING_P2P a:RUNNING>RUNNING_P2P a:RUNNING_P2P>STOP", "PASS",
	  "5.0 ms, announced" },
	{ QUIESCE, "announced when it is over",
	  "M:setup a:RUNNING>RUNNING_P2P a~RUNNING_P2P", "FAIL" },
	{ QUIESCE, "said when it is over", "M:setup a:RUNNING>RUNNING_P2P a=RUNNING_P2P",
	  "FAIL" },
	{ QUIESCE, "another one is announced",
	  "M:setup b~RUNNING_P2P a:RUNNING>RUNNING_P2P", "FAIL" },
	{ QUIESCE, "one of two is announced",
	  "M:setup b~RUNNING_P2P a:RUNNING>RUNNING_P2P b:RUNNING>RUNNING_P2P", "FAIL",
	  "before; b RUNNING -> RUNNING_P2P, 5.0 ms, announced" },
	{ QUIESCE, "without P2P it goes deaf in STOP",
	  "M:setup a:RUNNING>STOP a:STOP>STOP_COPY", "FAIL", "a RUNNING -> STOP" },
	{ QUIESCE, "stopped before there was a migration",
	  "M:failed a:RUNNING>RUNNING_P2P a:RUNNING_P2P>STOP M:setup a:STOP>STOP_COPY", "N/A" },
	{ QUIESCE, "nobody says whether it migrates", "a:RUNNING>RUNNING_P2P", "FAIL" },
	{ QUIESCE, "a destination was not in use", "M:setup " LOADS(a), "N/A" },
	/* --- downtime --- */
	{ DOWNTIME, "no limit",
	  "a:RUNNING>PRE_COPY @100 a:PRE_COPY>PRE_COPY_P2P @300 a:PRE_COPY_P2P>STOP_COPY @600 "
	  "M:completed", "N/A",
	  "500.0 ms: 10.0 in changes of state, 490.0 in saving and loading; no limit" },
	{ DOWNTIME, "within it", "@100 a:PRE_COPY>PRE_COPY_P2P @400 M:completed", "PASS",
	  "300.0 ms: 5.0 in changes of state, 295.0 in saving and loading; the limit is 300 ms",
	  .downtime_ms = 300 },
	{ DOWNTIME, "beyond it", "@100 a:PRE_COPY>PRE_COPY_P2P @400 M:completed", "FAIL", NULL,
	  .downtime_ms = 299 },
	{ DOWNTIME, "two at once are deaf once",
	  "@100 a+PRE_COPY>PRE_COPY_P2P b+PRE_COPY>PRE_COPY_P2P @200 a. @300 b. @400 M:completed",
	  "PASS", "300.0 ms: 200.0 in changes of state", .downtime_ms = 300 },
	{ DOWNTIME, "it failed, and the last is back",
	  "@100 a:PRE_COPY>PRE_COPY_P2P @200 a:PRE_COPY_P2P>RUNNING_P2P @205 a:RUNNING_P2P>RUNNING "
	  "@900 M:failed", "PASS", "110.0 ms", .downtime_ms = 110 },
	{ DOWNTIME, "it failed, and none is back", "@100 a:PRE_COPY>PRE_COPY_P2P M:failed", "N/A",
	  "it did not end", .downtime_ms = 300 },
	{ DOWNTIME, "no end", "@100 a:PRE_COPY>PRE_COPY_P2P", "N/A", .downtime_ms = 300 },
	{ DOWNTIME, "no device went deaf", "M:setup a:STOP>STOP_COPY M:completed", "N/A",
	  .downtime_ms = 300 },
	{ DOWNTIME, "a destination was not in use",
	  "M:setup " LOADS(a) ARRIVES(a) GOES(a) "M:completed", "N/A", .downtime_ms = 300 },
};

static const char *outcome_name(enum verdict_outcome outcome)
{
	static const char *const names[] = {
		[VERDICT_PASS] = "PASS", [VERDICT_FAIL] = "FAIL", [VERDICT_OPEN] = "OPEN",
		[VERDICT_NONE] = "N/A",
	};

	return names[outcome];
}

static size_t index_of(const char *rule)
{
	for (size_t i = 0; i < CONTRACT_RULES; i++)
		if (!strcmp(contract_rules[i].id, rule))
			return i;
	fail_msg("no rule %s", rule);
	return 0;
}

static void expect(const struct contract_line *line, const char *want, const char *text)
{
	if (strcmp(outcome_name(line->outcome), want) || (text && !strstr(line->text, text)))
		fail_msg("%s: %s, \"%s\"; not %s, \"%s\"", line->rule->id,
			 outcome_name(line->outcome), line->text, want, text ? text : "");
	assert_string_not_equal(line->text, "");
}

static void test_row(void **state)
{
	const struct row *row = *state;
	struct contract_line lines[CONTRACT_RULES];
	struct scene s;

	read_scene(&s, row->words);
	s.in.downtime_ns = MS(row->downtime_ms);
	s.in.sees_questions = !row->blind;
	contract_judge(&s.in, lines);
	expect(&lines[index_of(row->rule)], row->want, row->text);
}

/* --- what is said of PRE_COPY_P2P ------------------------------------------ */

static const struct lab_arc some_arc = { .begin_ns = MS(9000), .end_ns = MS(9100) };

#define SAID(k, o)	{ .kind = VERDICT_##k, .outcome = VERDICT_##o, .arc = &some_arc, \
			  .prepare_ns = MS(1000) }
#define ALONE(k, o)	{ .kind = VERDICT_##k, .outcome = VERDICT_##o }

static void announcements_are_judged_by_their_lines(void **state)
{
	static const struct {
		struct verdict_line lines[2];
		size_t count;
		uint64_t lead_ms;
		const char *before, *early, *text;
	} said[] = {
		{ { SAID(BEFORE, PASS) }, 1, 5000, "PASS", "PASS", "1 arcs, each announced" },
		{ { SAID(HELD, PASS), SAID(BEFORE, PASS) }, 2, 5000, "PASS", "PASS", "2 arcs" },
		{ { SAID(BEFORE, PASS) }, 1, 0, "PASS", "N/A", "1 arcs" },
		{ { SAID(EARLY, FAIL) }, 1, 5000, "PASS", "FAIL", "1 arcs" },
		{ { SAID(BEFORE, PASS), SAID(EARLY, FAIL) }, 2, 5000, "PASS", "FAIL", "2 arcs" },
		{ { SAID(BEFORE, PASS), SAID(LATE, FAIL) }, 2, 5000, "FAIL", "PASS", "a: LATE" },
		{ { SAID(MISSING, FAIL) }, 1, 5000, "FAIL", "N/A", "a: MISSING" },
		{ { SAID(INCONCLUSIVE, OPEN), SAID(DURING, FAIL) }, 2, 5000, "FAIL", "N/A",
		  "a: DURING" },
		{ { SAID(INCONCLUSIVE, OPEN), SAID(BEFORE, PASS) }, 2, 5000, "OPEN", "PASS",
		  "a: INCONCLUSIVE" },
		{ { ALONE(NA, NONE) }, 1, 5000, "N/A", "N/A", "no arc" },
		{ { ALONE(NA, FAIL) }, 1, 5000, "FAIL", "N/A", "a: N/A" },
		{ { ALONE(WITHDRAWN, NONE) }, 1, 5000, "N/A", "N/A", "no arc" },
		{ { ALONE(STRAY, FAIL) }, 1, 5000, "FAIL", "N/A", "a: STRAY" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(said); i++) {
		struct contract_line lines[CONTRACT_RULES];
		struct scene s;

		read_scene(&s, ONE_IS_SAVED);
		s.in.announced = said[i].lines;
		s.in.announced_count = said[i].count;
		s.in.lead_ns = MS(said[i].lead_ms);
		contract_judge(&s.in, lines);
		expect(&lines[index_of("prepare-before")], said[i].before, said[i].text);
		expect(&lines[index_of("not-too-early")], said[i].early, NULL);
	}
}

static void it_is_said_how_early(void **state)
{
	static const struct verdict_line early = SAID(EARLY, FAIL);
	struct contract_line lines[CONTRACT_RULES];
	struct scene s;

	(void)state;
	read_scene(&s, ONE_IS_SAVED);
	s.in.announced = &early;
	s.in.announced_count = 1;
	s.in.lead_ns = MS(5000);
	contract_judge(&s.in, lines);
	expect(&lines[index_of("not-too-early")], "FAIL", "a was announced 8000 ms before its arc");
}

static void two_witnesses_may_differ(void **state)
{
	static const struct verdict_line differs = { .device = 1, .kind = VERDICT_DISAGREE,
						     .outcome = VERDICT_FAIL };
	struct contract_line lines[CONTRACT_RULES];
	struct scene s;

	(void)state;
	read_scene(&s, TWO_ARE_SAVED);
	contract_judge(&s.in, lines);
	expect(&lines[index_of("witnesses-agree")], "N/A", "no device has both");
	s.in.compared = 2;
	contract_judge(&s.in, lines);
	expect(&lines[index_of("witnesses-agree")], "PASS", "2 devices");
	s.in.announced = &differs;
	s.in.announced_count = 1;
	contract_judge(&s.in, lines);
	expect(&lines[index_of("witnesses-agree")], "FAIL", "they differ on b");
	expect(&lines[index_of("prepare-before")], "N/A", NULL);
}

/* --- the sum and the choice ------------------------------------------------ */

static void one_that_fails_decides(void **state)
{
	static const struct {
		enum verdict_outcome first, second, sum;
	} sums[] = {
		{ VERDICT_NONE, VERDICT_NONE, VERDICT_NONE },
		{ VERDICT_PASS, VERDICT_NONE, VERDICT_PASS },
		{ VERDICT_PASS, VERDICT_OPEN, VERDICT_OPEN },
		{ VERDICT_OPEN, VERDICT_FAIL, VERDICT_FAIL },
		{ VERDICT_FAIL, VERDICT_PASS, VERDICT_FAIL },
	};
	bool chosen[CONTRACT_RULES] = { true, false };

	(void)state;
	for (size_t i = 0; i < ROWS(sums); i++) {
		struct contract_line lines[CONTRACT_RULES];

		for (size_t n = 0; n < CONTRACT_RULES; n++)
			lines[n].outcome = VERDICT_NONE;
		lines[0].outcome = sums[i].first;
		lines[CONTRACT_RULES - 1].outcome = sums[i].second;
		assert_int_equal(contract_sum(lines, NULL), sums[i].sum);
		assert_int_equal(contract_sum(lines, chosen), sums[i].first);
	}
}

static void rules_are_chosen_by_name(void **state)
{
	static const char *const bad[] = {
		"", "p2p", "p2p-barrier,", ",recovery", "p2p-barrier,x", "p2p-barrierrecovery",
	};
	bool named[CONTRACT_RULES] = { false };
	struct error err;

	(void)state;
	assert_int_equal(contract_ids("recovery,p2p-barrier", named, &err), 0);
	for (size_t i = 0; i < CONTRACT_RULES; i++) {
		bool wanted = i == index_of("recovery") || i == index_of("p2p-barrier");

		assert_int_equal(named[i], wanted);
	}
	for (size_t i = 0; i < ROWS(bad); i++)
		assert_int_equal(contract_ids(bad[i], named, &err), -EINVAL);
	contract_ids("p2p-barrier,x", named, &err);
	assert_non_null(strstr(err.text, "\"x\" is no verdict"));
}

/* Each rule has a row that fails it and one that passes it. */
static void each_rule_can_fail_and_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < CONTRACT_RULES; i++) {
		bool fails = !strcmp(contract_rules[i].id, "prepare-before") ||
			     !strcmp(contract_rules[i].id, "not-too-early") ||
			     !strcmp(contract_rules[i].id, "witnesses-agree"), passes = fails;

		for (size_t n = 0; n < ROWS(rows); n++) {
			bool mine = !strcmp(rows[n].rule, contract_rules[i].id);

			fails |= mine && !strcmp(rows[n].want, "FAIL");
			passes |= mine && !strcmp(rows[n].want, "PASS");
		}
		if (!fails || !passes)
			fail_msg("%s has no row that %s it", contract_rules[i].id,
				 fails ? "passes" : "fails");
	}
}

/* --- what an event says ---------------------------------------------------- */

static void events_are_understood(void **state)
{
	static const struct {
		const char *name, *data;
		int device;
		bool heard;
		enum contract_what what;
		uint32_t to;
		enum contract_status status;
	} events[] = {
		{ "VFIO_MIGRATION", "{\"device-state\":\"stop-copy\"}", 1, true, CONTRACT_SAID, 3,
		  0 },
		{ "VFIO_MIGRATION", "{\"device-state\":\"running-p2p\"}", 1, true, CONTRACT_SAID,
		  5, 0 },
		{ "VFIO_MIGRATION", "{\"device-state\":\"pre-copy-p2p-prepare\"}", 1, true,
		  CONTRACT_ANNOUNCED, 7, 0 },
		{ "VFIO_MIGRATION", "{\"device-state\":\"x-running-p2p-prepare\"}", 1, true,
		  CONTRACT_ANNOUNCED, 5, 0 },
		{ "VFIO_MIGRATION", "{\"device-state\":\"x-stop-prepare\"}", 1, true,
		  CONTRACT_ANNOUNCED, 1, 0 },
		{ "VFIO_MIGRATION", "{\"device-state\":\"stop\"}", -1, false, 0, 0, 0 },
		{ "VFIO_MIGRATION", "{\"device-state\":\"error\"}", 1, false, 0, 0, 0 },
		{ "VFIO_MIGRATION", "{}", 1, false, 0, 0, 0 },
		{ "MIGRATION", "{\"status\":\"active\"}", -1, true, CONTRACT_STATUS, 0,
		  CONTRACT_SETUP },
		{ "MIGRATION", "{\"status\":\"failing\"}", -1, true, CONTRACT_STATUS, 0,
		  CONTRACT_SETUP },
		{ "MIGRATION", "{\"status\":\"failed\"}", -1, true, CONTRACT_STATUS, 0,
		  CONTRACT_FAILED },
		{ "MIGRATION", "{\"status\":\"completed\"}", -1, true, CONTRACT_STATUS, 0,
		  CONTRACT_COMPLETED },
		{ "MIGRATION", "{\"status\":\"cancelled\"}", -1, true, CONTRACT_STATUS, 0,
		  CONTRACT_CANCELLED },
		{ "STOP", "{}", -1, true, CONTRACT_STANDS, 0, 0 },
		{ "RESUME", "{}", -1, true, CONTRACT_RUNS, 0, 0 },
		{ "MIGRATION_PASS", "{}", -1, false, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(events); i++) {
		struct qmp_event event = {
			.received_ns = 7, .data = json_tokener_parse(events[i].data),
		};
		struct contract_record r;

		snprintf(event.name, sizeof(event.name), "%s", events[i].name);
		assert_int_equal(heard_event(&event, events[i].device, &r), events[i].heard);
		json_object_put(event.data);
		if (!events[i].heard)
			continue;
		assert_int_equal(r.what, events[i].what);
		assert_int_equal(r.to, events[i].to);
		assert_int_equal(r.status, events[i].status);
		assert_int_equal(r.ns, 7);
		assert_int_equal(r.device, events[i].device < 0 ? 0 : events[i].device);
	}
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(announcements_are_judged_by_their_lines),
		cmocka_unit_test(it_is_said_how_early),
		cmocka_unit_test(two_witnesses_may_differ),
		cmocka_unit_test(one_that_fails_decides),
		cmocka_unit_test(rules_are_chosen_by_name),
		cmocka_unit_test(each_rule_can_fail_and_pass),
		cmocka_unit_test(events_are_understood),
	};
	struct CMUnitTest tests[ROWS(rows) + ROWS(others)];
	static char names[ROWS(rows)][128];
	size_t n = ROWS(others);

	memcpy(tests, others, sizeof(others));
	for (size_t i = 0; i < ROWS(rows); i++, n++) {
		snprintf(names[i], sizeof(names[i]), "%s: %s", rows[i].rule, rows[i].name);
		tests[n] = (struct CMUnitTest){ names[i], test_row, NULL, NULL, (void *)&rows[i] };
	}
	return _cmocka_run_group_tests("contract", tests, n, NULL, NULL);
}
