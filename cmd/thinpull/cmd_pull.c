/* SPDX-License-Identifier: Apache-2.0 */
/* pull REF...: each image in turn; the first that fails ends it. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pull.h"
#include "cmd/thinpull/imageref.h"

static void print_result(struct jout *o, const struct unpack_result *result, const char *ref)
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

static int pull_one(const struct context *context, const struct asker *asker, struct store *store,
		    const char *reference, struct jout *o, struct error *err)
{
	cleanup_free char *ref = NULL, *name = NULL;
	char digest[DIGEST_TEXT_BYTES];
	struct unpack_result result;

	if (pull_image(context, asker, store, reference, &result, &ref, err) < 0)
		return -1;
	if (context->settings->json) {
		print_result(o, &result, ref);
		return 0;
	}
	/* At once: who reads this may start before the next image is here. */
	name = imageref_with_digest(ref, digest_format(&result.digest, digest));
	output_line("%s", name);
	return output_finish(err);
}

/* What is wrong with the command line is said before anything is made or fetched. */
static int check(const struct context *context, const struct asker *asker, struct error *err)
{
	struct oci_platform platform;

	for (size_t i = 0; i < context->args->n_operands; i++)
		if (imageref_check(context->args->operands[i], err) < 0)
			return error_wrap(err, "pull %s", context->args->operands[i]);
	if (asker_check(asker, context->args, err) < 0)
		return -1;
	return context_platform(context, &platform, err);
}

int cmd_pull(const struct context *context, struct error *err)
{
	cleanup(store_close_ptr) struct store *store = NULL;
	cleanup_asker struct asker asker = {0};
	cleanup_jout struct jout o = {0};
	size_t done = 0;
	int failed = 0;

	if (asker_read(context->args, &asker, err) < 0 || check(context, &asker, err) < 0
	    || context_open_store(context, &store, err) < 0)
		return -1;
	jout_array(&o, NULL);
	for (; done < context->args->n_operands && !failed; done += !failed)
		failed = pull_one(context, &asker, store, context->args->operands[done], &o, err);
	jout_end_array(&o);
	if (context->settings->json && (done || !failed))
		output_json(&o);
	return failed;
}
