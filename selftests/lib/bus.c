// SPDX-License-Identifier: GPL-2.0
/*
 * A test that ends by SIGBUS says where it was: the access, the mapping, and whether it can
 * be read by now. It ends by that all the same.
 */
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

/* The line of /proc/self/maps that @addr is in. */
static void print_mapping(uintptr_t addr)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && addr >= start && addr < end)
			dprintf(STDOUT_FILENO, "# %s", line);
	if (maps)
		fclose(maps);
}

static void say(int sig, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	char byte;
	struct iovec here = { &byte, 1 }, there = { info->si_addr, 1 };

	dprintf(STDOUT_FILENO,
		"# SIGBUS: code %d, address %p, error %#llx of the instruction at %#llx\n",
		info->si_code, info->si_addr, regs[REG_ERR], regs[REG_RIP]);
	print_mapping((uintptr_t)info->si_addr);
	print_mapping(regs[REG_RIP]);
	if (process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1)
		dprintf(STDOUT_FILENO, "# it can be read now: %#x\n", (unsigned char)byte);
	else
		dprintf(STDOUT_FILENO, "# it cannot be read: %m\n");
	raise(sig);
}

__attribute__((constructor))
static void listen_for_it(void)
{
	struct sigaction action = { .sa_sigaction = say, .sa_flags = SA_SIGINFO | SA_RESETHAND };

	sigaction(SIGBUS, &action, NULL);
}
