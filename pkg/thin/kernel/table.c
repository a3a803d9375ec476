/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads the words of tables, and names; knows nothing of devices. */
#include "pkg/thin/kernel/table.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/thin/kernel/words.h"

enum { HEX_CHARS = 2 * THIN_UUID_BYTES, NAME_HEX_CHARS = 12 };

static const char UUID_START[] = "THINPULL-", VOLUME_END[] = "-volume";

static void hex_of(const uint8_t pool[THIN_UUID_BYTES], char ret[HEX_CHARS + 1])
{
	for (size_t i = 0; i < THIN_UUID_BYTES; i++)
		snprintf(ret + 2 * i, 3, "%02x", pool[i]);
}

void kernel_names_part(const uint8_t pool[THIN_UUID_BYTES], const char *part,
		       struct kernel_names *ret)
{
	char hex[HEX_CHARS + 1];

	hex_of(pool, hex);
	snprintf(ret->name, sizeof(ret->name), "thinpull-%.*s-%s", NAME_HEX_CHARS, hex, part);
	snprintf(ret->uuid, sizeof(ret->uuid), "%s%s-%s", UUID_START, hex, part);
}

void kernel_names_thin(const uint8_t pool[THIN_UUID_BYTES], uint32_t id, struct kernel_names *ret)
{
	char part[16];

	snprintf(part, sizeof(part), "%" PRIu32, id);
	kernel_names_part(pool, part, ret);
}

void kernel_names_volume(const uint8_t pool[THIN_UUID_BYTES], uint32_t id, struct kernel_names *ret)
{
	char part[32];

	snprintf(part, sizeof(part), "%" PRIu32 "%s", id, VOLUME_END);
	kernel_names_part(pool, part, ret);
}

void kernel_names_prefix(const uint8_t pool[THIN_UUID_BYTES], char ret[DEVMAP_UUID_BYTES])
{
	char hex[HEX_CHARS + 1];

	hex_of(pool, hex);
	snprintf(ret, DEVMAP_UUID_BYTES, "%s%s-", UUID_START, hex);
}

/* @end: what follows the number. */
static bool parse_id(const char *uuid, const char *end, uint32_t *ret_id)
{
	const char *hex = uuid + strlen(UUID_START), *part = hex + HEX_CHARS + 1;
	char number[16];
	struct words w;
	uint64_t id;
	size_t len;

	if (strncmp(uuid, UUID_START, strlen(UUID_START)) != 0
	    || strspn(hex, "0123456789abcdef") != HEX_CHARS || hex[HEX_CHARS] != '-')
		return false;
	/* one way to write each number, and nothing else behind it */
	len = strspn(part, "0123456789");
	if (strcmp(part + len, end) != 0 || len >= sizeof(number) || (part[0] == '0' && len > 1))
		return false;
	snprintf(number, sizeof(number), "%.*s", (int)len, part);
	w = words_of(number);
	if (!words_next_number(&w, &id) || id > THIN_ID_MAX)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

bool kernel_names_parse_thin(const char *uuid, uint32_t *ret_id)
{
	return parse_id(uuid, "", ret_id);
}

bool kernel_names_parse_volume(const char *uuid, uint32_t *ret_id)
{
	return parse_id(uuid, VOLUME_END, ret_id);
}

/* Those that the kernel tells in its table, in its order. */
static const struct {
	const char *word;
	size_t flag;
} features[] = {
	{"skip_block_zeroing", offsetof(struct kernel_pool_table, skip_zeroing)},
	{"ignore_discard", offsetof(struct kernel_pool_table, ignore_discard)},
	{"no_discard_passdown", offsetof(struct kernel_pool_table, no_discard_passdown)},
	{"read_only", offsetof(struct kernel_pool_table, read_only)},
	{"error_if_no_space", offsetof(struct kernel_pool_table, error_if_no_space)},
};

static const bool *flag_of(const struct kernel_pool_table *t, size_t i)
{
	return (const bool *)((const char *)t + features[i].flag);
}

char *kernel_pool_table_format(const struct kernel_pool_table *t)
{
	cleanup_buffer struct buffer b = {0}, words = {0};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++)
		if (*flag_of(t, i)) {
			buffer_printf(&words, " %s", features[i].word);
			n++;
		}
	buffer_printf(&b, "%s %s %" PRIu32 " %" PRIu64 " %u%s", t->metadata, t->data,
		      t->block_sectors, t->low_water_blocks, n,
		      words.data ? (const char *)words.data : "");
	return buffer_detach(&b);
}

/* Features that we have no word for change nothing that we do. */
static bool parse_features(struct words *w, struct kernel_pool_table *t)
{
	char word[64];
	uint64_t n;

	if (words_end(w)) /* the kernel leaves the zero out */
		return true;
	if (!words_next_number(w, &n))
		return false;
	for (; n > 0; n--) {
		if (!words_next_copy(w, word, sizeof(word)))
			return false;
		for (size_t i = 0; i < ARRAY_SIZE(features); i++)
			if (strcmp(word, features[i].word) == 0)
				*(bool *)((char *)t + features[i].flag) = true;
	}
	return words_end(w);
}

int kernel_pool_table_parse(const char *params, struct kernel_pool_table *ret, struct error *err)
{
	struct kernel_pool_table t = {0};
	struct words w = words_of(params);
	uint64_t block_sectors;

	if (!words_next_copy(&w, t.metadata, sizeof(t.metadata))
	    || !words_next_copy(&w, t.data, sizeof(t.data))
	    || !words_next_number(&w, &block_sectors) || block_sectors == 0
	    || block_sectors > UINT32_MAX || !words_next_number(&w, &t.low_water_blocks)
	    || !parse_features(&w, &t))
		return error_set(err, ERR_INVALID, "not a table of a thin-pool: \"%.120s\"",
				 params);
	t.block_sectors = (uint32_t)block_sectors;
	*ret = t;
	return 0;
}
