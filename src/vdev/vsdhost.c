// SPDX-License-Identifier: Apache-2.0
// SDHOST. Owns its registers and its FIFO of 16 words under the card's lock; called by the MMIO map, by the DMA
// controller, and by the card when it has worked.
// A command is over before the write that sends it is. A read fills the FIFO as it is emptied; what is written goes
// to the card at once, and waits in the FIFO only if no write was begun.
// Invariant, whenever the lock is free: the FIFO of a read is full or has all that is left; the line follows `status`.
// Source: there is no manual; Linux, drivers/mmc/host/bcm2835.c, for registers and what a driver goes by.
#include "vdev/vsdhost.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_dma.h"
#include "vdev/vbcm2835_gpio.h"
#include "vdev/vreg.h"
#include "vdev/vsd_card.h"
#include "vm/vm.h"

enum {
	SDCMD = 0x00,
	SDARG = 0x04,
	SDTOUT = 0x08,
	SDCDIV = 0x0c,
	SDRSP0 = 0x10, // four
	SDHSTS = 0x20,
	SDVDD = 0x30,
	SDEDM = 0x34,
	SDHCFG = 0x38,
	SDHBCT = 0x3c,
	SDDATA = 0x40,
	SDHBLC = 0x50,
	SIZE = 0x100,
};

#define CMD_INDEX       GENMASK_U32(5, 0)
#define CMD_READ        BIT_U32(6)
#define CMD_WRITE       BIT_U32(7)
#define CMD_LONG        BIT_U32(9)
#define CMD_NO_RESPONSE BIT_U32(10)
#define CMD_BUSY        BIT_U32(11)
#define CMD_FAILED      BIT_U32(14)
#define CMD_NEW         BIT_U32(15)
#define CMD_KEPT        GENMASK_U32(15, 0)

#define STS_DATA         BIT_U32(0) // follows the FIFO
#define STS_FIFO_ERROR   BIT_U32(3)
#define STS_CRC16        BIT_U32(5)
#define STS_CMD_TIMEOUT  BIT_U32(6)
#define STS_DATA_TIMEOUT BIT_U32(7)
#define STS_BLOCK        BIT_U32(9)
#define STS_BUSY         BIT_U32(10)
#define STS_CLEARED      GENMASK_U32(10, 3) // by writing ones
#define STS_INTERRUPTS   (STS_BLOCK | STS_BUSY)
#define STS_DATA_ERRORS  (STS_CRC16 | STS_DATA_TIMEOUT)

#define CFG_DATA_ENABLE  BIT_U32(4)
#define CFG_BLOCK_ENABLE BIT_U32(8)
#define CFG_BUSY_ENABLE  BIT_U32(10)
#define CFG_KEPT         GENMASK_U32(10, 0)

// The state machine of the data lines, and how many words the FIFO has; the rest is kept.
#define EDM_STATE      GENMASK_U32(3, 0)
#define EDM_LEVEL      GENMASK_U32(8, 4)
#define EDM_FORCE_DATA BIT_U32(19) // back to DATA_MODE
#define EDM_KEPT       (GENMASK_U32(18, 9) | GENMASK_U32(21, 20))
#define EDM_RESET      0xc600 // thresholds of 3
enum { DATA_MODE = 1, READ_DATA = 2, WRITE_DATA = 3 };

#define CDIV_KEPT  GENMASK_U32(10, 0)
#define POWER_KEPT BIT_U32(0)
#define FIFO_WORDS 16
#define STOP       12

enum transfer { NONE, READING, WRITING };

struct vsdhost {
	// Fixed after start.
	const struct vregs *regs; // first
	struct vm *vm;
	struct vsd_card *card;

	// Under the card's lock.
	uint32_t command, argument, timeout, divider, response[4];
	uint32_t status; // without STS_DATA
	uint32_t power, edm, config, block_bytes, blocks;
	uint32_t fifo[FIFO_WORDS];
	uint32_t first, count; // of the FIFO's words
	uint32_t transfer;     // enum transfer
	uint64_t left;         // bytes between card and FIFO
	bool line;
};

static bool has_card(const struct vsdhost *host)
{
	return vsd_card_present(host->card) && vbcm2835_gpio_card(host->vm) == VBCM2835_CARD_SDHOST;
}

// Data to read, or room for data; and a driver that waits for it is to see that none will come.
static bool data_flag(const struct vsdhost *host)
{
	return host->count != 0 || host->transfer == WRITING ||
	       (host->status & STS_DATA_ERRORS) != 0;
}

static void update_line(struct vsdhost *host)
{
	bool line = (host->status & STS_INTERRUPTS) != 0 ||
	            ((host->config & CFG_DATA_ENABLE) != 0 && data_flag(host));

	if (line == host->line)
		return;
	host->line = line;
	virq_set(host->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_SDHOST), line);
}

// ---- the data lines ----

static void end_transfer(struct vsdhost *host, uint32_t error)
{
	host->transfer = NONE;
	host->left = 0;
	host->status |= error;
}

static void push(struct vsdhost *host, uint32_t word)
{
	host->fifo[(host->first + host->count++) % FIFO_WORDS] = word;
}

static uint32_t pop(struct vsdhost *host)
{
	uint32_t word = host->fifo[host->first];

	host->first = (host->first + 1) % FIFO_WORDS;
	host->count--;
	return word;
}

// Words of a read from the card, as many as there are; how many.
static unsigned get(struct vsdhost *host, uint32_t *words, unsigned count)
{
	size_t room = count * sizeof *words, size = host->left < room ? (size_t)host->left : room;
	unsigned n = (unsigned)((size + 3) / 4);

	if (n != 0)
		words[n - 1] = 0; // if it is not whole
	size_t got = has_card(host) ? vsd_card_read(host->card, words, size) : 0;
	host->left -= got;
	if (got != size)
		end_transfer(host, STS_DATA_TIMEOUT);
	else if (host->left == 0)
		end_transfer(host, 0);
	return (unsigned)((got + 3) / 4);
}

// As much of a read as the FIFO takes.
static void fill(struct vsdhost *host)
{
	uint32_t words[FIFO_WORDS];

	if (host->transfer != READING)
		return;
	unsigned n = get(host, words, FIFO_WORDS - host->count);
	for (unsigned i = 0; i < n; i++)
		push(host, words[i]);
}

static uint64_t blocks_left(const struct vsdhost *host)
{
	return host->block_bytes == 0 ? 0
	                              : (host->left + host->block_bytes - 1) / host->block_bytes;
}

// Words of a write to the card, as many as it wants; how many.
static unsigned put(struct vsdhost *host, const uint32_t *words, unsigned count)
{
	size_t room = count * sizeof *words, size = host->left < room ? (size_t)host->left : room;
	uint64_t before = blocks_left(host);
	bool here = has_card(host);
	size_t taken = here ? vsd_card_write(host->card, words, size) : 0;

	host->left -= taken;
	if ((taken != size || blocks_left(host) != before) &&
	    (host->config & CFG_BLOCK_ENABLE) != 0)
		host->status |= STS_BLOCK;
	if (taken != size)
		end_transfer(host, here ? STS_CRC16 : STS_DATA_TIMEOUT);
	else if (host->left == 0)
		end_transfer(host, 0);
	return (unsigned)((size + 3) / 4);
}

static uint32_t read_data(void *dev)
{
	struct vsdhost *host = dev;

	if (host->count == 0) {
		host->status |= STS_FIFO_ERROR;
		return 0;
	}
	uint32_t word = pop(host);
	fill(host);
	return word;
}

static void write_data(void *dev, uint32_t word)
{
	struct vsdhost *host = dev;

	if (host->transfer == WRITING)
		(void)put(host, &word, 1);
	else if (host->transfer == NONE && host->count < FIFO_WORDS)
		push(host, word);
	else
		host->status |= STS_FIFO_ERROR;
}

static void begin_transfer(struct vsdhost *host)
{
	host->left = (uint64_t)host->block_bytes * (host->blocks != 0 ? host->blocks : 1);
	if (host->left == 0)
		return;
	host->transfer = (host->command & CMD_READ) != 0 ? READING : WRITING;
	if (host->transfer == READING)
		host->count = 0;
	fill(host);
	while (host->transfer == WRITING && host->count != 0)
		write_data(host, pop(host));
	vbcm2835_dma_kick(host->vm, VBCM2835_DREQ_SDHOST);
}

// ---- commands ----

static void end_busy(struct vsdhost *host)
{
	if (has_card(host) && vsd_card_busy(host->card))
		return; // CMD_NEW stays
	host->command &= ~CMD_NEW;
	host->status |= (host->config & CFG_BUSY_ENABLE) != 0 ? STS_BUSY : 0;
}

// False: there was none, or another one than was asked for.
static bool take_response(struct vsdhost *host, enum vsd_answer kind, const uint32_t word[4])
{
	bool wants_long = (host->command & CMD_LONG) != 0;

	if ((host->command & CMD_NO_RESPONSE) != 0)
		return true;
	if (kind == VSD_SILENCE || (kind == VSD_LONG) != wants_long)
		return false;
	for (unsigned i = 0; i < 4; i++)
		host->response[i] = i == 0 || wants_long ? word[i] : 0;
	return true;
}

static void run_command(struct vsdhost *host)
{
	uint32_t word[4] = {0}, index = host->command & CMD_INDEX;
	bool with_data = (host->command & (CMD_READ | CMD_WRITE)) != 0;
	enum vsd_answer kind = VSD_SILENCE;

	if (index == STOP || with_data)
		end_transfer(host, 0);
	if (index == STOP)
		host->count = 0;
	if (has_card(host))
		kind = vsd_card_command(host->card, index, host->argument, word);
	if (!take_response(host, kind, word)) {
		host->command = (host->command & ~CMD_NEW) | CMD_FAILED;
		host->status |= STS_CMD_TIMEOUT;
		return;
	}
	if ((host->command & CMD_BUSY) != 0)
		end_busy(host);
	else
		host->command &= ~CMD_NEW;
	if (with_data)
		begin_transfer(host);
}

static void ready(void *dev)
{
	struct vsdhost *host = dev;

	if ((host->command & CMD_NEW) != 0)
		end_busy(host);
	update_line(host);
}

static const struct vsd_host_ops host_ops = {.ready = ready};

// ---- registers ----

static uint32_t read_edm(void *dev)
{
	const struct vsdhost *host = dev;
	uint32_t state = host->transfer == WRITING                       ? WRITE_DATA
	                 : host->transfer == READING || host->count != 0 ? READ_DATA
	                                                                 : DATA_MODE;

	return host->edm | state | (uint32_t)field_put(EDM_LEVEL, host->count);
}

static uint32_t read_status(void *dev)
{
	const struct vsdhost *host = dev;

	return host->status | (data_flag(host) ? STS_DATA : 0);
}

static void write_command(void *dev, uint32_t value)
{
	struct vsdhost *host = dev;

	if ((host->command & CMD_NEW) != 0)
		return; // the one before is not over
	host->command = value & CMD_KEPT & ~CMD_FAILED;
	if ((value & CMD_NEW) != 0)
		run_command(host);
}

static void write_edm(void *dev, uint32_t value)
{
	struct vsdhost *host = dev;

	host->edm = value & EDM_KEPT;
	if ((value & EDM_FORCE_DATA) == 0)
		return;
	end_transfer(host, 0);
	host->count = 0;
}

static void write_block_bytes(void *dev, uint32_t value)
{
	struct vsdhost *host = dev;

	if (host->transfer == NONE)
		host->block_bytes = value;
}

static void begin(void *dev)
{
	struct vsdhost *host = dev;

	vsd_card_lock(host->card);
}

static void end(void *dev)
{
	struct vsdhost *host = dev;

	update_line(host);
	vsd_card_unlock(host->card);
}

#define IN(member) VREG_IN(struct vsdhost, member)

static const struct vreg rows[] = {
        {SDCMD, "SDCMD", IN(command), .write = write_command},
        {SDARG, "SDARG", IN(argument), .writable = VREG_ALL},
        {SDTOUT, "SDTOUT", IN(timeout), .writable = VREG_ALL},
        {SDCDIV, "SDCDIV", IN(divider), .writable = CDIV_KEPT},
        {SDRSP0, "SDRSP", IN(response), .writable = 0},
        {SDHSTS, "SDHSTS", IN(status), .clears = STS_CLEARED, .read = read_status},
        {SDVDD, "SDVDD", IN(power), .writable = POWER_KEPT},
        {SDEDM, "SDEDM", IN(edm), .reset = EDM_RESET, .read = read_edm, .write = write_edm},
        {SDHCFG, "SDHCFG", IN(config), .writable = CFG_KEPT},
        {SDHBCT, "SDHBCT", IN(block_bytes), .write = write_block_bytes},
        {SDDATA, "SDDATA", VREG_NOWHERE, .read = read_data, .write = write_data},
        {SDHBLC, "SDHBLC", IN(blocks), .writable = VREG_ALL},
};

static const struct vregs regs = {rows, ARRAY_SIZE(rows), begin, end};

static const struct mmio_ops ops = {
        .name = "BCM2835 SDHOST",
        .read = vreg_read,
        .write = vreg_write,
};

// ---- its data port ----

// Past the FIFO, which only has the first words: a piece of a transfer has many.
static unsigned dma_read(struct vm *vm, uint32_t *words, unsigned count)
{
	struct vsdhost *host = vm->raspi3->sdhost;
	unsigned done = 0;

	vsd_card_lock(host->card);
	while (host->transfer != WRITING && host->count != 0 && done < count)
		words[done++] = pop(host);
	if (host->transfer == READING && done < count)
		done += get(host, words + done, count - done);
	fill(host);
	update_line(host);
	vsd_card_unlock(host->card);
	return done;
}

static unsigned dma_write(struct vm *vm, const uint32_t *words, unsigned count)
{
	struct vsdhost *host = vm->raspi3->sdhost;

	vsd_card_lock(host->card);
	unsigned done = host->transfer == WRITING ? put(host, words, count) : 0;
	update_line(host);
	vsd_card_unlock(host->card);
	return done;
}

static const struct vbcm2835_dma_port port = {
        .bus = VBCM2835_BUS_IO_BASE + (uint32_t)(RASPI3_SDHOST_BASE - RASPI3_IO_BASE) + SDDATA,
        .dreq = VBCM2835_DREQ_SDHOST,
        .read = dma_read,
        .write = dma_write,
};

// ---- its life ----

void vsdhost_reset(struct vm *vm)
{
	struct vsdhost *host = vm->raspi3->sdhost;

	vsd_card_lock(host->card);
	vreg_reset(&regs, host);
	end_transfer(host, 0);
	host->first = host->count = 0;
	memset(host->fifo, 0, sizeof host->fifo);
	update_line(host);
	vsd_card_unlock(host->card);
}

int vsdhost_create(struct vm *vm)
{
	struct vsdhost *host = vm_alloc(vm, sizeof *host);

	if (host == NULL)
		return ERR_NO_MEMORY;
	host->regs = &regs;
	host->vm = vm;
	host->card = vm->raspi3->card;
	vm->raspi3->sdhost = host;
	vsd_card_connect(host->card, &host_ops, host);
	vbcm2835_dma_connect(vm, &port);
	return mmio_add(&vm->mmio, RASPI3_SDHOST_BASE, SIZE, &ops, host);
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vsdhost, fifo),  VSTATE_FIELD(struct vsdhost, first),
        VSTATE_FIELD(struct vsdhost, count), VSTATE_FIELD(struct vsdhost, transfer),
        VSTATE_FIELD(struct vsdhost, left),  VSTATE_FIELD(struct vsdhost, line),
};

const struct vstate vsdhost_state = {"bcm2835-sdhost", fields, ARRAY_SIZE(fields), &regs};
