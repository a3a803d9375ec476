/* SPDX-License-Identifier: Apache-2.0 */
/* Labels packed, unpacked, read and written; what devices they are on is for others to know. */
#include "pkg/thin/kernel/label.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pkg/base/bytes.h"
#include "pkg/base/cleanup.h"
#include "pkg/base/fdio.h"
#include "pkg/thin/file/crc32c.h"

enum {
	MAGIC_BYTES = 16,
	VERSION_AT = 16,
	PARTS_AT = 20,
	UUID_AT = 24,
	NAME_AT = 40,
	CRC_AT = LABEL_BYTES - 4,
	VERSION = 1,
};

static const char magic[MAGIC_BYTES] = "thinpull device";

void device_label_pack(const struct device_label *l, uint8_t raw[LABEL_BYTES])
{
	memset(raw, 0, LABEL_BYTES);
	memcpy(raw, magic, sizeof(magic));
	put_le32(raw + VERSION_AT, VERSION);
	put_le32(raw + PARTS_AT, l->parts);
	memcpy(raw + UUID_AT, l->uuid, sizeof(l->uuid));
	snprintf((char *)raw + NAME_AT, LABEL_NAME_BYTES, "%s", l->pool);
	put_le32(raw + CRC_AT, tf_crc32c(0xffffffff, raw, CRC_AT));
}

bool device_label_unpack(const uint8_t raw[LABEL_BYTES], struct device_label *ret)
{
	if (memcmp(raw, magic, sizeof(magic)) != 0 || get_le32(raw + VERSION_AT) != VERSION
	    || get_le32(raw + CRC_AT) != tf_crc32c(0xffffffff, raw, CRC_AT))
		return false;
	ret->parts = get_le32(raw + PARTS_AT);
	memcpy(ret->uuid, raw + UUID_AT, sizeof(ret->uuid));
	memcpy(ret->pool, raw + NAME_AT, sizeof(ret->pool));
	ret->pool[sizeof(ret->pool) - 1] = 0;
	error_make_printable(ret->pool);
	return true;
}

int device_label_read(const char *device, struct device_label *ret, struct error *err)
{
	cleanup_fd int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t raw[LABEL_BYTES];
	off_t size;

	if (fd < 0)
		return error_sys(err, "open %s", device);
	size = lseek(fd, 0, SEEK_END);
	if (size < LABEL_BYTES)
		return size < 0 ? error_sys(err, "%s", device) : 1;
	if (fdio_pread(fd, raw, sizeof(raw), 0, device, err) < 0)
		return -1;
	return device_label_unpack(raw, ret) ? 0 : 1;
}

int device_label_write(int fd, const char *device, const struct device_label *l, struct error *err)
{
	uint8_t raw[LABEL_BYTES];

	device_label_pack(l, raw);
	if (fdio_pwrite(fd, raw, sizeof(raw), 0, device, err) < 0)
		return -1;
	return fsync(fd) < 0 ? error_sys(err, "sync %s", device) : 0;
}
