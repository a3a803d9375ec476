/* SPDX-License-Identifier: Apache-2.0 */
/* Locks on bytes of DIR/claims. Knows no pool. */
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

static struct flock lock_on(uint64_t byte, short type)
{
	return (struct flock){.l_type = type,
			      .l_whence = SEEK_SET,
			      .l_start = (off_t)byte,
			      .l_len = 1};
}

int claim_try(int fd, uint64_t byte, bool exclusive, struct error *err)
{
	struct flock lock = lock_on(byte, exclusive ? F_WRLCK : F_RDLCK);

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return 1;
	return error_sys(err, "claim thin %u", (uint32_t)byte);
}

void claim_drop(int fd, uint64_t byte)
{
	struct flock lock = lock_on(byte, F_UNLCK);

	(void)!fcntl(fd, F_OFD_SETLK, &lock);
}

bool claim_is_held(int fd, uint64_t byte)
{
	struct flock lock = lock_on(byte, F_WRLCK);

	/* Who cannot tell must not take it for abandoned. */
	return fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}
