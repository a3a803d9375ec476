/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers while somebody commits without a pause: each look takes longer than it is until the next
 * commit, and still all of them end, with what some one state of the pool says.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/pool.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"
#include "tests/support/thin_tools.h"

enum { MAPPINGS = 200000, METADATA_BYTES = 32 << 20, LOOKS = 10, SECOND = 2, LAST = 40 };

static char *folder;
static struct error err;

/* One device with many mappings, so that to count them takes a while. */
static int make_pool(void **state)
{
	cleanup_free char *xml = NULL, *meta = NULL, *data = NULL, *text = NULL;
	int fd;

	(void)state;
	folder = thin_tools_folder();
	xml = xasprintf("%s/xml", folder);
	meta = xasprintf("%s/meta", folder);
	data = xasprintf("%s/data", folder);
	text = xasprintf(
		"<superblock uuid=\"\" time=\"0\" transaction=\"1\" version=\"2\" data_block_size=\"128\" "
		"nr_data_blocks=\"%d\">\n<device dev_id=\"1\" mapped_blocks=\"%d\" "
		"transaction=\"0\" creation_time=\"0\" snap_time=\"0\">\n"
		"<range_mapping origin_begin=\"0\" data_begin=\"0\" length=\"%d\" time=\"0\"/>\n"
		"</device></superblock>\n",
		MAPPINGS, MAPPINGS, MAPPINGS);
	scratch_write(xml, text);
	if (!thin_tools_restore(xml, meta, METADATA_BYTES))
		return -1;
	unlink(xml);
	fd = open(data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)MAPPINGS * 65536) < 0)
		return -1;
	return close(fd);
}

static int remove_pool(void **state)
{
	(void)state;
	thin_tools_remove(&folder);
	return 0;
}

/* Make a device and remove it, in a session of its own as commands do. */
static int change(uint32_t id, struct error *why)
{
	struct thin_file_open how = {.mode = THIN_FILE_WRITE,
				     .verb = "test",
				     .lock_timeout_ms = 60000};
	cleanup(thin_pool_close_ptr) struct thin_pool *pool = NULL;
	struct thin_pool_status st;

	if (thin_file_open(folder, &how, &pool, why) < 0 || thin_pool_status(pool, &st, why) < 0
	    || thin_pool_create_thin(pool, id, why) < 0
	    || thin_pool_commit(pool, st.transaction_id + 1, why) < 0
	    || thin_pool_delete(pool, id, why) < 0)
		return -1;
	return thin_pool_commit(pool, st.transaction_id + 2, why);
}

static pid_t start_writer(void)
{
	pid_t pid = fork();
	uint32_t n = 0;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (change(SECOND + n++ % (LAST - SECOND), &err) == 0)
		;
	fprintf(stderr, "the writer: %s\n", err.cause);
	_exit(1);
}

static uint64_t transaction(struct thin_pool *pool)
{
	struct thin_pool_status st;

	assert_ok(thin_pool_status(pool, &st, &err), &err);
	return st.transaction_id;
}

static void look(struct thin_pool *pool)
{
	static const uint32_t ids[] = {1};
	cleanup_free struct thin_device *devices = NULL;
	uint64_t blocks;
	size_t n;

	assert_ok(thin_pool_mapped(pool, ids, 1, &blocks, &err), &err);
	assert_int_equal(blocks, MAPPINGS);
	assert_ok(thin_pool_exclusive(pool, ids, 1, &blocks, &err), &err);
	assert_int_equal(blocks, MAPPINGS);
	assert_ok(thin_pool_devices(pool, &devices, &n, &err), &err);
	assert_in_range(n, 1, 2);
	assert_int_equal(devices[0].mapped_blocks, MAPPINGS);
}

static void looks_that_take_longer_than_writers_leave_them_end(void **state)
{
	struct thin_file_open how = {.mode = THIN_FILE_READ, .verb = "test"};
	struct thin_pool *pool;
	uint64_t first;
	pid_t writer;

	(void)state;
	assert_ok(thin_file_open(folder, &how, &pool, &err), &err);
	first = transaction(pool);
	writer = start_writer();
	assert_true(writer >= 0);
	while (transaction(pool) < first + 4)
		;
	for (int i = 0; i < LOOKS; i++)
		look(pool);
	/* it was at work all the while */
	assert_true(transaction(pool) > first + LOOKS);
	assert_int_equal(waitpid(writer, NULL, WNOHANG), 0);
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
	thin_pool_close(pool);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(looks_that_take_longer_than_writers_leave_them_end,
						make_pool, remove_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
