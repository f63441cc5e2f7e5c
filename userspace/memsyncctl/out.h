/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_OUT_H
#define _CTL_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include <memsync.h>

/*
 * @from with all that could move a terminal's cursor written as \xNN; cut
 * where @size ends. Returns @to.
 */
const char *out_escape(char *to, size_t size, const char *from);
/* The same into one of a few buffers that are used in turn; for printf(). */
const char *out_safe(const char *from);

/* Members of a JSON object; a NULL or empty string is null. */
void out_string(struct json_object *obj, const char *key, const char *value);
void out_number(struct json_object *obj, const char *key, uint64_t value);
void out_hex(struct json_object *obj, const char *key, uint64_t value);
void out_bool(struct json_object *obj, const char *key, bool value);
/* ISO 8601 of nanoseconds since the epoch. */
void out_time(struct json_object *obj, const char *key, uint64_t ns);

/* Both print @obj in ASCII and free it: over several lines, or on one, flushed. */
void out_json(struct json_object *obj);
void out_json_line(struct json_object *obj);
/* What out_json_line() prints, without a newline; to be freed. */
char *out_json_text(struct json_object *obj, bool pretty);

/* "2025-01-31T12:00:00.123456Z" */
#define OUT_TIME_TEXT	40
const char *out_iso_time(char text[OUT_TIME_TEXT], uint64_t ns);

/* Nanoseconds of the wall clock, and of the monotonic one. */
uint64_t out_now(void);
uint64_t out_monotonic(void);

/* A row of a list under a heading: "  label       text" */
void out_row(const char *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* _CTL_OUT_H */
