/* SPDX-License-Identifier: Apache-2.0 */
/* The fake registry as a child process that never outlives the test. */
#include "tests/support/fake_registry.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "tests/support/cmocka.h"
#include "tests/support/layout_folder.h"

static void run_server(const char *folder, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(out, STDOUT_FILENO);
	execlp("python3", "python3", "tests/support/fake_registry.py", folder, (char *)NULL);
	_exit(127);
}

void fake_registry_start(struct fake_registry *r)
{
	int fds[2];
	FILE *out;

	r->folder = make_folder();
	r->ca_file = xasprintf("%s/ca.pem", r->folder);
	r->client_cert = xasprintf("%s/client.pem", r->folder);
	r->client_key = xasprintf("%s/client.key", r->folder);
	if (pipe(fds) < 0)
		fail_msg("pipe failed");
	r->pid = fork();
	if (r->pid == 0) {
		close(fds[0]);
		run_server(r->folder, fds[1]);
	}
	close(fds[1]);
	out = fdopen(fds[0], "r");
	if (!out
	    || fscanf(out, "%u %u %u %u %u %u", &r->port, &r->other_port, &r->tls_port,
		      &r->mute_port, &r->auth_port, &r->client_port)
		       != 6)
		fail_msg("tests/support/fake_registry.py did not start");
	fclose(out);
}

void fake_registry_stop(struct fake_registry *r)
{
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	free(r->ca_file);
	free(r->client_cert);
	free(r->client_key);
	remove_folder(r->folder);
}
