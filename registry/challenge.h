/* SPDX-License-Identifier: Apache-2.0 */
/* What a 401 asks for: the WWW-Authenticate headers. Spec: RFC 9110 section 11; rule C4. */
#pragma once

#include "pkg/base/error.h"

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER, CHALLENGE_OTHER };

struct challenge {
	enum challenge_scheme scheme;
	char *realm, *service, *scope; /* owned, NULL if not given */
};

/*
 * The challenge to answer, of all that were made: Bearer before Basic before others.
 * @header: all WWW-Authenticate headers, joined by ", "; NULL for none.
 * Errors: ERR_INVALID.
 */
MUST_CHECK int challenge_parse(const char *header, struct challenge *ret, struct error *err);
void challenge_release(struct challenge *c);

const char *challenge_name(enum challenge_scheme scheme);
