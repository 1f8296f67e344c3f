/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address of a QMP socket, named as QEMU's -qmp option names it.
 */
#ifndef MIGLAB_QMP_ADDRESS_H
#define MIGLAB_QMP_ADDRESS_H

#include "base/address.h"
#include "base/error.h"

/*
 * "unix:PATH" into an address: -EINVAL for another scheme, -ENAMETOOLONG. QEMU's
 * options server=on and wait=off may follow, each after a comma.
 */
int qmp_address_parse(const char *uri, struct address *ret_address, struct error *err);

#endif
