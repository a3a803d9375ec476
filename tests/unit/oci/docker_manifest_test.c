/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.json of docker's archives: rule B24. */
#include "oci/docker_manifest.h"

#include "pkg/base/buffer.h"

#include "tests/support/cmocka.h"

static void refuses(const char *json, const char *why)
{
	struct docker_manifest m;
	struct error err = {0};

	assert_int_equal(docker_manifest_parse(json, strlen(json), &m, &err), -1);
	assert_error(&err, ERR_INVALID, why);
}

static void b24_images_have_a_config_tags_and_layers(void **state)
{
	static const char json[] =
		"[{\"Config\":\"ab.json\",\"RepoTags\":[\"x:1\",\"y:2\"],\"Layers\":[\"1/layer.tar\","
		"\"1/layer.tar\"],\"Parent\":\"sha256:12\",\"LayerSources\":{\"z\":{}}},"
		"{\"Config\":\"c\",\"RepoTags\":null,\"Layers\":null}]";
	struct docker_manifest m;
	struct error err = {0};

	(void)state;
	assert_ok(docker_manifest_parse(json, strlen(json), &m, &err), &err);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.images[0].config, "ab.json");
	assert_int_equal(m.images[0].tags.n, 2);
	assert_string_equal(m.images[0].tags.items[1], "y:2");
	assert_int_equal(m.images[0].layers.n, 2);
	assert_int_equal(m.images[1].tags.n, 0);
	assert_int_equal(m.images[1].layers.n, 0);
	docker_manifest_release(&m);
}

static void b24_an_empty_list_has_no_images_and_null_is_none(void **state)
{
	struct docker_manifest m;
	struct error err = {0};

	(void)state;
	assert_ok(docker_manifest_parse("[]", 2, &m, &err), &err);
	assert_int_equal(m.n, 0);
	docker_manifest_release(&m);
	refuses("null", "expected near 'null'");
	refuses("{}", "not a list of images");
	refuses("[null]", "not an object");
}

static void b11_b12_it_is_read_as_strictly_as_other_documents(void **state)
{
	(void)state;
	refuses("[{\"Config\":\"a\",\"Config\":\"b\",\"Layers\":[]}]", "duplicate");
	refuses("[{\"Config\":\"a\",\"config\":\"b\",\"Layers\":[]}]", "config");
	refuses("[{\"Layers\":[]}]", "manifest.json[0].Config");
	refuses("[{\"Config\":\"a\",\"Layers\":[1]}]", "Layers[0]");
	refuses("[{\"Config\":\"a\",\"Layers\":[\"\"]}]", "Layers[0]: empty");
	refuses("[{\"Config\":\"a\",\"RepoTags\":{}}]", "RepoTags");
	refuses("[] []", "manifest.json");
}

static void there_are_only_so_many_of_everything(void **state)
{
	cleanup_buffer struct buffer json = {0};

	(void)state;
	buffer_printf(&json, "[");
	for (int i = 0; i <= DOCKER_IMAGES_MAX; i++)
		buffer_printf(&json, "%s{\"Config\":\"a\"}", i ? "," : "");
	buffer_printf(&json, "]");
	refuses((char *)json.data, "1001 images");
	buffer_clear(&json);
	buffer_printf(&json, "[{\"Config\":\"a\",\"Layers\":[");
	for (int i = 0; i <= 1000; i++)
		buffer_printf(&json, "%s\"a\"", i ? "," : "");
	buffer_printf(&json, "]}]");
	refuses((char *)json.data, "1001 entries");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b24_images_have_a_config_tags_and_layers),
		cmocka_unit_test(b24_an_empty_list_has_no_images_and_null_is_none),
		cmocka_unit_test(b11_b12_it_is_read_as_strictly_as_other_documents),
		cmocka_unit_test(there_are_only_so_many_of_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
