/* SPDX-License-Identifier: Apache-2.0 */
/* An editing session and a scratch folder, side by side. */
#include "tests/support/extraction.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/e2fsprogs.h"
#include "tests/support/scratch.h"

int extraction_set_up(void **state)
{
	struct extraction *x = xcalloc(1, sizeof(*x));

	*state = x;
	return scratch_set_up(&x->scratch) | edit_set_up((void **)&x->edit);
}

int extraction_tear_down(void **state)
{
	struct extraction *x = *state;
	int rc = edit_tear_down((void **)&x->edit) | scratch_tear_down(&x->scratch);

	free(x);
	return rc;
}

struct ext4_node *extraction_make(struct extraction *x, const char *path, uint32_t mode)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	cleanup_free char *above = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	struct ext4_meta meta = {.mode = mode, .rdev_major = 1, .rdev_minor = 3};
	struct ext4_writer *w = x->edit->w;
	struct ext4_node *node;

	assert_ok(ext4_writer_make(w, edit_find(w, above), name, strlen(name), &meta, &node,
				   &x->err),
		  &x->err);
	return node;
}

void extraction_meta(struct extraction *x, const char *path, struct ext4_meta meta)
{
	struct ext4_writer *w = x->edit->w;

	assert_ok(ext4_writer_set_meta(w, edit_find(w, path), &meta, &x->err), &x->err);
}

static void end_editing(struct extraction *x)
{
	if (x->edit->w)
		edit_finish(steal(&x->edit->w));
}

void extraction_debugfs(struct extraction *x, const char *request)
{
	cleanup_free char *output = NULL;

	end_editing(x);
	memory_volume_dump(x->edit->v, "volume");
	memory_volume_free(x->edit->v);
	if (command_run(&output, "debugfs -w -R '%s' volume", request) != 0)
		fail_msg("debugfs: %s", output);
	x->edit->v = memory_volume_load("volume", 0);
}

int extraction_into(struct thin_volume *volume, const char *folder, struct ext4_extract_lost *ret,
		    struct error *err)
{
	cleanup(ext4_reader_close_ptr) struct ext4_reader *r = NULL;
	cleanup_fd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	if (ext4_reader_open(volume, &r, err) < 0)
		return -1;
	return ext4_extract(r, fd, ret, err);
}

int extraction_run(struct extraction *x)
{
	end_editing(x);
	assert_int_equal(mkdir("out", 0755), 0);
	return extraction_into(&x->edit->v->volume, "out", &x->lost, &x->err);
}
