/* SPDX-License-Identifier: GPL-2.0-only */
/* The two ways to reach a device: ports, and memory that is a device's. */
#ifndef TESTS_GUEST_IO_H
#define TESTS_GUEST_IO_H

#include <stdint.h>

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

/* One access of four bytes each, which the compiler neither splits nor leaves out. */
static inline void mmio_write(uint32_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

static inline uint32_t mmio_read(uint32_t address)
{
	return *(volatile uint32_t *)address;
}

#endif
