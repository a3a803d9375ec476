/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Works on a pool with the file engine, so that another engine can be held against it:
 *
 *   thin_churn DIR run SEED ROUNDS   random operations; makes the pool when there is none
 *   thin_churn DIR list              "ID SHA256" of each thin
 *   thin_churn DIR check             the strict check; nothing when all is well
 *   thin_churn DIR hold              make a metadata snapshot, or give up the one that is there
 *
 * All volumes have VOLUME_BYTES, which `thin_churn DIR size` prints.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/digest/digest.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/volume.h"

enum {
	BLOCK = 65536,
	VOLUME_BYTES = 384 * BLOCK, /* more than a leaf of mappings */
	DATA_BYTES = 2000 * BLOCK,
	IDS = 24,
	COMMIT_EVERY = 20,
	RUN_BLOCKS = 30,
};

static uint8_t bytes[RUN_BLOCKS * BLOCK];
static uint64_t random_state;

static uint64_t pick(uint64_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (random_state >> 33) % below;
}

static void must(int rc, const struct error *err)
{
	char text[800];

	if (rc == 0)
		return;
	error_text(err, text, sizeof(text));
	fprintf(stderr, "thin_churn: %s\n", text);
	exit(1);
}

static struct thin_pool *open_pool(const char *dir, enum thin_file_mode mode)
{
	const struct thin_file_open how = {.mode = mode, .verb = "churn"};
	struct thin_pool *pool;
	struct error err = {0};

	must(thin_file_open(dir, &how, &pool, &err), &err);
	return pool;
}

static void make_if_missing(const char *dir)
{
	const struct thin_file_params params = {.data_bytes = DATA_BYTES,
						.metadata_bytes = 4 << 20,
						.block_bytes = BLOCK};
	cleanup_free char *meta = xasprintf("%s/meta", dir);
	struct error err = {0};
	struct stat st;

	if (stat(meta, &st) < 0)
		must(thin_file_create(dir, &params, &err), &err);
}

static bool exists(struct thin_pool *pool, uint32_t id)
{
	struct thin_device device;
	struct error err = {0};

	return thin_pool_device(pool, id, &device, &err) == 0;
}

/* ---- run ---- */

static void write_some(struct thin_volume *v)
{
	size_t len = pick(2) ? 1 + pick(5000) : BLOCK * (1 + pick(RUN_BLOCKS));
	uint64_t offset = pick(VOLUME_BYTES - len + 1);
	struct error err = {0};

	if (len >= BLOCK)
		offset -= offset % BLOCK;
	memset(bytes, (int)pick(256), len);
	put_le64(bytes, random_state);
	must(thin_volume_write(v, bytes, len, offset, &err), &err);
}

static void use_volume(struct thin_pool *pool, uint32_t id)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	struct error err = {0};

	must(thin_pool_open_volume(pool, id, VOLUME_BYTES, true, &v, &err), &err);
	if (pick(4) == 0) {
		uint64_t from = pick(VOLUME_BYTES);

		must(thin_volume_discard(v, from, pick(VOLUME_BYTES - from) + 1, &err), &err);
	} else {
		write_some(v);
	}
}

static void hold_or_release(struct thin_pool *pool)
{
	struct thin_pool_status status;
	struct error err = {0};

	must(thin_pool_status(pool, &status, &err), &err);
	must(status.held_root ? thin_pool_release_metadata_snap(pool, &err)
			      : thin_pool_reserve_metadata_snap(pool, &err),
	     &err);
}

static void grow(struct thin_pool *pool)
{
	struct thin_pool_status status;
	struct error err = {0};

	must(thin_pool_status(pool, &status, &err), &err);
	must(thin_file_grow(pool, (status.data_total_blocks + pick(50)) * BLOCK,
			    (status.metadata_total_blocks + pick(50)) * 4096, &err),
	     &err);
}

static void do_something(struct thin_pool *pool)
{
	uint32_t id = (uint32_t)pick(IDS), other = (uint32_t)pick(IDS);
	struct error err = {0};

	if (pick(40) == 0)
		hold_or_release(pool);
	else if (pick(60) == 0)
		grow(pool);
	else if (!exists(pool, id))
		must(exists(pool, other) ? thin_pool_create_snap(pool, id, other, &err)
					 : thin_pool_create_thin(pool, id, &err),
		     &err);
	else if (pick(30) == 0)
		must(thin_pool_delete(pool, id, &err), &err);
	else
		use_volume(pool, id);
}

/* When the pool is rather full, some go. */
static void make_room(struct thin_pool *pool)
{
	struct thin_pool_status status;
	struct error err = {0};

	must(thin_pool_status(pool, &status, &err), &err);
	for (uint32_t id = 1; status.data_used_blocks > DATA_BYTES / BLOCK / 2 && id < IDS; id++)
		if (exists(pool, id))
			must(thin_pool_delete(pool, id, &err), &err);
	must(thin_pool_commit(pool, status.transaction_id, &err), &err);
}

static void run(const char *dir, uint64_t seed, uint64_t rounds)
{
	struct thin_pool *pool;

	make_if_missing(dir);
	pool = open_pool(dir, THIN_FILE_WRITE);
	random_state = seed * UINT64_C(0x9e3779b97f4a7c15);
	for (uint64_t i = 1; i <= rounds; i++) {
		do_something(pool);
		if (i % COMMIT_EVERY == 0 || i == rounds)
			make_room(pool);
	}
	thin_pool_close(pool);
}

static void hold(const char *dir)
{
	struct thin_pool *pool = open_pool(dir, THIN_FILE_WRITE);
	struct thin_pool_status status;
	struct error err = {0};

	must(thin_pool_status(pool, &status, &err), &err);
	hold_or_release(pool);
	must(thin_pool_commit(pool, status.transaction_id, &err), &err);
	thin_pool_close(pool);
}

/* ---- looking ---- */

static void print_hash(struct thin_pool *pool, uint32_t id)
{
	cleanup(thin_volume_close_ptr) struct thin_volume *v = NULL;
	cleanup_free uint8_t *all = xmalloc(VOLUME_BYTES);
	char hex[DIGEST_TEXT_BYTES];
	struct error err = {0};
	struct digest digest;

	must(thin_pool_open_volume(pool, id, VOLUME_BYTES, false, &v, &err), &err);
	must(thin_volume_read(v, all, VOLUME_BYTES, 0, &err), &err);
	digest_of(DIGEST_SHA256, all, VOLUME_BYTES, &digest);
	printf("%u %s\n", id, digest_hex(&digest, hex));
}

static void list(const char *dir)
{
	struct thin_pool *pool = open_pool(dir, THIN_FILE_READ);
	cleanup_free struct thin_device *devices = NULL;
	struct error err = {0};
	size_t n;

	must(thin_pool_devices(pool, &devices, &n, &err), &err);
	for (size_t i = 0; i < n; i++)
		print_hash(pool, devices[i].id);
	thin_pool_close(pool);
}

static int check(const char *dir)
{
	cleanup(thin_findings_release) struct thin_findings findings = {0};
	struct error err = {0};

	must(thin_file_check(dir, 0, &findings, &err), &err);
	for (size_t i = 0; i < findings.n; i++)
		printf("%s: %s: %s\n", findings.items[i].kind, findings.items[i].where,
		       findings.items[i].text);
	return findings.total ? 8 : 0;
}

int main(int argc, char **argv)
{
	struct error usage = {0};

	if (argc == 5 && !strcmp(argv[2], "run"))
		run(argv[1], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	else if (argc == 3 && !strcmp(argv[2], "list"))
		list(argv[1]);
	else if (argc == 3 && !strcmp(argv[2], "check"))
		return check(argv[1]);
	else if (argc == 3 && !strcmp(argv[2], "hold"))
		hold(argv[1]);
	else if (argc == 3 && !strcmp(argv[2], "size"))
		printf("%d\n", VOLUME_BYTES);
	else
		must(error_set(&usage, ERR_USAGE,
			       "DIR run SEED ROUNDS | list | check | hold | size"),
		     &usage);
	return 0;
}
