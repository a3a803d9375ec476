/* SPDX-License-Identifier: Apache-2.0 */
/* Names in memory: found, counted, forgotten. */
#include "pkg/ext4/nodes.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/cmocka.h"

static struct ext4_node *add(struct ext4_tree *tree, struct ext4_node *dir, const char *name,
			     uint32_t inode, uint8_t type)
{
	return ext4_tree_add(tree, dir, name, strlen(name), inode, type);
}

static void names_are_found_in_their_directory_only(void **state)
{
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_node *root = add(tree, NULL, "", 2, EXT4_DIR_DIRECTORY);
	struct ext4_node *dir = add(tree, root, "dir", 12, EXT4_DIR_DIRECTORY);
	struct ext4_node *a = add(tree, root, "name", 13, EXT4_DIR_REGULAR);
	struct ext4_node *b = add(tree, dir, "name", 14, EXT4_DIR_REGULAR);
	size_t len;

	(void)state;
	assert_ptr_equal(ext4_tree_find(tree, root, "name", 4), a);
	assert_ptr_equal(ext4_tree_find(tree, dir, "name", 4), b);
	assert_null(ext4_tree_find(tree, dir, "nam", 3));
	assert_null(ext4_tree_find(tree, dir, "names", 5));
	assert_null(ext4_tree_find(tree, dir, "dir", 3));
	assert_ptr_equal(ext4_node_parent(b), dir);
	assert_null(ext4_node_parent(root));
	assert_string_equal(ext4_node_name(dir, &len), "dir");
	assert_int_equal(len, 3);
	assert_int_equal(ext4_node_inode(b), 14);
	ext4_tree_free(tree);
}

static void any_byte_and_length_can_be_a_name(void **state)
{
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_node *root = add(tree, NULL, "", 2, EXT4_DIR_DIRECTORY);
	char name[EXT4_NAME_MAX];

	(void)state;
	memset(name, 0xff, sizeof(name));
	for (size_t len = 1; len <= sizeof(name); len++)
		ext4_tree_add(tree, root, name, len, (uint32_t)len, EXT4_DIR_REGULAR);
	for (size_t len = 1; len <= sizeof(name); len++)
		assert_int_equal(ext4_tree_find(tree, root, name, len)->inode, len);
	assert_int_equal(root->dir->entries, sizeof(name));
	ext4_tree_free(tree);
}

static void the_path_of_a_node_is_any_length(void **state)
{
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_node *at = add(tree, NULL, "", 2, EXT4_DIR_DIRECTORY);
	char *path = ext4_node_path(at);

	(void)state;
	assert_string_equal(path, "/");
	free(path);
	at = add(tree, add(tree, at, "a", 12, EXT4_DIR_DIRECTORY), "bc", 13, EXT4_DIR_DIRECTORY);
	path = ext4_node_path(at);
	assert_string_equal(path, "/a/bc");
	free(path);
	for (int i = 0; i < 5000; i++)
		at = add(tree, at, "d", 14, EXT4_DIR_DIRECTORY);
	path = ext4_node_path(at);
	assert_int_equal(strlen(path), 5 + 2 * 5000);
	assert_string_equal(path + strlen(path) - 4, "/d/d");
	free(path);
	ext4_tree_free(tree);
}

static size_t count(const struct ext4_node *dir)
{
	size_t n = 0;

	for (const struct ext4_node *node = dir->dir->first; node; node = node->next)
		n++;
	return n;
}

static void what_is_removed_is_not_found_and_the_rest_is(void **state)
{
	enum { NAMES = 5000 };
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_node *root = add(tree, NULL, "", 2, EXT4_DIR_DIRECTORY);
	char name[16];

	(void)state;
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		add(tree, root, name, 12, i % 5 ? EXT4_DIR_REGULAR : EXT4_DIR_DIRECTORY);
	}
	assert_int_equal(root->dir->subdirs, NAMES / 5);
	for (int i = 0; i < NAMES; i += 2) {
		snprintf(name, sizeof(name), "%d", i);
		ext4_tree_remove(tree, ext4_tree_find(tree, root, name, strlen(name)));
	}
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(ext4_tree_find(tree, root, name, strlen(name)) != NULL, i % 2);
	}
	assert_int_equal(root->dir->entries, NAMES / 2);
	assert_int_equal(count(root), NAMES / 2);
	assert_int_equal(root->dir->subdirs, NAMES / 10);
	ext4_tree_free(tree);
}

/* What is on disk is kept when it is removed, until it is known to be gone there, too. */
static void names_on_disk_are_remembered_as_removed(void **state)
{
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_node *root = add(tree, NULL, "", 2, EXT4_DIR_DIRECTORY);
	struct ext4_node *made = add(tree, root, "made", 12, EXT4_DIR_REGULAR);

	(void)state;
	made->made = true;
	ext4_tree_remove(tree, made);
	assert_null(root->dir->removed);
	ext4_tree_remove(tree, add(tree, root, "old", 13, EXT4_DIR_DIRECTORY));
	assert_non_null(root->dir->removed);
	assert_string_equal(root->dir->removed->name, "old");
	assert_int_equal(root->dir->removed->type, EXT4_DIR_DIRECTORY);
	assert_int_equal(root->dir->entries + root->dir->subdirs, 0);
	assert_null(ext4_tree_find(tree, root, "old", 3));
	made = add(tree, root, "old", 14, EXT4_DIR_REGULAR);
	made->made = true;
	ext4_tree_settle(root);
	assert_false(made->made);
	assert_null(root->dir->removed);
	ext4_tree_remove(tree, made);
	assert_string_equal(root->dir->removed->name, "old");
	ext4_tree_free(tree);
}

static void a_directory_that_is_all_here_needs_no_ranges(void **state)
{
	struct ext4_tree *tree = ext4_tree_new();
	struct ext4_node *root = add(tree, NULL, "", 2, EXT4_DIR_DIRECTORY);

	(void)state;
	hash_ranges_add(&root->dir->known, 4, 8);
	ext4_tree_loaded(root);
	assert_true(root->dir->loaded);
	assert_int_equal(root->dir->known.n, 0);
	ext4_tree_free(tree);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_on_disk_are_remembered_as_removed),
		cmocka_unit_test(a_directory_that_is_all_here_needs_no_ranges),
		cmocka_unit_test(names_are_found_in_their_directory_only),
		cmocka_unit_test(the_path_of_a_node_is_any_length),
		cmocka_unit_test(any_byte_and_length_can_be_a_name),
		cmocka_unit_test(what_is_removed_is_not_found_and_the_rest_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
