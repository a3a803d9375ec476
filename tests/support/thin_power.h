/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts of a run: a pool and its model from some moment on, with the disk under it watched. What a
 * killed process or a power cut leaves of any later moment must open as a committed state that
 * could be there, be clean, have the right bytes in all devices, and be fit to go on with.
 */
#pragma once

#include "tests/support/thin_cut.h"
#include "tests/support/thin_run.h"

struct thin_power {
	struct thin_run *run;
	struct thin_disk disk;
	uint64_t first_id; /* the transaction id at the start */
	/* Images are made in a copy of the pool as it is now, and undone again; those of a cut
	 * while opening are in folders of their own. */
	struct thin_disk image;
	char *folder, *opened, *cut_again;
	/* Every so many images: work goes on from there; thin_check; the cleaning-up that opening
	 * does is cut, too. 0 = never. */
	unsigned go_on_every, check_every, again_every;
	unsigned killed_every; /* so many steps; 1 = all */
	uint64_t stride;       /* every so many blocks are compared, other ones each time */

	uint64_t images;   /* so far */
	uint64_t found[2]; /* of them in the state before the last commit, or after it */
};

/* The run's last commit is where it starts. @p: has the intervals. */
void thin_power_start(struct thin_power *p, struct thin_run *r);
void thin_power_end(struct thin_power *p);

/* The run has come to where images can be made of what was before. */
void thin_power_stop(struct thin_power *p);

/* Make and judge one image. False, and said on stderr why. */
bool thin_power_judge(struct thin_power *p, const struct thin_cut *cut);

/* Make one image and go on with it: it becomes the run's pool, and the state that is in it the
 * run's model. */
bool thin_power_adopt(struct thin_power *p, const struct thin_cut *cut);

/*
 * All of them: the process killed at every step; the power cut at every sync and at the end, in
 * every combination where that makes at most so many images, else in so many random ones.
 */
bool thin_power_judge_all(struct thin_power *p, uint64_t images_max, uint64_t seed);
