/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces, and what the holes of a file say of them. */
#include "oci/part_pieces.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

enum { BLOCK = PIECE_BLOCK_BYTES, PIECE = 16 * BLOCK, SIZE = 3 * PIECE + 100 };

static char *dir;
static int fd;

static int open_file(void **state)
{
	cleanup_free char *path = NULL;

	(void)state;
	dir = scratch_new();
	path = xasprintf("%s/file", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0;
}

static int close_file(void **state)
{
	(void)state;
	close(fd);
	scratch_free(dir);
	return 0;
}

static void write_at(uint64_t at, size_t len)
{
	cleanup_free uint8_t *data = xmalloc(len);
	struct error err = {0};

	memset(data, 'x', len);
	assert_ok(fdio_pwrite(fd, data, len, at, "file", &err), &err);
}

static void find(struct pieces *p)
{
	struct error err = {0};

	pieces_init(p, SIZE, PIECE);
	assert_ok(pieces_find(p, fd, "file", &err), &err);
}

static void they_are_of_one_size_but_the_last(void **state)
{
	static const struct {
		uint64_t size, piece;
		size_t n;
	} cases[] = {
		{0, PIECE, 0},		{1, PIECE, 1},
		{PIECE, PIECE, 1},	{2 * PIECE - 1, PIECE, 1},
		{2 * PIECE, PIECE, 2},	{2 * PIECE + 1, PIECE, 3},
		{SIZE, 0, 1},		{SIZE, PIECE, 4},
		{UINT64_MAX / 2, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pieces p;

		pieces_init(&p, cases[i].size, cases[i].piece);
		assert_int_equal(p.n, cases[i].n);
		assert_true(p.n == 0 || p.items[p.n - 1].end == cases[i].size);
		assert_int_equal(pieces_bytes(&p), 0);
		assert_int_equal(pieces_prefix(&p), 0);
		pieces_release(&p);
	}
}

static void an_empty_file_has_none_and_a_whole_one_all(void **state)
{
	struct pieces p;

	(void)state;
	find(&p);
	assert_int_equal(pieces_bytes(&p), 0);
	assert_ptr_equal(pieces_next(&p), &p.items[0]);
	pieces_release(&p);
	write_at(0, SIZE);
	find(&p);
	assert_int_equal(pieces_bytes(&p), SIZE);
	assert_int_equal(pieces_prefix(&p), SIZE);
	assert_null(pieces_next(&p));
	pieces_release(&p);
}

/* As a kill leaves it: each piece as far as its blocks were written. */
static void holes_are_what_is_missing(void **state)
{
	struct pieces p;

	(void)state;
	write_at(0, PIECE);
	write_at(PIECE, 3 * BLOCK);
	write_at(3 * PIECE, 60);
	find(&p);
	assert_int_equal(p.items[0].at, PIECE);
	assert_int_equal(p.items[1].at, PIECE + 3 * BLOCK);
	assert_int_equal(p.items[2].at, 2 * PIECE);
	assert_int_equal(p.items[3].at, 3 * PIECE + 60);
	assert_int_equal(pieces_bytes(&p), PIECE + 3 * BLOCK + 60);
	assert_int_equal(pieces_prefix(&p), PIECE + 3 * BLOCK);
	assert_ptr_equal(pieces_next(&p), &p.items[1]);
	p.items[1].is_taken = true;
	assert_ptr_equal(pieces_next(&p), &p.items[2]);
	p.items[2].is_taken = true;
	assert_ptr_equal(pieces_next(&p), &p.items[3]);
	p.items[3].is_taken = true;
	assert_null(pieces_next(&p));
	pieces_release(&p);
}

/* What one transfer wrote in sequence, to whatever byte. */
static void the_end_of_the_file_counts_by_the_byte(void **state)
{
	struct pieces p;

	(void)state;
	write_at(0, PIECE + 777);
	find(&p);
	assert_int_equal(pieces_bytes(&p), PIECE + 777);
	assert_int_equal(pieces_prefix(&p), PIECE + 777);
	pieces_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_of_one_size_but_the_last),
		cmocka_unit_test_setup_teardown(an_empty_file_has_none_and_a_whole_one_all,
						open_file, close_file),
		cmocka_unit_test_setup_teardown(holes_are_what_is_missing, open_file, close_file),
		cmocka_unit_test_setup_teardown(the_end_of_the_file_counts_by_the_byte, open_file,
						close_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
