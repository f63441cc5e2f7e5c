/* SPDX-License-Identifier: GPL-2.0 */
/* For the one file of a test program: the kernel's harness, and pairs. */
#ifndef _SELFTESTS_TEST_H
#define _SELFTESTS_TEST_H

#include <kselftest_harness.h>

#include "pair.h"

/* Under emulation, and on the debug kernel, a test takes its time. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	1200

/* Fails the test with the sentence that @call returned. */
#define ASSERT_OK(call) do {					\
	const char *__why = (call);				\
	if (__why)						\
		TH_LOG("%s: %s", #call, __why);			\
	ASSERT_EQ(NULL, __why);					\
} while (0)

#define EXPECT_OK(call) do {					\
	const char *__why = (call);				\
	if (__why)						\
		TH_LOG("%s: %s", #call, __why);			\
	EXPECT_EQ(NULL, __why);					\
} while (0)

#endif /* _SELFTESTS_TEST_H */
