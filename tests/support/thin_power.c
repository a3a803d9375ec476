/* SPDX-License-Identifier: Apache-2.0 */
/* Opens images of cuts as the next command would, and looks. */
#include "tests/support/thin_power.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/thin_held.h"
#include "tests/support/thin_scenes.h"
#include "tests/support/thin_tools.h"

void thin_power_start(struct thin_power *p, struct thin_run *r)
{
	p->run = r;
	p->first_id = r->model.now.transaction_id;
	p->images = p->found[0] = p->found[1] = 0;
	thin_run_forget_past(r);
	r->keep_past = true;
	if (!p->folder) {
		p->folder = thin_tools_folder();
		p->opened = thin_tools_folder();
		p->cut_again = thin_tools_folder();
	}
	thin_disk_watch(&p->disk, r->folder);
}

void thin_power_stop(struct thin_power *p)
{
	thin_disk_release(&p->image);
	thin_cut_copy(p->run->folder, p->folder);
	thin_disk_watch(&p->image, p->folder);
}

void thin_power_end(struct thin_power *p)
{
	thin_disk_release(&p->disk);
	thin_disk_release(&p->image);
	thin_tools_remove(&p->folder);
	thin_tools_remove(&p->opened);
	thin_tools_remove(&p->cut_again);
}

/* ---- one image ---- */

/* What is looked at: a folder, and the states that may be in it. */
struct image {
	struct thin_power *power;
	const char *folder;
	uint64_t least_id, most_id;
	bool dead_owner; /* its name is there: it was killed, or the power cut came after that */
	bool go_on, thin_check;
	struct thin_run run;
};

static bool wrong(const char *what, uint64_t is, uint64_t least, uint64_t most)
{
	fprintf(stderr, "%s: %llu, expected %llu to %llu\n", what, (unsigned long long)is,
		(unsigned long long)least, (unsigned long long)most);
	return false;
}

static bool report(const char *what, const struct error *err)
{
	char text[800];

	error_text(err, text, sizeof(text));
	fprintf(stderr, "%s: %s\n", what, text);
	return false;
}

static void set_owner(const struct image *im)
{
	cleanup_free char *path = xasprintf("%s/owner", im->folder);
	cleanup_fd int fd = -1;

	unlink(path);
	if (!im->dead_owner)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "1 test -\n", 9), 9);
}

static bool open_image(struct image *im, enum thin_file_mode mode)
{
	const struct thin_file_open how = {.mode = mode, .verb = "test"};
	struct error err = {0};

	if (thin_file_open(im->folder, &how, &im->run.pool, &err) < 0)
		return report("open", &err);
	return true;
}

static void close_image(struct image *im)
{
	thin_pool_close(im->run.pool);
	im->run.pool = NULL;
}

/* The state that the image says it has, as it was or is. */
static const struct thin_model *find_state(struct image *im, uint64_t *ret_held)
{
	struct thin_power *p = im->power;
	struct thin_pool_status status;
	struct error err = {0};
	uint64_t n;

	if (thin_pool_status(im->run.pool, &status, &err) < 0) {
		report("status", &err);
		return NULL;
	}
	n = status.transaction_id - p->first_id;
	if (status.transaction_id < im->least_id || status.transaction_id > im->most_id
	    || n > p->run->n_past) {
		wrong("transaction", status.transaction_id, im->least_id, im->most_id);
		return NULL;
	}
	p->found[n == p->run->n_past]++;
	*ret_held = n < p->run->n_past ? p->run->past[n].held : p->run->held_committed;
	return n < p->run->n_past ? &p->run->past[n].model : &p->run->model;
}

static bool is_clean(struct image *im, bool sizes_raised)
{
	if (!thin_run_disk_is_clean(im->run.meta, im->run.data, sizes_raised))
		return false;
	if (im->thin_check && thin_tools_check(im->run.meta) != 0)
		return wrong("exit status of thin_check", 1, 0, 0);
	return true;
}

static bool goes_on(struct image *im)
{
	struct thin_run *r = &im->run;

	r->seed = 77 + im->power->images;
	return (thin_scenes_go_on(r) == 0 || report("work after the cut", &r->error))
	       && thin_model_equals(&r->model, r->pool, r->seed, im->power->stride);
}

static bool judge_opened(struct image *im)
{
	struct thin_run *r = &im->run;
	const struct thin_model *state = find_state(im, &r->held);
	uint64_t held;
	bool good;

	if (!state)
		return false;
	thin_model_copy(&r->model, state);
	r->held_committed = r->held;
	held = thin_held_sum(r->pool);
	if (held != r->held)
		return wrong("metadata snapshot", held, r->held, r->held);
	good = thin_model_settle(&r->model, r->pool)
	       && thin_model_equals(&r->model, r->pool, im->power->images, im->power->stride)
	       && (!im->go_on || goes_on(im));
	close_image(im);
	good = good && is_clean(im, !im->dead_owner);
	thin_model_release(&r->model);
	return good;
}

/* A reader may come before the next writer has cleaned up. */
static bool reader_finds_a_state(struct image *im)
{
	struct thin_pool_status status = {0};
	struct error err = {0};

	if (!open_image(im, THIN_FILE_READ))
		return false;
	if (thin_pool_status(im->run.pool, &status, &err) < 0)
		report("reader", &err);
	close_image(im);
	return (status.transaction_id >= im->least_id && status.transaction_id <= im->most_id)
	       || wrong("transaction for a reader", status.transaction_id, im->least_id,
			im->most_id);
}

static bool judge_folder(struct image *im)
{
	const struct thin_run *from = im->power->run;
	bool good;

	im->run = (struct thin_run){.folder = xstrdup(im->folder),
				    .meta = xasprintf("%s/meta", im->folder),
				    .data = xasprintf("%s/data", im->folder),
				    .block_bytes = from->block_bytes,
				    .stride = 16,
				    .no_hook = true,
				    .may_fail = true};
	set_owner(im);
	good = is_clean(im, true) && reader_finds_a_state(im) && open_image(im, THIN_FILE_WRITE)
	       && judge_opened(im);
	if (im->run.pool)
		close_image(im);
	free(im->run.folder);
	free(im->run.meta);
	free(im->run.data);
	free(im->run.watch.in_use);
	return good;
}

/* ---- cuts ---- */

static bool tell(const struct thin_power *p, const struct thin_cut *cut, const char *what)
{
	fprintf(stderr, "%s after step %llu of %llu: %s, units of %u, %s %llu\n", what,
		(unsigned long long)cut->step, (unsigned long long)p->disk.n_steps,
		cut->power ? "power cut" : "killed", cut->unit_bytes,
		cut->choose ? "units" : "seed",
		(unsigned long long)(cut->choose ? cut->bits : cut->seed));
	return false;
}

/* Opening cleans up; that is cut as well, once at each of its steps. */
static bool judge_again(const struct image *im, const struct thin_cut *first)
{
	struct thin_power *p = im->power;
	struct thin_disk opening = {0};
	struct image second = *im;
	bool good;

	second.folder = p->opened;
	thin_cut_image(&p->disk, first, p->opened);
	set_owner(&second);
	thin_disk_watch(&opening, p->opened);
	good = open_image(&second, THIN_FILE_WRITE);
	if (good)
		close_image(&second);
	second.folder = p->cut_again;
	second.go_on = true;
	for (uint64_t step = 0; good && step <= opening.n_steps; step++) {
		struct thin_cut cut = {.step = step,
				       .power = step % 3 == 2,
				       .unit_bytes = DISK_UNIT_BYTES,
				       .seed = p->images};

		thin_cut_image(&opening, &cut, p->cut_again);
		p->images++;
		good = judge_folder(&second) || tell(p, &cut, "while opening, cut");
	}
	thin_disk_release(&opening);
	return good;
}

static bool is_turn(const struct thin_power *p, unsigned every)
{
	return every && p->images % every == 0;
}

static struct image image_of(struct thin_power *p, const struct thin_cut *cut, const char *folder)
{
	return (struct image){
		.power = p,
		.folder = folder,
		.least_id = p->first_id + thin_disk_superblocks(&p->disk, cut->step, cut->power),
		.most_id = p->first_id + thin_disk_superblocks(&p->disk, cut->step, false),
		/* Not synced, unless the files got longer. */
		.dead_owner = !cut->power || p->images % 4
			      || thin_disk_length_changed(&p->disk, cut->step),
		.go_on = is_turn(p, p->go_on_every),
		.thin_check = is_turn(p, p->check_every),
	};
}

bool thin_power_judge(struct thin_power *p, const struct thin_cut *cut)
{
	struct image im = image_of(p, cut, p->folder);

	bool again = is_turn(p, p->again_every), good;

	p->images++;
	thin_cut_apply(&p->disk, cut, p->folder);
	good = judge_folder(&im) && (!again || judge_again(&im, cut));
	thin_disk_rewind(&p->image);
	return good || tell(p, cut, "an image");
}

bool thin_power_adopt(struct thin_power *p, const struct thin_cut *cut)
{
	struct thin_run *r = p->run;
	struct image im = image_of(p, cut, r->folder);
	const struct thin_model *state = NULL;
	struct thin_model model;
	uint64_t held = 0;

	p->images++;
	thin_cut_image(&p->disk, cut, p->folder);
	thin_run_close(r);
	thin_disk_release(&p->disk);
	thin_cut_copy(p->folder, r->folder);
	set_owner(&im);
	if (open_image(&im, THIN_FILE_WRITE))
		state = find_state(&im, &held);
	if (im.run.pool)
		close_image(&im);
	if (!state)
		return tell(p, cut, "an image");
	thin_model_copy(&model, state);
	thin_model_release(&r->model);
	r->model = model;
	r->held = r->held_committed = held;
	thin_run_forget_past(r);
	r->keep_past = r->sizes_raised = false;
	thin_run_check_disk(r, true);
	thin_run_open(r);
	return thin_model_settle(&r->model, r->pool) || tell(p, cut, "an image");
}

static bool judge_window(struct thin_power *p, uint64_t step, uint64_t images_max, uint64_t seed)
{
	size_t pending = thin_cut_pending(&p->disk, step);
	bool all = pending < 60 && UINT64_C(1) << pending <= images_max;
	uint64_t n = all ? UINT64_C(1) << pending : images_max;

	for (uint64_t i = 0; i < n; i++) {
		struct thin_cut cut = {
			.step = step,
			.power = true,
			.unit_bytes = all || i % 2 ? DISK_UNIT_BYTES : DISK_SECTOR_BYTES,
			.choose = all,
			.bits = i,
			.seed = seed + i,
		};

		if (!thin_power_judge(p, &cut))
			return false;
	}
	return true;
}

bool thin_power_judge_all(struct thin_power *p, uint64_t images_max, uint64_t seed)
{
	thin_power_stop(p);
	for (uint64_t step = 0; step <= p->disk.n_steps; step++) {
		struct thin_cut killed = {.step = step};

		/* Pieces of large writes are many and much the same: some of them. */
		if ((!thin_disk_is_piece(&p->disk, step) || step % 16 == 0)
		    && (step + seed) % p->killed_every == 0 && !thin_power_judge(p, &killed))
			return false;
		if (thin_disk_is_sync(&p->disk, step) && !judge_window(p, step, images_max, seed))
			return false;
	}
	return true;
}
