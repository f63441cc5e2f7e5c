// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "aio.h"

int aio_begin(aio_context_t *context, int op, int fd, void *buffer, size_t size, off_t at)
{
	struct iocb iocb = {
		.aio_lio_opcode = op,
		.aio_fildes = fd,
		.aio_buf = (uintptr_t)buffer,
		.aio_nbytes = size,
		.aio_offset = at,
	};
	struct iocb *requests[] = { &iocb };
	int err;

	*context = 0;
	if (syscall(SYS_io_setup, 1, context))
		return -errno;
	if (syscall(SYS_io_submit, *context, 1, requests) == 1)
		return 0;
	err = -errno;
	syscall(SYS_io_destroy, *context);
	return err;
}

long aio_end(aio_context_t context)
{
	struct io_event done;
	long ret = syscall(SYS_io_getevents, context, 1, 1, &done, NULL) == 1 ? done.res : -errno;

	syscall(SYS_io_destroy, context);
	return ret;
}
