/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes, percentages and seconds as people write them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pkg/base/error.h"

enum { SIZE_TEXT_BYTES = 32 };

/*
 * "4096", "64k", "10G", "1.5T", "10GiB" count in powers of 1024, "10GB" in powers of 1000.
 * @what: named in errors ("option --size"). Errors: ERR_USAGE.
 */
MUST_CHECK int size_parse(const char *text, const char *what, uint64_t *ret, struct error *err);

/* "10%" or "10", at most 100. Errors: ERR_USAGE. */
MUST_CHECK int percent_parse(const char *text, const char *what, unsigned *ret, struct error *err);

/* A plain number from 0 to max. Errors: ERR_USAGE. */
MUST_CHECK int number_parse(const char *text, const char *what, uint64_t max, uint64_t *ret,
			    struct error *err);

/* "1.5 GiB"; buf has SIZE_TEXT_BYTES. Returns buf. */
const char *size_format(uint64_t bytes, char *buf);
