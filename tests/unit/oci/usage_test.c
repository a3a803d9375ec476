/* SPDX-License-Identifier: Apache-2.0 */
/* Whose the blocks are: both sums of oci/usage.h, and numbers that a hand can count. */
#include "oci/usage.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/store_fixture.h"

#define BLOCK ((uint64_t)STORE_FIXTURE_BLOCK)

static struct store_fixture f;
static struct usage u;
static struct error err;

static int begin(void **state)
{
	(void)state;
	store_fixture_init(&f);
	u = (struct usage){0};
	return 0;
}

static int end(void **state)
{
	(void)state;
	usage_release(&u);
	store_fixture_release(&f);
	return 0;
}

static void measure(void)
{
	uint64_t used;

	usage_release(&u);
	assert_ok(usage_measure(f.store, &u, &err), &err);
	used = store_fixture_used(&f);
	assert_int_equal(u.pool.data_used_blocks * BLOCK, used);
	assert_int_equal(u.image_sum.exclusive_bytes + u.container_sum.exclusive_bytes
				 + u.other_sum.exclusive_bytes + u.system_sum.exclusive_bytes
				 + u.shared_bytes,
			 used);
	assert_int_equal(u.image_sum.bytes + u.container_sum.bytes + u.other_sum.bytes
				 + u.system_sum.bytes,
			 used);
	assert_true(u.shared_bytes <= used);
}

static const struct usage_image *image(const char *ref)
{
	for (size_t i = 0; i < u.n_images; i++)
		if (strcmp(u.images[i].ref, ref) == 0)
			return &u.images[i];
	fail_msg("no image %s", ref);
	return NULL;
}

static const struct usage_container *container(const char *name)
{
	for (size_t i = 0; i < u.n_containers; i++)
		if (strcmp(u.containers[i].entry->name, name) == 0)
			return &u.containers[i];
	fail_msg("no container %s", name);
	return NULL;
}

static const struct usage_layer *layer(const char *letters)
{
	struct digest chain_id = store_fixture_chain_id(letters);

	for (size_t i = 0; i < u.n_layers; i++)
		if (digest_equal(&u.layers[i].chain_id, &chain_id))
			return &u.layers[i];
	fail_msg("no layer %s", letters);
	return NULL;
}

static void an_empty_pool_belongs_to_itself(void **state)
{
	(void)state;
	measure();
	assert_int_equal(u.n_images + u.n_layers + u.n_containers, 0);
	assert_int_equal(u.system_sum.bytes, store_fixture_used(&f));
	assert_int_equal(u.system_sum.exclusive_bytes, store_fixture_used(&f));
	assert_int_equal(u.shared_bytes, 0);
	assert_true(u.base_thin_id != 0);
	assert_in_range(u.base_mapped_bytes, 1, u.system_sum.bytes);
}

static void no_pool_is_not_found(void **state)
{
	struct store_options options = {.root = f.root,
					.pool = "none",
					.engine = THIN_ENGINE_FILE,
					.verb = "test"};
	cleanup(store_close_ptr) struct store *store = NULL;

	(void)state;
	assert_ok(store_open(&options, &store, &err), &err);
	assert_int_equal(usage_measure(store, &u, &err), -1);
	assert_error(&err, ERR_NOT_FOUND, "no pool none");
}

/* Each layer has a block of its own and one that the next one overwrites. */
static void layers_that_two_images_need_are_shared(void **state)
{
	uint64_t base;

	(void)state;
	measure();
	base = u.base_mapped_bytes;
	store_fixture_image(&f, "one", "abc", "");
	measure();
	assert_int_equal(image("one")->n_layers, 3);
	assert_int_equal(image("one")->exclusive_bytes, 6 * BLOCK);
	assert_int_equal(image("one")->mapped_bytes, base + 6 * BLOCK);
	assert_int_equal(u.shared_bytes, base);
	assert_int_equal(u.image_sum.bytes, 6 * BLOCK);
	assert_int_equal(u.image_sum.reclaimable_bytes, 6 * BLOCK);
	store_fixture_image(&f, "two", "abd", "");
	measure();
	assert_int_equal(image("one")->exclusive_bytes, 2 * BLOCK);
	assert_int_equal(image("two")->exclusive_bytes, 2 * BLOCK);
	assert_int_equal(image("two")->mapped_bytes, base + 6 * BLOCK);
	assert_int_equal(u.shared_bytes, base + 4 * BLOCK);
	assert_int_equal(u.image_sum.bytes, 8 * BLOCK);
	assert_int_equal(layer("a")->n_images, 2);
	assert_int_equal(layer("abd")->n_images, 1);
	assert_int_equal(layer("a")->exclusive_bytes, BLOCK); /* the overwritten one */
	assert_int_equal(layer("ab")->mapped_bytes, base + 3 * BLOCK);
	assert_int_equal(layer("abd")->exclusive_bytes, 2 * BLOCK);
}

static void a_second_reference_shares_everything(void **state)
{
	(void)state;
	store_fixture_image(&f, "one", "abc", "");
	assert_ok(store_tag_image(f.store, "one", "again", &err), &err);
	measure();
	assert_int_equal(image("one")->exclusive_bytes, 0);
	assert_int_equal(image("again")->exclusive_bytes, 0);
	assert_int_equal(u.image_sum.bytes, 6 * BLOCK);
	assert_int_equal(u.image_sum.reclaimable_bytes, 6 * BLOCK);
	assert_ok(store_remove_image(f.store, "one", &err), &err);
	measure();
	assert_int_equal(image("again")->exclusive_bytes, 6 * BLOCK);
}

static void a_container_has_what_it_wrote(void **state)
{
	uint64_t fresh;

	(void)state;
	store_fixture_image(&f, "one", "ab", "");
	store_fixture_image(&f, "two", "acd", "");
	store_fixture_container(&f, "one", "web");
	measure();
	fresh = container("web")->exclusive_bytes;
	assert_in_range(fresh, 1, 4 * BLOCK); /* its own superblock */
	assert_int_equal(u.container_sum.bytes, fresh);
	assert_int_equal(image("one")->n_containers, 1);
	assert_int_equal(u.image_sum.n, 2);
	assert_int_equal(u.image_sum.n_active, 1);
	/* Of "ab" only a's overwritten block is not the container's, and that "acd" needs too. */
	assert_int_equal(image("one")->exclusive_bytes, 0);
	assert_int_equal(u.image_sum.reclaimable_bytes, 4 * BLOCK);
	store_fixture_write(&f, "web", 400, 5);
	measure();
	assert_int_equal(container("web")->exclusive_bytes, fresh + 5 * BLOCK);
	assert_int_equal(u.container_sum.reclaimable_bytes, fresh + 5 * BLOCK);
	store_fixture_write(&f, "web", 300, 1); /* a block of the layer */
	measure();
	assert_int_equal(container("web")->exclusive_bytes, fresh + 6 * BLOCK);
	assert_int_equal(image("one")->exclusive_bytes, BLOCK);
}

/* It is the host's space then; what its thin device maps stays. */
static void a_container_that_left_the_pool_takes_space_outside(void **state)
{
	struct container *c;
	uint64_t before;

	(void)state;
	store_fixture_image(&f, "one", "ab", "");
	store_fixture_container(&f, "one", "web");
	store_fixture_container(&f, "one", "db");
	measure();
	before = container("web")->exclusive_bytes;
	assert_int_equal(u.host_bytes, 0);
	assert_int_equal(container("web")->status, CONTAINER_READY);
	assert_ok(container_open(f.store, "web", &c, &err), &err);
	assert_ok(container_check_out(c, &err), &err);
	container_close(c);
	measure();
	assert_int_equal(container("web")->status, CONTAINER_CHECKED_OUT);
	assert_false(container("web")->active);
	assert_int_equal(container("web")->exclusive_bytes, before);
	assert_in_range(container("web")->host_bytes, 1, 64 << 20);
	assert_int_equal(container("db")->host_bytes, 0);
	assert_int_equal(u.host_bytes, container("web")->host_bytes);
	assert_ok(container_open(f.store, "web", &c, &err), &err);
	assert_ok(container_set_running(c, &err), &err);
	measure();
	assert_true(container("web")->active);
	assert_int_equal(u.container_sum.n_active, 1);
	assert_int_equal(u.container_sum.reclaimable_bytes, container("db")->exclusive_bytes);
	container_close(c);
}

static void layers_of_no_image_are_others(void **state)
{
	(void)state;
	store_fixture_image(&f, "one", "ab", "");
	store_fixture_layers(&f, "acd");
	measure();
	assert_int_equal(u.other_sum.n, 2);
	assert_int_equal(u.other_sum.bytes, 4 * BLOCK);
	assert_int_equal(u.other_sum.exclusive_bytes, 4 * BLOCK);
	assert_int_equal(layer("acd")->n_images, 0);
	/* "a" stays below them when the image goes. */
	assert_int_equal(u.image_sum.reclaimable_bytes, 2 * BLOCK);
	assert_int_equal(image("one")->exclusive_bytes, 3 * BLOCK);
}

static void an_image_without_layers_is_the_base(void **state)
{
	(void)state;
	store_fixture_image(&f, "scratch", "", "");
	store_fixture_container(&f, "scratch", "box");
	measure();
	assert_int_equal(image("scratch")->mapped_bytes, 0);
	assert_int_equal(image("scratch")->exclusive_bytes, 0);
	assert_int_equal(image("scratch")->chain_id.algorithm, DIGEST_NONE);
	assert_int_equal(image("scratch")->n_containers, 1);
}

/* What is said to be reclaimable is what removing gives. */
static void reclaimable_is_what_removing_frees(void **state)
{
	uint64_t before, promised;

	(void)state;
	store_fixture_image(&f, "one", "abc", "");
	store_fixture_image(&f, "two", "abd", "");
	store_fixture_image(&f, "three", "efg", "");
	store_fixture_container(&f, "one", "web");
	store_fixture_write(&f, "web", 300, 40);
	measure();
	before = store_fixture_used(&f);
	promised = u.image_sum.reclaimable_bytes;
	assert_ok(store_remove_image(f.store, "two", &err), &err);
	assert_ok(store_remove_image(f.store, "three", &err), &err);
	assert_int_equal(before - store_fixture_used(&f), promised);
	measure();
	before = store_fixture_used(&f);
	promised = u.container_sum.reclaimable_bytes;
	assert_ok(store_remove_container(f.store, "web", false, &err), &err);
	assert_int_equal(before - store_fixture_used(&f), promised);
}

/* Containers come and go without a pause, each by a command of its own. */
static pid_t start_writer(void)
{
	static const struct store_container_options options = {.name = "busy"};
	struct store_options own = {.root = f.root,
				    .pool = "default",
				    .engine = THIN_ENGINE_FILE,
				    .verb = "test",
				    .lock_timeout_ms = 60000};
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		cleanup(store_close_ptr) struct store *store = NULL;
		cleanup_free char *name = NULL;

		if (store_open(&own, &store, &err) < 0
		    || store_create_container(store, "image", &options, &name, &err) < 0
		    || store_remove_container(store, name, false, &err) < 0)
			break;
	}
	fprintf(stderr, "the writer: %s\n", err.cause);
	_exit(1);
}

/* It takes longer to look at so many than it is until the next change. */
static void a_pool_that_changes_all_the_time_is_measured_at_one_moment(void **state)
{
	enum { CONTAINERS = 250, LOOKS = 6 };
	pid_t writer;

	(void)state;
	store_fixture_image(&f, "image", "abc", "");
	for (int i = 0; i < CONTAINERS; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		store_fixture_container(&f, "image", name);
	}
	writer = start_writer();
	assert_true(writer > 0);
	for (int i = 0; i < LOOKS; i++) {
		usage_release(&u);
		assert_ok(usage_measure(f.store, &u, &err), &err);
		assert_in_range(u.n_containers, CONTAINERS, CONTAINERS + 1);
		assert_int_equal(u.image_sum.bytes + u.container_sum.bytes + u.other_sum.bytes
					 + u.system_sum.bytes,
				 u.pool.data_used_blocks * BLOCK);
	}
	assert_int_equal(waitpid(writer, NULL, WNOHANG), 0);
	kill(writer, SIGKILL);
	assert_int_equal(waitpid(writer, NULL, 0), writer);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(an_empty_pool_belongs_to_itself),
		CASE(no_pool_is_not_found),
		CASE(layers_that_two_images_need_are_shared),
		CASE(a_second_reference_shares_everything),
		CASE(a_container_has_what_it_wrote),
		CASE(a_container_that_left_the_pool_takes_space_outside),
		CASE(layers_of_no_image_are_others),
		CASE(an_image_without_layers_is_the_base),
		CASE(reclaimable_is_what_removing_frees),
		cmocka_unit_test_setup_teardown(
			a_pool_that_changes_all_the_time_is_measured_at_one_moment, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
