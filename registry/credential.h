/* SPDX-License-Identifier: Apache-2.0 */
/* Who somebody is to a registry. Where that comes from: registry/credentials.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pkg/base/error.h"

/* All owned, NULL what there is not of; overwritten when released. */
struct credential {
	char *user, *password;
	char *identity_token; /* for the token server, in the place of a password */
	char *registry_token; /* for the registry itself, as it is */
	char *where;	      /* the file, program or option it is from, for messages; never NULL
			       * but while it is being made; no secret */
};

void credential_release(struct credential *c);
void credential_copy(const struct credential *from, struct credential *ret);

/* Nothing in it that anybody could be shown? */
bool credential_is_empty(const struct credential *c);

/*
 * Take "USER:PASSWORD" apart, at the first colon; NULs around the password go.
 * Errors: ERR_INVALID: no colon, no user, NULs in it; never shows any of it.
 */
MUST_CHECK int credential_parse_pair(const char *text, size_t len, struct credential *ret,
				     struct error *err);

/*
 * Whether it can be sent: a registry token is visible ASCII, as headers want it, and a user has no
 * colon. Errors: ERR_INVALID.
 */
MUST_CHECK int credential_check(const struct credential *c, struct error *err);

/* The Authorization header "Basic ..", or NULL without a password. Owned, for secret_free(). */
char *credential_basic(const struct credential *c);
