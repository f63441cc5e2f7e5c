// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>

#include "disk.h"

int disk_file(void)
{
	static const char script[] =
		"mount --make-rprivate / && mount -t tmpfs t /mnt && "
		"dd if=/dev/zero of=/mnt/disk bs=1M count=0 seek=64 status=none && "
		"mkfs.ext4 -q -E lazy_itable_init=1 -O ^has_journal /mnt/disk && "
		"mkdir /mnt/fs && modprobe -q loop; loop=$(losetup -f --show /mnt/disk) && "
		"mount $loop /mnt/fs && losetup -d $loop && "
		"head -c 1M /dev/urandom >" DISK_PATH " && sync -f /mnt/fs";

	if (unshare(CLONE_NEWNS) || system(script))
		return -1;
	return open(DISK_PATH, O_RDONLY | O_DIRECT | O_CLOEXEC);
}

int dax_file(void)
{
	static const char script[] =
		"modprobe -qa nd_e820 nd_pmem && "
		"for i in $(seq 50); do [ -b /dev/pmem0 ] && break; sleep 0.1; done; "
		"mkfs.ext4 -q -b 4096 -O ^has_journal /dev/pmem0 && "
		"mount --make-rprivate / && mount -o dax=always /dev/pmem0 /mnt";

	if (unshare(CLONE_NEWNS) || system(script))
		return -1;
	return open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}
