/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _CTL_DIRECTORY_H
#define _CTL_DIRECTORY_H

/* Makes the name of the file @path lasting; 0, or -1 with errno. */
int directory_sync(const char *path);

#endif /* _CTL_DIRECTORY_H */
