/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_LINUX_SHMEM_FS_H
#define _MEMSYNC_COMPAT_LINUX_SHMEM_FS_H

#include <linux/version.h>
#include_next <linux/shmem_fs.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#include <linux/fs.h>

/* Not exported, unlike what it compares with. */
static inline bool memsync_shmem_mapping(const struct address_space *mapping)
{
	return mapping->a_ops == &shmem_aops;
}

#define shmem_mapping memsync_shmem_mapping
#endif

#endif /* _MEMSYNC_COMPAT_LINUX_SHMEM_FS_H */
