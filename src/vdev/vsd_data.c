// SPDX-License-Identifier: Apache-2.0
// The data lines of an SD card: how blocks come and go, and how they are erased. Owns the transfer's part of the card's
// state under its lock; called by the two host controllers, by the card's commands, and by its alarm while it erases,
// which is done in pieces.
// Source: SD Physical Layer Simplified Specification, "Data Read", "Data Write", "Erase".
#include "base/string.h"
#include "hw/timer.h"
#include "vdev/vsd_state.h"

#define ERASE_US 20 // between two pieces

// ---- transfers ----

void vsd_data_send(struct vsd_card *card, uint32_t size)
{
	card->state = DATA;
	card->at = 0;
	card->size = size;
	card->open = card->limited = false;
}

void vsd_data_begin(struct vsd_card *card, enum state state, bool many)
{
	uint32_t limit = card->limit;

	if (card->argument >= vsd_data_blocks(card)) {
		card->status |= OUT_OF_RANGE;
		return;
	}
	card->state = state;
	card->next = card->argument;
	card->single = !many;
	card->limited = !many || limit != 0;
	card->left = many && limit != 0 ? limit : 1;
	card->open = true;
	card->refused = false;
	card->at = 0;
	card->size = state == RCV ? VSD_BLOCK : 0; // the first block is read when it is asked for
	card->written = state == RCV ? 0 : card->written;
	if (state == RCV && vstore_read_only(card->store)) {
		card->status |= WP_VIOLATION;
		card->refused = true;
	}
}

// The next block of a read into the buffer. False: there is none.
static bool next_block(struct vsd_card *card)
{
	if (!card->open)
		return false;
	if (card->next >= vsd_data_blocks(card)) { // until the host stops it
		card->status |= OUT_OF_RANGE;
		return false;
	}
	vstore_read(card->store, card->next++ * VSD_BLOCK, card->buffer, VSD_BLOCK);
	card->at = 0;
	card->size = VSD_BLOCK;
	if (card->limited)
		card->open = --card->left != 0;
	return true;
}

size_t vsd_card_read(struct vsd_card *card, void *to, size_t size)
{
	size_t done = 0;

	while (card->state == DATA && done < size) {
		if (card->at == card->size && !next_block(card))
			break;
		size_t left = card->size - card->at;
		size_t n = left < size - done ? left : size - done;
		memcpy((uint8_t *)to + done, card->buffer + card->at, n);
		card->at += (uint32_t)n;
		done += n;
		if (card->at == card->size && !card->open)
			card->state = TRAN;
	}
	return done;
}

// The buffer is full: to where it belongs. False: it did not get there.
static bool write_block(struct vsd_card *card)
{
	uint32_t problem = 0;

	if (card->next >= vsd_data_blocks(card))
		problem = OUT_OF_RANGE;
	else if (vstore_write(card->store, card->next * VSD_BLOCK, card->buffer, VSD_BLOCK) != 0)
		problem = GENERAL_ERROR;
	card->status |= problem;
	card->refused = problem != 0;
	if (problem == 0) {
		card->next++;
		card->written++;
	}
	card->at = 0;
	if (problem != 0)
		card->state = card->single ? TRAN : RCV; // where it waits for CMD12
	else if (card->limited && --card->left == 0)
		card->state = TRAN;
	return problem == 0;
}

size_t vsd_card_write(struct vsd_card *card, const void *from, size_t size)
{
	size_t done = 0;

	while (card->state == RCV && done < size) {
		if (card->refused && card->single)
			card->state = TRAN;
		if (card->refused)
			break;
		size_t left = VSD_BLOCK - card->at;
		size_t n = left < size - done ? left : size - done;
		memcpy(card->buffer + card->at, (const uint8_t *)from + done, n);
		card->at += (uint32_t)n;
		if (card->at == VSD_BLOCK && !write_block(card))
			break; // what was not stored was not taken
		done += n;
	}
	return done;
}

// ---- erasing ----

bool vsd_card_busy(const struct vsd_card *card)
{
	return card->state == PRG; // in DIS it has let go of the line
}

static void tell_hosts(struct vsd_card *card)
{
	for (unsigned i = 0; i < card->nr_hosts; i++)
		card->host_ops[i]->ready(card->host[i]);
}

static void alarm_due(void *dev)
{
	struct vsd_card *card = dev;
	uint64_t when = TIMER_NEVER;

	spin_lock(&card->lock);
	if (card->state == PRG || card->state == DIS) {
		uint64_t at = card->erase_at * VSD_BLOCK;
		int error = vstore_erase(card->store, &at, (card->erase_last + 1) * VSD_BLOCK);
		card->erase_at = at / VSD_BLOCK;
		card->status |= error != 0 ? GENERAL_ERROR : 0;
		if (error == 0 && card->erase_at <= card->erase_last)
			when = timer_now() + timer_from_us(ERASE_US);
		else
			card->state = card->state == PRG ? TRAN : STBY;
	}
	alarm_set(card->vm, card->alarm, when);
	if (when == TIMER_NEVER)
		tell_hosts(card);
	spin_unlock(&card->lock);
}

const struct alarm_ops vsd_data_alarm = {.due = alarm_due};

void vsd_data_erase_bound(struct vsd_card *card, bool first)
{
	if (card->argument >= vsd_data_blocks(card)) {
		card->status |= OUT_OF_RANGE;
		card->erase = ERASE_NONE;
	} else if (first) {
		card->erase_first = card->argument;
		card->erase = ERASE_FIRST;
	} else if (card->erase == ERASE_NONE) {
		card->status |= ERASE_SEQ_ERROR;
	} else {
		card->erase_last = card->argument;
		card->erase = ERASE_BOTH;
	}
}

void vsd_data_erase(struct vsd_card *card)
{
	if (card->erase != ERASE_BOTH) {
		card->status |= ERASE_SEQ_ERROR;
	} else if (card->erase_last < card->erase_first) {
		card->status |= ERASE_PARAM;
	} else if (vstore_read_only(card->store)) {
		card->status |= WP_ERASE_SKIP;
	} else {
		card->state = PRG;
		card->erase_at = card->erase_first;
		alarm_set(card->vm, card->alarm, timer_now());
	}
	card->erase = ERASE_NONE;
}
