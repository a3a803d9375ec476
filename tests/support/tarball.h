/* SPDX-License-Identifier: Apache-2.0 */
/* Makes small ustar archives for tests, member by member. */
#pragma once

#include <stdint.h>

#include "pkg/base/buffer.h"

/*
 * @type: the type flag, '0' file, '1' hard link, '2' symlink, '3' '4' devices, '5' folder, '6'
 * FIFO.
 * @text: link target, content of a file; NULL for none.
 */
void tarball_add(struct buffer *tar, char type, const char *path, unsigned mode, const char *text);
/* The two zero blocks. */
void tarball_end(struct buffer *tar);
