// SPDX-License-Identifier: GPL-2.0
/*
 * Faults for the rig to find: loading this with what=NAME plants one. The load fails
 * after that with -ECANCELED, so that nothing stays behind.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

static char *what = "";
module_param(what, charp, 0);
MODULE_PARM_DESC(what, "the fault to plant");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);

static void plant_warn(void)
{
	WARN_ON(1);
}

static void plant_bug(void)
{
	BUG();
}

static void plant_oops(void)
{
	int *nothing = NULL;

	OPTIMIZER_HIDE_VAR(nothing);
	*nothing = 1;
}

static void plant_kasan(void)
{
	char *data = kmalloc(16, GFP_KERNEL);

	if (!data)
		return;
	kfree(data);
	OPTIMIZER_HIDE_VAR(data);
	pr_info("freed memory holds %d\n", READ_ONCE(data[3]));
}

static void plant_ubsan(void)
{
	unsigned int bits = 40;

	OPTIMIZER_HIDE_VAR(bits);
	pr_info("shifted too far: %d\n", 1 << bits);
}

static void plant_lockdep(void)
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

static void plant_atomic(void)
{
	spin_lock(&spin);
	msleep(1);
	spin_unlock(&spin);
}

static void plant_leak(void)
{
	char *data = kmalloc(4000, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(data);
}

/* Not a report: the load hangs, and a kill does not help */
static void plant_hang(void)
{
	DECLARE_COMPLETION_ONSTACK(never);

	wait_for_completion(&never);
}

static const struct {
	const char *name;
	void (*plant)(void);
} faults[] = {
	{ "warn", plant_warn },
	{ "bug", plant_bug },
	{ "oops", plant_oops },
	{ "kasan", plant_kasan },
	{ "ubsan", plant_ubsan },
	{ "lockdep", plant_lockdep },
	{ "atomic", plant_atomic },
	{ "leak", plant_leak },
	{ "hang", plant_hang },
};

static int __init plant_init(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++)
		if (!strcmp(what, faults[i].name)) {
			faults[i].plant();
			return -ECANCELED;
		}
	return -EINVAL;
}
module_init(plant_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Faults for the rig's own tests");
