// SPDX-License-Identifier: Apache-2.0
// Reading newc archives: those that libarchive writes, those made by hand with padded names, and
// those that are wrong in every field.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/cpio.h"

enum { HEADER = 110, MODE_AT = 14, SIZE_AT = 54, NAME_SIZE_AT = 94, PAGE = 4096 };

struct archive_bytes {
	uint8_t bytes[64 * 1024];
	size_t size;
};

// Appends a member; `name_field` is the name's size with all its NULs.
static void append(struct archive_bytes *a, const char *name, size_t name_field, const void *data,
                   size_t size)
{
	char header[HEADER + 1];

	snprintf(header, sizeof(header),
	         "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1u, 0100644u, 0u,
	         0u, 1u, 0u, size, 0u, 0u, 0u, 0u, name_field, 0u);
	memcpy(a->bytes + a->size, header, HEADER);
	a->size += HEADER;
	sprintf((char *)a->bytes + a->size, "%s", name);
	a->size = align_up(a->size + name_field, 4);
	if (size != 0)
		memcpy(a->bytes + a->size, data, size);
	a->size = align_up(a->size + size, 4);
}

static void append_trailer(struct archive_bytes *a)
{
	append(a, "TRAILER!!!", 11, "", 0);
}

// The size of the name field that puts the data on a page boundary.
static size_t padded_field(const struct archive_bytes *a, const char *name)
{
	return align_up(a->size + HEADER + strlen(name) + 1, PAGE) - a->size - HEADER;
}

static struct archive_bytes *make_archive(void)
{
	struct archive_bytes *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	append(a, "mezzo.dtb", padded_field(a, "mezzo.dtb"), "tree", 4);
	append(a, "empty", padded_field(a, "empty"), "", 0);
	append(a, "odd", 4, "12345", 5);
	append_trailer(a);
	return a;
}

// Reads all of an archive that lies in memory of just its size.
static int read_exact(const void *bytes, size_t size, unsigned *members, struct cpio *end)
{
	uint8_t *exact = malloc(size == 0 ? 1 : size);
	struct cpio_member member;
	struct cpio cpio;
	uint32_t sum = 0;
	int result;

	assert_non_null(exact);
	memcpy(exact, bytes, size);
	cpio_open(&cpio, exact, size);
	*members = 0;
	while ((result = cpio_next(&cpio, &member)) == 1) {
		assert_in_range(strlen(member.name), 1, CPIO_NAME_MAX);
		for (uint32_t i = 0; i < member.size; i++)
			sum += member.data[i];
		(*members)++;
	}
	assert_int_equal(cpio_next(&cpio, &member), result);
	assert_true(cpio.at <= size && sum != UINT32_MAX);
	assert_true(cpio_error_text(result)[0] != '\0');
	*end = cpio;
	free(exact);
	return result;
}

static void test_padded_names(void **state)
{
	struct archive_bytes *a = make_archive();
	struct cpio_member member;
	struct cpio cpio;

	(void)state;
	cpio_open(&cpio, a->bytes, a->size);
	assert_int_equal(cpio_next(&cpio, &member), 1);
	assert_string_equal(member.name, "mezzo.dtb");
	assert_int_equal(member.size, 4);
	assert_int_equal(member.mode, 0100644);
	assert_memory_equal(member.data, "tree", 4);
	assert_int_equal((member.data - a->bytes) % PAGE, 0);
	assert_int_equal(cpio_next(&cpio, &member), 1);
	assert_string_equal(member.name, "empty");
	assert_int_equal(member.size, 0);
	assert_int_equal((member.data - a->bytes) % PAGE, 0);
	assert_int_equal(cpio_next(&cpio, &member), 1);
	assert_string_equal(member.name, "odd");
	assert_memory_equal(member.data, "12345", 5);
	assert_int_equal(cpio_next(&cpio, &member), 0);
	assert_int_equal(cpio_next(&cpio, &member), 0);
	assert_int_equal(align_up(cpio.length, 4), a->size);
	free(a);
}

static void test_find(void **state)
{
	struct archive_bytes *a = make_archive();
	struct cpio_member member;
	struct cpio cpio;

	(void)state;
	cpio_open(&cpio, a->bytes, a->size);
	assert_int_equal(cpio_find(&cpio, "odd", &member), CPIO_OK);
	assert_int_equal(member.size, 5);
	assert_int_equal(cpio_find(&cpio, "od", &member), CPIO_NOT_FOUND);
	assert_int_equal(cpio_find(&cpio, "TRAILER!!!", &member), CPIO_NOT_FOUND);
	assert_int_equal(cpio_find(&cpio, "mezzo.dtb", &member), CPIO_OK);
	cpio.size -= 100;
	assert_int_equal(cpio_find(&cpio, "odd", &member), CPIO_OK);
	assert_int_equal(cpio_find(&cpio, "none", &member), CPIO_TRUNCATED);
	free(a);
}

// What another program writes, with directories and long names.
static void test_libarchive(void **state)
{
	static uint8_t bytes[100000], data[1000];
	struct archive *out = archive_write_new();
	char name[CPIO_NAME_MAX + 1];
	unsigned members;
	size_t used = 0;
	struct cpio end;

	(void)state;
	assert_int_equal(archive_write_set_format_cpio_newc(out), ARCHIVE_OK);
	assert_int_equal(archive_write_open_memory(out, bytes, sizeof(bytes), &used), ARCHIVE_OK);
	for (unsigned i = 0; i < 40; i++) {
		struct archive_entry *entry = archive_entry_new();

		memset(name, 'a' + (int)i % 26, sizeof(name));
		name[1 + i * 6] = '\0';
		archive_entry_set_pathname(entry, name);
		archive_entry_set_size(entry, i * 7);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		assert_int_equal(archive_write_header(out, entry), ARCHIVE_OK);
		assert_int_equal(archive_write_data(out, data, i * 7), i * 7);
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(out), ARCHIVE_OK);
	archive_write_free(out);
	assert_int_equal(read_exact(bytes, used, &members, &end), 0);
	assert_int_equal(members, 40);
	assert_true(end.length <= used);
}

static void test_wrong(void **state)
{
	static const struct {
		size_t at;
		const char *text;
		int result;
		unsigned members;
	} rows[] = {
	        {0, "070707", CPIO_NOT_CPIO, 0},
	        {0, "\x1f\x8b", CPIO_NOT_CPIO, 0},
	        {PAGE + 4, "0707", 0, 3}, // the second header's magic, as it is
	        {PAGE + 4, "x", CPIO_BAD_MAGIC, 1},
	        {SIZE_AT, "0000000g", CPIO_BAD_NUMBER, 0},
	        {SIZE_AT, "-0000001", CPIO_BAD_NUMBER, 0},
	        {SIZE_AT, "        ", CPIO_BAD_NUMBER, 0},
	        {SIZE_AT, "ffffffff", CPIO_TRUNCATED, 0},
	        {SIZE_AT, "FFFFFFFC", CPIO_TRUNCATED, 0},
	        {SIZE_AT, "00000005", CPIO_BAD_MAGIC, 1},
	        {MODE_AT, "x", CPIO_BAD_NUMBER, 0},
	        {NAME_SIZE_AT, "00000000", CPIO_BAD_NAME, 0},
	        {NAME_SIZE_AT, "00000001", CPIO_BAD_NAME, 0},
	        {NAME_SIZE_AT, "00000009", CPIO_BAD_NAME, 0},
	        {NAME_SIZE_AT, "00002001", CPIO_NAME_TOO_LONG, 0},
	        {NAME_SIZE_AT, "ffffffff", CPIO_NAME_TOO_LONG, 0},
	        {NAME_SIZE_AT, "0000000a", CPIO_BAD_MAGIC, 1}, // its NULs are no header
	        {HEADER, "\0", CPIO_BAD_NAME, 0},
	};
	unsigned members;
	struct cpio end;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct archive_bytes *a = make_archive();
		const size_t length = rows[i].text[0] == '\0' ? 1 : strlen(rows[i].text);

		memcpy(a->bytes + rows[i].at, rows[i].text, length);
		const int result = read_exact(a->bytes, a->size, &members, &end);
		if (result != rows[i].result || members != rows[i].members)
			fail_msg("row %u: %d after %u members: %s", i, result, members,
			         cpio_error_text(result));
		free(a);
	}
}

static void test_long_name(void **state)
{
	struct archive_bytes *a = calloc(1, sizeof(*a));
	char name[CPIO_NAME_MAX + 2];
	unsigned members;
	struct cpio end;

	(void)state;
	assert_non_null(a);
	memset(name, 'n', sizeof(name));
	name[CPIO_NAME_MAX] = '\0';
	append(a, name, CPIO_NAME_FIELD_MAX, "x", 1);
	append_trailer(a);
	assert_int_equal(read_exact(a->bytes, a->size, &members, &end), 0);
	memset(a, 0, sizeof(*a));
	name[CPIO_NAME_MAX] = 'n';
	name[CPIO_NAME_MAX + 1] = '\0';
	append(a, name, CPIO_NAME_MAX + 2, "x", 1);
	append_trailer(a);
	assert_int_equal(read_exact(a->bytes, a->size, &members, &end), CPIO_NAME_TOO_LONG);
	free(a);
}

// Cut off at every byte: never more members than before, and always a reason.
static void test_truncated(void **state)
{
	struct archive_bytes *a = make_archive();
	unsigned members, before = 3;
	struct cpio end;

	(void)state;
	for (size_t size = a->size; size-- > 0;) {
		const int result = read_exact(a->bytes, size, &members, &end);

		if (result == 0) // only the padding behind the trailer is missing
			assert_true(a->size - size < 4);
		else if (size == 0)
			assert_int_equal(result, CPIO_NOT_CPIO);
		else
			assert_true(result == CPIO_TRUNCATED || result == CPIO_NO_TRAILER);
		assert_true(members <= before);
		before = members;
	}
	free(a);
}

static void test_mangled(void **state)
{
	struct archive_bytes *a = make_archive(), *copy = malloc(sizeof(*copy));
	uint32_t random = 7;

	(void)state;
	assert_non_null(copy);
	for (int round = 0; round < 20000; round++) {
		unsigned members;
		struct cpio end;

		*copy = *a;
		for (int i = 0; i < 3; i++) {
			random = random * 1664525 + 1013904223;
			// Mostly in the headers.
			const size_t at = random % 3 == 0 ? (random >> 8) % a->size
			                                  : (random >> 8) % HEADER +
			                                            (random >> 20) % 2 * (PAGE + 4);
			copy->bytes[at] = (uint8_t) "0123456789abcdefF\0x"[(random >> 4) % 19];
		}
		(void)read_exact(copy->bytes, copy->size, &members, &end);
	}
	free(copy);
	free(a);
}

static void test_texts(void **state)
{
	(void)state;
	for (int error = -20; error < 5; error++)
		assert_true(strlen(cpio_error_text(error)) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_padded_names), cmocka_unit_test(test_find),
	        cmocka_unit_test(test_libarchive),   cmocka_unit_test(test_wrong),
	        cmocka_unit_test(test_long_name),    cmocka_unit_test(test_truncated),
	        cmocka_unit_test(test_mangled),      cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
