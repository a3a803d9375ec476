/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a config, and a bundle of what was taken: the first byte chooses among the options.
 * What is written must be JSON again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "oci/bundle.h"
#include "pkg/base/cleanup.h"
#include "pkg/json/jdoc.h"
#include "tests/support/ext4_edit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A tree with accounts, a file and links, made once. */
static struct ext4_reader *make_tree(void)
{
	struct memory_volume *v = edit_base(16 << 20, 0);
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_writer *w = edit_open(v, tree);
	struct ext4_reader *r = NULL;
	struct error err = {0};

	edit_dir(w, "etc");
	edit_file(w, "etc/passwd", "root:x:0:0::/root:\na:x:5:6::/a:\nb:x:7:7::/\xff:\n");
	edit_file(w, "etc/group", "root:x:0:\ng:x:9:a,b\n");
	edit_symlink(w, "l", "/etc/../l/x");
	edit_finish(w);
	ext4_tree_free(tree);
	if (ext4_reader_open(&v->volume, &r, &err) < 0)
		abort();
	return r;
}

static void make_bundle(const struct oci_runconfig *c, struct ext4_reader *fs, uint8_t choice)
{
	static const char *const cmd[] = {"x", NULL}, *const env[] = {"A=1", "HOME=/", NULL};
	const struct bundle_options options = {
		.hostname = "h",
		.cmd = choice & 1 ? cmd : NULL,
		.env = choice & 2 ? env : NULL,
		.rootless = choice & 4,
		.volumes = choice & 8,
		.terminal = choice & 16,
	};
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	cleanup_buffer struct buffer json = {0};
	struct error err = {0};

	if (bundle_config(c, fs, &options, &json, &err) < 0) {
		if (err.kind != ERR_INVALID)
			abort();
		return;
	}
	if (jdoc_parse(json.data, json.len, "config.json", &doc, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ext4_reader *fs;
	struct error err = {0};
	struct oci_runconfig c;

	if (!fs)
		fs = make_tree();
	if (size < 1 || oci_runconfig_parse(data + 1, size - 1, "config", &c, &err) < 0)
		return 0;
	make_bundle(&c, fs, data[0]);
	oci_runconfig_release(&c);
	return 0;
}
