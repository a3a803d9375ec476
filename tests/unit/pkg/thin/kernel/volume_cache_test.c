/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cache of a node beside a plain array, with little memory, units and volumes of odd sizes: the
 * same bytes, only whole units to the device, and no zeros to where there are zeros. Then with each
 * of its calls failing.
 */
#include "pkg/thin/kernel/volume_cache.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/node_calls.h"
#include "tests/support/scratch.h"

enum { MOST_BYTES = 3 << 20, KIB = 1024 };

struct shape {
	uint32_t unit_bytes;
	uint64_t size_bytes, memory_bytes;
};

static const struct shape shapes[] = {
	{64 * KIB, 2 << 20, 0},			/* four units of memory */
	{64 * KIB, (2 << 20) + 512, 512 * KIB}, /* the last unit is one sector */
	{192 * KIB, (3 << 20) - 4096, 1 << 20},
	{1 << 20, (2 << 20) + 300 * KIB, 4 << 20},
};

static char *dir, *path;
static struct error err;
static struct kernel_node node;
static struct kernel_cache *cache;
static const struct shape *shape;
static uint8_t model[MOST_BYTES], device[MOST_BYTES]; /* what is to be read; what is on disk */
static uint8_t *buf;
static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % below;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* What holds for every write, and what the device has after it. */
static void watch(const struct iovec *pieces, int n, uint64_t offset)
{
	for (int i = 0; i < n; i++) {
		size_t len = pieces[i].iov_len;
		uint64_t end = offset + len;

		assert_int_equal(offset % shape->unit_bytes, 0);
		assert_true(end % shape->unit_bytes == 0 || end == shape->size_bytes);
		assert_int_equal((uintptr_t)pieces[i].iov_base % NODE_ALIGN, 0);
		assert_false(len <= shape->unit_bytes && is_zero(pieces[i].iov_base, len)
			     && is_zero(device + offset, len));
		memcpy(device + offset, pieces[i].iov_base, len);
		offset = end;
	}
}

static void open_cache(void)
{
	assert_ok(kernel_node_open(&node, path, true, shape->size_bytes, &err), &err);
	cache = kernel_cache_new(&node, shape->size_bytes, shape->unit_bytes, shape->memory_bytes);
}

static void close_cache(void)
{
	kernel_cache_free(cache);
	kernel_node_close(&node);
}

static void begin_shape(const struct shape *s)
{
	node_calls_reset();
	error_clear(&err);
	shape = s;
	memset(model, 0, sizeof(model));
	memset(device, 0, sizeof(device));
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, (off_t)s->size_bytes), 0);
	open_cache();
}

static int make_file(void **state)
{
	(void)state;
	dir = scratch_new();
	path = xasprintf("%s/device", dir);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
	buf = xaligned(NODE_ALIGN, MOST_BYTES);
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	free(buf);
	free(path);
	scratch_free(dir);
	return 0;
}

/* ---- beside the array ---- */

struct range {
	uint64_t offset;
	size_t len;
};

/* Of all sizes, often at the bounds of units and pages. */
static struct range any_range(void)
{
	static const uint32_t grains[] = {1, 512, 4096, 0, 0};
	uint32_t grain = grains[any(ARRAY_SIZE(grains))];
	uint32_t size = (uint32_t)shape->size_bytes;
	struct range r;

	grain = grain ? grain : shape->unit_bytes;
	r.offset = any(size / grain + 1) * (uint64_t)grain;
	if (r.offset >= size)
		r.offset = 0;
	r.len = (any(any(4) ? 8 : size / grain + 1) + 1) * (size_t)grain;
	if (any(4) == 0)
		r.len += any(5000);
	if (r.len > size - r.offset)
		r.len = size - (size_t)r.offset;
	return r;
}

static void fill(uint8_t *data, size_t len)
{
	uint8_t value = any(4) ? (uint8_t)any(256) : 0;

	for (size_t i = 0; i < len; i += 4096)
		memset(data + i, any(3) ? value : (uint8_t)any(256),
		       len - i < 4096 ? len - i : 4096);
}

static int do_write(struct range r)
{
	/* memory that is not aligned is copied, aligned memory goes past */
	uint8_t *from = buf + (any(2) && r.len < MOST_BYTES ? 1 : 0);

	fill(from, r.len);
	memcpy(model + r.offset, from, r.len);
	return kernel_cache_write(cache, from, r.len, r.offset, &err);
}

static int do_read(struct range r)
{
	memset(buf, 0x55, r.len);
	if (kernel_cache_read(cache, buf, r.len, r.offset, &err) < 0)
		return -1;
	assert_memory_equal(buf, model + r.offset, r.len);
	return 0;
}

static int do_zero(struct range r)
{
	memset(model + r.offset, 0, r.len);
	return kernel_cache_zero(cache, r.offset, r.len, &err);
}

/* As a discard: the device's own change of whole units. */
static int do_forget(struct range r)
{
	uint64_t unit = shape->unit_bytes, from = (r.offset + unit - 1) / unit * unit;
	uint64_t to = (r.offset + r.len) / unit * unit;

	if (from >= to)
		return 0;
	if (kernel_cache_forget(cache, from, to - from, &err) < 0)
		return -1;
	memset(model + from, 0, to - from);
	memset(device + from, 0, to - from);
	assert_int_equal(fallocate(node.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
				   (off_t)(to - from)),
			 0);
	return 0;
}

static int do_something(void)
{
	switch (any(12)) {
	case 0:
		return do_zero(any_range());
	case 1:
		return do_forget(any_range());
	case 2:
		return any(4) ? 0 : kernel_cache_write_out(cache, &err);
	case 3:
	case 4:
	case 5:
		return do_read(any_range());
	default:
		return do_write(any_range());
	}
}

static void compare_file(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, buf, shape->size_bytes, 0), shape->size_bytes);
	assert_memory_equal(buf, model, shape->size_bytes);
	close(fd);
}

static void reopen(void)
{
	assert_ok(kernel_cache_write_out(cache, &err), &err);
	close_cache();
	compare_file();
	open_cache();
}

static void what_is_read_is_what_was_written(void **state)
{
	const char *rounds = getenv("THINPULL_ROUNDS");
	unsigned long n = rounds ? strtoul(rounds, NULL, 10) : 8;

	(void)state;
	for (unsigned long round = 0; round < n; round++) {
		seed = round;
		begin_shape(&shapes[round % ARRAY_SIZE(shapes)]);
		node_calls.most_bytes = any(5) ? 0 : 8 * KIB;
		/* short transfers are not whole units */
		node_calls.on_write = node_calls.most_bytes ? NULL : watch;
		for (int i = 0; i < 400; i++) {
			assert_ok(do_something(), &err);
			if (any(100) == 0)
				reopen();
		}
		reopen();
		close_cache();
	}
}

static void who_reads_on_and_on_gets_more_at_once(void **state)
{
	(void)state;
	begin_shape(&(struct shape){64 * KIB, 3 << 20, 4 << 20});
	for (uint64_t at = 0; at < 3 << 20; at += 16 * KIB)
		assert_ok(kernel_cache_read(cache, buf + 1, 16 * KIB, at, &err), &err);
	/* 1 2 4 8 16 16 units and what is left */
	assert_int_equal(node.counts.reads, 7);
	close_cache();
}

/* ---- faults ---- */

/* Some work; 0 when all of it went well. The model then holds what the file must. */
static int work(uint64_t with)
{
	seed = with;
	for (int i = 0; i < 25; i++)
		if (do_something() < 0)
			return -1;
	return kernel_cache_write_out(cache, &err);
}

static void a_failed_write_is_never_forgotten(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < 4; round++) {
		for (uint64_t n = 1;; n += 1 + n / 16) {
			begin_shape(&shapes[round]);
			node_calls.once = n % 2;
			node_calls.sys = ENOSPC;
			node_calls.fail[NODE_WRITE] = n;
			if (work(round) == 0) {
				assert_int_equal(node_calls.failed, 0);
				close_cache();
				compare_file();
				break;
			}
			assert_error(&err, ERR_NO_SPACE, "device");
			node_calls.fail[NODE_WRITE] = 0;
			/* The disk is well again, the cache is not: something is lost. */
			assert_int_equal(kernel_cache_failed(cache)->kind, ERR_NO_SPACE);
			error_clear(&err);
			assert_int_equal(kernel_cache_write_out(cache, &err), -1);
			assert_error(&err, ERR_NO_SPACE, "device");
			assert_int_equal(kernel_cache_write(cache, "x", 1, 0, &err), -1);
			assert_int_equal(kernel_cache_zero(cache, 0, 1, &err), -1);
			close_cache();
		}
	}
}

static void a_failed_read_leaves_nothing_wrong_behind(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < 4; round++) {
		for (uint64_t n = 1;; n += 1 + n / 16) {
			begin_shape(&shapes[round]);
			memset(model, 3, shape->size_bytes);
			assert_ok(kernel_cache_write(cache, model, shape->size_bytes, 0, &err),
				  &err);
			reopen();
			node_calls.once = true;
			node_calls.fail[NODE_READ] = n;
			if (work(round) == 0) {
				assert_int_equal(node_calls.failed, 0);
				close_cache();
				compare_file();
				break;
			}
			assert_error(&err, ERR_SYSTEM, "device");
			assert_int_equal(node_calls.failed, 1);
			close_cache();
		}
	}
}

static void reading_again_after_an_error_is_fine(void **state)
{
	(void)state;
	begin_shape(&shapes[0]);
	memset(model, 3, shape->size_bytes);
	assert_ok(kernel_cache_write(cache, model, shape->size_bytes, 0, &err), &err);
	reopen();
	node_calls.once = true;
	node_calls.fail[NODE_READ] = 1;
	assert_int_equal(kernel_cache_read(cache, buf, 1000, 1000, &err), -1);
	assert_error(&err, ERR_SYSTEM, "read");
	assert_ok(kernel_cache_read(cache, buf, 1000, 1000, &err), &err);
	assert_memory_equal(buf, model, 1000);
	assert_int_equal(kernel_cache_failed(cache)->kind, ERR_NONE);
	assert_int_equal(ftruncate(node.fd, 4096), 0);
	assert_int_equal(kernel_cache_read(cache, buf, 1000, 1 << 20, &err), -1);
	assert_error(&err, ERR_INCONSISTENT, "ends at byte");
	close_cache();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(what_is_read_is_what_was_written),
		CASE(who_reads_on_and_on_gets_more_at_once),
		CASE(a_failed_write_is_never_forgotten),
		CASE(a_failed_read_leaves_nothing_wrong_behind),
		CASE(reading_again_after_an_error_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
