/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_UTF8_H
#define _CTL_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * The character that @text, not empty, begins with, and its length in bytes;
 * U+FFFD and 1 where it is not UTF-8.
 */
size_t utf8_read(const char *text, uint32_t *code);

#endif /* _CTL_UTF8_H */
