/* SPDX-License-Identifier: Apache-2.0 */
/* Room in the pool and below it: the guard, and how much larger a pool would have to be. */
#include <string.h>
#include <sys/statvfs.h>

#include "oci/store_internal.h"
#include "pkg/thin/place.h"

enum { METADATA_BLOCK_BYTES = 4096, MAPPING_BYTES = 48 };
/* Of the host's file system, what nobody gets from us. */
enum { HOST_KEEP_PART = 100, HOST_KEEP_MAX_BYTES = 1 << 30 };
#define METADATA_MAX_BLOCKS (UINT64_C(255) * 16320) /* of the format */

/* --- the pool --------------------------------------------------------------------------------- */

static uint64_t data_blocks_of(const struct thin_pool_status *st, uint64_t bytes)
{
	return bytes / st->block_bytes + (bytes % st->block_bytes > 0);
}

static uint64_t metadata_blocks_of(uint64_t data_blocks)
{
	return data_blocks * MAPPING_BYTES / METADATA_BLOCK_BYTES + 1;
}

static int guard_pool(struct store *s, const struct thin_pool_status *st, uint64_t need_bytes,
		      struct error *err)
{
	uint64_t need_data = data_blocks_of(st, need_bytes);
	uint64_t need_meta = metadata_blocks_of(need_data);
	uint64_t keep_data = st->data_total_blocks * s->min_free_data_percent / 100;
	uint64_t keep_meta = st->metadata_total_blocks * s->min_free_metadata_percent / 100;

	if (st->data_used_blocks + need_data + keep_data > st->data_total_blocks) {
		error_set(err, ERR_NO_SPACE,
			  "pool %s: %llu MiB of data are needed, %llu of %llu MiB are used and "
			  "%u %% must stay free (min_free_space)",
			  s->pool, (unsigned long long)(need_bytes >> 20),
			  (unsigned long long)(st->data_used_blocks * st->block_bytes >> 20),
			  (unsigned long long)(st->data_total_blocks * st->block_bytes >> 20),
			  s->min_free_data_percent);
		return error_set_detail(err, ERR_DETAIL_POOL_FULL);
	}
	if (st->metadata_used_blocks + need_meta + keep_meta > st->metadata_total_blocks) {
		error_set(err, ERR_NO_SPACE,
			  "pool %s: %llu metadata blocks are needed, %llu of %llu are used and "
			  "%u %% must stay free (min_free_metadata)",
			  s->pool, (unsigned long long)need_meta,
			  (unsigned long long)st->metadata_used_blocks,
			  (unsigned long long)st->metadata_total_blocks,
			  s->min_free_metadata_percent);
		return error_set_detail(err, strcmp(st->mode, "out_of_metadata_space") == 0
						     ? ERR_DETAIL_POOL_METADATA_FULL
						     : ERR_DETAIL_METADATA_LOW);
	}
	return 0;
}

/* --- the host --------------------------------------------------------------------------------- */

int store_host_room(const char *dir, uint64_t *ret_bytes, struct error *err)
{
	struct statvfs fs;
	uint64_t free_bytes, keep;

	if (statvfs(dir, &fs) < 0)
		return error_sys(err, "statvfs %s", dir);
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	keep = (uint64_t)fs.f_blocks * fs.f_frsize / HOST_KEEP_PART;
	if (keep > HOST_KEEP_MAX_BYTES)
		keep = HOST_KEEP_MAX_BYTES;
	*ret_bytes = free_bytes > keep ? free_bytes - keep : 0;
	return 0;
}

int store_guard_host(const char *dir, uint64_t need_bytes, struct error *err)
{
	uint64_t room = 0;

	if (store_host_room(dir, &room, err) < 0)
		return -1;
	if (need_bytes <= room)
		return 0;
	error_set(err, ERR_NO_SPACE,
		  "the file system of %s has %llu MiB to spare, %llu MiB are needed", dir,
		  (unsigned long long)(room >> 20), (unsigned long long)(need_bytes >> 20));
	return error_set_detail(err, ERR_DETAIL_HOST_FULL);
}

int store_guard(struct store *s, struct thin_pool *pool, uint64_t need_bytes, struct error *err)
{
	struct thin_pool_status status;

	if (thin_pool_room(pool, &status, err) < 0 || guard_pool(s, &status, need_bytes, err) < 0)
		return -1;
	return status.in_files ? store_guard_host(s->pool_dir, need_bytes, err) : 0;
}

/* --- how much more ---------------------------------------------------------------------------- */

/* The total with which so many blocks are not above the threshold. */
static uint64_t grown(uint64_t used, uint64_t total, const struct store_autoextend *how)
{
	while (used > total / 100 * how->threshold + total % 100 * how->threshold / 100)
		total += total / 100 * how->percent + total % 100 * how->percent / 100 + 1;
	return total;
}

static void plan_for(const struct thin_pool_status *st, uint64_t need_bytes,
		     const struct store_autoextend *how, struct store_room *ret)
{
	uint64_t need = data_blocks_of(st, need_bytes);
	uint64_t need_meta = need ? metadata_blocks_of(need) : 0;
	uint64_t data = grown(st->data_used_blocks + need, st->data_total_blocks, how);
	uint64_t meta = grown(st->metadata_used_blocks + need_meta, st->metadata_total_blocks, how);

	if (meta > METADATA_MAX_BLOCKS)
		meta = METADATA_MAX_BLOCKS;
	*ret = (struct store_room){0};
	if (data > st->data_total_blocks)
		ret->data_bytes = data * st->block_bytes;
	if (meta > st->metadata_total_blocks)
		ret->metadata_bytes = meta * METADATA_BLOCK_BYTES;
}

static uint64_t added(uint64_t total, uint64_t now)
{
	return total > now ? total - now : 0;
}

/* Metadata first: without it nothing works, and it is little. */
static bool fit(const struct thin_pool_status *st, uint64_t host_bytes, struct store_room *room)
{
	uint64_t data = st->data_total_blocks * st->block_bytes;
	uint64_t meta = st->metadata_total_blocks * METADATA_BLOCK_BYTES;
	bool fits = true;

	if (added(room->metadata_bytes, meta) > host_bytes) {
		room->metadata_bytes = 0;
		fits = false;
	}
	host_bytes -= added(room->metadata_bytes, meta);
	if (added(room->data_bytes, data) > host_bytes) {
		data += host_bytes / st->block_bytes * st->block_bytes;
		room->data_bytes = host_bytes >= st->block_bytes ? data : 0;
		fits = false;
	}
	return fits;
}

void store_room_plan(const struct thin_pool_status *status, uint64_t need_bytes,
		     const struct store_autoextend *how, uint64_t host_bytes,
		     struct store_room *ret, bool *ret_cut)
{
	*ret = (struct store_room){0};
	*ret_cut = false;
	if (!how->percent || how->threshold >= 100)
		return;
	plan_for(status, need_bytes, how, ret);
	if (fit(status, host_bytes, ret))
		return;
	*ret_cut = true;
	plan_for(status, 0, how, ret);
	(void)fit(status, host_bytes, ret);
}
