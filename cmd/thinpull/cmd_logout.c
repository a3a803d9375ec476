/* SPDX-License-Identifier: Apache-2.0 */
/* logout REGISTRY: forget who we are to it. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/registry_name.h"
#include "pkg/base/log.h"
#include "registry/auth_store.h"

static void report(const struct context *context, const char *registry,
		   const struct auth_store_list *places)
{
	cleanup_jout struct jout o = {0};

	if (!context->settings->json) {
		for (size_t i = 0; i < places->n; i++)
			log_notice("credentials for %s are gone from %s", registry,
				   places->items[i]);
		if (places->n == 0)
			log_notice("there were no credentials for %s", registry);
		output_line("%s", registry);
		return;
	}
	jout_object(&o, NULL);
	jout_string(&o, "registry", registry);
	jout_array(&o, "gone_from");
	for (size_t i = 0; i < places->n; i++)
		jout_string(&o, NULL, places->items[i]);
	jout_end_array(&o);
	jout_end_object(&o);
	output_json(&o);
}

static int logout(const struct context *context, struct error *err)
{
	cleanup(reference_release) struct reference registry = {0};
	cleanup(auth_store_list_release) struct auth_store_list places = {0};
	const struct args *args = context->args;

	if (registry_name_parse(args->operands[0], &registry, err) < 0
	    || auth_store_remove(registry.domain, args_value(args, "authfile"), &places, err) < 0)
		return -1;
	report(context, registry.domain, &places);
	return 0;
}

int cmd_logout(const struct context *context, struct error *err)
{
	if (logout(context, err) < 0)
		return error_wrap(err, "logout %s", context->args->operands[0]);
	return 0;
}
