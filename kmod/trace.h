/* SPDX-License-Identifier: GPL-2.0 */
/* Tracepoints memsync:*, made in main.c. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM memsync

#if !defined(_MEMSYNC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _MEMSYNC_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>
#include <uapi/linux/memsync.h>

struct mm_struct;

/* Tells user space the values that the names below stand for. */
TRACE_DEFINE_ENUM(MEMSYNC_REGION_NEW);
TRACE_DEFINE_ENUM(MEMSYNC_REGION_WAITING);
TRACE_DEFINE_ENUM(MEMSYNC_REGION_ATTACHED);
TRACE_DEFINE_ENUM(MEMSYNC_REGION_SYNCING);
TRACE_DEFINE_ENUM(MEMSYNC_REGION_SYNCED);
TRACE_DEFINE_ENUM(MEMSYNC_REGION_DISCONNECTED);
TRACE_DEFINE_ENUM(MEMSYNC_REGION_FINALIZING);
TRACE_DEFINE_ENUM(MEMSYNC_REGION_GONE);

#define memsync_show_state(state)				\
	__print_symbolic(state,					\
		{ MEMSYNC_REGION_NEW, "new" },			\
		{ MEMSYNC_REGION_WAITING, "waiting" },		\
		{ MEMSYNC_REGION_ATTACHED, "attached" },	\
		{ MEMSYNC_REGION_SYNCING, "syncing" },		\
		{ MEMSYNC_REGION_SYNCED, "synced" },		\
		{ MEMSYNC_REGION_DISCONNECTED, "disconnected" },	\
		{ MEMSYNC_REGION_FINALIZING, "finalizing" },	\
		{ MEMSYNC_REGION_GONE, "gone" })

TRACE_EVENT(memsync_tracked_write,
	    TP_PROTO(const struct mm_struct *mm, unsigned long addr, bool fast),

	    TP_ARGS(mm, addr, fast),

	    TP_STRUCT__entry(__field(const void *, mm)
			     __field(unsigned long, addr)
			     __field(bool, fast)
	    ),

	    TP_fast_assign(__entry->mm = mm;
			   __entry->addr = addr;
			   __entry->fast = fast;
	    ),

	    TP_printk("mm=%p addr=0x%lx fast=%d", __entry->mm, __entry->addr, __entry->fast)
);

TRACE_EVENT(memsync_harvest,
	    TP_PROTO(u32 region, u64 pages, u64 ns),

	    TP_ARGS(region, pages, ns),

	    TP_STRUCT__entry(__field(u32, region)
			     __field(u64, pages)
			     __field(u64, ns)
	    ),

	    TP_fast_assign(__entry->region = region;
			   __entry->pages = pages;
			   __entry->ns = ns;
	    ),

	    TP_printk("region=%u pages=%llu ns=%llu", __entry->region, __entry->pages, __entry->ns)
);

DECLARE_EVENT_CLASS(memsync_transfer,
		    TP_PROTO(u32 region, u64 pages, u64 bytes),

		    TP_ARGS(region, pages, bytes),

		    TP_STRUCT__entry(__field(u32, region)
				     __field(u64, pages)
				     __field(u64, bytes)
		    ),

		    TP_fast_assign(__entry->region = region;
				   __entry->pages = pages;
				   __entry->bytes = bytes;
		    ),

		    TP_printk("region=%u pages=%llu bytes=%llu", __entry->region, __entry->pages,
			      __entry->bytes)
);

DEFINE_EVENT(memsync_transfer, memsync_ship,
	     TP_PROTO(u32 region, u64 pages, u64 bytes), TP_ARGS(region, pages, bytes));

DEFINE_EVENT(memsync_transfer, memsync_apply,
	     TP_PROTO(u32 region, u64 pages, u64 bytes), TP_ARGS(region, pages, bytes));

TRACE_EVENT(memsync_region_state,
	    TP_PROTO(u32 region, const char *name, int from, int to),

	    TP_ARGS(region, name, from, to),

	    TP_STRUCT__entry(__field(u32, region)
			     __array(char, name, MEMSYNC_NAME_MAX + 1)
			     __field(int, from)
			     __field(int, to)
	    ),

	    TP_fast_assign(__entry->region = region;
			   strscpy(__entry->name, name, sizeof(__entry->name));
			   __entry->from = from;
			   __entry->to = to;
	    ),

	    TP_printk("region=%u name=%s from=%s to=%s", __entry->region, __entry->name,
		      memsync_show_state(__entry->from), memsync_show_state(__entry->to))
);

#endif /* _MEMSYNC_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
