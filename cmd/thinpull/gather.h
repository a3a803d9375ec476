/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the small pieces that a tar comes in. */
#pragma once

#include "cmd/thinpull/outfile.h"
#include "pkg/base/cleanup.h"

struct gather {
	struct outfile *out;
	uint64_t written;
	uint8_t *data;
	size_t len;
};

/* @out: borrowed. */
void gather_init(struct gather *g, struct outfile *out);
void gather_release(struct gather *g);
#define cleanup_gather cleanup(gather_release)

/* A tar_archive_write_fn; arg is the struct gather. Errors: those of outfile_write(). */
MUST_CHECK int gather_write(const void *data, size_t len, void *arg, struct error *err);
/* What has been gathered goes out; written is all of it then. */
MUST_CHECK int gather_flush(struct gather *g, struct error *err);
