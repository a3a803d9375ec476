/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that keep credentials: docker-credential-NAME, found in PATH. What they are asked goes
 * through a pipe, what they answer too; nothing secret is an argument, in their environment or in
 * what we say of them. Spec: the protocol of docker-credential-helpers; rule C14.
 */
#pragma once

#include "pkg/base/error.h"
#include "registry/credential.h"

/* Letters, digits and "._-", as a file of credentials may name it. */
bool auth_helper_is_name(const char *name);

/*
 * What it has for a server. The user name "<token>" makes an identity token of the secret.
 * @ret: owned; where is the program's name.
 * Returns 0, 1 = it has nothing for it, -1.
 * Errors: ERR_USAGE (no such program), ERR_SYSTEM (failed, timed out), ERR_INVALID (its answer),
 * ERR_INTERRUPTED.
 */
MUST_CHECK int auth_helper_get(const char *name, const char *server, struct credential *ret,
			       struct error *err);

/* Keep a credential, in the place of what there was. Errors: as above. */
MUST_CHECK int auth_helper_store(const char *name, const char *server, const struct credential *c,
				 struct error *err);

/* Forget it. Returns 0, 1 = it had nothing, -1. Errors: as above. */
MUST_CHECK int auth_helper_erase(const char *name, const char *server, struct error *err);
