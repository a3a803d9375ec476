/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registries.conf of podman, skopeo and their like: what is blocked, rewritten, mirrored, and which
 * names are short for others. Spec: containers-registries.conf(5), containers-registries.conf.d(5);
 * rule C17.
 *
 *   [[registry]]
 *   prefix = "example.com/foo"            the longest one that an image starts with counts
 *   location = "internal.example.net/bar" stands in its place
 *   [[registry.mirror]]                   asked before it, in this order
 *   location = "mirror.example.net/foo"
 */
#pragma once

#include "registry/reference.h"

struct registries_conf;

struct registries_conf *registries_conf_new(void);
void registries_conf_free(struct registries_conf *conf);
DEFINE_CLEANUP(struct registries_conf *, registries_conf_free);

/*
 * Add one file to what was read before: its tables stand for those with the same prefix, its
 * aliases for those with the same name.
 * @name: of the file, for errors.   @drop_in: the old form of the file (version 1) is not allowed.
 * Errors: ERR_INVALID with a line, or the key; then nothing was added.
 */
MUST_CHECK int registries_conf_add(struct registries_conf *conf, const void *text, size_t len,
				   const char *name, bool drop_in, struct error *err);

/*
 * All files that count: $CONTAINERS_REGISTRIES_CONF alone; or the user's with their drop-ins; or
 * the system's with its drop-ins and the user's. Then the short names that podman was told.
 * @ret: owned. Errors: as above, naming the file, and ERR_SYSTEM.
 */
MUST_CHECK int registries_conf_load(struct registries_conf **ret, struct error *err);

/* Where an image is to be had. */
struct registries_place {
	char *domain; /* "mirror.example.net:5000" */
	char *path;   /* of the repository there */
	char *ns;     /* or NULL */
	bool insecure;
};

struct registries_places {
	struct registries_place *items; /* in the order in which they are asked */
	size_t n, room;
};

/*
 * Returns 0; 1 = no table is about it; -1.
 * Errors: ERR_UNAUTHORIZED (blocked), ERR_INVALID (what it is rewritten to is no reference).
 */
MUST_CHECK int registries_conf_places(const struct registries_conf *conf,
				      const struct reference *ref, struct registries_places *ret,
				      struct error *err);
void registries_places_release(struct registries_places *places);

/* Whether the table for a host says that it is not safe. */
bool registries_conf_is_insecure(const struct registries_conf *conf, const char *host);

/* What a name without host, tag and digest is short for; NULL if nothing. Borrowed. */
const char *registries_conf_alias(const struct registries_conf *conf, const char *name);
