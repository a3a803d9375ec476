/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the file engine takes for the things a pull does: write a base, snapshot it, overwrite a
 * little, commit, open, check. Usage: thin_bench FOLDER [SNAPSHOTS]; the folder is left empty.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/volume.h"

enum { MIB = 1 << 20, BASE_BYTES = 1024 * MIB, CHUNK = 4 * MIB, OVERWRITES = 4000 };

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(double started, const char *what, double n, const char *unit)
{
	double took = seconds() - started;

	printf("%-28s %8.3f s %12.0f %s/s\n", what, took, n / took, unit);
}

static void must(int rc, const struct error *err)
{
	char text[800];

	if (rc == 0)
		return;
	error_text(err, text, sizeof(text));
	fprintf(stderr, "thin_bench: %s\n", text);
	exit(1);
}

static struct thin_pool *open_pool(const char *dir)
{
	const struct thin_file_open how = {.mode = THIN_FILE_WRITE, .verb = "bench"};
	struct thin_pool *pool = NULL;
	struct error err = {0};

	must(thin_file_open(dir, &how, &pool, &err), &err);
	return pool;
}

static void commit(struct thin_pool *pool, const char *what)
{
	double started = seconds();
	struct error err = {0};

	must(thin_pool_commit(pool, 0, &err), &err);
	report(started, what, 1, "commits");
}

static void write_all(struct thin_volume *v, const uint8_t *chunk, const char *what)
{
	double started = seconds();
	struct error err = {0};

	for (uint64_t at = 0; at < BASE_BYTES; at += CHUNK)
		must(thin_volume_write(v, chunk, CHUNK, at, &err), &err);
	report(started, what, BASE_BYTES / MIB, "MiB");
}

static void write_base(struct thin_pool *pool)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	cleanup_free uint8_t *chunk = xmalloc(CHUNK);
	struct error err = {0};

	memset(chunk, 0x5a, CHUNK);
	must(thin_pool_create_thin(pool, 1, &err), &err);
	must(thin_pool_open_volume(pool, 1, BASE_BYTES, true, &v, &err), &err);
	write_all(v, chunk, "write 1 GiB, new blocks");
	write_all(v, chunk, "write 1 GiB, in place");
}

static void make_snapshots(struct thin_pool *pool, uint32_t n)
{
	double started = seconds();
	struct error err = {0};

	for (uint32_t i = 0; i < n; i++)
		must(thin_pool_create_snap(pool, 2 + i, 1, &err), &err);
	report(started, "create_snap", n, "snapshots");
}

static void overwrite(struct thin_pool *pool, const char *what)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	struct error err = {0};
	uint8_t page[4096];
	double started;

	memset(page, 0xc3, sizeof(page));
	must(thin_pool_open_volume(pool, 2, BASE_BYTES, true, &v, &err), &err);
	srandom(1);
	started = seconds();
	for (int i = 0; i < OVERWRITES; i++)
		must(thin_volume_write(v, page, sizeof(page),
				       (uint64_t)random() % (BASE_BYTES / 4096) * 4096, &err),
		     &err);
	report(started, what, OVERWRITES, "writes");
}

/* What df asks: of all devices together, and of each. */
static void count(struct thin_pool *pool, uint32_t snapshots)
{
	cleanup_free uint32_t *ids = xcalloc(snapshots + 1, sizeof(*ids));
	struct error err = {0};
	double started = seconds();
	uint64_t blocks;

	for (uint32_t i = 0; i <= snapshots; i++)
		ids[i] = 1 + i;
	must(thin_pool_mapped(pool, ids, snapshots + 1, &blocks, &err), &err);
	report(started, "count mapped, all devices", (double)blocks, "blocks");
	started = seconds();
	for (uint32_t i = 0; i <= snapshots; i++)
		must(thin_pool_exclusive(pool, &ids[i], 1, &blocks, &err), &err);
	report(started, "count exclusive, each device", snapshots + 1, "devices");
}

static void check(const char *dir)
{
	struct thin_findings findings = {0};
	struct error err = {0};
	double started = seconds();

	must(thin_file_check(dir, 0, &findings, &err), &err);
	report(started, "strict check", 1, "checks");
	if (findings.total)
		fprintf(stderr, "thin_bench: %llu findings\n", (unsigned long long)findings.total);
	thin_findings_release(&findings);
}

static void remove_pool(const char *dir)
{
	static const char *const names[] = {"meta", "data", "owner"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_free char *path = xasprintf("%s/%s", dir, names[i]);

		unlink(path);
	}
}

int main(int argc, char **argv)
{
	uint32_t snapshots = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 2000;
	struct thin_file_params params = {.data_bytes = 4ull * BASE_BYTES,
					  .metadata_bytes = 128 * MIB,
					  .block_bytes = 65536};
	struct thin_pool *pool;
	struct error err = {0};
	double started;

	if (argc < 2) {
		fprintf(stderr, "usage: thin_bench FOLDER [SNAPSHOTS]\n");
		return 2;
	}
	must(thin_file_create(argv[1], &params, &err), &err);
	pool = open_pool(argv[1]);
	write_base(pool);
	commit(pool, "commit");
	make_snapshots(pool, snapshots);
	commit(pool, "commit");
	overwrite(pool, "random 4K, shared blocks");
	commit(pool, "commit");
	overwrite(pool, "random 4K, private blocks");
	commit(pool, "commit");
	thin_pool_close(pool);
	started = seconds();
	pool = open_pool(argv[1]);
	report(started, "open for writing", 1, "opens");
	count(pool, snapshots);
	thin_pool_close(pool);
	check(argv[1]);
	remove_pool(argv[1]);
	return 0;
}
