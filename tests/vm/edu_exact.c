// SPDX-License-Identifier: GPL-2.0-only
/*
 * The exact mode of the model edu: what counts is what the function has in its buffer, whatever
 * the shadow is. A rule makes a shadow wrong.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/pci_regs.h>

#include "core/fsm.h"
#include "device/sysfs.h"
#include "edu.h"

#define EXACT		"module/miglab_vfio_pci/parameters/edu_exact"
#define REACH		0x10000000u	/* of the function, from 0 on */
#define CHUNK		0x1000000u
#define ON		(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

static struct edu src, dst;

static void set_exact(bool on)
{
	assert_int_equal(sysfs_write(on ? "1" : "0", EXACT), 0);
}

static void open_both(void)
{
	configure(0, "model", "edu");
	configure(1, "model", "edu");
	memset(ram, 0, RAM_BYTES);
	open_edu(&src, 0);
	open_edu(&dst, 1);
}

static int close_both(void **state)
{
	set_exact(false);
	close(src.event);
	close(dst.event);
	close_functions(state);
	configure(0, "model", "synthetic");
	configure(1, "model", "synthetic");
	return 0;
}

/* SOURCE goes to all of the buffer. */
static void fill_buffer(struct edu *e, unsigned int seed)
{
	fill_ram(SOURCE, 4096, seed);
	transfer(e, RAM_IOVA + SOURCE, 0, 4096, 0);
}

/* Another 100 bytes go to @e's buffer, and its shadow does not hear of them. */
static void miss(struct edu *e, unsigned int seed)
{
	set_attribute(e->dev, "rules", "op=dma_record drop");
	fill_ram(OTHER, 100, seed);
	transfer(e, RAM_IOVA + OTHER, 1000, 100, 0);
	set_attribute(e->dev, "rules", "\n");
}

/* How many bytes those are which @before had otherwise. */
static unsigned int differing(const unsigned char *before)
{
	unsigned int i, n = 0;

	for (i = 0; i < 100; i++)
		n += ram[OTHER + i] != before[i];
	return n;
}

/* Is SOURCE, with the bytes of OTHER in the middle, what @e has? */
static bool has_both(struct edu *e)
{
	memset(ram + TARGET, 0, 4096);
	transfer(e, RAM_IOVA + TARGET, 0, 4096, MIGLAB_EDU_TO_RAM);
	return !memcmp(ram + TARGET, ram + SOURCE, 1000) &&
	       !memcmp(ram + TARGET + 1000, ram + OTHER, 100) &&
	       !memcmp(ram + TARGET + 1100, ram + SOURCE + 1100, 4096 - 1100);
}

static void what_was_missed_moves(unsigned int seed)
{
	miss(&src, seed);
	move_state(src.dev, dst.dev);
	assert_true(has_both(&dst));
}

static void what_the_shadow_missed_moves(void **state)
{
	(void)state;
	open_both();
	fill_buffer(&src, 1);
	miss(&src, 2);
	/* Negative control. */
	move_state(src.dev, dst.dev);
	assert_false(has_both(&dst));
	go(src.dev, MIGLAB_RUNNING);
	set_exact(true);
	move_state(src.dev, dst.dev);
	assert_true(has_both(&dst));
	assert_int_equal(since_open(&src, DMA_CORRECTED), differing(ram + SOURCE + 1000));
	/* A shadow that was right is not counted. */
	assert_int_equal(since_open(&dst, DMA_CORRECTED), 0);
	move_state(dst.dev, src.dev);
	assert_int_equal(since_open(&dst, DMA_CORRECTED), 0);
	assert_true(has_both(&src));
}

/* Not only the shadow of the destination has them: else it would not know what was missed. */
static void the_function_gets_the_buffer(void **state)
{
	(void)state;
	open_both();
	fill_buffer(&src, 1);
	/* Negative control: loaded without it. */
	move_state(src.dev, dst.dev);
	miss(&dst, 3);
	set_exact(true);
	move_state(dst.dev, src.dev);
	assert_false(has_both(&src));
	assert_int_equal(since_open(&dst, DMA_CORRECTED), 0);
	move_state(src.dev, dst.dev);
	miss(&dst, 3);
	move_state(dst.dev, src.dev);
	assert_true(has_both(&src));
	assert_int_equal(since_open(&dst, DMA_CORRECTED), differing(ram + SOURCE + 1000));
}

static uint16_t command_of(struct edu *e)
{
	uint16_t command = 0;

	assert_int_equal(pread(e->fd, &command, 2, (off_t)e->config + PCI_COMMAND), 2);
	return command & ON;
}

/* Its user has switched the function off, and sees nothing of its being switched on. */
static void the_function_may_be_off(void **state)
{
	static const uint16_t commands[] = { 0, PCI_COMMAND_MEMORY, PCI_COMMAND_MASTER, ON };
	size_t i;

	(void)state;
	open_both();
	set_exact(true);
	fill_buffer(&src, 1);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		miss(&src, i);
		set_edu_command(&src, commands[i]);
		set_edu_command(&dst, commands[i]);
		move_state(src.dev, dst.dev);
		assert_int_equal(command_of(&src), commands[i]);
		assert_int_equal(command_of(&dst), commands[i]);
		go(src.dev, MIGLAB_RUNNING);
		assert_int_equal(command_of(&src), commands[i]);
		set_edu_command(&src, ON);
		set_edu_command(&dst, ON);
		assert_true(has_both(&dst));
	}
}

#define HOLE		(6 * CHUNK - 4096)

/* There is memory behind every page that the function reaches, but for HOLE and the first. */
static void *fill_reach(struct edu *e)
{
	void *map = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at;

	assert_ptr_not_equal(map, MAP_FAILED);
	map_for_edu(e, map, 4096, RAM_IOVA - 4096);
	map_for_edu(e, map, RAM_IOVA + RAM_BYTES, CHUNK - RAM_IOVA - RAM_BYTES);
	for (at = CHUNK; at < REACH; at += CHUNK)
		map_for_edu(e, map, at, at + CHUNK > HOLE && at < HOLE ? CHUNK - 4096 : CHUNK);
	return map;
}

/* One address is enough, and its user can have it afterwards. Without any the device goes on. */
static void no_address_is_left(void **state)
{
	void *map;

	(void)state;
	open_both();
	set_exact(true);
	map = fill_reach(&src);
	fill_buffer(&src, 1);
	what_was_missed_moves(2);
	go(src.dev, MIGLAB_RUNNING);
	map_for_edu(&src, map, HOLE, 4096);
	assert_int_equal(try_state(src.dev, MIGLAB_STOP), -ENOSPC);
	assert_int_equal(state_of(src.dev), MIGLAB_RUNNING_P2P);
	go(src.dev, MIGLAB_RUNNING);
	assert_true(has_both(&src));
	assert_int_equal(munmap(map, CHUNK), 0);
}

/* A reset of src after so many microseconds. */
static void *reset_main(void *opaque)
{
	struct error err;

	usleep(*(useconds_t *)opaque);
	assert_int_equal(src.dev->ops->reset(src.dev, &err), 0);
	return NULL;
}

/*
 * Whenever it comes in the tenth of a second that the transfer takes. What its user had switched
 * off is off afterwards.
 */
static void a_reset_ends_it(void **state)
{
	unsigned int ended = 0;
	pthread_t thread;
	uint16_t command;
	useconds_t us;

	(void)state;
	open_both();
	set_exact(true);
	for (us = 0; us < 150000; us += 12500) {
		fill_buffer(&src, us);
		command = us % 25000 ? PCI_COMMAND_MEMORY : ON;
		set_edu_command(&src, command);
		assert_int_equal(pthread_create(&thread, NULL, reset_main, &us), 0);
		ended += try_state(src.dev, MIGLAB_STOP) == -EIO;
		pthread_join(thread, NULL);
		if (state_of(src.dev) != MIGLAB_RUNNING)
			go(src.dev, MIGLAB_RUNNING);
		assert_int_equal(command_of(&src), command);
		set_edu_command(&src, ON);
		transfer(&src, RAM_IOVA + SOURCE, 0, 4096, 0);
		what_was_missed_moves(us);
		go(src.dev, MIGLAB_RUNNING);
	}
	assert_in_range(ended, 3, 12);
}

/* The user has the last word on bus mastering, and a transfer that he may have stopped is none. */
static void its_user_switches_bus_mastering(void **state)
{
	struct setter s;

	(void)state;
	open_both();
	set_exact(true);
	fill_buffer(&src, 1);
	setter_start(&s, src.dev, MIGLAB_STOP);
	while (state_of(src.dev) != MIGLAB_RUNNING_P2P)
		sched_yield();
	usleep(30000);
	set_edu_command(&src, PCI_COMMAND_MEMORY);
	assert_int_equal(setter_join(&s), -EBUSY);
	assert_int_equal(command_of(&src), PCI_COMMAND_MEMORY);
	assert_int_equal(since_open(&src, DMA_CORRECTED), 0);
	set_edu_command(&src, ON);
	/* Nothing became of it. */
	go(src.dev, MIGLAB_RUNNING);
	what_was_missed_moves(2);
}

/* A process that is about to stop the device, and waits to be told to. */
static pid_t child_before_stop(unsigned int seed)
{
	pid_t pid = fork_child();
	int status;

	if (!pid) {
		open_edu(&src, 0);
		fill_buffer(&src, seed);
		raise(SIGSTOP);
		try_state(src.dev, MIGLAB_STOP);
		pause();
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	return pid;
}

/* A process that is killed in there leaves a function that the next one can use. */
static void a_kill_ends_it(void **state)
{
	useconds_t us;
	pid_t child;

	(void)state;
	configure(0, "model", "edu");
	set_exact(true);
	for (us = 0; us < 150000; us += 25000) {
		child = child_before_stop(us);
		kill(child, SIGCONT);
		usleep(us);
		kill_child(child);
	}
	open_both();
	set_exact(true);
	fill_buffer(&src, 1);
	what_was_missed_moves(2);
}

#define exact_row(function) cmocka_unit_test_teardown(function, close_both)

int edu_exact_rows(void)
{
	const struct CMUnitTest rows[] = {
		exact_row(what_the_shadow_missed_moves),
		exact_row(the_function_gets_the_buffer),
		exact_row(the_function_may_be_off),
		exact_row(no_address_is_left),
		exact_row(a_reset_ends_it),
		exact_row(its_user_switches_bus_mastering),
		exact_row(a_kill_ends_it),
	};

	return cmocka_run_group_tests_name("edu-exact", rows, setup_ram, teardown_ram);
}
