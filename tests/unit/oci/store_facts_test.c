/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of a pool that the file engine has, of none, and of one that is out of reach. */
#include "oci/store_facts.h"

#include <stdlib.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

static struct store_fixture f;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	error_clear(&err);
	return 0;
}

static int end(void **state)
{
	(void)state;
	store_fixture_release(&f);
	return 0;
}

static void a_pool_in_files(void **state)
{
	cleanup(store_facts_release) struct store_facts facts = {0};
	cleanup_free char *data = xasprintf("%s/pools/default/data", f.root);
	cleanup_free char *meta = xasprintf("%s/pools/default/meta", f.root);

	(void)state;
	store_set_look(f.store, STORE_ONLY_LOOK);
	assert_ok(store_facts_load(f.store, &facts, &err), &err);
	assert_true(facts.has_status);
	assert_string_equal(facts.status.mode, "rw");
	assert_int_equal(facts.status.data_total_blocks, 4096);
	assert_false(facts.active);
	assert_false(facts.has_setup);
	assert_int_equal(facts.place.kind, THIN_PLACE_FILES);
	assert_string_equal(facts.data_file, data);
	assert_string_equal(facts.metadata_file, meta);
}

static void a_pool_that_cannot_be_read_says_why(void **state)
{
	cleanup(store_facts_release) struct store_facts facts = {0};
	cleanup_free char *meta = xasprintf("%s/pools/default/meta", f.root);

	(void)state;
	assert_ok(fdio_replace_file(meta, "no superblock", 13, &err), &err);
	assert_ok(store_facts_load(f.store, &facts, &err), &err);
	assert_false(facts.has_status);
	assert_int_equal(facts.reason.kind, ERR_INCONSISTENT);
}

/* Looking does not activate it; whoever may not activate anything is told the same. */
static void a_pool_on_devices_is_not_activated_to_look(void **state)
{
	cleanup(store_facts_release) struct store_facts facts = {0};
	struct thin_place place = {.kind = THIN_PLACE_DEVICE,
				   .uuid = {1, 2, 3},
				   .data_device = (char *)"/dev/nobodys",
				   .metadata_bytes = 2 << 20,
				   .data_start = 4 << 20,
				   .data_bytes = 64 << 20,
				   .block_bytes = 65536};

	(void)state;
	assert_ok(thin_place_store(store_pool_dir(f.store), &place, &err), &err);
	store_set_look(f.store, STORE_ONLY_LOOK);
	assert_ok(store_facts_load(f.store, &facts, &err), &err);
	assert_false(facts.has_status);
	assert_false(facts.active);
	assert_error(&facts.reason, ERR_UNSUPPORTED, "not active");
	assert_string_equal(facts.place.data_device, "/dev/nobodys");
	assert_null(facts.data_file);
}

static void no_pool_no_facts(void **state)
{
	struct store_options options = {.root = f.root,
					.pool = "other",
					.engine = THIN_ENGINE_FILE,
					.verb = "look"};
	cleanup(store_close_ptr) struct store *s = NULL;
	struct store_facts facts;

	(void)state;
	assert_ok(store_open(&options, &s, &err), &err);
	assert_int_equal(store_facts_load(s, &facts, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_pool_in_files),
		CASE(a_pool_that_cannot_be_read_says_why),
		CASE(a_pool_on_devices_is_not_activated_to_look),
		CASE(no_pool_no_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
