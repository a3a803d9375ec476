/* SPDX-License-Identifier: Apache-2.0 */
/* Checks ranges, then calls through to the engine of a volume. */
#include "pkg/thin/volume.h"

#include "pkg/thin/copy.h"
#include "pkg/thin/engine.h"

static int check_range(const struct thin_volume *v, uint64_t len, uint64_t offset,
		       struct error *err)
{
	if (len > v->size_bytes || offset > v->size_bytes - len)
		return error_set(err, ERR_INVALID,
				 "bytes %llu+%llu are outside the volume of %llu bytes",
				 (unsigned long long)offset, (unsigned long long)len,
				 (unsigned long long)v->size_bytes);
	return 0;
}

int thin_volume_read(struct thin_volume *v, void *buf, size_t len, uint64_t offset,
		     struct error *err)
{
	if (check_range(v, len, offset, err) < 0)
		return -1;
	return v->ops->read(v, buf, len, offset, err);
}

int thin_volume_write(struct thin_volume *v, const void *buf, size_t len, uint64_t offset,
		      struct error *err)
{
	if (check_range(v, len, offset, err) < 0)
		return -1;
	if (!v->writable)
		return error_set(err, ERR_INVALID, "the volume is read-only");
	return v->ops->write(v, buf, len, offset, err);
}

static int write_zeros(struct thin_volume *v, uint64_t offset, uint64_t len, struct error *err)
{
	static const uint8_t zeros[64 << 10];

	while (len) {
		size_t n = len < sizeof(zeros) ? (size_t)len : sizeof(zeros);

		if (v->ops->write(v, zeros, n, offset, err) < 0)
			return -1;
		offset += n;
		len -= n;
	}
	return 0;
}

static int zero_mapped(struct thin_volume *v, uint64_t offset, uint64_t len, struct error *err)
{
	uint64_t end = offset + len, start, n;
	int status;

	while ((status = thin_volume_next_mapped(v, offset, &start, &n, err)) == 0 && start < end) {
		if (n > end - start)
			n = end - start;
		if (write_zeros(v, start, n, err) < 0)
			return -1;
		offset = start + n;
	}
	return status < 0 ? -1 : 0;
}

int thin_volume_zero(struct thin_volume *v, uint64_t offset, uint64_t len, struct error *err)
{
	if (check_range(v, len, offset, err) < 0)
		return -1;
	if (!v->writable)
		return error_set(err, ERR_INVALID, "the volume is read-only");
	return v->ops->zero ? v->ops->zero(v, offset, len, err) : zero_mapped(v, offset, len, err);
}

int thin_volume_discard(struct thin_volume *v, uint64_t offset, uint64_t len, struct error *err)
{
	uint64_t end = offset + len, head;

	if (check_range(v, len, offset, err) < 0)
		return -1;
	if (!v->writable)
		return error_set(err, ERR_INVALID, "the volume is read-only");
	head = (v->block_bytes - offset % v->block_bytes) % v->block_bytes;
	if (end < v->size_bytes)
		end -= end % v->block_bytes;
	if (head >= len || offset + head >= end)
		return 0;
	return v->ops->discard(v, offset + head, end - offset - head, err);
}

int thin_volume_next_mapped(struct thin_volume *v, uint64_t offset, uint64_t *ret_offset,
			    uint64_t *ret_len, struct error *err)
{
	if (offset >= v->size_bytes)
		return 1;
	return v->ops->next_mapped(v, offset, ret_offset, ret_len, err);
}

int thin_volume_copy_to(struct thin_volume *v, uint64_t offset, uint64_t len, int fd,
			const char *name, uint64_t *ret_shared, struct error *err)
{
	*ret_shared = 0;
	if (check_range(v, len, offset, err) < 0)
		return -1;
	if (v->ops->copy_to)
		return v->ops->copy_to(v, offset, len, fd, name, ret_shared, err);
	return thin_copy_bytes(v, offset, len, fd, name, err);
}

uint64_t thin_volume_size(const struct thin_volume *v)
{
	return v->size_bytes;
}

uint32_t thin_volume_block_bytes(const struct thin_volume *v)
{
	return v->block_bytes;
}

bool thin_volume_gathers(const struct thin_volume *v)
{
	return v->gathers;
}

void thin_volume_close(struct thin_volume *v)
{
	if (v)
		v->ops->close(v);
}
