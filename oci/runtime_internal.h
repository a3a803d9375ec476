/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two processes of a run, for runtime*.c only. */
#pragma once

#include "oci/runtime.h"
#include "pkg/host/relay.h"

struct runtime_plan {
	const struct runtime_options *options;
	const struct relay *relay;
};

/* namespace_main of the first process. Its exit status is that of the container. */
int runtime_init(void *plan, struct error *err);
