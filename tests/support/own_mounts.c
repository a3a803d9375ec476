/* SPDX-License-Identifier: Apache-2.0 */
/* Knows nothing of what is mounted. */
#include "tests/support/own_mounts.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

void own_mounts(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
		return;
	if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0) {
		perror("private mounts");
		exit(1);
	}
}
