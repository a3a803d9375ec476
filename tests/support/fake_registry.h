/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and stops tests/support/fake_registry.py; run tests from the top folder. */
#pragma once

#include <sys/types.h>

struct fake_registry {
	pid_t pid;
	unsigned port, other_port, tls_port, mute_port, auth_port, client_port;
	char *folder;
	char *ca_file; /* trusts the TLS port, for "localhost", and auth_port, for 127.0.0.1 */
	char *client_cert, *client_key; /* what client_port wants to see; it is for "localhost" */
};

/* Fails the test when it does not start. */
void fake_registry_start(struct fake_registry *r);
void fake_registry_stop(struct fake_registry *r);
