/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the guest begins. A multiboot loader, such as QEMU's -kernel, finds the header below, puts
 * the program at the addresses that it is linked for, and jumps to start. The processor is in
 * 32-bit mode, without interrupts, and without paging, so that each address is a physical one.
 * There is no stack yet, and the segment descriptors are the loader's: that comes first.
 */
#define MULTIBOOT_MAGIC	0x1badb002
#define CODE		8	/* selectors: the place of a descriptor in the table, in bytes */
#define DATA		16
#define STACK_SIZE	4096

	.section .multiboot, "a"
	.balign 4
	.long MULTIBOOT_MAGIC, 0, -MULTIBOOT_MAGIC	/* no flags; the three add up to 0 */

	.text
	.globl start
start:
	mov $stack_end, %esp
	lgdt descriptors_pointer
	ljmp $CODE, $1f
1:	mov $DATA, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	push %ebx		/* what the loader tells, for main() */
	call main

/* Two segments of all 4 GiB, one to execute and one for data. */
	.section .rodata
	.balign 8
descriptors:
	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
descriptors_end:
descriptors_pointer:
	.word descriptors_end - descriptors - 1
	.long descriptors

	.bss
	.balign 16
	.skip STACK_SIZE
stack_end:

	.section .note.GNU-stack, "", @progbits
