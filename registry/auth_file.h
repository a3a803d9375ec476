/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of credentials: docker's config.json, auth.json of podman and skopeo, which has the same
 * form, and docker's older .dockercfg.
 *
 *   {"auths": {"quay.io": {"auth": BASE64 OF USER:PASSWORD},
 *              "quay.io/team": {..},                            only for what is below
 *              "https://index.docker.io/v1/": {"identitytoken": ".."}},
 *    "credHelpers": {"ghcr.io": "NAME"},                        docker-credential-NAME knows it
 *    "credsStore": "NAME"}                                      and this one all others
 *
 * Pure functions of bytes: what is read from where is credentials.c's matter.
 */
#pragma once

#include <stddef.h>

#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "registry/credential.h"

enum auth_file_format {
	AUTH_FILE_CURRENT,
	AUTH_FILE_LEGACY, /* .dockercfg: what "auths" holds, and nothing around it */
};

struct auth_file;

/* Errors: ERR_INVALID; they never show any of it but the names of members. */
MUST_CHECK int auth_file_parse(const void *json, size_t len, enum auth_file_format format,
			       struct auth_file **ret, struct error *err);
void auth_file_free(struct auth_file *f);
DEFINE_CLEANUP(struct auth_file *, auth_file_free);

/*
 * The entry for a repository: the most specific of those for a path in it, for the host, and for
 * the host as a URL ("https://HOST/v1/"). Entries that hold nothing do not count.
 *
 * @host: with port; docker.io, index.docker.io and registry-1.docker.io are one.
 * @path: of the repository, "library/alpine"; NULL: only what is for the whole host.
 * @ret: owned; without where.
 *
 * Returns 0, 1 = there is none, -1. Errors: ERR_INVALID, naming the entry.
 */
MUST_CHECK int auth_file_find(const struct auth_file *f, const char *host, const char *path,
			      struct credential *ret, struct error *err);

/* Who knows a host, and under which names it may know it, to be asked in turn. */
struct auth_file_helper {
	const char *name; /* of the file; fit to be a part of a program's name */
	const char *servers[3];
	size_t n_servers;
};

/*
 * That of credHelpers, else credsStore. What *ret points to lives as long as file and host.
 * Returns 0, 1 = there is none, -1. Errors: ERR_INVALID: a name that no program may have.
 */
MUST_CHECK int auth_file_helper(const struct auth_file *f, const char *host,
				struct auth_file_helper *ret, struct error *err);

/* The name under which docker keeps a host: the host, but for its own a URL. */
const char *auth_file_key(const char *host);

/*
 * The file as text again, with an entry for the host in the place of all that were for it as a
 * whole; @c NULL: without. What else is in the file stays as it is, entries for paths too.
 *
 * @f: NULL for a new file.   @ret: appended; wipe it.
 * Returns whether there is a difference. Without a user and a password in @c the entry is empty,
 * which is how docker notes that a helper has it.
 */
bool auth_file_write(const struct auth_file *f, const char *host, const struct credential *c,
		     struct buffer *ret);
