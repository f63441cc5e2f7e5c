/* SPDX-License-Identifier: GPL-2.0 */
/* UFFDIO_MOVE, of 6.8: the C library's headers may be older. */
#ifndef _SELFTESTS_USERFAULT_MOVE_H
#define _SELFTESTS_USERFAULT_MOVE_H

#include <linux/userfaultfd.h>

#ifndef UFFDIO_MOVE

struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};

#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffdio_move)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES	(1 << 1)
#define UFFD_FEATURE_MOVE	(1 << 16)
#endif

#endif /* _SELFTESTS_USERFAULT_MOVE_H */
