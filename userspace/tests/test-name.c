// SPDX-License-Identifier: GPL-2.0
/* Names of regions. */
#include "../memsyncctl/name.h"
#include "tap.h"

int main(void)
{
	char name[MEMSYNC_NAME_MAX + 1], text[80];
	struct problem p = { };

	CHECK(!name_check("redis", &p), "a word is a name");
	CHECK(!name_check("A-z.0_9@host", &p), "all allowed characters make a name");
	CHECK(name_check("", &p), "an empty name is refused");
	CHECK_HAS(p.text, "empty", "and said to be empty");
	CHECK(!p.attr, "a bad name is a usage error");
	CHECK(name_check("a b", &p), "a space is refused");
	CHECK(name_check("a/b", &p), "a slash is refused");
	CHECK(name_check("caf\xc3\xa9", &p), "a letter beyond ASCII is refused");
	CHECK(name_check("a\033[2J", &p), "a control character is refused");
	memset(text, 'x', sizeof(text));
	text[63] = '\0';
	CHECK(!name_check(text, &p), "63 characters are a name");
	text[63] = 'x';
	text[64] = '\0';
	CHECK(name_check(text, &p), "64 are not");
	CHECK_HAS(p.text, "64 characters", "and counted");

	name_from_comm(name, "redis-server\n");
	CHECK_SAME(name, "redis-server", "a process's name is a name");
	name_from_comm(name, "tmux: server");
	CHECK_SAME(name, "tmux--server", "what it cannot hold is replaced");
	name_from_comm(name, "\xff\033\n");
	CHECK_SAME(name, "--", "whatever that is");
	name_from_comm(name, "\n");
	CHECK_SAME(name, "process", "an empty one gets a name as well");
	memset(text, 'y', sizeof(text));
	text[79] = '\0';
	name_from_comm(name, text);
	CHECK(strlen(name) == MEMSYNC_NAME_MAX, "a long one is cut");
	return tap_done();
}
