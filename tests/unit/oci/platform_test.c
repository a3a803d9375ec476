/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: spellings and preference, rule B14. */
#include "oci/platform.h"

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"

static struct oci_platform platform(const char *text)
{
	struct oci_platform p;
	struct error err = {0};

	assert_ok(oci_platform_parse(text, &p, &err), &err);
	return p;
}

static void b14_spellings_are_made_one(void **state)
{
	static const char *const cases[][2] = {
		{"linux/amd64", "linux/amd64"},
		{"linux/x86_64", "linux/amd64"},
		{"Linux/X86-64", "linux/amd64"},
		{"linux/amd64/v1", "linux/amd64"},
		{"linux/amd64/v3", "linux/amd64/v3"},
		{"linux/i386", "linux/386"},
		{"linux/i686", "linux/386"},
		{"linux/aarch64", "linux/arm64"},
		{"linux/arm64/v8", "linux/arm64"},
		{"linux/arm64/8", "linux/arm64"},
		{"linux/arm64/v8.0", "linux/arm64"},
		{"linux/arm64/v8.2", "linux/arm64/v8.2"},
		{"linux/arm64/v9.0", "linux/arm64/v9"},
		{"linux/armhf", "linux/arm/v7"},
		{"linux/armel", "linux/arm/v6"},
		{"linux/arm", "linux/arm/v7"},
		{"linux/arm/6", "linux/arm/v6"},
		{"linux/ppc64le", "linux/ppc64le"},
		{"linux/ppc64el", "linux/ppc64le"},
		{"linux/riscv64", "linux/riscv64"},
		{"amd64", "linux/amd64"},
		{"aarch64", "linux/arm64"},
		{"macos/arm64", "darwin/arm64"},
		{"windows/amd64", "windows/amd64"},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct oci_platform p = platform(cases[i][0]);

		assert_string_equal(oci_platform_format(&p, text, sizeof(text)), cases[i][1]);
	}
}

static void a_lone_system_has_the_architecture_of_the_host(void **state)
{
	struct oci_platform host, p = platform("freebsd");

	(void)state;
	oci_platform_host(&host);
	assert_string_equal(host.os, "linux");
	assert_true(host.architecture[0]);
	assert_string_equal(p.os, "freebsd");
	assert_string_equal(p.architecture, host.architecture);
}

static void what_is_no_platform_is_a_usage_error(void **state)
{
	static const char *const bad[] = {
		"",	  "/",		 "linux/",
		"/amd64", "linux//v8",	 "linux/arm64/v8/x",
		"a b",	  "linux/am\nd", "linux/0123456789012345678901234567890123456789"};
	struct oci_platform p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error err = {0};

		assert_int_equal(oci_platform_parse(bad[i], &p, &err), -1);
		assert_error(&err, ERR_USAGE, "not a platform");
	}
}

/* The images run on the wanted platform, each less well than the one before. */
static void prefers(const char *wanted, const char *const *images, size_t n)
{
	struct oci_platform want = platform(wanted);
	int before = 1 << 30;

	for (size_t i = 0; i < n; i++) {
		struct oci_platform have = platform(images[i]);
		int score = oci_platform_match(&want, &have);

		if (score <= 0 || score >= before)
			fail_msg("%s on %s: %d after %d", images[i], wanted, score, before);
		before = score;
	}
}

static void never(const char *wanted, const char *image)
{
	struct oci_platform want = platform(wanted), have = platform(image);

	if (oci_platform_match(&want, &have) != 0)
		fail_msg("%s is taken for %s", image, wanted);
}

#define PREFERS(wanted, ...)                                \
	prefers(wanted, (const char *const[]){__VA_ARGS__}, \
		ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static void b14_lower_variants_run_on_higher_ones_best_first(void **state)
{
	(void)state;
	PREFERS("linux/amd64", "linux/amd64", "linux/386");
	PREFERS("linux/amd64/v3", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64/v1",
		"linux/386");
	PREFERS("linux/arm64", "linux/arm64/v8", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6",
		"linux/arm/v5");
	PREFERS("linux/arm64/v8.2", "linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64",
		"linux/arm/v7");
	PREFERS("linux/arm64/v9.1", "linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6",
		"linux/arm64/v8.5", "linux/arm64", "linux/arm/v8");
	PREFERS("linux/arm/v7", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5");
	PREFERS("linux/riscv64/rva22u64", "linux/riscv64/rva22u64", "linux/riscv64");
}

static void b14_higher_variants_and_other_machines_never_match(void **state)
{
	(void)state;
	never("linux/amd64", "linux/amd64/v2");
	never("linux/amd64/v2", "linux/amd64/v3");
	never("linux/386", "linux/amd64");
	never("linux/arm64", "linux/arm64/v8.1");
	never("linux/arm64", "linux/arm64/v9");
	never("linux/arm64/v9", "linux/arm64/v8.6");
	never("linux/arm64", "linux/arm/v9");
	never("linux/arm64", "linux/amd64");
	never("linux/arm/v6", "linux/arm/v7");
	never("linux/arm/v6", "linux/arm");
	never("linux/arm/v7", "linux/arm64");
	never("linux/amd64", "windows/amd64");
	never("linux/amd64", "linux/s390x");
	never("linux/riscv64", "linux/riscv64/rva22u64");
}

static void strange_variants_match_only_themselves(void **state)
{
	struct oci_platform want = platform("linux/arm64/vx"), have = platform("linux/arm64/vx");

	(void)state;
	assert_true(oci_platform_match(&want, &have) > 0);
	never("linux/arm64/vx", "linux/arm64");
	never("linux/arm64", "linux/arm64/vx");
	never("linux/arm64/v9", "linux/arm64/v8.99999999999");
	never("linux/amd64/v2", "linux/amd64/v1x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(b14_spellings_are_made_one),
		cmocka_unit_test(a_lone_system_has_the_architecture_of_the_host),
		cmocka_unit_test(what_is_no_platform_is_a_usage_error),
		cmocka_unit_test(b14_lower_variants_run_on_higher_ones_best_first),
		cmocka_unit_test(b14_higher_variants_and_other_machines_never_match),
		cmocka_unit_test(strange_variants_match_only_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
