// SPDX-License-Identifier: GPL-2.0
/*
 * holder FD SIZE: maps so much of FD, or private memory if FD is -1; writes the
 * address to stdout and waits for its end.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uint64_t addr;
	size_t size;
	int fd;

	if (argc != 3)
		return 2;
	fd = atoi(argv[1]);
	size = strtoul(argv[2], NULL, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	addr = (uintptr_t)mmap(NULL, size, PROT_READ | PROT_WRITE,
			       fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED,
			       fd, 0);
	if (addr == (uintptr_t)MAP_FAILED || write(STDOUT_FILENO, &addr, sizeof(addr)) < 0)
		return 1;
	close(STDOUT_FILENO);
	for (;;)
		pause();
}
