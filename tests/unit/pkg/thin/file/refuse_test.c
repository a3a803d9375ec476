/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each kind of change with the host refusing a call: each write, change of length, hole and sync of
 * the pool's files in turn, for good or once, for a fault or because the disk is full. Then it is as
 * at the last commit, nothing is lost, and work goes on. THINPULL_EVERY=1: all ways at each
 * call.
 */
#include <errno.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "tests/support/thin_disk_calls.h"
#include "tests/support/thin_scenes.h"
#include "tests/support/thin_tools.h"

static const struct way {
	bool once;
	int sys;
} ways[] = {{false, EIO}, {false, ENOSPC}, {true, EIO}, {true, ENOSPC}};

enum { WAYS = ARRAY_SIZE(ways) };

struct refusals {
	struct thin_stage stage;
	struct thin_disk disk;
	uint64_t n;
};

static void arm(struct refusals *s, const struct way *way, uint64_t call)
{
	thin_disk_watch(&s->disk, s->stage.run.folder);
	s->disk.fault.kinds = DISK_ANY;
	s->disk.fault.left = call;
	s->disk.fault.once = way->once;
	s->disk.fault.sys = way->sys;
	s->stage.run.may_fail = true;
}

/* An error that says what and where. A full disk is told as one, whatever was to be done. */
static void check_error(const struct refusals *s, const struct way *way)
{
	const struct error *err = &s->stage.run.error;
	char text[1024];

	error_text(err, text, sizeof(text));
	if (err->kind != (way->sys == ENOSPC ? ERR_NO_SPACE : ERR_SYSTEM)
	    || (!strstr(text, "/data") && !strstr(text, "/meta")))
		fail_msg("%s: %s", error_kind_name(err->kind), text);
}

/*
 * When a superblock's write went through and its sync did not, and the old one could not be put
 * back either, the next owner finds the new state, which is whole. Else it must be the old one.
 */
static void follow_the_disk(struct refusals *s, const struct way *way)
{
	struct thin_model *m = &s->stage.run.model;
	uint64_t written = thin_disk_superblocks(&s->disk, s->disk.n_steps, false);
	struct thin_pool_status status;
	struct error err = {0};

	assert_ok(thin_pool_status(s->stage.run.pool, &status, &err), &err);
	if (written == s->stage.run.n_past + 1 && !way->once) {
		assert_int_equal(status.transaction_id, m->committed.transaction_id + 1);
		thin_model_commit(m, status.transaction_id);
		s->stage.run.held_committed = s->stage.run.held;
	}
	thin_model_abort(m);
	s->stage.run.held = s->stage.run.held_committed;
}

static void expect_a_commit(struct refusals *s, const struct way *way)
{
	struct thin_run *r = &s->stage.run;

	thin_run_close(r);
	r->sizes_raised =
		true; /* a file that could not be made shorter again is the next owner's */
	thin_run_check_disk(r, false);
	r->sizes_raised = false;
	s->disk.fault.kinds = 0;
	thin_run_open(r);
	thin_run_check_disk(r, false);
	follow_the_disk(s, way);
	thin_stage_check(&s->stage);
}

static void refuse(struct refusals *s, const struct thin_scene *scene, uint64_t call,
		   const struct way *way)
{
	struct thin_run *r = &s->stage.run;
	struct error err = {0};

	thin_stage_set(&s->stage);
	arm(s, way, call);
	if (scene->run(r) < 0) {
		check_error(s, way);
		if (thin_pool_abort(r->pool, &err) < 0)
			assert_error(&err, s->stage.run.error.kind, "an earlier commit failed");
	}
	assert_true(s->disk.fault.met > call);
	s->n++;
	/* For half of them it is over when the pool is closed. */
	if (call % 2)
		s->disk.fault.kinds = 0;
	expect_a_commit(s, way);
	thin_disk_release(&s->disk);
	r->may_fail = false;
	assert_int_equal(thin_scenes_go_on(r), 0);
	thin_run_close(r);
}

/* Which calls there are, when none is refused. Pieces of large writes are many and much the same. */
static size_t list_calls(struct refusals *s, const struct thin_scene *scene, uint64_t *ret,
			 size_t max)
{
	size_t n = 0;

	thin_stage_set(&s->stage);
	thin_disk_watch(&s->disk, s->stage.run.folder);
	assert_int_equal(scene->run(&s->stage.run), 0);
	for (uint64_t i = 0; i < s->disk.n_steps; i++)
		if (!thin_disk_is_piece(&s->disk, i) || i % 16 == 0) {
			assert_true(n < max);
			ret[n++] = i;
		}
	thin_disk_release(&s->disk);
	thin_run_close(&s->stage.run);
	return n;
}

static void refuse_everywhere(void (*make)(struct thin_run *r), unsigned unwanted, unsigned every)
{
	static uint64_t calls[4000];
	static struct refusals s;
	bool all_ways = thin_run_every() == 1;

	s.n = 0;
	thin_stage_init(&s.stage, make);
	for (size_t i = 0; i < thin_scenes_n; i++) {
		size_t n;

		if (thin_scenes[i].flags & unwanted)
			continue;
		n = list_calls(&s, &thin_scenes[i], calls, ARRAY_SIZE(calls));
		for (size_t k = i % every; k < n; k += every)
			for (unsigned way = 0; way < WAYS; way++)
				if (all_ways || way == (i + k / every) % WAYS)
					refuse(&s, &thin_scenes[i], calls[k], &ways[way]);
	}
	print_message("%llu refusals\n", (unsigned long long)s.n);
	thin_stage_release(&s.stage);
}

static void a_refused_call_leaves_the_last_commit(void **state)
{
	(void)state;
	refuse_everywhere(thin_scenes_small, SCENE_ENDS_SESSION, thin_run_every());
}

static void so_it_is_with_large_trees(void **state)
{
	(void)state;
	refuse_everywhere(thin_scenes_wide, SCENE_ENDS_SESSION | SCENE_WHOLE_BLOCKS,
			  thin_run_every());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_call_leaves_the_last_commit),
		cmocka_unit_test(so_it_is_with_large_trees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
