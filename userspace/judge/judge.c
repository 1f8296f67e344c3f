// SPDX-License-Identifier: GPL-2.0-only
#include "judge/judge.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "judge/account.h"
#include "judge/contract_lines.h"
#include "judge/lines.h"

struct session {
	const struct judge_options *opt;
	FILE *out;
	uint64_t began_ns;
	struct account *account;	/* NULL: the contract is not wanted */
};

/* What a reader of a migration wants to see; MIGRATION_PASS alone comes in thousands. */
static bool is_of_interest(const char *name)
{
	static const char *const names[] = { "VFIO_MIGRATION", "MIGRATION", "STOP", "RESUME" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* Takes over @object. */
static void put_json(FILE *out, struct json_object *object)
{
	fprintf(out, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							   JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(out);
	json_object_put(object);
}

static void put_event_json(FILE *out, const struct qmp_event *event)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "event", json_object_new_string(event->name));
	json_object_object_add(object, "received_ns", json_object_new_int64(event->received_ns));
	json_object_object_add(object, "bytes", json_object_new_int64(event->bytes));
	json_object_object_add(object, "data", json_object_get(event->data));
	put_json(out, object);
}

static void tell_event(void *opaque, const struct qmp_event *event)
{
	const struct session *s = opaque;
	char text[256];

	if (s->account)
		account_hear(s->account, event);
	if (!s->opt->print || !is_of_interest(event->name))
		return;
	if (s->opt->json) {
		put_event_json(s->out, event);
		return;
	}
	snprintf(text, sizeof(text), "%s %s %s%s", event->name,
		 qmp_event_text(event, "device-id"), qmp_event_text(event, "status"),
		 qmp_event_text(event, "device-state"));
	verdict_clean(text);
	fprintf(s->out, "%10.3f ms  %s\n",
		((double)event->received_ns - (double)s->began_ns) / NSEC_PER_MSEC, text);
	fflush(s->out);
}

/* Is rule @i among those that were asked for? */
static bool is_asked(const struct session *s, size_t i)
{
	const bool *only = s->opt->contract.only;
	bool all = true;

	for (size_t n = 0; n < CONTRACT_RULES; n++)
		all &= !only[n];
	return all || only[i];
}

static size_t count_chosen(const struct session *s)
{
	size_t count = 0;

	for (size_t i = 0; i < CONTRACT_RULES; i++)
		count += is_asked(s, i);
	return count;
}

static void tell_listening(const struct session *s)
{
	const char *qmp = s->opt->witness.qmp;
	const struct judge_listener *listener = s->opt->contract.listener;
	struct json_object *object;

	if (listener) {
		listener->begin(qmp, count_chosen(s));
		return;
	}
	if (!s->opt->json) {
		fprintf(s->out, "listening: %s\n", qmp);
		fflush(s->out);
		return;
	}
	object = json_object_new_object();
	json_object_object_add(object, "listening", json_object_new_string(qmp));
	put_json(s->out, object);
}

static void tell_line(const struct session *s, const struct witness *w,
		      const struct verdict_input *in, const struct verdict_line *line)
{
	const struct witness_target *target = &s->opt->witness.targets[line->device];
	const struct verdict_subject subject = {
		.id = target->id,
		.where = target->where,
		.keeper = witness_keeper(w, line->device),
	};
	char text[VERDICT_TEXT_MAX];

	if (s->opt->json) {
		put_json(s->out, verdict_json(in, line, &subject));
		return;
	}
	verdict_text(in, line, &subject, s->opt->long_lines, text);
	fprintf(s->out, "%s\n", text);
}

static void tell_run(const struct session *s, const struct verdict_run *run)
{
	char text[VERDICT_TEXT_MAX];

	if (s->opt->json) {
		put_json(s->out, verdict_run_json(run));
		return;
	}
	verdict_run_text(run, text);
	fprintf(s->out, "%s\n", text);
}

static void tell_end(enum witness_end end, const struct error *err)
{
	if (end == WITNESS_GONE)
		log_warn("the VMM is gone before MIGRATION said that the migration ended: %s",
			 err->text);
	if (end == WITNESS_TIMEOUT)
		log_warn("no MIGRATION event said in time that the migration ended; this is what "
			 "happened so far");
}

static void tell_rule(const struct session *s, const struct contract_line *line, bool skipped)
{
	if (s->opt->contract.listener)
		s->opt->contract.listener->line(line, skipped);
	else if (!skipped && s->opt->json)
		put_json(s->out, contract_line_json(line));
	else if (!skipped)
		contract_line_put(s->out, line);
}

/* The exit status, and on stderr the reason when it is neither a pass nor a fault of the VMM. */
static int conclude(const struct verdict_run *run)
{
	switch (run->sum.outcome) {
	case VERDICT_PASS:
		return 0;
	case VERDICT_FAIL:
		return 1;
	case VERDICT_OPEN:
		log_warn("judge: inconclusive: %s", run->migration ?
			 "what was received decides nothing; with --hold it needs no luck" :
			 "the migration did not end while it was judged");
		return 3;
	default:
		log_warn("judge: nothing was judged of %u device%s: no transition PRE_COPY -> "
			 "PRE_COPY_P2P (%s)", run->sum.without, run->sum.without == 1 ? "" : "s",
			 run->migration ? "the migration ended without it" : run->ended);
		return JUDGE_SKIPPED;
	}
}

static int conclude_contract(enum verdict_outcome outcome, const struct verdict_run *run)
{
	static const int statuses[] = {
		[VERDICT_PASS] = 0, [VERDICT_FAIL] = 1, [VERDICT_OPEN] = 3,
		[VERDICT_NONE] = JUDGE_SKIPPED,
	};

	if (outcome == VERDICT_OPEN)
		log_warn("judge: inconclusive: %s", run->migration ?
			 "what was seen decides nothing" :
			 "the migration did not end while it was judged");
	if (outcome == VERDICT_NONE)
		log_warn("judge: nothing was judged: no rule of those asked for applies (%s)",
			 run->migration ? run->migration : run->ended);
	return statuses[outcome];
}

/* Tells each rule that was asked for, and then what they come to. */
static int tell_contract(const struct session *s, struct witness *w,
			 const struct verdict_input *in, const struct verdict_line *announced,
			 size_t count, const struct verdict_run *run, struct error *err)
{
	const struct judge_contract *opt = &s->opt->contract;
	struct contract_line lines[CONTRACT_RULES];
	bool chosen[CONTRACT_RULES];
	enum verdict_outcome outcome;

	if (account_judge(s->account, w, in, announced, count, opt->downtime_ns, lines))
		return error_set(err, -ENOMEM, "no memory for the verdict");
	for (size_t i = 0; i < CONTRACT_RULES; i++) {
		chosen[i] = is_asked(s, i) && !opt->skip[i];
		if (is_asked(s, i))
			tell_rule(s, &lines[i], opt->skip[i]);
	}
	outcome = contract_sum(lines, chosen);
	if (!run->migration && outcome == VERDICT_PASS)
		outcome = VERDICT_OPEN;
	if (!opt->listener && s->opt->json)
		put_json(s->out, contract_sum_json(lines, chosen, outcome, run->migration,
						   run->ended));
	else if (!opt->listener)
		contract_sum_put(s->out, lines, chosen, outcome, run->migration, run->ended);
	if (fflush(s->out))
		return error_set(err, -errno, "the verdict cannot be written: %s",
				 strerror(errno));
	return conclude_contract(outcome, run);
}

/* Tells the lines, and then what they come to. */
static int tell_verdict(const struct session *s, struct witness *w, enum witness_end end,
			const struct verdict_input *in, struct error *err)
{
	static const char *const ended[] = {
		[WITNESS_MIGRATION] = "migration",
		[WITNESS_GONE] = "vmm-gone",
		[WITNESS_TIMEOUT] = "timeout",
		[WITNESS_INTERRUPTED] = "interrupted",
	};
	struct verdict_run run = {
		.migration = witness_migration(w),
		.keeper = witness_keeper(w, 0),
	};
	struct verdict_line *lines;
	size_t i, count;
	int ret;

	if (verdict_judge(in, &lines, &count))
		return error_set(err, -ENOMEM, "no memory for the verdict");
	for (i = 0; i < count && !s->opt->contract.listener; i++)
		tell_line(s, w, in, &lines[i]);
	verdict_add_up(lines, count, &run.sum);
	run.ended = ended[run.migration ? WITNESS_MIGRATION : end];
	if (s->account) {
		ret = tell_contract(s, w, in, lines, count, &run, err);
		free(lines);
		return ret;
	}
	free(lines);
	if (!run.migration && run.sum.outcome == VERDICT_PASS)
		run.sum.outcome = VERDICT_OPEN;
	tell_run(s, &run);
	if (fflush(s->out))
		return error_set(err, -errno, "the verdict cannot be written: %s",
				 strerror(errno));
	return conclude(&run);
}

static int judge_session(const struct session *s, struct witness *w, int interrupt_fd,
			 struct error *err)
{
	uint64_t deadline_ns = s->began_ns + s->opt->timeout_ns;
	struct verdict_input in;
	int end, ret;

	end = witness_watch(w, interrupt_fd, deadline_ns, err);
	if (end < 0)
		return end;
	tell_end(end, err);
	ret = witness_collect(w, &in, err);
	if (ret)
		return ret;
	in.expected = s->opt->expected;
	in.lead_ns = s->opt->lead_ns;
	return tell_verdict(s, w, end, &in, err);
}

int judge_run(const struct judge_options *opt, FILE *out, struct error *err)
{
	const struct sched_param low = { .sched_priority = 1 };
	struct session s = { .opt = opt, .out = out };
	struct witness_options wo = opt->witness;
	struct witness *w;
	int ret, interrupt_fd;

	if (opt->contract.wanted) {
		s.account = account_new(wo.targets, wo.target_count);
		if (!s.account)
			return error_set(err, -ENOMEM, "no memory for the account");
		wo.settle = true;
	}
	wo.on_event = tell_event;
	wo.opaque = &s;
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &low))
		log_info("no real-time scheduling for the judge: %s", strerror(errno));
	s.began_ns = clock_ns();
	ret = witness_connect(&wo, s.began_ns + opt->timeout_ns, &w, err);
	if (ret) {
		account_free(s.account);
		return ret;
	}
	interrupt_fd = opt->watch_interrupts ? opt->watch_interrupts() : -1;
	ret = witness_begin(w, s.began_ns + opt->timeout_ns, err);
	if (!ret) {
		s.began_ns = clock_ns();
		if (s.account)
			account_begin(s.account, w);
		tell_listening(&s);
		ret = judge_session(&s, w, interrupt_fd, err);
		if (opt->contract.listener)
			opt->contract.listener->end(ret < 0 ? err->text : NULL);
	}
	witness_free(w);
	account_free(s.account);
	if (interrupt_fd >= 0)
		close(interrupt_fd);
	return ret;
}
