/* SPDX-License-Identifier: Apache-2.0 */
/* Takes --creds apart. */
#include "cmd/thinpull/asker.h"

#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/secret.h"
#include "registry/reference.h"

int asker_read(const struct args *args, struct asker *ret, struct error *err)
{
	const char *creds = args_value(args, "creds");
	struct error why = {0};
	int rc;

	*ret = (struct asker){.authfile = args_value(args, "authfile")};
	if (!creds)
		return 0;
	rc = credential_parse_pair(creds, strlen(creds), &ret->credential, &why);
	/* The words of the command line are ours to write in. */
	explicit_bzero((char *)(uintptr_t)creds, strlen(creds));
	if (rc < 0)
		return error_set(err, ERR_USAGE, "option --creds: %s", why.cause);
	secret_hold();
	ret->credential.where = xstrdup("--creds");
	ret->is_given = true;
	return 0;
}

void asker_release(struct asker *a)
{
	credential_release(&a->credential);
	if (a->is_given)
		secret_let_go();
	*a = (struct asker){0};
}

struct session_options asker_session(const struct asker *a)
{
	return (struct session_options){.authfile = a->authfile,
					.credential = a->is_given ? &a->credential : NULL};
}

int asker_check(const struct asker *a, const struct args *references, struct error *err)
{
	cleanup(reference_release) struct reference first = {0};

	if (!a->is_given)
		return 0;
	for (size_t i = 0; i < references->n_operands; i++) {
		cleanup(reference_release) struct reference r = {0};
		struct error ignored = {0};

		if (reference_parse(references->operands[i], &r, &ignored) < 0)
			continue; /* a folder, for example */
		if (first.domain && strcmp(first.domain, r.domain) != 0)
			return error_set(err, ERR_USAGE,
					 "option --creds is for one registry, not for %s and %s",
					 first.domain, r.domain);
		if (!first.domain) {
			first = r;
			r = (struct reference){0};
		}
	}
	return 0;
}
