/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials kept and forgotten, in the same files and helpers in which they are looked for. A
 * file is replaced as a whole, readable by its owner alone; what else is in it stays.
 */
#pragma once

#include "registry/credential.h"

/*
 * Keep a user name and password for a host, so that they are what is found from now on: in the file
 * named, else in the first of auth_places.h that is there, else in a new one of docker's. Where
 * that file names a helper for the host, the helper gets the password, and the file none.
 *
 * @authfile: made when it is not there; or NULL.   @ret_where: owned, for messages.
 *
 * Errors: ERR_INVALID (what is there is malformed), ERR_USAGE (no home for a new file), those of
 * auth_helper_store(), ERR_SYSTEM, ERR_NO_SPACE. After an error a file is as it was.
 */
MUST_CHECK int auth_store_put(const char *host, const struct credential *c, const char *authfile,
			      char **ret_where, struct error *err);

/* Files and helpers that had something. */
struct auth_store_list {
	char **items; /* owned */
	size_t n, room;
};

void auth_store_list_release(struct auth_store_list *l);

/*
 * Forget a host: all that is for it as a whole, in the file named, or in all places, and in the
 * helpers that they name. Entries for some of its repositories stay.
 * Errors: as above; what was forgotten before is.
 */
MUST_CHECK int auth_store_remove(const char *host, const char *authfile,
				 struct auth_store_list *ret, struct error *err);
