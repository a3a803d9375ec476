/* SPDX-License-Identifier: Apache-2.0 */
/* Options and progress for the copy; no store is opened. */
#include "cmd/thinpull/pull_to.h"

#include <stdlib.h>
#include <string.h>

#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/progress.h"
#include "cmd/thinpull/pull.h"
#include "oci/layout.h"
#include "oci/mirror.h"
#include "pkg/base/alloc.h"

static const char prefix[] = "oci:";

static int check_options(const struct args *args, const char *to, struct error *err)
{
	static const char *const others[] = {"dry-run", "pull", "keep-blobs"};

	if (!to && args_has(args, "all-platforms"))
		return error_set(err, ERR_USAGE, "option --all-platforms goes with --to");
	if (!to)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (args_has(args, others[i]))
			return error_set(err, ERR_USAGE, "option --%s does not go with --to",
					 others[i]);
	if (args_has(args, "all-platforms") && args_has(args, "platform"))
		return error_set(err, ERR_USAGE, "--platform, or --all-platforms: one of them");
	if (strncmp(to, prefix, strlen(prefix)) != 0)
		return error_set(err, ERR_USAGE, "option --to: oci:DIR[:NAME] is expected");
	return 0;
}

int pull_to_open(const struct context *context, const struct asker *asker, bool *ret_asked,
		 struct pull_to *ret, struct error *err)
{
	const char *to = args_value(context->args, "to");

	*ret = (struct pull_to){.context = context, .asker = asker};
	*ret_asked = to != NULL;
	if (check_options(context->args, to, err) < 0)
		return -1;
	if (!to)
		return 0;
	if (oci_layout_split(to + strlen(prefix), &ret->dir, &ret->name, err) < 0)
		return error_wrap(err, "option --to");
	if (ret->name && context->args->n_operands > 1)
		return error_set(err, ERR_USAGE,
				 "option --to: several images cannot all be called '%.80s'",
				 ret->name);
	return layout_writer_open(ret->dir, &ret->out, err);
}

void pull_to_release(struct pull_to *p)
{
	layout_writer_close(p->out);
	free(p->dir);
	free(p->name);
	*p = (struct pull_to){0};
}

static void print_json(struct jout *o, const char *ref, const char *source, const char *digest,
		       const struct mirror_result *result)
{
	jout_object(o, NULL);
	jout_string(o, "ref", ref);
	jout_string(o, "source", source);
	jout_string(o, "digest", digest);
	jout_uint(o, "blobs", result->n_blobs);
	jout_uint(o, "blobs_fetched", result->n_fetched);
	jout_uint(o, "fetched_bytes", result->fetched_bytes);
	jout_end_object(o);
}

static int print(const struct pull_to *p, const char *name, const char *source,
		 const struct mirror_result *result, struct jout *o, struct error *err)
{
	cleanup_free char *ref = xasprintf("%s%s:%s", prefix, p->dir, name), *whole = NULL;
	char digest[DIGEST_TEXT_BYTES];

	digest_format(&result->digest, digest);
	if (p->context->settings->json) {
		print_json(o, ref, source, digest, result);
		return 0;
	}
	whole = imageref_with_digest(ref, digest);
	output_line("%s", whole);
	return output_finish(err);
}

/* The progress ends before the result is printed. */
static int copy(struct pull_to *p, struct source *source, const char *name,
		struct mirror_result *ret, struct error *err)
{
	const struct context *context = p->context;
	struct mirror_options options = {.progress = progress_event, .name = name};
	cleanup_progress struct progress progress;
	struct oci_platform platform;

	progress_init(&progress, context->settings, source->name);
	options.arg = &progress;
	if (context_platform(context, &platform, err) < 0
	    || pull_downloads(context->args, &options.downloads, err) < 0)
		return -1;
	if (!args_has(context->args, "all-platforms"))
		options.platform = &platform;
	return mirror_image(source, p->out, &options, ret, err);
}

static int copy_and_print(struct pull_to *p, struct source *source, struct jout *o,
			  struct error *err)
{
	const char *name = p->name ? p->name : source->name;
	struct mirror_result result;

	if (!p->name && imageref_is_place(source->name))
		return error_set(err, ERR_USAGE, "what is it to be called? --to oci:DIR:NAME");
	if (copy(p, source, name, &result, err) < 0)
		return -1;
	return print(p, name, source->name, &result, o, err);
}

int pull_to_copy(struct pull_to *p, const char *reference, struct jout *o, struct error *err)
{
	cleanup(source_close_ptr) struct source *source = NULL;

	if (pull_open_source(p->context, p->asker, NULL, reference, &source, err) < 0
	    || copy_and_print(p, source, o, err) < 0)
		return error_wrap(err, "pull %s", reference);
	return 0;
}
