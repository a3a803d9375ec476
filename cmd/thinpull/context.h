/* SPDX-License-Identifier: Apache-2.0 */
/* What a verb works with. */
#pragma once

#include "cmd/thinpull/options.h"
#include "cmd/thinpull/settings.h"
#include "oci/platform.h"
#include "oci/store.h"
#include "pkg/base/error.h"

/* All borrowed. */
struct context {
	const struct settings *settings; /* NULL for verbs that do without */
	const struct args *args;
	const char *verb;
	int *exit_status; /* of a verb that is done; 0 unless it says otherwise */
};

/* Open the root folder of the settings; what killed commands left goes. Errors: as store_open(), ERR_UNSUPPORTED (engine). */
MUST_CHECK int context_open_store(const struct context *context, struct store **ret,
				  struct error *err);

/* The same without a look at its pool, which may be damaged, or not to be activated. */
MUST_CHECK int context_open_root(const struct context *context, struct store **ret,
				 struct error *err);

/* The same for verbs that only look, see store_look(). @ret_engine: who would run the pool. */
MUST_CHECK int context_look_at_store(const struct context *context, enum store_look look,
				     struct store **ret, struct thin_engine_choice *ret_engine,
				     struct error *err);

/* --platform, or this machine. Errors: ERR_USAGE. */
MUST_CHECK int context_platform(const struct context *context, struct oci_platform *ret,
				struct error *err);
