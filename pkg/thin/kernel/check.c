/* SPDX-License-Identifier: Apache-2.0 */
/* Can this process drive dm-thin, and if not, what is it that is missing? */
#include <linux/capability.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pkg/base/log.h"
#include "pkg/thin/kernel/devmap.h"
#include "pkg/thin/kernel/engine.h"

/* In the user namespace that we are in; whether that is the machine's, its ioctls tell. */
static bool may_administer(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capget, &header, sets) == 0
	       && (sets[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

enum obstacle { NOTHING, NO_DRIVER, NOT_ROOT, NOT_LET_IN, NO_THIN };

static const struct {
	const char *reason, *help;
} texts[] = {
	[NO_DRIVER] = {"no device-mapper in this kernel",
		       "modprobe dm_mod, where the kernel has it as a module"},
	[NOT_ROOT] = {"not root", "run it as root"},
	[NOT_LET_IN] =
		{"device-mapper does not let us in",
		 "a container needs /dev/mapper/control and CAP_SYS_ADMIN of the machine itself"},
	[NO_THIN] = {"no dm-thin in this kernel",
		     "modprobe dm_thin_pool, where the kernel has it as a module"},
};

static enum obstacle find_obstacle(void)
{
	static atomic_bool found; /* what the kernel had once it has */
	struct error err = {0};
	char library[64], driver[64];

	if (!may_administer())
		return found || devmap_has_driver() ? NOT_ROOT : NO_DRIVER;
	if (found)
		return NOTHING;
	if (devmap_check("thin-pool", &err) == 0) {
		found = true;
		return NOTHING;
	}
	if (!devmap_has_driver())
		return NO_DRIVER;
	log_debug("%s", err.cause);
	devmap_versions(library, sizeof(library), driver, sizeof(driver));
	return driver[0] ? NO_THIN : NOT_LET_IN;
}

const char *thin_kernel_obstacle(void)
{
	return texts[find_obstacle()].reason;
}

int thin_kernel_check(struct error *err)
{
	enum obstacle o = find_obstacle();

	if (o == NOTHING)
		return 0;
	return error_set(err, ERR_UNSUPPORTED, "no kernel engine here: %s (%s)", texts[o].reason,
			 texts[o].help);
}
