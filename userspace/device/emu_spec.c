// SPDX-License-Identifier: GPL-2.0-only
/*
 * "emu:key=value,..": what an emulated device shall be like.
 */
#include <sys/random.h>

#include "device/emu.h"

/* A decimal number with an optional suffix K, M or G: powers of 1024. */
static int parse_size(const char *text, size_t len, u64 *ret)
{
	static const struct { char suffix; u64 unit; } units[] = {
		{ 'K', 1ull << 10 }, { 'M', 1ull << 20 }, { 'G', 1ull << 30 },
	};
	u64 value = 0, unit = 1;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units) && len > 1; i++) {
		if (text[len - 1] == units[i].suffix) {
			unit = units[i].unit;
			len--;
			break;
		}
	}
	if (!len)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' ||
		    __builtin_mul_overflow(value, (u64)10, &value) ||
		    __builtin_add_overflow(value, (u64)(text[i] - '0'), &value))
			return -EINVAL;
	}
	if (__builtin_mul_overflow(value, unit, &value))
		return -EINVAL;
	*ret = value;
	return 0;
}

static int parse_number_key(const char *key, const char *value, size_t len, u64 *ret,
			    struct error *err)
{
	int ret_code = parse_size(value, len, ret);

	if (ret_code)
		return error_set(err, ret_code,
				 "emu: %s=%.*s is not a number; write digits and at most one of K, M, G",
				 key, (int)len, value);
	return 0;
}

static int set_state_bytes(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	int ret = parse_number_key("state_bytes", value, len, &spec->state_bytes, err);

	if (!ret && !miglab_synthetic_size_ok(spec->state_bytes))
		ret = error_set(err, -EINVAL,
				"emu: state_bytes=%.*s must be a multiple of %u, from %llu to %llu",
				(int)len, value, MIGLAB_PAGE,
				(unsigned long long)MIGLAB_STATE_BYTES_MIN,
				(unsigned long long)MIGLAB_STATE_BYTES_MAX);
	return ret;
}

static int set_rate(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	return parse_number_key("dirty_bytes_per_sec", value, len, &spec->dirty_bytes_per_sec, err);
}

static int set_seed(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	return parse_number_key("seed", value, len, &spec->seed, err);
}

static int set_dma_rate(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	return parse_number_key("dma_bytes_per_sec", value, len, &spec->dma_bytes_per_sec, err);
}

static int set_dma_misses(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	return parse_number_key("dma_log_misses", value, len, &spec->dma_log_misses, err);
}

static int set_profile(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	if (miglab_profile_parse(value, len, &spec->flags))
		return error_set(err, -EINVAL,
				 "emu: there is no profile \"%.*s\"; write full, no-p2p, no-precopy or stop-copy",
				 (int)len, value);
	return 0;
}

static int set_rules(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	if (len > MIGLAB_RULES_TEXT_MAX)
		return error_set(err, -EINVAL, "emu: rules= has %zu bytes; at most %u are allowed",
				 len, MIGLAB_RULES_TEXT_MAX);
	memcpy(spec->rules, value, len);
	spec->rules[len] = '\0';
	return 0;
}

static int set_mutant(struct emu_spec *spec, const char *value, size_t len, struct error *err)
{
	if (!len || len >= sizeof(spec->mutant))
		return error_set(err, -EINVAL,
				 "emu: there is no mutant \"%.*s\"; see miglab conform --mutants",
				 (int)len, value);
	memcpy(spec->mutant, value, len);
	spec->mutant[len] = '\0';
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct emu_spec *spec, const char *value, size_t len, struct error *err);
} keys[] = {
	{ "state_bytes", set_state_bytes },
	{ "dirty_bytes_per_sec", set_rate },
	{ "dma_bytes_per_sec", set_dma_rate },
	{ "dma_log_misses", set_dma_misses },
	{ "profile", set_profile },
	{ "rules", set_rules },
	{ "seed", set_seed },
	{ "mutant", set_mutant },
};

/* @seen: bits of those that were there before. */
static int set_key(struct emu_spec *spec, const char *item, size_t len, unsigned int *seen,
		   struct error *err)
{
	const char *equals = memchr(item, '=', len);
	size_t name_len = equals ? (size_t)(equals - item) : len;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strlen(keys[i].name) != name_len || memcmp(keys[i].name, item, name_len))
			continue;
		if (!equals)
			return error_set(err, -EINVAL, "emu: %s needs a value: %s=..",
					 keys[i].name, keys[i].name);
		if (*seen & 1u << i)
			return error_set(err, -EINVAL, "emu: %s is there twice; give one",
					 keys[i].name);
		*seen |= 1u << i;
		return keys[i].set(spec, equals + 1, len - name_len - 1, err);
	}
	return error_set(err, -EINVAL,
			 "emu: unknown key \"%.*s\"; known are state_bytes, dirty_bytes_per_sec, dma_bytes_per_sec, dma_log_misses, profile, rules, seed, mutant",
			 (int)name_len, item);
}

int emu_spec_parse(const char *spec, struct emu_spec *ret, struct error *err)
{
	struct emu_spec new = {
		.state_bytes = MIGLAB_STATE_BYTES_DEFAULT,
		.dirty_bytes_per_sec = EMU_DIRTY_BYTES_PER_SEC_DEFAULT,
		.dma_log_misses = U64_MAX,
		.flags = MIGLAB_FLAGS_FULL,
		.rules = MIGLAB_RULES_DEFAULT,
	};
	const char *item = spec + strlen("emu");
	unsigned int seen = 0;
	int error;

	if (getrandom(&new.seed, sizeof(new.seed), 0) != sizeof(new.seed))
		return error_set(err, -EIO, "emu: the system gives no random seed; use seed=N");
	/* QEMU's users write a comma. */
	if (*item != '\0' && *item != ':' && *item != ',')
		return error_set(err, -EINVAL, "\"%s\" is no device; write emu or emu:key=value,..",
				 spec);
	while (*item) {
		size_t len = strcspn(++item, ",");

		error = set_key(&new, item, len, &seen, err);
		if (error)
			return error;
		item += len;
	}
	*ret = new;
	return 0;
}
