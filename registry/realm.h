/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the token server that a challenge names may be asked, and with what URL. */
#pragma once

#include "pkg/base/buffer.h"
#include "pkg/base/error.h"
#include "registry/challenge.h"

/*
 * The URL of a token to pull a repository (NULL: none in particular): the realm, with its own query, the service, and a scope
 * parameter for "repository:<path>:pull" and for each scope of the challenge.
 *
 * @registry_url: of the registry that made the challenge.   @c: a Bearer challenge.
 * @ret: owned; the same for the same realm, service and scopes.
 *
 * Errors: ERR_INVALID: no realm, or one that must not be asked.
 * Spec: distribution's token specification; rule C5-C7, F67.
 */
MUST_CHECK int realm_url(const char *registry_url, const struct challenge *c, const char *path,
			 char **ret, struct error *err);

/*
 * The same for who has an identity token, as OAuth2 wants it: the realm as it is, and a form with
 * service and scopes to be sent to it. Checked as above.
 * @ret_url, @ret_form: owned; more fields are added to the form with http_form_add().
 */
MUST_CHECK int realm_form(const char *registry_url, const struct challenge *c, const char *path,
			  char **ret_url, struct buffer *ret_form, struct error *err);
