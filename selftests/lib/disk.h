/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SELFTESTS_DISK_H
#define _SELFTESTS_DISK_H

#define DISK_PATH	"/mnt/fs/file"

/*
 * A mebibyte of random bytes on ext4, in a mount namespace of our own, open for
 * direct I/O: a descriptor, or -1.
 */
int disk_file(void);

/*
 * A new file on a device whose memory is mapped directly: ordinary memory that the kernel was
 * booted to take for one, with memmap=32M!768M. As above, but empty.
 */
int dax_file(void);

#endif /* _SELFTESTS_DISK_H */
