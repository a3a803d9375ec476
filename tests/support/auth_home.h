/* SPDX-License-Identifier: Apache-2.0 */
/* A home without credentials, for tests: nothing of the real one is looked at. */
#pragma once

struct auth_home {
	char *folder; /* HOME; config, run and docker in it are what the variables of XDG and docker
			 would name */
};

/* Takes all variables that name places of credentials away, and sets HOME and XDG_RUNTIME_DIR. */
void auth_home_start(struct auth_home *h);
void auth_home_stop(struct auth_home *h);

/* Write FOLDER/name, making folders in between. */
void auth_home_put(const struct auth_home *h, const char *name, const char *text);
