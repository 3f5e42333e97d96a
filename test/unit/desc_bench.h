// SPDX-License-Identifier: Apache-2.0
// Descriptions of systems as source text: compiled, read, and what is said about them. Included once by a test.
#ifndef DESC_BENCH_H
#define DESC_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fdt/desc.h"
#include "tree_files.h"

struct desc_wrong {
	const char *source, *text; // a part of what is said
};

static struct desc desc;
static struct desc_problem problem;

// The tree stays until the next call, since the description leads into it; NULL: only ends that.
static int read_source(const char *source)
{
	static struct tree_file file;

	tree_file_free(&file);
	if (source == NULL)
		return 0;
	file = tree_file_compile(source);
	assert_non_null(file.bytes);
	return desc_read(file.bytes, file.size, &desc, &problem);
}

static void expect_sound(const char *source)
{
	if (read_source(source) != 0)
		fail_msg("%s", problem.text);
	assert_string_equal(problem.text, "");
}

static void expect_wrong(const struct desc_wrong *wrong, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (read_source(wrong[i].source) != ERR_INVALID)
			fail_msg("row %zu: taken, or another error: %s", i, wrong[i].source);
		if (strstr(problem.text, wrong[i].text) == NULL)
			fail_msg("row %zu: '%s' is not in '%s'", i, wrong[i].text, problem.text);
	}
}

#endif
