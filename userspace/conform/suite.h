/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The conformance suite as a whole.
 */
#ifndef MIGLAB_CONFORM_SUITE_H
#define MIGLAB_CONFORM_SUITE_H

#include <stdbool.h>

#include "base/error.h"
#include "conform/case.h"

enum conform_verdict { CONFORM_PASSED, CONFORM_FAILED, CONFORM_SKIPPED };

/* How a case went. */
struct conform_outcome {
	const char *subject;
	const struct conform_case *tested;
	enum conform_verdict verdict;
	const char *text;	/* why it failed or was skipped, else notes; lines, "" for none */
	uint64_t ns;		/* how long it took */
};

/* Who is told: begin, any number of outcomes, end. */
struct conform_listener {
	void (*begin)(const char *spec, size_t cases);
	void (*outcome)(const struct conform_outcome *outcome);
	void (*end)(const unsigned int counts[CONFORM_SKIPPED + 1]);	/* of each verdict */
};

#define CONFORM_IDS_MAX	128	/* ids are smaller */

struct conform_options {
	const char *spec;			/* DEV */
	const struct conform_listener *listener;
	bool only[CONFORM_IDS_MAX];		/* these cases; none: all */
	bool skip[CONFORM_IDS_MAX];		/* not these */
	bool destructive;			/* those, too, that can take the host down */
	bool keep_rules;			/* leave a lab device's rules in force */
	unsigned int limit_s;			/* for each case */
};

/**
 * conform_run() - run the suite
 * @options: what was asked for
 * @err: has the sentence when it could not be run
 *
 * Each case runs in a process of its own that is killed at its time limit. One that
 * cannot be killed is abandoned, and those after it are skipped.
 *
 * Return: the exit status, 0 when no case failed, 1 when one did, 3 when none ran;
 * or what device_open() says.
 */
int conform_run(const struct conform_options *options, struct error *err);

/* Prints every case with its class, needs, final state, requirement, place and mutant. */
void conform_list(void);

/* Prints every defect that an emulated device can be given: "ID NAME WHAT". */
void conform_mutants(void);

/*
 * Walks @steps random calls, compares each answer with the model, and shrinks a
 * failure to a short sequence, which is printed. The same @seed walks the same way.
 *
 * Return: as conform_run().
 */
int conform_walk(const struct conform_options *options, unsigned long steps, unsigned long seed,
		 struct error *err);

/* Puts the rules back that a device of the lab had; NULL: it had none. */
void conform_put_back(const struct conform_options *options, const char *rules);

/* The subjects in their order; ends with a NULL name. */
extern const struct conform_subject conform_subjects[];

/* Reads "1-9,13" into @ret_ids; -EINVAL with a sentence, also for an id that no case has. */
int conform_ids(const char *text, bool ret_ids[CONFORM_IDS_MAX], struct error *err);

#endif
