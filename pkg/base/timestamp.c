/* SPDX-License-Identifier: Apache-2.0 */
/* The clock, as text. */
#include "pkg/base/timestamp.h"

#include <time.h>

char *timestamp_now(char *buf)
{
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(buf, TIMESTAMP_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return buf;
}
