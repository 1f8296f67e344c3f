/* SPDX-License-Identifier: GPL-2.0-only */
/* What every unit test begins with. */
#ifndef MIGLAB_UNIT_H
#define MIGLAB_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#endif
