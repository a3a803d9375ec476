/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a raw ext4 of 64 MiB with what several layers of random changes made of it, the same as
 * our reader and a plain model say: ext4_random FILE SEED LAYERS CHANGES
 */
#include <stdio.h>
#include <stdlib.h>

#include "pkg/ext4/base.h"
#include "pkg/ext4/writer.h"
#include "tests/support/ext4_model.h"
#include "tests/support/memory_volume.h"

static const uint64_t SIZE_BYTES = 64 << 20;

/* A layer on what the last one left, with nothing known of it. */
static int change(struct memory_volume *v, struct ext4_model *m, unsigned changes,
		  struct error *err)
{
	static const uint8_t uuid[16] = {5};
	cleanup(ext4_tree_free_ptr) struct ext4_tree *tree = ext4_tree_new();
	cleanup(ext4_writer_abort_ptr) struct ext4_writer *w = NULL;

	if (ext4_writer_open(&v->volume, tree, uuid, &w, err) < 0
	    || ext4_model_change(m, w, changes, err) < 0)
		return -1;
	return ext4_writer_finish(&w, err);
}

int main(int argc, char **argv)
{
	cleanup(memory_volume_free_ptr) struct memory_volume *v = memory_volume_new(SIZE_BYTES, 0);
	cleanup(ext4_model_free_ptr) struct ext4_model *m = NULL;
	struct ext4_base_params params = {0};
	struct error err = {0};
	char text[1024];
	int rc;

	if (argc != 5) {
		fprintf(stderr, "usage: ext4_random FILE SEED LAYERS CHANGES\n");
		return 2;
	}
	m = ext4_model_new(strtoull(argv[2], NULL, 10));
	rc = ext4_base_create(&v->volume, &params, &err);
	for (int layers = atoi(argv[3]); rc == 0 && layers > 0; layers--)
		rc = change(v, m, (unsigned)atoi(argv[4]), &err);
	if (rc < 0) {
		error_text(&err, text, sizeof(text));
		fprintf(stderr, "ext4_random: %s\n", text);
		return 1;
	}
	memory_volume_dump(v, argv[1]);
	return ext4_model_matches(m, &v->volume) ? 0 : 1;
}
