// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <unistd.h>

#include "pair.h"
#include "swap.h"

const char *swap_on(bool file, char *device, size_t size)
{
	static const char zram[] =
		"modprobe -q zram; n=$(cat /sys/class/zram-control/hot_add) && "
		"echo 128M >/sys/block/zram$n/disksize && mkswap -q /dev/zram$n >&2 && "
		"echo /dev/zram$n";
	static const char loop[] =
		"modprobe -q loop; truncate -s 128M /dev/shm/swap.$$ && "
		"d=$(losetup --show -f /dev/shm/swap.$$) && rm /dev/shm/swap.$$ && "
		"mkswap -q $d >&2 && echo $d";
	FILE *out = popen(file ? loop : zram, "r");

	device[0] = 0;
	if (!out || !fgets(device, size, out))
		return "no device to swap to";
	pclose(out);
	device[strcspn(device, "\n")] = 0;
	return swapon(device, 0) ? "swapon" : NULL;
}

void swap_off(const char *device)
{
	char command[128];

	swapoff(device);
	snprintf(command, sizeof(command), "case %s in *zram*) echo %s >"
		 "/sys/class/zram-control/hot_remove;; *) losetup -d %s;; esac", device,
		 device + strcspn(device, "0123456789"), device);
	if (system(command))
		fprintf(stderr, "# %s stays\n", device);
}

const char *swap_group_enter(const char *limit)
{
	char pid[16];

	if (file_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory"))
		return "no memory controller";
	mkdir(SWAP_GROUP, 0755);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (file_put(SWAP_GROUP "/memory.max", limit) ||
	    file_put(SWAP_GROUP "/cgroup.procs", pid))
		return "no group";
	return NULL;
}

void swap_group_leave(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	file_put("/sys/fs/cgroup/cgroup.procs", pid);
	rmdir(SWAP_GROUP);
}
