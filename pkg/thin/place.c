/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.json, the members that a kind has no use for left out:
 *
 *   {"version": 1, "kind": "files", "uuid": "32 hex", "block_bytes": N,
 *    "queue_when_full": false, "zeroing": true,
 *    "data_device": "..", "metadata_device": "..", "metadata_start": N, "metadata_bytes": N,
 *    "data_start": N, "data_bytes": N,
 *    "vg": "..", "lv": "..", "lvm_uuid": "..", "adopted": false, "was_queueing": false,
 *    "was_zeroing": false}
 *
 * Whoever can write the file has the pool, so it is read to find mistakes, not attacks.
 */
#include "pkg/thin/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/fdio.h"
#include "pkg/json/jdoc.h"

enum { PLACE_VERSION = 1, PLACE_MAX_BYTES = 64 << 10, PLACE_SECTOR_BYTES = 512 };

static char *place_path(const char *dir)
{
	return xasprintf("%s/place.json", dir);
}

const char *thin_place_kind_name(enum thin_place_kind kind)
{
	static const char *const names[] = {
		[THIN_PLACE_FILES] = "files",
		[THIN_PLACE_DEVICE] = "device",
		[THIN_PLACE_LVM] = "lvm",
	};

	return names[kind];
}

void thin_place_release(struct thin_place *place)
{
	free(place->data_device);
	free(place->metadata_device);
	free(place->vg);
	free(place->lv);
	free(place->lvm_uuid);
	*place = (struct thin_place){0};
}

/* --- reading ---------------------------------------------------------------------------------- */

static int read_kind(struct jval root, enum thin_place_kind *ret, struct error *err)
{
	const char *text;

	if (jdoc_string(root, "kind", JDOC_REQUIRED, &text, err) < 0)
		return -1;
	for (*ret = THIN_PLACE_FILES; *ret <= THIN_PLACE_LVM; (*ret)++)
		if (strcmp(text, thin_place_kind_name(*ret)) == 0)
			return 0;
	return error_set(err, ERR_INVALID, "kind: \"%.40s\" is none that is known", text);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int read_uuid(struct jval root, uint8_t ret[THIN_UUID_BYTES], struct error *err)
{
	const char *text;

	if (jdoc_string(root, "uuid", JDOC_REQUIRED, &text, err) < 0)
		return -1;
	for (size_t i = 0; i < THIN_UUID_BYTES; i++) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return error_set(err, ERR_INVALID, "uuid: not 32 hex digits");
		ret[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text ? error_set(err, ERR_INVALID, "uuid: not 32 hex digits") : 0;
}

static int read_text(struct jval root, const char *key, enum jdoc_need need, char **ret,
		     struct error *err)
{
	const char *text;

	if (jdoc_string(root, key, need, &text, err) < 0)
		return -1;
	*ret = text ? xstrdup(text) : NULL;
	return 0;
}

static int read_bytes(struct jval root, const char *key, enum jdoc_need need, uint64_t *ret,
		      struct error *err)
{
	if (jdoc_uint(root, key, need, ret, err) < 0)
		return -1;
	if (*ret % PLACE_SECTOR_BYTES)
		return error_set(err, ERR_INVALID, "%s: no whole sectors", key);
	return 0;
}

static int read_device(struct jval root, struct thin_place *p, struct error *err)
{
	if (read_text(root, "data_device", JDOC_REQUIRED, &p->data_device, err) < 0
	    || read_text(root, "metadata_device", JDOC_OPTIONAL, &p->metadata_device, err) < 0
	    || read_bytes(root, "metadata_start", JDOC_REQUIRED, &p->metadata_start, err) < 0
	    || read_bytes(root, "metadata_bytes", JDOC_REQUIRED, &p->metadata_bytes, err) < 0
	    || read_bytes(root, "data_start", JDOC_REQUIRED, &p->data_start, err) < 0)
		return -1;
	return read_bytes(root, "data_bytes", JDOC_REQUIRED, &p->data_bytes, err);
}

static int read_lvm(struct jval root, struct thin_place *p, struct error *err)
{
	if (read_text(root, "data_device", JDOC_OPTIONAL, &p->data_device, err) < 0
	    || read_text(root, "vg", JDOC_REQUIRED, &p->vg, err) < 0
	    || read_text(root, "lv", JDOC_REQUIRED, &p->lv, err) < 0
	    || read_text(root, "lvm_uuid", JDOC_OPTIONAL, &p->lvm_uuid, err) < 0
	    || jdoc_bool(root, "adopted", JDOC_REQUIRED, &p->adopted, err) < 0
	    || jdoc_bool(root, "was_queueing", JDOC_OPTIONAL, &p->was_queueing, err) < 0)
		return -1;
	return jdoc_bool(root, "was_zeroing", JDOC_OPTIONAL, &p->was_zeroing, err);
}

static int read_place(struct jval root, struct thin_place *p, struct error *err)
{
	uint64_t version, block_bytes;
	bool zeroing;

	if (jdoc_uint(root, "version", JDOC_REQUIRED, &version, err) < 0)
		return -1;
	if (version != PLACE_VERSION)
		return error_set(err, ERR_UNSUPPORTED, "version %llu is not known",
				 (unsigned long long)version);
	if (read_kind(root, &p->kind, err) < 0 || read_uuid(root, p->uuid, err) < 0
	    || read_bytes(root, "block_bytes", JDOC_OPTIONAL, &block_bytes, err) < 0
	    || jdoc_bool(root, "queue_when_full", JDOC_REQUIRED, &p->queue_when_full, err) < 0
	    || jdoc_bool(root, "zeroing", JDOC_REQUIRED, &zeroing, err) < 0)
		return -1;
	if (block_bytes > UINT32_MAX)
		return error_set(err, ERR_INVALID, "block_bytes: too large");
	p->block_bytes = (uint32_t)block_bytes;
	p->no_zero = !zeroing;
	switch (p->kind) {
	case THIN_PLACE_DEVICE:
		return read_device(root, p, err);
	case THIN_PLACE_LVM:
		return read_lvm(root, p, err);
	case THIN_PLACE_FILES:
		break;
	}
	return 0;
}

int thin_place_parse(const void *text, size_t len, struct thin_place *ret, struct error *err)
{
	cleanup(jdoc_free_ptr) struct jdoc *doc = NULL;
	struct thin_place p = {0};

	if (jdoc_parse(text, len, "place", &doc, err) == 0
	    && read_place(jdoc_root(doc), &p, err) == 0) {
		*ret = p;
		return 0;
	}
	thin_place_release(&p);
	if (err->kind == ERR_INVALID)
		err->kind = ERR_INCONSISTENT;
	return -1;
}

/* Made before there was such a file, or by the file engine alone. */
static int load_default(const char *dir, struct thin_place *ret, struct error *err)
{
	cleanup_free char *meta = xasprintf("%s/meta", dir);

	if (access(meta, F_OK) < 0)
		return error_set(err, ERR_NOT_FOUND, "no pool in %s", dir);
	*ret = (struct thin_place){.kind = THIN_PLACE_FILES};
	return 0;
}

int thin_place_load(const char *dir, struct thin_place *ret, struct error *err)
{
	cleanup_free char *path = place_path(dir);
	cleanup_buffer struct buffer text = {0};

	if (access(path, F_OK) < 0)
		return load_default(dir, ret, err);
	if (fdio_read_file(path, PLACE_MAX_BYTES, &text, err) < 0)
		return -1;
	if (thin_place_parse(text.data, text.len, ret, err) < 0)
		return error_wrap(err, "%s", path);
	return 0;
}

/* --- writing ---------------------------------------------------------------------------------- */

static void write_uuid(struct jout *o, const uint8_t uuid[THIN_UUID_BYTES])
{
	char text[2 * THIN_UUID_BYTES + 1];

	for (size_t i = 0; i < THIN_UUID_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", uuid[i]);
	jout_string(o, "uuid", text);
}

static void write_optional(struct jout *o, const char *key, const char *text)
{
	if (text)
		jout_string(o, key, text);
}

static void write_device(struct jout *o, const struct thin_place *p)
{
	jout_string(o, "data_device", p->data_device);
	write_optional(o, "metadata_device", p->metadata_device);
	jout_uint(o, "metadata_start", p->metadata_start);
	jout_uint(o, "metadata_bytes", p->metadata_bytes);
	jout_uint(o, "data_start", p->data_start);
	jout_uint(o, "data_bytes", p->data_bytes);
}

static void write_lvm(struct jout *o, const struct thin_place *p)
{
	write_optional(o, "data_device", p->data_device);
	jout_string(o, "vg", p->vg);
	jout_string(o, "lv", p->lv);
	write_optional(o, "lvm_uuid", p->lvm_uuid);
	jout_bool(o, "adopted", p->adopted);
	jout_bool(o, "was_queueing", p->was_queueing);
	jout_bool(o, "was_zeroing", p->was_zeroing);
}

void thin_place_format(const struct thin_place *p, struct buffer *ret)
{
	struct jout o = {0};

	jout_object(&o, NULL);
	jout_uint(&o, "version", PLACE_VERSION);
	jout_string(&o, "kind", thin_place_kind_name(p->kind));
	write_uuid(&o, p->uuid);
	jout_uint(&o, "block_bytes", p->block_bytes);
	jout_bool(&o, "queue_when_full", p->queue_when_full);
	jout_bool(&o, "zeroing", !p->no_zero);
	if (p->kind == THIN_PLACE_DEVICE)
		write_device(&o, p);
	if (p->kind == THIN_PLACE_LVM)
		write_lvm(&o, p);
	jout_end_object(&o);
	buffer_add(ret, o.text.data, o.text.len);
	buffer_add(ret, "\n", 1);
	jout_release(&o);
}

static int check_text(const char *text, struct error *err)
{
	if (text && !jout_is_text(text))
		return error_set(err, ERR_UNSUPPORTED, "the name %s is not UTF-8", text);
	return 0;
}

int thin_place_store(const char *dir, const struct thin_place *place, struct error *err)
{
	cleanup_free char *path = place_path(dir);
	cleanup_buffer struct buffer text = {0};

	if (check_text(place->data_device, err) < 0 || check_text(place->metadata_device, err) < 0)
		return -1;
	thin_place_format(place, &text);
	return fdio_replace_file(path, text.data, text.len, err);
}
