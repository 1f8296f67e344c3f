// SPDX-License-Identifier: GPL-2.0-only
#include "witness/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "witness/arcs.h"

struct entry {
	uint64_t ns;
	char *line;
};

struct order {
	struct entry *entries;		/* from the oldest on */
	size_t count, room;
	uint64_t last_ns;		/* of the line that was fed last */
	char *part;			/* of a line that is not whole */
	size_t part_len;
};

struct order *order_new(void)
{
	return calloc(1, sizeof(struct order));
}

void order_free(struct order *order)
{
	if (!order)
		return;
	for (size_t i = 0; i < order->count; i++)
		free(order->entries[i].line);
	free(order->entries);
	free(order->part);
	free(order);
}

/* Behind all that are not younger: lines of one time keep their order. Takes @line. */
static int insert(struct order *order, char *line)
{
	uint64_t ns = arcs_line_ns(line);
	size_t at = order->count;

	if (!ns)
		ns = order->last_ns;
	order->last_ns = ns;
	if (order->count == order->room) {
		size_t room = order->room ? 2 * order->room : 64;
		struct entry *more = realloc(order->entries, room * sizeof(*more));

		if (!more) {
			free(line);
			return -ENOMEM;
		}
		order->entries = more;
		order->room = room;
	}
	while (at && order->entries[at - 1].ns > ns)
		at--;
	memmove(&order->entries[at + 1], &order->entries[at],
		(order->count - at) * sizeof(*order->entries));
	order->entries[at] = (struct entry){ .ns = ns, .line = line };
	order->count++;
	return 0;
}

/* Adds @len bytes to the part. */
static int extend(struct order *order, const char *bytes, size_t len)
{
	char *more = realloc(order->part, order->part_len + len + 1);

	if (!more)
		return -ENOMEM;
	memcpy(more + order->part_len, bytes, len);
	order->part_len += len;
	more[order->part_len] = '\0';
	order->part = more;
	return 0;
}

int order_feed(struct order *order, const char *bytes, size_t len)
{
	while (len) {
		const char *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) : len;
		char *line;
		int ret = extend(order, bytes, n);

		if (ret || !end)
			return ret;
		line = order->part;
		order->part = NULL;
		order->part_len = 0;
		ret = insert(order, line);
		if (ret)
			return ret;
		bytes += n + 1;
		len -= n + 1;
	}
	return 0;
}

char *order_take(struct order *order, uint64_t ns)
{
	char *line;

	if (!order->count || order->entries[0].ns >= ns)
		return NULL;
	line = order->entries[0].line;
	order->count--;
	memmove(order->entries, order->entries + 1, order->count * sizeof(*order->entries));
	return line;
}

bool order_has_line(const struct order *order)
{
	return order->count;
}
