// SPDX-License-Identifier: GPL-2.0
/* Memory that a KVM guest writes, too: by page tables that nobody protects. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "delay.h"
#include "test.h"

#define SIZE		(64 * MIB)
#define STEP		2			/* pages: those in a row are left writable */
#define WRITTEN		(SIZE / PAGE / STEP * 2 / 3)	/* the guest writes this one of these */
#define HOLD_MOST	2048UL			/* pages: no hold of the mmap lock finds more */
#define CODE_AT		0UL			/* guest-physical */
#define WRITTEN_AT	0x1000UL
#define BYTE		10			/* of the page */
#define POLLS		3000			/* of 10 ms */

/* Real mode: incb WRITTEN_AT + BYTE; hlt; jmp to the beginning */
static const unsigned char code[] = { 0xfe, 0x06, BYTE, WRITTEN_AT >> 8, 0xf4, 0xeb, 0xf9 };

/**
 * struct guest - a virtual machine that writes a byte whenever it runs
 * @kvm: descriptors
 * @vm: the last of these that is closed ends it
 * @cpu: its only one
 * @code: what it runs
 * @byte: what it increments
 */
struct guest {
	int kvm;
	int vm;
	int cpu;
	unsigned char *code;
	unsigned char *byte;
};

FIXTURE(guest) {
	struct memsync *ms;
	struct pair pair;
	struct guest guest;
	unsigned char *area;
	unsigned char *page;	/* that the guest writes */
	unsigned char *code;	/* outside of the region */
};

FIXTURE_SETUP(guest)
{
	self->guest = (struct guest) { .kvm = -1, .vm = -1, .cpu = -1 };
	if (system("modprobe -q kvm_amd || modprobe -q kvm_intel"))
		SKIP(return, "no KVM: neither kvm_amd nor kvm_intel can be loaded");
	self->guest.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (self->guest.kvm < 0)
		SKIP(return, "/dev/kvm: %s", strerror(errno));
	self->area = memory_new(SIZE);
	self->code = memory_new(PAGE);
	ASSERT_NE(NULL, self->area);
	ASSERT_NE(NULL, self->code);
	self->page = self->area + WRITTEN * STEP * PAGE;
	memory_fill(self->area, SIZE, 1);
	memcpy(self->code, code, sizeof(code));
	ASSERT_OK(pair_net(&self->ms));
}

static void put_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void guest_end(struct guest *guest)
{
	put_fd(&guest->cpu);
	put_fd(&guest->vm);
}

FIXTURE_TEARDOWN(guest)
{
	delay_put("protected", 0);
	guest_end(&self->guest);
	put_fd(&self->guest.kvm);
	pair_stop(&self->pair);
	memsync_close(self->ms);
}

static int guest_map(struct guest *guest, unsigned int slot, uint64_t at, unsigned char *page)
{
	struct kvm_userspace_memory_region memory = {
		.slot = slot,
		.guest_phys_addr = at,
		.memory_size = PAGE,
		.userspace_addr = (uintptr_t)page,
	};

	return ioctl(guest->vm, KVM_SET_USER_MEMORY_REGION, &memory);
}

static int guest_set_start(struct guest *guest)
{
	struct kvm_regs regs = { .rip = CODE_AT, .rflags = 2 };
	struct kvm_sregs sregs;

	if (ioctl(guest->cpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	return ioctl(guest->cpu, KVM_SET_SREGS, &sregs) ?: ioctl(guest->cpu, KVM_SET_REGS, &regs);
}

static const char *guest_new(struct guest *guest, unsigned char *code_page, unsigned char *page)
{
	guest->code = code_page;
	guest->byte = page + BYTE;
	guest->vm = ioctl(guest->kvm, KVM_CREATE_VM, 0);
	if (guest->vm < 0)
		return pair_fail("no VM: %s", strerror(errno));
	if (guest_map(guest, 0, CODE_AT, code_page) || guest_map(guest, 1, WRITTEN_AT, page))
		return pair_fail("no memory for the VM: %s", strerror(errno));
	guest->cpu = ioctl(guest->vm, KVM_CREATE_VCPU, 0);
	if (guest->cpu < 0 || guest_set_start(guest))
		return pair_fail("no CPU for the VM: %s", strerror(errno));
	return NULL;
}

/* Until it halts. Returns whether it has written. */
static bool guest_run(struct guest *guest)
{
	unsigned char before = *guest->byte;

	return !ioctl(guest->cpu, KVM_RUN, 0) && *guest->byte != before;
}

/*
 * KVM's fault has marked the page accessed. A batch of this CPU holds it for that, and it is
 * taken for dirty meanwhile; advice about any other page empties the batch.
 */
static void put_batch(struct guest *guest)
{
	madvise(guest->code, PAGE, MADV_COLD);
}

static int try_register(struct memsync *ms, unsigned char *area, uint32_t *id)
{
	struct memsync_range range = {
		.start = (uintptr_t)area,
		.end = (uintptr_t)area + SIZE,
	};
	struct memsync_register_opts opts = {
		.size = sizeof(opts),
		.name = "guest",
		.role = MEMSYNC_ROLE_SOURCE,
		.pid = getpid(),
		.ranges = &range,
		.nr_ranges = 1,
	};

	return memsync_register(ms, &opts, id);
}

/* Not even where the guest has other memory of the process. */
TEST_F(guest, refused)
{
	uint32_t id;

	ASSERT_OK(guest_new(&self->guest, self->code, self->page));
	EXPECT_TRUE(guest_run(&self->guest));
	EXPECT_EQ(-EOPNOTSUPP, try_register(self->ms, self->area, &id));
	TH_LOG("%s", memsync_error(self->ms));
	EXPECT_NE(NULL, strstr(memsync_error(self->ms), "KVM"));
	guest_end(&self->guest);
	ASSERT_EQ(0, try_register(self->ms, self->area, &id));
	ASSERT_EQ(0, memsync_unregister(self->ms, id));
}

/* It has ended, for this reason. */
static const char *wait_ended(struct pair *pair)
{
	char reason[MEMSYNC_REASON_MAX + 1];
	const char *why;

	why = pair_wait_state(pair, pair->source, MEMSYNC_REGION_GONE, reason, sizeof(reason));
	if (!why && !strstr(reason, "KVM"))
		why = pair_fail("the region ended for another reason: %s", reason);
	return why;
}

TEST_F(guest, acquired_later)
{
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_OK(guest_new(&self->guest, self->code, self->page));
	EXPECT_TRUE(guest_run(&self->guest));
	EXPECT_NE(NULL, pair_sync(&self->pair));
	ASSERT_OK(wait_ended(&self->pair));
}

enum stage {
	STAGE_WAITING,		/* nothing of the pass is done */
	STAGE_BEFORE,		/* it has not come near the guest's page */
	STAGE_NEAR,
	STAGE_BEHIND,		/* it has shipped the page */
	STAGE_OVER,		/* or the region has ended */
};

/* Of the pass that was to come when the region's figures were @start. */
static enum stage stage_of(struct pair *pair, const struct memsync_stats *start)
{
	struct memsync_region *region = pair_region(pair, pair->source);
	enum stage stage = STAGE_OVER;
	uint64_t found, shipped;

	if (region && region->state != MEMSYNC_REGION_GONE &&
	    region->stats.passes == start->passes) {
		found = region->stats.harvested_pages - start->harvested_pages;
		shipped = region->stats.shipped_pages - start->shipped_pages;
		if (shipped > WRITTEN)
			stage = STAGE_BEHIND;
		else if (found + HOLD_MOST > WRITTEN)
			stage = STAGE_NEAR;
		else
			stage = found ? STAGE_BEFORE : STAGE_WAITING;
	}
	free(region);
	return stage;
}

static void wait_begun(struct pair *pair, const struct memsync_stats *start)
{
	unsigned int polls;

	for (polls = 0; polls < POLLS && stage_of(pair, start) == STAGE_WAITING; polls++)
		usleep(10000);
}

/*
 * Has the guest write before the pass comes to its page, which KVM's tables know from then
 * on, and again when the pass has shipped it. Returns whether both came in time.
 */
static bool write_behind(struct pair *pair, const struct memsync_stats *start,
			 struct guest *guest)
{
	bool before = false, behind = false;
	unsigned int polls;

	for (polls = 0; polls < POLLS && !behind; polls++) {
		enum stage stage = stage_of(pair, start);
		bool written;

		if (stage == STAGE_OVER)
			break;
		written = guest_run(guest);
		put_batch(guest);
		behind = written && stage == STAGE_BEHIND;
		before |= written && stage_of(pair, start) == STAGE_BEFORE;
		usleep(10000);
	}
	return before && behind;
}

static void write_all(unsigned char *area)
{
	unsigned long at;

	for (at = 0; at < SIZE; at += STEP * PAGE)
		area[at]++;
}

/* One pass, in which much is dirty, and a guest that lives for some of it. */
static const char *live_within_a_pass(struct pair *pair, struct guest *guest,
				      unsigned char *code_page, unsigned char *page, bool *reached)
{
	struct memsync_stats start = pair_stats(pair);
	const char *why;

	delay_put("protected", 300000);
	if (memsync_resume(pair->ms, pair->source))
		return memsync_error(pair->ms);
	wait_begun(pair, &start);
	why = guest_new(guest, code_page, page);
	if (!why)
		*reached = write_behind(pair, &start, guest);
	guest_end(guest);
	*reached &= stage_of(pair, &start) == STAGE_BEHIND;
	delay_put("protected", 0);
	return why;
}

/* Every byte is there, or the region has ended. */
static const char *compare_or_ended(struct pair *pair, bool *ended)
{
	*ended = pair_sync(pair);
	return *ended ? wait_ended(pair) : pair_compare(pair);
}

/* Runs its guest whenever it is asked, by a byte; ends when nobody asks any more. */
static __attribute__((noreturn)) void keep_guest(struct guest *guest, unsigned char *code_page,
						 unsigned char *page, int asked, int done)
{
	char byte;

	if (guest_new(guest, code_page, page))
		_exit(1);
	while (read(asked, &byte, 1) == 1)
		if (!guest_run(guest) || write(done, &byte, 1) != 1)
			_exit(2);
	_exit(0);
}

/* Who is not watched has the same memory in a guest, whose writes meet no fault. */
TEST_F(guest, of_another_process)
{
	unsigned char *shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int asked[2], done[2], status;
	unsigned int round;
	pid_t pid;
	char byte = 0;

	ASSERT_NE(MAP_FAILED, shared);
	memory_fill(shared, SIZE, 2);
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), shared, SIZE));
	ASSERT_OK(pair_sync_compare(&self->pair));
	ASSERT_EQ(0, pipe(asked) || pipe(done));
	pid = fork();
	if (!pid) {
		close(asked[1]);
		close(done[0]);
		keep_guest(&self->guest, self->code, shared + 100 * PAGE, asked[0], done[1]);
	}
	close(asked[0]);
	close(done[1]);
	for (round = 0; round < 8; round++) {
		ASSERT_EQ(1, write(asked[1], &byte, 1));
		ASSERT_EQ(1, read(done[0], &byte, 1));
		ASSERT_OK(pair_sync_compare(&self->pair));
		if (round % 2)
			shared[(90 + round) * PAGE]++;
	}
	close(asked[1]);
	close(done[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
}

/* A pass holds the mmap lock several times, and the guest is gone by the last. */
TEST_F(guest, gone_before_the_pass_ends)
{
	bool reached = false, ended = false;
	unsigned int round;

	if (!delays_built())
		SKIP(return, "only a build for tests can be made to wait");
	ASSERT_OK(pair_start(&self->pair, self->ms, getpid(), self->area, SIZE));
	for (round = 0; round < 4 && !reached && !ended; round++) {
		ASSERT_OK(pair_sync(&self->pair));
		ASSERT_EQ(0, memsync_pause(self->ms, self->pair.source));
		write_all(self->area);
		ASSERT_OK(live_within_a_pass(&self->pair, &self->guest, self->code, self->page,
					     &reached));
		ASSERT_OK(compare_or_ended(&self->pair, &ended));
	}
	if (!reached && !ended)
		SKIP(return, "the guest was never there in time");
}

TEST_HARNESS_MAIN
