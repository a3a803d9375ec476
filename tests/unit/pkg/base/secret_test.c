/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: gone from memory when they are released, and no core dump while they are held. */
#include "pkg/base/secret.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/memory_search.h"

static rlim_t core_limit(void)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_CORE, &r), 0);
	return r.rlim_cur;
}

static void texts_are_joined(void **state)
{
	cleanup_secret char *a = secret_join("Bearer ", "abc"), *b = secret_join("", "");
	cleanup_secret char *none = NULL;

	(void)state;
	assert_string_equal(a, "Bearer abc");
	assert_string_equal(b, "");
	assert_null(none);
}

enum { LEN = 40 };

static void a_text_is_overwritten(void **state)
{
	char *text = memory_secret(1, LEN);

	(void)state;
	assert_int_equal(memory_search(1, LEN), 1);
	secret_free(text);
	assert_int_equal(memory_search(1, LEN), 0);
}

static void so_is_a_joined_one(void **state)
{
	char *text = memory_secret(2, LEN), *joined = secret_join("Bearer ", text);

	(void)state;
	assert_int_equal(memory_search(2, LEN), 2);
	secret_free(text);
	secret_free(joined);
	assert_int_equal(memory_search(2, LEN), 0);
}

static void so_is_a_buffer_beyond_its_length(void **state)
{
	char *text = memory_secret(3, LEN);
	struct buffer b = {0};

	(void)state;
	buffer_reserve(&b, LEN);
	buffer_add(&b, text, LEN);
	b.len = 0;
	secret_free(text);
	assert_int_equal(memory_search(3, LEN), 1);
	secret_buffer_release(&b);
	assert_null(b.data);
	assert_int_equal(memory_search(3, LEN), 0);
	secret_buffer_release(&b); /* an empty one is fine */
}

static void so_are_blocks_that_move(void **state)
{
	char *text = memory_secret(4, LEN), *block;

	(void)state;
	block = secret_realloc_block(NULL, LEN);
	assert_non_null(block);
	memcpy(block, text, LEN);
	secret_free(text);
	for (size_t size = LEN; size < 1 << 20; size *= 2) {
		block = secret_realloc_block(block, size);
		assert_non_null(block);
		assert_int_equal(memory_search(4, LEN), 1);
	}
	secret_free_block(block);
	secret_free_block(NULL);
	assert_int_equal(memory_search(4, LEN), 0);
}

static void no_dumps_from_the_first_holder_to_the_last(void **state)
{
	rlim_t before = core_limit();

	(void)state;
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	secret_hold();
	{
		cleanup_held bool held = secret_held();

		assert_true(held);
		assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
		assert_int_equal(core_limit(), 0);
	}
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	assert_int_equal(core_limit(), 0);
	secret_let_go();
	assert_int_equal(prctl(PR_GET_DUMPABLE), 1);
	assert_int_equal(core_limit(), before);
}

/* What was forbidden by others stays so. */
static void a_process_that_was_not_dumpable_is_not_made_so(void **state)
{
	(void)state;
	prctl(PR_SET_DUMPABLE, 0);
	secret_hold();
	secret_let_go();
	assert_int_equal(prctl(PR_GET_DUMPABLE), 0);
	prctl(PR_SET_DUMPABLE, 1);
}

/* The status of a process that is killed says whether the kernel dumped it, wherever to. */
static bool dumps_core(bool with_secret)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (setrlimit(RLIMIT_CORE, &all) < 0)
			_exit(77);
		if (with_secret)
			secret_hold();
		signal(SIGQUIT, SIG_DFL);
		raise(SIGQUIT);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		skip();
	return WCOREDUMP(status);
}

static void a_holder_that_is_killed_leaves_no_dump(void **state)
{
	char folder[] = "/tmp/secret_test.XXXXXX";
	cleanup_free char *away = NULL;
	bool with, without;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	without = dumps_core(false);
	with = dumps_core(true);
	away = xasprintf("rm -rf %s", folder);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(system(away), 0);
	if (!without)
		skip(); /* nothing dumps core on this machine */
	assert_false(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_joined),
		cmocka_unit_test(a_text_is_overwritten),
		cmocka_unit_test(so_is_a_joined_one),
		cmocka_unit_test(so_is_a_buffer_beyond_its_length),
		cmocka_unit_test(so_are_blocks_that_move),
		cmocka_unit_test(no_dumps_from_the_first_holder_to_the_last),
		cmocka_unit_test(a_process_that_was_not_dumpable_is_not_made_so),
		cmocka_unit_test(a_holder_that_is_killed_leaves_no_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
