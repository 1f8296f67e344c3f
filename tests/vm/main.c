// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rows that need the module on a real kernel. Runs in the virtual test host
 * on functions that are bound to miglab_vfio_pci: MIGLAB_DEVICES="BDF BDF ..".
 */
#include "lab.h"

int main(void)
{
	int failed = fsm_rows();

	failed += stream_rows();
	failed += rules_rows();
	failed += life_rows();
	return failed != 0;
}
