/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SELFTESTS_SWAP_H
#define _SELFTESTS_SWAP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Swaps to a device of 128 MiB, whose name goes to @device: of zram, or @file, a loop
 * device. NULL or what failed.
 */
const char *swap_on(bool file, char *device, size_t size);
void swap_off(const char *device);

/*
 * A memory control group of our own, with @limit as its memory.max. It is charged with
 * what is allocated from now on. NULL or what failed; to be left in any case.
 */
#define SWAP_GROUP	"/sys/fs/cgroup/memsync-swap"
const char *swap_group_enter(const char *limit);
void swap_group_leave(void);

#endif /* _SELFTESTS_SWAP_H */
