/* SPDX-License-Identifier: Apache-2.0 */
/* Source, platform and progress for the pipeline. */
#include "cmd/thinpull/pull.h"

#include "cmd/thinpull/progress.h"
#include "cmd/thinpull/imageref.h"
#include "pkg/base/alloc.h"

static int pull_source(const struct context *context, struct store *store, struct source *source,
		       struct unpack_result *ret, struct error *err)
{
	cleanup_progress struct progress progress;
	struct unpack_options options = {.progress = progress_event, .arg = &progress};

	progress_init(&progress, context->settings, source->name);
	if (context_platform(context, &options.platform, err) < 0)
		return -1;
	return unpack_image(store, source, &options, ret, err);
}

int pull_image(const struct context *context, struct store *store, const char *reference,
	       struct unpack_result *ret, char **ret_ref, struct error *err)
{
	cleanup(source_close_ptr) struct source *source = NULL;

	if (imageref_open_source(reference, &source, err) < 0
	    || pull_source(context, store, source, ret, err) < 0)
		return error_wrap(err, "pull %s", reference);
	*ret_ref = xstrdup(source->name);
	return 0;
}
