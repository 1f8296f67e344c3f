// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has the defect that its parameter names, as soon as it is loaded: the control of the
 * debug tier, which must find each.
 */
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *defect = "none";
module_param(defect, charp, 0444);
MODULE_PARM_DESC(defect, "warn, lock, sleep, free, bound or leak");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);
static volatile int index = 4;
static int table[4];

static void warn(void)
{
	WARN(1, "a warning");
}

/* Two locks in one order, and then in the other: nobody has to wait for it to be wrong. */
static void lock(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void sleep(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
}

static void use_freed(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	if (p)
		WRITE_ONCE(*p, 1);
}

static void leave_bounds(void)
{
	table[index] = 1;
}

/* Many: kmemleak takes what is left of a pointer on any stack for one. */
static noinline void leak(void)
{
	void *p;
	int i;

	for (i = 0; i < 32; i++) {
		p = kmalloc(4000, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(p);
	}
}

static const struct {
	const char *name;
	void (*have)(void);
} defects[] = {
	{ "warn", warn }, { "lock", lock }, { "sleep", sleep }, { "free", use_freed },
	{ "bound", leave_bounds }, { "leak", leak },
};

static int __init broken_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(defects); i++) {
		if (!strcmp(defects[i].name, defect)) {
			defects[i].have();
			return 0;
		}
	}
	return -EINVAL;
}
module_init(broken_init);

static void __exit broken_exit(void)
{
}
module_exit(broken_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The miglab authors");
MODULE_DESCRIPTION("Defects for the debug kernel to find");
