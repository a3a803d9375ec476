/* SPDX-License-Identifier: Apache-2.0 */
/*
 * os/arch[/variant]: parsing, normalising, and which of several an image for a host is taken from.
 */
#pragma once

#include <stdbool.h>

#include "pkg/base/error.h"

struct oci_platform {
	char os[32];
	char architecture[32];
	char variant[32]; /* "" = baseline */
};

/* "linux/arm64/v8", "amd64", "x86_64"...; normalised (rule B14). Errors: ERR_USAGE. */
MUST_CHECK int oci_platform_parse(const char *text, struct oci_platform *ret, struct error *err);
void oci_platform_normalise(struct oci_platform *p);
/* This machine: linux and uname's architecture. */
void oci_platform_host(struct oci_platform *ret);
/* "linux/arm64/v8"; returns buf. */
const char *oci_platform_format(const struct oci_platform *p, char *buf, unsigned long size);
/*
 * How well an image of platform `have` runs on `want`: 0 = not at all, else higher is better
 * (rule B14: lower variants, 386 on amd64, arm v8..v5 on arm64).
 */
int oci_platform_match(const struct oci_platform *want, const struct oci_platform *have);
