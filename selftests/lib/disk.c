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
