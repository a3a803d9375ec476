/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to a helper, and what its answer means. */
#include "registry/auth_helper.h"

#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "pkg/base/alloc.h"
#include "pkg/base/log.h"
#include "pkg/base/secret.h"
#include "pkg/host/program.h"
#include "pkg/json/jdoc.h"
#include "registry/auth_helper_internal.h"

enum { TIMEOUT_MS = 120000, NAME_MAX_BYTES = 100 }; /* it may ask its user something */

bool auth_helper_is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return *name && !name[strspn(name, allowed)] && strlen(name) <= NAME_MAX_BYTES;
}

/* --- one run ---------------------------------------------------------------------------------- */

static int find_program(const char *name, char **ret, struct error *err)
{
	cleanup_free char *program = xasprintf("docker-credential-%s", name);

	if (!auth_helper_is_name(name))
		return error_set(err, ERR_USAGE, "'%.40s' is no name of a credential helper", name);
	if (program_find(program, ret, err) < 0) {
		err->kind = ERR_USAGE; /* not what callers look for is missing */
		return -1;
	}
	return 0;
}

static bool says_not_found(const struct buffer *out)
{
	return strncasecmp((const char *)out->data, "credentials not found", 21) == 0;
}

/*
 * The first line of what it said, for an error: at most this long, and nothing that could be the
 * answer to another question. @secret: what it was told, or NULL.
 */
static const char *reason_of(const struct buffer *out, const char *secret, int *ret_len)
{
	const char *text = (const char *)out->data;
	size_t len = strcspn(text, "\r\n");

	*ret_len = len < 100 ? (int)len : 100;
	if (strpbrk(text, "{\"") || (secret && strstr(text, secret)))
		*ret_len = 0;
	return text;
}

static int check_status(int status, const struct buffer *out, const char *secret, struct error *err)
{
	const char *reason;
	int len;

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	reason = reason_of(out, secret, &len);
	if (WIFSIGNALED(status))
		return error_set(err, ERR_SYSTEM, "ended by signal %d", WTERMSIG(status));
	return error_set(err, ERR_SYSTEM, "failed with status %d%s%.*s", WEXITSTATUS(status),
			 len ? ": " : "", len, reason);
}

/* 0 and what it said; 1 = it has nothing; -1. */
static int ask(const char *name, const char *verb, const char *input, size_t len,
	       const char *secret, struct buffer *ret_out, struct error *err)
{
	cleanup_secret_buffer struct buffer out = {0};
	cleanup_free char *program = NULL;
	struct auth_helper_run run = {.verb = verb,
				      .input = input,
				      .input_len = len,
				      .timeout_ms = TIMEOUT_MS};
	int status;

	if (find_program(name, &program, err) < 0)
		return -1;
	run.program = program;
	log_debug("run: docker-credential-%s %s", name, verb);
	if (auth_helper_run(&run, &out, &status, err) < 0)
		return -1;
	if (says_not_found(&out))
		return 1;
	if (check_status(status, &out, secret, err) < 0)
		return -1;
	*ret_out = out;
	out = (struct buffer){0};
	return 0;
}

/* --- the protocol ----------------------------------------------------------------------------- */

static int get_text(struct jval object, const char *name, char **ret, struct error *err)
{
	const char *text;

	if (jdoc_string(object, name, JDOC_OPTIONAL, &text, err) < 0)
		return -1;
	*ret = text && *text ? xstrdup(text) : NULL;
	return 0;
}

/* {"ServerURL":..,"Username":..,"Secret":..}: 0, 1 = without a secret, -1. */
static int read_answer(const struct buffer *out, struct credential *ret, struct error *err)
{
	cleanup(credential_release) struct credential c = {0};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;

	if (jdoc_parse_secret(out->data, out->len, "answer", &doc, err) < 0
	    || get_text(jdoc_root(doc), "Username", &c.user, err) < 0
	    || get_text(jdoc_root(doc), "Secret", &c.password, err) < 0)
		return -1;
	if (c.user && strcmp(c.user, "<token>") == 0) {
		c.identity_token = steal(&c.password);
		secret_free(steal(&c.user));
	}
	if (credential_is_empty(&c))
		return 1;
	if (credential_check(&c, err) < 0)
		return -1;
	*ret = c;
	c = (struct credential){0};
	return 0;
}

int auth_helper_get(const char *name, const char *server, struct credential *ret, struct error *err)
{
	cleanup_secret_buffer struct buffer out = {0};
	int rc = ask(name, "get", server, strlen(server), NULL, &out, err);

	if (rc == 0)
		rc = read_answer(&out, ret, err);
	if (rc < 0)
		return error_wrap(err, "docker-credential-%s get", name);
	if (rc == 0)
		ret->where = xasprintf("docker-credential-%s", name);
	return rc;
}

int auth_helper_store(const char *name, const char *server, const struct credential *c,
		      struct error *err)
{
	const char *secret = c->identity_token ? c->identity_token : c->password;
	cleanup_secret_buffer struct buffer out = {0};
	struct jout o = {.compact = true};
	int rc;

	buffer_reserve(&o.text, 6 * (strlen(secret) + strlen(server)) + 1024);
	jout_object(&o, NULL);
	jout_string(&o, "ServerURL", server);
	jout_string(&o, "Username", c->identity_token ? "<token>" : c->user);
	jout_string(&o, "Secret", secret);
	jout_end_object(&o);
	rc = ask(name, "store", (const char *)o.text.data, o.text.len, secret, &out, err);
	secret_buffer_release(&o.text);
	if (rc > 0)
		rc = error_set(err, ERR_SYSTEM, "it keeps nothing");
	return rc < 0 ? error_wrap(err, "docker-credential-%s store", name) : 0;
}

int auth_helper_erase(const char *name, const char *server, struct error *err)
{
	cleanup_secret_buffer struct buffer out = {0};
	int rc = ask(name, "erase", server, strlen(server), NULL, &out, err);

	if (rc < 0)
		return error_wrap(err, "docker-credential-%s erase", name);
	return rc;
}
