/* SPDX-License-Identifier: Apache-2.0 */
/* tests/support/docker-credential-fake.sh under all its names, first in PATH. */
#pragma once

struct fake_helper {
	char *folder; /* where its programs are, and what it keeps */
	char *path;   /* PATH as it was */
};

/* Run tests from the top folder. Every failure fails the test. */
void fake_helper_start(struct fake_helper *h);
void fake_helper_stop(struct fake_helper *h);

/* What is in one of its files ("log", "input"), "" if it is not there; owned. */
char *fake_helper_read(const struct fake_helper *h, const char *name);
void fake_helper_forget(const struct fake_helper *h, const char *name);
