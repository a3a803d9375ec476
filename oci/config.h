/* SPDX-License-Identifier: Apache-2.0 */
/* An image configuration. Spec: image-spec v1.1 config.md. */
#pragma once

#include <stddef.h>

#include "oci/platform.h"
#include "pkg/base/error.h"
#include "pkg/digest/digest.h"

struct oci_config {
	struct oci_platform platform;
	char *created;		 /* as given, or NULL */
	struct digest *diff_ids; /* lowest first */
	size_t n_diff_ids;
};

/* Errors: ERR_INVALID (rootfs.type, digests, wrong types). */
MUST_CHECK int oci_config_parse(const void *json, size_t len, const char *what,
				struct oci_config *ret, struct error *err);
void oci_config_release(struct oci_config *c);

/*
 * Whether it goes with a manifest of n_layers and can be unpacked (rules B6, B15). An image
 * for another architecture than wanted is only warned about (B16).
 * Errors: ERR_INVALID, ERR_UNSUPPORTED (not linux).
 */
MUST_CHECK int oci_config_check(const struct oci_config *c, size_t n_layers,
				const struct oci_platform *want, struct error *err);
