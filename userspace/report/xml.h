/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MIGLAB_REPORT_XML_H
#define MIGLAB_REPORT_XML_H

#include <stdio.h>

/*
 * @text as content or as a quoted attribute, without its last newline. A control
 * character but newline, which XML does not allow, becomes a question mark.
 */
void xml_put(FILE *out, const char *text);

#endif
