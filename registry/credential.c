/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a credential, and the one header that is made of them. */
#include "registry/credential.h"

#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/base64.h"
#include "pkg/base/secret.h"

void credential_release(struct credential *c)
{
	secret_free(c->user);
	secret_free(c->password);
	secret_free(c->identity_token);
	secret_free(c->registry_token);
	free(c->where);
	*c = (struct credential){0};
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void credential_copy(const struct credential *from, struct credential *ret)
{
	*ret = (struct credential){
		.user = copy(from->user),
		.password = copy(from->password),
		.identity_token = copy(from->identity_token),
		.registry_token = copy(from->registry_token),
		.where = copy(from->where),
	};
}

static bool has(const char *text)
{
	return text && *text;
}

bool credential_is_empty(const struct credential *c)
{
	return !has(c->password) && !has(c->identity_token) && !has(c->registry_token);
}

int credential_parse_pair(const char *text, size_t len, struct credential *ret, struct error *err)
{
	const char *colon = memchr(text, ':', len);
	const char *password, *end = text + len;

	if (!colon)
		return error_set(err, ERR_INVALID, "no colon between user name and password");
	if (colon == text)
		return error_set(err, ERR_INVALID, "no user name before the colon");
	password = colon + 1;
	while (password < end && !*password)
		password++;
	while (end > password && !end[-1])
		end--;
	if (memchr(text, 0, (size_t)(colon - text))
	    || memchr(password, 0, (size_t)(end - password)))
		return error_set(err, ERR_INVALID, "a NUL in user name or password");
	ret->user = xstrndup(text, (size_t)(colon - text));
	ret->password = xstrndup(password, (size_t)(end - password));
	return 0;
}

int credential_check(const struct credential *c, struct error *err)
{
	if (c->user && strchr(c->user, ':'))
		return error_set(err, ERR_INVALID, "a colon in the user name");
	for (const char *p = c->registry_token; p && *p; p++)
		if (*p <= 0x20 || *p >= 0x7f)
			return error_set(err, ERR_INVALID,
					 "the registry token has characters that no header may "
					 "have");
	return 0;
}

char *credential_basic(const struct credential *c)
{
	static const char scheme[] = "Basic ";
	cleanup_secret_buffer struct buffer pair = {0};
	struct buffer header = {0};
	size_t user, password;

	if (!has(c->password))
		return NULL;
	user = c->user ? strlen(c->user) : 0;
	password = strlen(c->password);
	buffer_reserve(&pair, user + 1 + password);
	buffer_add(&pair, c->user, user);
	buffer_add(&pair, ":", 1);
	buffer_add(&pair, c->password, password);
	buffer_reserve(&header, sizeof(scheme) + (pair.len + 2) / 3 * 4);
	buffer_add(&header, scheme, sizeof(scheme) - 1);
	base64_encode(pair.data, pair.len, &header);
	return buffer_detach(&header);
}
