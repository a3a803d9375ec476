/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that mount as root, at the start of main(): a mount namespace of their own, so that
 * those which other tests make meanwhile hold no copy of a mount, and so its device.
 */
#pragma once

/* Does nothing for who may not have one; such a user mounts nothing either. */
void own_mounts(void);
