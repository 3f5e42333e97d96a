// SPDX-License-Identifier: Apache-2.0
// CRC-32 and SHA-256 against published values and zlib, fed whole and in every split.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/crc32.h"
#include "base/sha256.h"

#define LONGEST (4 * SHA256_BLOCK_SIZE)

static void hash(const void *data, size_t size, uint8_t digest[SHA256_SIZE])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, data, size);
	sha256_final(&s, digest);
}

static void assert_digest(const uint8_t digest[SHA256_SIZE], const char *hex)
{
	char text[2 * SHA256_SIZE + 1];

	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(text, hex);
}

// FIPS 180-4's example messages, the empty one, and a million times 'a'.
static void test_published(void **state)
{
	static const struct {
		const char *text, *hex;
	} cases[] = {
	        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	uint8_t digest[SHA256_SIZE];
	char *many = malloc(1000000);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		hash(cases[i].text, strlen(cases[i].text), digest);
		assert_digest(digest, cases[i].hex);
	}
	assert_non_null(many);
	memset(many, 'a', 1000000);
	hash(many, 1000000, digest);
	assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(many);
	// The check value that descriptions of CRC-32 give.
	assert_int_equal(crc32_update(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_update(0, NULL, 0), 0);
}

// Every length around the block's, split in two everywhere: the same sums as in one piece.
static void test_pieces(void **state)
{
	uint8_t data[LONGEST], whole[SHA256_SIZE], pieces[SHA256_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 64);
	for (size_t size = 0; size <= sizeof(data); size++) {
		uint32_t crc = crc32_update(0, data, size);

		assert_int_equal(crc, crc32(0, data, (uInt)size));
		hash(data, size, whole);
		for (size_t cut = 0; cut <= size; cut++) {
			struct sha256 s;

			sha256_init(&s);
			sha256_update(&s, data, cut);
			sha256_update(&s, data + cut, size - cut);
			sha256_final(&s, pieces);
			assert_memory_equal(whole, pieces, SHA256_SIZE);
			assert_int_equal(
			        crc32_update(crc32_update(0, data, cut), data + cut, size - cut),
			        crc);
		}
	}
}

// What was hashed is not left lying about.
static void test_final_forgets(void **state)
{
	static const struct sha256 nothing;
	uint8_t digest[SHA256_SIZE];
	struct sha256 s;

	(void)state;
	sha256_init(&s);
	sha256_update(&s, "secret", 6);
	sha256_final(&s, digest);
	assert_memory_equal(&s, &nothing, sizeof(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_published),
	        cmocka_unit_test(test_pieces),
	        cmocka_unit_test(test_final_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
