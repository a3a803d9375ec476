/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of LVM that pools need, each a line of arguments. */
#include "pkg/host/lvm.h"

#include <stdio.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/base/bytes.h"
#include "pkg/base/fdio.h"
#include "pkg/host/lvm_internal.h"
#include "pkg/host/program.h"

#define POOL_COLUMNS                                                                                 \
	"vg_name,lv_name,vg_uuid,lv_uuid,segtype,lv_active,lv_size,lv_metadata_size,chunk_size,"     \
	"transaction_id,thin_count,zero,lv_when_full,seg_monitor,lv_profile,vg_free,vg_extent_size," \
	"vg_partial"
#define GROUP_COLUMNS "vg_name,vg_size,vg_free,vg_extent_size,lv_count"
#define DISK_COLUMNS  "pv_name," GROUP_COLUMNS
#define PROFILE	      "thinpull"

enum {
	NAME_MAX_CHARS = 127,
	DEVICE_UUID_CHARS = 4 + 2 * 32,
	PROFILE_MAX_BYTES = 64 << 10,
};

static const char profile_text[] = "# Thin pools made by thinpull, see lvm.conf(5).\n"
				   "activation {\n"
				   "\tthin_pool_autoextend_threshold=80\n"
				   "\tthin_pool_autoextend_percent=20\n"
				   "}\n";

static const struct lvm_limits usual = {.run_ms = 10 * 60 * 1000, .patience_ms = 10 * 1000};
/* for what runs thin_check over all of the metadata */
static const struct lvm_limits long_run = {.run_ms = 60 * 60 * 1000, .patience_ms = 10 * 1000};

/* --- running ---------------------------------------------------------------------------------- */

int lvm_check(struct error *err)
{
	cleanup_free char *path = NULL;

	if (program_find("lvm", &path, err) < 0)
		return error_set(err, ERR_UNSUPPORTED, "LVM is not installed (lvm2)");
	return 0;
}

/* A command of which only the end counts. */
static int command(const char *const *args, enum lvm_run_flags flags,
		   const struct lvm_limits *limits, struct error *err)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};

	if (lvm_run(args, flags, limits, &run, err) < 0)
		return -1;
	return lvm_run_check(&run, args[0], err);
}

static int change(const char *const *args, struct error *err)
{
	return command(args, LVM_RUN_INTERRUPTIBLE, &usual, err);
}

/* Names stand in selections and on command lines: nothing but what LVM takes itself. */
static int check_name(const char *name, struct error *err)
{
	static const char chars[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-";
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_CHARS || name[0] == '-' || strspn(name, chars) != len
	    || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, ERR_USAGE, "\"%.140s\" is no name in LVM", name);
	return 0;
}

/* As LVM writes its UUIDs: 6-4-4-4-4-4-6. */
static void dashed(const char id[32], char ret[39])
{
	snprintf(ret, 39, "%.6s-%.4s-%.4s-%.4s-%.4s-%.4s-%.6s", id, id + 6, id + 10, id + 14,
		 id + 18, id + 22, id + 26);
}

/* The UUID of a physical volume that we make is one of ours, in hexadecimal. */
static void disk_uuid(const uint8_t uuid[LVM_UUID_BYTES], char ret[39])
{
	char hex[2 * LVM_UUID_BYTES + 1];

	for (int i = 0; i < LVM_UUID_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", uuid[i]);
	dashed(hex, ret);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* A report whose rows are there counts, whatever LVM thinks of other volume groups. */
static int report(const char *verb, const char *columns, const char *selection, struct lvm_run *ret,
		  struct error *err)
{
	const char *args[] = {verb, "--reportformat", "json", "--units", "b", "--nosuffix",
			      "-o", columns,	      "-S",   selection, NULL};

	return lvm_run(args, 0, &usual, ret, err);
}

/* That there is none of that name it says as an error like all others. */
static int report_on(const char *verb, const char *columns, const char *name, struct lvm_run *ret,
		     struct error *err)
{
	const char *args[] = {verb, "--reportformat", "json", "--units", "b", "--nosuffix",
			      "-o", columns,	      name,   NULL};

	return lvm_run(args, 0, &usual, ret, err);
}

/* When there is no report, what LVM says of that tells more. */
static int prefer_said(const struct lvm_run *run, const char *verb, struct error *err)
{
	struct error said = {0};

	if (lvm_run_check(run, verb, &said) < 0)
		*err = said;
	return -1;
}

static int find_pools(const char *selection, struct lvm_pool_rows *ret, struct error *err)
{
	cleanup(lvm_pool_rows_release) struct lvm_pool_rows rows = {0};
	cleanup(lvm_run_release) struct lvm_run run = {0};

	if (report("lvs", POOL_COLUMNS, selection, &run, err) < 0)
		return -1;
	if (lvm_report_pools(run.out.data, run.out.len, &rows, err) < 0)
		return prefer_said(&run, "lvs", err);
	if (rows.n == 0 && lvm_run_check(&run, "lvs", err) < 0)
		return -1;
	*ret = rows;
	rows = (struct lvm_pool_rows){0};
	return 0;
}

static int find_pool(const char *selection, const char *what, struct lvm_pool *ret,
		     struct error *err)
{
	cleanup(lvm_pool_rows_release) struct lvm_pool_rows rows = {0};

	if (find_pools(selection, &rows, err) < 0)
		return -1;
	if (rows.n == 0)
		return error_set(err, ERR_NOT_FOUND, "LVM has no volume %s", what);
	*ret = rows.items[0];
	rows.items[0] = (struct lvm_pool){0};
	return 0;
}

int lvm_pool_find(const char *vg, const char *lv, struct lvm_pool *ret, struct error *err)
{
	cleanup_free char *selection = xasprintf("vg_name=\"%s\" && lv_name=\"%s\"", vg, lv);
	cleanup_free char *what = xasprintf("%s/%s", vg, lv);

	if (check_name(vg, err) < 0 || check_name(lv, err) < 0)
		return -1;
	return find_pool(selection, what, ret, err);
}

int lvm_pool_find_device(const char *device_uuid, struct lvm_pool *ret, struct error *err)
{
	cleanup_free char *selection = NULL;
	char vg[39], lv[39];

	if (strncmp(device_uuid, "LVM-", 4) != 0 || strlen(device_uuid) < DEVICE_UUID_CHARS
	    || strchr(device_uuid, '"'))
		return error_set(err, ERR_INVALID, "\"%.100s\" is no UUID of LVM's", device_uuid);
	dashed(device_uuid + 4, vg);
	dashed(device_uuid + 4 + 32, lv);
	selection = xasprintf("vg_uuid=\"%s\" && lv_uuid=\"%s\"", vg, lv);
	return find_pool(selection, device_uuid, ret, err);
}

/* The first row of a report. */
static int take_group(const struct lvm_run *run, const char *verb, const char *list,
		      struct lvm_group *ret, struct error *err)
{
	cleanup(lvm_group_rows_release) struct lvm_group_rows rows = {0};

	if (lvm_report_groups(run->out.data, run->out.len, list, &rows, err) < 0)
		return prefer_said(run, verb, err);
	if (rows.n == 0)
		return error_set(err, ERR_NOT_FOUND, "LVM has no %s",
				 strcmp(list, "vg") == 0 ? "such volume group" : "such disk");
	*ret = rows.items[0];
	rows.items[0] = (struct lvm_group){0};
	return 0;
}

static int find_group(const char *verb, const char *list, const char *columns,
		      const char *selection, struct lvm_group *ret, struct error *err)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};

	if (report(verb, columns, selection, &run, err) < 0)
		return -1;
	if (take_group(&run, verb, list, ret, err) == 0)
		return 0;
	/* It is not there only when LVM could look. */
	return err->kind == ERR_NOT_FOUND ? prefer_said(&run, verb, err) : -1;
}

int lvm_group_find(const char *vg, struct lvm_group *ret, struct error *err)
{
	cleanup_free char *selection = xasprintf("vg_name=\"%s\"", vg);

	if (check_name(vg, err) < 0)
		return -1;
	return find_group("vgs", "vg", GROUP_COLUMNS, selection, ret, err);
}

int lvm_group_find_disk(const uint8_t uuid[LVM_UUID_BYTES], struct lvm_group *ret,
			struct error *err)
{
	cleanup_free char *selection = NULL;
	char text[39];

	disk_uuid(uuid, text);
	selection = xasprintf("pv_uuid=\"%s\"", text);
	return find_group("pvs", "pv", DISK_COLUMNS, selection, ret, err);
}

int lvm_group_find_device(const char *device, struct lvm_group *ret, struct error *err)
{
	cleanup(lvm_run_release) struct lvm_run run = {0};

	if (report_on("pvs", DISK_COLUMNS, device, &run, err) < 0)
		return -1;
	return take_group(&run, "pvs", "pv", ret, err);
}

/* --- settings --------------------------------------------------------------------------------- */

/* Of LVM's configuration, defaults included. @profile: "" = none. */
static int settings(const char *profile, const char *const *names, struct lvm_run *ret,
		    struct error *err)
{
	const char *args[10] = {"lvmconfig", "--type", "full"};
	size_t n = 3;

	if (*profile) {
		args[n++] = "--metadataprofile";
		args[n++] = profile;
	}
	while (*names)
		args[n++] = *names++;
	if (lvm_run(args, 0, &usual, ret, err) < 0)
		return -1;
	return lvm_run_check(ret, args[0], err);
}

static int setting_number(const struct lvm_run *run, const char *name, uint64_t *ret,
			  struct error *err)
{
	cleanup_free char *text = NULL;
	char *end;

	if (lvm_report_setting(run->out.data, run->out.len, name, &text, err) < 0)
		return -1;
	*ret = strtoull(text, &end, 10);
	if (!*text || *end || *ret > UINT32_MAX)
		return error_set(err, ERR_INVALID, "LVM's %s is \"%.40s\"", name, text);
	return 0;
}

int lvm_policy_of(const struct lvm_pool *pool, struct lvm_policy *ret, struct error *err)
{
	static const char *const names[] = {"activation/thin_pool_autoextend_threshold",
					    "activation/thin_pool_autoextend_percent", NULL};
	cleanup(lvm_run_release) struct lvm_run run = {0};
	struct lvm_policy policy = {.monitored = pool->monitored};

	if (settings(pool->profile, names, &run, err) < 0
	    || setting_number(&run, "thin_pool_autoextend_threshold", &policy.threshold, err) < 0
	    || setting_number(&run, "thin_pool_autoextend_percent", &policy.percent, err) < 0)
		return -1;
	*ret = policy;
	return 0;
}

/* @ret: owned. */
static int profile_path(char **ret, struct error *err)
{
	static const char *const names[] = {"config/profile_dir", NULL};
	cleanup(lvm_run_release) struct lvm_run run = {0};
	cleanup_free char *dir = NULL;

	if (settings("", names, &run, err) < 0
	    || lvm_report_setting(run.out.data, run.out.len, "profile_dir", &dir, err) < 0)
		return -1;
	if (dir[0] != '/')
		return error_set(err, ERR_INVALID, "LVM's folder of profiles is \"%.100s\"", dir);
	*ret = xasprintf("%s/%s.profile", dir, PROFILE);
	return 0;
}

static int make_folder_of(const char *path, struct error *err)
{
	cleanup_free char *dir = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	return fdio_mkdirs(dir, err);
}

int lvm_profile_store(struct error *err)
{
	cleanup_free char *path = NULL;

	if (profile_path(&path, err) < 0 || make_folder_of(path, err) < 0)
		return -1;
	if (access(path, F_OK) == 0)
		return 0;
	return fdio_replace_file(path, profile_text, sizeof(profile_text) - 1, err);
}

int lvm_profile_remove(struct error *err)
{
	cleanup(lvm_pool_rows_release) struct lvm_pool_rows users = {0};
	cleanup_buffer struct buffer text = {0};
	cleanup_free char *path = NULL;
	struct error ignored = {0};

	if (profile_path(&path, err) < 0)
		return -1;
	if (fdio_read_file(path, PROFILE_MAX_BYTES, &text, &ignored) < 0
	    || text.len != sizeof(profile_text) - 1
	    || memcmp(text.data, profile_text, text.len) != 0)
		return 0; /* not there, or not what we wrote */
	if (find_pools("lv_profile=" PROFILE, &users, err) < 0)
		return -1;
	return users.n ? 0 : fdio_remove(path, err);
}

/* --- volume groups ---------------------------------------------------------------------------- */

int lvm_group_create(const char *vg, const char *device, const uint8_t uuid[LVM_UUID_BYTES],
		     struct error *err)
{
	char text[39];
	const char *disk[] = {"pvcreate", "-y", "--uuid", text, "--norestorefile", device, NULL};
	const char *group[] = {"vgcreate", "-y", vg, device, NULL};

	disk_uuid(uuid, text);
	if (check_name(vg, err) < 0 || change(disk, err) < 0)
		return -1;
	return change(group, err);
}

int lvm_group_remove(const char *vg, const char *device, bool with_volumes, struct error *err)
{
	const char *group[] = {"vgremove", vg, NULL};
	const char *all[] = {"vgremove", "-y", vg, NULL};
	const char *disk[] = {"pvremove", "-y", device, NULL};

	if (*vg
	    && (check_name(vg, err) < 0 || command(with_volumes ? all : group, 0, &usual, err) < 0))
		return -1;
	return command(disk, 0, &usual, err);
}

/* --- pools ------------------------------------------------------------------------------------ */

/* "VG/LV", which is what all commands take. @ret: owned. */
static int volume_name(const char *vg, const char *lv, char **ret, struct error *err)
{
	if (check_name(vg, err) < 0 || check_name(lv, err) < 0)
		return -1;
	*ret = xasprintf("%s/%s", vg, lv);
	return 0;
}

static const char *yes_no(bool yes)
{
	return yes ? "y" : "n";
}

int lvm_pool_create(const struct lvm_pool_params *p, struct error *err)
{
	cleanup_free char *data = xasprintf("%llub", (unsigned long long)p->data_bytes);
	cleanup_free char *metadata = xasprintf("%llub", (unsigned long long)p->metadata_bytes);
	cleanup_free char *block = xasprintf("%ub", p->block_bytes);
	cleanup_free char *volume = NULL;

	if (volume_name(p->vg, p->lv, &volume, err) < 0)
		return -1;
	/* With --type instead of --thin it would not take --errorwhenfull. */
	return change((const char *[]){"lvcreate",
				       "-y",
				       "--thin",
				       volume,
				       "--size",
				       data,
				       "--poolmetadatasize",
				       metadata,
				       "--poolmetadataspare",
				       "y",
				       "--chunksize",
				       block,
				       "--zero",
				       yes_no(!p->no_zero),
				       "--errorwhenfull",
				       yes_no(!p->queue_when_full),
				       "--metadataprofile",
				       PROFILE,
				       "--monitor",
				       "y",
				       NULL},
		      err);
}

int lvm_pool_remove(const char *vg, const char *lv, struct error *err)
{
	cleanup_free char *volume = NULL;

	if (volume_name(vg, lv, &volume, err) < 0)
		return -1;
	return command((const char *[]){"lvremove", "-y", volume, NULL}, 0, &long_run, err);
}

int lvm_pool_activate(const char *vg, const char *lv, struct error *err)
{
	cleanup_free char *volume = NULL;

	if (volume_name(vg, lv, &volume, err) < 0)
		return -1;
	return command((const char *[]){"lvchange", "-y", "--activate", "y", volume, NULL},
		       LVM_RUN_INTERRUPTIBLE, &long_run, err);
}

int lvm_pool_deactivate(const char *vg, const char *lv, struct error *err)
{
	cleanup_free char *volume = NULL;

	if (volume_name(vg, lv, &volume, err) < 0)
		return -1;
	return command((const char *[]){"lvchange", "-y", "--activate", "n", volume, NULL}, 0,
		       &long_run, err);
}

int lvm_pool_refresh(const char *vg, const char *lv, struct error *err)
{
	cleanup_free char *volume = NULL;

	if (volume_name(vg, lv, &volume, err) < 0)
		return -1;
	return command((const char *[]){"lvchange", "-y", "--refresh", volume, NULL}, 0, &usual,
		       err);
}

int lvm_pool_extend(const char *vg, const char *lv, uint64_t data_bytes, uint64_t metadata_bytes,
		    struct error *err)
{
	cleanup_free char *data = xasprintf("%llub", (unsigned long long)data_bytes);
	cleanup_free char *metadata = xasprintf("%llub", (unsigned long long)metadata_bytes);
	cleanup_free char *volume = NULL;
	const char *args[10] = {"lvextend", "-y"};
	size_t n = 2;

	if (volume_name(vg, lv, &volume, err) < 0)
		return -1;
	if (data_bytes) {
		args[n++] = "--size";
		args[n++] = data;
	}
	if (metadata_bytes) {
		args[n++] = "--poolmetadatasize";
		args[n++] = metadata;
	}
	args[n++] = volume;
	return change(args, err);
}

static int set_option(const char *volume, const char *option, bool yes, struct error *err)
{
	return command((const char *[]){"lvchange", "-y", option, yes_no(yes), volume, NULL}, 0,
		       &usual, err);
}

/* LVM takes one of them at a time, and refuses what is so already. */
int lvm_pool_set(const struct lvm_pool *p, bool queue_when_full, bool zeroing, struct error *err)
{
	cleanup_free char *volume = NULL;

	if (volume_name(p->vg, p->lv, &volume, err) < 0)
		return -1;
	if (p->queue_when_full != queue_when_full
	    && set_option(volume, "--errorwhenfull", !queue_when_full, err) < 0)
		return -1;
	return p->zeroing == zeroing ? 0 : set_option(volume, "--zero", zeroing, err);
}
