/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the engine of a pool and opens it. */
#include "pkg/thin/open.h"

#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"

/* A place that only the kernel can reach, or one that it has just now. @dir: NULL = neither. */
static int look_at_place(const char *dir, bool *ret_needs_kernel, bool *ret_active,
			 struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {0};

	*ret_needs_kernel = *ret_active = false;
	if (!dir)
		return 0;
	if (thin_place_load(dir, &place, err) < 0)
		return -1;
	*ret_needs_kernel = place.kind != THIN_PLACE_FILES;
	*ret_active = thin_kernel_is_active(dir, &place);
	return 0;
}

static int choose_kernel(const char *reason, struct thin_engine_choice *ret, struct error *err)
{
	*ret = (struct thin_engine_choice){.engine = THIN_ENGINE_KERNEL, .reason = reason};
	return thin_kernel_check(err);
}

static int choose_file(const char *reason, struct thin_engine_choice *ret)
{
	*ret = (struct thin_engine_choice){.engine = THIN_ENGINE_FILE, .reason = reason};
	return 0;
}

int thin_engine_choose(const char *dir, enum thin_engine wanted, struct thin_engine_choice *ret,
		       struct error *err)
{
	const char *obstacle = thin_kernel_obstacle();
	bool needs_kernel, active;

	if (wanted == THIN_ENGINE_KERNEL)
		return choose_kernel("asked for", ret, err);
	if (look_at_place(dir, &needs_kernel, &active, err) < 0)
		return -1;
	if (wanted == THIN_ENGINE_FILE && needs_kernel)
		return error_set(err, ERR_UNSUPPORTED,
				 "the pool is on block devices, which only the kernel engine uses");
	if (wanted == THIN_ENGINE_FILE)
		return choose_file("asked for", ret);
	if (needs_kernel)
		return choose_kernel("the pool is on block devices", ret, err);
	if (active && !obstacle)
		return choose_kernel("the kernel has the pool", ret, err);
	return obstacle ? choose_file(obstacle, ret)
			: choose_kernel("root, and dm-thin is there", ret, err);
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
	if (choice.engine == THIN_ENGINE_KERNEL)
		return thin_kernel_open(dir, how, ret, err);
	return open_file(dir, how, ret, err);
}
