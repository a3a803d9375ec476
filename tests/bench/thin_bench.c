/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the file engine takes, one process for each thing measured, so that memory is told apart
 * too. thin.sh calls it again and again and makes a table. Prints lines "NAME VALUE".
 *
 *   thin_bench basics DIR    makes a small pool there: real data, beside plain writes of the same
 *   thin_bench prepare DIR   after thin_restore of one full thin: two snapshots that differ a little
 *   thin_bench nothing|open-read|open-write|check|diff|write|discard|delete DIR   on such a pool
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/file/fault_internal.h"
#include "pkg/thin/file/fsck.h"
#include "pkg/thin/volume.h"

enum {
	MIB = 1 << 20,
	PAGE = 4096,
	BLOCK = 65536,
	CHUNK = 4 * MIB,
	WRITTEN_MIB = 512,
	SNAPSHOTS = 2000,
	OVERWRITES = 2000,
	COMMITS = 15,
	SYNCS_OF_COMMIT = 3, /* data, metadata, superblock */
	FEW_CHANGES = 3,
	MANY_CHANGES = 1000,
	DISCARD_GIB = 10,
};

static const uint64_t VOLUME_BYTES = (uint64_t)WRITTEN_MIB * MIB;
static const uint64_t LARGE_BYTES = UINT64_C(1) << 40;

static struct error err;

static void must(int rc)
{
	char text[800];

	if (rc == 0)
		return;
	error_text(&err, text, sizeof(text));
	fprintf(stderr, "thin_bench: %s\n", err.kind ? text : "a system call failed");
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void print_value(const char *name, double value)
{
	printf("%s %.9f\n", name, value);
}

/* ---- what others would do with the same bytes ---- */

static int open_plain(const char *dir)
{
	cleanup_free char *path = xasprintf("%s/plain", dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	must(fd < 0);
	unlink(path);
	return fd;
}

static void plain_write(int fd, const uint8_t *chunk, const char *name)
{
	double started = now();

	for (uint64_t at = 0; at < VOLUME_BYTES; at += CHUNK)
		must(pwrite(fd, chunk, CHUNK, (off_t)at) != CHUNK);
	must(fdatasync(fd));
	print_value(name, WRITTEN_MIB / (now() - started));
}

static uint64_t random_page(uint64_t bytes)
{
	return (uint64_t)random() % (bytes / PAGE) * PAGE;
}

static uint64_t any_page(unsigned i)
{
	(void)i;
	return random_page(VOLUME_BYTES);
}

/* Where the blocks are that a pool copied one after the other. */
static uint64_t page_of_block(unsigned i)
{
	return (uint64_t)i * BLOCK;
}

static void plain_pages(int fd, const uint8_t *page, uint64_t (*place)(unsigned i),
			const char *name)
{
	double started = now();

	srandom(1);
	for (unsigned i = 0; i < OVERWRITES; i++)
		must(pwrite(fd, page, PAGE, (off_t)place(i)) != PAGE);
	must(fdatasync(fd));
	print_value(name, OVERWRITES / (now() - started));
}

static void plain_syncs(int fd, const uint8_t *page)
{
	double started = now();

	for (int i = 0; i < COMMITS * SYNCS_OF_COMMIT; i++) {
		must(pwrite(fd, page, PAGE, (off_t)(i % SYNCS_OF_COMMIT * BLOCK)) != PAGE);
		must(fdatasync(fd));
	}
	print_value("plain_syncs", (now() - started) / COMMITS);
}

/* ---- pools ---- */

static struct thin_pool *open_pool(const char *dir, enum thin_file_mode mode)
{
	const struct thin_file_open how = {.mode = mode, .verb = "bench"};
	struct thin_pool *pool = NULL;

	must(thin_file_open(dir, &how, &pool, &err));
	return pool;
}

static struct thin_volume *open_volume(struct thin_pool *pool, uint32_t id, uint64_t bytes)
{
	struct thin_volume *v;

	must(thin_pool_open_volume(pool, id, bytes, true, &v, &err));
	return v;
}

static void commit(struct thin_pool *pool, const char *name)
{
	double started = now();

	must(thin_pool_commit(pool, 0, &err));
	if (name)
		print_value(name, now() - started);
}

/* With the commit, else most of it would only be in memory. */
static void write_all(struct thin_pool *pool, const uint8_t *chunk, const char *name)
{
	struct thin_volume *v = open_volume(pool, 1, VOLUME_BYTES);
	double started = now();

	for (uint64_t at = 0; at < VOLUME_BYTES; at += CHUNK)
		must(thin_volume_write(v, chunk, CHUNK, at, &err));
	thin_volume_close(v);
	must(thin_pool_commit(pool, 0, &err));
	print_value(name, WRITTEN_MIB / (now() - started));
}

static void make_snapshots(struct thin_pool *pool)
{
	double started = now();

	for (uint32_t i = 0; i < SNAPSHOTS; i++)
		must(thin_pool_create_snap(pool, 2 + i, 1, &err));
	print_value("create_snap", (now() - started) / SNAPSHOTS);
	commit(pool, "commit_snapshots");
}

static void overwrite(struct thin_pool *pool, const uint8_t *page, const char *name,
		      const char *commit_name)
{
	struct thin_volume *v = open_volume(pool, 2, VOLUME_BYTES);
	double started = now();

	srandom(1);
	for (int i = 0; i < OVERWRITES; i++)
		must(thin_volume_write(v, page, PAGE, random_page(VOLUME_BYTES), &err));
	thin_volume_close(v);
	commit(pool, commit_name);
	print_value(name, OVERWRITES / (now() - started));
}

/* One block more each time: data, mappings and both maps change. */
static void small_commits(struct thin_pool *pool, const uint8_t *page)
{
	struct thin_volume *v = open_volume(pool, 1, 2 * VOLUME_BYTES);
	double total = 0;

	for (unsigned i = 0; i < COMMITS; i++) {
		double started;

		must(thin_volume_write(v, page, PAGE, VOLUME_BYTES + i * BLOCK, &err));
		started = now();
		must(thin_pool_commit(pool, 0, &err));
		total += now() - started;
	}
	thin_volume_close(v);
	print_value("commit_small", total / COMMITS);
}

/* What df asks: of all devices together, and of each. */
static void count(struct thin_pool *pool)
{
	cleanup_free uint32_t *ids = xcalloc(SNAPSHOTS + 1, sizeof(*ids));
	double started = now();
	uint64_t blocks;

	for (uint32_t i = 0; i <= SNAPSHOTS; i++)
		ids[i] = 1 + i;
	must(thin_pool_mapped(pool, ids, SNAPSHOTS + 1, &blocks, &err));
	print_value("count_mapped", now() - started);
	started = now();
	for (uint32_t i = 0; i <= SNAPSHOTS; i++)
		must(thin_pool_exclusive(pool, &ids[i], 1, &blocks, &err));
	print_value("count_exclusive", (now() - started) / (SNAPSHOTS + 1));
}

static void basics(const char *dir)
{
	const struct thin_file_params params = {
		.data_bytes = 4 * VOLUME_BYTES,
		.metadata_bytes = 64 * MIB,
		.block_bytes = BLOCK,
	};
	cleanup_free uint8_t *chunk = xmalloc(CHUNK);
	cleanup_fd int plain = open_plain(dir);
	struct thin_pool *pool;

	memset(chunk, 0x5a, CHUNK);
	must(thin_file_create(dir, &params, &err));
	pool = open_pool(dir, THIN_FILE_WRITE);
	must(thin_pool_create_thin(pool, 1, &err));
	plain_write(plain, chunk, "plain_new");
	write_all(pool, chunk, "write_new");
	plain_write(plain, chunk, "plain_in_place");
	write_all(pool, chunk, "write_in_place");
	small_commits(pool, chunk);
	plain_syncs(plain, chunk);
	make_snapshots(pool);
	overwrite(pool, chunk, "overwrite_shared", "commit_copied");
	plain_pages(plain, chunk, any_page, "plain_shared");
	overwrite(pool, chunk, "overwrite_private", NULL);
	plain_pages(plain, chunk, page_of_block, "plain_private");
	count(pool);
	thin_pool_close(pool);
}

/* ---- the large pool: thin 1 is full, all of it a hole in the data file ---- */

/* Nothing of a file in the page cache. What is not on disk yet stays there. */
static void forget_metadata(const char *dir)
{
	cleanup_free char *path = xasprintf("%s/meta", dir);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd < 0 || fdatasync(fd) < 0);
	must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
}

static uint64_t mapped_bytes(struct thin_pool *pool)
{
	struct thin_device device;

	must(thin_pool_device(pool, 1, &device, &err));
	return device.mapped_blocks * BLOCK;
}

static void scatter(struct thin_pool *pool, uint32_t id, unsigned n)
{
	struct thin_volume *v = open_volume(pool, id, LARGE_BYTES);
	uint64_t bytes = mapped_bytes(pool);
	uint8_t page[PAGE];

	memset(page, 0xc3, sizeof(page));
	srandom(id);
	for (unsigned i = 0; i < n; i++)
		must(thin_volume_write(v, page, PAGE, random_page(bytes), &err));
	thin_volume_close(v);
}

static void prepare(const char *dir)
{
	struct thin_pool *pool;
	double started;

	forget_metadata(dir);
	started = now();
	pool = open_pool(dir, THIN_FILE_WRITE);
	print_value("open_restored", now() - started);
	must(thin_pool_create_snap(pool, 2, 1, &err));
	scatter(pool, 2, FEW_CHANGES);
	must(thin_pool_create_snap(pool, 3, 1, &err));
	scatter(pool, 3, MANY_CHANGES);
	must(thin_pool_create_snap(pool, 4, 1, &err));
	commit(pool, NULL);
	thin_pool_close(pool);
}

static struct thin_pool *timed_open(const char *dir, enum thin_file_mode mode, const char *name)
{
	struct thin_pool *pool;
	double started;

	forget_metadata(dir);
	started = now();
	pool = open_pool(dir, mode);
	if (name)
		print_value(name, now() - started);
	return pool;
}

/* What the program itself takes. */
static void nothing(const char *dir)
{
	(void)dir;
}

static void open_read(const char *dir)
{
	thin_pool_close(timed_open(dir, THIN_FILE_READ, "open_read"));
}

static void open_write(const char *dir)
{
	thin_pool_close(timed_open(dir, THIN_FILE_WRITE, "open_write"));
}

static void check(const char *dir)
{
	struct thin_findings findings = {0};
	double started;

	forget_metadata(dir);
	started = now();
	must(thin_file_check(dir, 0, &findings, &err));
	print_value("check", now() - started);
	if (findings.total)
		fprintf(stderr, "thin_bench: %llu findings\n", (unsigned long long)findings.total);
	thin_findings_release(&findings);
}

static void diff_with(const char *dir, uint32_t id, const char *name, const char *reads_name)
{
	struct thin_pool *pool = timed_open(dir, THIN_FILE_READ, NULL);
	struct thin_diff_range *ranges;
	double started = now();
	size_t n;

	must(thin_pool_diff(pool, 1, id, &ranges, &n, &err));
	print_value(name, now() - started);
	print_value(reads_name, (double)tf_pool_metadata_reads(pool));
	free(ranges);
	thin_pool_close(pool);
}

static void diff(const char *dir)
{
	diff_with(dir, 2, "diff_few", "diff_few_reads");
	diff_with(dir, 3, "diff_many", "diff_many_reads");
}

static void write_scattered(const char *dir)
{
	struct thin_pool *pool = timed_open(dir, THIN_FILE_WRITE, NULL);
	double started = now();

	scatter(pool, 4, MANY_CHANGES);
	print_value("large_write", MANY_CHANGES / (now() - started));
	commit(pool, "large_commit");
	thin_pool_close(pool);
}

static void discard(const char *dir)
{
	struct thin_pool *pool = timed_open(dir, THIN_FILE_WRITE, NULL);
	struct thin_volume *v = open_volume(pool, 1, LARGE_BYTES);
	uint64_t len = (uint64_t)DISCARD_GIB << 30;
	double started = now();

	must(thin_volume_discard(v, mapped_bytes(pool) / 2, len, &err));
	print_value("discard", now() - started);
	thin_volume_close(v);
	commit(pool, "discard_commit");
	thin_pool_close(pool);
}

/* All that map the same blocks, so that these become free. */
static void delete (const char *dir)
{
	struct thin_pool *pool = timed_open(dir, THIN_FILE_WRITE, NULL);
	double started = now();

	for (uint32_t id = 1; id <= 4; id++)
		must(thin_pool_delete(pool, id, &err));
	print_value("delete", now() - started);
	commit(pool, "delete_commit");
	thin_pool_close(pool);
}

/* ---- which ---- */

/* The largest this process has been, in MiB; what it was started from does not count. */
static void print_peak(const char *what)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	printf("peak_%s %.3f\n", what, (double)kib / 1024);
}

static const struct {
	const char *name;
	void (*run)(const char *dir);
} verbs[] = {
	{"nothing", nothing},	  {"basics", basics},	      {"prepare", prepare},
	{"open-read", open_read}, {"open-write", open_write}, {"check", check},
	{"diff", diff},		  {"write", write_scattered}, {"discard", discard},
	{"delete", delete},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0) {
			verbs[i].run(argv[2]);
			print_peak(argv[1]);
			return 0;
		}
	fprintf(stderr, "usage: thin_bench WHAT FOLDER\n");
	return 2;
}
