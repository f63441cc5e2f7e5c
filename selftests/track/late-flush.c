// SPDX-License-Identifier: GPL-2.0
/*
 * A CPU goes on writing by the translation that it has until somebody takes that away. Who
 * write-protects by a userfaultfd holds the mmap lock for reading only. He tells the notifier
 * that he is done as soon as all of one top-level table's part is protected, and flushes at the
 * very end: so where memory lies in two such parts, a pass can come in between.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu.h"
#include "delay.h"
#include "pagemap.h"
#include "test.h"

#define BORDER		(1UL << 46)	/* where one of 512 GiB ends and nothing is mapped */

/**
 * struct armed - memory under a userfaultfd, who writes to it, and who protects it
 * @area: a page on either side of the border
 * @fd: the userfaultfd
 * @writer: a thread on the other CPU
 * @ending: it writes once more, elsewhere in the page, and ends
 * @protector: another thread
 */
struct armed {
	unsigned char *area;
	int fd;
	pthread_t writer;
	atomic_bool ending;
	pthread_t protector;
};

FIXTURE(late_flush) {
	struct memsync *ms;
	struct pair pair;
	struct armed armed;
};

static bool arm(struct armed *armed)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)armed->area, .len = 2 * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	armed->fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return armed->fd >= 0 && !ioctl(armed->fd, UFFDIO_API, &api) &&
	       !ioctl(armed->fd, UFFDIO_REGISTER, &reg);
}

static int protect(const struct armed *armed, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)armed->area, .len = 2 * PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(armed->fd, UFFDIO_WRITEPROTECT, &wp);
}

FIXTURE_SETUP(late_flush)
{
	unsigned char *area;

	stay_on(0);
	area = mmap((void *)(BORDER - PAGE), 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ((void *)(BORDER - PAGE), area);
	self->armed.area = area;
	memory_fill_all(area, 2 * PAGE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), area, 2 * PAGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(arm(&self->armed));
}

FIXTURE_TEARDOWN(late_flush)
{
	park_end("before");
	close(self->armed.fd);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->armed.area, 2 * PAGE);
}

/* Nothing else comes to run on its CPU, and with it another translation for all. */
static void *write_on(void *arg)
{
	struct armed *armed = arg;
	struct sched_param first = { .sched_priority = 1 };
	volatile unsigned char *at = armed->area;

	stay_on(1);
	sched_setscheduler(0, SCHED_FIFO, &first);
	while (!atomic_load(&armed->ending))
		at[0]++;
	at[1] = 0;
	return NULL;
}

static void *protect_all(void *armed)
{
	park_next("before");
	protect(armed, true);
	return NULL;
}

/* Until the first page is protected; the protector waits before it comes to the second. */
static const char *await_first(const struct armed *armed)
{
	const char *why = park_await("before");

	if (why)
		return why;
	park_next("before");
	why = park_await("before");
	if (!why && !(pagemap_entry(armed->area) & PAGEMAP_UFFD_WP))
		why = "not protected";
	return why;
}

TEST_F(late_flush, of_a_userfaultfd)
{
	struct armed *armed = &self->armed;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	pthread_create(&armed->writer, NULL, write_on, armed);
	usleep(20000);
	ASSERT_OK(pair_sync(&self->pair));
	usleep(20000);
	pthread_create(&armed->protector, NULL, protect_all, armed);
	ASSERT_OK(await_first(armed));
	ASSERT_OK(pair_sync(&self->pair));
	/* By an old translation, or else it waits for the protection to be lifted. */
	atomic_store(&armed->ending, true);
	usleep(20000);
	EXPECT_OK(park_end("before"));
	pthread_join(armed->protector, NULL);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, protect(armed, false));
	pthread_join(armed->writer, NULL);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_HARNESS_MAIN
