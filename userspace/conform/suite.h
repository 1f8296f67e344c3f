/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The conformance suite as a whole.
 */
#ifndef MIGLAB_CONFORM_SUITE_H
#define MIGLAB_CONFORM_SUITE_H

#include <stdbool.h>

#include "base/error.h"
#include "conform/case.h"
#include "conform/found.h"

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
	/* @counts of each verdict; @broken: why it did not come to its end, NULL when it did. */
	void (*end)(const unsigned int counts[CONFORM_SKIPPED + 1], const char *broken);
};

#define CONFORM_IDS_MAX	128	/* ids are smaller */

struct conform_options {
	const char *spec;			/* DEV */
	const struct conform_listener *listener;
	bool only[CONFORM_IDS_MAX];		/* these cases; none: all */
	bool skip[CONFORM_IDS_MAX];		/* not these */
	bool destructive;			/* those, too, that can take the host down */
	bool keep_rules;			/* leave a lab device's rules in force */
	unsigned int limit_s;			/* for a call, and between two: watch.h */
};

/**
 * conform_run() - run the suite
 * @options: what was asked for
 * @err: has the sentence when it could not be run, ran no case, or left the device changed
 *
 * Each case runs in a process of its own that is killed when it hangs. One that cannot be
 * killed is abandoned, and those after it are skipped. A signal of interrupt.h ends the run;
 * what was found is put back, the report has its end, and the cases that are left are skipped.
 *
 * Return: the exit status as of conform_status(), or what device_open() says.
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

/*
 * Opens the device that is to be tested, and takes down what it is set to. What device_open()
 * says, or -EINVAL for a device that cannot be tested; @err has the sentence.
 */
int conform_open(const struct conform_options *options, struct device **ret_dev,
		 struct found *ret_found, struct error *err);

/* May the blocked arc be taken with @dev? @err says why not. */
bool conform_may_block(struct device *dev, const struct conform_options *options,
		       struct error *err);

/*
 * The exit status: 128 + N after signal N; 1 when something failed; 3 when
 * @put_back, the result of found_put_back(), is an error; 77 when nothing was judged; else 0.
 * @err gets the sentence about a signal, unless it has that of @put_back.
 */
int conform_status(enum conform_verdict verdict, int put_back, struct error *err);

/* The subjects in their order; ends with a NULL name. */
extern const struct conform_subject conform_subjects[];

/* Reads "1-9,13" into @ret_ids; -EINVAL with a sentence, also for an id that no case has. */
int conform_ids(const char *text, bool ret_ids[CONFORM_IDS_MAX], struct error *err);

#endif
