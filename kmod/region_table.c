// SPDX-License-Identifier: GPL-2.0
/* The regions of this host: look-up by id and name, and their end with a network namespace. */
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include "region.h"
#include "session.h"

static DEFINE_XARRAY_ALLOC1(regions);	/* by id; read under RCU */
static DEFINE_MUTEX(table_lock);	/* protects changes to it; keeps names unique; a leaf */

/* ---- look-up ---- */

/* The first region from @id on, of @net or of any. */
static struct memsync_region *get_from(unsigned long id, const struct net *net)
{
	struct memsync_region *region;

	rcu_read_lock();
	xa_for_each_start(&regions, id, region, id)
		if ((!net || net_eq(region->net, net)) && kref_get_unless_zero(&region->ref))
			break;
	rcu_read_unlock();
	return region;
}

struct memsync_region *memsync_region_next(struct net *net, u32 id)
{
	return id == U32_MAX ? NULL : get_from(id + 1UL, net);
}

struct memsync_region *memsync_region_get_id(struct net *net, u32 id)
{
	struct memsync_region *region;

	rcu_read_lock();
	region = xa_load(&regions, id);
	if (region && (!net_eq(region->net, net) || !kref_get_unless_zero(&region->ref)))
		region = NULL;
	rcu_read_unlock();
	return region;
}

static bool is_called(const struct memsync_region *region, const struct net *net,
		      const char *name, enum memsync_role role)
{
	return net_eq(region->net, net) && !strcmp(region->name, name) &&
	       (!role || region->role == role);
}

/* RCU or table_lock held. */
static struct memsync_region *find_name(const struct net *net, const char *name,
					enum memsync_role role)
{
	struct memsync_region *region, *found = NULL;
	unsigned long id;

	xa_for_each(&regions, id, region)
		if (is_called(region, net, name, role) &&
		    (!found || region->role == MEMSYNC_ROLE_SOURCE))
			found = region;
	return found;
}

struct memsync_region *memsync_region_get_name(struct net *net, const char *name,
					       enum memsync_role role)
{
	struct memsync_region *region;

	rcu_read_lock();
	region = find_name(net, name, role);
	if (region && !kref_get_unless_zero(&region->ref))
		region = NULL;
	rcu_read_unlock();
	return region;
}

/* ---- listing ---- */

static unsigned int count(const struct net *net)
{
	struct memsync_region *region;
	unsigned int nr = 0;
	unsigned long id;

	xa_for_each(&regions, id, region)
		nr += net_eq(region->net, net);
	return nr;
}

static int check_room(const struct memsync_region *region, struct netlink_ext_ack *extack)
{
	if (find_name(region->net, region->name, region->role)) {
		NL_SET_ERR_MSG_FMT(extack, "a %s of this name exists",
				   region->role == MEMSYNC_ROLE_SINK ? "sink" : "source");
		return -EEXIST;
	}
	if (count(region->net) >= MEMSYNC_MAX_REGIONS) {
		NL_SET_ERR_MSG(extack, "at most " __stringify(MEMSYNC_MAX_REGIONS) " regions");
		return -ENOSPC;
	}
	return 0;
}

static int list_region(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	static u32 next_id;
	int err;

	mutex_lock(&table_lock);
	err = check_room(region, extack);
	if (!err)
		err = xa_alloc_cyclic(&regions, &region->id, region, xa_limit_32b, &next_id,
				      GFP_KERNEL);
	if (err >= 0)
		memsync_region_get(region);	/* the table's */
	mutex_unlock(&table_lock);
	return min(err, 0);
}

static bool unlist(struct memsync_region *region)
{
	bool listed;

	mutex_lock(&table_lock);
	listed = xa_load(&regions, region->id) == region;
	if (listed)
		xa_erase(&regions, region->id);
	mutex_unlock(&table_lock);
	return listed;
}

void memsync_region_del(struct memsync_region *region)
{
	memsync_region_end(region, "unregistered");
	if (!unlist(region))
		return;
	memsync_events->region_deleted(region);
	memsync_region_put(region);		/* the table's */
}

/* A region that is gone gives its name to the next. */
static void delete_gone(struct net *net, const char *name, enum memsync_role role)
{
	struct memsync_region *region = memsync_region_get_name(net, name, role);

	if (!region)
		return;
	if (READ_ONCE(region->state) == MEMSYNC_REGION_GONE)
		memsync_region_del(region);
	memsync_region_put(region);
}

/* An open sink may wait for long, so the end of its process is noticed from now on. */
static int announce(struct memsync_region *region, struct netlink_ext_ack *extack)
{
	int err = 0;

	mutex_lock(&region->lock);
	if (region->flags & MEMSYNC_REGION_F_OPEN)
		err = memsync_sink_watch(region, extack);
	if (!err)
		memsync_events->region_state(region);
	mutex_unlock(&region->lock);
	return err;
}

struct memsync_region *memsync_region_new(struct net *net, const struct memsync_region_params *p,
					  struct netlink_ext_ack *extack)
{
	struct memsync_region *region = memsync_region_alloc(net, p);
	int err;

	if (!region)
		return ERR_PTR(-ENOMEM);
	delete_gone(net, p->name, p->role);
	err = list_region(region, extack);
	if (err)
		goto put_region;
	err = announce(region, extack);
	if (err)
		goto delist_region;
	return region;

delist_region:
	memsync_region_del(region);
put_region:
	memsync_region_put(region);
	return ERR_PTR(err);
}

/* ---- namespaces and unloading ---- */

void memsync_region_end_all(const char *reason)
{
	struct memsync_region *region;
	unsigned long id = 0;

	while ((region = get_from(id, NULL))) {
		id = region->id + 1UL;
		memsync_region_end(region, reason);
		memsync_region_put(region);
	}
}

/* No request comes any more: their sockets hold the namespace. Connections may, until stopped. */
static void __net_exit exit_net(struct net *net)
{
	struct memsync_region *region;

	memsync_listener_stop_net(net);
	while ((region = get_from(0, net))) {
		memsync_region_del(region);
		memsync_region_put(region);
	}
}

/* A device's, so that connections are closed while there are devices to say so through. */
static struct pernet_operations net_ops = {
	.exit = exit_net,
};

int memsync_region_table_init(void)
{
	return register_pernet_device(&net_ops);
}

void memsync_region_table_exit(void)
{
	unregister_pernet_device(&net_ops);
}
