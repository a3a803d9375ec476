/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on bytes of DIR/claims. */
#include "pkg/thin/kernel/claim.h"

#include <errno.h>
#include <fcntl.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"

int claim_open(const char *dir, int *ret_fd, struct error *err)
{
	cleanup_free char *path = xasprintf("%s/claims", dir);

	*ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret_fd < 0 ? error_sys(err, "open %s", path) : 0;
}

static struct flock byte_of(uint32_t id, short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = id, .l_len = 1};
}

int claim_try(int fd, uint32_t id, bool exclusive, struct error *err)
{
	struct flock lock = byte_of(id, exclusive ? F_WRLCK : F_RDLCK);

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return 1;
	return error_sys(err, "claim thin %u", id);
}

void claim_drop(int fd, uint32_t id)
{
	struct flock lock = byte_of(id, F_UNLCK);

	(void)!fcntl(fd, F_OFD_SETLK, &lock);
}

bool claim_is_held(int fd, uint32_t id)
{
	struct flock lock = byte_of(id, F_WRLCK);

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}
