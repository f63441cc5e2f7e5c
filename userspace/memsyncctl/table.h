/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_TABLE_H
#define _CTL_TABLE_H

#include <stddef.h>

#define TABLE_COLUMNS	8

/* Rows of strings, printed with each column as wide as its widest. */
struct table {
	char **cells;
	size_t nr;
	int width[TABLE_COLUMNS];
};

void table_init(struct table *t);
/* Strings up to a NULL; they are copied. */
void table_row(struct table *t, ...) __attribute__((sentinel));
/* Prints and empties it. */
void table_print(struct table *t);

#endif /* _CTL_TABLE_H */
