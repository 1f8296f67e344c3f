// SPDX-License-Identifier: GPL-2.0-only
/*
 * The attributes of an emulated device: names and text as in
 * /sys/bus/pci/devices/BDF/miglab/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "device/emu.h"

static struct emu *to_emu(struct lab *lab)
{
	return (struct emu *)((char *)lab - offsetof(struct emu, lab));
}

static void show_state(struct emu *e, FILE *out)
{
	fprintf(out, "%s\n", miglab_state_name(e->state));
}

static void show_held(struct emu *e, FILE *out)
{
	const struct miglab_arc *arc = e->held;
	char rule[12] = "lease";

	if (!arc) {
		fputs("none\n", out);
		return;
	}
	if (!e->leased)
		snprintf(rule, sizeof(rule), "%u", arc->rule);
	fprintf(out, "%s>%s seq=%llu rule=%s\n", miglab_state_name(arc->from),
		miglab_state_name(arc->to), (unsigned long long)arc->seq, rule);
}

static void show_hold(struct emu *e, FILE *out)
{
	const struct miglab_lease *lease = &e->lease;

	if (lease->owner)
		fprintf(out, MIGLAB_LEASE_FMT, miglab_state_name(lease->from),
			miglab_state_name(lease->to), (unsigned long long)lease->limit_us,
			lease->pid);
	else
		fputs(MIGLAB_LEASE_NONE, out);
}

static void show_history(struct emu *e, FILE *out)
{
	const struct miglab_arc *arc;
	char result[16] = "busy";

	for (u64 seq = 0; (arc = miglab_history_from(&e->history, seq)); seq = arc->seq + 1) {
		if (arc->result == MIGLAB_IN_PROGRESS)
			strcpy(result, "busy");
		else
			snprintf(result, sizeof(result), "%d", arc->result);
		fprintf(out, MIGLAB_HISTORY_FMT, (unsigned long long)arc->seq,
			miglab_state_name(arc->from), miglab_state_name(arc->to),
			miglab_state_name(arc->requested), (unsigned long long)arc->begin_ns,
			(unsigned long long)arc->end_ns, result, arc->rule, arc->pid);
	}
}

static void show_stats(struct emu *e, FILE *out)
{
	const struct { const char *key; u64 value; } lines[] = {
		{ "sessions_live", e->session != NULL },
		{ "images_live", 1 + (e->session && e->session->resuming) },
		{ "arcs", e->stats.arcs },
		{ "arcs_failed", e->stats.arcs_failed },
		{ "holds", e->stats.holds },
		{ "resets", e->stats.resets },
		{ "bytes_read", e->stats.bytes_read },
		{ "bytes_written", e->stats.bytes_written },
		{ "rules_acted", miglab_rules_acted(&e->rules) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		fprintf(out, "%s %llu\n", lines[i].key, (unsigned long long)lines[i].value);
}

static void show_fingerprint(struct emu *e, FILE *out)
{
	if (e->latched)
		fprintf(out, "crc32c:%08x\n", e->fingerprint);
	else
		fputs("none\n", out);
}

static void show_rules(struct emu *e, FILE *out)
{
	fprintf(out, "%s\n", e->rules_text);
}

static void show_rules_error(struct emu *e, FILE *out)
{
	fprintf(out, "%s\n", e->rules_error[0] ? e->rules_error : "none");
}

static void show_release(struct emu *e, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)e->permits);
}

static void show_rate(struct emu *e, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)e->rate);
}

static void show_state_bytes(struct emu *e, FILE *out)
{
	fprintf(out, "%llu\n", (unsigned long long)e->content.id.state_bytes);
}

static void show_profile(struct emu *e, FILE *out)
{
	fprintf(out, "%s\n", miglab_profile_name(e->dev.flags));
}

static void show_model(struct emu *e, FILE *out)
{
	(void)e;
	fputs("synthetic\n", out);
}

int emu_rules_set(struct emu *e, const char *text, struct error *err)
{
	struct miglab_rules_error where = { 0 };
	struct miglab_rules rules;
	size_t len = strlen(text);
	int ret = miglab_rules_parse(&rules, text, len, &where) ? -EINVAL : 0;

	pthread_mutex_lock(&e->lock);
	if (ret) {
		snprintf(e->rules_error, sizeof(e->rules_error), "line %u column %u: %s: \"%s\"",
			 where.line, where.column, where.what, where.value);
		lab_rules_refused(e->rules_error, err);
	} else {
		e->rules = rules;
		atomic_store_explicit(&e->rule_ops, rules.ops, memory_order_relaxed);
		while (len && text[len - 1] == '\n')
			len--;
		memcpy(e->rules_text, text, len);
		e->rules_text[len] = '\0';
		e->rules_error[0] = '\0';
	}
	pthread_mutex_unlock(&e->lock);
	return ret;
}

/* A whole number, as the kernel's kstrtoull() reads it: one newline may follow. */
static int parse_number(const char *attribute, const char *text, u64 *ret, struct error *err)
{
	char *end;

	errno = 0;
	if (text[0] >= '0' && text[0] <= '9') {
		*ret = strtoull(text, &end, 10);
		if (!errno && (!strcmp(end, "") || !strcmp(end, "\n")))
			return 0;
	}
	return error_set(err, -EINVAL, "%s: \"%s\" is not a number", attribute, text);
}

static int store_hold(struct emu *e, const char *text, struct error *err)
{
	return emu_hold_write(e, &(struct lab_writer){ .pid = getpid() }, text, err);
}

static int store_rate(struct emu *e, const char *text, struct error *err)
{
	u64 rate = 0;
	int ret = parse_number("dirty_bytes_per_sec", text, &rate, err);

	if (ret)
		return ret;
	/* Not model_lock: a pass over the state may take its time, and the caller must not wait. */
	pthread_mutex_lock(&e->lock);
	e->rate = rate;
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	return 0;
}

static const struct attribute {
	const char *name;
	void (*show)(struct emu *e, FILE *out);		/* e->lock is held */
	/* NULL: read-only */
	int (*store)(struct emu *e, const char *text, struct error *err);
} attributes[] = {
	{ "state", show_state, NULL },
	{ "held", show_held, NULL },
	{ "history", show_history, NULL },
	{ "stats", show_stats, NULL },
	{ "fingerprint", show_fingerprint, NULL },
	{ "rules", show_rules, emu_rules_set },
	{ "rules_error", show_rules_error, NULL },
	{ "hold", show_hold, store_hold },
	{ "release", show_release, emu_release },
	{ "dirty_bytes_per_sec", show_rate, store_rate },
	{ "state_bytes", show_state_bytes, NULL },
	{ "profile", show_profile, NULL },
	{ "model", show_model, NULL },
};

static const struct attribute *find_attribute(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (!strcmp(attributes[i].name, name))
			return &attributes[i];
	return NULL;
}

static int emu_lab_read(struct lab *lab, const char *name, char **ret_text, struct error *err)
{
	const struct attribute *attribute = find_attribute(name);
	struct emu *e = to_emu(lab);
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!attribute)
		return error_set(err, -ENOENT, "%s has no attribute \"%s\"", e->dev.name, name);
	out = open_memstream(&text, &size);
	if (!out)
		return error_set(err, -ENOMEM, "%s: no memory for %s", e->dev.name, name);
	pthread_mutex_lock(&e->lock);
	attribute->show(e, out);
	pthread_mutex_unlock(&e->lock);
	if (fclose(out)) {
		free(text);
		return error_set(err, -ENOMEM, "%s: no memory for %s", e->dev.name, name);
	}
	*ret_text = text;
	return 0;
}

static int emu_lab_write(struct lab *lab, const char *name, const char *text, struct error *err)
{
	const struct attribute *attribute = find_attribute(name);
	struct emu *e = to_emu(lab);

	if (!attribute)
		return error_set(err, -ENOENT, "%s has no attribute \"%s\"", e->dev.name, name);
	if (!attribute->store)
		return error_set(err, -EACCES, "%s: %s cannot be written while the device is open",
				 e->dev.name, name);
	return attribute->store(e, text, err);
}

static int emu_lab_write_for(struct lab *lab, const struct lab_writer *writer, const char *name,
			     const char *text, struct error *err)
{
	if (!strcmp(name, "hold"))
		return emu_hold_write(to_emu(lab), writer, text, err);
	return emu_lab_write(lab, name, text, err);
}

static void emu_lab_gone(struct lab *lab, uint64_t connection)
{
	emu_hold_gone(to_emu(lab), connection);
}

/* The lab is a part of the device and goes with it. */
static void emu_lab_close(struct lab *lab)
{
	(void)lab;
}

const struct lab_ops emu_lab_ops = {
	.close = emu_lab_close,
	.read = emu_lab_read,
	.write = emu_lab_write,
	.write_for = emu_lab_write_for,
	.gone = emu_lab_gone,
};
