/* SPDX-License-Identifier: Apache-2.0 */
/* Everything is in the current folder, which is the scratch folder of the test. */
#include "tests/support/runtime_try.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

/* Its arguments by name; "started" is what a runtime does once the container is. */
static const char script_head[] =
	"#!/bin/sh\n"
	"[ \"$1 $3 $5 $6 $7 $8\" = '--root --log --log-format json run --bundle' ] || exit 98\n"
	"state=$2 log=$4 bundle=$9; shift 9\n"
	"[ \"$1\" = --pid-file ] && [ $# = 3 ] || exit 99\n"
	"pid_file=$2 id=$3\n"
	"started() { echo $$ >\"$pid_file\"; }\n";

void runtime_try_prepare(const char *dir, const char *script, struct runtime_try *ret)
{
	cleanup_free char *text = xasprintf("%s%s", script_head, script);

	*ret = (struct runtime_try){.options = {.id = "thinpull-test-1", .hold_fd = -1}};
	scratch_write("program", text);
	assert_int_equal(chmod("program", 0755), 0);
	scratch_mkdir("run", 0700);
	scratch_mkdir("files", 0755);
	scratch_write("files/there", "content\n");
	buffer_printf(&ret->config, "{\"the\": \"config\"}");
	ret->options.config = &ret->config;
	ret->options.program = xasprintf("%s/program", dir);
	ret->options.run_dir = xasprintf("%s/run", dir);
	ret->options.folder = xasprintf("%s/files", dir);
}

void runtime_try_release(struct runtime_try *r)
{
	free((char *)(uintptr_t)r->options.program);
	free((char *)(uintptr_t)r->options.run_dir);
	free((char *)(uintptr_t)r->options.folder);
	buffer_release(&r->config);
}

int runtime_try_run(const struct runtime_try *r, int *ret_status, struct error *err)
{
	int failed = runtime_run(&r->options, ret_status, err);

	if (failed && err->kind == ERR_UNSUPPORTED)
		skip();
	return failed;
}

void runtime_try_status(const char *dir, const char *script, int want)
{
	cleanup(runtime_try_release) struct runtime_try r;
	struct error err = {0};
	int status = -1;

	runtime_try_prepare(dir, script, &r);
	assert_ok(runtime_try_run(&r, &status, &err), &err);
	assert_int_equal(status, want);
	/* What was in the run folder was in memory. */
	assert_int_equal(rmdir("run"), 0);
	assert_true(scratch_exists("files/there"));
}

void runtime_try_fails(const char *dir, const char *script, enum error_kind kind, const char *text)
{
	cleanup(runtime_try_release) struct runtime_try r;
	struct error err = {0};
	int status;

	runtime_try_prepare(dir, script, &r);
	assert_int_equal(runtime_try_run(&r, &status, &err), -1);
	assert_error(&err, kind, text);
	assert_int_equal(rmdir("run"), 0);
}

pid_t runtime_try_start(const struct runtime_try *r, int *ret_ready)
{
	struct error err = {0};
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		if (runtime_run(&r->options, &status, &err) < 0)
			_exit(err.kind == ERR_UNSUPPORTED ? 77 : 1);
		_exit(status);
	}
	close(fds[1]);
	*ret_ready = fds[0];
	return pid;
}

bool runtime_try_told(int ready)
{
	char byte;

	return read(ready, &byte, 1) == 1;
}

int runtime_try_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
