/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of LVM's program is not ours, so the script knows the folder by its text. */
#include "tests/support/fake_lvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/alloc.h"
#include "pkg/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/scratch.h"

#define POOL_ROW                                                                                   \
	"{\"vg_name\":\"vg-one\", \"lv_name\":\"pool\", "                                          \
	"\"vg_uuid\":\"nB6KJg-x5Qm-Uydi-Sb02-zYuL-Nkfp-X5b9ll\", "                                 \
	"\"lv_uuid\":\"LWFPEf-Hl45-pX3D-h6Tt-AueT-Qg4o-wrvdGl\", \"segtype\":\"thin-pool\", "      \
	"\"lv_active\":\"active\", \"lv_size\":\"314572800\", \"lv_metadata_size\":\"4194304\", "  \
	"\"chunk_size\":\"524288\", \"transaction_id\":\"0\", \"thin_count\":\"0\", "              \
	"\"zero\":\"zero\", \"lv_when_full\":\"queue\", \"seg_monitor\":\"monitored\", "           \
	"\"lv_profile\":\"thinpull\", \"vg_free\":\"746586112\", \"vg_extent_size\":\"4194304\", " \
	"\"vg_partial\":\"\"}"
#define GROUP_ROW                                                                         \
	"\"vg_name\":\"vg-one\", \"vg_size\":\"1069547520\", \"vg_free\":\"746586112\", " \
	"\"vg_extent_size\":\"4194304\", \"lv_count\":\"1\"}"
#define REPORT(list, row)                                              \
	"  {\n      \"report\": [\n          {\n              \"" list \
	"\": [\n                  " row "\n              ]\n          }\n      ]\n  }\n"

const char fake_lvm_pool[] = REPORT("lv", POOL_ROW);
const char fake_lvm_group[] = REPORT("vg", "{" GROUP_ROW);
const char fake_lvm_disk[] = REPORT("pv", "{\"pv_name\":\"/dev/sdx\", " GROUP_ROW);

void fake_lvm(const char *dir, const char *script)
{
	cleanup_free char *path = xasprintf("%s/bin:/usr/sbin:/usr/bin:/sbin:/bin", dir);
	cleanup_free char *text = xasprintf("#!/bin/sh\ncd '%s'\n"
					    "verb=$1 config=$3\n"
					    "[ \"$2\" = --config ] || exit 99\n"
					    "shift 3\nset -- \"$verb\" \"$@\"\n"
					    "printf '%%s\\n' \"$*\" >>calls\n%s",
					    dir, script);

	mkdir("bin", 0755);
	unlink("bin/lvm");
	scratch_write("bin/lvm", text);
	assert_int_equal(chmod("bin/lvm", 0755), 0);
	setenv("PATH", path, 1);
}

char *fake_lvm_calls(void)
{
	size_t len;
	char *calls = scratch_exists("calls") ? scratch_read("calls", &len) : xstrdup("");

	unlink("calls");
	return calls;
}
