/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mode that a pool is in, from good to bad, and what that is as an error:
 *
 *   rw ─▶ out_of_data_space      mapped blocks can be written, all else waits or fails; back by
 *                                itself when blocks are freed or the pool grows
 *      ─▶ out_of_metadata_space  nothing can be changed, not even removed; back when it grows
 *      ─▶ ro, needs_check        the metadata could not be written: it must be checked first
 *      ─▶ fail                   what is in memory is not what is on disk
 *
 * Spec: kernel Documentation/admin-guide/device-mapper/thin-provisioning.rst "Status".
 */
#pragma once

#include <stdbool.h>

#include "pkg/base/error.h"
#include "pkg/thin/kernel/status.h"

/* As in struct thin_pool_status. */
const char *kernel_mode_name(const struct kernel_pool_status *status);

/* Why something failed in this mode; ERR_NONE: not for the mode's sake. */
enum error_kind kernel_mode_kind(const struct kernel_pool_status *status, enum error_detail *ret);

/* Nothing helps but another state of the metadata: no session may begin to write. */
bool kernel_mode_is_broken(const struct kernel_pool_status *status);
