/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through to the engine of a pool. */
#include "pkg/thin/pool.h"

#include "pkg/thin/engine.h"

static int check_id(uint32_t id, struct error *err)
{
	if (id > THIN_ID_MAX)
		return error_set(err, ERR_INVALID, "thin id %u is above %u", id,
				 (unsigned)THIN_ID_MAX);
	return 0;
}

int thin_pool_create_thin(struct thin_pool *pool, uint32_t id, struct error *err)
{
	if (check_id(id, err) < 0)
		return -1;
	return pool->ops->create_thin(pool, id, err);
}

int thin_pool_create_snap(struct thin_pool *pool, uint32_t id, uint32_t origin, struct error *err)
{
	if (check_id(id, err) < 0 || check_id(origin, err) < 0)
		return -1;
	return pool->ops->create_snap(pool, id, origin, err);
}

int thin_pool_delete(struct thin_pool *pool, uint32_t id, struct error *err)
{
	if (check_id(id, err) < 0)
		return -1;
	return pool->ops->delete (pool, id, err);
}

int thin_pool_open_volume(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool writable,
			  struct thin_volume **ret, struct error *err)
{
	if (check_id(id, err) < 0)
		return -1;
	if (!size_bytes || size_bytes % 512)
		return error_set(err, ERR_INVALID, "volume size %llu is not a multiple of 512",
				 (unsigned long long)size_bytes);
	return pool->ops->open_volume(pool, id, size_bytes, writable, ret, err);
}

int thin_pool_commit(struct thin_pool *pool, uint64_t transaction_id, struct error *err)
{
	return pool->ops->commit(pool, transaction_id, err);
}

int thin_pool_abort(struct thin_pool *pool, struct error *err)
{
	return pool->ops->abort(pool, err);
}

int thin_pool_reserve_metadata_snap(struct thin_pool *pool, struct error *err)
{
	return pool->ops->reserve_metadata_snap(pool, err);
}

int thin_pool_release_metadata_snap(struct thin_pool *pool, struct error *err)
{
	return pool->ops->release_metadata_snap(pool, err);
}

int thin_pool_room(struct thin_pool *pool, struct thin_pool_status *ret, struct error *err)
{
	if (pool->ops->status(pool, ret, err) < 0)
		return -1;
	ret->thin_count = 0;
	return 0;
}

int thin_pool_status(struct thin_pool *pool, struct thin_pool_status *ret, struct error *err)
{
	if (pool->ops->status(pool, ret, err) < 0)
		return -1;
	if (pool->ops->count_thins)
		ret->thin_count = pool->ops->count_thins(pool);
	return 0;
}

int thin_pool_transaction_id(struct thin_pool *pool, uint64_t *ret, struct error *err)
{
	struct thin_pool_status status;

	if (pool->ops->transaction_id)
		return pool->ops->transaction_id(pool, ret, err);
	if (pool->ops->status(pool, &status, err) < 0)
		return -1;
	*ret = status.transaction_id;
	return 0;
}

int thin_pool_device(struct thin_pool *pool, uint32_t id, struct thin_device *ret,
		     struct error *err)
{
	if (check_id(id, err) < 0)
		return -1;
	return pool->ops->device(pool, id, ret, err);
}

int thin_pool_devices(struct thin_pool *pool, struct thin_device **ret, size_t *ret_n,
		      struct error *err)
{
	return pool->ops->devices(pool, ret, ret_n, err);
}

static int count_blocks(struct thin_pool *pool, const uint32_t *ids, size_t n, bool exclusive,
			uint64_t *ret_blocks, struct error *err)
{
	for (size_t i = 0; i < n; i++)
		if (check_id(ids[i], err) < 0)
			return -1;
	return pool->ops->count_blocks(pool, ids, n, exclusive, ret_blocks, err);
}

int thin_pool_mapped(struct thin_pool *pool, const uint32_t *ids, size_t n, uint64_t *ret_blocks,
		     struct error *err)
{
	return count_blocks(pool, ids, n, false, ret_blocks, err);
}

int thin_pool_exclusive(struct thin_pool *pool, const uint32_t *ids, size_t n, uint64_t *ret_blocks,
			struct error *err)
{
	return count_blocks(pool, ids, n, true, ret_blocks, err);
}

int thin_pool_diff(struct thin_pool *pool, uint32_t a, uint32_t b, struct thin_diff_range **ret,
		   size_t *ret_n, struct error *err)
{
	if (check_id(a, err) < 0 || check_id(b, err) < 0)
		return -1;
	return pool->ops->diff(pool, a, b, ret, ret_n, err);
}

bool thin_pool_is_atomic(const struct thin_pool *pool)
{
	return pool->ops->atomic;
}

int thin_pool_activate(struct thin_pool *pool, uint32_t id, uint64_t size_bytes, bool read_only,
		       char **ret_path, struct error *err)
{
	if (check_id(id, err) < 0)
		return -1;
	if (!pool->ops->activate)
		return error_set(err, ERR_UNSUPPORTED,
				 "the file engine has no block devices for its volumes");
	return pool->ops->activate(pool, id, size_bytes, read_only, ret_path, err);
}

int thin_pool_deactivate(struct thin_pool *pool, uint32_t id, struct error *err)
{
	return pool->ops->deactivate ? pool->ops->deactivate(pool, id, err) : 0;
}

int thin_pool_find_device(struct thin_pool *pool, uint32_t id, char **ret_path, struct error *err)
{
	return pool->ops->find_device ? pool->ops->find_device(pool, id, ret_path, err) : 1;
}

int thin_pool_mend(struct thin_pool *pool, uint32_t **ret_given, size_t *ret_n, struct error *err)
{
	*ret_given = NULL;
	*ret_n = 0;
	return pool->ops->mend ? pool->ops->mend(pool, ret_given, ret_n, err) : 0;
}

int thin_pool_pause(struct thin_pool *pool, struct error *err)
{
	return pool->ops->pause ? pool->ops->pause(pool, err) : 1;
}

int thin_pool_go_on(struct thin_pool *pool, struct error *err)
{
	return pool->ops->go_on ? pool->ops->go_on(pool, err) : 0;
}

int thin_pool_renew(struct thin_pool *pool, bool writing, unsigned lock_timeout_ms,
		    struct error *err)
{
	return pool->ops->renew ? pool->ops->renew(pool, writing, lock_timeout_ms, err) : 1;
}

int thin_pool_claim(struct thin_pool *pool, uint32_t id, struct error *err)
{
	return pool->ops->claim ? pool->ops->claim(pool, id, err) : 0;
}

void thin_pool_unclaim(struct thin_pool *pool, uint32_t id)
{
	if (pool->ops->unclaim)
		pool->ops->unclaim(pool, id);
}

bool thin_pool_is_claimed(struct thin_pool *pool, uint32_t id)
{
	return pool->ops->is_claimed && pool->ops->is_claimed(pool, id);
}

void thin_pool_counts(struct thin_pool *pool, struct thin_pool_counts *ret)
{
	*ret = (struct thin_pool_counts){0};
	if (pool->ops->counts)
		pool->ops->counts(pool, ret);
}

void thin_pool_close(struct thin_pool *pool)
{
	if (pool)
		pool->ops->close(pool);
}
