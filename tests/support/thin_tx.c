/* SPDX-License-Identifier: Apache-2.0 */
/* The superblock is not written: the roots are remembered here. */
#include "tests/support/thin_tx.h"

#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

void thin_tx_init(struct thin_tx *t, uint64_t metadata_blocks, uint64_t data_blocks)
{
	struct error err = {0};

	t->fd = memfd_create("metadata", MFD_CLOEXEC);
	assert_true(t->fd >= 0);
	assert_int_equal(ftruncate(t->fd, (off_t)(metadata_blocks * TF_BLOCK_BYTES)), 0);
	tf_tx_init(&t->tx, t->fd, "metadata", NULL);
	t->tx.cache.nr_blocks = metadata_blocks;
	assert_ok(tf_spacemap_grow(&t->tx.metadata, metadata_blocks, &err), &err);
	assert_ok(tf_spacemap_grow(&t->tx.data, data_blocks, &err), &err);
	assert_ok(tf_spacemap_inc(&t->tx.metadata, 0, &err), &err);
	thin_tx_commit(t);
}

void thin_tx_release(struct thin_tx *t)
{
	tf_tx_release(&t->tx);
	close(t->fd);
}

void thin_tx_commit(struct thin_tx *t)
{
	struct error err = {0};

	assert_ok(tf_tx_flush(&t->tx, &t->data, &t->metadata, &err), &err);
	tf_tx_committed(&t->tx);
}

void thin_tx_reload(struct thin_tx *t)
{
	struct tf_superblock sb = {.data_sm = t->data, .metadata_sm = t->metadata};

	tf_tx_release(&t->tx);
	tf_tx_init(&t->tx, t->fd, "metadata", &sb);
}
