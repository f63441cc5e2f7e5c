// SPDX-License-Identifier: GPL-2.0
/* The print layer: JSON and text that are safe to show on a terminal. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "out.h"
#include "utf8.h"

const char *out_escape(char *to, size_t size, const char *from)
{
	size_t used = 0;

	for (; *from; from++) {
		unsigned char c = *from;
		bool plain = c >= ' ' && c < 0x7f && c != '\\';

		if (used + (plain ? 1 : 4) >= size)
			break;
		if (plain)
			to[used++] = c;
		else
			used += snprintf(to + used, size - used, "\\x%02x", c);
	}
	to[used] = '\0';
	return to;
}

const char *out_safe(const char *from)
{
	static char texts[8][4 * 256];
	static unsigned int next;

	next = (next + 1) % 8;
	return out_escape(texts[next], sizeof(texts[next]), from);
}

void out_string(struct json_object *obj, const char *key, const char *value)
{
	struct json_object *text = NULL;

	if (value && *value)
		text = json_object_new_string(value);
	json_object_object_add(obj, key, text);
}

void out_number(struct json_object *obj, const char *key, uint64_t value)
{
	json_object_object_add(obj, key, json_object_new_uint64(value));
}

void out_hex(struct json_object *obj, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	out_string(obj, key, text);
}

void out_bool(struct json_object *obj, const char *key, bool value)
{
	json_object_object_add(obj, key, json_object_new_boolean(value));
}

const char *out_iso_time(char text[OUT_TIME_TEXT], uint64_t ns)
{
	time_t seconds = ns / 1000000000;
	struct tm tm = { };
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(text, OUT_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, OUT_TIME_TEXT - len, ".%06uZ",
		 (unsigned int)(ns % 1000000000 / 1000));
	return text;
}

static uint64_t read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

uint64_t out_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t out_monotonic(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

void out_time(struct json_object *obj, const char *key, uint64_t ns)
{
	char text[OUT_TIME_TEXT];

	out_string(obj, key, ns ? out_iso_time(text, ns) : NULL);
}

/*
 * json-c passes on whatever bytes a string has. Only strings hold any beyond
 * ASCII, so these can be replaced in the finished text.
 */
static char *to_ascii(const char *text)
{
	char *ascii = malloc(6 * strlen(text) + 1);
	char *to = ascii;
	uint32_t code;

	if (!ascii)
		return NULL;
	while (*text) {
		if ((unsigned char)*text < 0x7f) {
			*to++ = *text++;
			continue;
		}
		text += utf8_read(text, &code);
		if (code > 0xffff) {
			to += sprintf(to, "\\u%04x", 0xd800 + ((code - 0x10000) >> 10));
			code = 0xdc00 + ((code - 0x10000) & 0x3ff);
		}
		to += sprintf(to, "\\u%04x", code);
	}
	*to = '\0';
	return ascii;
}

char *out_json_text(struct json_object *obj, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE | JSON_C_TO_STRING_SPACED;

	if (pretty)
		flags |= JSON_C_TO_STRING_PRETTY;
	return to_ascii(json_object_to_json_string_ext(obj, flags));
}

static void print_json(struct json_object *obj, bool pretty)
{
	char *text = out_json_text(obj, pretty);

	puts(text ? text : "{ \"error\": \"out of memory\", \"attr\": null }");
	fflush(stdout);
	free(text);
	json_object_put(obj);
}

void out_json(struct json_object *obj)
{
	print_json(obj, true);
}

void out_json_line(struct json_object *obj)
{
	print_json(obj, false);
}

void out_row(const char *label, const char *fmt, ...)
{
	va_list args;

	printf("  %-10s  ", label);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
}
