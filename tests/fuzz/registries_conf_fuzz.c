/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a registries.conf: the places of some images are references again. */
#include <stdint.h>
#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "registry/registries_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const struct registries_conf *conf, const char *image)
{
	cleanup(registries_places_release) struct registries_places places = {0};
	cleanup(reference_release) struct reference ref = {0};
	struct error err = {0};

	if (reference_parse(image, &ref, &err) < 0)
		abort();
	if (registries_conf_places(conf, &ref, &places, &err) != 0)
		return;
	for (size_t i = 0; i < places.n; i++) {
		cleanup(reference_release) struct reference r = {0};
		cleanup_free char *text =
			xasprintf("%s/%s", places.items[i].domain, places.items[i].path);

		if (reference_parse(text, &r, &err) < 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const images[] = {"a.test/b/c:1", "x.example.com:5000/i", "b",
					     "localhost/x"};
	cleanup(registries_conf_free_ptr) struct registries_conf *conf = registries_conf_new();
	struct error err = {0};

	if (registries_conf_add(conf, data, size, "fuzz.conf", false, &err) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		look_up(conf, images[i]);
	registries_conf_alias(conf, "b");
	return 0;
}
