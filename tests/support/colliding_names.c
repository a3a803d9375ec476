/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the names and asks libext2fs for their hash, never our own code. */
#include "tests/support/colliding_names.h"

#include <ext2fs/ext2fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pkg/base/alloc.h"
#include "pkg/ext4/base.h"
#include "tests/support/memory_volume.h"

static const char FILE_NAME[] = "testdata/ext4/colliding-names.txt";

char **colliding_names_load(size_t *ret_n)
{
	FILE *f = fopen(FILE_NAME, "re");
	char line[EXT2_NAME_LEN + 2];
	char **names = NULL;
	size_t n = 0, room = 0;

	if (!f) {
		perror(FILE_NAME);
		abort();
	}
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		ALLOC_GROW(names, n + 2, room);
		names[n++] = xstrdup(line);
		names[n] = NULL;
	}
	fclose(f);
	*ret_n = n;
	return names;
}

void colliding_names_free(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

void colliding_names_seed(uint32_t ret[4])
{
	struct memory_volume *v = memory_volume_new(64 << 20, 0);
	struct ext4_base_params params = {0};
	struct ext2_super_block sb;
	struct error err = {0};

	if (ext4_base_create(&v->volume, &params, &err) < 0
	    || thin_volume_read(&v->volume, &sb, sizeof(sb), SUPERBLOCK_OFFSET, &err) < 0)
		abort();
	for (size_t i = 0; i < 4; i++)
		ret[i] = ext2fs_le32_to_cpu(sb.s_hash_seed[i]);
	memory_volume_free(v);
}

uint32_t colliding_names_hash(const uint32_t seed[4], const char *name)
{
	uint32_t hash = 0, minor = 0;

	if (ext2fs_dirhash2(EXT2_HASH_HALF_MD4, name, (int)strlen(name), NULL, 0, seed, &hash,
			    &minor))
		abort();
	return hash & ~1U;
}
