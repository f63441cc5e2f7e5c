/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SELFTESTS_DISK_H
#define _SELFTESTS_DISK_H

#define DISK_PATH	"/mnt/fs/file"

/*
 * A mebibyte of random bytes on ext4, in a mount namespace of our own, open for
 * direct I/O: a descriptor, or -1.
 */
int disk_file(void);

#endif /* _SELFTESTS_DISK_H */
