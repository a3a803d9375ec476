/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An io_manager over struct thin_volume, and the way back from errcode_t to struct error.
 *
 * libext2fs opens channels by name. The name given here is the address of the struct ext4_io made
 * for this one open: so there is no global state and any number can be open at once.
 */
#include "pkg/ext4/io.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"

#define CHANNEL_NAME "thin-volume:"

enum {
	SUPER_OFFSET = 1024,
	SUPER_BYTES = 1024,
	CLOCK_SECONDS = 1,
	GROUP_BLOCKS_MIN = 256, /* no mke2fs makes smaller ones */
};

struct ext4_io {
	struct struct_io_channel channel;
	struct thin_volume *volume;
	struct error err;   /* of the last call of the volume, kind ERR_NONE if that went well */
	struct error first; /* of the first one that failed */
};

static struct ext4_io *io_of(io_channel channel)
{
	return channel->private_data;
}

/* Damage of the pool shows here as well; it must not be taken for damage of the file system. */
static int read_at(struct thin_volume *v, void *buf, size_t len, uint64_t offset, struct error *err)
{
	if (thin_volume_read(v, buf, len, offset, err) == 0)
		return 0;
	return err->kind == ERR_INCONSISTENT ? error_set_detail(err, ERR_DETAIL_POOL) : -1;
}

/* Out of an unsigned count of blocks, or minus a count of bytes. */
static size_t bytes_of(io_channel channel, int count)
{
	return count < 0 ? (size_t) - (int64_t)count : (size_t)count * (size_t)channel->block_size;
}

static bool all_zero(const void *data, size_t len)
{
	const uint8_t *p = data;

	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

/* Zeros to where there are zeros map nothing: bitmaps, tables and journals are mostly that. */
static int write_at(struct thin_volume *v, const void *data, size_t len, uint64_t offset,
		    struct error *err)
{
	if (all_zero(data, len))
		return thin_volume_zero(v, offset, len, err);
	return thin_volume_write(v, data, len, offset, err);
}

/* --- what libext2fs calls --------------------------------------------------------------------- */

static errcode_t io_open(const char *name, int flags, io_channel *ret);
static errcode_t io_close(io_channel channel);
static errcode_t io_set_blksize(io_channel channel, int block_size);
static errcode_t io_read(io_channel channel, unsigned long block, int count, void *data);
static errcode_t io_write(io_channel channel, unsigned long block, int count, const void *data);
static errcode_t io_read64(io_channel channel, unsigned long long block, int count, void *data);
static errcode_t io_write64(io_channel channel, unsigned long long block, int count,
			    const void *data);
static errcode_t io_flush(io_channel channel);

/* No write_byte: the superblock is then written in one piece. No get_stats: it would be counted
 * into the superblock. */
static const struct struct_io_manager thin_io_manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "thin volume",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_blksize,
	.read_blk = io_read,
	.write_blk = io_write,
	.flush = io_flush,
	.read_blk64 = io_read64,
	.write_blk64 = io_write64,
};

/* libext2fs takes the manager without const, but never writes to it. */
static io_manager manager(void)
{
	return (io_manager)(uintptr_t)&thin_io_manager;
}

static errcode_t io_open(const char *name, int flags, io_channel *ret)
{
	struct ext4_io *io;
	uintptr_t address;

	(void)flags;
	if (sscanf(name, CHANNEL_NAME "%" SCNxPTR, &address) != 1)
		return EXT2_ET_BAD_DEVICE_NAME;
	io = (struct ext4_io *)address;
	io->channel.refcount = 1;
	*ret = &io->channel;
	return 0;
}

/* The memory belongs to whoever opened, who still wants the error. */
static errcode_t io_close(io_channel channel)
{
	channel->refcount--;
	return 0;
}

static errcode_t io_set_blksize(io_channel channel, int block_size)
{
	channel->block_size = block_size;
	return 0;
}

/* libext2fs drops some errors on the way, so the first one is kept. */
static errcode_t call_failed(struct ext4_io *io)
{
	if (io->first.kind == ERR_NONE)
		io->first = io->err;
	return EIO;
}

static errcode_t io_read64(io_channel channel, unsigned long long block, int count, void *data)
{
	struct ext4_io *io = io_of(channel);
	uint64_t offset;

	if (__builtin_mul_overflow(block, (uint64_t)channel->block_size, &offset))
		return EXT2_ET_BAD_BLOCK_NUM;
	error_clear(&io->err);
	if (read_at(io->volume, data, bytes_of(channel, count), offset, &io->err) < 0)
		return call_failed(io);
	return 0;
}

static errcode_t io_write64(io_channel channel, unsigned long long block, int count,
			    const void *data)
{
	struct ext4_io *io = io_of(channel);
	uint64_t offset;

	if (__builtin_mul_overflow(block, (uint64_t)channel->block_size, &offset))
		return EXT2_ET_BAD_BLOCK_NUM;
	error_clear(&io->err);
	if (write_at(io->volume, data, bytes_of(channel, count), offset, &io->err) < 0)
		return call_failed(io);
	return 0;
}

static errcode_t io_read(io_channel channel, unsigned long block, int count, void *data)
{
	return io_read64(channel, block, count, data);
}

static errcode_t io_write(io_channel channel, unsigned long block, int count, const void *data)
{
	return io_write64(channel, block, count, data);
}

/* Durability is the commit of the pool. */
static errcode_t io_flush(io_channel channel)
{
	(void)channel;
	return 0;
}

/* --- errors ----------------------------------------------------------------------------------- */

static enum error_kind kind_of(errcode_t code)
{
	static const struct {
		errcode_t code;
		enum error_kind kind;
	} table[] = {
		{EXT2_ET_BLOCK_ALLOC_FAIL, ERR_NO_SPACE},
		{EXT2_ET_INODE_ALLOC_FAIL, ERR_NO_SPACE},
		{EXT2_ET_DIR_NO_SPACE, ERR_NO_SPACE},
		{EXT2_ET_EA_NO_SPACE, ERR_NO_SPACE},
		{ENOSPC, ERR_NO_SPACE},
		{EXT2_ET_UNSUPP_FEATURE, ERR_UNSUPPORTED},
		{EXT2_ET_RO_UNSUPP_FEATURE, ERR_UNSUPPORTED},
		{EXT2_ET_REV_TOO_HIGH, ERR_UNSUPPORTED},
		{EXT2_ET_UNEXPECTED_BLOCK_SIZE, ERR_UNSUPPORTED},
		{EXT2_ET_NO_MEMORY, ERR_SYSTEM},
		{ENOMEM, ERR_SYSTEM},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].code == code)
			return table[i].kind;
	return ERR_INCONSISTENT;
}

static int fill_error(const struct ext4_io *io, errcode_t code, const char *what, struct error *err)
{
	/* the list of error texts is the process's, and adding to it takes no lock */
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	/* libext2fs replaces EIO by codes of its own; where it does not, it may have tidied up
	 * since */
	if (io->err.kind != ERR_NONE || (code == EIO && io->first.kind != ERR_NONE)) {
		*err = io->err.kind != ERR_NONE ? io->err : io->first;
		return error_wrap(err, "%s", what);
	}
	pthread_once(&once, initialize_ext2_error_table);
	error_set(err, kind_of(code), "%s: %s", what, error_message(code));
	if (code == ENOMEM || code == EXT2_ET_NO_MEMORY)
		err->sys = ENOMEM;
	return -1;
}

int ext4_io_error(ext2_filsys fs, errcode_t code, struct error *err, const char *fmt, ...)
{
	char what[sizeof(err->cause) / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return fill_error(io_of(fs->io), code, what, err);
}

int ext4_io_check(ext2_filsys fs, struct error *err)
{
	if (io_of(fs->io)->first.kind == ERR_NONE)
		return 0;
	*err = io_of(fs->io)->first;
	return -1;
}

bool ext4_io_failed(ext2_filsys fs)
{
	return io_of(fs->io)->err.kind != ERR_NONE;
}

/* --- opening ---------------------------------------------------------------------------------- */

static struct ext4_io *io_new(struct thin_volume *volume, char *name, size_t name_size)
{
	struct ext4_io *io = xcalloc(1, sizeof(*io));

	io->volume = volume;
	io->channel = (struct struct_io_channel){
		.magic = EXT2_ET_MAGIC_IO_CHANNEL,
		.manager = manager(),
		.name = (char *)(uintptr_t)thin_io_manager.name,
		.block_size = SUPER_OFFSET,
		.private_data = io,
	};
	snprintf(name, name_size, CHANNEL_NAME "%" PRIxPTR, (uintptr_t)io);
	return io;
}

static int opened(struct ext4_io *io, errcode_t code, ext2_filsys fs, const char *what,
		  ext2_filsys *ret, struct error *err)
{
	if (code) {
		fill_error(io, code, what, err);
		free(io);
		return -1;
	}
	fs->now = CLOCK_SECONDS;
	*ret = fs;
	return 0;
}

/*
 * libext2fs allocates by what the superblock says, and trusts its own division by some fields.
 * Look at the sizes first: the superblock may have been written by a guest.
 */
static int check_superblock(struct thin_volume *volume, struct error *err)
{
	struct ext2_super_block sb;
	uint64_t size = thin_volume_size(volume), blocks;
	uint32_t log;

	_Static_assert(sizeof(sb) == SUPER_BYTES, "an ext4 superblock has 1024 bytes");
	if (size < SUPER_OFFSET + SUPER_BYTES)
		return error_set(err, ERR_INCONSISTENT, "no ext4: the volume is too small");
	if (read_at(volume, &sb, sizeof(sb), SUPER_OFFSET, err) < 0)
		return error_wrap(err, "read the superblock");
	if (le16toh(sb.s_magic) != EXT2_SUPER_MAGIC)
		return error_set(err, ERR_INCONSISTENT, "no ext4: the superblock has no magic");
	log = le32toh(sb.s_log_block_size);
	blocks = le32toh(sb.s_blocks_count);
	if (le32toh(sb.s_feature_incompat) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)le32toh(sb.s_blocks_count_hi) << 32;
	if (log > 6 || blocks == 0 || blocks > size >> (10 + log))
		return error_set(err, ERR_INCONSISTENT,
				 "the superblock says %" PRIu64 " blocks of 1024 << %u bytes, the "
				 "volume has %" PRIu64 " bytes",
				 blocks, log, size);
	if (le32toh(sb.s_blocks_per_group) < GROUP_BLOCKS_MIN)
		return error_set(err, ERR_INCONSISTENT,
				 "the superblock says groups of %" PRIu32 " blocks",
				 le32toh(sb.s_blocks_per_group));
	return 0;
}

int ext4_io_open(struct thin_volume *volume, enum ext4_io_mode mode, ext2_filsys *ret,
		 struct error *err)
{
	char name[64];
	int flags = EXT2_FLAG_64BITS | (mode == EXT4_IO_WRITE ? EXT2_FLAG_RW : 0);
	struct ext4_io *io;
	ext2_filsys fs = NULL;
	errcode_t code;

	if (check_superblock(volume, err) < 0)
		return -1;
	io = io_new(volume, name, sizeof(name));
	code = ext2fs_open2(name, NULL, flags, 0, 0, manager(), &fs);
	return opened(io, code, fs, "open the file system", ret, err);
}

int ext4_io_create(struct thin_volume *volume, struct ext2_super_block *params, ext2_filsys *ret,
		   struct error *err)
{
	char name[64];
	struct ext4_io *io = io_new(volume, name, sizeof(name));
	ext2_filsys fs = NULL;
	errcode_t code = ext2fs_initialize(name, EXT2_FLAG_64BITS, params, manager(), &fs);

	return opened(io, code, fs, "lay out the file system", ret, err);
}

void ext4_io_close(ext2_filsys fs)
{
	struct ext4_io *io;

	if (!fs)
		return;
	io = io_of(fs->io);
	ext2fs_free(fs);
	free(io);
}

int ext4_io_read_blocks(ext2_filsys fs, uint64_t block, size_t count, void *buf, struct error *err)
{
	struct ext4_io *io = io_of(fs->io);
	uint64_t offset;

	if (__builtin_mul_overflow(block, (uint64_t)fs->blocksize, &offset))
		return error_set(err, ERR_INCONSISTENT, "block %" PRIu64 " does not exist", block);
	return read_at(io->volume, buf, count * fs->blocksize, offset, err);
}

int ext4_io_read_bytes(ext2_filsys fs, void *buf, size_t len, uint64_t offset, struct error *err)
{
	return read_at(io_of(fs->io)->volume, buf, len, offset, err);
}

int ext4_io_write_blocks(ext2_filsys fs, uint64_t block, size_t count, const void *buf,
			 struct error *err)
{
	struct ext4_io *io = io_of(fs->io);
	uint64_t offset;

	if (__builtin_mul_overflow(block, (uint64_t)fs->blocksize, &offset))
		return error_set(err, ERR_INVALID, "block %" PRIu64 " does not exist", block);
	return write_at(io->volume, buf, count * fs->blocksize, offset, err);
}
