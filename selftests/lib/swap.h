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

#endif /* _SELFTESTS_SWAP_H */
