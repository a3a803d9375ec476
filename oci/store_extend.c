/* SPDX-License-Identifier: Apache-2.0 */
/* A larger pool. It works on the pool alone, so also when that is too full to mend its record. */
#include "oci/store_internal.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"

enum { METADATA_BLOCK_BYTES = 4096 };

/* The new total of `now` blocks; 0 = nothing wanted. */
static int new_total(const struct store_pool_size *size, const char *what, uint64_t now,
		     uint32_t block_bytes, uint64_t *ret, struct error *err)
{
	*ret = size->bytes;
	if (!size->add || !size->bytes)
		return 0;
	if (__builtin_add_overflow(size->bytes, block_bytes - 1, ret)
	    || __builtin_add_overflow(*ret - *ret % block_bytes, now * block_bytes, ret))
		return error_set(err, ERR_USAGE, "%llu bytes more of %s are too many",
				 (unsigned long long)size->bytes, what);
	return 0;
}

/* As a new pool of this size would get it. */
static uint64_t metadata_for(uint64_t data_bytes, const struct thin_pool_status *st)
{
	uint64_t bytes = thin_file_metadata_bytes(data_bytes, st->block_bytes);

	return bytes > st->metadata_total_blocks * METADATA_BLOCK_BYTES ? bytes : 0;
}

/* The kernel grows at once, and on devices there is what there is; see store.h for the rest. */
static int grow(struct thin_pool *pool, uint64_t data_bytes, uint64_t metadata_bytes,
		struct error *err)
{
	if (thin_pool_is_atomic(pool))
		return thin_file_grow(pool, data_bytes, metadata_bytes, err);
	return thin_kernel_grow(pool, data_bytes, metadata_bytes, err);
}

static int extend(struct thin_pool *pool, bool in_files, const struct store_pool_size *data,
		  const struct store_pool_size *metadata, struct error *err)
{
	uint64_t data_bytes, metadata_bytes;
	struct thin_pool_status st;

	if (thin_pool_status(pool, &st, err) < 0
	    || new_total(data, "data", st.data_total_blocks, st.block_bytes, &data_bytes, err) < 0
	    || new_total(metadata, "metadata", st.metadata_total_blocks, METADATA_BLOCK_BYTES,
			 &metadata_bytes, err)
		       < 0)
		return -1;
	if (!metadata_bytes && data_bytes && in_files)
		metadata_bytes = metadata_for(data_bytes, &st);
	if (grow(pool, data_bytes, metadata_bytes, err) < 0)
		return -1;
	return thin_pool_commit(pool, st.transaction_id, err);
}

/* Errors: none. A pool that cannot be looked at says why when it is opened. */
static enum thin_place_kind kind_of(const struct store *s)
{
	cleanup(thin_place_release) struct thin_place place = {0};
	struct error ignored = {0};

	return thin_place_load(s->pool_dir, &place, &ignored) < 0 ? THIN_PLACE_FILES : place.kind;
}

int store_pool_extend(struct store *s, const struct store_pool_size *data,
		      const struct store_pool_size *metadata, struct error *err)
{
	static const struct store_pool_size all = {.bytes = UINT64_MAX};
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	enum thin_place_kind kind = kind_of(s);
	bool nothing = !data->bytes && !metadata->bytes;

	/* What a device has is all there ever will be: nothing said means that. */
	if (nothing && kind != THIN_PLACE_DEVICE)
		return error_set(err, ERR_USAGE, "how much? --size or --metadata-size says it");
	if (store_open_pool(s, THIN_WRITE, &pool, err) < 0)
		return -1;
	if (extend(pool, kind == THIN_PLACE_FILES, nothing ? &all : data, nothing ? &all : metadata,
		   err)
	    < 0)
		return error_wrap(err, "pool %s", s->pool);
	return 0;
}
