// SPDX-License-Identifier: GPL-2.0
/* A process that knows nothing of memsync, and writes to its memory when it is told to. */
#include <stdio.h>
#include <string.h>

#include "pattern.h"

static const char usage[] =
	"usage: writer MIB[/BLOCKS[+FIRST]]\n"
	"prints START-END of its memory, then answers each line of input with \"ok\":\n"
	"a line is " PATTERN_USAGE;

static void obey(const char *text, const struct area *area)
{
	struct pattern pattern;

	pattern_init(&pattern, text, area);
	pattern.choose(&pattern);
	pattern_write(&pattern, area);
	pattern_free(&pattern);
	puts("ok");
}

int main(int argc, char **argv)
{
	struct area area;
	char line[64];

	if (argc != 2) {
		fputs(usage, stderr);
		return 2;
	}
	setlinebuf(stdout);
	area_map_as(&area, argv[1]);
	printf("%p-%p\n", area.start, area.start + area.pages * PAGE);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		obey(line, &area);
	}
	return 0;
}
