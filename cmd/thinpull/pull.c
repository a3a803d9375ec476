/* SPDX-License-Identifier: Apache-2.0 */
/* Source, platform, policy and progress for the pipeline. */
#include "cmd/thinpull/pull.h"

#include <string.h>

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/progress.h"
#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/sizes.h"
#include "pkg/base/alloc.h"
#include "registry/foreign.h"

int pull_downloads(const struct args *args, unsigned *ret, struct error *err)
{
	enum { DOWNLOADS_MAX = 32 };
	const char *text = args_value(args, "max-concurrent-downloads");
	uint64_t n = 0;

	if (!text)
		return 0;
	if (number_parse(text, "--max-concurrent-downloads", DOWNLOADS_MAX, &n, err) < 0)
		return -1;
	if (n == 0)
		return error_set(err, ERR_USAGE, "--max-concurrent-downloads: at least 1");
	*ret = (unsigned)n;
	return 0;
}

int pull_source(const struct context *context, struct store *store, struct source *source,
		struct unpack_result *ret, struct error *err)
{
	cleanup_progress struct progress progress;
	struct unpack_options options = {
		.progress = progress_event,
		.arg = &progress,
		.keep_blobs = args_has(context->args, "keep-blobs"),
	};

	progress_init(&progress, context->settings, source->name);
	if (context_platform(context, &options.platform, err) < 0
	    || pull_downloads(context->args, &options.downloads, err) < 0)
		return -1;
	return unpack_image(store, source, &options, ret, err);
}

int pull_open_source(const struct context *context, const struct asker *asker,
		     const struct store *store, const char *reference, struct source **ret,
		     struct error *err)
{
	struct session_options options = asker_session(asker);
	unsigned ignored;

	/* Before anybody is asked for anything. */
	if (pull_downloads(context->args, &ignored, err) < 0)
		return -1;
	if (imageref_open_source(reference, &options, store ? store_spool_dir(store) : NULL, ret,
				 err)
	    < 0)
		return -1;
	if (args_has(context->args, "allow-foreign"))
		foreign_source_wrap(ret, NULL);
	return 0;
}

int pull_image(const struct context *context, const struct asker *asker, struct store *store,
	       const char *reference, struct unpack_result *ret, char **ret_ref, struct error *err)
{
	cleanup(source_close_ptr) struct source *source = NULL;

	if (pull_open_source(context, asker, store, reference, &source, err) < 0
	    || pull_source(context, store, source, ret, err) < 0)
		return error_wrap(err, "pull %s", reference);
	*ret_ref = xstrdup(source->name);
	return 0;
}

static void print_json(struct jout *o, const struct unpack_result *result, const char *ref)
{
	char manifest[DIGEST_TEXT_BYTES], digest[DIGEST_TEXT_BYTES];

	jout_object(o, NULL);
	jout_string(o, "ref", ref);
	jout_string(o, "digest", digest_format(&result->digest, digest));
	jout_string(o, "manifest", digest_format(&result->manifest, manifest));
	jout_uint(o, "layers", result->n_layers);
	jout_uint(o, "layers_fetched", result->n_fetched);
	jout_uint(o, "fetched_bytes", result->fetched_bytes);
	jout_end_object(o);
}

int pull_print(const struct context *context, struct jout *o, const struct unpack_result *result,
	       const char *ref, struct error *err)
{
	cleanup_free char *name = NULL;
	char digest[DIGEST_TEXT_BYTES];

	if (context->settings->json) {
		print_json(o, result, ref);
		return 0;
	}
	/* At once: who reads this may start before the next image is here. */
	name = imageref_with_digest(ref, digest_format(&result->digest, digest));
	output_line("%s", name);
	return output_finish(err);
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

/* An image for a lesser processor of the same kind will do: there may be no better one. */
static int check_platform(const struct content_image *image, const struct oci_platform *want,
			  struct error *err)
{
	struct oci_platform have;
	struct error ignored = {0};

	if (oci_platform_parse(image->platform, &have, &ignored) == 0
	    && strcmp(want->architecture, have.architecture) == 0
	    && oci_platform_match(want, &have) > 0)
		return 0;
	return error_set(err, ERR_NOT_FOUND, "the image here is for %s", image->platform);
}

int pull_find(const struct context *context, struct store *store, const char *reference,
	      char **ret_ref, struct error *err)
{
	cleanup_free char *ref = NULL;
	struct content_image *image;
	struct oci_platform want;
	int rc = 0;

	if (context_platform(context, &want, err) < 0
	    || imageref_find(store, reference, &ref, err) < 0)
		return -1;
	if (args_has(context->args, "platform")) {
		if (store_find_image(store, ref, &image, err) < 0)
			return -1;
		rc = check_platform(image, &want, err);
		content_images_free(image, 1);
	}
	if (rc == 0)
		*ret_ref = steal(&ref);
	return rc;
}

int pull_by_policy(const struct context *context, const struct asker *asker, struct store *store,
		   const char *reference, enum pull_policy policy, char **ret_ref,
		   struct error *err)
{
	struct unpack_result result;

	if (policy == PULL_ALWAYS)
		return pull_image(context, asker, store, reference, &result, ret_ref, err);
	if (pull_find(context, store, reference, ret_ref, err) == 0)
		return 0;
	if (policy == PULL_MISSING && err->kind == ERR_NOT_FOUND)
		return pull_image(context, asker, store, reference, &result, ret_ref, err);
	return -1;
}
