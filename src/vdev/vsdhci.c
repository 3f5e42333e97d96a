// SPDX-License-Identifier: Apache-2.0
// The Arasan SD host controller. Owns its registers and its buffer of one block under the card's lock; called by the
// MMIO map, by the DMA controller, and by the card when it has worked.
// A command is over before the write that sends it is. A block moves between card and buffer in one step, when the
// buffer is wanted or full, so an access does at most that.
// Invariant, whenever the lock is free: `transfer` is what the data lines do, and the line follows the interrupts.
// Source: BCM2835 ARM Peripherals, "External Mass Media Controller"; SD Host Controller Simplified Specification
// 3.00, "SD Host Standard Register", "Sequences".
#include "vdev/vsdhci.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_dma.h"
#include "vdev/vbcm2835_gpio.h"
#include "vdev/vreg.h"
#include "vdev/vsd_card.h"
#include "vm/vm.h"

enum {
	ARG2 = 0x00,
	BLKSIZECNT = 0x04,
	ARG1 = 0x08,
	CMDTM = 0x0c,
	RESP0 = 0x10, // four
	DATA = 0x20,
	STATUS = 0x24,
	CONTROL0 = 0x28,
	CONTROL1 = 0x2c,
	INTERRUPT = 0x30,
	IRPT_MASK = 0x34,
	IRPT_EN = 0x38,
	CONTROL2 = 0x3c,
	CAPABILITIES = 0x40,
	FORCE_IRPT = 0x50,
	KEPT = 0x70, // and on: the DMA FIFO's, boot's and tuning's registers, which change nothing
	SLOTISR_VER = 0xfc,
	SIZE = 0x100,
};

#define NR_KEPT     9
#define PORT_CALLS  4    // blocks, or parts of them, that the DMA controller moves in a call
#define BLOCK_MAX   1024 // bytes
#define BLOCK_BYTES GENMASK_U32(9, 0)
#define BLOCK_COUNT GENMASK_U32(31, 16)

#define COUNTED    BIT_U32(1) // the blocks are
#define AUTO_CMD   GENMASK_U32(3, 2)
#define AUTO_CMD12 1
#define AUTO_CMD23 2
#define TO_HOST    BIT_U32(4)
#define MANY       BIT_U32(5)
#define RESPONSE   GENMASK_U32(17, 16)
#define WITH_DATA  BIT_U32(21)
#define TYPE       GENMASK_U32(23, 22)
#define TYPE_ABORT 3
#define INDEX      GENMASK_U32(29, 24)

enum response { NO_RESPONSE, LONG_RESPONSE, SHORT_RESPONSE, BUSY_RESPONSE };

#define DATA_INHIBIT  BIT_U32(1)
#define DATA_ACTIVE   BIT_U32(2)
#define WRITE_ACTIVE  BIT_U32(8)
#define READ_ACTIVE   BIT_U32(9)
#define WRITE_ROOM    BIT_U32(10)
#define READ_THERE    BIT_U32(11)
#define CARD_THERE    GENMASK_U32(18, 16) // inserted, stable, and its pin
#define WRITABLE      BIT_U32(19)         // this board has no pin for it
#define DATA_LINES    GENMASK_U32(23, 20)
#define DATA_LINE_0   BIT_U32(20)
#define COMMAND_LINE  BIT_U32(24)
#define CONTROL0_KEPT GENMASK_U32(22, 0)

#define CLOCK_ON      BIT_U32(0)
#define CLOCK_STABLE  BIT_U32(1)
#define CLOCK_TO_CARD BIT_U32(2)
#define RESET_ALL     BIT_U32(24)
#define RESET_COMMAND BIT_U32(25)
#define RESET_DATA    BIT_U32(26)
#define CONTROL1_KEPT (GENMASK_U32(19, 5) | CLOCK_TO_CARD | CLOCK_ON)

#define COMMAND_DONE  BIT_U32(0)
#define TRANSFER_DONE BIT_U32(1)
#define WRITE_READY   BIT_U32(4)
#define READ_READY    BIT_U32(5)
#define ANY_ERROR     BIT_U32(15) // follows the others
#define NO_ANSWER     BIT_U32(16)
#define WRONG_END     BIT_U32(18)
#define NO_DATA       BIT_U32(20)
#define DATA_CRC      BIT_U32(21)
#define AUTO_ERROR    BIT_U32(24)
#define ERRORS        GENMASK_U32(31, 16)

#define AUTO_TIMEOUT BIT_U32(1) // in CONTROL2, with what else is read-only there
#define AUTO_STATUS  (GENMASK_U32(4, 0) | BIT_U32(7))
#define TUNE         BIT_U32(22)
#define MODES        GENMASK_U32(23, 16)

#define CAPABILITIES_VALUE 0x052134b4 // no DMA of its own, high speed, 3.3 V and 1.8 V, 52 MHz
#define VERSION_VALUE      0x99020000 // SDHCI 3.0
#define SLOT_INTERRUPT     BIT_U32(0)

enum transfer { NONE, READING, WRITING };

struct vsdhci {
	// Fixed after start.
	const struct vregs *regs; // first
	struct vm *vm;
	struct vsd_card *card;

	// Under the card's lock.
	uint32_t arg2, blocks, arg1, command, response[4];
	uint32_t control0, control1, control2, interrupt, mask, enable, kept[NR_KEPT];
	uint32_t transfer; // enum transfer
	bool busy;         // a command ends when the card lets go of its line
	uint32_t at, size; // of the buffer, bytes; a read has `size` of them, a write gets so many
	bool line;
	_Alignas(uint64_t) uint32_t buffer[BLOCK_MAX / 4];
};

// Whether the card's lines lead here.
static bool has_card(const struct vsdhci *host)
{
	return vsd_card_present(host->card) && vbcm2835_gpio_card(host->vm) == VBCM2835_CARD_EMMC;
}

static void update_line(struct vsdhci *host)
{
	uint32_t errors = host->interrupt & ERRORS;

	host->interrupt = (host->interrupt & ~ANY_ERROR) | (errors != 0 ? ANY_ERROR : 0);
	bool line = (host->interrupt & host->enable) != 0;
	if (line == host->line)
		return;
	host->line = line;
	virq_set(host->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_EMMC), line);
}

// What is not in the mask is not noted.
static void note(struct vsdhci *host, uint32_t what)
{
	host->interrupt |= what & host->mask;
}

// ---- the data lines ----

static enum vsd_answer send(struct vsdhci *host, unsigned index, uint32_t argument,
                            uint32_t word[4])
{
	if (!has_card(host) || (host->control1 & CLOCK_TO_CARD) == 0)
		return VSD_SILENCE;
	return vsd_card_command(host->card, index, argument, word);
}

static void auto_command(struct vsdhci *host, unsigned index, uint32_t argument)
{
	uint32_t word[4] = {0};

	host->control2 &= ~AUTO_STATUS;
	if (send(host, index, argument, word) != VSD_SILENCE) {
		host->response[3] = word[0];
		return;
	}
	host->control2 |= AUTO_TIMEOUT;
	note(host, AUTO_ERROR);
}

static void end_transfer(struct vsdhci *host, uint32_t why)
{
	host->transfer = NONE;
	host->at = host->size = 0;
	if (why == TRANSFER_DONE && (host->command & MANY) != 0 &&
	    field_get(AUTO_CMD, host->command) == AUTO_CMD12)
		auto_command(host, 12, 0);
	note(host, why);
}

// Whether the block that has just moved was the last one.
static bool was_last(struct vsdhci *host)
{
	uint32_t left = (uint32_t)field_get(BLOCK_COUNT, host->blocks);

	if ((host->command & MANY) == 0)
		return true;
	if ((host->command & COUNTED) == 0)
		return false;
	left -= left != 0 ? 1 : 0;
	host->blocks = (host->blocks & ~BLOCK_COUNT) | (uint32_t)field_put(BLOCK_COUNT, left);
	return left == 0;
}

// The next block of a read into the buffer, or room for one of a write.
static void next_block(struct vsdhci *host)
{
	uint32_t size = (uint32_t)field_get(BLOCK_BYTES, host->blocks);

	host->at = 0;
	host->size = size;
	if (host->transfer == READING) {
		host->buffer[size / 4] = 0; // if the last word is not whole
		if (!has_card(host) || vsd_card_read(host->card, host->buffer, size) != size) {
			end_transfer(host, NO_DATA);
			return;
		}
	}
	note(host, host->transfer == READING ? READ_READY : WRITE_READY);
}

// The buffer was read, or filled.
static void block_done(struct vsdhci *host)
{
	if (host->transfer == WRITING &&
	    (!has_card(host) ||
	     vsd_card_write(host->card, host->buffer, host->size) != host->size)) {
		end_transfer(host, has_card(host) ? DATA_CRC : NO_DATA);
		return;
	}
	if (was_last(host))
		end_transfer(host, TRANSFER_DONE);
	else
		next_block(host);
}

// Words out of the buffer, or into it, as far as it goes; how many.
static unsigned take_words(struct vsdhci *host, uint32_t *words, unsigned count)
{
	unsigned left = (host->size - host->at + 3) / 4, n = left < count ? left : count;

	memcpy(words, &host->buffer[host->at / 4], n * sizeof *words);
	host->at += 4 * n;
	if (host->at >= host->size)
		block_done(host);
	return n;
}

static unsigned put_words(struct vsdhci *host, const uint32_t *words, unsigned count)
{
	unsigned left = (host->size - host->at + 3) / 4, n = left < count ? left : count;

	memcpy(&host->buffer[host->at / 4], words, n * sizeof *words);
	host->at += 4 * n;
	if (host->at >= host->size)
		block_done(host);
	return n;
}

// ---- commands ----

static void begin_transfer(struct vsdhci *host)
{
	bool none = field_get(BLOCK_BYTES, host->blocks) == 0 ||
	            ((host->command & MANY) != 0 && (host->command & COUNTED) != 0 &&
	             field_get(BLOCK_COUNT, host->blocks) == 0);

	host->transfer = (host->command & TO_HOST) != 0 ? READING : WRITING;
	if (none)
		end_transfer(host, TRANSFER_DONE);
	else
		next_block(host);
	if (host->transfer != NONE)
		vbcm2835_dma_kick(host->vm, VBCM2835_DREQ_EMMC);
}

// False: it was not what was asked for.
static bool take_response(struct vsdhci *host, enum vsd_answer kind, const uint32_t word[4])
{
	enum response wanted = (enum response)field_get(RESPONSE, host->command);

	if (wanted == NO_RESPONSE)
		return true;
	if (kind == VSD_SILENCE || (kind == VSD_LONG) != (wanted == LONG_RESPONSE)) {
		note(host, kind == VSD_SILENCE ? NO_ANSWER : WRONG_END);
		return false;
	}
	if (kind == VSD_SHORT)
		host->response[0] = word[0];
	for (unsigned i = 0; i < 4 && kind == VSD_LONG; i++) // without its last byte
		host->response[i] = word[i] >> 8 | (i < 3 ? word[i + 1] << 24 : 0);
	return true;
}

static void end_busy(struct vsdhci *host)
{
	host->busy = has_card(host) && vsd_card_busy(host->card);
	if (!host->busy)
		note(host, TRANSFER_DONE);
}

static void run_command(struct vsdhci *host)
{
	uint32_t word[4] = {0}, index = (uint32_t)field_get(INDEX, host->command);
	bool with_data = (host->command & WITH_DATA) != 0;
	bool abort = index == 12 || field_get(TYPE, host->command) == TYPE_ABORT;
	bool uses_data = with_data || field_get(RESPONSE, host->command) == BUSY_RESPONSE;

	if (uses_data && !abort && (host->transfer != NONE || host->busy))
		return; // it must not be sent, and is not
	if (with_data && (host->command & MANY) != 0 &&
	    field_get(AUTO_CMD, host->command) == AUTO_CMD23)
		auto_command(host, 23, host->arg2);
	if (abort)
		end_transfer(host, 0);
	if (!take_response(host, send(host, index, host->arg1, word), word))
		return;
	note(host, COMMAND_DONE);
	if (with_data)
		begin_transfer(host);
	else if (field_get(RESPONSE, host->command) == BUSY_RESPONSE)
		end_busy(host);
}

static void ready(void *dev)
{
	struct vsdhci *host = dev;

	if (host->busy)
		end_busy(host);
	update_line(host);
}

static const struct vsd_host_ops host_ops = {.ready = ready};

// ---- registers ----

static uint32_t read_status(void *dev)
{
	const struct vsdhci *host = dev;
	bool here = has_card(host), low = host->busy || (here && vsd_card_busy(host->card));
	uint32_t value = WRITABLE | DATA_LINES | COMMAND_LINE | (here ? CARD_THERE : 0);

	if (host->transfer == READING)
		value |= READ_ACTIVE | READ_THERE | DATA_ACTIVE;
	if (host->transfer == WRITING)
		value |= WRITE_ACTIVE | WRITE_ROOM | DATA_ACTIVE;
	if (host->transfer != NONE || host->busy)
		value |= DATA_INHIBIT;
	return low ? value & ~DATA_LINE_0 : value;
}

static uint32_t read_data(void *dev)
{
	struct vsdhci *host = dev;
	uint32_t word = 0;

	if (host->transfer == READING)
		(void)take_words(host, &word, 1);
	return word;
}

static void write_data(void *dev, uint32_t value)
{
	struct vsdhci *host = dev;

	if (host->transfer == WRITING)
		(void)put_words(host, &value, 1);
}

static void write_blocks(void *dev, uint32_t value)
{
	struct vsdhci *host = dev;

	if (host->transfer == NONE)
		host->blocks = value & (BLOCK_BYTES | BLOCK_COUNT);
}

static void write_command(void *dev, uint32_t value)
{
	struct vsdhci *host = dev;
	uint32_t before = host->command;

	if (host->transfer != NONE && (value & WITH_DATA) != 0)
		return;
	host->command = value;
	run_command(host);
	if (host->transfer != NONE && (value & WITH_DATA) == 0)
		host->command = before; // which is how the transfer goes on
}

static uint32_t read_control1(void *dev)
{
	const struct vsdhci *host = dev;

	return host->control1 | ((host->control1 & CLOCK_ON) != 0 ? CLOCK_STABLE : 0);
}

// The card stays as it is.
static void reset_registers(struct vsdhci *host)
{
	vreg_reset(host->regs, host);
	host->transfer = NONE;
	host->busy = false;
	host->at = host->size = 0;
	memset(host->buffer, 0, sizeof host->buffer);
}

static void write_control1(void *dev, uint32_t value)
{
	struct vsdhci *host = dev;

	if ((value & RESET_ALL) != 0) {
		reset_registers(host);
		return;
	}
	if ((value & RESET_DATA) != 0) {
		host->transfer = NONE;
		host->busy = false;
		host->at = host->size = 0;
		host->interrupt &= ~(TRANSFER_DONE | WRITE_READY | READ_READY);
	}
	if ((value & RESET_COMMAND) != 0)
		host->interrupt &= ~COMMAND_DONE;
	host->control1 = value & CONTROL1_KEPT;
}

static void force(void *dev, uint32_t value)
{
	note(dev, value);
}

static uint32_t read_version(void *dev)
{
	const struct vsdhci *host = dev;

	return VERSION_VALUE | (host->line ? SLOT_INTERRUPT : 0);
}

static void begin(void *dev)
{
	struct vsdhci *host = dev;

	vsd_card_lock(host->card);
}

static void end(void *dev)
{
	struct vsdhci *host = dev;

	update_line(host);
	vsd_card_unlock(host->card);
}

#define IN(member) VREG_IN(struct vsdhci, member)

static const struct vreg rows[] = {
        {ARG2, "ARG2", IN(arg2), .writable = VREG_ALL},
        {BLKSIZECNT, "BLKSIZECNT", IN(blocks), .write = write_blocks},
        {ARG1, "ARG1", IN(arg1), .writable = VREG_ALL},
        {CMDTM, "CMDTM", IN(command), .write = write_command},
        {RESP0, "RESP", IN(response), .writable = 0},
        {DATA, "DATA", VREG_NOWHERE, .read = read_data, .write = write_data},
        {STATUS, "STATUS", VREG_NOWHERE, .read = read_status},
        {CONTROL0, "CONTROL0", IN(control0), .writable = CONTROL0_KEPT},
        {CONTROL1, "CONTROL1", IN(control1), .read = read_control1, .write = write_control1},
        {INTERRUPT, "INTERRUPT", IN(interrupt), .clears = VREG_ALL},
        {IRPT_MASK, "IRPT_MASK", IN(mask), .writable = ~ANY_ERROR},
        {IRPT_EN, "IRPT_EN", IN(enable), .writable = VREG_ALL},
        // Tuning is for faster modes than there are: it is over at once.
        {CONTROL2, "CONTROL2", IN(control2), .writable = MODES & ~TUNE},
        {CAPABILITIES, "CAPABILITIES", VREG_NOWHERE, .reset = CAPABILITIES_VALUE},
        {FORCE_IRPT, "FORCE_IRPT", VREG_NOWHERE, .write = force},
        {KEPT, "KEPT", IN(kept), .writable = VREG_ALL},
        {SLOTISR_VER, "SLOTISR_VER", VREG_NOWHERE, .read = read_version},
};

static const struct vregs regs = {rows, ARRAY_SIZE(rows), begin, end};

static const struct mmio_ops ops = {
        .name = "BCM2835 EMMC",
        .read = vreg_read,
        .write = vreg_write,
};

// ---- its data port ----

// Blocks may be as small as a byte: after some of them the DMA controller counts what they cost, and comes again.
static void want_more(struct vsdhci *host, enum transfer transfer, unsigned left)
{
	if (host->transfer == transfer && left != 0)
		vbcm2835_dma_kick(host->vm, VBCM2835_DREQ_EMMC);
}

static unsigned dma_read(struct vm *vm, uint32_t *words, unsigned count)
{
	struct vsdhci *host = vm->raspi3->sdhci;
	unsigned done = 0, calls = 0;

	vsd_card_lock(host->card);
	for (; host->transfer == READING && done < count && calls < PORT_CALLS; calls++)
		done += take_words(host, words + done, count - done);
	want_more(host, READING, count - done);
	update_line(host);
	vsd_card_unlock(host->card);
	return done;
}

static unsigned dma_write(struct vm *vm, const uint32_t *words, unsigned count)
{
	struct vsdhci *host = vm->raspi3->sdhci;
	unsigned done = 0, calls = 0;

	vsd_card_lock(host->card);
	for (; host->transfer == WRITING && done < count && calls < PORT_CALLS; calls++)
		done += put_words(host, words + done, count - done);
	want_more(host, WRITING, count - done);
	update_line(host);
	vsd_card_unlock(host->card);
	return done;
}

static const struct vbcm2835_dma_port port = {
        .bus = VBCM2835_BUS_IO_BASE + (uint32_t)(RASPI3_EMMC_BASE - RASPI3_IO_BASE) + DATA,
        .dreq = VBCM2835_DREQ_EMMC,
        .read = dma_read,
        .write = dma_write,
};

// ---- its life ----

void vsdhci_reset(struct vm *vm)
{
	struct vsdhci *host = vm->raspi3->sdhci;

	vsd_card_lock(host->card);
	reset_registers(host);
	update_line(host);
	vsd_card_unlock(host->card);
}

int vsdhci_create(struct vm *vm)
{
	struct vsdhci *host = vm_alloc(vm, sizeof *host);

	if (host == NULL)
		return ERR_NO_MEMORY;
	host->regs = &regs;
	host->vm = vm;
	host->card = vm->raspi3->card;
	vm->raspi3->sdhci = host;
	vsd_card_connect(host->card, &host_ops, host);
	vbcm2835_dma_connect(vm, &port);
	return mmio_add(&vm->mmio, RASPI3_EMMC_BASE, SIZE, &ops, host);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vsdhci, transfer), VSTATE_FIELD(struct vsdhci, busy),
        VSTATE_FIELD(struct vsdhci, at),       VSTATE_FIELD(struct vsdhci, size),
        VSTATE_FIELD(struct vsdhci, line),     VSTATE_ARRAY(struct vsdhci, buffer),
};

const struct vstate vsdhci_state = {"bcm2835-emmc", fields, ARRAY_SIZE(fields), &regs};
