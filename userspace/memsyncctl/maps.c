// SPDX-License-Identifier: GPL-2.0
/* /proc/PID/maps and smaps. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "maps.h"

static void strip_deleted(char *name)
{
	static const char mark[] = " (deleted)";
	size_t len = strlen(name);

	if (len > sizeof(mark) - 1 && !strcmp(name + len - sizeof(mark) + 1, mark))
		name[len - sizeof(mark) + 1] = '\0';
}

/* maps writes a newline in a path as \012, and nothing else that way. */
static void unescape(char *name)
{
	char *from, *to = name;

	for (from = name; *from; to++) {
		if (!strncmp(from, "\\012", 4)) {
			*to = '\n';
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* 1: a mapping; 0: another line; negative: no memory. */
static int parse_head(const char *line, struct mapping *m)
{
	char perms[5];
	int at = 0;

	memset(m, 0, sizeof(*m));
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %" SCNu64 " %n", &m->start,
		   &m->end, perms, &m->inode, &at) < 4 || !at)
		return 0;
	m->readable = perms[0] == 'r';
	m->writable = perms[1] == 'w';
	m->shared = perms[3] == 's';
	m->name = strdup(line + at);
	if (!m->name)
		return -ENOMEM;
	m->name[strcspn(m->name, "\n")] = '\0';
	strip_deleted(m->name);
	unescape(m->name);
	return 1;
}

static void parse_flags(const char *line, struct mapping *m)
{
	static const char key[] = "VmFlags:";

	if (strncmp(line, key, sizeof(key) - 1))
		return;
	snprintf(m->flags, sizeof(m->flags), "%s", line + sizeof(key) - 1);
	m->flags[strcspn(m->flags, "\n")] = ' ';
}

static int append(struct maps *maps, const struct mapping *m)
{
	struct mapping *items = reallocarray(maps->items, maps->nr + 1, sizeof(*items));

	if (!items) {
		free(m->name);
		return -ENOMEM;
	}
	maps->items = items;
	items[maps->nr++] = *m;
	return 0;
}

int maps_parse(FILE *file, struct maps *maps)
{
	struct mapping m;
	char *line = NULL;
	size_t room = 0;
	int err = 0;

	memset(maps, 0, sizeof(*maps));
	errno = 0;
	while (err >= 0 && getline(&line, &room, file) > 0) {
		err = parse_head(line, &m);
		if (err > 0)
			err = append(maps, &m);
		else if (!err && maps->nr)
			parse_flags(line, &maps->items[maps->nr - 1]);
	}
	free(line);
	if (err >= 0 && ferror(file))
		err = errno ? -errno : -EIO;
	if (err < 0)
		maps_free(maps);
	return err < 0 ? err : 0;
}

int maps_read(pid_t pid, bool smaps, struct maps *maps, struct problem *p)
{
	char path[40];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, smaps ? "smaps" : "maps");
	file = fopen(path, "re");
	if (!file && errno == ENOENT)
		return problem_attr(p, "pid", "there is no process %d", pid);
	if (!file)
		return problem_attr(p, "pid", "%s: %s", path, strerror(errno));
	err = maps_parse(file, maps);
	fclose(file);
	if (err == -ESRCH)
		return problem_attr(p, "pid", "process %d has ended", pid);
	if (err)
		return problem_attr(p, "pid", "%s: %s", path, strerror(-err));
	return 0;
}

void maps_free(struct maps *maps)
{
	size_t i;

	for (i = 0; i < maps->nr; i++)
		free(maps->items[i].name);
	free(maps->items);
	memset(maps, 0, sizeof(*maps));
}

static bool has_flag(const struct mapping *m, const char *flag)
{
	char word[8];

	snprintf(word, sizeof(word), " %s ", flag);
	return strstr(m->flags, word);
}

static bool anonymous_name(const char *name)
{
	return !*name || !strcmp(name, "[heap]") || !strncmp(name, "[stack", 6) ||
	       !strncmp(name, "[anon:", 6);
}

static bool is_armed(const struct mapping *m)
{
	return has_flag(m, "um") || has_flag(m, "uw") || has_flag(m, "ui");
}

const char *mapping_refusal(const struct mapping *m)
{
	if (has_flag(m, "io") || has_flag(m, "pf"))
		return "device memory";
	if (is_armed(m) && (m->shared || m->inode))
		return "armed with userfaultfd";
	if (has_flag(m, "ss"))
		return "shadow stack";
	if (!m->inode && *m->name != '/' && !anonymous_name(m->name))
		return "special mapping";
	return NULL;
}

/* To MAP_ANONYMOUS | MAP_HUGETLB the kernel gives a file of its own. */
static bool anonymous_huge(const struct mapping *m)
{
	return !strcmp(m->name, "/anon_hugepage") && (!*m->flags || has_flag(m, "ht"));
}

bool mapping_anonymous(const struct mapping *m)
{
	return !m->shared && (m->inode ? anonymous_huge(m) : anonymous_name(m->name));
}

bool mapping_doubtful(const struct mapping *m)
{
	return m->inode || !mapping_anonymous(m) || is_armed(m);
}

bool maps_cover(const struct maps *maps, uint64_t start, uint64_t end)
{
	size_t i;

	for (i = 0; i < maps->nr && start < end; i++)
		if (maps->items[i].start <= start && start < maps->items[i].end)
			start = maps->items[i].end;
	return start >= end;
}
