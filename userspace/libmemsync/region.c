// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: made, changed, ended. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static int take_id(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[MEMSYNC_A_MAX + 1];

	if (ms_parse(nlh, tb) || !tb[MEMSYNC_A_ID])
		return -EPROTO;
	*(uint32_t *)arg = ms_u32(tb[MEMSYNC_A_ID]);
	return 0;
}

static int put_region(struct nl_msg *msg, const struct ms_region_new *p)
{
	size_t i;
	int err = 0;

	err |= nla_put_string(msg, MEMSYNC_A_NAME, p->name);
	err |= nla_put_u32(msg, MEMSYNC_A_ROLE, p->role);
	err |= nla_put_u32(msg, MEMSYNC_A_PID, p->pid);
	err |= nla_put_u64(msg, MEMSYNC_A_PID_START, p->pid_start);
	err |= nla_put_u32(msg, MEMSYNC_A_FLAGS, p->flags);
	if (p->interval_us)
		err |= nla_put_u32(msg, MEMSYNC_A_INTERVAL_US, p->interval_us);
	if (p->max_size)
		err |= nla_put_u64(msg, MEMSYNC_A_MAX_SIZE, p->max_size);
	for (i = 0; i < p->nr_from; i++)
		err |= ms_put_addr(msg, MEMSYNC_A_FROM, &p->from[i], true);
	return err;
}

int ms_region_new(struct memsync *ms, const struct ms_region_new *p, uint32_t *id)
{
	struct nl_msg *msg = ms_msg(ms, MEMSYNC_CMD_REGION_NEW, 0);

	if (msg && put_region(msg, p))
		return ms_full(ms, msg);
	*id = 0;
	return ms_exchange(ms, msg, take_id, id);
}

static int add_range(struct memsync *ms, uint32_t id, const struct memsync_range *range)
{
	struct nl_msg *msg = ms_region_msg(ms, MEMSYNC_CMD_RANGE_ADD, 0, id);

	if (msg) {
		nla_put_u64(msg, MEMSYNC_A_START, range->start);
		nla_put_u64(msg, MEMSYNC_A_END, range->end);
	}
	return ms_do(ms, msg);
}

static int start(struct memsync *ms, uint32_t id)
{
	return ms_do(ms, ms_region_msg(ms, MEMSYNC_CMD_REGION_START, 0, id));
}

int ms_region_populate(struct memsync *ms, uint32_t id, const struct memsync_range *ranges,
		       size_t nr_ranges)
{
	size_t i;
	int err;

	for (i = 0; i < nr_ranges; i++) {
		err = add_range(ms, id, &ranges[i]);
		if (err)
			return err;
	}
	return start(ms, id);
}

/* The same, but for what the caller can do without. */
static int populate(struct memsync *ms, uint32_t id, const struct memsync_register_opts *o)
{
	size_t i;
	int err;

	for (i = 0; i < o->nr_ranges; i++) {
		err = add_range(ms, id, &o->ranges[i]);
		if (err == -EOPNOTSUPP && o->left_out && o->left_out(ms, i, o->arg))
			err = 0;
		if (err)
			return err;
	}
	return start(ms, id);
}

void ms_region_undo(struct memsync *ms, uint32_t id)
{
	const char *attr = ms->error_attr;
	char error[sizeof(ms->error)];

	memcpy(error, ms->error, sizeof(error));
	memsync_unregister(ms, id);
	memcpy(ms->error, error, sizeof(error));
	ms->error_attr = attr;
}

static int add_peers(struct memsync *ms, uint32_t id, const struct memsync_register_opts *o)
{
	size_t i;
	int err;

	for (i = 0; i < o->nr_peers; i++) {
		err = memsync_peer_add(ms, id, &o->peers[i],
				       o->peer_names ? o->peer_names[i] : NULL);
		if (err)
			return err;
	}
	return 0;
}

static int check_opts(struct memsync *ms, const struct memsync_register_opts *o)
{
	if (o->size < sizeof(*o))
		return ms_fail(ms, -EINVAL, "memsync_register: options of another version");
	if (!o->name)
		return ms_fail(ms, -EINVAL, "memsync_register: a name is needed");
	if (!o->nr_ranges)
		return ms_fail(ms, -EINVAL, "memsync_register: no ranges");
	return 0;
}

int memsync_register(struct memsync *ms, const struct memsync_register_opts *o, uint32_t *out)
{
	struct ms_region_new new = { };
	uint32_t id;
	int err;

	err = check_opts(ms, o);
	if (err)
		return err;
	new.name = o->name;
	new.role = o->role;
	new.pid = o->pid ? o->pid : getpid();
	new.pid_start = o->pid_start;
	new.flags = o->flags;
	if (o->role == MEMSYNC_ROLE_SOURCE && o->nr_peers)
		new.flags |= MEMSYNC_REGION_F_SHIPPED;
	new.interval_us = o->interval_us;
	new.from = o->from;
	new.nr_from = o->nr_from;
	if (!new.pid_start && memsync_pid_start(new.pid, &new.pid_start))
		return ms_fail(ms, -ESRCH, "there is no process %d", new.pid);

	err = ms_region_new(ms, &new, &id);
	if (err)
		return err;
	err = populate(ms, id, o);
	if (!err)
		err = add_peers(ms, id, o);
	if (err)
		ms_region_undo(ms, id);
	else if (out)
		*out = id;
	return err;
}

int memsync_unregister(struct memsync *ms, uint32_t id)
{
	return ms_do(ms, ms_region_msg(ms, MEMSYNC_CMD_REGION_DEL, 0, id));
}

static int set_flags(struct memsync *ms, uint32_t id, uint32_t flags)
{
	struct nl_msg *msg = ms_region_msg(ms, MEMSYNC_CMD_REGION_SET, 0, id);

	if (msg)
		nla_put_u32(msg, MEMSYNC_A_FLAGS, flags);
	return ms_do(ms, msg);
}

int memsync_pause(struct memsync *ms, uint32_t id)
{
	return set_flags(ms, id, MEMSYNC_REGION_F_PAUSED);
}

int memsync_resume(struct memsync *ms, uint32_t id)
{
	return set_flags(ms, id, 0);
}

int memsync_set_interval(struct memsync *ms, uint32_t id, uint32_t interval_us)
{
	struct nl_msg *msg = ms_region_msg(ms, MEMSYNC_CMD_REGION_SET, 0, id);

	if (msg)
		nla_put_u32(msg, MEMSYNC_A_INTERVAL_US, interval_us);
	return ms_do(ms, msg);
}

int memsync_pid_start(pid_t pid, uint64_t *start)
{
	char path[32], line[1024];
	const char *rest;
	int field;
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -ESRCH;
	len = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[len] = '\0';
	/* The name in field 2 may hold anything, ')' included. */
	rest = strrchr(line, ')');
	for (field = 2; rest && field < 22; field++)
		rest = strchr(rest + 1, ' ');
	if (!rest)
		return -ESRCH;
	*start = strtoull(rest, NULL, 10);
	return 0;
}
