// SPDX-License-Identifier: GPL-2.0
/* holder FD: maps all of FD, writes the address to stdout, waits for its end. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct stat st;
	uint64_t addr;
	int fd;

	fd = argc == 2 ? atoi(argv[1]) : -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fstat(fd, &st))
		return 1;
	addr = (uintptr_t)mmap(NULL, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (addr == (uintptr_t)MAP_FAILED || write(STDOUT_FILENO, &addr, sizeof(addr)) < 0)
		return 1;
	close(STDOUT_FILENO);
	for (;;)
		pause();
}
