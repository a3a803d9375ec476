/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of hints by detail and by kind, verb before general; and the one for verbs taken for
 * images. */
#include "cmd/thinpull/hints.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cmd/thinpull/suggest.h"
#include "pkg/base/alloc.h"

/* What the detail of an error advises, whatever the verb. */
static const char *const details[] = {
	[ERR_DETAIL_HOST] = "check the name of the host, and that this machine has network",
	[ERR_DETAIL_CONNECT] = "check host and port, and that the registry runs",
	[ERR_DETAIL_SILENT] = "check the network, and whether a proxy is needed (HTTPS_PROXY)",
	[ERR_DETAIL_NO_TLS] = "perhaps plain http is spoken there, which is taken only from "
			      "registries on this machine, and from those that registries.conf "
			      "calls insecure",
	[ERR_DETAIL_AUTHORITY] =
		"if you trust who signed it, add that authority to the system's "
		"(update-ca-certificates), or for this host alone as "
		"/etc/docker/certs.d/HOST/ca.crt, or name its file in SSL_CERT_FILE",
	[ERR_DETAIL_CERT_NAME] =
		"use the name that the certificate is for; if there is none, ask who runs "
		"the registry",
	[ERR_DETAIL_CERT_DATE] = "the registry needs a new certificate, unless the clock of this "
				 "machine is wrong",
	[ERR_DETAIL_NO_CA_FILE] = "install ca-certificates, or name a file of certificates in "
				  "SSL_CERT_FILE",
	[ERR_DETAIL_NO_NAME] = "check the name of the image: there is no such repository",
	[ERR_DETAIL_NO_MANIFEST] = "check name and tag of the image",
	[ERR_DETAIL_PLATFORM] = "--platform takes one of these",
	[ERR_DETAIL_NO_BLOB] =
		"the registry has lost a part of this image: it must be pushed again",
	[ERR_DETAIL_FOREIGN] = "--allow-foreign asks for it where the image says that it is",
	[ERR_DETAIL_TOO_MANY] = "the registry limits how often it is asked: wait, then try again",
	[ERR_DETAIL_CONFIG] = "a file on this machine says so: correct it, or ask who keeps it",
	[ERR_DETAIL_FS_BLOCKS] = "make a pool with a larger --base-size",
	[ERR_DETAIL_FS_INODES] = "make a pool with more --base-inodes",
	[ERR_DETAIL_SERVER] = "the fault is on the registry's side; worth trying again later",
	[ERR_DETAIL_LOGIN] =
		"registries answer so for what does not exist, too: check name and tag; "
		"for what is not for anybody, 'thinpull login REGISTRY' stores who you are",
	[ERR_DETAIL_CREDENTIALS] =
		"check name and tag, and whether these credentials are for them; 'thinpull login "
		"REGISTRY' stores others",
	[ERR_DETAIL_AUTH_FILE] = "mend that, or name another file of credentials with --authfile",
	[ERR_DETAIL_POOL_FULL] = "'thinpull pool extend --size +SIZE' makes it larger; removing "
				 "images or containers makes room, too",
	[ERR_DETAIL_METADATA_LOW] = "'thinpull pool extend --metadata-size +SIZE' makes room; so "
				    "does removing images or containers",
	[ERR_DETAIL_HOST_FULL] = "make room in that file system; removing images or containers "
				 "gives theirs back to it",
	[ERR_DETAIL_NEEDS_CHECK] =
		"'thinpull pool repair' looks for damage, and takes the mark away when "
		"there is none left",
	[ERR_DETAIL_POOL_FEATURES] =
		"a newer program wrote it: use that, or a newer version of this",
	[ERR_DETAIL_SNAPSHOTS] =
		"make another one with 'thinpull --pool NAME pool create', and pull "
		"there what is needed",
	[ERR_DETAIL_INACTIVE] =
		"'thinpull pool activate' has LVM activate it, which it does by itself when the "
		"machine starts unless it is told not to",
	[ERR_DETAIL_NO_DISK] =
		"attach the disk of this name; 'thinpull pool destroy --force' gives "
		"up what is on it",
	[ERR_DETAIL_POOL_METADATA_FULL] =
		"'thinpull pool extend --metadata-size +SIZE' makes room; nothing can be removed "
		"before",
	[ERR_DETAIL_POOL_READ_ONLY] = "'thinpull pool deactivate', then 'thinpull pool repair', "
				      "which looks for damage and takes the mark away",
	[ERR_DETAIL_POOL_FAILED] =
		"umount what is mounted of it; then 'thinpull pool deactivate', and 'thinpull pool "
		"repair', which looks for damage",
	[ERR_DETAIL_POOL] = "'thinpull pool check' says more",
	[ERR_DETAIL_FILE_SYSTEM] =
		"what was written into it is damaged, not the pool: e2fsck on what "
		"'thinpull path NAME' prints may mend a container",
	[ERR_DETAIL_KERNEL_POOL] = "'thinpull pool deactivate' as root gives it back to the file "
				   "engine",
	[ERR_DETAIL_NOT_BLANK] = "--force takes it, and what is on it is lost",
	[ERR_DETAIL_MOUNTED] = "'thinpull umount' first, or rm --force",
	[ERR_DETAIL_MADE_FROM] = "remove its containers first, see 'thinpull ls'",
	[ERR_DETAIL_CONTAINERS] = "'thinpull rm' them, or --force",
	[ERR_DETAIL_FILE] = "put the file back as it was; if that cannot be, 'thinpull rm' the "
			    "container",
};

static const struct hint {
	enum error_kind kind;
	int sys;	  /* 0 = any */
	const char *verb; /* NULL = any */
	const char *text;
} hints[] = {
	{ERR_NOT_FOUND, 0, "create", "'thinpull images' lists what is here; 'thinpull pull' adds"},
	{ERR_NOT_FOUND, 0, "export", "see 'thinpull ls' and 'thinpull images'"},
	{ERR_NOT_FOUND, 0, "image inspect",
	 "see 'thinpull images'; docker://REF asks the registry"},
	{ERR_NOT_FOUND, 0, "image history", "see 'thinpull images'"},
	{ERR_NOT_FOUND, 0, "tag", "see 'thinpull images'"},
	{ERR_NOT_FOUND, 0, "inspect", "see 'thinpull ls'; images have 'thinpull image inspect'"},
	{ERR_NOT_FOUND, 0, "rename", "see 'thinpull ls'"},
	{ERR_NOT_FOUND, 0, "rm", "see 'thinpull ls'"},
	{ERR_NOT_FOUND, 0, "rmi", "see 'thinpull images'"},
	{ERR_NOT_FOUND, 0, "path", "see 'thinpull ls'"},
	{ERR_NOT_FOUND, 0, "mount", "see 'thinpull ls'"},
	{ERR_NOT_FOUND, 0, "umount", "see 'thinpull ls'"},
	{ERR_NOT_FOUND, 0, "bundle", "see 'thinpull ls'; 'thinpull create' makes one"},
	{ERR_NOT_FOUND, 0, "pool status", "'thinpull pool create' makes it, so does any pull"},
	{ERR_NOT_FOUND, 0, "df", "'thinpull pool create' makes it, so does any pull"},
	{ERR_NOT_FOUND, 0, "tree", "'thinpull pool create' makes it, so does any pull"},
	{ERR_NOT_FOUND, 0, "pool check", "'thinpull pool create' makes it, so does any pull"},
	{ERR_NOT_FOUND, 0, "pool repair", "'thinpull pool create' makes it, so does any pull"},
	{ERR_NOT_FOUND, 0, "pool extend", "'thinpull pool create' makes it, so does any pull"},
	{ERR_VERIFICATION, 0, "pull",
	 "the content is not what its digest names; nothing was kept "
	 "of it"},
	{ERR_INVALID, 0, "pull", "the fault is in the image or its registry, not on this machine"},
	{ERR_VERIFICATION, 0, "image inspect", "the content is not what its digest names"},
	{ERR_INVALID, 0, "image inspect",
	 "the fault is in the image or its registry, not on this machine"},
	{ERR_INCONSISTENT, 0, "pool check",
	 "do not write to this pool; save a copy of it first, then see what 'thinpull pool repair "
	 "--dry-run' says"},
	{ERR_INCONSISTENT, 0, "pool repair",
	 "a copy of its file meta is for thin_repair; or pull again into a new pool, see --pool"},
	{ERR_NO_SPACE, 0, "pool repair",
	 "thin_dump and thin_restore can put it into a larger file"},
	{ERR_INCONSISTENT, 0, NULL, "'thinpull pool check' says more"},
	{ERR_BUSY, 0, "rename", "see 'thinpull ls'"},
	{ERR_UNSUPPORTED, EUCLEAN, NULL,
	 "'thinpull mount NAME' and then 'thinpull umount NAME' let the kernel do that, or e2fsck -p on "
	 "what 'thinpull path NAME' prints"},
	{ERR_UNSUPPORTED, 0, "export", "--format raw takes every file system as it is"},
	{ERR_UNSUPPORTED, 0, "mount", "without root, 'thinpull bundle' makes a folder of it"},
	{ERR_NETWORK, 0, NULL, "worth trying again"},
	{ERR_SYSTEM, EACCES, NULL, "another root folder can be given with --root"},
	{ERR_SYSTEM, EROFS, NULL, "another root folder can be given with --root"},
};

const char *hint_of_detail(enum error_detail detail)
{
	return (size_t)detail < ARRAY_SIZE(details) ? details[detail] : NULL;
}

static char *usage_hint(const struct invocation *inv)
{
	if (inv->command && !inv->bare)
		return xasprintf("see 'thinpull help %s'", inv->command->name);
	if (inv->group)
		return xasprintf("see 'thinpull help %s'", inv->group);
	return xstrdup("see 'thinpull help'");
}

/* The verb whose first word is closest to what was given, or NULL. */
static const struct command *closest_verb(const char *word)
{
	const struct command *best = NULL;
	size_t distance = SIZE_MAX;

	for (const struct command *c = commands; c->name; c++) {
		cleanup_free char *first = xstrndup(c->name, strcspn(c->name, " "));
		struct suggestion this = {0};

		suggestion_try(&this, word, first);
		if (!this.word || this.distance >= distance)
			continue;
		best = c;
		distance = this.distance;
	}
	return best;
}

/* A reference that stood where a verb would, is not to be had, and looks like a verb. */
static char *verb_hint(const struct invocation *inv, const struct error *err)
{
	const struct command *verb;

	if (!inv->bare || inv->args.n_operands == 0
	    || (err->kind != ERR_NOT_FOUND && err->kind != ERR_UNAUTHORIZED
		&& err->kind != ERR_NETWORK))
		return NULL;
	verb = closest_verb(inv->args.operands[0]);
	if (!verb)
		return NULL;
	return xasprintf("did you mean 'thinpull %.*s'?", (int)strcspn(verb->name, " "),
			 verb->name);
}

char *hint_make(const struct invocation *inv, const struct error *err)
{
	char *hint = verb_hint(inv, err);
	const char *verb = inv->command ? inv->command->name : "";

	if (hint)
		return hint;
	if (err->detail != ERR_DETAIL_NONE)
		return xstrdup(hint_of_detail(err->detail));
	if (err->kind == ERR_USAGE)
		return usage_hint(inv);
	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (hints[i].kind == err->kind && (!hints[i].sys || hints[i].sys == err->sys)
		    && (!hints[i].verb || strcmp(hints[i].verb, verb) == 0))
			return xstrdup(hints[i].text);
	return NULL;
}
