/* SPDX-License-Identifier: Apache-2.0 */
/* Content of extracted files: all bytes, holes where there were holes, limits of the host. */
#include "pkg/ext4/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "tests/support/cmocka.h"
#include "tests/support/extraction.h"
#include "tests/support/scratch.h"

static void every_size_comes_out(void **state)
{
	static const size_t sizes[] = {0,      1,      4095,   4096,   4097,	8191,
				       65536,  262143, 262144, 262145, 1 << 20, (1 << 20) + 1,
				       3000000};
	struct extraction *x = *state;
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(name, sizeof(name), "f%zu", sizes[i]);
		edit_bytes(x->edit->w, name, sizes[i], (uint32_t)i);
	}
	assert_ok(extraction_run(x), &x->err);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_free uint8_t *want = xmalloc(sizes[i] + 1);
		cleanup_free char *got = NULL;
		size_t len;

		edit_fill(want, sizes[i], (uint32_t)i);
		snprintf(name, sizeof(name), "out/f%zu", sizes[i]);
		got = scratch_read(name, &len);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(got, want, len);
	}
}

/* A file of this size with one block of data at each offset. */
static void sparse(struct extraction *x, const char *name, uint64_t size, const uint64_t *at,
		   size_t n)
{
	struct ext4_node *node = extraction_make(x, name, S_IFREG | 0644);
	uint8_t block[4096];

	for (size_t i = 0; i < n; i++) {
		edit_fill(block, sizeof(block), (uint32_t)i);
		assert_ok(ext4_writer_data(x->edit->w, node, block, sizeof(block), at[i], &x->err),
			  &x->err);
	}
	assert_ok(ext4_writer_data_end(x->edit->w, node, size, &x->err), &x->err);
}

static void assert_sparse(const char *path, uint64_t size, const uint64_t *at, size_t n)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t want[4096], got[4096];
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, size);
	/* a tree of extents may take a block, too */
	assert_in_range(st.st_blocks * 512, n * 4096, n * 4096 + 8192);
	for (size_t i = 0; i < n; i++) {
		edit_fill(want, sizeof(want), (uint32_t)i);
		assert_int_equal(pread(fd, got, sizeof(got), (off_t)at[i]), sizeof(got));
		assert_memory_equal(got, want, sizeof(got));
	}
}

static void holes_stay_holes(void **state)
{
	static const uint64_t middle[] = {0, 1 << 20}, start[] = {5 << 20}, end[] = {4096};
	static const uint64_t far[] = {0, 10ULL << 30, 59ULL << 30};
	struct extraction *x = *state;

	sparse(x, "middle", (1 << 20) + 4096, middle, 2);
	sparse(x, "start", (5 << 20) + 4096, start, 1);
	sparse(x, "end", (7 << 20) + 77, end, 1);
	sparse(x, "far", 60ULL << 30, far, 3);
	sparse(x, "all", 1 << 30, NULL, 0);
	assert_ok(extraction_run(x), &x->err);
	assert_sparse("out/middle", (1 << 20) + 4096, middle, 2);
	assert_sparse("out/start", (5 << 20) + 4096, start, 1);
	assert_sparse("out/end", (7 << 20) + 77, end, 1);
	assert_sparse("out/far", 60ULL << 30, far, 3);
	assert_sparse("out/all", 1 << 30, NULL, 0);
}

static void what_was_only_reserved_is_no_content(void **state)
{
	struct extraction *x = *state;
	static const uint64_t at[] = {0};
	struct stat st;

	sparse(x, "inside", 100 * 4096, at, 1);
	sparse(x, "behind", 4096, at, 1);
	extraction_debugfs(x, "fallocate /inside 10 60");
	extraction_debugfs(x, "fallocate /behind 1 40");
	extraction_debugfs(x, "set_inode_field /behind size 3000");
	assert_ok(extraction_run(x), &x->err);
	assert_sparse("out/inside", 100 * 4096, at, 1);
	assert_int_equal(stat("out/behind", &st), 0);
	assert_int_equal(st.st_size, 3000);
}

/* Run the extraction under a limit of the host; returns what the error says. */
static void under_limit(struct extraction *x, rlim_t bytes, enum error_kind kind, const char *text)
{
	struct rlimit limit = {bytes, bytes};
	pid_t child = fork();
	int status;

	if (child == 0) {
		char got[1024];

		interrupt_install();
		if (setrlimit(RLIMIT_FSIZE, &limit) < 0
		    || extraction_into(&x->edit->v->volume, "out", &x->lost, &x->err) == 0)
			_exit(1);
		error_text(&x->err, got, sizeof(got));
		_exit(x->err.kind == kind && strstr(got, text) ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_file_larger_than_allowed_is_named(void **state)
{
	struct extraction *x = *state;

	edit_bytes(x->edit->w, "large", 2 << 20, 1);
	edit_finish(steal(&x->edit->w));
	scratch_mkdir("out", 0755);
	under_limit(x, 1 << 20, ERR_NO_SPACE, "entry large: write the file: File too large");
}

static void a_hole_larger_than_allowed_is_named(void **state)
{
	struct extraction *x = *state;

	edit_dir(x->edit->w, "d");
	sparse(x, "d/hole", 60ULL << 30, NULL, 0);
	edit_finish(steal(&x->edit->w));
	scratch_mkdir("out", 0755);
	under_limit(x, 1 << 30, ERR_NO_SPACE,
		    "entry d/hole: make a file of 64424509440 bytes: File too large");
}

/* A guest that lets many files have the same blocks could fill any disk with a small volume. */
static void files_that_share_blocks_are_refused(void **state)
{
	struct extraction *x = *state;
	char request[64];

	edit_bytes(x->edit->w, "a", 20 << 20, 1);
	for (int i = 0; i < 4; i++) {
		snprintf(request, sizeof(request), "b%d", i);
		edit_file(x->edit->w, request, "");
	}
	for (int i = 0; i < 4; i++) {
		snprintf(request, sizeof(request), "copy_inode /a /b%d", i);
		extraction_debugfs(x, request);
	}
	assert_int_equal(extraction_run(x), -1);
	assert_error(&x->err, ERR_INCONSISTENT, "entry b2: ");
	assert_error(&x->err, ERR_INCONSISTENT, "files share blocks");
}

static void an_error_of_the_volume_names_the_file(void **state)
{
	struct extraction *x = *state;

	edit_bytes(x->edit->w, "f", 1 << 20, 1);
	/* behind the end of the volume */
	extraction_debugfs(x, "set_inode_field /f block[5] 0x7fffff");
	assert_int_equal(extraction_run(x), -1);
	assert_error(&x->err, ERR_INCONSISTENT, "entry f: inode");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_TREE(f) cmocka_unit_test_setup_teardown(f, extraction_set_up, extraction_tear_down)
		WITH_TREE(every_size_comes_out),
		WITH_TREE(holes_stay_holes),
		WITH_TREE(what_was_only_reserved_is_no_content),
		WITH_TREE(a_file_larger_than_allowed_is_named),
		WITH_TREE(a_hole_larger_than_allowed_is_named),
		WITH_TREE(files_that_share_blocks_are_refused),
		WITH_TREE(an_error_of_the_volume_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
