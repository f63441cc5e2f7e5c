// SPDX-License-Identifier: GPL-2.0
/* Names of regions. */
#include <stdbool.h>
#include <string.h>

#include "name.h"

static bool valid(char c)
{
	/* Not isalnum(), which asks the locale. */
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._@-", c));
}

int name_check(const char *name, struct problem *p)
{
	size_t i, len = strlen(name);

	if (!len)
		return problem(p, "a name cannot be empty");
	if (len > MEMSYNC_NAME_MAX)
		return problem(p, "the name %.20s… has %zu characters; %d are allowed", name, len,
			       MEMSYNC_NAME_MAX);
	for (i = 0; i < len; i++)
		if (!valid(name[i]))
			return problem(p, "the name '%s' may hold only A-Z a-z 0-9 . _ @ -", name);
	return 0;
}

void name_from_comm(char name[MEMSYNC_NAME_MAX + 1], const char *comm)
{
	size_t i;

	for (i = 0; i < MEMSYNC_NAME_MAX && comm[i] && comm[i] != '\n'; i++)
		name[i] = valid(comm[i]) ? comm[i] : '-';
	name[i] = '\0';
	if (!i)
		strcpy(name, "process");
}
