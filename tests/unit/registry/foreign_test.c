/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that are asked for where their image says: rules B19, F59, CVE-2020-15157. */
#include "registry/foreign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"

static struct fake_registry server;

static int start(void **state)
{
	(void)state;
	fake_registry_start(&server);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fake_registry_stop(&server);
	return 0;
}

/* A registry that has got nothing, or one thing. */
struct inner {
	struct source source;
	const char *has;
	enum error_kind failure;
	bool *closed;
};

static int inner_resolve(struct source *s, struct oci_descriptor *ret, struct buffer *ret_bytes,
			 struct error *err)
{
	(void)ret_bytes;
	(void)err;
	*ret = (struct oci_descriptor){.size_bytes = strlen(s->name)};
	return 0;
}

static int inner_fetch(struct source *s, const struct oci_descriptor *d, struct stream **ret,
		       struct error *err)
{
	const struct inner *inner = (struct inner *)s;

	(void)d;
	if (!inner->has)
		return error_set(err, inner->failure, "not from the registry");
	*ret = stream_from_memory(inner->has, strlen(inner->has));
	return 0;
}

static void inner_close(struct source *s)
{
	*((struct inner *)s)->closed = true;
	free(s->name);
	free(s);
}

static bool closed;

/* The whole, with the fake server as a proxy to all places. */
static struct source *make(const char *has, enum error_kind failure)
{
	static const struct source_ops ops = {inner_resolve, inner_fetch, inner_close, NULL};
	static char proxy[64];
	struct http_options options = {.ca_file = server.ca_file, .proxy = proxy};
	struct inner *inner = xcalloc(1, sizeof(*inner));
	struct source *s = &inner->source;

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", server.port);
	inner->source.ops = &ops;
	inner->source.name = xstrdup("name");
	inner->source.local = true;
	inner->has = has;
	inner->failure = failure;
	inner->closed = &closed;
	closed = false;
	foreign_source_wrap(&s, &options);
	return s;
}

/* A place on the fake server, by a name that is not this machine's. Owned. */
static char *place(const char *what)
{
	return xasprintf("https://layers.test:%u/v2/%s/x?signature=secret", server.tls_port, what);
}

/* Ask for a layer with these urls; what comes is owned text, NULL with *err filled. */
static char *ask(struct source *s, char **urls, size_t n, uint64_t size, struct error *err)
{
	const struct oci_strings list = {urls, n};
	struct oci_descriptor d = {.media_type = MEDIA_LAYER_FOREIGN,
				   .size_bytes = size,
				   .urls = &list};
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct buffer bytes = {0};

	error_clear(err);
	digest_of(DIGEST_SHA256, "x", 1, &d.digest);
	if (source_fetch(s, &d, &in, err) < 0)
		return NULL;
	assert_ok(stream_read_all(in, 1 << 20, &bytes, err), err);
	return buffer_detach(&bytes);
}

static void what_the_registry_has_comes_from_there(void **state)
{
	cleanup(source_close_ptr) struct source *s = make("content", ERR_NONE);
	char *urls[] = {(char *)(uintptr_t) "https://nowhere.test/"};
	struct oci_descriptor d;
	struct buffer none = {0};
	struct error err = {0};
	cleanup_free char *got = ask(s, urls, 1, 7, &err);

	(void)state;
	assert_string_equal(got, "content");
	assert_string_equal(s->name, "name");
	assert_false(s->local);
	assert_ok(source_resolve(s, &d, &none, &err), &err);
	assert_int_equal(d.size_bytes, 4);
}

static void b19_what_it_has_not_comes_from_elsewhere_and_nobody_is_told_who_asks(void **state)
{
	cleanup(source_close_ptr) struct source *s = make(NULL, ERR_NOT_FOUND);
	cleanup_free char *good = place("bare"), *gone = place("status-404");
	char *urls[] = {gone, good};
	const struct oci_strings list = {urls, 2};
	struct oci_descriptor d = {.media_type = MEDIA_LAYER, .urls = &list};
	cleanup(stream_close_ptr) struct stream *in = NULL;
	cleanup_buffer struct buffer head = {0};
	struct error err = {0};

	(void)state;
	digest_of(DIGEST_SHA256, "x", 1, &d.digest);
	assert_ok(source_fetch(s, &d, &in, &err), &err);
	assert_ok(stream_read_all(in, 1 << 20, &head, &err), &err);
	buffer_add(&head, "", 1);
	assert_non_null(strstr((char *)head.data, "GET /v2/bare/x?signature=secret "));
	assert_null(strcasestr((char *)head.data, "authorization"));
	assert_null(strcasestr((char *)head.data, "cookie"));
}

static void refuses(const char *url, enum error_kind kind, const char *reason)
{
	cleanup(source_close_ptr) struct source *s = make(NULL, ERR_NOT_FOUND);
	char *urls[] = {(char *)(uintptr_t)url}, text[1024];
	struct error err = {0};

	assert_null(ask(s, urls, 1, 7, &err));
	assert_error(&err, kind, reason);
	error_text(&err, text, sizeof(text));
	assert_null(strstr(text, "signature"));
	assert_non_null(strstr(text, "a foreign layer, from "));
}

static void f59_urls_are_no_way_to_this_machine(void **state)
{
	(void)state;
	refuses("file:///etc/shadow", ERR_INVALID, "file");
	refuses("ftp://layers.test/x", ERR_INVALID, "ftp");
	refuses("data:,x", ERR_INVALID, "");
	refuses("", ERR_INVALID, "");
	refuses("http://layers.test/x", ERR_INVALID, "not https");
	refuses("https://user:pass@layers.test/x", ERR_INVALID, "user");
	refuses("https://localhost/x?signature=1", ERR_INVALID, "address of this machine");
	refuses("https://169.254.169.254/latest", ERR_INVALID, "address of this machine");
	refuses("https://169.254.169.25%34/latest", ERR_INVALID, "address of this machine");
	refuses("https://10.0.0.1/x", ERR_INVALID, "private network");
	refuses("https://[::1]/x", ERR_INVALID, "address of this machine");
}

static void f59_a_place_that_wants_to_know_who_asks_is_not_told(void **state)
{
	cleanup_free char *asks = place("status-401"), *gone = place("status-404");

	(void)state;
	refuses(asks, ERR_UNAUTHORIZED, "401");
	refuses(gone, ERR_NOT_FOUND, "404");
}

static void a_place_that_is_tired_is_asked_again(void **state)
{
	cleanup(source_close_ptr) struct source *s = make(NULL, ERR_NOT_FOUND);
	cleanup_free char *busy = place("fails-503-2");
	char *urls[] = {busy};
	struct error err = {0};

	(void)state;
	/* It answers at the third time, though with other bytes than were announced. */
	assert_null(ask(s, urls, 1, 7, &err));
	assert_error(&err, ERR_VERIFICATION, "the descriptor says 7");
}

static void only_what_is_not_there_is_asked_for_elsewhere(void **state)
{
	cleanup(source_close_ptr) struct source *broken = make(NULL, ERR_NETWORK);
	cleanup_free char *good = place("echo");
	char *urls[] = {good};
	struct error err = {0};

	(void)state;
	assert_null(ask(broken, urls, 1, 7, &err));
	assert_error(&err, ERR_NETWORK, "not from the registry");
	source_close(broken);
	broken = make(NULL, ERR_NOT_FOUND);
	assert_null(ask(broken, NULL, 0, 7, &err));
	assert_error(&err, ERR_NOT_FOUND, "not from the registry");
}

static void closing_reaches_the_source_inside(void **state)
{
	struct source *s = make("content", ERR_NONE);

	(void)state;
	source_close(s);
	assert_true(closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_registry_has_comes_from_there),
		cmocka_unit_test(
			b19_what_it_has_not_comes_from_elsewhere_and_nobody_is_told_who_asks),
		cmocka_unit_test(f59_urls_are_no_way_to_this_machine),
		cmocka_unit_test(f59_a_place_that_wants_to_know_who_asks_is_not_told),
		cmocka_unit_test(a_place_that_is_tired_is_asked_again),
		cmocka_unit_test(only_what_is_not_there_is_asked_for_elsewhere),
		cmocka_unit_test(closing_reaches_the_source_inside),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
