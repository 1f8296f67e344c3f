// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peer to peer: the first function, an edu, whose DMA reaches the memory of the second one,
 * which has the model bar, of BAR 2.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "bar.h"
#include "core/fsm.h"
#include "device/vfio.h"
#include "edu.h"

#define PEER_IOVA	0x8000000u
#define PEER_BYTES	65536u
#define AT		0x3000u		/* what the rows use of it */
#define COUNT		256u

static struct edu initiator;
static struct memory peer;

static int open_pair(void **state)
{
	(void)state;
	configure(0, "model", "edu");
	memset(ram, 0, RAM_BYTES);
	open_edu(&initiator, 0);
	peer.dev = open_function(1);
	peer.fd = ((struct vfio *)peer.dev)->files.device;
	peer.info = region(peer.fd, BAR_INDEX);
	set_command(&peer, PCI_COMMAND_MEMORY);
	peer.map = map_pages(&peer, 0, PEER_BYTES / PAGE);
	memset(peer.map, 0, PEER_BYTES);
	map_for_edu(&initiator, peer.map, PEER_IOVA, PEER_BYTES);
	fill_ram(SOURCE, COUNT, 1);
	transfer(&initiator, RAM_IOVA + SOURCE, 0, COUNT, 0);
	return 0;
}

static int close_pair(void **state)
{
	close(initiator.event);
	close_functions(state);
	munmap(peer.map, PEER_BYTES);
	configure(0, "model", "synthetic");
	return 0;
}

static void give_to_peer(void)
{
	give(&initiator, PEER_IOVA + AT, 0, COUNT, MIGLAB_EDU_TO_RAM);
}

static bool peer_has_it(void)
{
	return !memcmp(peer.map + AT, ram + SOURCE, COUNT);
}

static void memory_of_a_device_is_memory(void **state)
{
	(void)state;
	assert_false(peer_has_it());
	give_to_peer();
	wait_clear(&initiator, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	assert_true(peer_has_it());
	/* And the other way round. */
	transfer(&initiator, PEER_IOVA + AT + 16, 0x800, 64, 0);
	transfer(&initiator, RAM_IOVA + TARGET, 0x800, 64, MIGLAB_EDU_TO_RAM);
	assert_memory_equal(ram + TARGET, ram + SOURCE + 16, 64);
	assert_int_equal(since_open(&initiator, DMA_REFUSED), 0);
}

/* The arc to STOP waits for what is in flight: what the peer has not by then was not sent. */
static bool reaches_peer_in_p2p(void)
{
	memset(peer.map + AT, 0, COUNT);
	go(initiator.dev, MIGLAB_PRE_COPY_P2P);
	go(peer.dev, MIGLAB_PRE_COPY_P2P);
	give_to_peer();
	go(initiator.dev, MIGLAB_STOP);
	go(peer.dev, MIGLAB_STOP);
	return peer_has_it();
}

static void no_transfer_begins_in_a_p2p_state(void **state)
{
	(void)state;
	assert_false(reaches_peer_in_p2p());
	go(peer.dev, MIGLAB_RUNNING_P2P);
	go(initiator.dev, MIGLAB_RUNNING_P2P);
	assert_false(peer_has_it());
	/* None is lost. */
	go(peer.dev, MIGLAB_RUNNING);
	go(initiator.dev, MIGLAB_RUNNING);
	wait_clear(&initiator, MIGLAB_EDU_DMA_CMD, 8, MIGLAB_EDU_RUN);
	assert_true(peer_has_it());
}

/* Negative control of the row before. */
static void one_slips_by_rule(void **state)
{
	(void)state;
	set_attribute(initiator.dev, "rules", "op=dma slip=1");
	assert_true(reaches_peer_in_p2p());
}

/* What is in flight when the arc begins has arrived when it ends. */
static void an_arc_waits_until_the_peer_has_it(void **state)
{
	(void)state;
	give_to_peer();
	go(initiator.dev, MIGLAB_RUNNING_P2P);
	assert_true(peer_has_it());
}

static uint64_t dirty_of_peer(void)
{
	struct error err = { "" };
	struct precopy_info info;

	assert_int_equal(peer.dev->ops->precopy_info(peer.dev, &info, &err), 0);
	assert_int_equal(info.initial_bytes, 0);
	return info.dirty_bytes;
}

/* Nobody but the initiator can know. */
static void the_peer_sends_again_what_was_written(void **state)
{
	static unsigned char piece[1u << 20];

	(void)state;
	go(peer.dev, MIGLAB_PRE_COPY);
	while (peer.dev->ops->read(peer.dev, piece, sizeof(piece)) > 0)
		;
	assert_int_equal(dirty_of_peer(), 0);
	give_to_peer();
	go(initiator.dev, MIGLAB_RUNNING_P2P);
	assert_int_equal(dirty_of_peer(), PAGE);
}

#define p2p_row(function) cmocka_unit_test_setup_teardown(function, open_pair, close_pair)

int p2p_rows(void)
{
	const struct CMUnitTest rows[] = {
		p2p_row(memory_of_a_device_is_memory),
		p2p_row(no_transfer_begins_in_a_p2p_state),
		p2p_row(one_slips_by_rule),
		p2p_row(an_arc_waits_until_the_peer_has_it),
		p2p_row(the_peer_sends_again_what_was_written),
	};

	return cmocka_run_group_tests_name("p2p", rows, setup_ram, teardown_ram);
}
