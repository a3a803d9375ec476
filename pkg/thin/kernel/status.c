/* SPDX-License-Identifier: Apache-2.0 */
/* Reads status lines by position; knows nothing of devices. */
#include "pkg/thin/kernel/status.h"

#include "pkg/base/alloc.h"
#include "pkg/thin/kernel/words.h"

static int no_status(struct error *err, const char *target, const char *params)
{
	return error_set(err, ERR_INVALID, "not a status of a %s: \"%.120s\"", target, params);
}

static bool is_one_word(const char *params, const char *word)
{
	struct words w = words_of(params);

	return words_next_is(&w, word) && words_end(&w);
}

static bool transaction_id(struct words *w, struct kernel_pool_status *s)
{
	return words_next_number(w, &s->transaction_id);
}

static bool metadata(struct words *w, struct kernel_pool_status *s)
{
	return words_next_pair(w, &s->metadata_used, &s->metadata_total);
}

static bool data(struct words *w, struct kernel_pool_status *s)
{
	return words_next_pair(w, &s->data_used, &s->data_total);
}

static bool held_root(struct words *w, struct kernel_pool_status *s)
{
	return words_next_is(w, "-") || words_next_number(w, &s->held_root);
}

static bool mode(struct words *w, struct kernel_pool_status *s)
{
	if (words_next_is(w, "rw"))
		s->mode = KERNEL_POOL_WRITE;
	else if (words_next_is(w, "ro"))
		s->mode = KERNEL_POOL_READ_ONLY;
	else if (words_next_is(w, "out_of_data_space"))
		s->mode = KERNEL_POOL_OUT_OF_DATA;
	else
		return false;
	return true;
}

static bool discard(struct words *w, struct kernel_pool_status *s)
{
	if (words_next_is(w, "ignore_discard"))
		return true;
	s->discard = true;
	if (words_next_is(w, "no_discard_passdown"))
		return true;
	s->discard_passdown = true;
	return words_next_is(w, "discard_passdown");
}

static bool when_full(struct words *w, struct kernel_pool_status *s)
{
	s->error_if_no_space = words_next_is(w, "error_if_no_space");
	return s->error_if_no_space || words_next_is(w, "queue_if_no_space");
}

static bool needs_check(struct words *w, struct kernel_pool_status *s)
{
	s->needs_check = words_next_is(w, "needs_check");
	return s->needs_check || words_next_is(w, "-");
}

static bool metadata_low_water(struct words *w, struct kernel_pool_status *s)
{
	return words_next_number(w, &s->metadata_low_water);
}

/* In the order of the line, which has grown over the years at its end. */
static bool (*const pool_fields[])(struct words *w, struct kernel_pool_status *s) = {
	transaction_id, metadata,  data,	held_root,	    mode,
	discard,	when_full, needs_check, metadata_low_water,
};

enum { POOL_FIELDS_FIRST_KERNELS = 4 };

int kernel_pool_status_parse(const char *params, struct kernel_pool_status *ret, struct error *err)
{
	struct kernel_pool_status s = {0};
	struct words w = words_of(params);
	size_t i;

	if (is_one_word(params, "Fail") || is_one_word(params, "Error")) {
		s.mode = is_one_word(params, "Fail") ? KERNEL_POOL_FAIL : KERNEL_POOL_ERROR;
		*ret = s;
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(pool_fields) && !words_end(&w); i++)
		if (!pool_fields[i](&w, &s))
			return no_status(err, "thin-pool", params);
	if (i < POOL_FIELDS_FIRST_KERNELS)
		return no_status(err, "thin-pool", params);
	*ret = s;
	return 0;
}

int kernel_thin_status_parse(const char *params, struct kernel_thin_status *ret, struct error *err)
{
	struct kernel_thin_status s = {0};
	struct words w = words_of(params);

	/* "-": suspended, or its pool could not be asked */
	if (is_one_word(params, "Fail") || is_one_word(params, "Error")
	    || is_one_word(params, "-")) {
		s.failed = true;
		*ret = s;
		return 0;
	}
	if (!words_next_number(&w, &s.mapped_sectors)
	    || !(words_next_is(&w, "-") || words_next_number(&w, &s.highest_sector)))
		return no_status(err, "thin device", params);
	*ret = s;
	return 0;
}
