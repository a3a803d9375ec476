/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where credentials are, in the order in which they are looked for (rule C13):
 *
 *   --authfile, else $REGISTRY_AUTH_FILE    that file and no other
 *   $DOCKER_AUTH_CONFIG                     the text itself
 *   $XDG_RUNTIME_DIR/containers/auth.json   without that variable /run/containers/UID/auth.json
 *   $XDG_CONFIG_HOME/containers/auth.json   without that variable ~/.config/containers/auth.json
 *   $DOCKER_CONFIG/config.json              without that variable ~/.docker/config.json
 *   ~/.dockercfg
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "registry/auth_file.h"

struct auth_place {
	char *path;	  /* owned; NULL: text is what it holds */
	const char *text; /* borrowed from the environment */
	enum auth_file_format format;
	bool is_named;	/* by the user: that it is not there is an error */
	bool takes_new; /* where a file is made when there is none: docker's, which all read */
};

struct auth_places {
	struct auth_place items[8];
	size_t n;
};

/* @authfile: or NULL. Folders that are not absolute do not count. */
void auth_places_list(const char *authfile, struct auth_places *ret);
void auth_places_release(struct auth_places *p);

/* For messages: the path, or the name of the variable. */
const char *auth_place_name(const struct auth_place *place);

/*
 * Read it. Links are followed; an empty file is nothing.
 * Returns 0, 1 = there is nothing, -1. Errors, naming it: ERR_INVALID (malformed, too large, no
 * file), ERR_USAGE (named, and not there), ERR_SYSTEM. One that is not named and may not be read
 * counts as nothing, with a warning.
 */
MUST_CHECK int auth_place_read(const struct auth_place *place, struct auth_file **ret,
			       struct error *err);
