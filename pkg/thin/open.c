/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the engine of a pool and opens it. */
#include "pkg/thin/open.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"

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

int thin_engine_choose(const char *dir, enum thin_engine wanted, struct thin_engine_choice *ret,
		       struct error *err)
{
	(void)dir;
	if (wanted == THIN_ENGINE_KERNEL)
		return error_set(err, ERR_UNSUPPORTED, "the kernel engine is not there yet");
	ret->engine = THIN_ENGINE_FILE;
	if (wanted == THIN_ENGINE_FILE)
		ret->reason = "asked for";
	else if (!kernel_has_device_mapper())
		ret->reason = "no device-mapper in this kernel";
	else if (geteuid() != 0)
		ret->reason = "not root";
	else
		ret->reason = "the kernel engine is not there yet";
	return 0;
}

const char *thin_engine_name(enum thin_engine engine)
{
	static const char *const names[] = {
		[THIN_ENGINE_AUTO] = "auto",
		[THIN_ENGINE_KERNEL] = "kernel",
		[THIN_ENGINE_FILE] = "file",
	};

	return names[engine];
}

static int open_file(const char *dir, const struct thin_open *how, struct thin_pool **ret,
		     struct error *err)
{
	static const enum thin_file_mode modes[] = {
		[THIN_READ] = THIN_FILE_READ,
		[THIN_STILL] = THIN_FILE_STILL,
		[THIN_WRITE] = THIN_FILE_WRITE,
	};
	struct thin_file_open file = {.mode = modes[how->mode],
				      .verb = how->verb,
				      .lock_timeout_ms = how->lock_timeout_ms};

	return thin_file_open(dir, &file, ret, err);
}

int thin_open(const char *dir, const struct thin_open *how, struct thin_pool **ret,
	      struct error *err)
{
	struct thin_engine_choice choice;

	if (thin_engine_choose(dir, how->engine, &choice, err) < 0)
		return -1;
	return open_file(dir, how, ret, err);
}
