// SPDX-License-Identifier: GPL-2.0
/* /proc/PID/maps and smaps. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../memsyncctl/maps.h"
#include "tap.h"

static const char smaps[] =
"55d0c0000000-55d0c0021000 rw-p 00000000 00:00 0                          [heap]\n"
"Size:                132 kB\n"
"Anonymous:             4 kB\n"
"VmFlags: rd wr mr mw me ac sd\n"
"7f0000000000-7f0000200000 rw-p 00000000 00:0f 1234                       /anon_hugepage (deleted)\n"
"VmFlags: rd wr mr mw me de ht sd\n"
"7f0000400000-7f0000401000 rw-s 00000000 00:01 5                          /dev/shm/a b (deleted)\n"
"VmFlags: rd wr sh mr mw me ms sd\n"
"7f0000500000-7f0000501000 rw-p 00001000 08:01 77                         /usr/lib/x\\012y.so\n"
"VmFlags: rd wr mr mw me ac sd\n"
"7f0000600000-7f0000601000 rw-p 00000000 00:00 0\n"
"VmFlags: rd wr mr mw me ac um sd\n"
"7f0000700000-7f0000701000 rw-p 00000000 00:00 0                          [anon:glibc: malloc]\n"
"VmFlags: rd wr mr mw me ac sd\n"
"7f0000800000-7f0000801000 rw-p 00000000 00:00 0\n"
"VmFlags: rd wr mr mw me pf io dd\n"
"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
"VmFlags: rd wr mr mw me gd ac\n"
"7ffc00100000-7ffc00104000 r--p 00000000 00:00 0                          [vvar]\n"
"VmFlags: rd mr pf io de dd\n"
"7ffc00104000-7ffc00106000 r-xp 00000000 00:00 0                          [vdso]\n"
"VmFlags: rd ex mr mw me de\n"
"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
"VmFlags: ex\n";

static void refused(const struct mapping *m, const char *why, const char *what)
{
	const char *got = mapping_refusal(m);

	if (why)
		CHECK_SAME(got, why, what);
	else
		CHECK(!got, what);
}

static void test_parse(void)
{
	FILE *file = fmemopen((void *)smaps, sizeof(smaps) - 1, "r");
	struct maps maps;

	CHECK(!maps_parse(file, &maps) && maps.nr == 11, "all mappings are read");
	fclose(file);
	CHECK(maps.items[0].start == 0x55d0c0000000 && maps.items[0].end == 0x55d0c0021000,
	      "addresses");
	CHECK(maps.items[0].writable && !maps.items[0].shared, "permissions");
	CHECK(!maps.items[8].writable, "and what is not permitted");
	CHECK(maps.items[10].start == 0xffffffffff600000, "the highest address");
	CHECK_SAME(maps.items[2].name, "/dev/shm/a b", "a deleted path with a space");
	CHECK_SAME(maps.items[3].name, "/usr/lib/x\ny.so", "a path with a newline");
	CHECK_SAME(maps.items[4].name, "", "no path");
	refused(&maps.items[0], NULL, "the heap can be tracked");
	refused(&maps.items[1], NULL, "hugetlb may");
	refused(&maps.items[2], NULL, "shared memory may");
	refused(&maps.items[3], NULL, "a file may");
	refused(&maps.items[4], NULL, "private memory under a userfaultfd may");
	maps.items[4].shared = true;
	refused(&maps.items[4], "armed with userfaultfd", "shared memory under one cannot");
	maps.items[4].shared = false;
	CHECK(mapping_doubtful(&maps.items[4]) && mapping_doubtful(&maps.items[2]) &&
	      mapping_doubtful(&maps.items[1]) && !mapping_doubtful(&maps.items[0]),
	      "of some only the module knows");
	refused(&maps.items[5], NULL, "named anonymous memory can");
	refused(&maps.items[6], "device memory", "a device cannot");
	refused(&maps.items[7], NULL, "the stack can");
	refused(&maps.items[8], "device memory", "vvar cannot");
	refused(&maps.items[9], "special mapping", "the vdso cannot");
	CHECK(mapping_anonymous(&maps.items[5]) && mapping_anonymous(&maps.items[1]) &&
	      !mapping_anonymous(&maps.items[3]) && !mapping_anonymous(&maps.items[2]),
	      "what is anonymous");
	maps_free(&maps);
}

static void test_live(void)
{
	char *memory = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	uint64_t at = (uintptr_t)memory;
	struct problem p = { };
	struct maps maps;

	munmap(memory + 4096, 4096);
	CHECK(!maps_read(getpid(), true, &maps, &p), "this process's smaps");
	CHECK(maps.nr && maps.items[0].flags[0], "with flags");
	CHECK(maps_cover(&maps, at, at + 4096), "a mapped page");
	CHECK(!maps_cover(&maps, at, at + 2 * 4096), "a page that is not");
	maps_free(&maps);
	CHECK(!maps_read(getpid(), false, &maps, &p), "this process's maps");
	CHECK(maps.nr && !maps.items[0].flags[0], "without flags");
	maps_free(&maps);
	CHECK(maps_read(0x7ffffff0, false, &maps, &p) && strstr(p.text, "no process"),
	      "a process that is not there");
	CHECK(p.attr && !strcmp(p.attr, "pid"), "is the fault of --pid");
}

int main(void)
{
	test_parse();
	test_live();
	return tap_done();
}
