// SPDX-License-Identifier: GPL-2.0
/*
 * victim SIZE[,SIZE]… [huge]
 *
 * A process that knows nothing of memsync. Allocates private anonymous memory
 * of these sizes (bytes, suffix K, M or G), prints each as START-END, then
 * obeys one command a line on stdin, answering each with one line: a number,
 * or "ok", or "error: …". Ends with its input.
 *
 *	fill RANGE SEED		all of a range; never zeros
 *	write RANGE PAGE SEED	one page
 *	zero RANGE PAGE NR
 *	dontneed RANGE PAGE NR
 *	unmap RANGE PAGE NR	in the middle or at an end
 *	map RANGE PAGE NR	fresh memory over what is there
 *	map-file RANGE PAGE NR	the same with a private mapping of a file
 *	new MIB			one more range
 *	new-file MIB SEED	one more, a private mapping of a file with fill's content
 *	new-huge MIB SHARED	one more, of hugetlb memory
 *	new-shared MIB SEED	one more, shared, with fill's content
 *	new-secret MIB		one more, of memfd_secret(2)
 *	arm RANGE		puts it under a userfaultfd, which protects nothing of it
 *	widen RANGE NR SEED	by so many pages of what is reserved behind it, filled
 *				unless SEED is 0
 *	move RANGE		to another address
 *	protect RANGE RIGHTS	PROT_* of mmap(2)
 *	heap KIB SEED		grows by so much, which is filled; or shrinks
 *	stack KIB SEED		the same
 *	run THREADS		write at random everywhere until stop, each thread
 *				some ten thousand times a second
 *	run-in RANGE THREADS	the same in one range
 *	stop			answers how many writes were made
 *	faults			answers how many minor faults there were
 *	fork MS			a child that ends after so many milliseconds
 *	touch RANGE		adds one to every page; answers minor faults taken
 *	check RANGE SEED	answers how many pages differ from fill's
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

#define PAGE		4096UL
#define HUGE		(2UL << 20)
#define MAX_RANGES	64
#define MAX_THREADS	16

struct range {
	unsigned char *start;
	size_t size;
};

static struct range ranges[MAX_RANGES];
static atomic_uint nr_ranges;
static pthread_t threads[MAX_THREADS];
static unsigned int nr_threads;
static struct range *only;	/* where they write; NULL: everywhere */
static atomic_bool stopping;
static atomic_ulong writes;

static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void fill_page(unsigned char *page, uint64_t seed)
{
	uint64_t *word = (uint64_t *)page;
	unsigned int i;

	for (i = 0; i < PAGE / sizeof(*word); i++)
		word[i] = random_next(&seed) | 1;
}

static bool page_is(const unsigned char *page, uint64_t seed)
{
	unsigned char should[PAGE];

	fill_page(should, seed);
	return !memcmp(page, should, PAGE);
}

static size_t parse_size(const char *text)
{
	char *end;
	size_t size = strtoul(text, &end, 0);

	switch (*end) {
	case 'K': return size << 10;
	case 'M': return size << 20;
	case 'G': return size << 30;
	}
	return size;
}

/* With a hole behind it, so that ranges are mappings of their own. */
static unsigned char *reserve(size_t size)
{
	char *area = mmap(NULL, size + 2 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return (unsigned char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
}

static void allocate_one(size_t size, bool huge)
{
	struct range *r = &ranges[nr_ranges];

	r->size = size;
	r->start = reserve(size);
	mprotect(r->start, r->size, PROT_READ | PROT_WRITE);
	/* What it may be widened by as well, so that all becomes one mapping. */
	madvise(r->start, r->size + HUGE, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	atomic_store(&nr_ranges, nr_ranges + 1);	/* threads may be writing everywhere */
}

static void allocate(char *sizes, bool huge)
{
	char *size;

	while ((size = strsep(&sizes, ",")) && nr_ranges < MAX_RANGES)
		allocate_one(parse_size(size), huge);
}

static void *write_at_random(void *arg)
{
	uint64_t state = (uintptr_t)arg;
	unsigned long done = 0;

	while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
		uint64_t n = random_next(&state);
		struct range *r = only ? only : &ranges[n % nr_ranges];

		r->start[(n >> 8) % r->size] = n >> 3;
		if (++done % 8 == 0)
			usleep(300);
	}
	atomic_fetch_add(&writes, done);
	return NULL;
}

static void run(unsigned int nr, struct range *in)
{
	only = in;
	atomic_store(&stopping, false);
	for (nr_threads = 0; nr_threads < nr && nr_threads < MAX_THREADS; nr_threads++)
		pthread_create(&threads[nr_threads], NULL, write_at_random,
			       (void *)(uintptr_t)(nr_threads + 1));
}

static unsigned long stop(void)
{
	atomic_store(&stopping, true);
	while (nr_threads)
		pthread_join(threads[--nr_threads], NULL);
	return atomic_load(&writes);
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static long touch(const struct range *r)
{
	long before = faults();
	size_t i;

	for (i = 0; i < r->size; i += PAGE)
		r->start[i]++;
	return faults() - before;
}

static unsigned long check(const struct range *r, uint64_t seed)
{
	unsigned long different = 0;
	size_t i;

	for (i = 0; i < r->size; i += PAGE)
		different += !page_is(r->start + i, seed + i / PAGE);
	return different;
}

static void fill(unsigned char *start, size_t size, uint64_t seed)
{
	size_t i;

	for (i = 0; i < size; i += PAGE)
		fill_page(start + i, seed + i / PAGE);
}

static int widen(struct range *r, size_t length, uint64_t seed)
{
	if (mprotect(r->start + r->size, length, PROT_READ | PROT_WRITE))
		return -1;
	if (seed)
		fill(r->start + r->size, length, seed);
	r->size += length;
	return 0;
}

static int fork_for(unsigned int ms)
{
	pid_t pid = fork();

	if (!pid) {
		usleep(ms * 1000);
		_exit(0);
	}
	return pid < 0 || waitpid(pid, NULL, 0) != pid;
}

static int move(struct range *r)
{
	void *to = mremap(r->start, r->size, r->size, MREMAP_MAYMOVE | MREMAP_FIXED,
			  reserve(r->size));

	if (to == MAP_FAILED)
		return -1;
	r->start = to;
	return 0;
}

static int grow_heap(ssize_t size, uint64_t seed)
{
	uintptr_t start = (uintptr_t)sbrk(0);
	uintptr_t page = (start + PAGE - 1) & ~(PAGE - 1);

	if (size < 0)
		return sbrk(size) == (void *)-1;
	if (sbrk(page - start + size) == (void *)-1)
		return -1;
	fill((unsigned char *)page, size, seed);
	return 0;
}

static void grow_stack(size_t size, uint64_t seed)
{
	unsigned char memory[size + PAGE];

	fill((unsigned char *)(((uintptr_t)memory + PAGE - 1) & ~(PAGE - 1)), size, seed);
	__asm__ volatile("" : : "r"(memory) : "memory");
}

static int map_file(unsigned char *start, size_t length)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	void *at = mmap(start, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);

	close(fd);
	return at == MAP_FAILED;
}

/* Nobody has it open for writing in the end. */
static int new_file(size_t size, uint64_t seed)
{
	char path[] = "/tmp/victim.XXXXXX";
	struct range *r = &ranges[nr_ranges];
	int fd = mkstemp(path), err;

	r->size = size;
	r->start = reserve(size);
	err = ftruncate(fd, size) ||
	      mmap(r->start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
	      MAP_FAILED;
	close(fd);
	if (!err)
		fill(r->start, size, seed);
	fd = open(path, O_RDONLY);
	err = err || mmap(r->start, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
			  0) == MAP_FAILED;
	close(fd);
	if (!err)
		atomic_store(&nr_ranges, nr_ranges + 1);
	return err;
}

static int new_huge(size_t size, bool shared)
{
	struct range *r = &ranges[nr_ranges];

	r->size = size;
	r->start = reserve(size);
	if (mmap(r->start, size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED |
		 (shared ? MAP_SHARED : MAP_PRIVATE), -1, 0) == MAP_FAILED)
		return -1;
	atomic_store(&nr_ranges, nr_ranges + 1);
	return 0;
}

static int new_shared(size_t size, int flags, int fd)
{
	struct range *r = &ranges[nr_ranges];

	r->size = size;
	r->start = reserve(size);
	if (mmap(r->start, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | flags, fd, 0) ==
	    MAP_FAILED)
		return -1;
	atomic_store(&nr_ranges, nr_ranges + 1);
	return 0;
}

static int new_secret(size_t size)
{
	int fd = syscall(SYS_memfd_secret, 0), err;

	if (fd < 0)
		return -1;
	err = ftruncate(fd, size) || new_shared(size, 0, fd);
	close(fd);
	return err;
}

static int arm(const struct range *r)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)r->start, .len = r->size },
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	return fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg);
}

static int map(unsigned char *start, size_t length)
{
	return mmap(start, length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED;
}

static int obey(const char *command, unsigned long *answer, const unsigned long *arg)
{
	struct range *r = &ranges[arg[0] % nr_ranges];
	unsigned char *start = r->start + arg[1] * PAGE;
	size_t length = arg[2] * PAGE;

	*answer = -1UL;
	if (!strcmp(command, "fill")) {
		fill(r->start, r->size, arg[1]);
	} else if (!strcmp(command, "write")) {
		fill_page(start, arg[2]);
	} else if (!strcmp(command, "zero")) {
		memset(start, 0, length);
	} else if (!strcmp(command, "dontneed")) {
		return madvise(start, length, MADV_DONTNEED);
	} else if (!strcmp(command, "unmap")) {
		return munmap(start, length);
	} else if (!strcmp(command, "map")) {
		return map(start, length);
	} else if (!strcmp(command, "map-file")) {
		return map_file(start, length);
	} else if (!strcmp(command, "new")) {
		if (nr_ranges == MAX_RANGES)
			return -1;
		allocate_one(arg[0] << 20, false);
	} else if (!strcmp(command, "new-file")) {
		return nr_ranges == MAX_RANGES || new_file(arg[0] << 20, arg[1]);
	} else if (!strcmp(command, "new-huge")) {
		return nr_ranges == MAX_RANGES || new_huge(arg[0] << 20, arg[1]);
	} else if (!strcmp(command, "new-shared")) {
		if (nr_ranges == MAX_RANGES || new_shared(arg[0] << 20, MAP_ANONYMOUS, -1))
			return -1;
		fill(ranges[nr_ranges - 1].start, arg[0] << 20, arg[1]);
	} else if (!strcmp(command, "new-secret")) {
		return nr_ranges == MAX_RANGES || new_secret(arg[0] << 20);
	} else if (!strcmp(command, "arm")) {
		return arm(r);
	} else if (!strcmp(command, "widen")) {
		return widen(r, arg[1] * PAGE, arg[2]);
	} else if (!strcmp(command, "fork")) {
		return fork_for(arg[0]);
	} else if (!strcmp(command, "move")) {
		return move(r);
	} else if (!strcmp(command, "protect")) {
		return mprotect(r->start, r->size, arg[1]);
	} else if (!strcmp(command, "heap")) {
		return grow_heap((ssize_t)arg[0] * 1024, arg[1]);
	} else if (!strcmp(command, "stack")) {
		grow_stack(arg[0] << 10, arg[1]);
	} else if (!strcmp(command, "run")) {
		run(arg[0], NULL);
	} else if (!strcmp(command, "run-in")) {
		run(arg[1], r);
	} else if (!strcmp(command, "stop")) {
		*answer = stop();
	} else if (!strcmp(command, "faults")) {
		*answer = faults();
	} else if (!strcmp(command, "touch")) {
		*answer = touch(r);
	} else if (!strcmp(command, "check")) {
		*answer = check(r, arg[1]);
	} else {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int i;
	char line[256];

	if (argc < 2) {
		fprintf(stderr, "usage: %s SIZE[,SIZE]... [huge]\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	allocate(argv[1], argc > 2 && !strcmp(argv[2], "huge"));
	for (i = 0; i < nr_ranges; i++)
		printf("0x%lx-0x%lx%s", (long)ranges[i].start,
		       (long)ranges[i].start + ranges[i].size, i + 1 < nr_ranges ? "," : "\n");

	while (fgets(line, sizeof(line), stdin)) {
		unsigned long arg[3] = { }, answer;
		char command[32] = "";

		if (sscanf(line, "%31s %li %li %li", command, (long *)&arg[0], (long *)&arg[1],
			   (long *)&arg[2]) < 1 || obey(command, &answer, arg))
			printf("error: %s\n", strerror(errno));
		else if (answer != -1UL)
			printf("%lu\n", answer);
		else
			printf("ok\n");
	}
	return 0;
}
