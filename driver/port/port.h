/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What driver/core may use, for the kernel. Its twin for userspace is
 * userspace/port/port.h; -I picks one of them.
 */
#ifndef MIGLAB_PORT_H
#define MIGLAB_PORT_H

#include <linux/build_bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/pci_regs.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>

#endif
