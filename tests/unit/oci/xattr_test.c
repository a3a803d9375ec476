/* SPDX-License-Identifier: Apache-2.0 */
/* Which xattrs of a layer are kept, by name space and type of file. */
#include "oci/xattr.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/log.h"
#include "tests/support/cmocka.h"

static unsigned warnings;

static void count_warning(enum log_level level, const char *text)
{
	assert_non_null(strstr(text, "usr/bin/x"));
	warnings += level == LOG_LEVEL_WARNING;
}

static const uint8_t capability[20] = {1, 0, 0, 2};
static const uint8_t with_root[24] = {0, 0, 0, 3};
static const uint8_t first[12] = {1, 0, 0, 1};
static const uint8_t flagged[20] = {2, 0, 0, 2};
/* version 2; user::rwx, group::r-x, other::r-x */
static const uint8_t acl[] = {2, 0, 0,	 0,   1,   0,	7,    0, 255, 255, 255, 255, 4,	  0,
			      5, 0, 255, 255, 255, 255, 0x20, 0, 5,   0,   255, 255, 255, 255};

/* How many of one xattr are kept: 0 or 1, or -1 for an error. */
static int kept(enum tar_type type, const char *name, const void *value, size_t len)
{
	cleanup(xattr_list_release) struct xattr_list list = {0};
	struct tar_xattr x = {.name = name, .value = value, .value_len = len};
	struct tar_entry e = {.type = type, .path = "usr/bin/x", .xattrs = &x, .n_xattrs = 1};
	struct error err = {0};

	warnings = 0;
	if (xattr_select(&e, &list, &err) < 0) {
		assert_non_null(strstr(err.cause, name));
		return -1;
	}
	if (list.n)
		assert_string_equal(list.items[0].name, name);
	return (int)list.n;
}

static void a63_user_is_kept_on_files_and_folders_only(void **state)
{
	(void)state;
	assert_int_equal(kept(TAR_REGULAR, "user.a", "v", 1), 1);
	assert_int_equal(kept(TAR_DIRECTORY, "user.a", "", 0), 1);
	assert_int_equal(warnings, 0);
	assert_int_equal(kept(TAR_SYMLINK, "user.a", "v", 1), 0);
	assert_int_equal(warnings, 1);
	assert_int_equal(kept(TAR_REGULAR, "user.", "v", 1), 0);
}

static void a63_a_capability_is_kept_or_an_error(void **state)
{
	(void)state;
	assert_int_equal(kept(TAR_REGULAR, "security.capability", capability, 20), 1);
	assert_int_equal(kept(TAR_REGULAR, "security.capability", capability, 3), -1);
	assert_int_equal(kept(TAR_REGULAR, "security.capability", with_root, 24), 1);
	/* a revision of another length, revision 1, a flag that there is not */
	assert_int_equal(kept(TAR_REGULAR, "security.capability", capability, 12), -1);
	assert_int_equal(kept(TAR_REGULAR, "security.capability", with_root, 20), -1);
	assert_int_equal(kept(TAR_REGULAR, "security.capability", first, 12), -1);
	assert_int_equal(kept(TAR_REGULAR, "security.capability", flagged, 20), -1);
}

static void a63_labels_of_the_host_go_silently_the_rest_with_a_warning(void **state)
{
	static const char *const loud[] = {"trusted.x", "security.evm", "system.nfs4_acl",
					   "nonsense", "os2.x"};

	(void)state;
	assert_int_equal(kept(TAR_REGULAR, "security.selinux", "l", 1), 0);
	assert_int_equal(warnings, 0);
	for (size_t i = 0; i < ARRAY_SIZE(loud); i++) {
		assert_int_equal(kept(TAR_REGULAR, loud[i], "v", 1), 0);
		assert_int_equal(warnings, 1);
	}
}

static void a56_xattrs_of_overlay_are_never_interpreted_nor_kept(void **state)
{
	(void)state;
	assert_int_equal(kept(TAR_DIRECTORY, "trusted.overlay.opaque", "y", 1), 0);
	assert_int_equal(warnings, 1);
	assert_int_equal(kept(TAR_DIRECTORY, "user.overlay.opaque", "y", 1), 0);
	assert_int_equal(warnings, 1);
}

static void a63_an_acl_must_be_one(void **state)
{
	(void)state;
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_access", acl, sizeof(acl)), 1);
	assert_int_equal(kept(TAR_DIRECTORY, "system.posix_acl_default", acl, sizeof(acl)), 1);
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_default", acl, sizeof(acl)), 0);
	assert_int_equal(kept(TAR_SYMLINK, "system.posix_acl_access", acl, sizeof(acl)), 0);
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_access", acl, 11), 0);
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_access", "\1\0\0\0aaaaaaaa", 12), 0);
}

/* It once got through here, and failed the whole layer further down. */
static void a63_an_acl_the_kernel_would_refuse_is_dropped(void **state)
{
	static const uint8_t nobody[] = {2,   0,   0,	0,   1,	  0,   7,   0,	 255, 255, 255,
					 255, 2,   0,	7,   0,	  255, 255, 255, 255, 4,   0,
					 5,   0,   255, 255, 255, 255, 16,  0,	 7,   0,   255,
					 255, 255, 255, 32,  0,	  5,   0,   255, 255, 255, 255};
	uint8_t changed[sizeof(acl)];

	(void)state;
	memcpy(changed, acl, sizeof(acl));
	memcpy(changed + 4, acl + 12, 8); /* out of order */
	memcpy(changed + 12, acl + 4, 8);
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_access", changed, sizeof(acl)), 0);
	assert_int_equal(warnings, 1);
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_access", acl, 20), 0); /* no others */
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_access", acl, 4), 0);
	assert_int_equal(kept(TAR_REGULAR, "system.posix_acl_access", nobody, sizeof(nobody)), 0);
	assert_int_equal(warnings, 1);
}

static void a63_a_value_too_large_is_an_error_naming_it(void **state)
{
	static const uint8_t large[65537];

	(void)state;
	assert_int_equal(kept(TAR_REGULAR, "user.large", large, 65536), 1);
	assert_int_equal(kept(TAR_REGULAR, "user.large", large, 65537), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a63_user_is_kept_on_files_and_folders_only),
		cmocka_unit_test(a63_a_capability_is_kept_or_an_error),
		cmocka_unit_test(a63_labels_of_the_host_go_silently_the_rest_with_a_warning),
		cmocka_unit_test(a56_xattrs_of_overlay_are_never_interpreted_nor_kept),
		cmocka_unit_test(a63_an_acl_must_be_one),
		cmocka_unit_test(a63_an_acl_the_kernel_would_refuse_is_dropped),
		cmocka_unit_test(a63_a_value_too_large_is_an_error_naming_it),
	};

	log_set_sink(count_warning, LOG_LEVEL_WARNING);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
