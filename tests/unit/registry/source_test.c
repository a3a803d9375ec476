/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image in a registry as a source: names, what is asked where, several threads; and the same
 * against a real registry, where its program is installed.
 */
#include "registry/source.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/image.h"
#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/fake_registry.h"
#include "tests/support/layout_folder.h"

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

static struct source *open_fake(const char *rest)
{
	static const struct http_options http = {.connect_ms = 3000};
	static const struct session_options options = {.http = &http, .tries = 2, .backoff_ms = 10};
	cleanup_free char *text = xasprintf("127.0.0.1:%u/%s", server.port, rest);
	struct source *s;
	struct error err = {0};

	assert_ok(registry_source_open_with(text, &options, &s, &err), &err);
	return s;
}

static void the_recorded_name_is_the_normal_form(void **state)
{
	struct source *s;
	struct error err = {0};

	(void)state;
	assert_ok(registry_source_open("docker://alpine:3.20", &s, &err), &err);
	assert_string_equal(s->name, "docker.io/library/alpine:3.20");
	source_close(s);
	assert_int_equal(registry_source_open("Alpine", &s, &err), -1);
	assert_error(&err, ERR_USAGE, "lower case");
}

static void opening_asks_nothing(void **state)
{
	struct source *s;
	struct error err = {0};

	(void)state;
	assert_ok(registry_source_open("does-not-exist.invalid/x", &s, &err), &err);
	source_close(s);
}

static void documents_are_asked_for_as_manifests_and_the_rest_as_blobs(void **state)
{
	cleanup(source_close_ptr) struct source *s = open_fake("ok:x");
	struct oci_descriptor d, blob = {.media_type = MEDIA_CONFIG};
	struct buffer bytes = {0}, again = {0};
	struct stream *in;
	struct error err = {0};

	(void)state;
	assert_ok(source_resolve(s, &d, &bytes, &err), &err);
	assert_ok(source_fetch_document(s, &d, &again, &err), &err);
	assert_int_equal(bytes.len, again.len);
	assert_memory_equal(bytes.data, again.data, bytes.len);
	blob.digest = d.digest;
	blob.size_bytes = 100000; /* the fake gives its blob for any digest */
	assert_ok(source_fetch(s, &blob, &in, &err), &err);
	stream_close(in);
	buffer_release(&bytes);
	buffer_release(&again);
}

static void a_cut_document_is_asked_for_again(void **state)
{
	cleanup(source_close_ptr) struct source *s = open_fake("ok:x");
	cleanup(source_close_ptr) struct source *cut = open_fake("cut-1:x");
	struct oci_descriptor d;
	struct buffer bytes = {0};
	struct error err = {0};

	(void)state;
	assert_ok(source_resolve(s, &d, &bytes, &err), &err);
	assert_ok(source_fetch_document(cut, &d, &bytes, &err), &err);
	assert_int_equal(bytes.len, d.size_bytes);
	buffer_release(&bytes);
}

/* --- several threads -----------------------------------------------------------------------------
 */

struct job {
	struct source *source;
	const char *failure;
	pthread_t thread;
};

static void *fetch_blobs(void *arg)
{
	struct job *job = arg;
	struct oci_descriptor d = {.media_type = MEDIA_LAYER, .size_bytes = 100000};
	struct error err = {0};

	d.digest.algorithm = DIGEST_SHA256;
	for (int i = 0; i < 10 && !job->failure; i++) {
		struct buffer bytes = {0};
		struct stream *in;

		if (source_fetch(job->source, &d, &in, &err) < 0) {
			job->failure = "fetch failed";
			break;
		}
		if (stream_read_all(in, 100000, &bytes, &err) < 0 || bytes.len != 100000
		    || bytes.data[99999] != 99999UL * 99999 % 251)
			job->failure = "wrong bytes";
		stream_close(in);
		buffer_release(&bytes);
	}
	return NULL;
}

static void fetch_from_six_threads(const char *name)
{
	cleanup(source_close_ptr) struct source *s = open_fake(name);
	struct job jobs[6] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		jobs[i].source = s;
		assert_int_equal(pthread_create(&jobs[i].thread, NULL, fetch_blobs, &jobs[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		pthread_join(jobs[i].thread, NULL);
		if (jobs[i].failure)
			fail_msg("%s", jobs[i].failure);
	}
}

static void several_threads_may_fetch_at_once(void **state)
{
	(void)state;
	fetch_from_six_threads("ok:x");
}

static size_t tokens_asked(void)
{
	cleanup(source_close_ptr) struct source *s = open_fake("log:x");
	struct oci_descriptor d = {.media_type = MEDIA_MANIFEST};
	struct buffer log = {0};
	struct stream *in;
	struct error err = {0};
	size_t n = 0;

	d.digest.algorithm = DIGEST_SHA256;
	assert_ok(source_fetch(s, &d, &in, &err), &err);
	assert_ok(stream_read_all(in, 1 << 20, &log, &err), &err);
	stream_close(in);
	for (const char *p = (const char *)log.data; p && (p = strstr(p, "GET /token/")); p++)
		n++;
	buffer_release(&log);
	return n;
}

/*
 * The first token ends before the last of sixty requests, but not before who asked for it has used
 * it: one that is refused when it is new would be the end.
 */
static void several_threads_share_a_token_and_its_renewal(void **state)
{
	(void)state;
	fetch_from_six_threads("auth-other-most:x");
	assert_int_equal(tokens_asked(), 2);
}

/* --- a real registry -----------------------------------------------------------------------------
 */

struct real {
	char *dir;
	pid_t pid;
	unsigned port;
	bool is_missing;
	char *amd64, *arm64, *index; /* digests of what was pushed */
};

static bool has_program(const char *name)
{
	cleanup_free char *command = xasprintf("command -v %s >/dev/null 2>&1", name);

	return system(command) == 0;
}

static unsigned wait_for_port(const char *log)
{
	for (int i = 0; i < 100; i++) {
		cleanup_free char *command = xasprintf(
			"sed -n 's/.*listening on 127\\.0\\.0\\.1:\\([0-9]*\\).*/\\1/p' %s", log);
		FILE *out = popen(command, "r");
		unsigned port = 0;
		int n = fscanf(out, "%u", &port);

		pclose(out);
		if (n == 1 && port)
			return port;
		usleep(100000);
	}
	fail_msg("docker-registry did not start");
	return 0;
}

static void serve(struct real *r)
{
	cleanup_free char *config = xasprintf("%s/config.yml", r->dir);
	cleanup_free char *log = xasprintf("%s/log", r->dir);
	cleanup_free char *text = xasprintf("version: 0.1\nlog: {level: info}\n"
					    "storage: {filesystem: {rootdirectory: %s/data}}\n"
					    "http: {addr: \"127.0.0.1:0\"}\n",
					    r->dir);

	put_file(r->dir, "config.yml", text);
	put_file(r->dir, "log", "");
	r->pid = fork();
	if (r->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen(log, "a", stdout) && freopen(log, "a", stderr))
			execlp("docker-registry", "docker-registry", "serve", config, (char *)NULL);
		_exit(127);
	}
	r->port = wait_for_port(log);
}

static void push(struct real *r, const char *name)
{
	cleanup_free char *command =
		xasprintf("skopeo --insecure-policy copy -q --all --preserve-digests "
			  "--dest-tls-verify=false oci:%s/layout:%s docker://127.0.0.1:%u/a/b:%s",
			  r->dir, name, r->port, name);

	if (system(command) != 0)
		fail_msg("%s", command);
}

static char *entry(const char *dir, const char *digest, const char *type, const char *name,
		   const char *architecture)
{
	cleanup_free char *more =
		xasprintf(",\"platform\":{\"os\":\"linux\",\"architecture\":\"%s\"},"
			  "\"annotations\":{\"org.opencontainers.image.ref.name\":\"%s\"}",
			  architecture, name);

	return layout_entry(dir, digest, type, more);
}

/* The images "one" (amd64) and "two" (arm64), and the index "both" of them. */
static void make_layout(struct real *r)
{
	cleanup_free char *dir = xasprintf("%s/layout", r->dir);
	cleanup_free char *one = NULL, *two = NULL, *both = NULL, *text = NULL, *entries = NULL;

	layout_begin(dir);
	r->amd64 = xstrdup(layout_image(dir, "one"));
	r->arm64 = xstrdup(layout_image(dir, "two"));
	one = entry(dir, r->amd64, LAYOUT_MANIFEST, "one", "amd64");
	two = entry(dir, r->arm64, LAYOUT_MANIFEST, "two", "arm64");
	text = xasprintf("{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s,%s]}",
			 LAYOUT_INDEX, two, one);
	r->index = xstrdup(layout_blob(dir, text));
	both = layout_entry(dir, r->index, LAYOUT_INDEX,
			    ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"both\"}");
	entries = xasprintf("%s,%s,%s", one, two, both);
	layout_index(dir, entries);
}

static int start_real(void **state)
{
	struct real *r = xcalloc(1, sizeof(*r));

	*state = r;
	r->is_missing = !has_program("docker-registry") || !has_program("skopeo");
	if (r->is_missing)
		return 0;
	r->dir = make_folder();
	make_layout(r);
	serve(r);
	push(r, "one");
	push(r, "two");
	push(r, "both");
	return 0;
}

static int stop_real(void **state)
{
	struct real *r = *state;

	if (!r->is_missing) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
		remove_folder(r->dir);
	}
	free(r->amd64);
	free(r->arm64);
	free(r->index);
	free(r);
	return 0;
}

static int resolve_real(const struct real *r, const char *rest, const char *architecture,
			struct oci_image *ret, struct error *err)
{
	cleanup_free char *text = xasprintf("localhost:%u/a/b%s", r->port, rest);
	cleanup(source_close_ptr) struct source *s = NULL;
	struct oci_platform want;

	assert_ok(oci_platform_parse(architecture, &want, err), err);
	assert_ok(registry_source_open(text, &s, err), err);
	return oci_image_resolve(s, &want, NULL, ret, err);
}

static void finds(const struct real *r, const char *rest, const char *architecture,
		  const char *target, const char *manifest)
{
	struct oci_image image;
	struct error err = {0};
	char text[DIGEST_TEXT_BYTES];

	assert_ok(resolve_real(r, rest, architecture, &image, &err), &err);
	assert_string_equal(digest_format(&image.target.digest, text), target);
	assert_string_equal(digest_format(&image.descriptor.digest, text), manifest);
	assert_int_equal(image.config.n_diff_ids, 1);
	oci_image_release(&image);
}

static void a_real_registry_gives_manifests_indexes_and_configs(void **state)
{
	const struct real *r = *state;
	cleanup_free char *by_digest = NULL;

	if (r->is_missing)
		skip();
	finds(r, ":one", "amd64", r->amd64, r->amd64);
	finds(r, ":two", "amd64", r->arm64, r->arm64);
	finds(r, ":both", "amd64", r->index, r->amd64);
	finds(r, ":both", "arm64", r->index, r->arm64);
	by_digest = xasprintf(":whatever@%s", r->arm64);
	finds(r, by_digest, "arm64", r->arm64, r->arm64);
}

static void a_real_registry_gives_layers(void **state)
{
	const struct real *r = *state;
	cleanup_free char *text = xasprintf("localhost:%u/a/b:one", r->port);
	cleanup(source_close_ptr) struct source *s = NULL;
	cleanup(stream_close_ptr) struct stream *in = NULL;
	struct oci_platform want = {"linux", "amd64", ""};
	struct buffer bytes = {0};
	struct oci_image image;
	struct error err = {0};

	if (r->is_missing)
		skip();
	assert_ok(registry_source_open(text, &s, &err), &err);
	assert_ok(oci_image_resolve(s, &want, NULL, &image, &err), &err);
	assert_ok(source_fetch(s, &image.manifest.layers[0], &in, &err), &err);
	assert_ok(stream_verify(&in, &image.manifest.layers[0].digest,
				image.manifest.layers[0].size_bytes, "blob", &err),
		  &err);
	assert_ok(stream_read_all(in, 100, &bytes, &err), &err);
	assert_ok(stream_finish(in, &err), &err);
	assert_string_equal((char *)bytes.data, "one");
	buffer_release(&bytes);
	oci_image_release(&image);
}

static void a_real_registry_says_what_it_does_not_have(void **state)
{
	const struct real *r = *state;
	struct oci_image image;
	struct error err = {0};

	if (r->is_missing)
		skip();
	assert_int_equal(resolve_real(r, ":none", "amd64", &image, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "404 not found: MANIFEST_UNKNOWN: manifest unknown");
	assert_int_equal(resolve_real(r, "/c:none", "amd64", &image, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "404 not found");
	assert_int_equal(resolve_real(r, ":both", "s390x", &image, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "there is linux/arm64, linux/amd64");
}

static int run_fake_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_recorded_name_is_the_normal_form),
		cmocka_unit_test(opening_asks_nothing),
		cmocka_unit_test(documents_are_asked_for_as_manifests_and_the_rest_as_blobs),
		cmocka_unit_test(a_cut_document_is_asked_for_again),
		cmocka_unit_test(several_threads_may_fetch_at_once),
		cmocka_unit_test(several_threads_share_a_token_and_its_renewal),
	};

	return cmocka_run_group_tests_name("fake registry", tests, start, stop);
}

static int run_real_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_registry_gives_manifests_indexes_and_configs),
		cmocka_unit_test(a_real_registry_gives_layers),
		cmocka_unit_test(a_real_registry_says_what_it_does_not_have),
	};

	return cmocka_run_group_tests_name("real registry", tests, start_real, stop_real);
}

int main(void)
{
	return run_fake_tests() + run_real_tests() ? 1 : 0;
}
