/* SPDX-License-Identifier: Apache-2.0 */
/* Whether we may have the kernel engine: the reason and the error say the same. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/thin/kernel/engine.h"
#include "tests/support/cmocka.h"
#include "tests/support/lab.h"

static struct error err;

static void reason_and_error_agree(void **state)
{
	const char *reason = thin_kernel_obstacle();

	(void)state;
	if (!reason) {
		assert_ok(thin_kernel_check(&err), &err);
		return;
	}
	assert_int_equal(thin_kernel_check(&err), -1);
	assert_error(&err, ERR_UNSUPPORTED, reason);
	assert_non_null(strchr(err.cause, '(')); /* and what would help */
}

static void lab_has_all_of_it(void **state)
{
	(void)state;
	lab_need("thin-pool");
	assert_null(thin_kernel_obstacle());
}

/* In a child, since there is no way back. */
static const char *reason_without_root(void)
{
	static char reason[128];
	int ends[2];
	ssize_t len;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const char *text = setuid(65534) == 0 ? thin_kernel_obstacle() : "no setuid";

		_exit(write(ends[1], text ? text : "none", text ? strlen(text) : 4) < 0);
	}
	close(ends[1]);
	len = read(ends[0], reason, sizeof(reason) - 1);
	close(ends[0]);
	reason[len > 0 ? len : 0] = '\0';
	assert_int_equal(waitpid(child, NULL, 0), child);
	return reason;
}

static void user_is_told_that_it_takes_root(void **state)
{
	(void)state;
	lab_need("thin-pool");
	assert_string_equal(reason_without_root(), "not root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reason_and_error_agree),
		cmocka_unit_test(lab_has_all_of_it),
		cmocka_unit_test(user_is_told_that_it_takes_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
