// SPDX-License-Identifier: Apache-2.0
// The work of the DMA controller: it goes through control blocks in the VM's memory. Owns nothing; called by
// vbcm2835_dma.c under its lock.
// A piece is bounded whatever the blocks say. Memory that nobody touched before is touched by a piece that does nothing
// else, since filling it takes as long as all the rest may. Between two of them the guest runs for at least as long as
// the last one took, so blocks that loop take half of a CPU at most.
// A chip's functions are called without the lock; while they are, `working` keeps other CPUs from the channels, and
// a channel that was reset or whose block was aborted meanwhile has another `epoch`.
// Source: BCM2835 ARM Peripherals, "DMA Controller". A block in 2D mode has one row more than YLENGTH says: there
// the board and its programs differ from the manual. Widths, bursts, waits and priorities change nothing here, and
// memory is always ready. Where source and destination overlap the order of bytes is not the board's.
#include "vdev/vbcm2835_dma_state.h"

#include "base/atomic.h"
#include "hw/timer.h"
#include "vdev/raspi3.h"
#include "vm/vm.h"

#define LENGTH      GENMASK_U32(29, 0)
#define LENGTH_LITE GENMASK_U32(15, 0)
#define LENGTH_X    GENMASK_U32(15, 0)
#define STRIDE_SRC  GENMASK_U32(15, 0)
#define STRIDE_DEST GENMASK_U32(31, 16)

// As it lies in memory, 32-byte aligned.
enum {
	BLOCK_TI,
	BLOCK_SOURCE,
	BLOCK_DEST,
	BLOCK_LENGTH,
	BLOCK_STRIDE,
	BLOCK_NEXT,
	BLOCK_WORDS = 8
};
#define BLOCK_BYTES (BLOCK_WORDS * 4)

// What a piece may cost, in bytes that are copied word by word.
#define PIECE     6144U
#define COST_STEP 512U
#define COST_CHIP 2U // times so much if they come from a chip or go to one
#define COST_ODD  4U // or if they do not lie on words
#define PUT_OFF   0U // what a step costs that is to be the first of the next piece
#define WAIT_US   20 // between two pieces, at least

// ---- a block ----

void vbcm2835_dma_forget_block(struct dma_channel *channel)
{
	channel->loaded = 0;
	channel->waits = 0;
	channel->epoch++;
	if (channel->conblk == 0)
		channel->cs &= ~CS_ACTIVE;
}

static void fail(struct dma_channel *channel)
{
	channel->debug |= DEBUG_READ_ERROR;
	channel->cs &= ~CS_ACTIVE;
}

static void end_block(struct vbcm2835_dma *dma, struct dma_channel *channel)
{
	channel->cs |= CS_END;
	if ((channel->ti & TI_INTEN) != 0)
		channel->cs |= CS_INT;
	channel->conblk = channel->next;
	vbcm2835_dma_forget_block(channel);
	vbcm2835_dma_show(dma, (unsigned)(channel - dma->channel)); // before it interrupts
	vbcm2835_dma_update_lines(dma);
}

// A stride is signed.
static uint32_t extend(uint64_t stride)
{
	return (uint32_t)(int32_t)(int16_t)stride;
}

static void advance(struct vbcm2835_dma *dma, struct dma_channel *channel, uint32_t bytes)
{
	channel->source += (channel->ti & TI_SRC_INC) != 0 ? bytes : 0;
	channel->dest += (channel->ti & TI_DEST_INC) != 0 ? bytes : 0;
	channel->x -= bytes;
	if (channel->x != 0)
		return;
	if (channel->y == 0) {
		end_block(dma, channel);
		return;
	}
	channel->y--;
	channel->x = channel->row;
	channel->source += extend(field_get(STRIDE_SRC, channel->stride));
	channel->dest += extend(field_get(STRIDE_DEST, channel->stride));
}

// ---- memory ----

static bool is_memory(const struct vbcm2835_dma *dma, uint32_t bus, uint32_t bytes)
{
	const struct vm *vm = dma->vm;

	return (bus & GENMASK_U32(31, 24)) != VBCM2835_BUS_IO_BASE &&
	       range_contains(vm->ram_base, vm->ram_size, raspi3_bus_to_ipa(bus), bytes);
}

// One side of a transfer, before anything moves.
enum side {
	GOOD,    // or nothing can be done about it: using it fails
	TOUCHED, // which took as long as a piece may
	COLD,    // it is not touched yet
	BAD
};

// Sees to it that a range of memory can be reached fast, if this is the first step of a piece.
static enum side touch(struct vbcm2835_dma *dma, uint32_t bus, uint32_t bytes, bool is_first)
{
	uint64_t ipa = raspi3_bus_to_ipa(bus), last = ipa + bytes - 1;
	uint8_t byte;

	if (vm_dma_is_touched(dma->vm, IPA(ipa)) && vm_dma_is_touched(dma->vm, IPA(last)))
		return GOOD;
	if (!is_first)
		return COLD;
	ipa = vm_dma_is_touched(dma->vm, IPA(ipa)) ? last : ipa;
	(void)vm_dma_read(dma->vm, IPA(ipa), &byte, 1); // if this fails the next one does
	return vm_dma_is_touched(dma->vm, IPA(ipa)) ? TOUCHED : GOOD;
}

static bool memory_read(struct vbcm2835_dma *dma, const struct dma_channel *channel, uint32_t bytes)
{
	ipa_t ipa = IPA(raspi3_bus_to_ipa(channel->source));

	if ((channel->ti & TI_SRC_INC) != 0)
		return vm_dma_read(dma->vm, ipa, dma->buffer, bytes) == 0;
	if (vm_dma_read(dma->vm, ipa, dma->buffer, bytes < 4 ? bytes : 4) != 0)
		return false;
	for (uint32_t i = 1; i < (bytes + 3) / 4; i++)
		dma->buffer[i] = dma->buffer[0];
	return true;
}

// Of what goes to one address the last is what stays: a word, and what does not fill one.
static bool memory_write(struct vbcm2835_dma *dma, const struct dma_channel *channel,
                         uint32_t bytes)
{
	ipa_t ipa = IPA(raspi3_bus_to_ipa(channel->dest));
	uint32_t whole = bytes / 4, rest = bytes % 4;

	if ((channel->ti & TI_DEST_INC) != 0)
		return vm_dma_write(dma->vm, ipa, dma->buffer, bytes) == 0;
	if (whole != 0 && vm_dma_write(dma->vm, ipa, &dma->buffer[whole - 1], 4) != 0)
		return false;
	return rest == 0 || vm_dma_write(dma->vm, ipa, &dma->buffer[whole], rest) == 0;
}

// ---- a step ----

// Fetches the block at conblk. What it costs.
static uint32_t load(struct vbcm2835_dma *dma, unsigned n, bool is_first)
{
	struct dma_channel *channel = &dma->channel[n];
	uint32_t block[BLOCK_WORDS];

	if (!is_aligned(channel->conblk, BLOCK_BYTES) ||
	    !is_memory(dma, channel->conblk, BLOCK_BYTES)) {
		fail(channel);
		return COST_STEP;
	}
	enum side side = touch(dma, channel->conblk, BLOCK_BYTES, is_first);
	if (side == COLD || side == TOUCHED)
		return side == COLD ? PUT_OFF : PIECE;
	if (vm_dma_read(dma->vm, IPA(raspi3_bus_to_ipa(channel->conblk)), block, sizeof block) !=
	    0) {
		fail(channel);
		return COST_STEP;
	}
	channel->ti = block[BLOCK_TI] & (IS_LITE(n) ? ~TI_NOT_LITE : UINT32_MAX);
	channel->source = block[BLOCK_SOURCE];
	channel->dest = block[BLOCK_DEST];
	channel->stride = IS_LITE(n) ? 0 : block[BLOCK_STRIDE];
	channel->next = block[BLOCK_NEXT];
	channel->x = block[BLOCK_LENGTH] & (IS_LITE(n) ? LENGTH_LITE : LENGTH);
	channel->y = 0;
	if ((channel->ti & TI_TDMODE) != 0) {
		channel->x = (uint32_t)field_get(LENGTH_X, block[BLOCK_LENGTH]);
		channel->y = (uint32_t)field_get(LENGTH_Y, block[BLOCK_LENGTH]);
	}
	channel->row = channel->x;
	channel->loaded = 1;
	if (channel->x == 0)
		end_block(dma, channel);
	return COST_STEP;
}

static const struct vbcm2835_dma_port *find_port(const struct vbcm2835_dma *dma, uint32_t bus)
{
	for (uint32_t i = 0; i < dma->nr_ports; i++)
		if (dma->port[i]->bus == bus)
			return dma->port[i];
	return NULL;
}

// Moves words between the buffer and a chip; how many bytes of `bytes`. None: the channel waits, or it has
// something else to do now.
static uint32_t port_move(struct vbcm2835_dma *dma, struct dma_channel *channel,
                          const struct vbcm2835_dma_port *port, bool read, uint32_t bytes)
{
	uint32_t count = (bytes + 3) / 4, epoch = channel->epoch;

	if (!read)
		dma->buffer[count - 1] &= GENMASK_U32((bytes - 1) % 4 * 8 + 7, 0);
	unsigned n = (unsigned)(channel - dma->channel);
	dma->busy = n;
	vbcm2835_dma_show(dma, n);
	spin_unlock(&dma->lock);
	unsigned moved = read ? port->read(dma->vm, dma->buffer, count)
	                      : port->write(dma->vm, dma->buffer, count);
	spin_lock(&dma->lock);
	dma->busy = NR_CHANNELS;
	if (channel->epoch != epoch)
		return 0;
	if (moved < count) {
		channel->waits = BIT_U32(port->dreq);
		store_ordered(&dma->waiting, dma->waiting | channel->waits);
		return moved * 4;
	}
	return bytes;
}

static enum side look_at(struct vbcm2835_dma *dma, uint32_t bus, bool increments, uint32_t bytes,
                         bool is_first)
{
	bytes = increments || bytes < 4 ? bytes : 4;
	if (!is_memory(dma, bus, bytes))
		return BAD;
	return touch(dma, bus, bytes, is_first);
}

// From source to destination, both of which are good. How many bytes.
static uint32_t transfer(struct vbcm2835_dma *dma, struct dma_channel *channel,
                         const struct vbcm2835_dma_port *from, const struct vbcm2835_dma_port *to,
                         uint32_t bytes)
{
	bool good = true;

	if (from != NULL)
		bytes = port_move(dma, channel, from, true, bytes);
	else
		good = memory_read(dma, channel, bytes);
	if (good && bytes != 0) {
		if (to != NULL)
			bytes = port_move(dma, channel, to, false, bytes);
		else if ((channel->ti & TI_DEST_IGNORE) == 0)
			good = memory_write(dma, channel, bytes);
	}
	if (!good)
		fail(channel);
	return good ? bytes : 0;
}

// Takes a channel a bounded way further. What it costs, or PUT_OFF; the lock may have been free meanwhile.
static uint32_t step(struct vbcm2835_dma *dma, unsigned n, bool is_first)
{
	struct dma_channel *channel = &dma->channel[n];
	uint32_t ti = channel->ti, bytes = channel->x < DMA_CHUNK ? channel->x : DMA_CHUNK;
	enum side source = GOOD, dest = GOOD;

	if (channel->loaded == 0)
		return load(dma, n, is_first);
	if ((ti & TI_SRC_IGNORE) != 0) { // then nothing is written either
		advance(dma, channel, channel->x);
		return COST_STEP;
	}
	const struct vbcm2835_dma_port *from = find_port(dma, channel->source), *to = NULL;
	if ((ti & TI_DEST_IGNORE) == 0)
		to = find_port(dma, channel->dest);
	uint32_t times = from != NULL || to != NULL ? COST_CHIP : 1;
	times = is_aligned(channel->source | channel->dest, 8) ? times : COST_ODD;
	bytes = bytes < DMA_CHUNK / times ? bytes : DMA_CHUNK / times;
	// A port is one address: the next word would be elsewhere.
	if ((from != NULL && (ti & TI_SRC_INC) != 0) || (to != NULL && (ti & TI_DEST_INC) != 0))
		bytes = bytes < 4 ? bytes : 4;
	if (from == NULL)
		source = look_at(dma, channel->source, (ti & TI_SRC_INC) != 0, bytes, is_first);
	else if (to != NULL)
		source = BAD; // from chip to chip
	if (source == GOOD && to == NULL && (ti & TI_DEST_IGNORE) == 0)
		dest = look_at(dma, channel->dest, (ti & TI_DEST_INC) != 0, bytes, is_first);
	if (source == COLD || dest == COLD)
		return PUT_OFF;
	if (source == TOUCHED || dest == TOUCHED)
		return PIECE;
	if (source == BAD || dest == BAD) {
		fail(channel);
		return COST_STEP;
	}
	uint32_t cost = COST_STEP + bytes * times;
	bytes = transfer(dma, channel, from, to, bytes);
	if (bytes != 0)
		advance(dma, channel, bytes);
	return cost;
}

// ---- a piece ----

// Lets the channels go on whose chips asked for data.
static void take_kicks(struct vbcm2835_dma *dma)
{
	uint32_t waiting = 0;

	if (load_ordered(&dma->kicked) == 0)
		return;
	uint32_t kicked = exchange(&dma->kicked, 0);
	for (unsigned n = 0; n < NR_CHANNELS; n++) {
		if ((dma->channel[n].waits & kicked) != 0) {
			dma->channel[n].waits &= ~kicked;
			vbcm2835_dma_show(dma, n);
		}
		waiting |= dma->channel[n].waits;
	}
	store_ordered(&dma->waiting, waiting);
}

// The next channel that can go on; NR_CHANNELS: none.
static unsigned next_channel(const struct vbcm2835_dma *dma)
{
	uint32_t enabled = dma->enable | BIT_U32(ALONE);

	for (unsigned i = 0; i < NR_CHANNELS; i++) {
		unsigned n = (dma->turn + i) % NR_CHANNELS;
		const struct dma_channel *channel = &dma->channel[n];
		if ((channel->cs & CS_ACTIVE) != 0 && channel->waits == 0 &&
		    (enabled & BIT_U32(n)) != 0)
			return n;
	}
	return NR_CHANNELS;
}

bool vbcm2835_dma_can_go_on(const struct vbcm2835_dma *dma)
{
	return next_channel(dma) != NR_CHANNELS;
}

void vbcm2835_dma_work(struct vbcm2835_dma *dma)
{
	uint64_t begin = timer_now(), least = timer_from_us(WAIT_US);

	dma->working = true;
	for (uint32_t spent = 0; spent < PIECE;) {
		take_kicks(dma);
		unsigned n = next_channel(dma);
		if (n == NR_CHANNELS)
			break;
		uint32_t cost = step(dma, n, spent == 0);
		vbcm2835_dma_show(dma, n);
		dma->turn = cost != PUT_OFF ? (n + 1) % NR_CHANNELS : n;
		spent += cost != PUT_OFF ? cost : PIECE;
		spin_unlock(&dma->lock); // nobody waits for more than a step
		spin_lock(&dma->lock);
	}
	dma->working = false;
	take_kicks(dma);
	if (vbcm2835_dma_can_go_on(dma) || dma->again) {
		uint64_t now = timer_now(), wait = now - begin;
		alarm_set(dma->vm, dma->alarm, now + (wait > least ? wait : least));
	}
	dma->again = false;
}
