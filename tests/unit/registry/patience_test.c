/* SPDX-License-Identifier: Apache-2.0 */
/* Rule C11: waits that grow and differ, rests that are for everybody and told once. */
#include "registry/patience.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pkg/base/alloc.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "tests/support/cmocka.h"

static char said[1024];
static unsigned n_said;

static void hear(enum log_level level, const char *text)
{
	if (level != LOG_LEVEL_WARNING)
		return;
	n_said++;
	snprintf(said, sizeof(said), "%s", text);
}

static struct patience p;

static int start(void **state)
{
	(void)state;
	n_said = 0;
	log_set_sink(hear, LOG_LEVEL_WARNING);
	patience_init(&p, "registry.test", 20);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	patience_release(&p);
	log_set_sink(NULL, LOG_LEVEL_WARNING);
	return 0;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long waited(unsigned attempt, unsigned retry_after_s)
{
	struct error err = {0};
	long before = now_ms();

	error_set(&err, ERR_NETWORK, "429 too many requests");
	assert_ok(patience_wait(&p, attempt, retry_after_s, &err), &err);
	assert_string_equal(err.cause, "429 too many requests");
	return now_ms() - before;
}

static long rested(void)
{
	struct error err = {0};
	long before = now_ms();

	assert_ok(patience_rest(&p, &err), &err);
	return now_ms() - before;
}

static void c11_waits_grow_twofold(void **state)
{
	(void)state;
	assert_true(waited(0, 0) >= 19);
	assert_true(waited(3, 0) >= 159);
	assert_int_equal(n_said, 0);
	assert_true(p.rest_until_ms == 0);
}

static void c11_a_rest_is_for_everybody(void **state)
{
	(void)state;
	p.rest_until_ms = (uint64_t)now_ms() + 300;
	assert_true(rested() >= 299);
	assert_true(waited(0, 1) >= 999);
	p.rest_until_ms = 0;
	(void)rested();
}

static void *ask(void *arg)
{
	(void)arg;
	(void)waited(0, 3);
	return NULL;
}

static void c11_a_rest_is_told_once(void **state)
{
	pthread_t others[3];
	long before = now_ms();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(pthread_create(&others[i], NULL, ask, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		pthread_join(others[i], NULL);
	assert_true(now_ms() - before >= 2999);
	assert_int_equal(n_said, 1);
	assert_non_null(
		strstr(said, "registry.test asks for a rest of 3 s (429 too many requests)"));
}

static void c11_nobody_rests_for_more_than_a_minute(void **state)
{
	struct error err = {0};
	uint64_t before = (uint64_t)now_ms();

	(void)state;
	error_set(&err, ERR_NETWORK, "503");
	interrupt_install();
	raise(SIGINT);
	assert_int_equal(patience_wait(&p, 0, 1000000, &err), -1);
	assert_int_equal(err.kind, ERR_INTERRUPTED);
	assert_true(p.rest_until_ms >= before + 60000);
	assert_true(p.rest_until_ms <= (uint64_t)now_ms() + 60000);
	assert_non_null(strstr(said, "a rest of 60 s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(c11_waits_grow_twofold, start, stop),
		cmocka_unit_test_setup_teardown(c11_a_rest_is_for_everybody, start, stop),
		cmocka_unit_test_setup_teardown(c11_a_rest_is_told_once, start, stop),
		cmocka_unit_test_setup_teardown(c11_nobody_rests_for_more_than_a_minute, start,
						stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
