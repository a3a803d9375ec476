/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs. */
#include "pkg/base/uuid.h"

#include <string.h>
#include <sys/random.h>

static void set_version(uint8_t *uuid, unsigned version)
{
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | version << 4);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

int uuid_random(uint8_t *ret, struct error *err)
{
	if (getrandom(ret, UUID_BYTES, 0) != UUID_BYTES)
		return error_sys(err, "getrandom");
	set_version(ret, 4);
	return 0;
}

void uuid_from_bytes(const uint8_t *bytes, uint8_t *ret)
{
	memcpy(ret, bytes, UUID_BYTES);
	set_version(ret, 8);
}
