/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image configuration says about running it, and about itself: the part that unpacking
 * (oci/config.h) does not need. Spec: image-spec v1.1 config.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/error.h"

struct oci_strings {
	char **items; /* owned */
	size_t n;
};

void oci_strings_release(struct oci_strings *s);
/* In byte order. */
void oci_strings_sort(struct oci_strings *s);

struct oci_label {
	char *key, *value;
};

struct oci_history {
	char *created, *created_by, *comment; /* owned or NULL */
	bool empty_layer;
};

/* Strings are owned; NULL or n = 0: absent. */
struct oci_runconfig {
	char *os, *architecture, *variant, *os_version, *author, *created;
	struct oci_strings os_features;
	struct oci_strings env, entrypoint, cmd;
	bool has_entrypoint, has_cmd; /* there, if only as an empty list */
	char *working_dir, *user, *stop_signal;
	struct oci_strings volumes, exposed_ports; /* keys, sorted */
	struct oci_label *labels;		   /* as given */
	size_t n_labels;
	struct oci_history *history;
	size_t n_history;
};

/* Errors: ERR_INVALID naming the JSON path (wrong types, too many entries). */
MUST_CHECK int oci_runconfig_parse(const void *json, size_t len, const char *what,
				   struct oci_runconfig *ret, struct error *err);
void oci_runconfig_release(struct oci_runconfig *c);
