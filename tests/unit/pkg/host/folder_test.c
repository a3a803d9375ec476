/* SPDX-License-Identifier: Apache-2.0 */
/* Removing folders: what goes, what stays, and what is said when it cannot go. */
#include "pkg/host/folder.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

static void fill(const char *path)
{
	char name[64];

	scratch_mkdir(path, 0755);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%s/file-%d", path, i);
		scratch_write(name, "text");
	}
}

static void a_tree_goes_and_its_neighbours_stay(void **state)
{
	struct error err = {0};

	(void)state;
	fill("t");
	fill("t/a");
	fill("t/b");
	fill("t/b/c");
	scratch_mkdir("t/empty", 0755);
	assert_int_equal(mkfifo("t/b/fifo", 0600), 0);
	fill("neighbour");
	assert_ok(folder_remove("t", &err), &err);
	assert_false(scratch_exists("t"));
	assert_true(scratch_exists("neighbour/file-299"));
}

static void every_way_to_write_the_path_is_understood(void **state)
{
	cleanup_free char *absolute = xasprintf("%s/d", (char *)*state);
	const char *const forms[] = {"d", "./d", "d/", "d//", absolute, "up/../d", "link/d"};
	struct error err = {0};

	scratch_mkdir("up", 0755);
	assert_int_equal(symlink(".", "link"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		fill("d");
		assert_ok(folder_remove(forms[i], &err), &err);
		assert_false(scratch_exists("d"));
	}
}

static void one_that_is_not_there_is_fine(void **state)
{
	struct error err = {0};

	(void)state;
	assert_ok(folder_remove("nothing", &err), &err);
	assert_ok(folder_remove("no/such/parent", &err), &err);
}

static void what_is_not_a_folder_stays(void **state)
{
	static const char *const dots[] = {"", ".", "..", "d/..", "d/.", "/"};
	struct error err = {0};

	(void)state;
	scratch_mkdir("d", 0755);
	scratch_write("file", "text");
	assert_int_equal(symlink("d", "link"), 0);
	assert_int_equal(folder_remove("file", &err), -1);
	assert_error(&err, ERR_INVALID, "file is not a folder");
	assert_int_equal(folder_remove("link", &err), -1);
	assert_error(&err, ERR_INVALID, "link is not a folder");
	assert_int_equal(folder_remove("link/", &err), -1);
	assert_error(&err, ERR_INVALID, "is not a folder");
	for (size_t i = 0; i < ARRAY_SIZE(dots); i++) {
		assert_int_equal(folder_remove(dots[i], &err), -1);
		assert_error(&err, ERR_INVALID, "does not name a folder");
	}
	assert_true(scratch_exists("d"));
	assert_true(scratch_exists("file"));
	assert_true(scratch_exists("link"));
}

static void links_are_not_followed(void **state)
{
	struct error err = {0};

	(void)state;
	fill("outside");
	scratch_mkdir("t", 0755);
	scratch_mkdir("t/d", 0755);
	assert_int_equal(symlink("../outside", "t/link"), 0);
	assert_int_equal(symlink("../../outside/file-1", "t/d/link"), 0);
	assert_int_equal(symlink("/", "t/d/root"), 0);
	assert_int_equal(link("outside/file-2", "t/d/hard"), 0);
	assert_ok(folder_remove("t", &err), &err);
	assert_false(scratch_exists("t"));
	for (int i = 0; i < 300; i++) {
		char name[64];

		snprintf(name, sizeof(name), "outside/file-%d", i);
		assert_true(scratch_exists(name));
	}
}

static void any_depth_is_possible_with_few_descriptors(void **state)
{
	enum { DEPTH = 5000, FILES = 64 };
	struct rlimit old, few;
	struct error err = {0};

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	scratch_mkdir("t", 0755);
	assert_int_equal(chdir("t"), 0);
	scratch_deep("a-name-of-some-length", DEPTH);
	assert_int_equal(chdir(".."), 0);
	few = old;
	few.rlim_cur = FILES;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_ok(folder_remove("t", &err), &err);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_false(scratch_exists("t"));
}

static void folders_of_every_mode_go(void **state)
{
	struct error err = {0};
	char name[64];

	scratch_drop_root(*state);
	scratch_mkdir("t", 0755);
	for (unsigned mode = 0; mode < 8; mode++) {
		snprintf(name, sizeof(name), "t/%u", mode);
		scratch_mkdir(name, 0755);
		snprintf(name, sizeof(name), "t/%u/below", mode);
		fill(name);
		assert_int_equal(chmod(name, mode << 6), 0);
		snprintf(name, sizeof(name), "t/%u/empty", mode);
		scratch_mkdir(name, 0);
		snprintf(name, sizeof(name), "t/%u", mode);
		assert_int_equal(chmod(name, mode << 6), 0);
	}
	assert_int_equal(chmod("t", 0), 0);
	assert_ok(folder_remove("t", &err), &err);
	assert_false(scratch_exists("t"));
}

static void names_of_any_bytes_go(void **state)
{
	static const char *const names[] = {"new\nline", "\xff\xfe", "back\\slash", "-rf", " ",
					    "...",	 "*"};
	struct error err = {0};
	char path[64];

	(void)state;
	scratch_mkdir("t", 0755);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "t/%s", names[i]);
		fill(path);
	}
	assert_ok(folder_remove("t", &err), &err);
	assert_false(scratch_exists("t"));
}

static void what_the_user_may_not_remove_is_named(void **state)
{
	struct error err = {0};

	if (geteuid() != 0)
		skip();
	/* folders of somebody else in one of ours, to be read and not even that */
	scratch_mkdir("t", 0777);
	fill("t/theirs");
	scratch_mkdir("s", 0777);
	fill("s/theirs");
	assert_int_equal(chmod("s/theirs", 0), 0);
	scratch_drop_root(*state);
	assert_int_equal(folder_remove("t", &err), -1);
	assert_error(&err, ERR_SYSTEM, "t/theirs/file-");
	assert_error(&err, ERR_SYSTEM, "Permission denied");
	assert_int_equal(folder_remove("s", &err), -1);
	assert_error(&err, ERR_SYSTEM, "open folder theirs: Permission denied");
	assert_true(scratch_exists("t/theirs/file-0"));
}

/* For children, which use no assertion: it would run on as the test. */
static bool write_text(const char *path, const char *text)
{
	cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Mounts that nobody else sees. */
static bool enter_namespace(void)
{
	cleanup_free char *uids = xasprintf("%u %u 1", geteuid(), geteuid());
	cleanup_free char *gids = xasprintf("%u %u 1", getegid(), getegid());
	bool root = geteuid() == 0;

	if (unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) < 0)
		return false;
	if (!root
	    && (!write_text("/proc/self/setgroups", "deny")
		|| !write_text("/proc/self/uid_map", uids)
		|| !write_text("/proc/self/gid_map", gids)))
		return false;
	return mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
}

static int remove_with_bind_mount(void)
{
	struct error err = {0};

	/* the same file system a second time: only the mount tells */
	if (!enter_namespace() || mount("other", "t/d/m", NULL, MS_BIND, NULL) < 0)
		return 77;
	if (folder_remove("t", &err) == 0 || err.kind != ERR_BUSY)
		return 1;
	return scratch_exists("t/d/m/file-0") && scratch_exists("other/file-299") ? 0 : 2;
}

static int remove_mount_points(void)
{
	struct error err = {0};

	if (!enter_namespace() || mount("none", "empty", "tmpfs", 0, NULL) < 0
	    || mount("none", "full", "tmpfs", 0, NULL) < 0 || mkdir("full/d", 0700) < 0)
		return 77;
	if (folder_remove("empty", &err) == 0 || err.kind != ERR_BUSY)
		return 1;
	if (folder_remove("full", &err) == 0 || err.kind != ERR_BUSY)
		return 2;
	return scratch_exists("full/d") ? 0 : 3;
}

static void run_in_child(int (*fn)(void))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(fn());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void another_mount_is_never_entered(void **state)
{
	(void)state;
	fill("other");
	scratch_mkdir("t", 0755);
	scratch_mkdir("t/d", 0755);
	scratch_mkdir("t/d/m", 0755);
	run_in_child(remove_with_bind_mount);
	assert_true(scratch_exists("t/d/m"));
}

static void a_mount_point_itself_is_busy(void **state)
{
	(void)state;
	scratch_mkdir("empty", 0755);
	scratch_mkdir("full", 0755);
	run_in_child(remove_mount_points);
}

static void opening_goes_neither_through_links_nor_up(void **state)
{
	struct error err = {0};
	cleanup_fd int at = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1, up = -1;
	struct stat a, b;

	(void)state;
	scratch_mkdir("d", 0755);
	scratch_mkdir("d/e", 0755);
	assert_int_equal(symlink("d", "link"), 0);
	scratch_write("file", "");
	assert_ok(folder_open_at(at, "d/e", O_RDONLY, &fd, &err), &err);
	assert_int_equal(folder_open_at(at, "link", O_RDONLY, &up, &err), -1);
	assert_int_equal(folder_open_at(at, "link/e", O_PATH, &up, &err), -1);
	assert_int_equal(folder_open_at(at, "file", O_PATH, &up, &err), -1);
	assert_int_equal(folder_open_at(at, "../../etc", O_PATH, &up, &err), -1);
	assert_int_equal(folder_open_at(at, "/etc", O_PATH, &up, &err), -1);
	assert_error(&err, ERR_BUSY, "/etc");
	assert_int_equal(up, -1);
	assert_ok(folder_open_at(fd, "..", O_PATH, &up, &err), &err);
	assert_int_equal(fstat(up, &a), 0);
	assert_int_equal(stat("d", &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SCRATCH(f) cmocka_unit_test_setup_teardown(f, scratch_set_up, scratch_tear_down)
		SCRATCH(a_tree_goes_and_its_neighbours_stay),
		SCRATCH(every_way_to_write_the_path_is_understood),
		SCRATCH(one_that_is_not_there_is_fine),
		SCRATCH(what_is_not_a_folder_stays),
		SCRATCH(links_are_not_followed),
		SCRATCH(any_depth_is_possible_with_few_descriptors),
		SCRATCH(folders_of_every_mode_go),
		SCRATCH(names_of_any_bytes_go),
		SCRATCH(what_the_user_may_not_remove_is_named),
		SCRATCH(another_mount_is_never_entered),
		SCRATCH(a_mount_point_itself_is_busy),
		SCRATCH(opening_goes_neither_through_links_nor_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
