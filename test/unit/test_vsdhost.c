// SPDX-License-Identifier: Apache-2.0
// SDHOST: every command in every state of the card, transfers of all kinds, errors, interrupts, its data port, and that
// no sequence of accesses makes it work without end.
#include "sd_host.h"

#include "vdev/vsdhost.h"

#define HOST RASPI3_SDHOST_BASE
#define GPIO RASPI3_GPIO_BASE
#define IRQ  56

enum {
	SDCMD = 0x00,
	SDARG = 0x04,
	SDCDIV = 0x0c,
	SDRSP0 = 0x10,
	SDHSTS = 0x20,
	SDVDD = 0x30,
	SDEDM = 0x34,
	SDHCFG = 0x38,
	SDHBCT = 0x3c,
	SDDATA = 0x40,
	SDHBLC = 0x50,
};

enum { NEW = 0x8000, FAILED = 0x4000, BUSY = 0x800, NO_ANSWER = 0x400, LONG = 0x200 };
enum { WRITE = 0x80, READ = 0x40 };
enum { FLAG = 1, FIFO_ERROR = 8, CRC16 = 0x20, NOBODY = 0x40, NO_DATA = 0x80 };
enum { BLOCK_END = 0x200, BUSY_END = 0x400, DATA_EN = 0x10, BLOCK_EN = 0x100, BUSY_EN = 0x400 };

// What the command register holds in the end.
static uint32_t send(unsigned index, uint32_t argument, uint32_t mode)
{
	set(HOST + SDARG, argument);
	set(HOST + SDCMD, index | mode | NEW);
	return get(HOST + SDCMD) & (NEW | FAILED);
}

static bool by_sdhost(unsigned index, uint32_t argument, uint32_t answer[4])
{
	bool none = index == 0 || index == 15;
	uint32_t mode = none ? NO_ANSWER : index == 2 || index == 9 || index == 10 ? LONG : 0;
	uint32_t end = send(index, argument, mode);
	for (unsigned i = 0; i < 4; i++)
		answer[i] = get(HOST + SDRSP0 + 4 * i);
	assert_int_equal(end & NEW, 0);
	assert_int_equal(get(HOST + SDHSTS) & NOBODY, end != 0 ? NOBODY : 0);
	set(HOST + SDHSTS, NOBODY);
	return end == 0 && !none;
}

static void lines_to(uint32_t function)
{
	set(GPIO + 0x10, function << 24 | function << 27);
	set(GPIO + 0x14, function * 01111);
}

static void setup_sdhost(const void *image, uint64_t size, enum desc_image mode)
{
	sd_send = by_sdhost;
	sd_setup(image, size, mode);
	assert_int_equal(vsdhost_create(vm), 0);
	vsdhost_reset(vm);
	lines_to(4);
}

static const struct sd_host sd_host = {HOST + SDDATA, 13, setup_sdhost};

static void size(uint32_t bytes, uint32_t blocks)
{
	set(HOST + SDHBCT, bytes);
	set(HOST + SDHBLC, blocks);
}

static unsigned level(void)
{
	return get(HOST + SDEDM) >> 4 & 31;
}

static unsigned fsm(void)
{
	return get(HOST + SDEDM) & 15;
}

static void expect_block_of(uint32_t block, uint32_t word)
{
	size(512, 1);
	assert_int_equal(send(17, block, READ), 0);
	for (unsigned i = 0; i < 512; i += 4)
		assert_int_equal(get(HOST + SDDATA), word);
}

static void test_answers(void **state)
{
	uint32_t direct[4];
	(void)state;
	sd_start();
	sd_silent(7, 0);
	assert_int_equal(send(9, sd_rca(), LONG), 0);
	assert_true(sd_direct(9, sd_rca(), direct));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(get(HOST + SDRSP0 + 4 * i), direct[i]);
	assert_int_equal(send(13, sd_rca(), 0), 0);
	assert_int_equal(get(HOST + SDRSP0 + 4) | get(HOST + SDRSP0 + 12), 0);
	assert_int_equal(send(9, sd_rca(), 0), FAILED);
	assert_int_equal(send(13, sd_rca(), LONG), FAILED);
	assert_int_equal(get(HOST + SDHSTS), NOBODY);
	set(HOST + SDHSTS, ~0u);
	set(HOST + SDCMD, 13); // without the flag it is only kept
	assert_int_equal(get(HOST + SDCMD), 13);
	assert_int_equal(get(HOST + SDHSTS), 0);
}

static void test_reading(void **state)
{
	(void)state;
	sd_start();
	assert_int_equal(fsm(), 1);
	size(512, 1);
	assert_int_equal(send(17, 77, READ), 0);
	assert_int_equal(level(), 16);
	assert_int_equal(fsm(), 2);
	assert_int_equal(get(HOST + SDHSTS), FLAG);
	read_block(77);
	assert_int_equal(level(), 0);
	assert_int_equal(fsm(), 1);
	assert_int_equal(get(HOST + SDHSTS), 0);
	assert_int_equal(get(HOST + SDDATA), 0); // nothing is there
	assert_int_equal(get(HOST + SDHSTS), FIFO_ERROR);
	set(HOST + SDHSTS, FIFO_ERROR);
	size(512, 3);
	send(18, 20, READ);
	for (unsigned i = 0; i < 3; i++)
		read_block(20 + i);
	assert_int_equal(fsm(), 1);
	assert_int_equal(state_of_card(), DATA); // until it is stopped
	assert_int_equal(send(12, 0, BUSY), 0);
	assert_int_equal(state_of_card(), TRAN);
	sd_command(23, 2);
	size(512, 2);
	send(18, 30, READ);
	assert_int_equal(state_of_card(), DATA); // other commands are possible meanwhile
	read_block(30);
	read_block(31);
	assert_int_equal(state_of_card(), TRAN);
	size(512, 100);
	send(18, 30, READ);
	read_block(30);
	assert_int_equal(send(12, 0, BUSY), 0);
	assert_int_equal(level(), 0);
	assert_int_equal(fsm(), 1);
	send(18, 30, READ);
	set(HOST + SDEDM, get(HOST + SDEDM) | 1u << 19); // forced out of it
	assert_int_equal(fsm(), 1);
	assert_int_equal(level(), 0);
	send(12, 0, BUSY);
	sd_command(55, sd_rca());
	size(8, 1);
	send(51, 0, READ);
	assert_int_equal(level(), 2);
	assert_int_equal(get(HOST + SDDATA), 0x02800502);
	assert_int_equal(get(HOST + SDDATA), 0);
	assert_int_equal(fsm(), 1);
}

static void test_writing(void **state)
{
	(void)state;
	sd_start();
	size(512, 1);
	assert_int_equal(send(24, 5, WRITE), 0);
	assert_int_equal(fsm(), 3);
	assert_int_equal(get(HOST + SDHSTS), FLAG);
	write_block(0x11223344);
	assert_int_equal(fsm(), 1);
	assert_int_equal(get(HOST + SDHSTS), 0);
	assert_int_equal(state_of_card(), TRAN);
	expect_block_of(5, 0x11223344);
	for (unsigned i = 0; i < 16; i++) // before the command, as many as there is room for
		set(HOST + SDDATA, 0x55);
	assert_int_equal(level(), 16);
	assert_int_equal(get(HOST + SDHSTS) & FIFO_ERROR, 0);
	set(HOST + SDDATA, 0x66);
	assert_int_equal(get(HOST + SDHSTS) & FIFO_ERROR, FIFO_ERROR);
	set(HOST + SDHSTS, FIFO_ERROR);
	size(512, 2);
	send(25, 6, WRITE);
	assert_int_equal(level(), 0);
	for (unsigned i = 16; i < 256; i++)
		set(HOST + SDDATA, 0x55);
	assert_int_equal(fsm(), 1);
	assert_int_equal(send(12, 0, BUSY), 0);
	expect_block_of(6, 0x55);
	expect_block_of(7, 0x55);
}

static void test_errors(void **state)
{
	(void)state;
	sd_start();
	size(512, 1);
	assert_int_equal(send(17, SD_SHOWN, READ), 0);
	assert_int_equal(get(HOST + SDHSTS), NO_DATA | FLAG);
	assert_int_equal(fsm(), 1);
	set(HOST + SDHSTS, NO_DATA);
	assert_int_equal(send(3, 0, READ), FAILED); // no transfer begins
	assert_int_equal(get(HOST + SDHSTS), NOBODY);
	set(HOST + SDHSTS, NOBODY);
	size(512, 3);
	send(18, SD_SHOWN - 2, READ);
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(get(HOST + SDDATA), 0);
	assert_int_equal(get(HOST + SDHSTS), NO_DATA | FLAG);
	set(HOST + SDHSTS, NO_DATA);
	send(12, 0, BUSY);
	assert_int_equal(get(HOST + SDRSP0) >> 31, 1);
	sd_pages_left = 0;
	set(HOST + SDHCFG, BLOCK_EN);
	size(512, 1);
	send(24, 9, WRITE);
	write_block(1);
	assert_int_equal(get(HOST + SDHSTS), CRC16 | BLOCK_END | FLAG);
	assert_true(pi_line[IRQ]);
	set(HOST + SDHSTS, ~0u);
	assert_false(pi_line[IRQ]);
	assert_int_equal(sd_command(13, sd_rca()) & 1u << 19, 1u << 19);
	again(sd_image, SD_BYTES, DESC_IMAGE_RO);
	sd_start();
	size(512, 1);
	send(24, 9, WRITE);
	set(HOST + SDDATA, 1);
	assert_int_equal(get(HOST + SDHSTS), CRC16 | FLAG);
	assert_int_equal(state_of_card(), TRAN);
}

// As Linux goes by them: the flag while it reads, the end of each block while it writes, the end of being busy.
static void test_interrupts(void **state)
{
	(void)state;
	sd_start();
	set(HOST + SDHCFG, DATA_EN | BUSY_EN);
	assert_false(pi_line[IRQ]);
	size(512, 2);
	send(18, 40, READ);
	assert_true(pi_line[IRQ]);
	set(HOST + SDHSTS, BLOCK_END | BUSY_END | FLAG);
	read_block(40);
	assert_true(pi_line[IRQ]); // there is more
	read_block(41);
	assert_false(pi_line[IRQ]);
	assert_int_equal(send(12, 0, BUSY), 0);
	assert_int_equal(get(HOST + SDHSTS), BUSY_END);
	assert_true(pi_line[IRQ]);
	set(HOST + SDHSTS, BUSY_END);
	assert_false(pi_line[IRQ]);
	send(25, 40, WRITE);
	assert_true(pi_line[IRQ]); // there is room
	set(HOST + SDHCFG, BLOCK_EN | BUSY_EN);
	assert_false(pi_line[IRQ]);
	for (unsigned i = 0; i < 2; i++) {
		write_block(i);
		assert_true(pi_line[IRQ]);
		assert_int_equal(get(HOST + SDHSTS) & BLOCK_END, BLOCK_END);
		set(HOST + SDHSTS, BLOCK_END);
		assert_false(pi_line[IRQ]);
	}
	send(12, 0, BUSY);
	set(HOST + SDHSTS, ~0u);
	sd_command(32, 0);
	sd_command(33, SD_SHOWN - 1);
	assert_int_equal(send(38, 0, BUSY), NEW); // it is busy
	set(HOST + SDCMD, 13 | NEW);
	assert_int_equal(get(HOST + SDCMD), 38 | NEW | BUSY); // and takes no other
	assert_false(pi_line[IRQ]);
	pass_us(5000);
	assert_true(pi_line[IRQ]);
	assert_int_equal(get(HOST + SDCMD) & NEW, 0);
	set(HOST + SDHSTS, BUSY_END);
	assert_int_equal(state_of_card(), TRAN);
	set(HOST + SDHCFG, DATA_EN);
	size(512, 1);
	send(17, SD_SHOWN, READ); // none will come: who waits for data is told
	assert_true(pi_line[IRQ]);
	vsdhost_reset(vm);
	assert_false(pi_line[IRQ]);
}

static void test_the_lines(void **state)
{
	(void)state;
	sd_start();
	size(512, 2);
	send(18, 0, READ);
	lines_to(7);
	for (unsigned i = 0; i < 16; i++) // what the FIFO had
		(void)get(HOST + SDDATA);
	assert_int_equal(get(HOST + SDHSTS), NO_DATA | FLAG);
	set(HOST + SDHSTS, NO_DATA);
	assert_int_equal(send(13, sd_rca(), 0), FAILED);
	set(HOST + SDHSTS, NOBODY);
	lines_to(4);
	assert_int_equal(state_of_card(), DATA);
	again(NULL, 0, DESC_IMAGE_COW);
	assert_int_equal(send(0, 0, NO_ANSWER), 0);
	assert_int_equal(send(8, 0x1aa, 0), FAILED);
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(get(HOST + SDEDM), 0xc601);
	set(HOST + SDEDM, 0x0001080f); // thresholds; the state is its own
	assert_int_equal(get(HOST + SDEDM), 0x00010801);
	set(HOST + SDVDD, 3);
	assert_int_equal(get(HOST + SDVDD), 1);
	set(HOST + SDCDIV, ~0u);
	assert_int_equal(get(HOST + SDCDIV), 0x7ff);
	set(HOST + SDHCFG, ~0u);
	assert_int_equal(get(HOST + SDHCFG), 0x7ff);
	set(HOST + SDARG, 0x12345678);
	assert_int_equal(pi_access(0, HOST + SDARG + 2, 2, false, 0), 0x1234);
	pi_access(0, HOST + SDARG + 1, 1, true, 0xff); // ignored
	assert_int_equal(get(HOST + SDARG), 0x12345678);
	assert_int_equal(get(HOST + 0x24) | get(HOST + 0x54), 0);
}

// ---- DMA ----

static void test_the_data_port(void **state)
{
	uint32_t words[400];
	(void)state;
	assert_int_equal(port->bus, 0x7e202040);
	assert_int_equal(port->dreq, 13);
	assert_int_equal(port->read(vm, words, 4), 0);
	assert_int_equal(port->write(vm, words, 4), 0);
	sd_start();
	assert_int_equal(kicks, 0);
	size(512, 3);
	send(18, 50, READ);
	assert_int_equal(kicks, 1);
	assert_int_equal(port->write(vm, words, 4), 0);
	assert_int_equal(port->read(vm, words, 130), 130);
	assert_int_equal(port->read(vm, words + 130, 251),
	                 251); // Linux takes the last three by hand
	for (unsigned i = 381; i < 384; i++)
		words[i] = get(HOST + SDDATA);
	for (unsigned i = 0; i < 3 * 512; i++)
		assert_int_equal(((uint8_t *)words)[i], sd_byte(50 + i / 512, i % 512));
	assert_int_equal(fsm(), 1);
	assert_int_equal(send(12, 0, BUSY), 0);
	set(HOST + SDHCFG, BLOCK_EN);
	size(512, 1);
	send(24, 50, WRITE);
	assert_int_equal(kicks, 2);
	memset(words, 0x5a, sizeof words);
	assert_int_equal(port->write(vm, words, 400), 128);
	assert_true(pi_line[IRQ]);
	set(HOST + SDHSTS, ~0u);
	expect_block_of(50, 0x5a5a5a5a);
}

// ---- anything ----

static void test_anything(void **state)
{
	static const unsigned likely[] = {SDARG,  SDCMD,  SDDATA, SDDATA,
	                                  SDHSTS, SDHBCT, SDHBLC, SDHCFG};
	(void)state;
	for (unsigned seed = 0; seed < 6; seed++) {
		pi_random_accesses(seed, HOST, 0x100, 4000);
		pass_us(50000);
		if (vm->raspi3->card->state == INACTIVE)
			sd_reset();
		vsdhost_reset(vm);
		sd_start();
		for (unsigned i = 0; i < 20000; i++) {
			unsigned at = likely[(unsigned)rand() % ARRAY_SIZE(likely)];
			uint32_t value = (uint32_t)rand() ^ (uint32_t)rand() << 16;
			if (at == SDCMD && rand() % 2 == 0)
				value = rand() % 2 == 0 ? 18 | NEW | READ : 25 | NEW | WRITE;
			if (at == SDARG)
				value %= SD_SHOWN + 10;
			if (at == SDHBCT && rand() % 2 == 0)
				value = 512;
			uint64_t next = vm->raspi3->card->next;
			if (at == SDDATA && rand() % 2 == 0)
				(void)get(HOST + at);
			else
				set(HOST + at, value);
			if (at != SDCMD) // at most a block is begun
				assert_in_range(vm->raspi3->card->next, next, next + 1);
			assert_true(level() <= 16);
			if (rand() % 64 == 0)
				pass_us(30);
		}
		pass_us(50000);
	}
	vsdhost_reset(vm);
	sd_reset();
	assert_false(pi_line[IRQ]);
	sd_start();
	size(512, 1);
	send(17, 3, READ);
	read_block(3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, sd_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_command_in_every_state),
	        TEST(test_answers),
	        TEST(test_reading),
	        TEST(test_writing),
	        TEST(test_errors),
	        TEST(test_interrupts),
	        TEST(test_the_lines),
	        TEST(test_registers),
	        TEST(test_the_data_port),
	        TEST(test_anything),
	};
	return cmocka_run_group_tests(tests, sd_open, sd_close);
}
