/* SPDX-License-Identifier: Apache-2.0 */
/* Names the mode of a pool from its status; knows nothing of devices. */
#include "pkg/thin/kernel/mode.h"

enum mode { RW, OUT_OF_DATA, OUT_OF_METADATA, READ_ONLY, NEEDS_CHECK, FAIL };

static const struct {
	const char *name;
	enum error_kind kind;
	enum error_detail detail;
} modes[] = {
	[RW] = {"rw", ERR_NONE, ERR_DETAIL_NONE},
	[OUT_OF_DATA] = {"out_of_data_space", ERR_NO_SPACE, ERR_DETAIL_POOL_FULL},
	[OUT_OF_METADATA] = {"out_of_metadata_space", ERR_NO_SPACE, ERR_DETAIL_POOL_METADATA_FULL},
	[READ_ONLY] = {"ro", ERR_INCONSISTENT, ERR_DETAIL_POOL_READ_ONLY},
	[NEEDS_CHECK] = {"needs_check", ERR_INCONSISTENT, ERR_DETAIL_POOL_READ_ONLY},
	[FAIL] = {"fail", ERR_INCONSISTENT, ERR_DETAIL_POOL_FAILED},
};

static enum mode mode_of(const struct kernel_pool_status *s)
{
	if (s->mode == KERNEL_POOL_FAIL || s->mode == KERNEL_POOL_ERROR)
		return FAIL;
	if (s->needs_check)
		return NEEDS_CHECK;
	if (s->mode == KERNEL_POOL_OUT_OF_DATA)
		return OUT_OF_DATA;
	if (s->mode == KERNEL_POOL_WRITE)
		return RW;
	/* Both are "ro" in the status; its own reserve counts as used. */
	return s->metadata_used >= s->metadata_total ? OUT_OF_METADATA : READ_ONLY;
}

const char *kernel_mode_name(const struct kernel_pool_status *status)
{
	return modes[mode_of(status)].name;
}

enum error_kind kernel_mode_kind(const struct kernel_pool_status *status, enum error_detail *ret)
{
	*ret = modes[mode_of(status)].detail;
	return modes[mode_of(status)].kind;
}

bool kernel_mode_is_broken(const struct kernel_pool_status *status)
{
	return mode_of(status) >= READ_ONLY;
}
