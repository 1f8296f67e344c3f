// SPDX-License-Identifier: GPL-2.0-only
#include "lease.h"
#include "rules.h"

/* What a line of @len bytes has before its end. */
static size_t trim(const char *text, size_t len)
{
	while (len && (text[len - 1] == '\n' || text[len - 1] == '\0'))
		len--;
	return len;
}

/* Does the text begin with @word? Then it goes on behind it. */
static bool skip(const char **at, size_t *len, const char *word, size_t word_len)
{
	if (*len < word_len || memcmp(*at, word, word_len))
		return false;
	*at += word_len;
	*len -= word_len;
	return true;
}

#define SKIP(at, len, word)	skip(at, len, word, sizeof(word) - 1)

/* All of the text is one decimal number. */
static int parse_number(const char *at, size_t len, u64 *ret)
{
	u64 n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		u32 digit = (u8)at[i] - (u32)'0';

		if (digit > 9 || n > div64_u64(U64_MAX - digit, 10))
			return -EINVAL;
		n = n * 10 + digit;
	}
	if (!len)
		return -EINVAL;
	*ret = n;
	return 0;
}

int miglab_lease_parse(const char *text, size_t len, struct miglab_lease *ret)
{
	struct miglab_lease lease = { .owner = 0 };
	const char *blank;

	len = trim(text, len);
	if (len && !(len == 4 && !memcmp(text, "none", 4))) {
		blank = memchr(text, ' ', len);
		if (!blank || miglab_arc_parse(text, (size_t)(blank - text), &lease.from,
					       &lease.to))
			return -EINVAL;
		len -= (size_t)(blank - text);
		if (!SKIP(&blank, &len, " limit_us=") ||
		    parse_number(blank, len, &lease.limit_us) || !lease.limit_us ||
		    lease.limit_us > MIGLAB_DELAY_MAX_US)
			return -EINVAL;
	}
	*ret = lease;
	return 0;
}

int miglab_lease_write(struct miglab_lease *lease, const struct miglab_lease *wanted, u64 owner,
		       s32 pid)
{
	if (lease->owner && lease->owner != owner)
		return -EBUSY;
	if (!wanted->limit_us) {
		miglab_lease_end(lease);
		return 0;
	}
	lease->owner = owner;
	lease->pid = pid;
	lease->from = wanted->from;
	lease->to = wanted->to;
	lease->limit_us = wanted->limit_us;
	return 0;
}

void miglab_lease_end(struct miglab_lease *lease)
{
	if (!lease->owner)
		return;
	lease->owner = 0;
	lease->ended++;
}

bool miglab_lease_holds(const struct miglab_lease *lease, u32 from, u32 to)
{
	return lease->owner && lease->from == from && lease->to == to;
}

int miglab_release_parse(const char *text, size_t len, struct miglab_release *ret)
{
	struct miglab_release release;

	len = trim(text, len);
	release.by_seq = SKIP(&text, &len, "seq=");
	if (parse_number(text, len, &release.number))
		return -EINVAL;
	*ret = release;
	return 0;
}
