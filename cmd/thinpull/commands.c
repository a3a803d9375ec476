/* SPDX-License-Identifier: Apache-2.0 */
/* All verbs, in the order of the help. */
#include "cmd/thinpull/command.h"

#include <string.h>

#include "cmd/thinpull/asker.h"
#include "cmd/thinpull/bundle_args.h"
#include "cmd/thinpull/pull.h"

static const struct option_spec pull_options[] = {
	PULL_OPTIONS,
	{"pull", 0, "always|missing|never", "when to ask, if it is here (default: always)", 0},
	{"dry-run", 0, NULL, "say what would be fetched and unpacked", 0},
	{"to", 0, "oci:DIR[:NAME]", "into a layout folder, as it is and not unpacked", 0},
	{"all-platforms", 0, NULL, "with --to: an index with all that it lists", 0},
	{"keep-blobs", 0, NULL, "keep the compressed layers, too, for export", 0},
	{0},
};

static const struct option_spec import_options[] = {
	{"tag", 0, "REF", "what to call the image; needed when nothing else does", 0},
	{"all", 0, NULL, "all images that are in it", 0},
	{"platform", 0, "OS/ARCH[/VARIANT]",
	 "of images for several, of a tree (default: this machine)", 0},
	{0},
};

static const struct option_spec images_options[] = {
	{"no-trunc", 0, NULL, "whole digests", 0},
	{0},
};

static const struct option_spec inspect_options[] = {
	{"raw", 0, NULL, "the manifest or index as it is", 0},
	{"config", 0, NULL, "the image's config as it is (before the verb: --config FILE)", 0},
	{"platform", 0, "OS/ARCH[/VARIANT]", "of images for several (default: this machine)", 0},
	ASKER_OPTIONS,
	{0},
};

static const struct option_spec history_options[] = {
	{"no-trunc", 0, NULL, "whole digests and commands", 0},
	{0},
};

static const struct option_spec create_options[] = {
	{"read-only", 0, NULL, "never to be written", 0},
	{"label", 0, "KEY=VALUE", "a label; may be given several times", OPTION_REPEATS},
	{"mount", 0, "DIR", "mount it there at once, as 'mount' does (root)", 0},
	{"pull", 0, "always|missing|never", "fetch the image first (default: never)", 0},
	PULL_OPTIONS,
	{"size", 0, "SIZE", "a larger file system", OPTION_LATER},
	{0},
};

static const struct option_spec run_options[] = {
	{"rm", 0, NULL, "remove the container when it has ended", 0},
	{"name", 0, "NAME", "of the container (default: one is made up)", 0},
	BUNDLE_ARGS_OPTIONS,
	{"runtime", 0, "runc|crun|PATH", "what runs it (default: runc, else crun)", 0},
	{"pull", 0, "always|missing|never", "fetch the image first (default: missing)", 0},
	PULL_OPTIONS,
	{0},
};

static const struct option_spec rm_options[] = {
	{"force", 'f', NULL, "unmount first; no error for names that are not there", 0},
	{0},
};

static const struct option_spec bundle_options[] = {
	BUNDLE_ARGS_OPTIONS,
	{0},
};

static const struct option_spec export_options[] = {
	{"output", 'o', "FILE|-", "where to; - is standard output", 0},
	{"format", 0, "raw|tar|oci-archive",
	 "raw: the ext4 file system, sparse (default); tar: its tree; oci-archive: an image", 0},
	{0},
};

static const struct option_spec pool_create_options[] = {
	{"size", 0, "SIZE", "of the data (default: 100G)", 0},
	{"metadata-size", 0, "SIZE", "of the metadata (default: from the size of the data)", 0},
	{"block-size", 0, "SIZE", "unit of sharing, 64k to 1G (default: 64k; --lvm: 512k)", 0},
	{"base-size", 0, "SIZE", "of the file system of every layer, 8M to 64T (default: 64G)", 0},
	{"base-inodes", 0, "NUMBER", "inodes of it (default: one for each 16 KiB)", 0},
	{"loop", 0, NULL, "in files, and in the kernel at once, on loop devices", 0},
	{"device", 0, "DEV", "for the kernel, on a block device", 0},
	{"metadata-device", 0, "DEV", "its metadata on another one (default: the front of DEV)", 0},
	{"lvm", 0, "DEV", "for the kernel, in a volume group that LVM makes on DEV", 0},
	{"force", 0, NULL, "take devices with something on them, which is lost", 0},
	{"when-full", 0, "error|queue", "what becomes of writes then (default: error)", 0},
	{"no-zero", 0, NULL, "blocks are not zeroed before they are written", 0},
	{0},
};

static const struct option_spec pool_adopt_options[] = {
	{"base-size", 0, "SIZE", "of the file system of every layer, 8M to 64T (default: 64G)", 0},
	{"base-inodes", 0, "NUMBER", "inodes of it (default: one for each 16 KiB)", 0},
	{"when-full", 0, "error|queue", "what becomes of writes then (default: error)", 0},
	{"no-zero", 0, NULL, "blocks are not zeroed before they are written", 0},
	{0},
};

static const struct option_spec pool_destroy_options[] = {
	{"force", 0, NULL, "its containers, too, mounted or not; and when it is damaged", 0},
	{0},
};

static const struct option_spec pool_extend_options[] = {
	{"size", 0, "[+]SIZE", "of the data", 0},
	{"metadata-size", 0, "[+]SIZE", "of the metadata (default: from the size of the data)", 0},
	{0},
};

static const struct option_spec pool_repair_options[] = {
	{"dry-run", 0, NULL, "say what would be done", 0},
	{0},
};

static const struct option_spec pool_dump_options[] = {
	{"metadata-snap", 0, NULL, "the metadata snapshot that is held, instead", 0},
	{0},
};

static const struct option_spec login_options[] = {
	{"username", 'u', "NAME", "who is to log in (default: asked for)", 0},
	{"password-stdin", 0, NULL, "the password is on standard input (default: asked for)", 0},
	{"authfile", 0, "FILE", "where to keep it", 0},
	{0},
};

static const struct option_spec logout_options[] = {
	{"authfile", 0, "FILE", "where it was kept, and nowhere else", 0},
	{0},
};

#define CHECKED_OUT                                                                                   \
	"On the kernel engine that is the container in the pool, a thin device, and nothing is\n"     \
	"copied. On the file engine it is checked out first, into a file of its own (sharing\n"       \
	"blocks where the file system can), which is the container's store from then on, whichever\n" \
	"engine has the pool later: export reads it, rm deletes it."

#define LATER(name, operands, summary)                             \
	{                                                          \
		name, operands, summary, NULL, 0, 0, NULL, NULL, 0 \
	}

const struct command commands[] = {
	{"pull", "REF...", "fetch images; each layer becomes a thin snapshot", pull_options, 1,
	 OPERANDS_ANY, cmd_pull,
	 "Fetches what is missing, verifies it, and makes one thin snapshot for each layer. The\n"
	 "pool is made when there is none. Prints REF@DIGEST, a line for each.\n"
	 "REF is [docker://]name[:tag][@digest], or oci:DIR[:TAG|@INDEX][@DIGEST], and the same of\n"
	 "oci-archive:FILE and docker-archive:FILE, see 'thinpull help import'.\n"
	 "Registries are asked by https: certificates are checked by the system's authorities or\n"
	 "those in SSL_CERT_FILE, HTTPS_PROXY and NO_PROXY count. Mirrors, short names and more\n"
	 "certificates are as hosts.toml, registries.conf and certs.d say. Plain http is spoken\n"
	 "only to registries on this machine, or where these say so. Credentials are those of\n"
	 "docker, podman and skopeo, or of 'thinpull login'; others on the machine can see those\n"
	 "of --creds for a moment.\n"
	 "A blob that was begun, by this pull or by one that was stopped, is gone on with; pulls that\n"
	 "want the same one fetch it once.\n"
	 "--dry-run asks for manifest and config alone, and says what would be done: which layers\n"
	 "are here, what would be fetched, and about how much that unpacks to.\n"
	 "--keep-blobs keeps what was fetched, beside what it was unpacked to, until rmi: an export is\n"
	 "the same image then.\n"
	 "--to adds the image to a layout folder, which skopeo, podman and 'thinpull pull oci:DIR:NAME'\n"
	 "read; nothing is unpacked, and no pool is made. It is called NAME there, or as it is recorded\n"
	 "here. What the folder has already is verified and not fetched, also after a kill.\n"
	 "--allow-foreign: a layer that the registry has not got, a foreign one, is asked for at\n"
	 "the urls in its image, by https and without credentials.\n"
	 "'thinpull REF' is the same.",
	 0},
	{"import", "FILE|DIR|-", "take images from an archive", import_options, 1, 1, cmd_import,
	 "What it is, its content says: an archive or a folder in OCI image layout, an archive of\n"
	 "'docker save' and those who write the same, or a tar of the root of a file system, which\n"
	 "becomes an image of one layer. All as a file or, -, from standard input; plain or\n"
	 "compressed as a whole with gzip, zstd, xz or bzip2. What cannot be read in place is\n"
	 "unpacked to the spool first. 'docker save IMAGE | thinpull import -' needs no more.\n"
	 "Images have the names that the archive gives them, as of a registry, or that of --tag.\n"
	 "Of several one is chosen by FILE:NAME or FILE@INDEX. 'oci:', 'oci-archive:' or\n"
	 "'docker-archive:' before FILE says what it must be; 'thinpull pull' takes these, too, and\n"
	 "records the image under that name. Prints REF@DIGEST, a line for each name.",
	 0},
	{"images", "", "list the images", images_options, 0, 0, cmd_images, NULL, 0},
	{"image inspect", "REF", "all about an image", inspect_options, 1, 1, cmd_image_inspect,
	 "A page for people. With --json all there is, the image's own config word by word, and\n"
	 "for each layer its names (blob, DiffID, ChainID) and where it is in the pool.\n"
	 "size_bytes are those of its files, blob_bytes those that were fetched.\n"
	 "docker://REF asks the registry and pulls nothing, whether the image is here or not; so do\n"
	 "oci:DIR and the like for what is not. What is not known of such an image is null in JSON.\n"
	 "--raw is what the reference stands for, byte by byte, and with --platform the manifest for\n"
	 "that: of artifacts, too.",
	 0},
	{"image history", "REF", "how an image was made, the last step first", history_options, 1,
	 1, cmd_image_history, "What the image says of itself; sizes are those of the files.", 0},
	{"tag", "REF NEW", "another name for an image", NULL, 2, 2, cmd_tag,
	 "NEW is a name as of a registry, without a digest. When another image has it, it is\n"
	 "taken from that one. Prints the name in full.",
	 0},
	{"rmi", "REF...", "remove images and the layers that nothing else needs", NULL, 1,
	 OPERANDS_ANY, cmd_rmi, NULL, 0},
	{"create", "REF [NAME]", "make a container: a writable snapshot of an image",
	 create_options, 1, 2, cmd_create, "Prints the name of the container.", 0},
	{"ls", "", "list the containers", NULL, 0, 0, cmd_ls,
	 "STATE is ready (in the pool), checked_out (in a file of its own), attached (to a block\n"
	 "device), mounted, running, or extracted (into a folder).",
	 0},
	{"inspect", "NAME", "all about a container", NULL, 1, 1, cmd_inspect,
	 "A page for people; with --json an object with the keys of ls. Its own bytes are what\n"
	 "goes free when it is removed.",
	 0},
	{"rm", "NAME...", "remove containers", rm_options, 1, OPERANDS_ANY, cmd_rm,
	 "What was extracted into a folder of the user's stays there.", 0},
	{"rename", "OLD NEW", "rename a container", NULL, 2, 2, cmd_rename, NULL, 0},
	LATER("reset", "NAME", "put a container back to its image"),
	LATER("fork", "NAME NEW", "a snapshot of a container"),
	LATER("resize", "NAME SIZE", "grow a container"),
	{"path", "NAME", "make the block device of a container available", NULL, 1, 1, cmd_path,
	 "Prints the path of a block device with the container's file system, for a virtual\n"
	 "machine for example; 'thinpull umount' takes it away. That of a read-only container is\n"
	 "read-only. An ordinary user has no devices and gets the path of a file instead, which is\n"
	 "as good a drive.\n" CHECKED_OUT,
	 0},
	{"mount", "NAME [DIR]", "mount a container", NULL, 1, 2, cmd_mount,
	 "Prints the mount point: DIR, made when missing, or one in the run folder. Only\n"
	 "root can mount.\n" CHECKED_OUT,
	 0},
	{"umount", "NAME|DIR", "unmount a container", NULL, 1, 1, cmd_umount,
	 "Takes away all mounts of the container and its block device. What was written stays in\n"
	 "the container. DIR is one of its mount points.",
	 0},
	{"bundle", "NAME DIR [--] [CMD...]", "an OCI runtime bundle of a container", bundle_options,
	 2, OPERANDS_ANY, cmd_bundle,
	 "Makes DIR/config.json from what the image says, and DIR/rootfs; 'runc run -b DIR ID' runs\n"
	 "it then. CMD is run instead of the image's Cmd; options of CMD stand after --. Prints DIR.\n"
	 "As root, rootfs is the container, mounted; 'thinpull umount' ends that.\n" CHECKED_OUT
	 "\n"
	 "As an ordinary user, rootfs is a copy of the container: what is written there stays there,\n"
	 "and is not exported. Not kept are owners (all is yours), devices, capabilities and ACLs of\n"
	 "files, security.* and trusted.* attributes; a warning says what there was. It runs in a\n"
	 "user namespace in which you are root, and nobody else is.",
	 0},
	{"run", "REF [--] [CMD...]", "create a container and run a command in it", run_options, 1,
	 OPERANDS_ANY, cmd_run,
	 "What follows REF is the command, as it is; without one the image's own runs. Standard\n"
	 "input, output and error are the container's, signals go to it, and the exit status is its\n"
	 "own: 128 + N when signal N ended it, 125 when it was not started. Without --rm the\n"
	 "container stays, with what was written, see 'thinpull ls'; one that was not started does\n"
	 "not. A terminal is the default where standard input and output are one.\n"
	 "As root the container is mounted while it runs: on the kernel engine as it is in the\n"
	 "pool; on the file engine it leaves the pool for a file of its own. As an ordinary user its\n"
	 "files are a copy in a folder: all of them belong to you, who are root inside, and there is\n"
	 "nobody else; devices and security attributes are left out.",
	 COMMAND_RUNS},
	LATER("drive", "NAME", "a container as a drive of a virtual machine"),
	{"export", "NAME|REF -o FILE|-", "write out a file system", export_options, 1, 1,
	 cmd_export,
	 "Names of containers are looked up before references to images. A tar has everything but\n"
	 "sockets: 'tar -xf FILE --numeric-owner --xattrs --xattrs-include=*' as root, in an empty\n"
	 "folder, gives the same tree again.\n"
	 "An oci-archive is for skopeo, podman, docker load and the like. An image that was pulled with\n"
	 "--keep-blobs is in it as it was pulled, under the same digest. Of all others the tars that\n"
	 "layers came from are gone: it has one layer with the whole tree, under the same config, and\n"
	 "a digest of its own. The same tree gives the same bytes, also after an import.\n"
	 "An image keeps its name, if that is one of a registry.",
	 0},
	LATER("diff", "NAME", "what a container changed"),
	LATER("commit", "NAME REF", "a container as a new image"),
	{"pool create", "", "make the pool", pool_create_options, 0, 0, cmd_pool_create,
	 "Which one is said by --pool. The first pull makes it with the defaults. With --lvm LVM\n"
	 "makes the volume group thinpull-NAME on the device and a thin pool in it, which it extends\n"
	 "by itself (80 % full: 20 % more) as long as the group has room; the size is such that it\n"
	 "has for one time. 'vgextend' gives it more.",
	 0},
	{"pool adopt", "VG/LV", "use a thin pool of LVM", pool_adopt_options, 1, 1, cmd_pool_adopt,
	 "It must be as LVM made it: without thin volumes, and without a transaction of anybody's.\n"
	 "From then on it is this pool's alone, and LVM makes no volumes in it; how it is extended\n"
	 "stays LVM's matter. 'pool destroy' empties it and gives it back as it was. Prints the\n"
	 "name of the pool.",
	 0},
	{"pool status", "", "what the pool holds", NULL, 0, 0, cmd_pool_status,
	 "In whatever mode it is; \"What to do\" names the command that leads out of one that lets\n"
	 "nothing be changed. Nothing is activated to look. Exit status 8 or 10 for a pool that\n"
	 "cannot be read at all.",
	 0},
	{"pool extend", "", "grow the pool", pool_extend_options, 0, 0, cmd_pool_extend,
	 "SIZE is the new total, or with a + before it what is added: --size +50G. A pool never\n"
	 "shrinks. Its files are sparse: the host's space is taken when something is written.\n"
	 "Those who use the pool go on meanwhile. A pool on devices that were made larger takes all of\n"
	 "them when no SIZE is given. Prints the name of the pool.",
	 0},
	{"pool check", "", "check the pool's metadata", NULL, 0, 0, cmd_pool_check,
	 "Prints what it finds; exit status 8 when there is something. What is not repairable is\n"
	 "said to be; see 'thinpull help pool repair' for the rest.",
	 0},
	{"pool repair", "", "repair the pool's metadata", pool_repair_options, 0, 0,
	 cmd_pool_repair,
	 "Puts right whatever can be told from what the devices map, which itself is never changed:\n"
	 "space maps, reference counts, leaked blocks, free-space hints, mapped blocks, sharing that\n"
	 "times hide, the needs_check mark, files that are too long. All or nothing: a kill leaves\n"
	 "the pool as it was, and when something cannot be repaired without loss nothing is changed\n"
	 "and the exit status is 8. Then a copy of the pool's file meta is what thin_repair may save\n"
	 "more of; or pull again, into a new pool.",
	 0},
	{"pool trim", "", "give free blocks back to the host", NULL, 0, 0, cmd_pool_trim,
	 "What removed images and containers held takes no space of the host's file system any\n"
	 "more; on a device it is discarded. For pools in the kernel, whose blocks stay where they\n"
	 "are when they are freed, while containers run: they wait a moment now and then. The\n"
	 "pool is checked first, and nothing is done to one that is damaged (exit status 8). Not\n"
	 "for pools of LVM. What is free inside a container is for 'fstrim' in it.",
	 0},
	{"pool dump", "", "the pool's metadata as XML", pool_dump_options, 0, 0, cmd_pool_dump,
	 "As thin_dump prints it and thin_restore reads it: one state, whoever writes meanwhile. Of\n"
	 "a damaged pool what can be read, and exit status 8.",
	 0},
	{"pool watch", "", "grow the pool when it runs full", NULL, 0, 0, cmd_pool_watch,
	 "In the foreground, until a signal ends it, for a pool in the kernel: sleeps until the\n"
	 "kernel says that it runs full, extends a pool on loop devices (--autoextend-threshold,\n"
	 "--autoextend-percent), and prints what becomes of its mode. Every command does so in\n"
	 "passing; this is for pools that are filled by what runs in them. Those of LVM are\n"
	 "extended by LVM's own daemon. A pool that is not active is waited for. With --json an\n"
	 "object a line, one for each event.",
	 0},
	{"pool activate", "", "give the pool to the kernel", NULL, 0, 0, cmd_pool_activate,
	 "Any command that needs the pool does so; after a boot this is for those who want to know\n"
	 "early. What a killed command left half done is put right. Prints the name of the pool.",
	 0},
	{"pool deactivate", "", "take the pool back from the kernel", NULL, 0, 0,
	 cmd_pool_deactivate,
	 "All its devices go. Refused while a container is mounted, or its device open. A pool in\n"
	 "files is the file engine's then, until the next command as root takes it for the kernel\n"
	 "again; --engine file says otherwise. Prints the name of the pool.",
	 0},
	{"pool destroy", "", "remove the pool and all that is in it", pool_destroy_options, 0, 0,
	 cmd_pool_destroy,
	 "Its images and layers, its files or what was written on its devices, which are blank\n"
	 "afterwards. A kill on the way leaves a pool that nobody finds, and the next command that\n"
	 "writes finishes it. Prints the name of the pool.",
	 0},
	{"info", "", "engine, pool, counts and versions", NULL, 0, 0, cmd_info, NULL, 0},
	{"df", "", "space by image, layer and container", NULL, 0, 0, cmd_df,
	 "Sizes of the first table add up to what the pool uses; what containers share with their\n"
	 "images counts for the images. Exclusive is what nobody else uses: removing it frees as\n"
	 "much. Two references to one image have nothing exclusive. Reclaimable: free when all\n"
	 "that is not active is removed. Outside: files of containers that left the pool.",
	 0},
	{"tree", "", "the tree of snapshots", NULL, 0, 0, cmd_tree,
	 "Layers by ChainID, each on the one below it; their files, what their device maps with\n"
	 "all that it inherits, and how much of that nobody else does.",
	 0},
	LATER("gc", "", "remove what is not needed"),
	LATER("pin", "REF", "keep an image from gc"),
	LATER("unpin", "REF", "let gc have an image"),
	LATER("check", "", "pool against catalog against content"),
	LATER("doctor", "", "is this machine fit?"),
	{"login", "REGISTRY", "keep credentials for a registry", login_options, 1, 1, cmd_login,
	 "Tries them there first. They are kept where docker, podman and skopeo look for them, too:\n"
	 "in --authfile or $REGISTRY_AUTH_FILE, else in the first of these that is there:\n"
	 "$XDG_RUNTIME_DIR/containers/auth.json, ~/.config/containers/auth.json,\n"
	 "~/.docker/config.json; the last is made when there is none. A file is not encrypted: with\n"
	 "credsStore or credHelpers in it, the program named there keeps the password. Prints the\n"
	 "name of the registry.",
	 0},
	{"logout", "REGISTRY", "forget credentials for a registry", logout_options, 1, 1,
	 cmd_logout,
	 "In all places where they are looked for, or in --authfile alone. Credentials for some of\n"
	 "its repositories stay. Prints the name of the registry.",
	 0},
	{"version", "", "the version of the program and its libraries", NULL, 0, 0, cmd_version,
	 NULL, COMMAND_WITHOUT_SETTINGS},
	{"help", "[VERB]", "this, or help on a verb", NULL, 0, 2, cmd_help, NULL,
	 COMMAND_WITHOUT_SETTINGS},
	{"completion", "bash|zsh|fish", "a completion script for a shell", NULL, 1, 1,
	 cmd_completion,
	 "To try it: source <(thinpull completion bash), the same in zsh;\n"
	 "thinpull completion fish | source. For good, where the shell looks for such:\n"
	 "/etc/bash_completion.d/thinpull, a file _thinpull in zsh's fpath,\n"
	 "~/.config/fish/completions/thinpull.fish.",
	 COMMAND_WITHOUT_SETTINGS},
	{0},
};

bool command_is_group(const char *word)
{
	size_t len = strlen(word);

	for (const struct command *c = commands; c->name; c++)
		if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
			return true;
	return false;
}

const struct command *command_find(const char *first, const char *second)
{
	size_t len = strlen(first);

	for (const struct command *c = commands; c->name; c++) {
		if (strncmp(c->name, first, len) != 0)
			continue;
		if (second ? c->name[len] == ' ' && strcmp(c->name + len + 1, second) == 0
			   : c->name[len] == 0)
			return c;
	}
	return NULL;
}
