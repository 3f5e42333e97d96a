// SPDX-License-Identifier: Apache-2.0
// A bench for the SD card of a Raspberry Pi and its two controllers: a VM with a card whose blocks are known, pages that
// may run out, and a reference of what each command does in each state, written down apart from the code.
#ifndef SD_BENCH_H
#define SD_BENCH_H

#define PI_LINES
#include "pi_bench.h"
#include "ram_arena.h"

#include "vdev/vbcm2835_gpio.h"
#include "vdev/vsd_card.h"
#include "vdev/vsd_state.h"

#define SD_BLOCKS \
	9000 // of the image: not whole pages, not a multiple of 512 KiB, more than one leaf
#define SD_SHOWN 9216
#define SD_BYTES (SD_BLOCKS * 512)

static uint8_t *sd_image;
static uint64_t sd_pages_left; // how many a VM may still take
static struct page_list sd_scratch, sd_kept;

pa_t vm_take_page(struct vm *v, bool kept)
{
	assert_ptr_equal(v, vm);
	if (sd_pages_left == 0)
		return PA(0);
	sd_pages_left--;
	return pages_alloc(0, 1, PAGE_DATA, kept ? &sd_kept : &sd_scratch);
}

// What block n of the image has in its byte i.
static uint8_t sd_byte(uint64_t block, unsigned i)
{
	return (uint8_t)(block * 7 + (block >> 8) * 13 + i * 3 + 1);
}

static int sd_open(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(MIB(64));
	sd_image = calloc(1, SD_BYTES);
	for (uint64_t block = 0; block < SD_BLOCKS; block++)
		for (unsigned i = 0; i < 512; i++)
			sd_image[block * 512 + i] = sd_byte(block, i);
	return 0;
}

static int sd_close(void **state)
{
	(void)state;
	free(sd_image);
	return 0;
}

static void sd_setup(const void *image, uint64_t size, enum desc_image mode)
{
	pi_setup();
	sd_pages_left = 4096;
	vm->card.bytes = image;
	vm->card.size = size;
	vm->card.mode = mode;
	assert_int_equal(vbcm2835_gpio_create(vm), 0);
	vbcm2835_gpio_reset(vm);
	assert_int_equal(vsd_card_create(vm), 0);
	vsd_card_reset(vm);
}

static int sd_teardown(void **state)
{
	while (pages_scrub_some(&sd_scratch) || pages_scrub_some(&sd_kept))
		;
	return pi_teardown(state);
}

// As when the VM is reset: what is not kept goes back first.
static inline void sd_reset(void)
{
	while (pages_scrub_some(&sd_scratch))
		;
	vsd_card_reset(vm);
}

// ---- commands, whoever sends them ----

// Sends a command and says whether it was answered; answer[0] is the word of a short one.
typedef bool sd_sender(unsigned index, uint32_t argument, uint32_t answer[4]);

static bool sd_direct(unsigned index, uint32_t argument, uint32_t answer[4])
{
	vsd_card_lock(vm->raspi3->card);
	enum vsd_answer kind = vsd_card_command(vm->raspi3->card, index, argument, answer);
	vsd_card_unlock(vm->raspi3->card);
	return kind != VSD_SILENCE;
}

static sd_sender *sd_send = sd_direct;

static uint32_t sd_command(unsigned index, uint32_t argument)
{
	uint32_t answer[4] = {0};
	assert_true(sd_send(index, argument, answer));
	return answer[0];
}

static bool sd_silent(unsigned index, uint32_t argument)
{
	uint32_t answer[4];
	return !sd_send(index, argument, answer);
}

static uint32_t sd_rca(void)
{
	return vm->raspi3->card->rca << 16;
}

static uint32_t sd_app(unsigned index, uint32_t argument)
{
	sd_command(55, sd_rca());
	return sd_command(index, argument);
}

static void sd_start(void) // to TRAN
{
	sd_silent(0, 0);
	assert_int_equal(sd_command(8, 0x1aa), 0x1aa);
	assert_int_equal(sd_app(41, 0x40ff8000), 0xc0ff8000);
	sd_command(2, 0);
	uint32_t published = sd_command(3, 0);
	assert_int_equal(published & 0xffff0000, sd_rca());
	sd_command(7, sd_rca());
}

// ---- the reference ----

// States by letter, in the order of the card status: i r d (ident) s t D R P X (dis), N: answers nothing any more.
#define SD_STATES "irdstDRPXN"

static void sd_to_state(char state)
{
	sd_silent(0, 0);
	if (state == 'i')
		return;
	sd_command(8, 0x1aa);
	sd_app(41, 0x40ff8000);
	if (state == 'r')
		return;
	sd_command(2, 0);
	if (state == 'd')
		return;
	sd_command(3, 0);
	if (state == 's')
		return;
	sd_command(7, sd_rca());
	if (state == 'D')
		sd_command(18, 0);
	if (state == 'R')
		sd_command(25, 0);
	if (state == 'P' || state == 'X') {
		sd_command(32, 0);
		sd_command(33, 100);
		sd_command(38, 0);
	}
	if (state == 'X')
		sd_silent(7, 0);
}

// The state after the command in each state, one letter for each; '-': it is not legal there. Not here: nowhere.
static const struct sd_rule {
	uint8_t app, index;
	uint32_t argument; // RCA is put in where it is 1
	bool silent;
	const char *next;
} sd_rules[] = {
        {0, 0, 0, true, "iiiiiiiii"},
        {0, 2, 0, false, "-d-------"},
        {0, 3, 0, false, "--ss-----"},
        {0, 6, 0x80fffff1, false, "----D----"},
        {0, 7, 1, false, "---t----P"},
        {0, 7, 0, true, "---sss-XX"},
        {0, 8, 0x155, false, "i--------"},
        {0, 9, 1, false, "---s-----"},
        {0, 10, 1, false, "---s-----"},
        {0, 12, 0, false, "-----tt--"},
        {0, 13, 1, false, "---stDRPX"},
        {0, 15, 1, true, "---NNNNNN"},
        {0, 16, 512, false, "----t----"},
        {0, 17, 5, false, "----D----"},
        {0, 18, 5, false, "----D----"},
        {0, 23, 5, false, "----t----"},
        {0, 24, 5, false, "----R----"},
        {0, 25, 5, false, "----R----"},
        {0, 32, 5, false, "----t----"},
        {0, 33, 5, false, "----t----"},
        {0, 38, 0, false, "----t----"},
        {0, 55, 1, false, "i--stDRPX"},
        {1, 6, 2, false, "----t----"},
        {1, 13, 0, false, "----D----"},
        {1, 22, 0, false, "----D----"},
        {1, 23, 9, false, "----t----"},
        {1, 41, 0x40ff8000, false, "r--------"},
        {1, 42, 0, false, "----t----"},
        {1, 51, 0, false, "----D----"},
};

static const struct sd_rule *sd_find_rule(bool app, unsigned index, bool other)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sd_rules); i++) {
		const struct sd_rule *rule = &sd_rules[i];
		if (rule->app == app && rule->index == index)
			return other && i + 1 < ARRAY_SIZE(sd_rules) && rule[1].index == index &&
			                       rule[1].app == app
			               ? rule + 1
			               : rule;
	}
	return app ? sd_find_rule(false, index, other) : NULL;
}

// One command in one state. `other`: CMD7 for another card.
static void sd_check_command(bool app, unsigned index, unsigned state, bool other)
{
	struct vsd_card *card = vm->raspi3->card;
	uint32_t answer[4] = {0};

	if (card->state == INACTIVE)
		sd_reset();
	sd_to_state(SD_STATES[state]);
	if (SD_STATES[state] == 'i' && app && index == 41)
		sd_command(8, 0x1aa);
	if (app)
		(void)sd_send(55, sd_rca(),
		              answer); // not legal in two states, and without effect there
	bool as_app = app && SD_STATES[state] != 'r' && SD_STATES[state] != 'd';
	const struct sd_rule *rule = sd_find_rule(as_app, index, other);
	char next = rule == NULL ? '-' : rule->next[state];
	uint32_t argument = rule == NULL ? 0 : rule->argument == 1 ? sd_rca() : rule->argument;
	card->status = 0;
	bool answered = sd_send(index, argument, answer);
	if (next == '-') {
		assert_false(answered);
		assert_int_equal(card->state, state);
		assert_int_equal(card->status & ILLEGAL_COMMAND, ILLEGAL_COMMAND);
		return;
	}
	assert_int_equal(answered, !rule->silent);
	assert_int_equal(SD_STATES[card->state], next);
	assert_int_equal(card->status & ILLEGAL_COMMAND, 0);
}

static void sd_check_all_commands(void)
{
	for (unsigned app = 0; app < 2; app++)
		for (unsigned index = 0; index < 64; index++)
			for (unsigned state = 0; state < 9; state++)
				for (unsigned other = 0; other < (index == 7 ? 2 : 1); other++)
					sd_check_command(app == 1, index, state, other == 1);
}

#endif
