/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of pkg/host/lvm: running the program, reading what it reports. */
#pragma once

#include <stddef.h>

#include "pkg/base/buffer.h"
#include "pkg/host/lvm.h"

/* --- one run ---------------------------------------------------------------------------------- */

enum lvm_run_flags {
	/* A signal to us goes on to it as SIGINT, which it takes where its metadata is whole. */
	LVM_RUN_INTERRUPTIBLE = 1,
};

struct lvm_limits {
	unsigned run_ms;      /* then it is asked to end */
	unsigned patience_ms; /* after each time that it is asked, at last by SIGKILL */
};

struct lvm_run {
	int wait_status;
	struct buffer out, messages; /* what it wrote to stdout and stderr */
};
void lvm_run_release(struct lvm_run *r);

/*
 * Start it and wait for its end, however that is. It has a clean environment (English, LVM's own
 * folder, no udev where there is none), no terminal and none of our files, and is told to end when
 * we do.
 * @args: "lvs", ..., NULL.
 * Errors: ERR_UNSUPPORTED (not installed), ERR_INTERRUPTED, ERR_SYSTEM (it does not end; it says more
 * than a report can be).
 */
MUST_CHECK int lvm_run(const char *const *args, enum lvm_run_flags flags,
		       const struct lvm_limits *limits, struct lvm_run *ret, struct error *err);

/* 0, or -1 when it failed: the first line of what it said is the cause. */
MUST_CHECK int lvm_run_check(const struct lvm_run *r, const char *command, struct error *err);

/* --- what it reports -------------------------------------------------------------------------- */

/* Of `--reportformat json --units b --nosuffix`; the columns are those of lvm.c. Each is owned, also
 * when it has no rows. Errors: ERR_INVALID. */
struct lvm_pool_rows {
	struct lvm_pool *items;
	size_t n;
};
void lvm_pool_rows_release(struct lvm_pool_rows *rows);
MUST_CHECK int lvm_report_pools(const void *json, size_t len, struct lvm_pool_rows *ret,
				struct error *err);

struct lvm_group_rows {
	struct lvm_group *items;
	size_t n;
};
void lvm_group_rows_release(struct lvm_group_rows *rows);
/* @list: "vg" or "pv". */
MUST_CHECK int lvm_report_groups(const void *json, size_t len, const char *list,
				 struct lvm_group_rows *ret, struct error *err);

/* The value of NAME=value in what lvmconfig prints, without its quotes. @ret: owned. Errors:
 * ERR_INVALID. */
MUST_CHECK int lvm_report_setting(const void *text, size_t len, const char *name, char **ret,
				  struct error *err);
