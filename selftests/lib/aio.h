/* SPDX-License-Identifier: GPL-2.0 */
/* One request of the kernel's asynchronous I/O, io_submit(2). */
#ifndef _SELFTESTS_AIO_H
#define _SELFTESTS_AIO_H

#include <linux/aio_abi.h>
#include <stddef.h>
#include <sys/types.h>

/* @op: IOCB_CMD_PREAD or IOCB_CMD_PWRITE. 0, or -errno. */
int aio_begin(aio_context_t *context, int op, int fd, void *buffer, size_t size, off_t at);
/* Waits for it: its result, or -errno. To be called once for each that was begun. */
long aio_end(aio_context_t context);

#endif /* _SELFTESTS_AIO_H */
