// SPDX-License-Identifier: Apache-2.0
// The mini UART, and the two registers of the block that it is part of. Owns its state under the lock that it
// shares with the PL011, since both are the VM's console; called by the MMIO map for the guest and through the
// VM's table of UARTs for the other end of the wire.
//
// As on QEMU's board it works whether or not the program has switched it on, and whatever its lines are used for.
// What is sent goes straight into the console, so its transmit FIFO looks empty until the console is full.
// Invariant: `room` and the line agree with FIFO and rings whenever the lock is free, but for `room` while it is
// false, which may be out of date by what the console took since: reading the status looks again.
// Source: BCM2835 ARM Peripherals, "Auxiliaries: UART1 & SPI1, SPI2", "Mini UART", with its errata: bit 0 of the
// interrupt enables is the receiver's, bit 1 the transmitter's.
#include "vdev/vbcm2835_aux.h"

#include "base/bits.h"
#include "vdev/raspi3.h"
#include "vdev/vreg.h"
#include "vdev/vuart_share.h"
#include "vm/vm.h"

#define FIFO_DEPTH 8

enum {
	AUX_IRQ = 0x00,
	AUX_ENABLES = 0x04,
	IO = 0x40,
	IER = 0x44,
	IIR = 0x48,
	LCR = 0x4c,
	MCR = 0x50,
	LSR = 0x54,
	MSR = 0x58,
	SCRATCH = 0x5c,
	CNTL = 0x60,
	STAT = 0x64,
	BAUD = 0x68,
	SIZE = 0x1000,
};

#define AUX_MINI_UART BIT_U32(0)
#define AUX_ALL       GENMASK_U32(2, 0)

#define IER_RX   BIT_U32(0)
#define IER_TX   BIT_U32(1)
#define IER_BITS GENMASK_U32(7, 0)

#define IIR_NONE     BIT_U32(0)
#define IIR_TX       BIT_U32(1) // "transmit holding register empty"
#define IIR_RX       BIT_U32(2)
#define IIR_FIFOS    GENMASK_U32(7, 6)
#define IIR_CLEAR_RX BIT_U32(1) // written

#define LCR_DLAB BIT_U32(7)
#define LCR_BITS (LCR_DLAB | BIT_U32(6) | GENMASK_U32(1, 0))
#define MCR_BITS BIT_U32(1)

#define LSR_READY   BIT_U32(0)
#define LSR_OVERRUN BIT_U32(1)
#define LSR_ROOM    BIT_U32(5)
#define LSR_IDLE    BIT_U32(6)
#define MSR_CTS     BIT_U32(4)

#define CNTL_RESET GENMASK_U32(1, 0) // receiver and transmitter on
#define CNTL_BITS  GENMASK_U32(7, 0)
#define BAUD_LOW   GENMASK_U32(7, 0)
#define BAUD_HIGH  GENMASK_U32(15, 8)
#define BAUD_BITS  GENMASK_U32(15, 0)
#define BYTE       GENMASK_U32(7, 0)

#define STAT_READY    BIT_U32(0)
#define STAT_ROOM     BIT_U32(1)
#define STAT_RX_IDLE  BIT_U32(2)
#define STAT_TX_IDLE  BIT_U32(3)
#define STAT_OVERRUN  BIT_U32(4)
#define STAT_TX_FULL  BIT_U32(5)
#define STAT_TX_EMPTY BIT_U32(8)
#define STAT_TX_DONE  BIT_U32(9)
#define STAT_RX_FILL  GENMASK_U32(19, 16)

struct vbcm2835_aux {
	// Fixed after start.
	const struct vregs *regs; // first
	struct vm *vm;
	struct vcons *con;
	struct vuart_share *share;

	// Under the share's lock.
	struct vuart_out out;
	uint32_t enables, ier, lcr, mcr, scratch, cntl, baud;
	uint32_t fifo_count, fifo_first;
	bool room; // for at least one byte
	bool overrun;
	bool line;
	uint8_t fifo[FIFO_DEPTH];
};

static bool wants_rx(const struct vbcm2835_aux *aux)
{
	return (aux->ier & IER_RX) != 0 && aux->fifo_count != 0;
}

static bool wants_tx(const struct vbcm2835_aux *aux)
{
	return (aux->ier & IER_TX) != 0 && aux->room;
}

static void update_line(struct vbcm2835_aux *aux)
{
	bool line = wants_rx(aux) || wants_tx(aux);

	if (line == aux->line)
		return;
	aux->line = line;
	virq_set(aux->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_AUX), line);
}

// ---- receiving ----

static bool hears(const struct vbcm2835_aux *aux)
{
	return aux->share->reader == NULL || aux->share->reader == aux;
}

static void receive(struct vbcm2835_aux *aux)
{
	bool any = false;
	uint8_t byte;

	while (aux->fifo_count < FIFO_DEPTH && hears(aux) && vcons_in_get(aux->con, &byte)) {
		aux->fifo[(aux->fifo_first + aux->fifo_count++) % FIFO_DEPTH] = byte;
		any = true;
	}
	if (any && vcons_in_tell(aux->con))
		vuart_tell(aux->con);
}

static uint32_t read_data(struct vbcm2835_aux *aux)
{
	if (aux->fifo_count == 0)
		return 0;
	uint32_t data = aux->fifo[aux->fifo_first];
	aux->fifo_first = (aux->fifo_first + 1) % FIFO_DEPTH;
	aux->fifo_count--;
	receive(aux);
	return data;
}

// ---- sending ----

static void look_for_room(struct vbcm2835_aux *aux)
{
	aux->room = vuart_out_look(&aux->out, FIFO_DEPTH) != 0;
}

// A driver that sends in spite of the status loses the byte, as on the chip.
static void write_data(struct vbcm2835_aux *aux, uint8_t byte)
{
	if (aux->share->reader != aux) { // who speaks is who listens
		aux->share->reader = aux;
		receive(aux);
	}
	enum vcons_put put = vcons_out_put(aux->con, byte, FIFO_DEPTH);
	if (put == VCONS_FULL) {
		look_for_room(aux);
		if (vcons_out_put(aux->con, byte, 0) == VCONS_FULL)
			fetch_add(&aux->con->lost, 1);
		look_for_room(aux);
	}
	if (put != VCONS_KEPT)
		vuart_tell(aux->con);
}

// ---- registers ----

static uint32_t read_irq(void *dev)
{
	const struct vbcm2835_aux *aux = dev;

	return aux->line ? AUX_MINI_UART : 0;
}

// Where the program has set LCR_DLAB, IO and IER are the baud rate.
static bool is_latch(const struct vbcm2835_aux *aux)
{
	return (aux->lcr & LCR_DLAB) != 0;
}

static uint32_t read_io(void *dev)
{
	struct vbcm2835_aux *aux = dev;

	return is_latch(aux) ? (uint32_t)field_get(BAUD_LOW, aux->baud) : read_data(aux);
}

static void write_io(void *dev, uint32_t value)
{
	struct vbcm2835_aux *aux = dev;

	if (is_latch(aux))
		aux->baud = (aux->baud & ~BAUD_LOW) | (value & BAUD_LOW);
	else
		write_data(aux, (uint8_t)value);
}

static uint32_t read_ier(void *dev)
{
	const struct vbcm2835_aux *aux = dev;

	return is_latch(aux) ? (uint32_t)field_get(BAUD_HIGH, aux->baud) : aux->ier;
}

static void write_ier(void *dev, uint32_t value)
{
	struct vbcm2835_aux *aux = dev;

	if (is_latch(aux))
		aux->baud = (aux->baud & BAUD_LOW) | (uint32_t)field_put(BAUD_HIGH, value & BYTE);
	else
		aux->ier = value & IER_BITS;
	receive(aux);
}

static uint32_t read_iir(void *dev)
{
	const struct vbcm2835_aux *aux = dev;

	if (wants_rx(aux))
		return IIR_FIFOS | IIR_RX;
	return IIR_FIFOS | (wants_tx(aux) ? IIR_TX : IIR_NONE);
}

static void write_iir(void *dev, uint32_t value)
{
	struct vbcm2835_aux *aux = dev;

	if ((value & IIR_CLEAR_RX) != 0)
		aux->fifo_count = 0;
	receive(aux);
}

static uint32_t read_lsr(void *dev)
{
	struct vbcm2835_aux *aux = dev;
	uint32_t value = aux->fifo_count != 0 ? LSR_READY : 0;

	if (!aux->room)
		look_for_room(aux);
	value |= aux->room ? LSR_ROOM | LSR_IDLE : 0;
	value |= aux->overrun ? LSR_OVERRUN : 0;
	aux->overrun = false;
	return value;
}

static uint32_t read_stat(void *dev)
{
	struct vbcm2835_aux *aux = dev;
	uint32_t value = (uint32_t)field_put(STAT_RX_FILL, aux->fifo_count) | STAT_RX_IDLE;

	if (!aux->room)
		look_for_room(aux);
	value |= aux->fifo_count != 0 ? STAT_READY : 0;
	value |= aux->overrun ? STAT_OVERRUN : 0;
	return value |
	       (aux->room ? STAT_ROOM | STAT_TX_IDLE | STAT_TX_EMPTY | STAT_TX_DONE : STAT_TX_FULL);
}

static void begin(void *dev)
{
	struct vbcm2835_aux *aux = dev;

	spin_lock(&aux->share->lock);
}

static void end(void *dev)
{
	struct vbcm2835_aux *aux = dev;

	update_line(aux);
	spin_unlock(&aux->share->lock);
}

#define IN(member) VREG_IN(struct vbcm2835_aux, member)

// Not here: the two SPI masters, which have nothing to talk to.
static const struct vreg rows[] = {
        {AUX_IRQ, "AUX_IRQ", VREG_NOWHERE, .read = read_irq},
        {AUX_ENABLES, "AUX_ENABLES", IN(enables), .writable = AUX_ALL},
        {IO, "AUX_MU_IO", VREG_NOWHERE, .read = read_io, .write = write_io},
        {IER, "AUX_MU_IER", IN(ier), .read = read_ier, .write = write_ier},
        {IIR, "AUX_MU_IIR", VREG_NOWHERE, .read = read_iir, .write = write_iir},
        {LCR, "AUX_MU_LCR", IN(lcr), .writable = LCR_BITS},
        {MCR, "AUX_MU_MCR", IN(mcr), .writable = MCR_BITS},
        {LSR, "AUX_MU_LSR", VREG_NOWHERE, .read = read_lsr},
        {MSR, "AUX_MU_MSR", VREG_NOWHERE, .reset = MSR_CTS},
        {SCRATCH, "AUX_MU_SCRATCH", IN(scratch), .writable = BYTE},
        {CNTL, "AUX_MU_CNTL", IN(cntl), .reset = CNTL_RESET, .writable = CNTL_BITS},
        {STAT, "AUX_MU_STAT", VREG_NOWHERE, .read = read_stat},
        {BAUD, "AUX_MU_BAUD", IN(baud), .writable = BAUD_BITS},
};

static const struct vregs regs = {rows, ARRAY_SIZE(rows), begin, end};

static const struct mmio_ops ops = {
        .name = "BCM2835 auxiliaries",
        .read = vreg_read,
        .write = vreg_write,
};

// ---- the other end ----

void vbcm2835_aux_input(struct vbcm2835_aux *aux)
{
	spin_lock(&aux->share->lock);
	receive(aux);
	update_line(aux);
	spin_unlock(&aux->share->lock);
}

void vbcm2835_aux_overrun(struct vbcm2835_aux *aux)
{
	spin_lock(&aux->share->lock);
	aux->overrun = aux->overrun || hears(aux);
	spin_unlock(&aux->share->lock);
}

void vbcm2835_aux_output_drained(struct vbcm2835_aux *aux)
{
	spin_lock(&aux->share->lock);
	look_for_room(aux);
	update_line(aux);
	spin_unlock(&aux->share->lock);
}

bool vbcm2835_aux_enabled(const struct vbcm2835_aux *aux)
{
	return (load_relaxed(&aux->enables) & AUX_MINI_UART) != 0;
}

void vbcm2835_aux_reset(struct vm *vm)
{
	struct vbcm2835_aux *aux = vm->raspi3->aux;

	spin_lock(&aux->share->lock);
	vreg_reset(&regs, aux);
	aux->fifo_count = aux->fifo_first = 0;
	aux->overrun = false;
	aux->room = true;
	aux->out.full_since = 0;
	aux->share->reader = NULL;
	update_line(aux);
	spin_unlock(&aux->share->lock);
}

int vbcm2835_aux_create(struct vm *vm)
{
	struct vbcm2835_aux *aux = vm_alloc(vm, sizeof *aux);

	if (aux == NULL)
		return ERR_NO_MEMORY;
	aux->regs = &regs;
	aux->vm = vm;
	aux->con = &vm->con;
	aux->share = &vm->raspi3->console;
	vuart_out_init(&aux->out, aux->con);
	vm->raspi3->aux = aux;
	return mmio_add(&vm->mmio, RASPI3_AUX_BASE, SIZE, &ops, aux);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2835_aux, fifo_count),
        VSTATE_FIELD(struct vbcm2835_aux, fifo_first),
        VSTATE_FIELD(struct vbcm2835_aux, room),
        VSTATE_FIELD(struct vbcm2835_aux, overrun),
        VSTATE_FIELD(struct vbcm2835_aux, line),
        VSTATE_ARRAY(struct vbcm2835_aux, fifo),
};

const struct vstate vbcm2835_aux_state = {"bcm2835-aux", fields, ARRAY_SIZE(fields), &regs};
