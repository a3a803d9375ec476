/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks registries: --creds and --authfile of the verbs that do. */
#pragma once

#include <stdbool.h>

#include "cmd/thinpull/options.h"
#include "registry/session.h"

#define ASKER_OPTIONS                                                                          \
	{"creds", 0, "USER:PASSWORD", "who asks the registry (default: who is logged in)", 0}, \
	{                                                                                      \
		"authfile", 0, "FILE", "where credentials are, and nowhere else", 0            \
	}

struct asker {
	struct credential credential; /* of --creds */
	bool is_given;
	const char *authfile; /* borrowed, or NULL */
};

/*
 * Read them, and take the password out of the command line, which others can see: so it is done
 * once, and first of all. Errors: ERR_USAGE.
 */
MUST_CHECK int asker_read(const struct args *args, struct asker *ret, struct error *err);
void asker_release(struct asker *a);
#define cleanup_asker cleanup(asker_release)

/* For sources of registries; borrows from the asker. */
struct session_options asker_session(const struct asker *a);

/*
 * A password is for one registry: whether all of these references are of the same.
 * Errors: ERR_USAGE.
 */
MUST_CHECK int asker_check(const struct asker *a, const struct args *references, struct error *err);
