// SPDX-License-Identifier: GPL-2.0-only
#include <linux/err.h>
#include <linux/export.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "rulebook.h"
#include "trace.h"

struct miglab_ruleset *miglab_ruleset_parse(const char *text, size_t len,
					    struct miglab_rules_error *err)
{
	struct miglab_ruleset *set;
	int ret;

	set = kzalloc(sizeof(*set), GFP_KERNEL);
	if (!set)
		return ERR_PTR(-ENOMEM);
	ret = miglab_rules_parse(&set->rules, text, len, err);
	if (ret) {
		kfree(set);
		return ERR_PTR(ret);
	}
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\0'))
		len--;
	memcpy(set->text, text, len);
	return set;
}

struct miglab_rulebook *miglab_rulebook_new(const char *name, struct miglab_ruleset *set)
{
	struct miglab_rulebook *book;

	book = kzalloc(sizeof(*book), GFP_KERNEL);
	if (!book) {
		kfree(set);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&book->kref);
	strscpy(book->name, name, sizeof(book->name));
	init_waitqueue_head(&book->pauses);
	spin_lock_init(&book->lock);
	book->set = set;
	book->ops = set->rules.ops;
	return book;
}

static void rulebook_free(struct kref *kref)
{
	struct miglab_rulebook *book = container_of(kref, struct miglab_rulebook, kref);

	kfree(book->set);
	kfree(book);
}

struct miglab_rulebook *miglab_rulebook_get(struct miglab_rulebook *book)
{
	kref_get(&book->kref);
	return book;
}

void miglab_rulebook_put(struct miglab_rulebook *book)
{
	kref_put(&book->kref, rulebook_free);
}

void miglab_rulebook_replace(struct miglab_rulebook *book, struct miglab_ruleset *set)
{
	spin_lock(&book->lock);
	swap(book->set, set);
	if (!book->closed)
		WRITE_ONCE(book->ops, book->set->rules.ops);
	spin_unlock(&book->lock);
	kfree(set);
}

ssize_t miglab_rulebook_emit(struct miglab_rulebook *book, char *buf)
{
	ssize_t len;

	spin_lock(&book->lock);
	len = sysfs_emit(buf, "%s\n", book->set->text);
	spin_unlock(&book->lock);
	return len;
}

u64 miglab_rulebook_acted(struct miglab_rulebook *book)
{
	u64 acted;

	spin_lock(&book->lock);
	acted = miglab_rules_acted(&book->set->rules);
	spin_unlock(&book->lock);
	return acted;
}

void miglab_rulebook_close(struct miglab_rulebook *book)
{
	spin_lock(&book->lock);
	WRITE_ONCE(book->closed, true);
	WRITE_ONCE(book->ops, 0);
	spin_unlock(&book->lock);
	wake_up_all(&book->pauses);
}

struct miglab_plan miglab_rulebook_arc(struct miglab_rulebook *book, u32 from, u32 to)
{
	struct miglab_plan plan = { .rule = 0 };

	if (!miglab_rulebook_knows(book, MIGLAB_OP_ARC))
		return plan;
	spin_lock(&book->lock);
	plan = miglab_rules_match(&book->set->rules, from, to);
	spin_unlock(&book->lock);
	return plan;
}

struct miglab_plan miglab_rulebook_op(struct miglab_rulebook *book, enum miglab_op op)
{
	struct miglab_plan plan = { .rule = 0 };

	if (!miglab_rulebook_knows(book, op))
		return plan;
	spin_lock(&book->lock);
	plan = miglab_rules_match_op(&book->set->rules, op);
	spin_unlock(&book->lock);
	if (plan.rule)
		trace_miglab_fault(book->name, op, plan.rule);
	return plan;
}
EXPORT_SYMBOL_GPL(miglab_rulebook_op);
