/* SPDX-License-Identifier: Apache-2.0 */
/* Goes through the places; nothing of one is read before those in front of it had nothing. */
#include "registry/credentials.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/secret.h"
#include "registry/auth_file.h"
#include "registry/auth_helper.h"
#include "registry/auth_places.h"

/* 0, 1 = it has nothing, or there is none; -1. */
static int ask_helper(const struct auth_file *f, const char *host, struct credential *ret,
		      struct error *err)
{
	struct auth_file_helper h;
	int rc = auth_file_helper(f, host, &h, err);

	if (rc != 0)
		return rc;
	rc = 1;
	for (size_t i = 0; i < h.n_servers && rc > 0; i++)
		rc = auth_helper_get(h.name, h.servers[i], ret, err);
	return rc;
}

static int look_into(const struct auth_place *place, const char *host, const char *path,
		     struct credential *ret, struct error *err)
{
	cleanup(auth_file_free_ptr) struct auth_file *f = NULL;
	int rc = auth_place_read(place, &f, err);

	if (rc != 0)
		return rc; /* which names the place already */
	rc = ask_helper(f, host, ret, err);
	if (rc > 0) {
		rc = auth_file_find(f, host, path, ret, err);
		if (rc == 0)
			ret->where = xstrdup(auth_place_name(place));
	}
	return rc < 0 ? error_wrap(err, "%s", auth_place_name(place)) : rc;
}

int credentials_find(const char *host, const char *path, const char *authfile,
		     struct credential *ret, struct error *err)
{
	cleanup(auth_places_release) struct auth_places places = {0};
	cleanup_held bool held = secret_held();
	int rc = 1;

	auth_places_list(authfile, &places);
	for (size_t i = 0; i < places.n && rc > 0; i++)
		rc = look_into(&places.items[i], host, path, ret, err);
	if (rc == 0)
		log_debug("credentials for %s: %s", host, ret->where);
	if (rc >= 0)
		return rc;
	if (err->kind != ERR_INTERRUPTED)
		error_set_detail(err, ERR_DETAIL_AUTH_FILE);
	return error_wrap(err, "credentials for %s", host);
}
