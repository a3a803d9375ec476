/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that nobody has: given back to the host, or told to who gives them back. */
#include "pkg/thin/file/pool_internal.h"

int thin_file_trim(struct thin_pool *pool, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);

	if (tf_pool_ready(p, err) < 0 || tf_pool_check_writable(p, err) < 0)
		return -1;
	if (p->tx.cache.n_fresh || p->tx.metadata.n_dirty || p->tx.data.n_dirty)
		return error_set(err, ERR_INVALID, "pool %s has changes that are not committed",
				 p->dir);
	if (tf_data_punch_free(&p->data, &p->tx.data, err) < 0)
		return -1;
	if (p->data.cannot_punch)
		return error_set(err, ERR_UNSUPPORTED,
				 "the file system of %s takes no space back from the middle of a "
				 "file",
				 p->data_name);
	return 0;
}

/* From this block on, in its group. */
static int find_free(struct tf_spacemap *sm, uint64_t from, uint64_t most, uint64_t *ret_first,
		     uint64_t *ret_n, struct error *err)
{
	uint64_t group = from / TF_BITMAP_ENTRIES;
	uint64_t end = group * TF_BITMAP_ENTRIES + tf_spacemap_group_blocks(sm, (size_t)group);
	uint64_t n = 0;
	uint32_t count;

	for (; from < end && n < most; from++) {
		if (tf_spacemap_count(sm, from, &count, err) < 0)
			return -1;
		if (!count)
			n++;
		else if (n)
			break;
	}
	*ret_first = from - n;
	*ret_n = n;
	return 0;
}

int thin_file_free_run(struct thin_pool *pool, uint64_t from, uint64_t most, uint64_t *ret_first,
		       uint64_t *ret_n, struct error *err)
{
	struct tf_pool *p = tf_pool_of(pool);

	if (tf_pool_ready(p, err) < 0)
		return -1;
	if (from >= p->tx.data.nr_blocks)
		return 1;
	return find_free(&p->tx.data, from, most, ret_first, ret_n, err);
}
