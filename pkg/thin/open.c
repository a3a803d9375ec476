/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses the engine of a pool and opens it. */
#include "pkg/thin/open.h"

#include "pkg/base/cleanup.h"
#include "pkg/thin/file/engine.h"
#include "pkg/thin/kernel/engine.h"
#include "pkg/thin/place.h"

static int choose(enum thin_engine engine, const char *reason, struct thin_engine_choice *ret)
{
	*ret = (struct thin_engine_choice){.engine = engine, .reason = reason};
	return 0;
}

static int must_be_kernel(const char *reason, struct thin_engine_choice *ret, struct error *err)
{
	if (thin_kernel_check(err) < 0)
		return error_wrap(err, "%s", reason);
	return choose(THIN_ENGINE_KERNEL, reason, ret);
}

/* Of a pool that both can run. @dir: NULL = it is not made yet. */
static int choose_freely(const char *dir, const struct thin_place *place,
			 struct thin_engine_choice *ret)
{
	const char *obstacle = thin_kernel_obstacle();

	if (obstacle)
		return choose(THIN_ENGINE_FILE, obstacle, ret);
	if (dir && thin_kernel_is_active(dir, place))
		return choose(THIN_ENGINE_KERNEL, "the kernel has the pool", ret);
	return choose(THIN_ENGINE_KERNEL, "root, and dm-thin is there", ret);
}

int thin_engine_choose(const char *dir, enum thin_engine wanted, struct thin_engine_choice *ret,
		       struct error *err)
{
	cleanup(thin_place_release) struct thin_place place = {.kind = THIN_PLACE_FILES};

	if (wanted == THIN_ENGINE_KERNEL)
		return must_be_kernel("asked for", ret, err);
	if (dir && thin_place_load(dir, &place, err) < 0)
		return -1;
	if (wanted == THIN_ENGINE_AUTO)
		return place.kind == THIN_PLACE_FILES
			       ? choose_freely(dir, &place, ret)
			       : must_be_kernel("the pool is on block devices", ret, err);
	if (place.kind != THIN_PLACE_FILES)
		return error_set(err, ERR_UNSUPPORTED,
				 "the pool is on block devices, which only the kernel engine uses");
	return choose(THIN_ENGINE_FILE, "asked for", ret);
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
