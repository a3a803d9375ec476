/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors as values. A fallible function returns 0 or -1 and fills the struct error that its
 * caller owns; nothing is allocated, so nothing has to be freed. Only cmd/ prints one.
 */
#pragma once

#include <stdbool.h>

#define MUST_CHECK	  __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* What a caller can act on. cmd/ maps each kind to one exit status. */
enum error_kind {
	ERR_NONE,
	ERR_SYSTEM,	  /* a system call failed, sys holds errno           */
	ERR_NOT_FOUND,	  /* image, layer, container or pool                 */
	ERR_USAGE,	  /* the command line                                */
	ERR_UNAUTHORIZED, /* authentication or authorisation                 */
	ERR_VERIFICATION, /* digest, size, DiffID; a server's certificate    */
	ERR_NO_SPACE,	  /* pool data, pool metadata, inodes, host, guard   */
	ERR_BUSY,	  /* locked or in use                                */
	ERR_INCONSISTENT, /* damaged state, repair needed                    */
	ERR_NETWORK,	  /* worth retrying                                  */
	ERR_UNSUPPORTED,  /* by this kernel, file system, privilege, version */
	ERR_INVALID,	  /* invalid or hostile content                      */
	ERR_INTERRUPTED,  /* ended by a signal, sys holds its number         */
	ERR_KINDS,
};

/* Finer than the kind, where that helps to say what to do about it. */
enum error_detail {
	ERR_DETAIL_NONE,
	/* the way to a registry */
	ERR_DETAIL_HOST,       /* nobody knows the name            */
	ERR_DETAIL_CONNECT,    /* nobody listens there             */
	ERR_DETAIL_SILENT,     /* no answer in time                */
	ERR_DETAIL_NO_TLS,     /* perhaps no TLS is spoken there   */
	ERR_DETAIL_AUTHORITY,  /* a certificate by nobody we trust */
	ERR_DETAIL_CERT_NAME,  /* a certificate for another host   */
	ERR_DETAIL_CERT_DATE,  /* a certificate out of its time    */
	ERR_DETAIL_NO_CA_FILE, /* nothing to check certificates by */
	/* what it says */
	ERR_DETAIL_NO_NAME,	/* no such repository               */
	ERR_DETAIL_NO_MANIFEST, /* or no such tag or digest in it   */
	ERR_DETAIL_NO_BLOB,	/* a part of an image is missing    */
	ERR_DETAIL_PLATFORM,	/* it is for other machines         */
	ERR_DETAIL_TOO_MANY,	/* requests                         */
	ERR_DETAIL_FOREIGN,	/* a part of it is elsewhere        */
	ERR_DETAIL_SERVER,	/* the fault is on its side         */
	ERR_DETAIL_LOGIN,	/* it was not said who asks         */
	ERR_DETAIL_CREDENTIALS, /* and if it was, it did not help   */
	ERR_DETAIL_AUTH_FILE,	/* where that is kept is at fault   */
	/* what this machine says */
	ERR_DETAIL_CONFIG, /* a file of configuration, rightly or not */
	/* what a file system was made without */
	ERR_DETAIL_FS_BLOCKS, /* all of its blocks are in use       */
	ERR_DETAIL_FS_INODES, /* so are its inodes                  */
	/* what is inconsistent */
	ERR_DETAIL_POOL,	/* the pool's metadata, found through one of its volumes */
	ERR_DETAIL_FILE_SYSTEM, /* what a volume holds              */
	ERR_DETAIL_FILE,	/* a file that a container is in    */
	/* what keeps a pool from being changed */
	ERR_DETAIL_POOL_FULL,	  /* of data, or will soon be         */
	ERR_DETAIL_METADATA_LOW,  /* it will soon be full of metadata */
	ERR_DETAIL_HOST_FULL,	  /* so is the file system it is in   */
	ERR_DETAIL_NEEDS_CHECK,	  /* a kernel met damage in it        */
	ERR_DETAIL_POOL_FEATURES, /* it has some that we do not know  */
	ERR_DETAIL_SNAPSHOTS,	  /* it has counted all that it can   */
	ERR_DETAIL_INACTIVE,	  /* LVM has it, and not activated it */
	ERR_DETAIL_NO_DISK,	  /* a disk that it is on is away     */
	ERR_DETAIL_KERNEL_POOL,	  /* the kernel has it                */
	ERR_DETAIL_NOT_BLANK,	  /* a disk that is to be made one    */
	ERR_DETAIL_CONTAINERS,	  /* it has some                      */
	/* the same in the kernel, which lets no more be changed */
	ERR_DETAIL_POOL_METADATA_FULL, /* not even removed                */
	ERR_DETAIL_POOL_READ_ONLY,     /* it could not write the metadata */
	ERR_DETAIL_POOL_FAILED,	       /* nor go back to what it was      */
	/* what keeps others from going */
	ERR_DETAIL_MOUNTED,   /* a container is                  */
	ERR_DETAIL_MADE_FROM, /* a container was, from an image  */
};

struct error {
	enum error_kind kind;
	enum error_detail detail;
	int sys;
	char cause[256];
	char context[512];
};

/* A name for logs and JSON: "not_found", "verification", ... */
const char *error_kind_name(enum error_kind kind);

/*
 * Fill *err with a cause, dropping what was there. Returns -1, so that a function can end with
 * `return error_set(err, ERR_INVALID, "layer count %zu", n);`.
 */
int error_set(struct error *err, enum error_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);

/*
 * As error_set(), for a failed system call: keeps errno and appends its text. ENOSPC, EDQUOT and
 * EFBIG become ERR_NO_SPACE, all others ERR_SYSTEM. Returns -1.
 */
int error_sys(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Add a detail to a filled error. Returns -1. */
int error_set_detail(struct error *err, enum error_detail detail);

/*
 * Put what only this caller knows in front of the context of a filled error: "layer 3/7 sha256:..".
 * When the context is full the innermost parts are kept. Returns -1.
 */
int error_wrap(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Back to "no error". */
void error_clear(struct error *err);

/* In place: each control character becomes '?'. For what comes from registries and archives. */
void error_make_printable(char *text);

/*
 * The one line for the user, outside to inside, without the program's name. Control characters
 * are shown as '?', since parts of it come from registries and archives.
 * @buf, @size: borrowed; always terminated.
 */
void error_text(const struct error *err, char *buf, unsigned long size);
