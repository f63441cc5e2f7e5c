/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_LINUX_PAGEMAP_H
#define _MEMSYNC_COMPAT_LINUX_PAGEMAP_H

#include <linux/version.h>
#include_next <linux/pagemap.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#include <linux/err.h>

/* They told by NULL that there is none. */
static inline struct folio *memsync_filemap_get_folio(struct address_space *mapping,
						      pgoff_t index)
{
	return filemap_get_folio(mapping, index) ?: ERR_PTR(-ENOENT);
}

static inline struct folio *memsync_filemap_lock_folio(struct address_space *mapping,
						       pgoff_t index)
{
	return filemap_lock_folio(mapping, index) ?: ERR_PTR(-ENOENT);
}

#define filemap_get_folio memsync_filemap_get_folio
#define filemap_lock_folio memsync_filemap_lock_folio
#endif

#endif /* _MEMSYNC_COMPAT_LINUX_PAGEMAP_H */
