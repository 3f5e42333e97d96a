// SPDX-License-Identifier: Apache-2.0
// The Arasan SD host controller: every command in every state of the card, transfers of all kinds, errors, interrupts, its
// data port, and that no sequence of accesses makes it work without end.
#include "sd_host.h"

#include "vdev/vsdhci.h"

#define EMMC RASPI3_EMMC_BASE
#define GPIO RASPI3_GPIO_BASE

enum {
	ARG2 = 0x00,
	BLKSIZECNT = 0x04,
	ARG1 = 0x08,
	CMDTM = 0x0c,
	RESP0 = 0x10,
	PORT = 0x20,
	STATUS = 0x24,
	CONTROL1 = 0x2c,
	INTERRUPT = 0x30,
	IRPT_MASK = 0x34,
	IRPT_EN = 0x38,
	CONTROL2 = 0x3c,
	FORCE_IRPT = 0x50,
};

enum { DONE = 1, DATA_DONE = 2, WRITE_READY = 16, READ_READY = 32, ERROR = 0x8000 };
#define NO_ANSWER  (ERROR | 0x10000)
#define WRONG_END  (ERROR | 0x40000)
#define NO_DATA    (ERROR | 0x100000)
#define DATA_CRC   (ERROR | 0x200000)
#define AUTO_ERROR (ERROR | 0x1000000)

enum { LONG = 0x10000, SHORT = 0x20000, BUSY = 0x30000, WITH_DATA = 0x200000, TO_HOST = 0x10 };
enum { COUNTED = 2, AUTO12 = 4, AUTO23 = 8, MANY = 0x20, ABORT = 0xc00000 };

static uint32_t take(void) // and clear
{
	uint32_t seen = get(EMMC + INTERRUPT);
	set(EMMC + INTERRUPT, seen);
	return seen;
}

static uint32_t send(unsigned index, uint32_t argument, uint32_t mode)
{
	set(EMMC + ARG1, argument);
	set(EMMC + CMDTM, index << 24 | mode);
	return take();
}

// Which kind of answer a command has.
static uint32_t kind_of(unsigned index)
{
	switch (index) {
	case 0:
	case 15: return 0;
	case 2:
	case 9:
	case 10: return LONG;
	}
	return SHORT;
}

static bool by_emmc(unsigned index, uint32_t argument, uint32_t answer[4])
{
	uint32_t kind = kind_of(index);
	uint32_t seen = send(index, argument, kind);
	for (unsigned i = 0; i < 4; i++)
		answer[i] = get(EMMC + RESP0 + 4 * i);
	if (kind == 0) // nobody knows
		return false;
	assert_true(seen == DONE || seen == NO_ANSWER);
	return seen == DONE;
}

static void clock_on(void)
{
	set(EMMC + CONTROL1, 0xe6801);
	assert_int_equal(get(EMMC + CONTROL1), 0xe6803);
	set(EMMC + CONTROL1, 0xe6807);
	set(EMMC + IRPT_MASK, ~0u);
}

static void setup_emmc(const void *image, uint64_t size, enum desc_image mode)
{
	sd_send = by_emmc;
	sd_setup(image, size, mode);
	assert_int_equal(vsdhci_create(vm), 0);
	vsdhci_reset(vm);
	clock_on();
}

static const struct sd_host sd_host = {EMMC + PORT, 11, setup_emmc};

static void size(uint32_t bytes, uint32_t blocks)
{
	set(EMMC + BLKSIZECNT, blocks << 16 | bytes);
}

static void expect_block_of(uint32_t block, uint32_t word)
{
	size(512, 1);
	assert_int_equal(send(17, block, SHORT | WITH_DATA | TO_HOST), DONE | READ_READY);
	for (unsigned i = 0; i < 512; i += 4)
		assert_int_equal(get(EMMC + PORT), word);
	assert_int_equal(take(), DATA_DONE);
}

static void test_answers(void **state)
{
	uint32_t direct[4];
	(void)state;
	sd_start();
	sd_silent(7, 0);
	assert_int_equal(send(9, sd_rca(), LONG), DONE);
	assert_true(sd_direct(9, sd_rca(), direct));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(get(EMMC + RESP0 + 4 * i),
		                 direct[i] >> 8 | (i < 3 ? direct[i + 1] << 24 : 0));
	assert_int_equal(send(9, sd_rca(), SHORT), WRONG_END);
	assert_int_equal(send(13, sd_rca(), LONG), WRONG_END);
	assert_int_equal(send(7, sd_rca(), BUSY), DONE | DATA_DONE);
	set(EMMC + CONTROL1, 0xe6803); // no clock to the card: nobody hears it
	assert_int_equal(send(13, sd_rca(), SHORT), NO_ANSWER);
}

static void test_single_blocks(void **state)
{
	(void)state;
	sd_start();
	size(512, 1);
	assert_int_equal(send(17, 77, SHORT | WITH_DATA | TO_HOST), DONE | READ_READY);
	assert_int_equal(get(EMMC + STATUS) & 0xf06, 0xa06);
	assert_int_equal(send(17, 78, SHORT | WITH_DATA | TO_HOST), 0); // not while data moves
	read_block(77);
	assert_int_equal(take(), DATA_DONE);
	assert_int_equal(get(EMMC + STATUS), 0x1ff0000);
	assert_int_equal(get(EMMC + PORT), 0);
	assert_int_equal(send(24, 77, SHORT | WITH_DATA), DONE | WRITE_READY);
	assert_int_equal(get(EMMC + STATUS) & 0xf06, 0x506);
	write_block(0x12345678);
	assert_int_equal(take(), DATA_DONE);
	set(EMMC + PORT, 1); // nobody waits for it
	expect_block_of(77, 0x12345678);
	assert_int_equal(state_of_card(), TRAN);
}

static void test_many_blocks(void **state)
{
	(void)state;
	sd_start();
	size(512, 3);
	assert_int_equal(send(18, 20, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED),
	                 DONE | READ_READY);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(get(EMMC + BLKSIZECNT), (3 - i) << 16 | 512);
		read_block(20 + i);
		assert_int_equal(take(), i == 2 ? DATA_DONE : READ_READY);
	}
	assert_int_equal(state_of_card(), DATA); // until it is stopped
	assert_int_equal(send(12, 0, BUSY | ABORT), DONE | DATA_DONE);
	size(512, 2);
	assert_int_equal(send(18, 30, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED | AUTO12),
	                 DONE | READ_READY);
	read_block(30);
	read_block(31);
	assert_int_equal(take(), READ_READY | DATA_DONE);
	assert_int_equal(get(EMMC + RESP0 + 12) >> 9 & 15, DATA); // the answer to CMD12
	assert_int_equal(state_of_card(), TRAN);
	set(EMMC + ARG2, 2);
	size(512, 2);
	assert_int_equal(send(25, 30, SHORT | WITH_DATA | MANY | COUNTED | AUTO23),
	                 DONE | WRITE_READY);
	write_block(5);
	write_block(6);
	assert_int_equal(take(), WRITE_READY | DATA_DONE);
	assert_int_equal(state_of_card(), TRAN);
	expect_block_of(31, 6);
	size(512, 0); // without an end
	assert_int_equal(send(18, 40, SHORT | WITH_DATA | TO_HOST | MANY), DONE | READ_READY);
	for (unsigned i = 0; i < 20; i++)
		read_block(40 + i);
	assert_int_equal(take(), READ_READY);
	assert_int_equal(send(13, sd_rca(), SHORT), DONE); // while it lasts
	read_block(60);
	assert_int_equal(take(), READ_READY);
	assert_int_equal(send(12, 0, BUSY), DONE | DATA_DONE);
	assert_int_equal(get(EMMC + STATUS), 0x1ff0000);
	assert_int_equal(state_of_card(), TRAN);
}

// Registers of the card that come as data.
static void test_short_blocks(void **state)
{
	(void)state;
	sd_start();
	sd_command(55, sd_rca());
	size(8, 1);
	assert_int_equal(send(51, 0, SHORT | WITH_DATA | TO_HOST), DONE | READ_READY);
	assert_int_equal(get(EMMC + PORT), 0x02800502);
	assert_int_equal(get(EMMC + PORT), 0);
	assert_int_equal(take(), DATA_DONE);
	size(64, 1);
	assert_int_equal(send(6, 0xfffff1, SHORT | WITH_DATA | TO_HOST), DONE | READ_READY);
	for (unsigned i = 0; i < 16; i++)
		(void)get(EMMC + PORT);
	assert_int_equal(take(), DATA_DONE);
	sd_command(55, sd_rca());
	size(3, 1); // the last word is not whole
	assert_int_equal(send(51, 0, SHORT | WITH_DATA | TO_HOST), DONE | READ_READY);
	assert_int_equal(get(EMMC + PORT), 0x800502);
	assert_int_equal(take(), DATA_DONE);
	sd_command(12, 0);
	size(0, 1);
	assert_int_equal(send(17, 0, SHORT | WITH_DATA | TO_HOST), DONE | DATA_DONE);
	sd_command(12, 0);
	size(512, 0);
	assert_int_equal(send(18, 0, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED),
	                 DONE | DATA_DONE);
}

static void test_errors(void **state)
{
	(void)state;
	sd_start();
	size(512, 1);
	assert_int_equal(send(13, sd_rca(), SHORT | WITH_DATA | TO_HOST), DONE | NO_DATA);
	assert_int_equal(get(EMMC + STATUS) & 6, 0);
	assert_int_equal(send(17, SD_SHOWN, SHORT | WITH_DATA | TO_HOST), DONE | NO_DATA);
	assert_int_equal(send(3, 0, SHORT | WITH_DATA | TO_HOST), NO_ANSWER); // no transfer begins
	assert_int_equal(get(EMMC + STATUS) & 6, 0);
	size(512, 2);
	assert_int_equal(send(18, SD_SHOWN - 1, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED),
	                 DONE | READ_READY);
	for (unsigned i = 0; i < 128; i++)
		(void)get(EMMC + PORT);
	assert_int_equal(take(), NO_DATA);
	assert_int_equal(send(12, 0, BUSY | ABORT), DONE | DATA_DONE);
	sd_pages_left = 0;
	assert_int_equal(send(24, 9, SHORT | WITH_DATA), DONE | WRITE_READY);
	write_block(1);
	assert_int_equal(take(), DATA_CRC);
	assert_int_equal(sd_command(13, sd_rca()) & 1u << 19, 1u << 19);
	sd_silent(7, 0);
	assert_int_equal(send(18, 0, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED | AUTO23),
	                 NO_ANSWER | AUTO_ERROR);
	assert_int_equal(get(EMMC + CONTROL2), 2);
	again(sd_image, SD_BYTES, DESC_IMAGE_RO);
	sd_start();
	size(512, 1);
	assert_int_equal(send(24, 9, SHORT | WITH_DATA), DONE | WRITE_READY);
	write_block(1);
	assert_int_equal(take(), DATA_CRC);
	assert_int_equal(state_of_card(), TRAN);
}

// A command that keeps the card busy ends when the card says so.
static void test_busy(void **state)
{
	(void)state;
	sd_start();
	set(EMMC + IRPT_EN, DATA_DONE);
	sd_command(32, 0);
	sd_command(33, SD_SHOWN - 1);
	assert_int_equal(send(38, 0, BUSY), DONE);
	assert_int_equal(get(EMMC + STATUS), 0x1ef0002);
	assert_int_equal(send(38, 0, BUSY), 0); // not sent
	assert_int_equal(sd_command(13, sd_rca()) >> 9 & 15, PRG);
	assert_false(pi_line[62]);
	pass_us(5000);
	assert_true(pi_line[62]);
	assert_int_equal(take(), DATA_DONE);
	assert_false(pi_line[62]);
	assert_int_equal(get(EMMC + STATUS), 0x1ff0000);
}

static void test_interrupts(void **state)
{
	(void)state;
	set(EMMC + IRPT_MASK, DONE | 0x10000);
	set(EMMC + IRPT_EN, DONE);
	sd_silent(0, 0);
	set(EMMC + CMDTM, 8u << 24 | SHORT);
	assert_int_equal(get(EMMC + INTERRUPT), NO_ANSWER); // no voltage
	assert_false(pi_line[62]);
	set(EMMC + IRPT_EN, ERROR);
	assert_true(pi_line[62]);
	assert_int_equal(get(EMMC + 0xfc), 0x99020001);
	set(EMMC + INTERRUPT, ERROR); // it goes with its cause
	assert_int_equal(get(EMMC + INTERRUPT), NO_ANSWER);
	set(EMMC + INTERRUPT, 0x10000);
	assert_int_equal(get(EMMC + INTERRUPT), 0);
	assert_false(pi_line[62]);
	set(EMMC + FORCE_IRPT, 0x30003);
	assert_int_equal(get(EMMC + INTERRUPT), NO_ANSWER | DONE);
	set(EMMC + CONTROL1, 1u << 24);
	assert_false(pi_line[62]);
	assert_int_equal(get(EMMC + INTERRUPT) | get(EMMC + IRPT_MASK) | get(EMMC + IRPT_EN), 0);
	assert_int_equal(get(EMMC + CONTROL1), 0);
	assert_int_equal(get(EMMC + 0xfc), 0x99020000);
}

static void test_resets(void **state)
{
	(void)state;
	sd_start();
	size(512, 1);
	set(EMMC + ARG1, 5);
	set(EMMC + CMDTM, 18u << 24 | SHORT | WITH_DATA | TO_HOST | MANY);
	(void)get(EMMC + PORT);
	set(EMMC + CONTROL1, 0xe6807 | 1u << 26);
	assert_int_equal(get(EMMC + CONTROL1), 0xe6807);
	assert_int_equal(get(EMMC + STATUS), 0x1ff0000);
	assert_int_equal(take(), DONE);
	assert_int_equal(send(12, 0, BUSY), DONE | DATA_DONE); // the card is as it was
	sd_command(17, 5);
	set(EMMC + CONTROL1, 1u << 24);
	clock_on();
	assert_int_equal(state_of_card(), DATA);
}

// The card follows its lines.
static void test_the_lines(void **state)
{
	(void)state;
	sd_start();
	set(GPIO + 0x10, 4u << 24 | 4u << 27);
	set(GPIO + 0x14, 04444);
	assert_int_equal(get(EMMC + STATUS), 0x1f80000);
	assert_int_equal(send(13, sd_rca(), SHORT), NO_ANSWER);
	set(GPIO + 0x10, 7u << 24 | 7u << 27);
	set(GPIO + 0x14, 07777);
	assert_int_equal(state_of_card(), TRAN);
	size(512, 2);
	assert_int_equal(send(18, 0, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED),
	                 DONE | READ_READY);
	set(GPIO + 0x10, 4u << 24 | 4u << 27);
	set(GPIO + 0x14, 04444);
	read_block(0);
	assert_int_equal(take(), NO_DATA);
	again(NULL, 0, DESC_IMAGE_COW);
	assert_int_equal(get(EMMC + STATUS), 0x1f80000);
	assert_int_equal(send(8, 0x1aa, SHORT), NO_ANSWER);
	assert_int_equal(send(0, 0, 0), DONE);
}

static void test_narrow_accesses(void **state)
{
	(void)state;
	set(EMMC + ARG1, 0x12345678);
	assert_int_equal(pi_access(0, EMMC + ARG1 + 2, 2, false, 0), 0x1234);
	assert_int_equal(pi_access(0, EMMC + ARG1 + 1, 1, false, 0), 0x56);
	pi_access(0, EMMC + ARG1 + 2, 2, true, 0xffff); // ignored
	assert_int_equal(get(EMMC + ARG1), 0x12345678);
	pi_access(0, EMMC + ARG1, 2, true, 0xffff);
	assert_int_equal(get(EMMC + ARG1), 0xffff);
	set(EMMC + 0x74, 5);
	assert_int_equal(get(EMMC + 0x74), 5);
	assert_int_equal(get(EMMC + 0x40), 0x052134b4);
}

// ---- DMA ----

static void test_the_data_port(void **state)
{
	uint32_t words[400];
	(void)state;
	assert_int_equal(port->bus, 0x7e300020);
	assert_int_equal(port->dreq, 11);
	assert_int_equal(port->read(vm, words, 4), 0);
	assert_int_equal(port->write(vm, words, 4), 0);
	sd_start();
	assert_int_equal(kicks, 0);
	size(512, 3);
	assert_int_equal(send(18, 50, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED),
	                 DONE | READ_READY);
	assert_int_equal(kicks, 1);
	assert_int_equal(port->write(vm, words, 4), 0);
	assert_int_equal(port->read(vm, words, 130), 130);
	assert_int_equal(port->read(vm, words + 130, 270), 254);
	for (unsigned i = 0; i < 3 * 512; i++)
		assert_int_equal(((uint8_t *)words)[i], sd_byte(50 + i / 512, i % 512));
	assert_int_equal(take(), READ_READY | DATA_DONE);
	assert_int_equal(send(12, 0, BUSY), DONE | DATA_DONE);
	set(EMMC + IRPT_EN, DATA_DONE);
	size(512, 1);
	set(EMMC + ARG1, 50);
	set(EMMC + CMDTM, 24u << 24 | SHORT | WITH_DATA);
	assert_int_equal(kicks, 2);
	memset(words, 0x5a, sizeof words);
	assert_int_equal(port->write(vm, words, 400), 128);
	assert_true(pi_line[62]);
	take();
	expect_block_of(50, 0x5a5a5a5a);
}

// A call of the DMA controller's moves some of them, and asks for another call if there are more.
static void test_a_port_of_small_blocks(void **state)
{
	uint32_t words[64];
	unsigned done = 0, calls = 0;
	(void)state;
	sd_start();
	kicks = 0;
	size(4, 60);
	assert_int_equal(send(18, 50, SHORT | WITH_DATA | TO_HOST | MANY | COUNTED),
	                 DONE | READ_READY);
	for (; done < 60; calls++) {
		unsigned n = port->read(vm, words + done, 64 - done);
		assert_in_range(n, 1, 4);
		done += n;
		assert_int_equal(kicks, 1 + calls + (done < 60));
	}
	for (unsigned i = 0; i < 240; i++)
		assert_int_equal(((uint8_t *)words)[i], sd_byte(50, i));
	assert_int_equal(send(12, 0, BUSY), DONE | READ_READY | DATA_DONE);
	size(1, 60);
	kicks = 0;
	assert_int_equal(send(25, 50, SHORT | WITH_DATA | MANY | COUNTED), DONE | WRITE_READY);
	assert_in_range(port->write(vm, words, 64), 1, 4);
	assert_int_equal(kicks, 2);
}

// ---- anything ----

static void test_anything(void **state)
{
	static const unsigned likely[] = {ARG1, CMDTM, PORT, BLKSIZECNT, INTERRUPT, CONTROL1};
	(void)state;
	for (unsigned seed = 0; seed < 6; seed++) {
		pi_random_accesses(seed, EMMC, 0x100, 4000);
		set(EMMC + CONTROL1, 1u << 24);
		clock_on();
		if (vm->raspi3->card->state == INACTIVE)
			sd_reset();
		sd_start();
		for (unsigned i = 0; i < 20000; i++) {
			unsigned at = likely[(unsigned)rand() % ARRAY_SIZE(likely)];
			uint32_t value = (uint32_t)rand() ^ (uint32_t)rand() << 16;
			if (at == CONTROL1)
				value = (value & ~(1u << 24)) | 7;
			if (at == CMDTM && rand() % 2 == 0)
				value = (rand() % 2 == 0 ? 18u : 25u) << 24 | SHORT | WITH_DATA |
				        (value & 0x3e);
			if (at == ARG1)
				value %= SD_SHOWN + 10;
			uint64_t next = vm->raspi3->card->next;
			if (at == PORT && rand() % 2 == 0)
				(void)get(EMMC + at);
			else
				set(EMMC + at, value);
			if (at != CMDTM) // at most a block moves
				assert_in_range(vm->raspi3->card->next, next, next + 1);
			if (rand() % 64 == 0)
				pass_us(30);
		}
	}
	vsdhci_reset(vm);
	sd_reset();
	assert_false(pi_line[62]);
	clock_on();
	sd_start();
	size(512, 1);
	assert_int_equal(send(17, 3, SHORT | WITH_DATA | TO_HOST), DONE | READ_READY);
	read_block(3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, sd_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_command_in_every_state),
	        TEST(test_answers),
	        TEST(test_single_blocks),
	        TEST(test_many_blocks),
	        TEST(test_short_blocks),
	        TEST(test_errors),
	        TEST(test_busy),
	        TEST(test_interrupts),
	        TEST(test_resets),
	        TEST(test_the_lines),
	        TEST(test_narrow_accesses),
	        TEST(test_the_data_port),
	        TEST(test_a_port_of_small_blocks),
	        TEST(test_anything),
	};
	return cmocka_run_group_tests(tests, sd_open, sd_close);
}
