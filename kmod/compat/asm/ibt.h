/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MEMSYNC_COMPAT_ASM_IBT_H
#define _MEMSYNC_COMPAT_ASM_IBT_H

#include <linux/version.h>
#include_next <asm/ibt.h>

#ifndef __ASSEMBLY__

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 15, 0)
#define __is_endbr		is_endbr
#elif !defined(CONFIG_X86_KERNEL_IBT)
static inline bool __is_endbr(u32 insn)
{
	return false;
}
#endif

#endif /* __ASSEMBLY__ */
#endif /* _MEMSYNC_COMPAT_ASM_IBT_H */
