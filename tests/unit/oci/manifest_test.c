/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: rules B1 to B7, B11, B12, B20; hostile ones F49 to F52. */
#include "oci/manifest.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/replace.h"

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."
#define HEX63  "94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
#define LAYER(type, nr) \
	"{\"mediaType\":\"" type "\",\"digest\":\"sha256:" nr HEX63 "\",\"size\":" nr "0}"
#define CONFIG_TYPE OCI "config.v1+json"
#define GZIP	    OCI "layer.v1.tar+gzip"
#define ZSTD	    OCI "layer.v1.tar+zstd"
#define GOOD                                                                                   \
	"{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\","                      \
	"\"config\":" LAYER(CONFIG_TYPE, "9") ",\"layers\":[" LAYER(GZIP, "1") "," LAYER(ZSTD, \
											 "2") "]}"

static int parse(const char *json, struct oci_manifest *ret, struct error *err)
{
	return oci_manifest_parse(json, strlen(json), "manifest", ret, err);
}

static void accepted(const char *from, const char *to, size_t n_layers)
{
	cleanup_free char *json = replaced(GOOD, from, to);
	struct oci_manifest m;
	struct error err = {0};

	assert_ok(parse(json, &m, &err), &err);
	assert_int_equal(m.n_layers, n_layers);
	oci_manifest_release(&m);
}

static void refused(const char *from, const char *to, enum error_kind kind, const char *reason)
{
	cleanup_free char *json = replaced(GOOD, from, to);
	struct oci_manifest m;
	struct error err = {0};

	if (parse(json, &m, &err) == 0)
		fail_msg("%s was taken", json);
	assert_error(&err, kind, reason);
}

static void a_manifest_has_config_and_layers_in_order(void **state)
{
	struct oci_manifest m;
	struct error err = {0};

	(void)state;
	assert_ok(parse(GOOD, &m, &err), &err);
	assert_int_equal(m.config.media_type, MEDIA_CONFIG);
	assert_int_equal(m.config.size_bytes, 90);
	assert_int_equal(m.n_layers, 2);
	assert_int_equal(m.layers[0].size_bytes, 10);
	assert_int_equal(m.layers[1].size_bytes, 20);
	assert_string_equal(m.layers[1].media_type_text, ZSTD);
	oci_manifest_release(&m);
	assert_null(m.layers);
}

static void b01_media_type_may_be_missing_or_dockers(void **state)
{
	(void)state;
	accepted("\"mediaType\":\"" OCI "manifest.v1+json\",", "", 2);
	accepted(OCI "manifest.v1+json", DOCKER "distribution.manifest.v2+json", 2);
}

static void b02_docker_config_is_accepted(void **state)
{
	(void)state;
	accepted(CONFIG_TYPE, DOCKER "container.image.v1+json", 2);
}

static void b02_artifacts_are_named_and_refused(void **state)
{
	static const char *const types[] = {
		"application/vnd.oci.empty.v1+json",
		"application/vnd.cncf.helm.config.v1+json",
		"application/vnd.dev.cosign.artifact.sig.v1+json",
		"application/vnd.wasm.config.v0+json",
		"application/vnd.in-toto+json",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		refused(CONFIG_TYPE, types[i], ERR_UNSUPPORTED, "not a runnable image");
		refused(CONFIG_TYPE, types[i], ERR_UNSUPPORTED, types[i]);
	}
}

static void b02_the_artifact_type_is_named_too(void **state)
{
	(void)state;
	refused("{\"schemaVersion\":2,\"mediaType\":\"" OCI "manifest.v1+json\","
		"\"config\":{\"mediaType\":\"" CONFIG_TYPE,
		"{\"schemaVersion\":2,\"artifactType\":\"application/vnd.example.sbom\","
		"\"config\":{\"mediaType\":\"application/vnd.oci.empty.v1+json",
		ERR_UNSUPPORTED,
		"manifest.config: not a runnable image: a config of type "
		"application/vnd.oci.empty.v1+json, an artifact of type application/vnd.example.sbom");
}

static void b03_all_layer_types_are_accepted(void **state)
{
	static const char *const types[] = {
		OCI "layer.v1.tar",
		OCI "layer.nondistributable.v1.tar",
		OCI "layer.nondistributable.v1.tar+gzip",
		OCI "layer.nondistributable.v1.tar+zstd",
		DOCKER "image.rootfs.diff.tar",
		DOCKER "image.rootfs.diff.tar.gzip",
		DOCKER "image.rootfs.diff.tar.zstd",
		DOCKER "image.rootfs.foreign.diff.tar",
		DOCKER "image.rootfs.foreign.diff.tar.gzip",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		accepted(GZIP, types[i], 2);
}

static void b03_encrypted_layers_are_refused_by_name(void **state)
{
	(void)state;
	refused(GZIP, GZIP "+encrypted", ERR_UNSUPPORTED, "manifest.layers[0]: encrypted layers");
}

static void b03_unknown_layers_are_refused_by_name(void **state)
{
	(void)state;
	refused(ZSTD, "application/vnd.in-toto+json", ERR_UNSUPPORTED,
		"manifest.layers[1]: not a runnable image: a layer of type "
		"application/vnd.in-toto+json");
	refused(ZSTD, "application/vnd.dev.cosign.simplesigning.v1+json", ERR_UNSUPPORTED,
		"simplesigning");
	refused(ZSTD, "application/vnd.erofs.layer.v1", ERR_UNSUPPORTED, "erofs");
}

static void b04_f51_a_manifest_that_is_also_something_else_is_refused(void **state)
{
	(void)state;
	refused("{\"schemaVersion", "{\"manifests\":[],\"schemaVersion", ERR_INVALID, "manifests");
	refused("{\"schemaVersion", "{\"fsLayers\":[],\"schemaVersion", ERR_INVALID, "fsLayers");
	refused("{\"schemaVersion", "{\"manifests\":null,\"schemaVersion", ERR_INVALID,
		"manifests");
}

static void b04_a_manifest_that_calls_itself_an_index_is_refused(void **state)
{
	(void)state;
	refused("manifest.v1+json", "index.v1+json", ERR_INVALID, "calls itself");
	refused("manifest.v1+json", "config.v1+jso", ERR_INVALID, "calls itself");
}

static void b05_schema_1_is_refused_by_name(void **state)
{
	static const char json[] = "{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}";
	struct oci_manifest m;
	struct error err = {0};

	(void)state;
	assert_int_equal(parse(json, &m, &err), -1);
	assert_error(&err, ERR_UNSUPPORTED, "schema 1");
	refused(OCI "manifest.v1+json", DOCKER "distribution.manifest.v1+prettyjws",
		ERR_UNSUPPORTED, "schema 1");
}

static void b06_schema_version_must_be_2(void **state)
{
	(void)state;
	refused("Version\":2", "Version\":3", ERR_INVALID, "schemaVersion");
	refused("Version\":2", "Version\":\"2\"", ERR_INVALID, "schemaVersion: not an integer");
	refused("\"schemaVersion\":2,", "", ERR_INVALID, "schemaVersion: missing");
}

static void config_and_layers_are_required(void **state)
{
	(void)state;
	refused("\"config\":" LAYER(CONFIG_TYPE, "9") ",", "", ERR_INVALID, "config: missing");
	refused("\"layers\":[" LAYER(GZIP, "1") "," LAYER(ZSTD, "2") "]", "\"x\":1", ERR_INVALID,
		"layers: missing");
	refused("\"layers\":[" LAYER(GZIP, "1") "," LAYER(ZSTD, "2") "]", "\"layers\":null",
		ERR_INVALID, "layers: missing");
	refused("\"layers\":[" LAYER(GZIP, "1") "," LAYER(ZSTD, "2") "]", "\"layers\":{}",
		ERR_INVALID, "layers: not an array");
	accepted("\"layers\":[" LAYER(GZIP, "1") "," LAYER(ZSTD, "2") "]", "\"layers\":[]", 0);
}

static void b07_layers_need_digests_that_can_be_verified(void **state)
{
	(void)state;
	refused("sha256:1", "blake3:1", ERR_UNSUPPORTED, "manifest.layers[0].digest");
	refused("sha256:9", "blake3:9", ERR_UNSUPPORTED, "manifest.config.digest");
	refused("sha256:2", "sha256:../", ERR_INVALID, "manifest.layers[1].digest");
	refused("\"size\":20", "\"size\":-20", ERR_INVALID, "manifest.layers[1].size: negative");
}

static void b12_f50_case_twins_and_duplicates_are_refused(void **state)
{
	(void)state;
	refused("{\"schema", "{\"Layers\":[],\"schema", ERR_INVALID, "'Layers'");
	refused("{\"schema", "{\"CONFIG\":{},\"schema", ERR_INVALID, "'CONFIG'");
	refused("{\"schema", "{\"layers\":[],\"schema", ERR_INVALID, "duplicate");
	refused("{\"schema", "{\"config\":{},\"schema", ERR_INVALID, "duplicate");
}

static void b20_subject_and_artifact_type_are_ignored(void **state)
{
	(void)state;
	accepted("{\"schema", "{\"artifactType\":\"x/y\",\"subject\":" LAYER(GZIP, "7") ",\"schema",
		 2);
}

static void b02_anything_kept_as_an_image_is_can_be_read_when_asked_for(void **state)
{
	cleanup_free char *json = replaced(GOOD, CONFIG_TYPE, "application/vnd.oci.empty.v1+json");
	cleanup_free char *odd = replaced(json, GZIP, "text/plain");
	struct oci_manifest m;
	struct error err = {0};

	(void)state;
	assert_ok(oci_manifest_parse_any(odd, strlen(odd), "manifest", &m, &err), &err);
	assert_int_equal(m.n_layers, 2);
	assert_string_equal(m.layers[0].media_type_text, "text/plain");
	oci_manifest_release(&m);
	assert_int_equal(oci_manifest_parse_any("{}", 2, "manifest", &m, &err), -1);
	assert_error(&err, ERR_INVALID, "schemaVersion");
}

#define URLS(list) ",\"urls\":" list "}"

static void b19_urls_of_layers_are_read(void **state)
{
	cleanup_free char *json =
		replaced(GOOD, ":20}", ":20" URLS("[\"https://a/b\",\"ftp://c\"]"));
	struct oci_manifest m;
	struct error err = {0};

	(void)state;
	assert_ok(parse(json, &m, &err), &err);
	assert_null(m.layers[0].urls);
	assert_int_equal(m.layers[1].urls->n, 2);
	assert_string_equal(m.layers[1].urls->items[0], "https://a/b");
	assert_string_equal(m.layers[1].urls->items[1], "ftp://c");
	oci_manifest_release(&m);
	accepted(":20}", ":20" URLS("null"), 2);
	accepted(":20}", ":20" URLS("[]"), 2);
	refused(":20}", ":20" URLS("\"https://a\""), ERR_INVALID, "layers[1].urls: not an array");
	refused(":20}", ":20" URLS("[\"https://a\",1]"), ERR_INVALID, "layers[1].urls[1]");
	refused(":20}",
		":20" URLS("[\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\","
			   "\"\",\"\",\"\",\"\"]"),
		ERR_INVALID, "17, at most 16");
}

static void f52_a_hundred_thousand_layers_are_refused(void **state)
{
	struct buffer json = {0};
	struct oci_manifest m;
	struct error err = {0};

	(void)state;
	buffer_printf(&json, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[",
		      LAYER(CONFIG_TYPE, "9"));
	for (int i = 0; i < 100000; i++)
		buffer_printf(&json, "%s1", i ? "," : "");
	buffer_printf(&json, "]}");
	assert_int_equal(oci_manifest_parse(json.data, json.len, "manifest", &m, &err), -1);
	assert_error(&err, ERR_INVALID, "100000 layers");
	buffer_release(&json);
}

static void a_thousand_layers_are_the_most(void **state)
{
	(void)state;
	for (int n = OCI_LAYERS_MAX; n <= OCI_LAYERS_MAX + 1; n++) {
		struct buffer json = {0};
		struct oci_manifest m = {0};
		struct error err = {0};
		int rc;

		buffer_printf(&json, "{\"schemaVersion\":2,\"config\":%s,\"layers\":[",
			      LAYER(CONFIG_TYPE, "9"));
		for (int i = 0; i < n; i++)
			buffer_printf(&json, "%s%s", i ? "," : "", LAYER(GZIP, "1"));
		buffer_printf(&json, "]}");
		rc = oci_manifest_parse(json.data, json.len, "manifest", &m, &err);
		assert_int_equal(rc, n == OCI_LAYERS_MAX ? 0 : -1);
		oci_manifest_release(&m);
		buffer_release(&json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_has_config_and_layers_in_order),
		cmocka_unit_test(b01_media_type_may_be_missing_or_dockers),
		cmocka_unit_test(b02_docker_config_is_accepted),
		cmocka_unit_test(b02_artifacts_are_named_and_refused),
		cmocka_unit_test(b02_the_artifact_type_is_named_too),
		cmocka_unit_test(b03_all_layer_types_are_accepted),
		cmocka_unit_test(b03_encrypted_layers_are_refused_by_name),
		cmocka_unit_test(b03_unknown_layers_are_refused_by_name),
		cmocka_unit_test(b04_f51_a_manifest_that_is_also_something_else_is_refused),
		cmocka_unit_test(b04_a_manifest_that_calls_itself_an_index_is_refused),
		cmocka_unit_test(b05_schema_1_is_refused_by_name),
		cmocka_unit_test(b06_schema_version_must_be_2),
		cmocka_unit_test(config_and_layers_are_required),
		cmocka_unit_test(b07_layers_need_digests_that_can_be_verified),
		cmocka_unit_test(b12_f50_case_twins_and_duplicates_are_refused),
		cmocka_unit_test(b20_subject_and_artifact_type_are_ignored),
		cmocka_unit_test(b02_anything_kept_as_an_image_is_can_be_read_when_asked_for),
		cmocka_unit_test(b19_urls_of_layers_are_read),
		cmocka_unit_test(f52_a_hundred_thousand_layers_are_refused),
		cmocka_unit_test(a_thousand_layers_are_the_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
