/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel complains of while a case runs.
 */
#ifndef MIGLAB_CONFORM_KMSG_H
#define MIGLAB_CONFORM_KMSG_H

#include <stdbool.h>
#include <stddef.h>

/* From now on; -1 when the kernel's log may not be read, which kmsg_end() takes. */
int kmsg_begin(void);

/* Was there a warning, an oops or a sanitizer's report? The first such line. */
bool kmsg_end(int fd, char *ret_line, size_t size);

#endif
