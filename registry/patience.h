/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before a request is tried again (rule C11): longer each time, never all at once,
 * and as long as the other side asks for. A rest that it asks for is for everybody who asks there:
 * of several requests on their way one is told, and none comes before it is over.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "pkg/base/error.h"

struct patience {
	const char *host; /* for messages; not owned */
	unsigned backoff_ms;
	pthread_mutex_t lock;
	uint64_t rest_until_ms; /* of the monotonic clock */
};

void patience_init(struct patience *p, const char *host, unsigned backoff_ms);
void patience_release(struct patience *p);

/* Before a request: until the rest is over, if there is one. ERR_INTERRUPTED. */
MUST_CHECK int patience_rest(struct patience *p, struct error *err);

/*
 * After a try that failed: the time that is due before the next. A long rest is told, with the
 * failure in *err, which stays.
 * @attempt: from 0.   @retry_after_s: what the other side asks for, bounded here; 0: nothing.
 * Errors: ERR_INTERRUPTED, in the place of the failure.
 */
MUST_CHECK int patience_wait(struct patience *p, unsigned attempt, unsigned retry_after_s,
			     struct error *err);
