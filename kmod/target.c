// SPDX-License-Identifier: GPL-2.0
/*
 * memsync: reading and writing the memory of a sink's process.
 *
 * It is written as the process itself would, through its page tables and with
 * real faults, so any kind of mapping will do and limits are charged to it. Its mm
 * is pinned for one frame at a time. Nothing here holds region->lock or another
 * lock but the socket's while it faults, and that is of a class of its own.
 */
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/xxhash.h>
#include "conn.h"
#include "track.h"
#include "trace.h"

#define PAUSE_PAGES	1024	/* between looks around */

static int process_gone(struct memsync_conn *conn)
{
	return memsync_conn_fail(conn, MEMSYNC_WIRE_ENDED, "the sink ended: process exited");
}

void memsync_target_put(struct memsync_conn *conn)
{
	struct mm_struct *mm = conn->region->mm;

	disallow_signal(SIGKILL);
	kthread_unuse_mm(mm);
	mmput(mm);
}

int memsync_target_get(struct memsync_conn *conn)
{
	struct mm_struct *mm = conn->region->mm;

	if (!mmget_not_zero(mm))
		return process_gone(conn);
	kthread_use_mm(mm);
	/* a fault may wait for somebody's file system or userfaultfd: for ever, but for this */
	allow_kernel_signal(SIGKILL);
	if (!memsync_thread_stopping(&conn->thread))
		return 0;
	memsync_target_put(conn);
	return -ESHUTDOWN;
}

/* Between pages of a long run: others want the CPU, the source wants to hear of us. */
static int look_around(struct memsync_conn *conn)
{
	cond_resched();
	if (memsync_thread_stopping(&conn->thread))
		return -ESHUTDOWN;
	if (atomic_read(&conn->region->mm->mm_users) == 1)
		return process_gone(conn);	/* nobody but us is left */
	return memsync_tcp_keep_alive(&conn->tcp);
}

static int no_access(struct memsync_conn *conn, unsigned long addr, const char *verb)
{
	return memsync_conn_fail(conn, MEMSYNC_WIRE_FAULT,
				 "the sink's memory at 0x%lx cannot be %s: unmapped, protected or out of memory",
				 addr, verb);
}

/* Where byte @offset of the replica lies, and how much follows it there. */
static unsigned long resolve(const struct memsync_region *region, u64 offset, u64 *left)
{
	const struct memsync_range *r = memsync_region_find(region, offset);

	*left = r->offset + (r->end - r->start) - offset;
	return r->start + (offset - r->offset);
}

/* ---- contents ---- */

static unsigned int add_iov(struct iovec *iov, unsigned int nr, unsigned long addr, size_t len)
{
	struct iovec *last = nr ? &iov[nr - 1] : NULL;

	if (last && (unsigned long)last->iov_base + last->iov_len == addr) {
		last->iov_len += len;
		return nr;
	}
	iov[nr].iov_base = (void __user *)addr;
	iov[nr].iov_len = len;
	return nr + 1;
}

/* Each piece has a page at least, and a frame no more pages than conn->iov has room. */
static unsigned int contents_iov(struct memsync_conn *conn)
{
	const struct memsync_wire_pages *w = conn->head;
	unsigned int nr = 0;
	u32 i;

	for (i = 0; i < le32_to_cpu(w->nr_descs); i++) {
		u64 len = (u64)le32_to_cpu(w->descs[i].nr) * PAGE_SIZE;
		u64 offset = le64_to_cpu(w->descs[i].offset);

		if (w->descs[i].flags)
			continue;
		while (len) {
			u64 left;
			unsigned long addr = resolve(conn->region, offset, &left);
			u64 n = min(left, len);

			nr = add_iov(conn->iov, nr, addr, n);
			offset += n;
			len -= n;
		}
	}
	return nr;
}

static unsigned long iov_addr(const struct iovec *iov, unsigned int nr, size_t at)
{
	while (nr > 1 && at >= iov->iov_len) {
		at -= iov->iov_len;
		iov++;
		nr--;
	}
	return (unsigned long)iov->iov_base + at;
}

static int write_contents(struct memsync_conn *conn)
{
	size_t len = (size_t)le32_to_cpu(conn->head->nr_pages) * PAGE_SIZE;
	unsigned int nr = contents_iov(conn);
	size_t done;
	int err;

	if (!nr)
		return 0;
	err = memsync_tcp_read_user(&conn->tcp, conn->iov, nr, len, &done);
	if (err == -EFAULT)
		return no_access(conn, iov_addr(conn->iov, nr, done), "written");
	return err;
}

/* ---- zeros ---- */

typedef int page_step(struct memsync_conn *conn, u64 offset, unsigned long addr, u64 sum);

/* Calls @step on each of @nr pages from @offset. */
static int walk_pages(struct memsync_conn *conn, u64 offset, u32 nr, u64 sum, page_step *step)
{
	unsigned long addr = 0;
	u64 left = 0;
	int err = 0;

	for (; nr && !err; nr--) {
		if (!left)
			addr = resolve(conn->region, offset, &left);
		err = step(conn, offset, addr, sum);
		addr += PAGE_SIZE;
		offset += PAGE_SIZE;
		left -= PAGE_SIZE;
		if (!err && nr % PAUSE_PAGES == 0)
			err = look_around(conn);
	}
	return err;
}

/* A page that is not there is left alone, and so is one that is zero already. */
static int write_zero(struct memsync_conn *conn, u64 offset, unsigned long addr, u64 sum)
{
	if (memsync_page_absent(conn->region->mm, addr))
		return 0;
	if (copy_from_user(conn->bounce, (void __user *)addr, PAGE_SIZE))
		return no_access(conn, addr, "read");
	if (!memchr_inv(conn->bounce, 0, PAGE_SIZE))
		return 0;
	return clear_user((void __user *)addr, PAGE_SIZE) ? no_access(conn, addr, "written") : 0;
}

static int write_zeros(struct memsync_conn *conn)
{
	const struct memsync_wire_pages *w = conn->head;
	int err = 0;
	u32 i;

	for (i = 0; i < le32_to_cpu(w->nr_descs) && !err; i++)
		if (w->descs[i].flags)
			err = walk_pages(conn, le64_to_cpu(w->descs[i].offset),
					 le32_to_cpu(w->descs[i].nr), 0, write_zero);
	return err;
}

int memsync_target_write(struct memsync_conn *conn)
{
	const struct memsync_wire_pages *w = conn->head;
	u32 length = memsync_tcp_length(&conn->tcp);
	u64 pages = 0;
	int err;
	u32 i;

	err = memsync_tcp_skip(&conn->tcp, MEMSYNC_WIRE_PAGES_HEAD(le32_to_cpu(w->nr_descs))) ?:
	      write_contents(conn) ?: write_zeros(conn);
	if (err)
		return err;
	memsync_tcp_done(&conn->tcp);

	for (i = 0; i < le32_to_cpu(w->nr_descs); i++)
		pages += le32_to_cpu(w->descs[i].nr);
	if (le32_to_cpu(w->nr_descs) == 1 && !w->descs[0].flags)
		memsync_ahead_applied(&conn->ahead, conn->region, le64_to_cpu(w->descs[0].offset),
				      pages * PAGE_SIZE);
	conn->applied += pages;
	atomic64_add(pages, &conn->region->stats.applied_pages);
	trace_memsync_apply(conn->region->id, pages, length);
	return 0;
}

/* ---- comparing ---- */

static void add_mismatch(struct memsync_conn *conn, u64 offset)
{
	struct memsync_wire_digest_reply *reply = &conn->reply.head;
	u32 nr = le32_to_cpu(reply->nr);
	struct memsync_wire_stretch *last = nr ? &conn->reply.stretches[nr - 1] : NULL;

	le64_add_cpu(&reply->different, 1);
	if (last && le64_to_cpu(last->offset) + le64_to_cpu(last->length) == offset) {
		le64_add_cpu(&last->length, PAGE_SIZE);
		return;
	}
	if (nr == MEMSYNC_WIRE_MISMATCHES)
		return;
	conn->reply.stretches[nr].offset = cpu_to_le64(offset);
	conn->reply.stretches[nr].length = cpu_to_le64(PAGE_SIZE);
	le32_add_cpu(&reply->nr, 1);
}

static int compare(struct memsync_conn *conn, u64 offset, unsigned long addr, u64 sum)
{
	const void *content = conn->bounce;

	if (memsync_page_absent(conn->region->mm, addr))
		content = page_address(ZERO_PAGE(0));
	else if (copy_from_user(conn->bounce, (void __user *)addr, PAGE_SIZE))
		return no_access(conn, addr, "read");
	le64_add_cpu(&conn->reply.head.compared, 1);
	if (xxh64(content, PAGE_SIZE, 0) != sum)
		add_mismatch(conn, offset);
	return 0;
}

int memsync_target_compare(struct memsync_conn *conn, const struct memsync_wire_digest_run *run)
{
	return walk_pages(conn, le64_to_cpu(run->offset), le32_to_cpu(run->nr),
			  le64_to_cpu(run->sum), compare);
}
