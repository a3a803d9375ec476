/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain tree in memory that says what an ext4 should hold after a series of random changes. The
 * same changes go to an ext4_writer; the result is read back through ext4_reader.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/error.h"
#include "pkg/ext4/writer.h"
#include "pkg/thin/volume.h"

/* What stands in the root under names like this is nothing to the model. */
#define EXT4_MODEL_IGNORED "ballast-"

struct ext4_model;

/* The empty file system. @seed: of the changes to come. */
struct ext4_model *ext4_model_new(uint64_t seed);
void ext4_model_free(struct ext4_model *m);
DEFINE_CLEANUP(struct ext4_model *, ext4_model_free);

/* The same tree and the same future. */
struct ext4_model *ext4_model_copy(const struct ext4_model *m);

/* Make n random changes to the model and through the writer. */
MUST_CHECK int ext4_model_change(struct ext4_model *m, struct ext4_writer *w, unsigned n,
				 struct error *err);

/* Does the volume hold just what the model says? Prints what differs. */
bool ext4_model_matches(const struct ext4_model *m, struct thin_volume *volume);

/* The same of a folder that it is mounted at, as a kernel sees it; for root. */
bool ext4_model_matches_folder(const struct ext4_model *m, const char *folder);
