// SPDX-License-Identifier: Apache-2.0
// Seeds of guests: different for each and from board to board, wiped where they came from, and absent
// where the board gave none.
#include "own_process.h"

#include "fake.h"

#include "arm/features.h"
#include "main/seed.h"

static uint8_t tree[256];

static struct board board_with(uint8_t rng, uint8_t kaslr)
{
	memset(tree, 0xee, sizeof tree);
	memset(tree + 64, rng, 32);
	memset(tree + 128, kaslr, 8);
	return (struct board){.rng_seed_offset = 64,
	                      .rng_seed_size = 32,
	                      .kaslr_seed_offset = 128,
	                      .kaslr_seed_size = 8};
}

static void test_no_seed_no_seeds(void **state)
{
	struct board board = board_with(1, 2);
	uint8_t rng[32] = {5};
	uint64_t kaslr = 7;
	(void)state;
	assert_false(seed_for_vm(1, rng, sizeof rng, &kaslr));
	board.rng_seed_size = 0; // a kaslr-seed of 64 bits is not enough for several guests
	seed_init(&board, tree);
	assert_false(seed_for_vm(1, rng, sizeof rng, &kaslr));
	assert_true(rng[0] == 5 && kaslr == 7);
}

// Another word for each seed, none without, and nothing that a guest is given.
static void test_the_stack_word(void **state)
{
	struct board board = board_with(1, 2);
	uint64_t kaslr, rng[4];
	(void)state;
	const uint64_t one = seed_stack_word(&board, tree);
	assert_int_equal(one, seed_stack_word(&board, tree));
	board = board_with(3, 2);
	const uint64_t other = seed_stack_word(&board, tree);
	assert_true(one != 0 && other != 0 && one != other);
	seed_init(&board, tree);
	assert_true(seed_for_vm(1, (uint8_t *)rng, sizeof rng, &kaslr));
	assert_true(kaslr != other && rng[0] != other);
	board.rng_seed_size = 0;
	assert_int_equal(seed_stack_word(&board, tree), 0);
}

static bool two_words(uint64_t *value)
{
	static uint64_t next = 0x1234;
	*value = next++;
	return true;
}

// EL2's keys: another for each CPU, seed, time, and with each random number; never 0, and nothing that a guest is given.
static void test_the_keys_of_return_addresses(void **state)
{
	struct board board = board_with(1, 2);
	uint64_t key[6][2], kaslr, rng[4];
	(void)state;
	seed_return_key(&board, tree, 0, key[0]);
	seed_return_key(&board, tree, 1, key[1]);
	board = board_with(3, 2);
	seed_return_key(&board, tree, 0, key[2]);
	fake_set_sysreg("cntpct_el0", fake_get_sysreg("cntpct_el0") + 1);
	seed_return_key(&board, tree, 0, key[3]);
	features_present |= BIT_U64(FEATURE_RNDR);
	fake_random_hook = two_words;
	seed_return_key(&board, tree, 0, key[4]);
	seed_return_key(&board, tree, 0, key[5]);
	for (unsigned i = 0; i < ARRAY_SIZE(key); i++) {
		assert_true((key[i][0] & 1) != 0);
		for (unsigned other = 0; other < i; other++)
			assert_true(key[i][0] != key[other][0] && key[i][1] != key[other][1]);
	}
	seed_init(&board, tree);
	assert_true(seed_for_vm(0, (uint8_t *)rng, sizeof rng, &kaslr));
	for (unsigned i = 2; i < ARRAY_SIZE(key); i++)
		assert_true(key[i][1] != kaslr && key[i][1] != rng[1]);
}

// The board's own generator adds to a seed that is there, and is enough without; it is used once.
static void test_noise(void **state)
{
	struct board board = board_with(1, 2);
	const uint8_t noise[SEED_NOISE_SIZE] = {9, 8, 7};
	uint8_t with[32], without[32];
	uint64_t kaslr;
	(void)state;
	board.rng_seed_size = board.kaslr_seed_size = 0;
	seed_add(noise);
	seed_init(&board, tree);
	assert_true(seed_for_vm(1, without, sizeof without, &kaslr));
	assert_memory_not_equal(without, noise, sizeof noise);
	board = board_with(1, 2);
	seed_add(noise);
	seed_init(&board, tree);
	assert_true(seed_for_vm(1, with, sizeof with, &kaslr));
	assert_memory_not_equal(with, without, sizeof with);
	board = board_with(1, 2);
	seed_init(&board, tree);
	assert_true(seed_for_vm(1, without, sizeof without, &kaslr));
	assert_memory_not_equal(with, without, sizeof with);
}

static void test_the_boards_own_is_wiped(void **state)
{
	struct board board = board_with(1, 2);
	(void)state;
	seed_init(&board, tree);
	for (unsigned i = 0; i < sizeof tree; i++) {
		bool seed = (i >= 64 && i < 96) || (i >= 128 && i < 136);
		assert_int_equal(tree[i], seed ? 0 : 0xee);
	}
}

static void test_each_has_its_own(void **state)
{
	struct board board = board_with(1, 2);
	uint8_t rng[64][32], again[32], piece[8];
	uint64_t kaslr[64], same;
	(void)state;
	seed_init(&board, tree);
	for (uint32_t id = 0; id < 64; id++) {
		assert_true(seed_for_vm(id, rng[id], 32, &kaslr[id]));
		for (uint32_t other = 0; other < id; other++) {
			assert_memory_not_equal(rng[id], rng[other], 32);
			assert_int_not_equal(kaslr[id], kaslr[other]);
		}
		assert_memory_not_equal(rng[id], &kaslr[id], 8); // one does not tell the other
	}
	assert_true(seed_for_vm(9, again, 32, &same));
	assert_memory_equal(again, rng[9], 32);
	assert_int_equal(same, kaslr[9]);
	assert_true(seed_for_vm(9, piece, sizeof piece, &same)); // no more than there is room
	assert_memory_equal(piece, rng[9], sizeof piece);
}

static uint8_t of_a_board(uint8_t rng, uint8_t kaslr)
{
	struct board board = board_with(rng, kaslr);
	uint8_t out[32];
	uint64_t ignored;
	seed_init(&board, tree);
	assert_true(seed_for_vm(1, out, sizeof out, &ignored));
	return out[0];
}

static void test_each_board_has_its_own(void **state)
{
	bool met[256] = {false};
	unsigned different = 0;
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		uint8_t byte = of_a_board((uint8_t)(i / 2), (uint8_t)(i % 2));
		different += !met[byte];
		met[byte] = true;
	}
	assert_true(different > 40);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_no_seed_no_seeds),
	        cmocka_unit_test(test_the_stack_word),
	        cmocka_unit_test(test_the_keys_of_return_addresses),
	        cmocka_unit_test(test_noise),
	        cmocka_unit_test(test_the_boards_own_is_wiped),
	        cmocka_unit_test(test_each_has_its_own),
	        cmocka_unit_test(test_each_board_has_its_own),
	};
	return own_process_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
