/* SPDX-License-Identifier: Apache-2.0 */
/* One metadata transaction of the file engine on memory, for tests of what works inside it. */
#pragma once

#include "pkg/thin/file/transaction.h"

struct thin_tx {
	struct tf_tx tx;
	int fd;
	struct tf_sm_root data, metadata; /* of the last commit */
};

/* Both maps are empty but for the superblock's block, and committed. */
void thin_tx_init(struct thin_tx *t, uint64_t metadata_blocks, uint64_t data_blocks);
void thin_tx_release(struct thin_tx *t);
void thin_tx_commit(struct thin_tx *t);
/* As another process would see the last commit. */
void thin_tx_reload(struct thin_tx *t);
