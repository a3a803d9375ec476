/* SPDX-License-Identifier: Apache-2.0 */
/* Calls through to an engine: ids and sizes are checked here, once for all engines. */
#include "pkg/thin/pool.h"

#include "pkg/base/alloc.h"
#include "pkg/thin/engine.h"
#include "tests/support/cmocka.h"

/* Notes which call came through, with what. */
struct fake {
	struct thin_pool base;
	const char *called;
	uint64_t a, b;
	int rc;
};

static int came(struct thin_pool *pool, const char *name, uint64_t a, uint64_t b)
{
	struct fake *f = (struct fake *)pool;

	f->called = name;
	f->a = a;
	f->b = b;
	return f->rc;
}

static int fake_create_thin(struct thin_pool *p, uint32_t id, struct error *err)
{
	(void)err;
	return came(p, "create_thin", id, 0);
}

static int fake_create_snap(struct thin_pool *p, uint32_t id, uint32_t origin, struct error *err)
{
	(void)err;
	return came(p, "create_snap", id, origin);
}

static int fake_delete(struct thin_pool *p, uint32_t id, struct error *err)
{
	(void)err;
	return came(p, "delete", id, 0);
}

static int fake_open(struct thin_pool *p, uint32_t id, uint64_t size, bool writable,
		     struct thin_volume **ret, struct error *err)
{
	(void)err;
	(void)ret;
	return came(p, writable ? "open rw" : "open ro", id, size);
}

static int fake_commit(struct thin_pool *p, uint64_t id, struct error *err)
{
	(void)err;
	return came(p, "commit", id, 0);
}

static int fake_abort(struct thin_pool *p, struct error *err)
{
	(void)err;
	return came(p, "abort", 0, 0);
}

static int fake_reserve(struct thin_pool *p, struct error *err)
{
	(void)err;
	return came(p, "reserve", 0, 0);
}

static int fake_release(struct thin_pool *p, struct error *err)
{
	(void)err;
	return came(p, "release", 0, 0);
}

static int fake_device(struct thin_pool *p, uint32_t id, struct thin_device *ret, struct error *err)
{
	(void)err;
	(void)ret;
	return came(p, "device", id, 0);
}

static int fake_count(struct thin_pool *p, const uint32_t *ids, size_t n, bool exclusive,
		      uint64_t *ret, struct error *err)
{
	(void)err;
	(void)ret;
	return came(p, exclusive ? "exclusive" : "mapped", n ? ids[n - 1] : 0, n);
}

static int fake_diff(struct thin_pool *p, uint32_t a, uint32_t b, struct thin_diff_range **ret,
		     size_t *ret_n, struct error *err)
{
	(void)ret;
	(void)ret_n;
	(void)err;
	return came(p, "diff", a, b);
}

static void fake_close(struct thin_pool *p)
{
	(void)came(p, "close", 0, 0);
}

static const struct thin_pool_ops ops = {
	.create_thin = fake_create_thin,
	.create_snap = fake_create_snap,
	.delete = fake_delete,
	.open_volume = fake_open,
	.commit = fake_commit,
	.abort = fake_abort,
	.reserve_metadata_snap = fake_reserve,
	.release_metadata_snap = fake_release,
	.device = fake_device,
	.count_blocks = fake_count,
	.diff = fake_diff,
	.close = fake_close,
};

static struct error err;

#define CAME(f, name, first, second)                         \
	do {                                                 \
		assert_non_null((f).called);                 \
		assert_string_equal((f).called, (name));     \
		assert_int_equal((f).a, (uint64_t)(first));  \
		assert_int_equal((f).b, (uint64_t)(second)); \
		(f).called = NULL;                           \
	} while (0)

static void what_is_fine_comes_through_with_its_result(void **state)
{
	struct fake f = {.base.ops = &ops};
	uint32_t ids[] = {3, THIN_ID_MAX};
	struct thin_volume *v;
	struct thin_diff_range *ranges;
	struct thin_device d;
	size_t n_ranges;
	uint64_t n;

	(void)state;
	for (int rc = 0; rc >= -1; rc--) {
		f.rc = rc;
		assert_int_equal(thin_pool_create_thin(&f.base, THIN_ID_MAX, &err), rc);
		CAME(f, "create_thin", THIN_ID_MAX, 0);
		assert_int_equal(thin_pool_create_snap(&f.base, 1, THIN_ID_MAX, &err), rc);
		CAME(f, "create_snap", 1, THIN_ID_MAX);
		assert_int_equal(thin_pool_delete(&f.base, 0, &err), rc);
		CAME(f, "delete", 0, 0);
		assert_int_equal(thin_pool_open_volume(&f.base, 2, 512, true, &v, &err), rc);
		CAME(f, "open rw", 2, 512);
		assert_int_equal(thin_pool_open_volume(&f.base, 2, UINT64_C(1) << 50, false, &v,
						       &err),
				 rc);
		CAME(f, "open ro", 2, UINT64_C(1) << 50);
		assert_int_equal(thin_pool_commit(&f.base, UINT64_MAX, &err), rc);
		CAME(f, "commit", UINT64_MAX, 0);
		assert_int_equal(thin_pool_abort(&f.base, &err), rc);
		CAME(f, "abort", 0, 0);
		assert_int_equal(thin_pool_reserve_metadata_snap(&f.base, &err), rc);
		CAME(f, "reserve", 0, 0);
		assert_int_equal(thin_pool_release_metadata_snap(&f.base, &err), rc);
		CAME(f, "release", 0, 0);
		assert_int_equal(thin_pool_device(&f.base, 7, &d, &err), rc);
		CAME(f, "device", 7, 0);
		assert_int_equal(thin_pool_mapped(&f.base, ids, 2, &n, &err), rc);
		CAME(f, "mapped", THIN_ID_MAX, 2);
		assert_int_equal(thin_pool_exclusive(&f.base, ids, 1, &n, &err), rc);
		CAME(f, "exclusive", 3, 1);
		assert_int_equal(thin_pool_diff(&f.base, 4, THIN_ID_MAX, &ranges, &n_ranges, &err),
				 rc);
		CAME(f, "diff", 4, THIN_ID_MAX);
	}
	thin_pool_close(&f.base);
	CAME(f, "close", 0, 0);
	thin_pool_close(NULL);
}

/* An id has 24 bits in the format. */
static void ids_and_sizes_that_no_engine_takes_stop_here(void **state)
{
	static const uint64_t sizes[] = {0, 1, 511, 513, UINT64_MAX};
	struct fake f = {.base.ops = &ops};
	uint32_t ids[] = {1, THIN_ID_MAX + 1, 2};
	struct thin_volume *v;
	struct thin_diff_range *ranges;
	struct thin_device d;
	size_t n_ranges;
	uint64_t n;

	(void)state;
	for (uint32_t id = THIN_ID_MAX + 1;; id = UINT32_MAX) {
		assert_int_equal(thin_pool_create_thin(&f.base, id, &err), -1);
		assert_error(&err, ERR_INVALID, "is above 16777215");
		assert_int_equal(thin_pool_create_snap(&f.base, id, 1, &err), -1);
		assert_int_equal(thin_pool_create_snap(&f.base, 1, id, &err), -1);
		assert_int_equal(thin_pool_delete(&f.base, id, &err), -1);
		assert_int_equal(thin_pool_open_volume(&f.base, id, 512, false, &v, &err), -1);
		assert_int_equal(thin_pool_device(&f.base, id, &d, &err), -1);
		assert_int_equal(thin_pool_diff(&f.base, id, 1, &ranges, &n_ranges, &err), -1);
		assert_int_equal(thin_pool_diff(&f.base, 1, id, &ranges, &n_ranges, &err), -1);
		if (id == UINT32_MAX)
			break;
	}
	assert_int_equal(thin_pool_mapped(&f.base, ids, 3, &n, &err), -1);
	assert_int_equal(thin_pool_exclusive(&f.base, ids, 2, &n, &err), -1);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(thin_pool_open_volume(&f.base, 1, sizes[i], false, &v, &err), -1);
		assert_error(&err, ERR_INVALID, "is not a multiple of 512");
	}
	assert_null(f.called);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_fine_comes_through_with_its_result),
		cmocka_unit_test(ids_and_sizes_that_no_engine_takes_stop_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
