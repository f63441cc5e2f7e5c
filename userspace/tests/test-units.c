// SPDX-License-Identifier: GPL-2.0
/* Numbers with units. */
#include "../memsyncctl/units.h"
#include "tap.h"

static struct problem p;

static void bytes_are(const char *text, uint64_t wanted)
{
	uint64_t value = 0;
	bool ok = !unit_read_bytes(text, "size", &value, &p) && value == wanted;

	if (!CHECK(ok, text))
		printf("# got %llu\n", (unsigned long long)value);
}

static void bytes_fail(const char *text, const char *why)
{
	uint64_t value;

	CHECK(unit_read_bytes(text, "size", &value, &p) && strstr(p.text, why), text);
}

static void time_is(const char *text, uint64_t wanted)
{
	uint64_t ns = 0;

	CHECK(!unit_read_time(text, "--interval", &ns, &p) && ns == wanted, text);
}

static void time_fails(const char *text)
{
	uint64_t ns;

	CHECK(unit_read_time(text, "--interval", &ns, &p) == -1, text);
}

static void test_read(void)
{
	bytes_are("0", 0);
	bytes_are("4096", 4096);
	bytes_are("0x1000", 4096);
	bytes_are("0X1f", 31);
	bytes_are("010", 10);
	bytes_are("4K", 4096);
	bytes_are("4k", 4096);
	bytes_are("0x10M", 16 << 20);
	bytes_are("2G", 2ULL << 30);
	bytes_are("1T", 1ULL << 40);
	bytes_are("18446744073709551615", UINT64_MAX);
	bytes_fail("18446744073709551616", "too large");
	bytes_fail("17179869184G", "too large");
	bytes_fail("-1", "no number");
	bytes_fail("+1", "no number");
	bytes_fail(" 1", "no number");
	bytes_fail("", "no number");
	bytes_fail("0x", "no number");
	bytes_fail("0x-1", "no number");
	bytes_fail("K", "no number");
	bytes_fail("1KB", "no number");
	bytes_fail("1.5G", "no number");
	bytes_fail("12f", "no number");
}

static void test_time(void)
{
	int ms;

	time_is("10ms", 10000000);
	time_is("500us", 500000);
	time_is("1.5s", 1500000000);
	time_is("0.25ms", 250000);
	time_fails("10");
	time_fails("ms");
	time_fails("-1s");
	time_fails("1h");
	time_fails("1e3s");
	time_fails("nan s");
	time_fails("99999999999999999999s");
	CHECK(!unit_read_timeout("30", &ms, "--timeout", &p) && ms == 30000,
	      "a timeout without a unit is seconds");
	CHECK(!unit_read_timeout("0.5", &ms, "--timeout", &p) && ms == 500, "and may have parts");
	CHECK(!unit_read_timeout("250ms", &ms, "--timeout", &p) && ms == 250, "or a unit");
	CHECK(!unit_read_timeout("0", &ms, "--timeout", &p) && !ms, "or be none");
	CHECK(unit_read_timeout("forever", &ms, "--timeout", &p), "a word is no timeout");
	CHECK(unit_read_timeout("1e9", &ms, "--timeout", &p), "nor is an exponent");
	CHECK(unit_read_timeout("99999999", &ms, "--timeout", &p), "nor are years");
}

static void test_interval(void)
{
	uint64_t ns;

	CHECK(!unit_read_interval("10ms", &ns, &p) && ns == 10000000, "an interval");
	CHECK(unit_read_interval("100ns", &ns, &p), "one that is too short");
	CHECK(unit_read_interval("2min", &ns, &p), "one that is too long");
}

static void test_write(void)
{
	char text[UNIT_TEXT];

	CHECK_SAME(unit_bytes(text, 0), "0 B", "no bytes");
	CHECK_SAME(unit_bytes(text, 1023), "1023 B", "bytes");
	CHECK_SAME(unit_bytes(text, 4096), "4.0 KiB", "KiB");
	CHECK_SAME(unit_bytes(text, 1048575), "1.0 MiB", "rounded up to the next unit");
	CHECK_SAME(unit_bytes(text, 268435456), "256.0 MiB", "MiB");
	CHECK_SAME(unit_bytes(text, UINT64_MAX), "16.0 EiB", "all there are");
	CHECK_SAME(unit_time(text, 999), "999 ns", "ns");
	CHECK_SAME(unit_time(text, 1500), "1.5 us", "us");
	CHECK_SAME(unit_time(text, 12345678), "12.3 ms", "ms");
	CHECK_SAME(unit_time(text, 2500000000ULL), "2.5 s", "s");
	CHECK_SAME(unit_time(text, 3600000000000ULL), "60 min", "min");
}

int main(void)
{
	test_read();
	test_time();
	test_interval();
	test_write();
	return tap_done();
}
