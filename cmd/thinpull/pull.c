/* SPDX-License-Identifier: Apache-2.0 */
/* Source, platform and progress for the pipeline. */
#include "cmd/thinpull/pull.h"

#include <string.h>

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

int pull_image(const struct context *context, const struct asker *asker, struct store *store,
	       const char *reference, struct unpack_result *ret, char **ret_ref, struct error *err)
{
	struct session_options options = asker_session(asker);
	cleanup(source_close_ptr) struct source *source = NULL;

	if (imageref_open_source(reference, &options, &source, err) < 0
	    || pull_source(context, store, source, ret, err) < 0)
		return error_wrap(err, "pull %s", reference);
	*ret_ref = xstrdup(source->name);
	return 0;
}

int pull_policy_read(const struct args *args, enum pull_policy by_default, enum pull_policy *ret,
		     struct error *err)
{
	static const char *const names[] = {"never", "missing", "always"};
	const char *text = args_value(args, "pull");

	*ret = by_default;
	if (!text)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum pull_policy)i;
			return 0;
		}
	return error_set(err, ERR_USAGE, "option --pull: '%.40s' is none of always, missing, never",
			 text);
}

int pull_by_policy(const struct context *context, const struct asker *asker, struct store *store,
		   const char *reference, enum pull_policy policy, char **ret_ref,
		   struct error *err)
{
	struct unpack_result result;

	if (policy == PULL_ALWAYS)
		return pull_image(context, asker, store, reference, &result, ret_ref, err);
	if (imageref_find(store, reference, ret_ref, err) == 0)
		return 0;
	if (policy == PULL_MISSING && err->kind == ERR_NOT_FOUND)
		return pull_image(context, asker, store, reference, &result, ret_ref, err);
	return -1;
}
