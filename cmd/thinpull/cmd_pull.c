/* SPDX-License-Identifier: Apache-2.0 */
/* pull REF...: each image in turn; the first that fails ends it. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/imageref.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/pull.h"
#include "cmd/thinpull/pull_plan.h"
#include "cmd/thinpull/pull_to.h"

struct pulling {
	const struct context *context;
	struct asker asker;
	struct store *store;
	enum pull_policy policy;
	bool elsewhere; /* to a folder, not into the pool */
	struct pull_to to;
	struct jout o; /* an array with what is done */
};

static void pulling_release(struct pulling *p)
{
	store_close(p->store);
	pull_to_release(&p->to);
	asker_release(&p->asker);
	jout_release(&p->o);
}

/* --- an image that may be here ---------------------------------------------------------------- */

/* 1 = it is, and that will do; 0 = the source is to be asked. @ret_ref: as recorded, owned. */
static int find_here(const struct pulling *p, const char *reference, char **ret_ref,
		     struct error *err)
{
	if (p->policy == PULL_ALWAYS)
		return 0;
	if (pull_find(p->context, p->store, reference, ret_ref, err) == 0)
		return 1;
	if (err->kind != ERR_NOT_FOUND || p->policy == PULL_NEVER)
		return -1;
	error_clear(err);
	return 0;
}

static int describe_here(const struct pulling *p, const char *ref, struct unpack_result *ret,
			 struct error *err)
{
	cleanup(image_details_release) struct image_details d = {0};

	if (image_details_read(p->store, ref, &d, err) < 0)
		return -1;
	*ret = (struct unpack_result){
		.digest = d.image->target,
		.manifest = d.image->manifest,
		.n_layers = d.n_layers,
	};
	return 0;
}

/* --- pulling ---------------------------------------------------------------------------------- */

static int pull_one(struct pulling *p, const char *reference, struct error *err)
{
	cleanup_free char *ref = NULL;
	struct unpack_result result;
	int here = find_here(p, reference, &ref, err);

	if (here < 0 || (here && describe_here(p, ref, &result, err) < 0))
		return error_wrap(err, "pull %s", reference);
	if (!here && pull_image(p->context, &p->asker, p->store, reference, &result, &ref, err) < 0)
		return -1;
	return pull_print(p->context, &p->o, &result, ref, err);
}

/* --- what would be done ----------------------------------------------------------------------- */

static int read_plan(struct pulling *p, const char *reference, struct image_details *ret,
		     struct error *err)
{
	cleanup(source_close_ptr) struct source *source = NULL;
	cleanup_free char *ref = NULL;
	struct oci_platform platform;
	int here = find_here(p, reference, &ref, err);

	if (here)
		return here < 0 ? -1 : image_details_read(p->store, ref, ret, err);
	if (context_platform(p->context, &platform, err) < 0
	    || pull_open_source(p->context, &p->asker, p->store, reference, &source, err) < 0)
		return -1;
	return image_details_fetch(p->store, source, &platform, ret, err);
}

static int plan_one(struct pulling *p, const char *reference, struct error *err)
{
	cleanup(image_details_release) struct image_details d = {0};

	if (read_plan(p, reference, &d, err) < 0)
		return error_wrap(err, "pull %s", reference);
	if (p->context->settings->json)
		pull_plan_json(&p->o, &d);
	else
		pull_plan_text(&d);
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

/* What is wrong with the command line is said before anything is made or fetched. */
static int check(struct pulling *p, struct error *err)
{
	const struct args *args = p->context->args;
	struct oci_platform platform;

	for (size_t i = 0; i < args->n_operands; i++)
		if (imageref_check(args->operands[i], err) < 0)
			return error_wrap(err, "pull %s", args->operands[i]);
	if (asker_check(&p->asker, args, err) < 0
	    || pull_policy_read(args, PULL_ALWAYS, &p->policy, err) < 0)
		return -1;
	if (context_platform(p->context, &platform, err) < 0)
		return -1;
	return pull_to_open(p->context, &p->asker, &p->elsewhere, &p->to, err);
}

static int do_one(struct pulling *p, const char *reference, struct error *err)
{
	if (p->elsewhere)
		return pull_to_copy(&p->to, reference, &p->o, err);
	if (args_has(p->context->args, "dry-run"))
		return plan_one(p, reference, err);
	return pull_one(p, reference, err);
}

int cmd_pull(const struct context *context, struct error *err)
{
	cleanup(pulling_release) struct pulling p = {.context = context};
	const struct args *args = context->args;
	size_t done = 0;
	int failed = 0;

	if (asker_read(args, &p.asker, err) < 0 || check(&p, err) < 0)
		return -1;
	if (!p.elsewhere && context_open_store(context, &p.store, err) < 0)
		return -1;
	jout_array(&p.o, NULL);
	for (; done < args->n_operands && !failed; done += !failed)
		failed = do_one(&p, args->operands[done], err);
	jout_end_array(&p.o);
	if (context->settings->json && (done || !failed))
		output_json(&p.o);
	return failed;
}
