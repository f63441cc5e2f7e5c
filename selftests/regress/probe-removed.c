// SPDX-License-Identifier: GPL-2.0
/*
 * A breakpoint is set in a page of a program's text, which then is made writable and changed: a
 * page of the process's own. When the breakpoint is taken out of it, that is no write of the
 * process, and the page is there before and after.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "disk.h"
#include "test.h"

#define TRACEFS	"/sys/kernel/tracing/"
#define EVENT	"memsync_removed"

TEST(probe_removed)
{
	static const unsigned char nops[8] = { [0 ... 7] = 0x90 };
	unsigned char *area = memory_new(MIB), *text = area + 16 * PAGE;
	struct memsync *ms;
	struct pair pair;
	unsigned int i;
	int fd, writer, written;

	fd = disk_file();
	ASSERT_LE(0, fd);
	writer = open(DISK_PATH, O_WRONLY | O_CLOEXEC);
	ASSERT_EQ(8, pwrite(writer, nops, 8, 16 * PAGE));
	close(writer);
	ASSERT_EQ(area, mmap(area, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0));
	close(fd);
	sync();
	sleep(2);		/* the last change of the file was long ago by its stamps */
	ASSERT_OK(pair_net(&ms));
	ASSERT_OK(pair_start(&pair, ms, getpid(), area, MIB));
	ASSERT_OK(pair_sync_compare(&pair));
	ASSERT_EQ(0, mprotect(text, PAGE, PROT_READ | PROT_EXEC));
	if (file_put(TRACEFS "uprobe_events", "p:" EVENT " " DISK_PATH ":0x10000"))
		SKIP(return, "no uprobes");
	ASSERT_EQ(0, file_put(TRACEFS "events/uprobes/" EVENT "/enable", "1"));
	EXPECT_EQ(0xcc, *(volatile unsigned char *)text);
	EXPECT_OK(pair_sync_compare(&pair));
	written = mprotect(text, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	EXPECT_EQ(0, written);
	if (!written)
		text[100]++;
	EXPECT_OK(pair_sync_compare(&pair));
	usleep(50000);
	for (i = 0; i < 10; i++) {	/* until its entry is protected again */
		area[i * PAGE]++;
		EXPECT_OK(pair_sync_compare(&pair));
	}
	EXPECT_EQ(0, file_put(TRACEFS "events/uprobes/" EVENT "/enable", "0"));
	EXPECT_EQ(0x90, *(volatile unsigned char *)text);
	EXPECT_OK(pair_sync_compare(&pair));
	file_put(TRACEFS "uprobe_events", "-:" EVENT);
	pair_stop(&pair);
	memsync_close(ms);
}

TEST_HARNESS_MAIN
