/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a bundle: the document, annotations, volumes, users; rules D and F58. */
#include "oci/bundle.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/json/jdoc.h"
#include "tests/support/bundle_try.h"
#include "tests/support/cmocka.h"

/* --- the document ----------------------------------------------------------------------------- */

static void check_sorted(struct jval v)
{
	cleanup_free char *last = xstrdup("");
	struct jval member;
	void *iter = NULL;
	const char *key;

	for (size_t i = 0; jdoc_is_array(v) && i < jdoc_length(v); i++)
		check_sorted(jdoc_at(v, i));
	while (jdoc_is_object(v) && jdoc_each(v, &iter, &key, &member)) {
		if (strcmp(last, key) >= 0)
			fail_msg("%s comes before %s", last, key);
		free(last);
		last = xstrdup(key);
		check_sorted(member);
	}
}

static void d_members_are_sorted_and_two_runs_are_the_same(void **state)
{
	static const char image[] =
		"{\"os\":\"linux\",\"author\":\"me\",\"config\":{\"Cmd\":[\"sh\"],\"User\":\"app\","
		"\"Volumes\":{\"/b\":{},\"/a\":{}},\"Labels\":{\"z\":\"\",\"a\":\"\"}}}";
	struct bundle_options options = {.hostname = "x",
					 .volumes = true,
					 .terminal = true,
					 .cgroups_path = "/x"};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	cleanup_free char *first = NULL;
	struct bundle_try *f = *state;

	try_add_accounts(f);
	for (int rootless = 0; rootless < 2; rootless++) {
		options.rootless = rootless;
		try_make_with(f, image, options);
		assert_ok(jdoc_parse(f->json.data, f->json.len, "config.json", &doc, &f->err),
			  &f->err);
		check_sorted(jdoc_root(doc));
		jdoc_free(steal(&doc));
	}
	first = xstrdup((const char *)f->json.data);
	try_make_with(f, image, options);
	assert_string_equal((const char *)f->json.data, first);
	assert_int_equal(f->json.data[f->json.len - 1], '\n');
}

static void d_default_document_is_that_of_runc_spec(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(""));
	try_has(f, "ociVersion", "1.0.2");
	try_has(f, "root.path", "rootfs");
	try_has_text(f, "\"readonly\": false");
	try_has_text(f, "\"terminal\": false");
	try_has_text(f, "\"noNewPrivileges\": true");
	try_has_text(f, "\"hard\": 1024,");
	try_has(f, "process.capabilities.bounding",
		"CAP_AUDIT_WRITE|CAP_KILL|CAP_NET_BIND_SERVICE|");
	try_has(f, "process.capabilities.inheritable", "-");
	try_has(f, "linux.namespaces", "type=pid;|type=network;|type=ipc;|type=uts;|type=mount;|");
	try_has(f, "linux.resources.devices", "access=rwm;allow=false;|");
	try_has(f, "linux.readonlyPaths",
		"/proc/bus|/proc/fs|/proc/irq|/proc/sys|/proc/sysrq-trigger|");
	try_has(f, "linux.seccomp", "-");
	try_has(f, "linux.cgroupsPath", "-");
	try_has(f, "hostname", "-");
	try_has(f, "annotations", "-");
	try_has_text(f, "gid=5");
}

static void d_what_is_asked_for_is_there(void **state)
{
	struct bundle_try *f = *state;

	try_make_with(f, TRY_IMAGE(""),
		      (struct bundle_options){.hostname = "0123456789012345678901234567890123456789"
							  "0123456789012345678901234567",
					      .cgroups_path = "/thinpull/x",
					      .read_only = true,
					      .terminal = true});
	try_has(f, "hostname", "0123456789012345678901234567890123456789012345678901234567890123");
	try_has(f, "linux.cgroupsPath", "/thinpull/x");
	try_has_text(f, "\"readonly\": true");
	try_has_text(f, "\"terminal\": true");
}

/* --- annotations ------------------------------------------------------------------------------ */

static void d_annotations_of_the_image(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\","
		    "\"os.version\":\"1.2\",\"os.features\":[\"b\",\"a\"],\"author\":\"A <a@b>\","
		    "\"created\":\"2024-01-02T03:04:05.000000001+01:00\","
		    "\"config\":{\"Cmd\":[\"x\"]}}");
	try_has(f, "annotations",
		"org.opencontainers.image.architecture=arm;"
		"org.opencontainers.image.author=A <a@b>;"
		"org.opencontainers.image.created=2024-01-02T03:04:05.000000001+01:00;"
		"org.opencontainers.image.os=linux;"
		"org.opencontainers.image.os.features=b,a;"
		"org.opencontainers.image.os.version=1.2;"
		"org.opencontainers.image.variant=v7;");
}

static void d_annotations_that_are_empty_are_left_out(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, "{\"os\":\"\",\"author\":\"\",\"os.features\":[],\"config\":{\"Cmd\":[\"x\"],"
		    "\"StopSignal\":\"\",\"ExposedPorts\":{}}}");
	try_has(f, "annotations", "-");
}

static void d_labels_win_and_may_be_empty(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, "{\"os\":\"linux\",\"author\":\"me\",\"config\":{\"Cmd\":[\"x\"],\"Labels\":{"
		    "\"z\":\"\",\"org.opencontainers.image.author\":\"you\",\"\":\"lost\","
		    "\"org.opencontainers.image.os\":\"\",\"a\":\"\\u00e9\\n\"}}}");
	try_has(f, "annotations",
		"a=\xc3\xa9\n;org.opencontainers.image.author=you;org.opencontainers.image.os=;z=;");
	assert_string_equal(f->warned, "a label without a name is left out");
}

static void d_stop_signal_is_kept_as_it_is(void **state)
{
	static const char *const signals[] = {"SIGRTMIN+3", "15", "sigterm"};
	struct bundle_try *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		cleanup_free char *image =
			xasprintf(TRY_IMAGE(",\"StopSignal\":\"%s\""), signals[i]);

		try_make(f, image);
		try_has(f, "annotations.org.opencontainers.image.stopSignal", signals[i]);
	}
}

static void d_exposed_ports_are_joined_in_order(void **state)
{
	struct bundle_try *f = *state;

	try_make(f, TRY_IMAGE(",\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},\"443\":{}}"));
	try_has(f, "annotations.org.opencontainers.image.exposedPorts", "443,53/udp,80/tcp");
}

/* --- rootless --------------------------------------------------------------------------------- */

static const struct bundle_options rootless = {.rootless = true,
					       .host_uid = 65534,
					       .host_gid = 65533};

static void d_rootless_users_become_root_with_a_warning(void **state)
{
	struct bundle_try *f = *state;

	try_add_accounts(f);
	try_make_with(f, TRY_IMAGE(",\"User\":\"app\""), rootless);
	try_has(f, "process.user", "gid=0;uid=0;");
	try_has(f, "process.env", TRY_PATH "HOME=/home/app|");
	assert_non_null(strstr(f->warned, "user 1000:100 of the image is not mapped"));
	f->warned[0] = '\0';
	try_make_with(f, TRY_IMAGE(",\"User\":\"0:10\""), rootless);
	try_has(f, "process.user", "gid=0;uid=0;");
	assert_non_null(strstr(f->warned, "user 0:10 of the image is not mapped"));
	try_refused_with(f, TRY_IMAGE(",\"User\":\"nobody\""), rootless, "is not in the image's");
}

static void d_rootless_root_has_no_more_groups(void **state)
{
	struct bundle_try *f = *state;

	edit_dir(f->edit->w, "etc");
	edit_file(f->edit->w, "etc/passwd", "root:x:0:0::/root:\n");
	edit_file(f->edit->w, "etc/group", "adm:x:4:root\n");
	try_make(f, TRY_IMAGE(""));
	try_has(f, "process.user", "additionalGids=?|;gid=0;uid=0;");
	try_make_with(f, TRY_IMAGE(""), rootless);
	try_has(f, "process.user", "gid=0;uid=0;");
	assert_string_equal(f->warned, "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, try_set_up, try_tear_down)
	const struct CMUnitTest tests[] = {
		TEST(d_members_are_sorted_and_two_runs_are_the_same),
		TEST(d_default_document_is_that_of_runc_spec),
		TEST(d_what_is_asked_for_is_there),
		TEST(d_annotations_of_the_image),
		TEST(d_annotations_that_are_empty_are_left_out),
		TEST(d_labels_win_and_may_be_empty),
		TEST(d_stop_signal_is_kept_as_it_is),
		TEST(d_exposed_ports_are_joined_in_order),
		TEST(d_rootless_users_become_root_with_a_warning),
		TEST(d_rootless_root_has_no_more_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
