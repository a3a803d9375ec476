/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an export goes: a new file that appears under its name only when it is complete, or
 * standard output, a device or a pipe that take it as it comes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"

struct outfile {
	const char *name; /* for errors; borrowed */
	int fd;
	bool sparse;	/* holes can be left out */
	uint64_t start; /* where in fd the content begins */
	bool is_stdout;
	char *path;	 /* of a new file, links resolved; NULL for the others */
	char *temporary; /* its name until it is complete; NULL while it has none */
};

/*
 * @path: "-" is standard output.
 * Errors: ERR_USAGE (a terminal, a folder), ERR_SYSTEM.
 */
MUST_CHECK int outfile_open(const char *path, struct outfile *ret, struct error *err);

/* Bytes at an offset of the content; offsets only grow. What is skipped reads as zeros. */
MUST_CHECK int outfile_write(struct outfile *f, const void *data, size_t len, uint64_t offset,
			     struct error *err);

/* The content is complete and size_bytes long: make it durable and give it its name. */
MUST_CHECK int outfile_commit(struct outfile *f, uint64_t size_bytes, struct error *err);

/* After the commit: bytes that went out; of a file that takes holes, what it has on disk. */
uint64_t outfile_written(const struct outfile *f);

/* Without a commit before: no trace is left of a new file. */
void outfile_close(struct outfile *f);
#define cleanup_outfile cleanup(outfile_close)
