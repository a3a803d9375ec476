/* SPDX-License-Identifier: Apache-2.0 */
/* pull --to oci:DIR[:NAME]: an image into a layout folder, not unpacked. */
#pragma once

#include "cmd/thinpull/asker.h"
#include "cmd/thinpull/context.h"
#include "pkg/json/jdoc.h"

struct pull_to {
	const struct context *context;
	const struct asker *asker;
	char *dir;  /* absolute */
	char *name; /* NULL: as the reference is recorded */
	struct layout_writer *out;
};

/* Whether the options ask for it, and if so, read them. Errors: ERR_USAGE, those of the folder. */
MUST_CHECK int pull_to_open(const struct context *context, const struct asker *asker,
			    bool *ret_asked, struct pull_to *ret, struct error *err);
void pull_to_release(struct pull_to *p);

/* One image; what came of it is printed, or an element of o. Errors carry "pull REF". */
MUST_CHECK int pull_to_copy(struct pull_to *p, const char *reference, struct jout *o,
			    struct error *err);
