/* SPDX-License-Identifier: Apache-2.0 */
/* login REGISTRY: who we are to it, proven before it is kept. */
#include "cmd/thinpull/command.h"

#include "cmd/thinpull/context.h"
#include "cmd/thinpull/output.h"
#include "cmd/thinpull/prompt.h"
#include "cmd/thinpull/registry_name.h"
#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/secret.h"
#include "registry/auth_store.h"
#include "registry/session.h"

static int read_password(const struct args *args, char **ret, struct error *err)
{
	if (args_has(args, "password-stdin"))
		return prompt_read_password(ret, err);
	return prompt("Password", "option --password-stdin", PROMPT_HIDDEN, ret, err);
}

static int read_user(const struct args *args, char **ret, struct error *err)
{
	const char *user = args_value(args, "username");

	if (user && *user) {
		*ret = xstrdup(user);
		return 0;
	}
	if (user || args_has(args, "password-stdin"))
		return error_set(err, ERR_USAGE, "option --username is missing");
	return prompt("User name", "option --username", 0, ret, err);
}

static int read_credential(const struct args *args, struct credential *ret, struct error *err)
{
	cleanup(credential_release) struct credential c = {.where = xstrdup("this login")};

	if (read_user(args, &c.user, err) < 0)
		return -1;
	if (credential_check(&c, err) < 0) {
		err->kind = ERR_USAGE;
		return -1;
	}
	if (read_password(args, &c.password, err) < 0)
		return -1;
	*ret = c;
	c = (struct credential){0};
	return 0;
}

static int prove(const struct reference *registry, const struct credential *c, struct error *err)
{
	bool was_asked;

	if (session_check_login(reference_api_host(registry), c, NULL, &was_asked, err) < 0)
		return -1;
	if (!was_asked)
		log_warning("%s lets anybody in and looked at no password: whether this one is "
			    "right is not known",
			    registry->domain);
	return 0;
}

static void report(const struct context *context, const char *registry, const char *user,
		   const char *where)
{
	cleanup_jout struct jout o = {0};

	if (!context->settings->json) {
		log_notice("credentials for %s are kept in %s", registry, where);
		output_line("%s", registry);
		return;
	}
	jout_object(&o, NULL);
	jout_string(&o, "registry", registry);
	jout_string(&o, "username", user);
	jout_string(&o, "kept_in", where);
	jout_end_object(&o);
	output_json(&o);
}

static int login(const struct context *context, struct error *err)
{
	cleanup(reference_release) struct reference registry = {0};
	cleanup(credential_release) struct credential c = {0};
	cleanup_held bool held = secret_held();
	const struct args *args = context->args;
	cleanup_free char *where = NULL;

	if (registry_name_parse(args->operands[0], &registry, err) < 0
	    || read_credential(args, &c, err) < 0 || prove(&registry, &c, err) < 0
	    || auth_store_put(registry.domain, &c, args_value(args, "authfile"), &where, err) < 0)
		return -1;
	report(context, registry.domain, c.user, where);
	return 0;
}

int cmd_login(const struct context *context, struct error *err)
{
	if (login(context, err) < 0)
		return error_wrap(err, "login %s", context->args->operands[0]);
	return 0;
}
