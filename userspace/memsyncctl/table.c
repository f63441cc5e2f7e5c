// SPDX-License-Identifier: GPL-2.0
/* Aligned columns. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

void table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
}

void table_row(struct table *t, ...)
{
	char **cells = reallocarray(t->cells, t->nr + TABLE_COLUMNS, sizeof(*cells));
	const char *text;
	va_list args;
	int i = 0;

	if (!cells)
		return;
	t->cells = cells;
	memset(cells + t->nr, 0, TABLE_COLUMNS * sizeof(*cells));
	va_start(args, t);
	while (i < TABLE_COLUMNS && (text = va_arg(args, const char *))) {
		int len = strlen(text);

		if (len > t->width[i])
			t->width[i] = len;
		cells[t->nr + i++] = strdup(text);
	}
	va_end(args);
	t->nr += TABLE_COLUMNS;
}

static void print_row(const struct table *t, char **cells)
{
	int i;

	for (i = 0; i < TABLE_COLUMNS && cells[i]; i++) {
		if (i + 1 < TABLE_COLUMNS && cells[i + 1])
			printf("%-*s  ", t->width[i], cells[i]);
		else
			printf("%s", cells[i]);
		free(cells[i]);
	}
	putchar('\n');
}

void table_print(struct table *t)
{
	size_t row;

	for (row = 0; row < t->nr; row += TABLE_COLUMNS)
		print_row(t, t->cells + row);
	free(t->cells);
	table_init(t);
}
