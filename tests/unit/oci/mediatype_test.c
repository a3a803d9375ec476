/* SPDX-License-Identifier: Apache-2.0 */
/* Media types: rules B1 to B5. */
#include "oci/mediatype.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"

#define OCI    "application/vnd.oci.image."
#define DOCKER "application/vnd.docker."

static void each_type_means_what_the_rules_say(void **state)
{
	static const struct {
		const char *text;
		enum oci_media_type type;
	} cases[] = {
		/* B1 */
		{OCI "manifest.v1+json", MEDIA_MANIFEST},
		{DOCKER "distribution.manifest.v2+json", MEDIA_MANIFEST},
		{OCI "index.v1+json", MEDIA_INDEX},
		{DOCKER "distribution.manifest.list.v2+json", MEDIA_INDEX},
		/* B2 */
		{OCI "config.v1+json", MEDIA_CONFIG},
		{DOCKER "container.image.v1+json", MEDIA_CONFIG},
		{"application/vnd.oci.empty.v1+json", MEDIA_UNKNOWN},
		{"application/vnd.cncf.helm.config.v1+json", MEDIA_UNKNOWN},
		{"application/vnd.wasm.config.v0+json", MEDIA_UNKNOWN},
		/* B3 */
		{OCI "layer.v1.tar", MEDIA_LAYER},
		{OCI "layer.v1.tar+gzip", MEDIA_LAYER},
		{OCI "layer.v1.tar+zstd", MEDIA_LAYER},
		{DOCKER "image.rootfs.diff.tar", MEDIA_LAYER},
		{DOCKER "image.rootfs.diff.tar.gzip", MEDIA_LAYER},
		{DOCKER "image.rootfs.diff.tar.zstd", MEDIA_LAYER},
		{OCI "layer.nondistributable.v1.tar", MEDIA_LAYER_FOREIGN},
		{OCI "layer.nondistributable.v1.tar+gzip", MEDIA_LAYER_FOREIGN},
		{OCI "layer.nondistributable.v1.tar+zstd", MEDIA_LAYER_FOREIGN},
		{DOCKER "image.rootfs.foreign.diff.tar", MEDIA_LAYER_FOREIGN},
		{DOCKER "image.rootfs.foreign.diff.tar.gzip", MEDIA_LAYER_FOREIGN},
		{OCI "layer.v1.tar+encrypted", MEDIA_LAYER_ENCRYPTED},
		{OCI "layer.v1.tar+gzip+encrypted", MEDIA_LAYER_ENCRYPTED},
		{OCI "layer.nondistributable.v1.tar+zstd+encrypted", MEDIA_LAYER_ENCRYPTED},
		{OCI "layer.v1.tar+enc", MEDIA_LAYER_ENCRYPTED},
		{DOCKER "image.rootfs.diff.tar.gzip+enc", MEDIA_LAYER_ENCRYPTED},
		{"application/vnd.in-toto+json", MEDIA_UNKNOWN},
		{OCI "layer.v1.erofs", MEDIA_UNKNOWN},
		/* B5 */
		{DOCKER "distribution.manifest.v1+json", MEDIA_SCHEMA1},
		{DOCKER "distribution.manifest.v1+prettyjws", MEDIA_SCHEMA1},
		/* form */
		{"Application/Vnd.OCI.Image.Manifest.v1+JSON", MEDIA_MANIFEST},
		{" " OCI "index.v1+json; charset=utf-8", MEDIA_INDEX},
		{OCI "index.v1+json;charset=utf-8", MEDIA_INDEX},
		{OCI "index.v1+jsonx", MEDIA_UNKNOWN},
		{OCI "index.v1+jso", MEDIA_UNKNOWN},
		{"+encrypted", MEDIA_UNKNOWN},
		{"application/json", MEDIA_UNKNOWN},
		{"", MEDIA_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (oci_media_type_parse(cases[i].text) != cases[i].type)
			fail_msg("%s: %d", cases[i].text, (int)oci_media_type_parse(cases[i].text));
}

static void b01_all_four_manifest_types_are_asked_for(void **state)
{
	cleanup_free char *accept = xstrdup(oci_media_type_accept());
	size_t manifests = 0, indexes = 0;
	char *save, *part;

	(void)state;
	for (part = strtok_r(accept, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
		manifests += oci_media_type_parse(part) == MEDIA_MANIFEST;
		indexes += oci_media_type_parse(part) == MEDIA_INDEX;
	}
	assert_int_equal(manifests, 2);
	assert_int_equal(indexes, 2);
}

static void b03_a_layer_type_says_what_compression_to_expect(void **state)
{
	enum { SAYS_NOTHING = -1 };
	static const struct {
		const char *text;
		int codec;
	} cases[] = {
		{OCI "layer.v1.tar", STREAM_PLAIN},
		{OCI "layer.v1.tar+gzip", STREAM_GZIP},
		{OCI "layer.v1.tar+zstd", STREAM_ZSTD},
		{OCI "layer.v1.tar+GZIP; x=y", STREAM_GZIP},
		{OCI "layer.nondistributable.v1.tar", STREAM_PLAIN},
		{OCI "layer.nondistributable.v1.tar+zstd", STREAM_ZSTD},
		{DOCKER "image.rootfs.diff.tar", SAYS_NOTHING},
		{DOCKER "image.rootfs.foreign.diff.tar", SAYS_NOTHING},
		{DOCKER "image.rootfs.diff.tar.gzip", STREAM_GZIP},
		{DOCKER "image.rootfs.diff.tar.zstd", STREAM_ZSTD},
		{DOCKER "image.rootfs.foreign.diff.tar.gzip", STREAM_GZIP},
		{"", SAYS_NOTHING},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum stream_codec codec;
		bool says = oci_media_type_codec(cases[i].text, &codec);

		assert_int_equal(says, cases[i].codec != SAYS_NOTHING);
		if (says)
			assert_int_equal(codec, cases[i].codec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_means_what_the_rules_say),
		cmocka_unit_test(b03_a_layer_type_says_what_compression_to_expect),
		cmocka_unit_test(b01_all_four_manifest_types_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
