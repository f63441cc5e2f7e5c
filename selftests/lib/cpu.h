/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SELFTESTS_CPU_H
#define _SELFTESTS_CPU_H

#include <sched.h>

/* The calling thread runs on this CPU only. */
static inline void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

#endif /* _SELFTESTS_CPU_H */
