// SPDX-License-Identifier: GPL-2.0
/* Takes the place that a livepatch of handle_mm_fault() would take. */
#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/module.h>

static void notrace pass(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *ops,
			 struct ftrace_regs *fregs)
{
}

static struct ftrace_ops ops = {
	.func = pass,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY | FTRACE_OPS_FL_RECURSION,
};

static int __init patch_init(void)
{
	int err = ftrace_set_filter_ip(&ops, (unsigned long)handle_mm_fault, 0, 0);

	if (!err)
		err = register_ftrace_function(&ops);
	if (err)
		ftrace_free_filter(&ops);
	return err;
}

static void __exit patch_exit(void)
{
	unregister_ftrace_function(&ops);
	ftrace_free_filter(&ops);
}

module_init(patch_init);
module_exit(patch_exit);
MODULE_DESCRIPTION("stands in for a livepatch in memsync's tests");
MODULE_LICENSE("GPL");
