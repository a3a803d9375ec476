/* SPDX-License-Identifier: Apache-2.0 */
/* Groups are found by their name and go as a whole, once nobody is in them. */
#include "tests/support/cmocka.h"

#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "pkg/host/cgroup.h"

static char name[64];

/* A hierarchy in which groups can be made, or NULL. */
static char *writable_hierarchy(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char *found = NULL;
	struct mntent *m;

	while (mounts && !found && (m = getmntent(mounts)))
		if (strncmp(m->mnt_type, "cgroup", 6) == 0) {
			cleanup_free char *path = xasprintf("%s/%s", m->mnt_dir, name);

			if (mkdir(path, 0755) == 0)
				found = xstrdup(path);
		}
	if (mounts)
		endmntent(mounts);
	return found;
}

/* A process in the group. */
static pid_t inhabit(const char *group)
{
	cleanup_free char *procs = xasprintf("%s/cgroup.procs", group);
	pid_t pid = fork();
	FILE *f;

	if (pid == 0)
		for (;;)
			pause();
	f = fopen(procs, "we");
	assert_non_null(f);
	assert_true(fprintf(f, "%d\n", (int)pid) > 0);
	assert_int_equal(fclose(f), 0);
	return pid;
}

static size_t count(const char *prefix)
{
	cleanup(cgroup_names_release) struct cgroup_names names = {0};
	struct error err = {0};

	assert_ok(cgroup_find(prefix, &names, &err), &err);
	return names.n;
}

static void what_is_not_there_is_fine(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(count(name), 0);
	assert_ok(cgroup_remove(name, &err), &err);
}

static void a_group_is_found_and_goes_with_those_below(void **state)
{
	cleanup_free char *group = writable_hierarchy(), *below = NULL;
	struct error err = {0};

	(void)state;
	if (!group)
		skip();
	below = xasprintf("%s/below", group);
	assert_int_equal(mkdir(below, 0755), 0);
	assert_int_equal(count(name), 1);
	assert_int_equal(count("thinpull-test-"), 1);
	assert_ok(cgroup_remove(name, &err), &err);
	assert_int_equal(count(name), 0);
	assert_int_equal(access(group, F_OK), -1);
}

static void a_group_with_processes_is_busy_and_stays(void **state)
{
	cleanup_free char *group = writable_hierarchy();
	struct error err = {0};
	pid_t pid;

	(void)state;
	if (!group)
		skip();
	pid = inhabit(group);
	assert_int_equal(cgroup_remove(name, &err), -1);
	assert_error(&err, ERR_BUSY, name);
	assert_int_equal(count(name), 1);
	kill(pid, SIGKILL);
	/* Not reaped, so that the process is at its end, but perhaps not yet out of the group. */
	assert_ok(cgroup_remove(name, &err), &err);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(count(name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_there_is_fine),
		cmocka_unit_test(a_group_is_found_and_goes_with_those_below),
		cmocka_unit_test(a_group_with_processes_is_busy_and_stays),
	};

	snprintf(name, sizeof(name), "thinpull-test-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
