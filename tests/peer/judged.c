// SPDX-License-Identifier: GPL-2.0-only
#include "judged.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "vmm.h"

#define END_NS	(300 * NSEC_PER_SEC)	/* of one that closed its stdout; against a hang */

static void judge_args(struct args *args, const char *uri, const struct judged *j, bool release)
{
	const char *program = getenv("MIGLAB");
	size_t i;

	args_add(args, "%s", program ? program : "build/miglab");
	args_add(args, "judge");
	args_add(args, "--qmp");
	args_add(args, "%s", uri);
	for (i = 0; i < j->devices; i++) {
		args_add(args, "--device");
		args_add(args, "vf%zu=%s", i, j->bdfs[i]);
	}
	args_add(args, "--expect");
	args_add(args, "1");
	args_add(args, "--json");
	args_add(args, "--print");
	if (release)
		args_add(args, "--release");
}

/* The next line as an object that the caller owns; NULL at the end, or for no JSON. */
static struct json_object *next_line(struct judged *j)
{
	struct json_object *object = NULL;
	char *line = NULL;
	size_t size = 0;

	if (getline(&line, &size, j->out) > 0)
		object = json_tokener_parse(line);
	free(line);
	return object;
}

int judged_start(struct judged *j, const char *uri, const char *const *bdfs, size_t devices,
		 bool release, int cpu, struct error *err)
{
	struct args args = { .count = 0 };
	struct json_object *first;
	int fds[2];

	*j = (struct judged){ .bdfs = bdfs, .devices = devices, .status = -1 };
	if (pipe2(fds, O_CLOEXEC))
		return error_set(err, -errno, "pipe: %s", strerror(errno));
	judge_args(&args, uri, j, release);
	j->pid = spawn(&args, cpu, fds[1], STDERR_FILENO);
	args_free(&args);
	close(fds[1]);
	j->out = fdopen(fds[0], "r");
	first = next_line(j);
	if (!first || !json_object_object_get_ex(first, "listening", NULL)) {
		json_object_put(first);
		return error_set(err, -EPROTO, "the judge does not listen");
	}
	json_object_put(first);
	return 0;
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return object && json_object_object_get_ex(object, key, &value) ?
	       json_object_get_string(value) : "";
}

static int64_t number_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_int64(value) : 0;
}

/* An event: a prepare event is a claim, whose seq comes with the verdict. */
static void take_event(struct judged *j, struct json_object *object)
{
	struct json_object *data = json_object_object_get(object, "data");
	const char *id = text_of(data, "device-id");
	unsigned long i;

	if (strcmp(text_of(data, "device-state"), "pre-copy-p2p-prepare") ||
	    j->claim_count == JUDGED_MAX)
		return;
	i = strncmp(id, "vf", 2) ? j->devices : strtoul(id + 2, NULL, 10);
	snprintf(j->ids[j->claim_count], sizeof(j->ids[0]), "%s", id);
	j->claims[j->claim_count] = (struct order_claim){
		.id = j->ids[j->claim_count],
		.bdf = i < j->devices ? j->bdfs[i] : "none",
	};
	j->claim_count++;
}

static int take_verdict(struct judged *j, struct json_object *object, struct error *err)
{
	size_t i;

	if (j->count == JUDGED_MAX)
		return error_set(err, -EPROTO, "the judge has more than %d lines", JUDGED_MAX);
	j->text[j->count] = strdup(text_of(object, "text"));
	snprintf(j->verdict[j->count], sizeof(j->verdict[0]), "%s", text_of(object, "verdict"));
	j->by_hold[j->count] = number_of(object, "by-hold");
	j->count++;
	for (i = 0; i < j->claim_count; i++)
		if (!strcmp(j->claims[i].bdf, text_of(object, "where")))
			j->claims[i].seq = number_of(object, "seq");
	return 0;
}

void judged_interrupt(struct judged *j)
{
	if (j->pid > 0)
		kill(j->pid, SIGTERM);
}

int judged_finish(struct judged *j, struct error *err)
{
	struct json_object *object;
	int status, ret = 0;

	while (!ret && (object = next_line(j))) {
		if (json_object_object_get_ex(object, "event", NULL))
			take_event(j, object);
		else if (json_object_object_get_ex(object, "verdict", NULL))
			ret = take_verdict(j, object, err);
		else if (json_object_object_get_ex(object, "result", NULL))
			snprintf(j->result, sizeof(j->result), "%s", text_of(object, "result"));
		else
			ret = error_set(err, -EPROTO, "the judge says %s",
					json_object_to_json_string(object));
		json_object_put(object);
	}
	status = reap(j->pid, clock_ns() + END_NS);
	j->pid = 0;
	if (WIFEXITED(status))
		j->status = WEXITSTATUS(status);
	return ret;
}

void judged_free(struct judged *j)
{
	if (j->pid > 0)
		reap(j->pid, 0);
	if (j->out)
		fclose(j->out);
	while (j->count)
		free(j->text[--j->count]);
	*j = (struct judged){ .status = -1 };
}
