// SPDX-License-Identifier: Apache-2.0
// The state machine of an SD card: what each command does, and in which states it is legal. Owns the card's state under its
// lock, which is its host controllers', too; called by them. How blocks come and go is in vsd_data.c. Only erasing
// takes time: the states `prg` and `dis` are those of a card that erases.
// Invariant: a command that is not legal changes nothing but `status`, and is not answered.
// Source: SD Physical Layer Simplified Specification, "Card State Transition Table", "Detailed Command Description",
// "Card Status".
#include "vdev/vsd_card.h"

#include "base/panic.h"
#include "base/string.h"
#include "hw/timer.h"
#include "vdev/raspi3.h"
#include "vdev/vsd_regs.h"
#include "vdev/vsd_state.h"
#include "vm/vm.h"

#define NR_COMMANDS   64
#define CAPACITY_UNIT KIB(512) // in which a card tells its size

#define OCR_POWERED_UP BIT_U32(31)
#define OCR_HIGH       BIT_U32(30) // capacity; as an argument: the host can handle it
#define OCR_VOLTAGES   GENMASK_U32(23, 15)
#define OCR_ANY        GENMASK_U32(23, 0)

#define IF_COND      GENMASK_U32(11, 0)
#define IF_VOLTAGE   GENMASK_U32(11, 8)
#define IF_27_TO_36V 1
#define ARG_RCA      GENMASK_U32(31, 16)

enum answer { R0, R1, R2_CID, R2_CSD, R3, R6, R7 };

struct command {
	uint16_t states; // where it is legal: bit n is enum state n
	uint8_t answer;  // enum answer
	bool addressed;  // it is for the card whose RCA the argument holds
	// Carries it out. False: no answer. NULL: there is nothing to do.
	bool (*run)(struct vsd_card *card);
};

// ---- commands that identify the card and choose it ----

static void power_up(struct vsd_card *card)
{
	card->state = IDLE;
	card->status = card->rca = card->limit = card->written = 0;
	card->app = card->if_cond = card->wide = card->fast = false;
	card->open = card->refused = card->limited = false;
	card->at = card->size = 0;
	card->erase = ERASE_NONE;
}

static bool run_go_idle(struct vsd_card *card)
{
	power_up(card);
	return false;
}

static bool run_all_send_cid(struct vsd_card *card)
{
	card->state = IDENT;
	return true;
}

static bool run_publish_rca(struct vsd_card *card)
{
	card->rca = card->rca == UINT16_MAX ? 1 : card->rca + 1;
	card->state = STBY;
	return true;
}

// Who selects another card deselects this one.
static bool run_select(struct vsd_card *card)
{
	static const uint8_t after_deselect[] = {
	        [STBY] = STBY, [TRAN] = STBY, [DATA] = STBY, [PRG] = DIS, [DIS] = DIS,
	};
	bool mine = field_get(ARG_RCA, card->argument) == card->rca;

	if (mine && (card->state == STBY || card->state == DIS)) {
		card->state = card->state == DIS ? PRG : TRAN;
		return true;
	}
	if (mine)
		card->status |= ILLEGAL_COMMAND;
	else
		card->state = after_deselect[card->state];
	return false;
}

static bool run_if_cond(struct vsd_card *card)
{
	card->if_cond = field_get(IF_VOLTAGE, card->argument) == IF_27_TO_36V;
	return card->if_cond;
}

// A card of high capacity is never ready for a host that cannot handle it, or does not ask as one that can.
static bool run_op_cond(struct vsd_card *card)
{
	if ((card->argument & OCR_ANY) == 0)
		return true;
	if ((card->argument & OCR_VOLTAGES) == 0) {
		card->state = INACTIVE;
		return false;
	}
	if (card->if_cond && (card->argument & OCR_HIGH) != 0)
		card->state = READY;
	return true;
}

static bool run_go_inactive(struct vsd_card *card)
{
	card->state = INACTIVE;
	return false;
}

static bool run_app(struct vsd_card *card)
{
	card->app = true;
	card->status |= APP_CMD;
	return true;
}

// ---- commands of a card that was chosen ----

static bool run_switch(struct vsd_card *card)
{
	vsd_switch(card->buffer, card->argument, &card->fast);
	vsd_data_send(card, VSD_SWITCH_SIZE);
	return true;
}

static bool run_stop(struct vsd_card *card)
{
	card->state = TRAN; // what came of a block that is not whole is dropped
	return true;
}

static bool run_block_length(struct vsd_card *card)
{
	if (card->argument > VSD_BLOCK) // anything else has no effect on a card of high capacity
		card->status |= BLOCK_LEN_ERROR;
	return true;
}

static bool run_block_count(struct vsd_card *card)
{
	card->limit = card->argument;
	return true;
}

static bool run_read(struct vsd_card *card)
{
	vsd_data_begin(card, DATA, false);
	return true;
}

static bool run_read_many(struct vsd_card *card)
{
	vsd_data_begin(card, DATA, true);
	return true;
}

static bool run_write(struct vsd_card *card)
{
	vsd_data_begin(card, RCV, false);
	return true;
}

static bool run_write_many(struct vsd_card *card)
{
	vsd_data_begin(card, RCV, true);
	return true;
}

static bool run_erase_first(struct vsd_card *card)
{
	vsd_data_erase_bound(card, true);
	return true;
}

static bool run_erase_last(struct vsd_card *card)
{
	vsd_data_erase_bound(card, false);
	return true;
}

static bool run_erase(struct vsd_card *card)
{
	vsd_data_erase(card);
	return true;
}

static bool run_bus_width(struct vsd_card *card)
{
	if (card->argument == 0 || card->argument == 2)
		card->wide = card->argument == 2;
	else
		card->status |= OUT_OF_RANGE;
	return true;
}

static bool run_sd_status(struct vsd_card *card)
{
	vsd_status(card->buffer, card->wide);
	vsd_data_send(card, VSD_STATUS_SIZE);
	return true;
}

static bool run_count_written(struct vsd_card *card)
{
	for (unsigned i = 0; i < sizeof card->written; i++)
		card->buffer[i] = (uint8_t)(card->written >> (24 - 8 * i));
	vsd_data_send(card, sizeof card->written);
	return true;
}

static bool run_scr(struct vsd_card *card)
{
	vsd_scr(card->buffer);
	vsd_data_send(card, VSD_SCR_SIZE);
	return true;
}

// ---- the tables ----

#define S(state) (1U << (state))
#define WORKING  (S(PRG) | S(DIS))
#define CHOSEN   (S(STBY) | S(TRAN) | S(DATA) | S(RCV) | WORKING)
#define ANY      (S(IDLE) | S(READY) | S(IDENT) | CHOSEN)

// CMD11 and CMD19 are of the 1.8 V modes, which this card does not offer; 42 and 56 of classes that it does not have.
static const struct command commands[NR_COMMANDS] = {
        [0] = {ANY, R0, false, run_go_idle},
        [2] = {S(READY), R2_CID, false, run_all_send_cid},
        [3] = {S(IDENT) | S(STBY), R6, false, run_publish_rca},
        [6] = {S(TRAN), R1, false, run_switch},
        [7] = {S(STBY) | S(TRAN) | S(DATA) | WORKING, R1, false, run_select},
        [8] = {S(IDLE), R7, false, run_if_cond},
        [9] = {S(STBY), R2_CSD, true, NULL},
        [10] = {S(STBY), R2_CID, true, NULL},
        [12] = {S(DATA) | S(RCV), R1, false, run_stop},
        [13] = {CHOSEN, R1, true, NULL},
        [15] = {CHOSEN, R0, true, run_go_inactive},
        [16] = {S(TRAN), R1, false, run_block_length},
        [17] = {S(TRAN), R1, false, run_read},
        [18] = {S(TRAN), R1, false, run_read_many},
        [23] = {S(TRAN), R1, false, run_block_count},
        [24] = {S(TRAN), R1, false, run_write},
        [25] = {S(TRAN), R1, false, run_write_many},
        [32] = {S(TRAN), R1, false, run_erase_first},
        [33] = {S(TRAN), R1, false, run_erase_last},
        [38] = {S(TRAN), R1, false, run_erase},
        [55] = {S(IDLE) | CHOSEN, R1, true, run_app},
};

// After CMD55. One that is not here is the one of the table above.
static const struct command app_commands[NR_COMMANDS] = {
        [6] = {S(TRAN), R1, false, run_bus_width},
        [13] = {S(TRAN), R1, false, run_sd_status},
        [22] = {S(TRAN), R1, false, run_count_written},
        [23] = {S(TRAN), R1, false, NULL}, // how much will be written is of no use here
        [41] = {S(IDLE), R3, false, run_op_cond},
        [42] = {S(TRAN), R1, false, NULL}, // nor is the pull-up of a line
        [51] = {S(TRAN), R1, false, run_scr},
};

static bool is_of_erasing(unsigned index)
{
	return index == 32 || index == 33 || index == 38 || index == 13;
}

static uint32_t status_word(struct vsd_card *card, uint32_t state)
{
	uint32_t word = card->status | (uint32_t)field_put(CURRENT_STATE, state) |
	                (state == PRG || state == DIS ? 0 : READY_FOR_DATA);

	card->status = 0;
	return word;
}

static enum vsd_answer answer(struct vsd_card *card, enum answer kind, uint32_t before,
                              uint32_t word[4])
{
	switch (kind) {
	case R0: return VSD_SILENCE;
	case R1: word[0] = status_word(card, before); return VSD_SHORT;
	case R2_CID: vsd_cid(word, card->vm->id); return VSD_LONG;
	case R2_CSD:
		vsd_csd(word, vsd_data_blocks(card), vstore_read_only(card->store), card->fast);
		return VSD_LONG;
	case R3:
		word[0] = OCR_VOLTAGES | (card->state == READY ? OCR_POWERED_UP | OCR_HIGH : 0);
		return VSD_SHORT;
	case R6: { // three of the errors, moved down, and the lower half of R1
		uint32_t status = status_word(card, before);
		word[0] = card->rca << 16 | (status >> 8 & 0xc000) | (status >> 6 & 0x2000) |
		          (status & 0x1fff);
		return VSD_SHORT;
	}
	case R7: word[0] = card->argument & IF_COND; return VSD_SHORT;
	}
	return VSD_SILENCE;
}

// The table's row. NULL: the command is not known.
static const struct command *find(bool app, unsigned index, bool *is_app)
{
	*is_app = app && app_commands[index].states != 0;
	const struct command *command = *is_app ? &app_commands[index] : &commands[index];
	return command->states != 0 ? command : NULL;
}

enum vsd_answer vsd_card_command(struct vsd_card *card, unsigned index, uint32_t argument,
                                 uint32_t word[4])
{
	bool app = card->app, is_app, was_busy = card->state == PRG || card->state == DIS;
	uint32_t before = card->state;
	const struct command *command = find(app, index % NR_COMMANDS, &is_app);

	if (!vsd_card_present(card) || before == INACTIVE)
		return VSD_SILENCE;
	card->argument = argument;
	card->app = false;
	if (command == NULL || (command->states & S(before)) == 0) {
		card->status |= ILLEGAL_COMMAND;
		return VSD_SILENCE;
	}
	if (command->addressed && field_get(ARG_RCA, argument) != card->rca)
		return VSD_SILENCE; // to another card
	if (card->erase != ERASE_NONE && (is_app || !is_of_erasing(index))) {
		card->status |= ERASE_RESET;
		card->erase = ERASE_NONE;
	}
	card->status |= is_app ? APP_CMD : 0;
	bool answered = command->run == NULL || command->run(card);
	if (command->run != run_block_count)
		card->limit = 0; // it was for this command
	if (was_busy && card->state != PRG && card->state != DIS)
		alarm_set(card->vm, card->alarm, timer_now());
	enum vsd_answer kind =
	        answered ? answer(card, (enum answer)command->answer, before, word) : VSD_SILENCE;
	if (answered)
		card->status &= ~(ILLEGAL_COMMAND | APP_CMD);
	return kind;
}

// ---- its life ----

bool vsd_card_present(const struct vsd_card *card)
{
	return vsd_data_blocks(card) != 0;
}

void vsd_card_lock(struct vsd_card *card)
{
	spin_lock(&card->lock);
}

void vsd_card_unlock(struct vsd_card *card)
{
	spin_unlock(&card->lock);
}

void vsd_card_connect(struct vsd_card *card, const struct vsd_host_ops *ops, void *host)
{
	CHECK(card->nr_hosts < NR_HOSTS);
	card->host_ops[card->nr_hosts] = ops;
	card->host[card->nr_hosts++] = host;
}

void vsd_card_reset(struct vm *vm)
{
	struct vsd_card *card = vm->raspi3->card;

	spin_lock(&card->lock);
	power_up(card);
	vstore_reset(card->store);
	alarm_set(vm, card->alarm, TIMER_NEVER);
	spin_unlock(&card->lock);
}

int vsd_card_create(struct vm *vm)
{
	struct vsd_card *card = vm_alloc(vm, sizeof *card);

	if (card == NULL)
		return ERR_NO_MEMORY;
	card->vm = vm;
	card->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	card->alarm = alarm_add(vm, &vsd_data_alarm, card);
	if (card->alarm < 0)
		return card->alarm;
	vm->raspi3->card = card;
	return vstore_create(vm, &vm->card, CAPACITY_UNIT, &card->store);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vsd_card, state),      VSTATE_FIELD(struct vsd_card, status),
        VSTATE_FIELD(struct vsd_card, rca),        VSTATE_FIELD(struct vsd_card, app),
        VSTATE_FIELD(struct vsd_card, if_cond),    VSTATE_FIELD(struct vsd_card, wide),
        VSTATE_FIELD(struct vsd_card, fast),       VSTATE_FIELD(struct vsd_card, limit),
        VSTATE_FIELD(struct vsd_card, written),    VSTATE_FIELD(struct vsd_card, open),
        VSTATE_FIELD(struct vsd_card, single),     VSTATE_FIELD(struct vsd_card, refused),
        VSTATE_FIELD(struct vsd_card, left),       VSTATE_FIELD(struct vsd_card, limited),
        VSTATE_FIELD(struct vsd_card, at),         VSTATE_FIELD(struct vsd_card, size),
        VSTATE_FIELD(struct vsd_card, next),       VSTATE_ARRAY(struct vsd_card, buffer),
        VSTATE_FIELD(struct vsd_card, erase),      VSTATE_FIELD(struct vsd_card, erase_first),
        VSTATE_FIELD(struct vsd_card, erase_last), VSTATE_FIELD(struct vsd_card, erase_at),
};

const struct vstate vsd_card_state = {"sd-card", fields, ARRAY_SIZE(fields), NULL};
