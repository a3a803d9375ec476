/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in and out of the metadata, the reserve, and the order of a commit's first half. */
#include "pkg/thin/file/transaction.h"

enum {
	RESERVE_MAX_BLOCKS = 4096, /* as the kernel: a tenth, at most this */
	RESERVE_SHARE = 10,
};

void tf_tx_init(struct tf_tx *tx, int fd, const char *name, const struct tf_superblock *sb)
{
	tf_cache_init(&tx->cache, fd, name, sb ? sb->metadata_sm.nr_blocks : 0);
	tf_spacemap_init(&tx->metadata, "metadata", tx, sb ? &sb->metadata_sm : NULL);
	tf_spacemap_init(&tx->data, "data", tx, sb ? &sb->data_sm : NULL);
}

void tf_tx_release(struct tf_tx *tx)
{
	tf_cache_release(&tx->cache);
	tf_spacemap_release(&tx->metadata);
	tf_spacemap_release(&tx->data);
}

int tf_tx_new_block(struct tf_tx *tx, enum tf_block_type type, uint64_t *ret_nr,
		    uint8_t **ret_block, struct error *err)
{
	uint64_t nr, n;

	if (tf_spacemap_alloc(&tx->metadata, 1, &nr, &n, err) < 0)
		return -1;
	*ret_block = tf_cache_new(&tx->cache, nr, type);
	*ret_nr = nr;
	return 0;
}

int tf_tx_put_block(struct tf_tx *tx, uint64_t nr, struct error *err)
{
	uint32_t left;

	if (tf_spacemap_dec(&tx->metadata, nr, &left, err) < 0)
		return -1;
	if (!left)
		tf_cache_forget(&tx->cache, nr);
	return 0;
}

int tf_tx_reserve(struct tf_tx *tx, uint64_t blocks, enum tf_reserve reserve, struct error *err)
{
	uint64_t free_blocks = tf_spacemap_available(&tx->metadata);
	uint64_t need = blocks + tf_spacemap_commit_need(&tx->data)
			+ tf_spacemap_commit_need(&tx->metadata);
	uint64_t kept = tx->metadata.nr_blocks / RESERVE_SHARE;

	if (kept > RESERVE_MAX_BLOCKS)
		kept = RESERVE_MAX_BLOCKS;
	/* Either way a change can touch every data bitmap there is. */
	if (reserve == TF_RESERVE_DELETE)
		kept = tx->data.n_groups - tx->data.n_dirty;
	else
		kept += tx->data.n_groups / 8;
	if (free_blocks >= need + kept)
		return 0;
	error_set(err, ERR_NO_SPACE,
		  "pool metadata is full (%llu of %llu blocks free, %llu needed)",
		  (unsigned long long)free_blocks, (unsigned long long)tx->metadata.nr_blocks,
		  (unsigned long long)(need + kept));
	return error_set_detail(err, ERR_DETAIL_METADATA_LOW);
}

int tf_tx_flush(struct tf_tx *tx, struct tf_sm_root *ret_data, struct tf_sm_root *ret_metadata,
		struct error *err)
{
	if (tf_spacemap_write_data(&tx->data, ret_data, err) < 0
	    || tf_spacemap_write_metadata(&tx->metadata, ret_metadata, err) < 0)
		return -1;
	return tf_cache_flush(&tx->cache, err);
}

void tf_tx_committed(struct tf_tx *tx)
{
	tf_cache_committed(&tx->cache);
	tf_spacemap_committed(&tx->metadata);
	tf_spacemap_committed(&tx->data);
}

void tf_tx_trim(struct tf_tx *tx)
{
	tf_cache_trim(&tx->cache);
	tf_spacemap_trim(&tx->metadata);
	tf_spacemap_trim(&tx->data);
}
