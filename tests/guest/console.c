// SPDX-License-Identifier: GPL-2.0-only
#include "console.h"

#include <stdarg.h>

#include "io.h"

#define COM1		0x3f8
#define LINE_STATUS	(COM1 + 5)
#define CAN_SEND	0x20

unsigned int turn;

static void put(char c)
{
	while (!(in8(LINE_STATUS) & CAN_SEND))
		;
	out8(COM1, c);
}

static void put_number(unsigned int n, unsigned int base)
{
	if (n >= base)
		put_number(n / base, base);
	put("0123456789abcdef"[n % base]);
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void vsay(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			put_text(va_arg(ap, const char *));
			break;
		case 'u':
			put_number(va_arg(ap, unsigned int), 10);
			break;
		case 'x':
			put_number(va_arg(ap, unsigned int), 16);
			break;
		}
	}
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	say("%u FAIL: ", turn);
	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
	say("\n");
	for (;;)
		asm volatile("cli; hlt");
}
