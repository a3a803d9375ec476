/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a pool's folder to a handle, with the engine that is to run it. What an engine can do beyond
 * pkg/thin/pool.h is in its own engine.h.
 */
#pragma once

#include "pkg/thin/pool.h"

enum thin_engine { THIN_ENGINE_AUTO, THIN_ENGINE_KERNEL, THIN_ENGINE_FILE };

struct thin_engine_choice {
	enum thin_engine engine; /* never THIN_ENGINE_AUTO */
	const char *reason;	 /* constant text: "asked for", "not root", ... */
};

/*
 * Which engine runs this pool, and why: the one that was asked for; else the one that has it now;
 * else the kernel where that can be (root, dm-thin), else the file engine.
 * @dir: NULL = for a pool that is to be made in files.
 * Errors: ERR_UNSUPPORTED (the kernel cannot, and it was asked for or the place needs it).
 */
MUST_CHECK int thin_engine_choose(const char *dir, enum thin_engine wanted,
				  struct thin_engine_choice *ret, struct error *err);
/* "kernel", "file", "auto" */
const char *thin_engine_name(enum thin_engine engine);

enum thin_mode {
	THIN_READ,  /* never waits for a writer */
	THIN_STILL, /* to read, with writers kept waiting until close */
	THIN_WRITE, /* the pool's lock is held until close */
};

struct thin_open {
	enum thin_engine engine;
	enum thin_mode mode;
	const char *verb;	  /* what is being done, shown to those who wait; borrowed */
	unsigned lock_timeout_ms; /* how long to wait for a writer */
};

/*
 * Open a pool. The kernel engine activates it first when it is not (after a reboot).
 * Errors: ERR_NOT_FOUND (no pool here), ERR_BUSY (names the owner: a process, or the other engine),
 * ERR_INCONSISTENT, ERR_UNSUPPORTED.
 */
MUST_CHECK int thin_open(const char *dir, const struct thin_open *how, struct thin_pool **ret,
			 struct error *err);
