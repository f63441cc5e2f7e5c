// SPDX-License-Identifier: GPL-2.0
/*
 * memcmp-procs PID1 ADDR1 PID2 ADDR2 LENGTH [ADDR1 ADDR2 LENGTH]…
 *
 * Compares the memory of two processes; PID2 may be a file's path instead.
 * What is not mapped reads as zeros. Exit status 0: equal; 1: not, and the
 * first difference is printed; 2: could not tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE	4096UL
#define CHUNK	(1UL << 20)

struct memory {
	const char *name;
	int fd;
	int is_file;
	unsigned char buf[CHUNK] __attribute__((aligned(sizeof(uint64_t))));
};

static struct memory a, b;

static int open_memory(struct memory *m, const char *name)
{
	char path[64];

	m->name = name;
	m->is_file = name[strspn(name, "0123456789")] != 0;
	if (m->is_file)
		m->fd = open(name, O_RDONLY);
	else
		m->fd = snprintf(path, sizeof(path), "/proc/%s/mem", name) < 0 ? -1 :
			open(path, O_RDONLY);
	if (m->fd < 0)
		perror(name);
	return m->fd < 0;
}

/* How much can be read as the process could itself, many pages at a time. */
static size_t read_many(const struct memory *m, unsigned long addr, size_t length)
{
	struct iovec to = { (void *)m->buf, length }, from = { (void *)addr, length };
	ssize_t n = m->is_file ? 0 : process_vm_readv(atoi(m->name), &to, 1, &from, 1, 0);

	return n > 0 ? n : 0;
}

static int read_memory(struct memory *m, unsigned long addr, size_t length)
{
	size_t done = read_many(m, addr, length);

	while (done < length) {
		ssize_t n = pread(m->fd, m->buf + done, length - done, addr + done);

		if (n > 0) {
			done += n;
			continue;
		}
		if (m->is_file || n == 0 || errno != EIO) {
			fprintf(stderr, "%s: 0x%lx: %s\n", m->name, addr + done,
				n ? strerror(errno) : "ends there");
			return -1;
		}
		n = PAGE - (addr + done) % PAGE;
		if ((size_t)n > length - done)
			n = length - done;
		memset(m->buf + done, 0, n);
		done += n;
	}
	return 0;
}

/* Under emulation several times as fast as memcmp(), whose vectors are emulated too. */
static int same(size_t length)
{
	const uint64_t *x = (const void *)a.buf, *y = (const void *)b.buf;
	uint64_t difference = 0;
	size_t i;

	for (i = 0; i < length / sizeof(*x); i++)
		difference |= x[i] ^ y[i];
	return !difference && !memcmp(a.buf + i * sizeof(*x), b.buf + i * sizeof(*x),
				      length - i * sizeof(*x));
}

static int compare(unsigned long at1, unsigned long at2, size_t length)
{
	size_t n, i;

	for (; length; length -= n, at1 += n, at2 += n) {
		n = length < CHUNK ? length : CHUNK;
		if (read_memory(&a, at1, n) || read_memory(&b, at2, n))
			return 2;
		if (same(n))
			continue;
		for (i = 0; a.buf[i] == b.buf[i]; i++)
			;
		printf("%s:0x%lx is %02x, %s:0x%lx is %02x\n", a.name, at1 + i, a.buf[i], b.name,
		       at2 + i, b.buf[i]);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int i, err = 0;

	if (argc < 6 || (argc - 6) % 3) {
		fprintf(stderr, "usage: %s PID1 %s\n", argv[0],
			"ADDR1 PID2|FILE ADDR2 LENGTH [ADDR1 ADDR2 LENGTH]...");
		return 2;
	}
	if (open_memory(&a, argv[1]) || open_memory(&b, argv[3]))
		return 2;
	err = compare(strtoul(argv[2], NULL, 0), strtoul(argv[4], NULL, 0),
		      strtoul(argv[5], NULL, 0));
	for (i = 6; i < argc && !err; i += 3)
		err = compare(strtoul(argv[i], NULL, 0), strtoul(argv[i + 1], NULL, 0),
			      strtoul(argv[i + 2], NULL, 0));
	return err;
}
