/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at the machine the way the kernel engine would. */
#include "cmd/thinpull/engine.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* /proc/misc lists the driver also where nobody made the node in /dev. */
static bool kernel_has_device_mapper(void)
{
	char line[128];
	FILE *misc;
	bool found = false;

	if (access("/dev/mapper/control", F_OK) == 0)
		return true;
	misc = fopen("/proc/misc", "re");
	if (!misc)
		return false;
	while (!found && fgets(line, sizeof(line), misc))
		found = strstr(line, "device-mapper") != NULL;
	fclose(misc);
	return found;
}

int engine_choose(const char *wanted, struct engine_choice *ret, struct error *err)
{
	if (strcmp(wanted, "kernel") == 0)
		return error_set(err, ERR_UNSUPPORTED, "the kernel engine is not there yet");
	ret->engine = "file";
	if (strcmp(wanted, "file") == 0)
		ret->reason = "asked for";
	else if (!kernel_has_device_mapper())
		ret->reason = "no device-mapper in this kernel";
	else if (geteuid() != 0)
		ret->reason = "not root";
	else
		ret->reason = "the kernel engine is not there yet";
	return 0;
}
