/* SPDX-License-Identifier: Apache-2.0 */
/* Memory or an end: copies, arrays that grow, sizes that are too much. */
#include "pkg/base/alloc.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

static void copies_are_copies(void **state)
{
	char text[] = "text";
	char *a = xstrdup(text), *b = xstrndup(text, 2), *c = xasprintf("%s%d", text, 5);
	void *d = xmemdup(text, 3), *e = xmemdup(NULL, 0);

	(void)state;
	text[0] = 'n';
	assert_string_equal(a, "text");
	assert_string_equal(b, "te");
	assert_string_equal(c, "text5");
	assert_memory_equal(d, "tex", 3);
	assert_non_null(e);
	free(a);
	free(b);
	free(c);
	free(d);
	free(e);
}

static void aligned_memory_is_aligned(void **state)
{
	(void)state;
	for (size_t alignment = 512; alignment <= 65536; alignment *= 2) {
		void *p = xaligned(alignment, 4096);

		assert_int_equal((uintptr_t)p % alignment, 0);
		free(p);
	}
}

static void arrays_grow_at_least_to_the_need(void **state)
{
	int *array = NULL;
	size_t room = 0;

	(void)state;
	for (size_t n = 1; n < 1000; n += 7) {
		size_t before = room;

		ALLOC_GROW(array, n, room);
		assert_true(room >= n && (room == before || room >= 2 * before));
		array[n - 1] = (int)n;
	}
	free(array);
}

static void nothing_is_a_size_too(void **state)
{
	void *p = xrealloc(xcalloc(3, 7), 0, 5), *q = xcalloc(0, 8);

	(void)state;
	free(p);
	free(q);
	free(xmalloc(0));
}

static void new_memory_is_zero(void **state)
{
	static const uint8_t zeros[1000];
	uint8_t *p = xcalloc(10, 100);

	(void)state;
	assert_memory_equal(p, zeros, sizeof(zeros));
	free(p);
}

/* In a child: it must not come back from there. */
static void assert_ends(void (*what)(void))
{
	const struct rlimit no_core = {0};
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		close(STDERR_FILENO);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(status, 0);
}

/* Not for the compiler's eyes. */
static volatile size_t huge = SIZE_MAX / 2 + 2;

static void array_too_large(void)
{
	void *p = xrealloc(NULL, huge, 2); /* wraps around to 4 */

	_exit(p ? 0 : 1);
}

static void zeros_too_large(void)
{
	void *p = xcalloc(huge, 2);

	_exit(p ? 0 : 1);
}

static void text_too_large(void)
{
	void *p = xmalloc(huge);

	_exit(p ? 0 : 1);
}

static void a_size_that_wraps_around_is_never_given(void **state)
{
	(void)state;
	assert_ends(array_too_large);
	assert_ends(zeros_too_large);
	assert_ends(text_too_large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_are_copies),
		cmocka_unit_test(aligned_memory_is_aligned),
		cmocka_unit_test(arrays_grow_at_least_to_the_need),
		cmocka_unit_test(nothing_is_a_size_too),
		cmocka_unit_test(new_memory_is_zero),
		cmocka_unit_test(a_size_that_wraps_around_is_never_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
