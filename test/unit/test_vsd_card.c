// SPDX-License-Identifier: Apache-2.0
// The SD card: every command in every state, what it says of itself, blocks that come and go, what is kept and what is
// forgotten, and memory that runs out.
#include "sd_bench.h"

static uint8_t buffer[512 * 16];

static int setup(void **state)
{
	(void)state;
	sd_send = sd_direct;
	sd_setup(sd_image, SD_BYTES, DESC_IMAGE_COW);
	return 0;
}

static struct vsd_card *card(void)
{
	return vm->raspi3->card;
}

static void use_mode(enum desc_image mode)
{
	void *state = NULL;
	sd_teardown(&state);
	sd_setup(sd_image, SD_BYTES, mode);
}

static size_t read_some(void *to, size_t size)
{
	vsd_card_lock(card());
	size_t done = vsd_card_read(card(), to, size);
	vsd_card_unlock(card());
	return done;
}

static size_t write_some(const void *from, size_t size)
{
	vsd_card_lock(card());
	size_t done = vsd_card_write(card(), from, size);
	vsd_card_unlock(card());
	return done;
}

static uint32_t status(void)
{
	return sd_command(13, sd_rca());
}

static unsigned state_of(uint32_t r1)
{
	return r1 >> 9 & 15;
}

static void expect_block(const uint8_t *bytes, uint64_t block)
{
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(bytes[i], block < SD_BLOCKS ? sd_byte(block, i) : 0);
}

static bool write_block_of(uint64_t block, int value)
{
	memset(buffer, value, 512);
	sd_command(24, (uint32_t)block);
	return write_some(buffer, 512) == 512;
}

static void expect_filled(uint64_t block, int value)
{
	uint8_t bytes[512];
	sd_command(17, (uint32_t)block);
	assert_int_equal(read_some(bytes, 512), 512);
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(bytes[i], value);
}

static void test_every_command_in_every_state(void **state)
{
	(void)state;
	sd_check_all_commands();
}

// ---- how it begins, and what it says ----

static void test_the_conditions(void **state)
{
	(void)state;
	assert_true(sd_silent(8, 0x2aa)); // low voltage
	assert_true(sd_silent(8, 0xaa));
	assert_int_equal(sd_app(41, 0x40ff8000), 0xff8000); // nobody asked it first: busy for ever
	assert_int_equal(sd_command(8, 0x1a5), 0x1a5);
	assert_int_equal(sd_app(41, 0), 0xff8000);          // only a question
	assert_int_equal(sd_app(41, 0x00ff8000), 0xff8000); // a host of small cards
	assert_int_equal(card()->state, IDLE);
	assert_int_equal(sd_app(41, 0x40100000), 0xc0ff8000);
	assert_int_equal(card()->state, READY);
	sd_silent(0, 0);
	sd_command(8, 0x1aa);
	sd_command(55, 0);
	assert_true(sd_silent(41, 0x40000080)); // not a voltage that it has
	assert_true(sd_silent(0, 0));
	assert_true(sd_silent(8, 0x1aa)); // and it is gone
	assert_int_equal(card()->state, INACTIVE);
	sd_reset();
	sd_start();
}

static void test_addresses(void **state)
{
	(void)state;
	sd_start();
	uint32_t first = sd_rca();
	assert_int_equal(first, 1 << 16);
	assert_true(sd_silent(13, 0));
	assert_true(sd_silent(13, 2 << 16));
	assert_true(sd_silent(55, 2 << 16));
	assert_true(sd_silent(41, 0x40ff8000)); // so this is CMD41
	assert_int_equal(state_of(status()), TRAN);
	assert_true(sd_silent(7, 2 << 16));
	assert_int_equal(state_of(status()), STBY);
	assert_int_equal(sd_command(3, 0), 0x20000 | STBY << 9 | 0x100);
	assert_true(sd_silent(9, first));
	sd_command(9, sd_rca());
}

static uint32_t bits(const uint32_t word[4], unsigned high, unsigned low)
{
	uint32_t value = 0;
	for (unsigned bit = high + 1; bit-- > low;)
		value = value << 1 | (word[bit / 32] >> bit % 32 & 1);
	return value;
}

static uint32_t crc7(const uint32_t word[4])
{
	uint32_t crc = 0;
	for (unsigned bit = 128; bit-- > 8;) {
		crc = crc << 1 | bits(word, bit, bit);
		crc ^= (crc & 0x80) != 0 ? 0x89 : 0;
	}
	for (unsigned i = 0; i < 7; i++) {
		crc <<= 1;
		crc ^= (crc & 0x80) != 0 ? 0x89 : 0;
	}
	return crc;
}

static void test_registers(void **state)
{
	uint32_t csd[4], cid[4];
	(void)state;
	sd_start();
	sd_silent(7, 0);
	assert_true(sd_send(9, sd_rca(), csd));
	assert_int_equal(bits(csd, 127, 126), 1);
	assert_int_equal((bits(csd, 69, 48) + 1) * 1024, SD_SHOWN);
	assert_int_equal(bits(csd, 95, 84), 0x535);
	assert_int_equal(bits(csd, 83, 80), 9);
	assert_int_equal(bits(csd, 13, 12), 0);
	assert_int_equal(bits(csd, 7, 1), crc7(csd));
	assert_int_equal(csd[0] & 1, 1);
	assert_true(sd_send(10, sd_rca(), cid));
	assert_int_equal(bits(cid, 103, 72), 0x4d455a5a);
	assert_int_equal(bits(cid, 71, 64), 'O');
	assert_int_equal(bits(cid, 55, 24), 1);
	assert_int_equal(bits(cid, 7, 1), crc7(cid));
	use_mode(DESC_IMAGE_RO);
	sd_start();
	sd_silent(7, 0);
	assert_true(sd_send(9, sd_rca(), csd));
	assert_int_equal(bits(csd, 95, 84), 0x505); // no writing, no erasing
	assert_int_equal(bits(csd, 13, 13), 1);
}

static void test_registers_as_data(void **state)
{
	(void)state;
	sd_start();
	sd_app(51, 0);
	assert_int_equal(read_some(buffer, sizeof buffer), 8);
	assert_memory_equal(buffer, "\x02\x05\x80\x02\0\0\0\0", 8);
	assert_int_equal(state_of(status()), TRAN);
	sd_app(13, 0);
	assert_int_equal(read_some(buffer, sizeof buffer), 64);
	assert_int_equal(buffer[0], 0);
	sd_app(6, 2);
	assert_int_equal(sd_app(6, 1) & OUT_OF_RANGE, OUT_OF_RANGE);
	sd_app(13, 0);
	assert_int_equal(read_some(buffer, 1), 1);
	assert_int_equal(buffer[0], 0x80);
	assert_int_equal(read_some(buffer, sizeof buffer), 63);
	sd_command(6, 0x00fffff1); // would it?
	assert_int_equal(read_some(buffer, sizeof buffer), 64);
	assert_int_equal(buffer[1], 100);
	assert_int_equal(buffer[13], 3);
	assert_int_equal(buffer[16], 1);
	sd_command(6, 0x00ffffff); // it did not
	(void)read_some(buffer, sizeof buffer);
	assert_int_equal(buffer[16], 0);
	sd_command(6, 0x80fffff1);
	(void)read_some(buffer, sizeof buffer);
	sd_command(6, 0x80ffff2f); // there is no such function: nothing is switched
	(void)read_some(buffer, sizeof buffer);
	assert_int_equal(buffer[1], 0);
	assert_int_equal(buffer[16], 0xf1);
	assert_true(card()->fast);
}

// ---- blocks ----

static void test_reading(void **state)
{
	(void)state;
	sd_start();
	assert_int_equal(sd_command(17, 8999), TRAN << 9 | 0x100);
	assert_int_equal(state_of(status()), DATA);
	assert_int_equal(read_some(buffer, sizeof buffer), 512);
	expect_block(buffer, 8999);
	assert_int_equal(state_of(status()), TRAN);
	sd_command(18, 10); // until it is stopped
	for (unsigned i = 0; i < 512 * 3; i += 8)
		assert_int_equal(read_some(buffer + i, 8), 8);
	assert_int_equal(state_of(sd_command(12, 0)), DATA);
	assert_int_equal(state_of(status()), TRAN);
	sd_command(23, 4);
	sd_command(18, 4093);
	assert_int_equal(read_some(buffer, sizeof buffer), 4 * 512);
	for (unsigned i = 0; i < 4; i++)
		expect_block(buffer + 512 * i, 4093 + i);
	assert_int_equal(state_of(status()), TRAN);
	sd_command(23, 4); // only for the command that follows, even if it is one like it
	sd_command(23, 4);
	status();
	sd_command(18, 0);
	assert_int_equal(read_some(buffer, 512 * 6), 512 * 6);
	assert_true(sd_silent(17, 0));
	assert_int_equal(sd_command(12, 0) & ILLEGAL_COMMAND, ILLEGAL_COMMAND);
}

static void test_out_of_range(void **state)
{
	static const unsigned with_address[] = {17, 18, 24, 25, 32, 33};
	(void)state;
	sd_start();
	for (unsigned i = 0; i < ARRAY_SIZE(with_address); i++) {
		assert_int_equal(sd_command(with_address[i], SD_SHOWN) & OUT_OF_RANGE,
		                 OUT_OF_RANGE);
		assert_int_equal(sd_command(with_address[i], ~0u) & OUT_OF_RANGE, OUT_OF_RANGE);
		assert_int_equal(status(), TRAN << 9 | 0x100); // told once
	}
	sd_command(18, SD_SHOWN - 2);
	assert_int_equal(read_some(buffer, 512 * 2), 512 * 2);
	expect_block(buffer, SD_SHOWN - 2); // zeroes
	assert_int_equal(status() & OUT_OF_RANGE, 0);
	assert_int_equal(read_some(buffer, 512), 0);
	assert_int_equal(sd_command(12, 0), OUT_OF_RANGE | DATA << 9 | 0x100);
	sd_command(25, SD_SHOWN - 1);
	memset(buffer, 9, sizeof buffer);
	assert_int_equal(write_some(buffer, 512 * 3), 512);
	assert_int_equal(write_some(buffer, 512), 0);
	assert_int_equal(sd_command(12, 0), OUT_OF_RANGE | RCV << 9 | 0x100);
	expect_filled(SD_SHOWN - 1, 9);
}

static void test_writing(void **state)
{
	(void)state;
	sd_start();
	assert_true(write_block_of(4095, 0x11));
	expect_filled(4095, 0x11);
	for (unsigned i = 0; i < 3; i++) // the rest of its page, the first of the next leaf
		for (uint64_t block = 4088; block <= 4096; block++)
			if (block != 4095) {
				sd_command(17, (uint32_t)block);
				read_some(buffer, 512);
				expect_block(buffer, block);
			}
	sd_command(23, 3);
	sd_command(25, 100);
	memset(buffer, 0x22, sizeof buffer);
	assert_int_equal(write_some(buffer, 512 * 5), 512 * 3);
	assert_int_equal(state_of(status()), TRAN);
	sd_app(22, 0);
	assert_int_equal(read_some(buffer, sizeof buffer), 4);
	assert_memory_equal(buffer, "\0\0\0\3", 4);
	expect_filled(102, 0x22);
	sd_command(25, 200);
	memset(buffer, 0x33, sizeof buffer);
	assert_int_equal(write_some(buffer, 512 + 100), 512 + 100);
	assert_int_equal(state_of(sd_command(12, 0)), RCV); // the piece of a block is lost
	expect_filled(200, 0x33);
	sd_command(17, 201);
	read_some(buffer, 512);
	expect_block(buffer, 201);
	assert_int_equal(sd_image[200 * 512], sd_byte(200, 0)); // the image is as it was
}

static void test_what_is_kept(void **state)
{
	(void)state;
	sd_start();
	assert_true(write_block_of(5, 0x44));
	sd_silent(0, 0); // a reset of the card alone
	sd_start();
	expect_filled(5, 0x44);
	sd_reset();
	assert_int_equal(sd_scratch.first, 0);
	sd_start();
	sd_command(17, 5);
	read_some(buffer, 512);
	expect_block(buffer, 5);
	use_mode(DESC_IMAGE_KEEP);
	sd_start();
	assert_true(write_block_of(5, 0x55));
	assert_int_equal(sd_scratch.first, 0);
	sd_reset();
	sd_start();
	expect_filled(5, 0x55);
	assert_true(write_block_of(6, 0x56));
}

static void test_read_only(void **state)
{
	(void)state;
	use_mode(DESC_IMAGE_RO);
	sd_start();
	assert_int_equal(sd_command(24, 1), WP_VIOLATION | TRAN << 9 | 0x100);
	assert_int_equal(write_some(buffer, 512), 0);
	assert_int_equal(state_of(status()), TRAN);
	assert_int_equal(sd_command(25, 1) & WP_VIOLATION, WP_VIOLATION);
	assert_int_equal(write_some(buffer, 512), 0);
	assert_int_equal(state_of(sd_command(12, 0)), RCV);
	sd_command(32, 0);
	sd_command(33, 10);
	assert_int_equal(sd_command(38, 0) & WP_ERASE_SKIP, WP_ERASE_SKIP);
	sd_command(17, 1);
	read_some(buffer, 512);
	expect_block(buffer, 1);
	assert_int_equal(sd_scratch.first | sd_kept.first, 0);
}

// Each write that finds no memory fails, and nothing else.
static void test_no_memory(void **state)
{
	(void)state;
	for (uint64_t left = 0; left < 2; left++) { // a leaf and a page are needed
		sd_reset();
		sd_start();
		sd_pages_left = left;
		assert_false(write_block_of(7, 0x66));
		assert_int_equal(status(), GENERAL_ERROR | TRAN << 9 | 0x100);
		sd_command(17, 7);
		read_some(buffer, 512);
		expect_block(buffer, 7);
	}
	sd_reset();
	sd_start();
	sd_pages_left = 2;
	assert_true(write_block_of(7, 0x66));
	assert_true(write_block_of(0, 0x67)); // in the same page
	assert_false(write_block_of(8, 0x68));
	sd_command(25, 6); // two, and the third is the next page's
	memset(buffer, 0x77, sizeof buffer);
	assert_int_equal(write_some(buffer, 512 * 4), 512 * 2);
	assert_int_equal(write_some(buffer, 512), 0);
	assert_int_equal(state_of(status()), RCV);
	sd_command(12, 0);
	expect_filled(7, 0x77);
	sd_command(32, 8);
	sd_command(33, 8);
	sd_command(38, 0);
	pass_us(1000);
	assert_int_equal(status(), GENERAL_ERROR | TRAN << 9 | 0x100);
	sd_pages_left = 10;
	assert_true(write_block_of(8, 0x68));
}

// ---- erasing ----

static void erase(uint32_t first, uint32_t last)
{
	assert_int_equal(sd_command(32, first), TRAN << 9 | 0x100);
	assert_int_equal(sd_command(33, last), TRAN << 9 | 0x100);
	assert_int_equal(sd_command(38, 0), TRAN << 9 | 0x100);
	assert_int_equal(status(), PRG << 9);
	for (unsigned i = 0; i < 10000 && state_of(status()) == PRG; i++)
		pass_us(20);
	assert_int_equal(status(), TRAN << 9 | 0x100);
}

static void test_erasing(void **state)
{
	(void)state;
	sd_start();
	assert_int_equal(sd_command(38, 0) & ERASE_SEQ_ERROR, ERASE_SEQ_ERROR);
	assert_int_equal(sd_command(33, 0) & ERASE_SEQ_ERROR, ERASE_SEQ_ERROR);
	sd_command(32, 10);
	assert_int_equal(sd_command(38, 0) & ERASE_SEQ_ERROR, ERASE_SEQ_ERROR);
	sd_command(32, 10);
	assert_int_equal(sd_command(16, 512) & ERASE_RESET, ERASE_RESET);
	assert_int_equal(sd_command(33, 10) & ERASE_SEQ_ERROR, ERASE_SEQ_ERROR);
	sd_command(32, 10);
	sd_command(33, 9);
	assert_int_equal(sd_command(38, 0) & ERASE_PARAM, ERASE_PARAM);
	assert_true(write_block_of(4100, 0x99));
	erase(3, 4101);
	for (uint32_t block = 0; block < 4110; block++) {
		sd_command(17, block);
		read_some(buffer, 512);
		if (block < 3 || block > 4101)
			expect_block(buffer, block);
		else
			assert_int_equal(buffer[0] | buffer[511], 0);
	}
	assert_true(write_block_of(50, 0x12)); // where nothing but zeroes was
	expect_filled(51, 0);
	erase(0, SD_SHOWN - 1);
	expect_filled(50, 0);
	expect_filled(SD_SHOWN - 1, 0);
}

// It may be put aside while it erases, and taken again, and be reset.
static void test_erasing_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		sd_to_state('X');
		assert_int_equal(state_of(status()), DIS);
		if (i == 0)
			sd_command(7, sd_rca());
		pass_us(5000);
		assert_int_equal(state_of(status()), i == 0 ? TRAN : STBY);
		sd_reset();
	}
	sd_start();
	sd_command(32, 0);
	sd_command(33, SD_SHOWN - 1);
	sd_command(38, 0);
	assert_true(sd_silent(17, 0));
	sd_silent(0, 0);
	pass_us(5000);
	assert_int_equal(card()->state, IDLE);
	sd_start();
	sd_command(17, 8000);
	read_some(buffer, 512);
	expect_block(buffer, 8000);
}

// ---- anything, against a card of plain memory ----

static void test_against_a_model(void **state)
{
	uint8_t *model = test_malloc(SD_SHOWN); // the first byte of each block
	(void)state;
	for (unsigned seed = 0; seed < 4; seed++) {
		srand(seed);
		sd_reset();
		sd_start();
		for (uint64_t block = 0; block < SD_SHOWN; block++)
			model[block] = block < SD_BLOCKS ? sd_byte(block, 0) : 0;
		for (unsigned i = 0; i < 6000; i++) {
			uint32_t at = (uint32_t)rand() % SD_SHOWN,
			         count = 1 + (uint32_t)rand() % 16;
			count = at + count > SD_SHOWN ? SD_SHOWN - at : count;
			sd_pages_left = rand() % 4 == 0 ? (uint64_t)rand() % 2 : 1000;
			if (rand() % 3 == 0) {
				memset(buffer, rand() % 256, sizeof buffer);
				sd_command(23, count);
				sd_command(25, at);
				size_t done = write_some(buffer, 512 * count) / 512;
				memset(model + at, buffer[0], done);
				assert_true(done == count || sd_pages_left == 0);
				if (done != count)
					sd_command(12, 0);
			} else if (rand() % 50 == 0) {
				sd_pages_left = 1000;
				count *= 300;
				count = at + count > SD_SHOWN ? SD_SHOWN - at : count;
				erase(at, at + count - 1);
				memset(model + at, 0, count);
			} else {
				sd_command(23, count);
				sd_command(18, at);
				assert_int_equal(read_some(buffer, sizeof buffer), 512 * count);
				for (uint32_t n = 0; n < count; n++)
					assert_int_equal(buffer[512 * n], model[at + n]);
			}
		}
	}
	test_free(model);
}

// ---- none, and small ones ----

static void test_an_empty_slot(void **state)
{
	void *none = NULL;
	(void)state;
	sd_teardown(&none);
	sd_setup(NULL, 0, DESC_IMAGE_COW);
	assert_false(vsd_card_present(card()));
	for (unsigned index = 0; index < 64; index++)
		assert_true(sd_silent(index, 0));
	assert_int_equal(read_some(buffer, 512), 0);
	assert_int_equal(write_some(buffer, 512), 0);
}

static void test_one_block(void **state)
{
	void *none = NULL;
	(void)state;
	sd_teardown(&none);
	sd_setup(sd_image, 512, DESC_IMAGE_COW);
	sd_start();
	sd_command(18, 0);
	assert_int_equal(read_some(buffer, 1024), 1024);
	expect_block(buffer, 0);
	assert_int_equal(buffer[512], 0);
	sd_command(12, 0);
	assert_true(write_block_of(1023, 3));
	expect_filled(1023, 3);
	expect_filled(1022, 0);
	assert_int_equal(sd_command(17, 1024) & OUT_OF_RANGE, OUT_OF_RANGE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, sd_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_command_in_every_state),
	        TEST(test_the_conditions),
	        TEST(test_addresses),
	        TEST(test_registers),
	        TEST(test_registers_as_data),
	        TEST(test_reading),
	        TEST(test_out_of_range),
	        TEST(test_writing),
	        TEST(test_what_is_kept),
	        TEST(test_read_only),
	        TEST(test_no_memory),
	        TEST(test_erasing),
	        TEST(test_erasing_alone),
	        TEST(test_against_a_model),
	        TEST(test_an_empty_slot),
	        TEST(test_one_block),
	};
	return cmocka_run_group_tests(tests, sd_open, sd_close);
}
