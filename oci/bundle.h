/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json of an OCI runtime bundle, from an image's configuration. Keys sorted, no clock: the
 * same input gives the same bytes. Starts nothing and mounts nothing.
 * Spec: runtime-spec 1.0.2 config.md, image-spec v1.1 conversion.md, rules of part D.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "oci/runconfig.h"
#include "pkg/base/buffer.h"
#include "pkg/base/error.h"
#include "pkg/ext4/read.h"

/* What is asked for besides the image; all borrowed, zero means: as the image or the default. */
struct bundle_options {
	const char *hostname;
	const char *const *cmd; /* instead of Cmd; ended by NULL */
	const char *const
		*entrypoint;	/* instead of Entrypoint, Cmd is then dropped; ended by NULL */
	const char *const *env; /* NAME=VALUE, over those of the image; ended by NULL */
	const char *user, *working_dir;
	bool terminal;
	bool read_only;
	bool volumes;		  /* a tmpfs at each of the image's Volumes */
	bool host_network;	  /* no network namespace of its own */
	const char *cgroups_path; /* NULL: left to the runtime */
	/* For an ordinary user: a user namespace in which this one is root, and nobody else is. */
	bool rootless;
	uid_t host_uid;
	gid_t host_gid;
};

/*
 * @fs: where /etc/passwd and /etc/group are read from, resolved inside.   @ret: appended to.
 * Errors: ERR_INVALID (env, user, paths, nothing to run).
 */
MUST_CHECK int bundle_config(const struct oci_runconfig *image, struct ext4_reader *fs,
			     const struct bundle_options *options, struct buffer *ret,
			     struct error *err);
