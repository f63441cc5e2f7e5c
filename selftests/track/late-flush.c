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
#include "test.h"

#define BORDER		(1UL << 46)	/* where one of 512 GiB ends and nothing is mapped */
#define UFFD_WP		(1ULL << 57)	/* in an entry of pagemap */

enum { WRITES, LAST, ENDED };

FIXTURE(late_flush) {
	struct memsync *ms;
	struct pair pair;
	unsigned char *area;	/* a page on either side of the border */
	int uffd;
	pthread_t writer;
	atomic_int state;	/* of it */
	pthread_t protector;
	atomic_bool protected;
};

static bool arm(FIXTURE_DATA(late_flush) *self)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)self->area, .len = 2 * PAGE },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};

	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	return self->uffd >= 0 && !ioctl(self->uffd, UFFDIO_API, &api) &&
	       !ioctl(self->uffd, UFFDIO_REGISTER, &reg);
}

static int protect(FIXTURE_DATA(late_flush) *self, bool on)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)self->area, .len = 2 * PAGE },
		.mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};

	return ioctl(self->uffd, UFFDIO_WRITEPROTECT, &wp);
}

FIXTURE_SETUP(late_flush)
{
	stay_on(0);
	self->area = mmap((void *)(BORDER - PAGE), 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ((void *)(BORDER - PAGE), self->area);
	memory_fill_all(self->area, 2 * PAGE, 1);
	ASSERT_OK(pair_net(&self->ms));
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, 2 * PAGE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_TRUE(arm(self));
}

FIXTURE_TEARDOWN(late_flush)
{
	delay_put("before", 0);
	close(self->uffd);
	pair_stop(&self->pair);
	memsync_close(self->ms);
	munmap(self->area, 2 * PAGE);
}

/* Nothing else comes to run on its CPU, and with it another translation for all. */
static void *write_on(void *arg)
{
	FIXTURE_DATA(late_flush) *self = arg;
	struct sched_param first = { .sched_priority = 1 };
	volatile unsigned char *at = self->area;

	stay_on(1);
	sched_setscheduler(0, SCHED_FIFO, &first);
	while (atomic_load(&self->state) == WRITES)
		at[0]++;
	at[1] = 0;
	atomic_store(&self->state, ENDED);
	return NULL;
}

static void *protect_slowly(void *arg)
{
	FIXTURE_DATA(late_flush) *self = arg;

	protect(self, true);
	atomic_store(&self->protected, true);
	return NULL;
}

static bool is_protected(const unsigned char *page)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), (uintptr_t)page / PAGE * sizeof(entry)) !=
	    sizeof(entry))
		entry = 0;
	close(pagemap);
	return entry & UFFD_WP;
}

TEST_F(late_flush, of_a_userfaultfd)
{
	unsigned int ms = sized(1500, 6000), tries = 3 * ms;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	pthread_create(&self->writer, NULL, write_on, self);
	usleep(20000);
	ASSERT_OK(pair_sync(&self->pair));
	usleep(20000);
	ASSERT_EQ(0, delay_put("before", ms * 1000));
	pthread_create(&self->protector, NULL, protect_slowly, self);
	while (!is_protected(self->area) && --tries)
		usleep(1000);
	delay_put("before", 0);
	ASSERT_OK(pair_sync(&self->pair));
	/* By an old translation, or else it waits for the protection to be lifted. */
	atomic_store(&self->state, LAST);
	usleep(20000);
	EXPECT_FALSE(atomic_load(&self->protected));
	pthread_join(self->protector, NULL);
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, protect(self, false));
	pthread_join(self->writer, NULL);
	ASSERT_OK(pair_sync_compare(&self->pair));
}

TEST_HARNESS_MAIN
