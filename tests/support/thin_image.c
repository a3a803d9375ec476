/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the image once for each test binary; see the header. */
#include "tests/support/thin_image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/cmocka.h"

#include "pkg/base/alloc.h"
#include "pkg/base/buffer.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "tests/support/thin_tools.h"

static void xml_device(struct buffer *xml, unsigned id)
{
	unsigned n = id ? IMAGE_SHARED_BLOCKS + 2 : IMAGE_BIG_BLOCKS;

	buffer_printf(xml,
		      "<device dev_id=\"%u\" mapped_blocks=\"%u\" transaction=\"3\" "
		      "creation_time=\"%u\" snap_time=\"%u\">\n",
		      id, n, id ? 1u : 0u, IMAGE_TIME);
	for (unsigned i = 0; i < n; i++) {
		bool own = id && i >= IMAGE_SHARED_BLOCKS;
		unsigned block = own ? IMAGE_BIG_BLOCKS + 2 * id + i - IMAGE_SHARED_BLOCKS : i;

		buffer_printf(xml,
			      "<single_mapping origin_block=\"%u\" data_block=\"%u\" "
			      "time=\"%u\"/>\n",
			      i, block, own ? IMAGE_TIME : 0);
	}
	buffer_printf(xml, "</device>\n");
}

static void write_xml(const char *path)
{
	cleanup_buffer struct buffer xml = {0};
	struct error err = {0};

	buffer_printf(&xml,
		      "<superblock uuid=\"\" time=\"%d\" transaction=\"%d\" flags=\"0\" "
		      "version=\"2\" data_block_size=\"128\" nr_data_blocks=\"%d\">\n",
		      IMAGE_TIME, IMAGE_TRANSACTION, IMAGE_DATA_BLOCKS);
	for (unsigned id = 0; id < IMAGE_DEVICES; id++)
		xml_device(&xml, id);
	buffer_printf(&xml, "</superblock>\n");
	assert_int_equal(fdio_replace_file(path, xml.data, xml.len, &err), 0);
}

uint8_t *thin_image_block(uint8_t *image, uint64_t block)
{
	assert_true(block < IMAGE_BLOCKS);
	return image + block * TF_BLOCK_BYTES;
}

struct tf_superblock thin_image_superblock(const uint8_t *image)
{
	struct tf_superblock sb;

	tf_superblock_unpack(image, &sb);
	return sb;
}

void thin_image_set_superblock(uint8_t *image, const struct tf_superblock *sb)
{
	tf_superblock_pack(sb, image);
	tf_block_seal(image, TF_SUPERBLOCK, 0);
}

/* Put right one index entry; returns the blocks in use. */
static uint64_t fix_entry(uint8_t *image, uint8_t *p)
{
	struct tf_index_entry e;
	uint32_t used = 0;

	tf_index_entry_unpack(p, &e);
	for (uint32_t i = 0; i < TF_BITMAP_ENTRIES; i++)
		used += tf_bitmap_get(thin_image_block(image, e.bitmap), i) != 0;
	e.nr_free = TF_BITMAP_ENTRIES - used;
	e.none_free_before = 0;
	tf_index_entry_pack(&e, p);
	return used;
}

void thin_image_fix_hints(uint8_t *image)
{
	struct tf_superblock sb = thin_image_superblock(image);
	uint8_t *index = thin_image_block(image, sb.metadata_sm.bitmap_root);
	uint8_t *leaf = thin_image_block(image, sb.data_sm.bitmap_root);

	sb.metadata_sm.nr_allocated = sb.data_sm.nr_allocated = 0;
	for (uint32_t i = 0; i < tf_bitmaps_for(sb.metadata_sm.nr_blocks); i++)
		sb.metadata_sm.nr_allocated += fix_entry(image, index + tf_index_entry_offset(i));
	for (uint32_t i = 0; i < tf_node_entries(leaf); i++)
		sb.data_sm.nr_allocated += fix_entry(image, tf_node_value(leaf, i));
	tf_block_seal(index, TF_INDEX, tf_block_number(index));
	tf_block_seal(leaf, TF_NODE, tf_block_number(leaf));
	thin_image_set_superblock(image, &sb);
}

/* ---- checking an image ---- */

void thin_image_check(const uint8_t *image, size_t len, struct thin_findings *ret)
{
	cleanup_fd int fd = memfd_create("thin-meta", MFD_CLOEXEC);
	char path[64];
	struct error err = {0};

	assert_true(fd >= 0);
	assert_int_equal(fdio_pwrite(fd, image, len, 0, "memfd", &err), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(thin_file_fsck(path, 0, ret, &err), 0);
}

int thin_image_thin_check(const char *folder, const uint8_t *image)
{
	cleanup_free char *path = xasprintf("%s/mutant", folder);
	cleanup_fd int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct error err = {0};
	int status;

	assert_true(fd >= 0);
	assert_int_equal(fdio_pwrite(fd, image, IMAGE_BYTES, 0, path, &err), 0);
	status = thin_tools_check(path);
	unlink(path);
	return status;
}

bool thin_image_found(const struct thin_findings *findings, const char *kind)
{
	for (size_t i = 0; i < findings->n; i++)
		if (strcmp(findings->items[i].kind, kind) == 0)
			return true;
	return false;
}

static void count_one(uint8_t *image, uint64_t block, unsigned count)
{
	const uint8_t *index =
		thin_image_block(image, thin_image_superblock(image).metadata_sm.bitmap_root);
	uint64_t nr = get_le64(index + tf_index_entry_offset(0));
	uint8_t *bitmap = thin_image_block(image, nr);

	tf_bitmap_set(bitmap, (uint32_t)block, count);
	tf_block_seal(bitmap, TF_BITMAP, nr);
}

void thin_image_hold(uint8_t *image, uint64_t at)
{
	struct tf_superblock sb = thin_image_superblock(image), copy = sb;

	memset(&copy.data_sm, 0, sizeof(copy.data_sm));
	memset(&copy.metadata_sm, 0, sizeof(copy.metadata_sm));
	tf_superblock_pack(&copy, thin_image_block(image, at));
	tf_block_seal(thin_image_block(image, at), TF_SUPERBLOCK, at);
	count_one(image, at, 1);
	count_one(image, sb.mapping_root, 2);
	count_one(image, sb.details_root, 2);
	sb.held_root = at;
	thin_image_set_superblock(image, &sb);
	thin_image_fix_hints(image);
}

int thin_image_make(struct thin_image *ret)
{
	cleanup_free char *xml = NULL, *meta = NULL;
	cleanup_fd int fd = -1;
	struct error err = {0};

	*ret = (struct thin_image){.folder = thin_tools_folder()};
	xml = xasprintf("%s/xml", ret->folder);
	meta = xasprintf("%s/meta", ret->folder);
	write_xml(xml);
	if (!thin_tools_restore(xml, meta, IMAGE_BYTES))
		return -1;
	ret->restored = xmalloc(IMAGE_BYTES);
	fd = open(meta, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fdio_pread(fd, ret->restored, IMAGE_BYTES, 0, meta, &err) < 0)
		return -1;
	ret->clean = xmemdup(ret->restored, IMAGE_BYTES);
	thin_image_fix_hints(ret->clean);
	return 0;
}

void thin_image_release(struct thin_image *image)
{
	thin_tools_remove(&image->folder);
	free(image->restored);
	free(image->clean);
}
