// SPDX-License-Identifier: GPL-2.0
/* Numbers with units, read and written. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

const char *unit_bytes(char *text, uint64_t bytes)
{
	static const char * const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = bytes;
	size_t i = 0;

	/* 1023.96 would be printed as 1024.0 */
	while (value >= 1023.95 && i < 6) {
		value /= 1024;
		i++;
	}
	snprintf(text, UNIT_TEXT, i && value < 1000 ? "%.1f %s" : "%.0f %s", value, units[i]);
	return text;
}

const char *unit_time(char *text, uint64_t ns)
{
	if (ns < 1000)
		snprintf(text, UNIT_TEXT, "%u ns", (unsigned int)ns);
	else if (ns < 1000000)
		snprintf(text, UNIT_TEXT, "%.1f us", ns / 1e3);
	else if (ns < 1000000000)
		snprintf(text, UNIT_TEXT, "%.1f ms", ns / 1e6);
	else if (ns < 600 * 1000000000ULL)
		snprintf(text, UNIT_TEXT, "%.1f s", ns / 1e9);
	else
		snprintf(text, UNIT_TEXT, "%.0f min", ns / 60e9);
	return text;
}

/* strtoull() takes signs and spaces and reads a leading 0 as octal. */
static int read_digits(const char *text, const char **end, uint64_t *value)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	const char *digits = base == 16 ? text + 2 : text;
	char *after;

	if (base == 16 ? !isxdigit((unsigned char)*digits) : !isdigit((unsigned char)*digits))
		return -EINVAL;
	errno = 0;
	*value = strtoull(digits, &after, base);
	*end = after;
	return errno ? -ERANGE : 0;
}

int unit_read_u64(const char *text, const char *what, uint64_t *value, struct problem *p)
{
	const char *end;
	int err;

	err = read_digits(text, &end, value);
	if (err == -ERANGE)
		return problem(p, "%s '%s' is too large", what, text);
	if (err || *end)
		return problem(p, "%s '%s' is no number (decimal, or hex with 0x)", what, text);
	return 0;
}

static int suffix_shift(const char *suffix)
{
	static const char letters[] = "KMGT";
	const char *at;

	if (!*suffix)
		return 0;
	at = strchr(letters, toupper((unsigned char)*suffix));
	if (!at || suffix[1])
		return -1;
	return 10 * (at - letters + 1);
}

int unit_read_bytes(const char *text, const char *what, uint64_t *value, struct problem *p)
{
	const char *end;
	int err, shift;

	err = read_digits(text, &end, value);
	if (!err) {
		shift = suffix_shift(end);
		if (shift < 0)
			err = -EINVAL;
		else if (*value > UINT64_MAX >> shift)
			err = -ERANGE;
		else
			*value <<= shift;
	}
	if (err == -ERANGE)
		return problem(p, "%s '%s' is too large", what, text);
	if (err)
		return problem(p, "%s '%s' is no number (decimal or 0x hex, then K, M, G or T)",
			       what, text);
	return 0;
}

static double time_unit(const char *suffix)
{
	if (!strcmp(suffix, "ns"))
		return 1;
	if (!strcmp(suffix, "us"))
		return 1e3;
	if (!strcmp(suffix, "ms"))
		return 1e6;
	if (!strcmp(suffix, "s"))
		return 1e9;
	if (!strcmp(suffix, "m") || !strcmp(suffix, "min"))
		return 60e9;
	return 0;
}

/* "12", "1.5": the number, with *@end after it; -1 is none. */
static double read_decimal(const char *text, const char **end)
{
	double value = 0, place = 1;
	const char *c = text;

	if (!isdigit((unsigned char)*c))
		return -1;
	for (; isdigit((unsigned char)*c); c++)
		value = 10 * value + *c - '0';
	if (*c == '.' && isdigit((unsigned char)c[1]))
		for (c++; isdigit((unsigned char)*c); c++)
			value += (*c - '0') * (place /= 10);
	*end = c;
	return value;
}

int unit_read_time(const char *text, const char *what, uint64_t *ns, struct problem *p)
{
	const char *end = "";
	double value, unit;

	value = read_decimal(text, &end);
	unit = time_unit(end);
	if (value < 0 || !unit)
		return problem(p, "%s '%s' is no time (a number and us, ms or s, such as 10ms)",
			       what, text);
	if (value * unit >= 9e18)
		return problem(p, "%s '%s' is too long", what, text);
	*ns = value * unit + 0.5;
	return 0;
}

int unit_read_interval(const char *text, uint64_t *ns, struct problem *p)
{
	if (unit_read_time(text, "--interval", ns, p))
		return -1;
	if (*ns < 1000 || *ns > 60 * 1000000000ULL)
		return problem(p, "--interval %s is not between 1us and 60s", text);
	return 0;
}

int unit_read_timeout(const char *text, int *ms, const char *what, struct problem *p)
{
	const char *end = "";
	double value, unit;

	value = read_decimal(text, &end);
	unit = *end ? time_unit(end) : 1e9;
	if (value < 0 || !unit)
		return problem(p, "%s '%s' is no number of seconds", what, text);
	if (value * unit / 1e6 >= INT_MAX)
		return problem(p, "%s '%s' is too long: 24 days at most", what, text);
	*ms = value * unit / 1e6 + 0.5;
	return 0;
}
