/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device made and taken away as the kernel engine does it, and what that took:
 *
 *   devmap_try create NAME UUID      of target "error", and looks for its node
 *   devmap_try remove UUID
 *   devmap_try cycle NAME UUID N     both, N times
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pkg/base/cleanup.h"
#include "pkg/base/interrupt.h"
#include "pkg/base/log.h"
#include "pkg/thin/kernel/devmap.h"

static void print_note(enum log_level level, const char *text)
{
	fprintf(stderr, "%s: %s\n", level == LOG_LEVEL_WARNING ? "warning" : "debug", text);
}

static int create(const char *name, const char *uuid, struct error *err)
{
	static const struct devmap_target nothing = {0, 8, "error", ""};
	cleanup_free char *path = devmap_path(name);

	if (devmap_create(name, uuid, &nothing, 1, 0, err) < 0)
		return -1;
	if (access(path, F_OK) < 0)
		return error_sys(err, "%s", path);
	return 0;
}

static int run(int argc, char **argv, struct error *err)
{
	if (argc == 4 && strcmp(argv[1], "create") == 0)
		return create(argv[2], argv[3], err);
	if (argc == 3 && strcmp(argv[1], "remove") == 0)
		return devmap_remove(argv[2], 0, err);
	if (argc != 5 || strcmp(argv[1], "cycle") != 0)
		return error_set(err, ERR_USAGE,
				 "create NAME UUID | remove UUID | cycle NAME UUID N");
	for (int i = 0; i < atoi(argv[4]); i++)
		if (create(argv[2], argv[3], err) < 0 || devmap_remove(argv[3], 0, err) < 0)
			return -1;
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct error err = {0};
	char text[1024];
	double start = now();

	interrupt_install();
	log_set_sink(print_note, getenv("DEVMAP_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
	if (run(argc, argv, &err) < 0) {
		error_text(&err, text, sizeof(text));
		fprintf(stderr, "devmap_try: %s: %s\n", error_kind_name(err.kind), text);
		return 1;
	}
	printf("%s: %" PRIu64 " ioctls, %.0f ms, udev: %s\n", argv[1], devmap_ioctls(),
	       (now() - start) * 1000, devmap_has_udev() ? "yes" : "no");
	return 0;
}
