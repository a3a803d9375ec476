/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of the file engine with its record, in a scratch folder, and layers in it that are known
 * by numbers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/snapshot/snapshot.h"
#include "pkg/thin/file/engine.h"

#define SNAPSHOT_POOL_BASE_BYTES (UINT64_C(32) << 20)

/* Setup and teardown of cmocka: one new pool. */
int snapshot_pool_make(void **state);
int snapshot_pool_remove(void **state);

/* Its folder. */
const char *snapshot_pool_dir(void);

struct thin_pool *snapshot_pool_open(enum thin_file_mode mode);
/* A session; after a removal cut short the layers with these numbers ("12") are still wanted. */
struct snapshots *snapshot_pool_write(const char *wanted_layers);
/* The same of an open pool, which is taken. */
int snapshot_pool_begin(struct thin_pool **pool, const char *wanted_layers, struct snapshots **ret,
			struct error *err);
/* Fails the test unless the strict check of the metadata finds nothing. */
void snapshot_pool_check(void);

/* The ChainID of layer n. */
struct digest snapshot_pool_digest(unsigned n);
/* A layer n on layer `parent` (0: on the base), with its number written somewhere in it. */
void snapshot_pool_add_layer(struct snapshots *s, unsigned n, unsigned parent);
/* The same, with what can go wrong. @next: the layer that is said to come, 0 = none. */
int snapshot_pool_try_layer(struct snapshots *s, unsigned n, unsigned parent, unsigned next,
			    struct error *err);
/* Fails the test unless the layer has its number where it was written. */
void snapshot_pool_check_layer(struct snapshots *s, unsigned n);
bool snapshot_pool_has_layer(const struct snapshots *s, unsigned n);
/* Thin devices in the pool. */
size_t snapshot_pool_count(struct snapshots *s);

/* With one label, k = v "1". What snapshots_create_container() returns. */
int snapshot_pool_add_container(struct snapshots *s, const char *name, unsigned layer,
				struct error *err);
