// SPDX-License-Identifier: Apache-2.0
// The PL011 that a guest sees. Owns the chip's state under its lock; called by the MMIO map for the
// guest and by console/ for the other end of the wire.
//
// What a guest sends goes straight into the VM's output ring, so the transmit FIFO looks empty until
// that ring is full. Typed bytes wait in the VM's input ring, "on the line", and move up into the
// receive FIFO when there is room. As on QEMU's board, both directions work even if the program never
// enables the chip.
//
// Invariant: fr, ris and the line agree with FIFO and rings whenever the lock is free, but for
// FR.TXFF, which may be out of date by what the console took since: reading it looks again.
// Source: Arm PrimeCell UART (PL011) Technical Reference Manual r1p5, "Programmers Model" and
// "Interrupts"; the reset values and identification are those read on QEMU's board virt.
#include "vdev/vpl011.h"

#include "base/bits.h"
#include "base/string.h"
#include "hw/pl011_regs.h"
#include "vdev/vuart_share.h"
#include "vm/vm.h"

#define FIFO_DEPTH 16 // revision 1 of the identification says so to drivers

#define FR_RESET   (PL011_FR_TXFE | PL011_FR_RXFE)
#define CR_RESET   (PL011_CR_TXE | PL011_CR_RXE)
#define IFLS_RESET 0x12 // half full, both

#define CR_WRITABLE (GENMASK_U32(15, 7) | GENMASK_U32(2, 0))

// NOINLINE: kept out of the paths of a status read and of a character, so that these save no registers.

struct vpl011 {
	// Fixed after start.
	struct vm *vm;
	struct vcons *con;
	uint32_t intid;
	struct spinlock *lock;     // its own, or that of the UARTs it shares the console with
	struct vuart_share *share; // NULL: it has the console to itself
	struct spinlock own_lock;

	// Under the lock. fr is also read without it.
	struct vuart_out out;
	bool detached; // its pins lead elsewhere: nobody hears it
	uint32_t fr, ris, imsc, rsr;
	uint32_t ilpr, ibrd, fbrd, lcr_h, cr, ifls, dmacr;
	uint32_t fifo_count, fifo_first; // receive FIFO
	uint32_t rx_trigger;             // bytes in it that raise INT_RX
	bool overrun;                    // the next received byte carries OE
	bool line;                       // as last told to the interrupt controller
	uint16_t fifo[FIFO_DEPTH];       // data and error bits as in DR
};

// What a write of a plain register has to bring along.
enum effect { NONE, FIFOS, TRIGGER, CONTROL, LINE };

// Plain registers: what is written is kept, as far as the bits exist. The others are in the two
// functions below.
static const struct reg {
	uint16_t offset; // in the chip
	uint16_t field;  // in struct vpl011
	uint32_t writable;
	enum effect effect;
} regs[] = {
        {PL011_IMSC, offsetof(struct vpl011, imsc), PL011_INT_ALL, LINE},
        {PL011_CR, offsetof(struct vpl011, cr), CR_WRITABLE, CONTROL},
        {PL011_LCR_H, offsetof(struct vpl011, lcr_h), GENMASK_U32(7, 0), FIFOS},
        {PL011_IFLS, offsetof(struct vpl011, ifls), PL011_IFLS_RX | PL011_IFLS_TX, TRIGGER},
        {PL011_IBRD, offsetof(struct vpl011, ibrd), GENMASK_U32(15, 0), NONE},
        {PL011_FBRD, offsetof(struct vpl011, fbrd), GENMASK_U32(5, 0), NONE},
        {PL011_ILPR, offsetof(struct vpl011, ilpr), GENMASK_U32(7, 0), NONE},
        {PL011_DMACR, offsetof(struct vpl011, dmacr), GENMASK_U32(2, 0), NONE}, // there is no DMA
};

static const uint8_t identification[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static void update_line(struct vpl011 *uart)
{
	bool line = (uart->ris & uart->imsc) != 0;

	if (line != uart->line) {
		uart->line = line;
		virq_set(uart->vm, NULL, uart->intid, line);
	}
}

// ---- receiving ----

static uint32_t fifo_depth(const struct vpl011 *uart)
{
	return (uart->lcr_h & PL011_LCR_FEN) != 0 ? FIFO_DEPTH : 1;
}

static void set_trigger(struct vpl011 *uart)
{
	static const uint8_t levels[] = {FIFO_DEPTH / 8, FIFO_DEPTH / 4, FIFO_DEPTH / 2,
	                                 FIFO_DEPTH * 3 / 4, FIFO_DEPTH * 7 / 8};
	uint64_t level = field_get(PL011_IFLS_RX, uart->ifls);

	if (level >= ARRAY_SIZE(levels))
		level = ARRAY_SIZE(levels) - 1; // reserved encodings
	uart->rx_trigger = (uart->lcr_h & PL011_LCR_FEN) != 0 ? levels[level] : 1;
}

// After the FIFO has become emptier: the interrupts that say otherwise end.
static void fifo_shrunk(struct vpl011 *uart)
{
	uart->fr &= ~PL011_FR_RXFF;
	if (uart->fifo_count < uart->rx_trigger)
		uart->ris &= ~PL011_INT_RX;
	if (uart->fifo_count == 0) {
		uart->fr |= PL011_FR_RXFE;
		uart->ris &= ~PL011_INT_RT;
	}
}

// There is room. INT_RX comes when the level is reached.
static void fifo_push(struct vpl011 *uart, uint32_t data)
{
	if (uart->overrun) {
		uart->overrun = false;
		data |= PL011_DR_OE;
	}
	uart->fifo[(uart->fifo_first + uart->fifo_count) % FIFO_DEPTH] = (uint16_t)data;
	uart->fifo_count++;
	uart->fr &= ~PL011_FR_RXFE;
	if (uart->fifo_count == fifo_depth(uart))
		uart->fr |= PL011_FR_RXFF;
	if (uart->fifo_count >= uart->rx_trigger)
		uart->ris |= PL011_INT_RX;
}

static uint32_t fifo_pop(struct vpl011 *uart)
{
	if (uart->fifo_count == 0)
		return 0;
	uint32_t data = uart->fifo[uart->fifo_first];
	uart->fifo_first = (uart->fifo_first + 1) % FIFO_DEPTH;
	uart->fifo_count--;
	fifo_shrunk(uart);
	return data;
}

// Whether typed bytes are for this UART. Where two share a console and none has sent anything yet, those of the
// other are asked first, and it takes them if it is in use.
static bool hears(const struct vpl011 *uart)
{
	return !uart->detached &&
	       (uart->share == NULL || uart->share->reader == NULL || uart->share->reader == uart);
}

// Lets what is on the line move up. Then the line is silent, or the FIFO full: bytes in the FIFO are
// announced by the timeout interrupt without waiting for 32 bit times of a speed that does not exist.
static void receive(struct vpl011 *uart)
{
	uint32_t depth = fifo_depth(uart);
	bool any = false;
	uint8_t byte;

	while (uart->fifo_count < depth && hears(uart) && vcons_in_get(uart->con, &byte)) {
		fifo_push(uart, byte);
		any = true;
	}
	if (any && depth > 1)
		uart->ris |= PL011_INT_RT;
	if (any && vcons_in_tell(uart->con))
		vuart_tell(uart->con);
}

static void lose_received(struct vpl011 *uart)
{
	uart->overrun = true;
	uart->rsr |= PL011_RSR_OE;
	uart->ris |= PL011_INT_OE;
}

static uint32_t read_data(struct vpl011 *uart)
{
	uint32_t data = fifo_pop(uart);

	// The other errors are those of the byte last read; an overrun stays until it is cleared.
	uart->rsr = (uart->rsr & PL011_RSR_OE) | (uint32_t)field_get(PL011_DR_ERROR, data);
	receive(uart);
	return data;
}

// ---- sending ----

static void show_room(struct vpl011 *uart)
{
	uart->fr = (uart->fr & ~(PL011_FR_TXFF | PL011_FR_BUSY)) | PL011_FR_TXFE;
}

static void show_full(struct vpl011 *uart)
{
	uart->fr = (uart->fr & ~PL011_FR_TXFE) | PL011_FR_TXFF | PL011_FR_BUSY;
}

// INT_TX promises the driver half a FIFO of room; without that it waits until the console comes.
static void look_for_room(struct vpl011 *uart)
{
	uint32_t room = vuart_out_look(&uart->out, FIFO_DEPTH);

	if (room >= FIFO_DEPTH)
		uart->ris |= PL011_INT_TX;
	else
		uart->ris &= ~PL011_INT_TX;
	if (room != 0)
		show_room(uart);
	else
		show_full(uart);
}

// Little room is left, or none. A driver that sends in spite of TXFF loses the byte, as on the chip.
static NOINLINE void send_slowly(struct vpl011 *uart, uint8_t byte)
{
	if (vcons_out_room(uart->con) == 0)
		look_for_room(uart);
	if (vcons_out_put(uart->con, byte, 0) == VCONS_FULL)
		fetch_add(&uart->con->lost, 1);
	look_for_room(uart);
	vuart_tell(uart->con);
}

static NOINLINE void send_back(struct vpl011 *uart, uint8_t byte)
{
	if (uart->fifo_count < fifo_depth(uart)) {
		fifo_push(uart, byte);
		if (fifo_depth(uart) > 1)
			uart->ris |= PL011_INT_RT;
	} else {
		lose_received(uart);
	}
	uart->ris |= PL011_INT_TX;
}

// Who speaks is who listens. False: nobody hears it.
static NOINLINE bool take_console(struct vpl011 *uart)
{
	if (uart->detached)
		return false;
	if (uart->share->reader != uart) {
		uart->share->reader = uart;
		receive(uart);
	}
	return true;
}

static void write_data(struct vpl011 *uart, uint8_t byte)
{
	if (UNLIKELY((uart->cr & PL011_CR_LBE) != 0)) {
		send_back(uart, byte);
		return;
	}
	if (UNLIKELY(uart->share != NULL) && !take_console(uart)) {
		uart->ris |= PL011_INT_TX;
		return;
	}
	switch (vcons_out_put(uart->con, byte, FIFO_DEPTH)) {
	case VCONS_FULL: send_slowly(uart, byte); return;
	case VCONS_TELL: vuart_tell(uart->con); break;
	case VCONS_KEPT: break;
	}
	uart->ris |= PL011_INT_TX;
}

// ---- registers ----

// Looped back, the modem's inputs are the chip's outputs; else nothing is connected.
static void update_modem(struct vpl011 *uart)
{
	static const struct {
		uint32_t out, in, interrupt;
	} wires[] = {
	        {PL011_CR_RTS, PL011_FR_CTS, PL011_INT_CTS},
	        {PL011_CR_DTR, PL011_FR_DSR, PL011_INT_DSR},
	        {PL011_CR_OUT1, PL011_FR_DCD, PL011_INT_DCD},
	        {PL011_CR_OUT2, PL011_FR_RI, PL011_INT_RI},
	};

	for (size_t i = 0; i < ARRAY_SIZE(wires); i++) {
		bool on = (uart->cr & PL011_CR_LBE) != 0 && (uart->cr & wires[i].out) != 0;
		if (on != ((uart->fr & wires[i].in) != 0)) {
			uart->fr ^= wires[i].in;
			uart->ris |= wires[i].interrupt;
		}
	}
}

static const struct reg *find_reg(uint32_t offset)
{
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		if (regs[i].offset == offset)
			return &regs[i];
	return NULL;
}

static uint32_t *reg_field(struct vpl011 *uart, const struct reg *reg)
{
	return (uint32_t *)(void *)((char *)uart + reg->field);
}

static void write_plain(struct vpl011 *uart, const struct reg *reg, uint32_t value)
{
	uint32_t *field = reg_field(uart, reg);
	uint32_t changed = *field ^ (value & reg->writable);

	*field = value & reg->writable;
	switch (reg->effect) {
	case FIFOS:
		if ((changed & PL011_LCR_FEN) != 0) { // switching the FIFOs empties them
			uart->fifo_count = 0;
			fifo_shrunk(uart);
		}
		set_trigger(uart);
		receive(uart);
		break;
	case TRIGGER:
		set_trigger(uart);
		if (uart->fifo_count >= uart->rx_trigger)
			uart->ris |= PL011_INT_RX;
		else
			uart->ris &= ~PL011_INT_RX;
		break;
	case CONTROL: update_modem(uart); break;
	case LINE:
	case NONE: break;
	}
}

static uint32_t read_locked(struct vpl011 *uart, uint32_t offset)
{
	const struct reg *reg;

	switch (offset) {
	case PL011_DR: return read_data(uart);
	case PL011_RSR: return uart->rsr;
	case PL011_FR: look_for_room(uart); return uart->fr;
	case PL011_RIS: return uart->ris;
	case PL011_MIS: return uart->ris & uart->imsc;
	}
	if (offset >= PL011_PERIPH_ID0)
		return identification[(offset - PL011_PERIPH_ID0) / 4];
	reg = find_reg(offset);
	// ICR is write-only; the rest, among it the registers for the factory's tests, does nothing.
	return reg != NULL ? *reg_field(uart, reg) : 0;
}

// Any register but DR.
static NOINLINE void write_locked(struct vpl011 *uart, uint32_t offset, uint32_t value)
{
	const struct reg *reg;

	switch (offset) {
	case PL011_RSR: uart->rsr = 0; return;
	case PL011_ICR: uart->ris &= ~value; return;
	}
	reg = find_reg(offset);
	if (reg != NULL)
		write_plain(uart, reg, value);
}

// The chip sits on a 32-bit bus and answers at every byte of a register: a narrow read gets its part,
// a narrow write works at the register's first byte and is ignored elsewhere.
static NOINLINE bool read_any(struct vpl011 *uart, uint32_t offset, unsigned size, uint64_t *value)
{
	if (size > 4 || offset % size != 0)
		return false;
	spin_lock(uart->lock);
	uint32_t result = read_locked(uart, offset & ~UINT32_C(3));
	update_line(uart);
	spin_unlock(uart->lock);
	*value = (result >> (offset % 4 * 8)) & GENMASK_U64(size * 8 - 1, 0);
	return true;
}

// The status register, which programs read in a loop, takes no lock while it needs no second look.
static uint64_t vpl011_quick_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset,
                                  unsigned size)
{
	const struct vpl011 *uart = dev;
	uint32_t fr = load_relaxed(&uart->fr);

	if (UNLIKELY(offset != PL011_FR || (fr & PL011_FR_TXFF) != 0 || size > 4))
		return MMIO_ASK;
	return size == 1 ? (uint8_t)fr : fr;
}

static bool vpl011_read(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size,
                        uint64_t *value)
{
	*value = vpl011_quick_read(dev, vcpu, offset, size);
	return *value != MMIO_ASK || read_any(dev, offset, size, value);
}

static bool vpl011_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                         uint64_t value)
{
	struct vpl011 *uart = dev;

	if (UNLIKELY(size > 4))
		return false;
	if (UNLIKELY(offset % 4 != 0))
		return offset % size == 0;
	spin_lock(uart->lock);
	if (LIKELY(offset == PL011_DR))
		write_data(uart, (uint8_t)value);
	else
		write_locked(uart, offset, (uint32_t)(value & GENMASK_U64(size * 8 - 1, 0)));
	update_line(uart);
	spin_unlock(uart->lock);
	return true;
}

// ---- a character, by itself ----
//
// Whatever is not as usual is left to another function as the last thing that is done, with the lock, so that the
// usual way saves no registers.

static NOINLINE bool finish(struct vpl011 *uart)
{
	update_line(uart);
	spin_unlock(uart->lock);
	return true;
}

static NOINLINE bool send_and_finish(struct vpl011 *uart, uint8_t byte)
{
	write_data(uart, byte);
	return finish(uart);
}

static NOINLINE bool send_slowly_and_finish(struct vpl011 *uart, uint8_t byte)
{
	send_slowly(uart, byte);
	return finish(uart);
}

static NOINLINE bool tell_and_finish(struct vpl011 *uart)
{
	vuart_tell(uart->con);
	uart->ris |= PL011_INT_TX;
	return finish(uart);
}

static bool vpl011_quick_write(void *dev, struct vcpu *vcpu, uint32_t offset, unsigned size,
                               uint64_t value)
{
	struct vpl011 *uart = dev;

	if (UNLIKELY(offset != PL011_DR || size > 4) || UNLIKELY(!spin_trylock(uart->lock)))
		return vpl011_write(dev, vcpu, offset, size, value);
	if (UNLIKELY((uart->cr & PL011_CR_LBE) != 0 || uart->share != NULL))
		return send_and_finish(uart, (uint8_t)value);
	enum vcons_put put = vcons_out_put(uart->con, (uint8_t)value, FIFO_DEPTH);
	if (UNLIKELY(put == VCONS_FULL))
		return send_slowly_and_finish(uart, (uint8_t)value);
	if (UNLIKELY(put == VCONS_TELL))
		return tell_and_finish(uart);
	uart->ris |= PL011_INT_TX;
	if (UNLIKELY(uart->line != ((uart->ris & uart->imsc) != 0)))
		return finish(uart);
	spin_unlock(uart->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "PL011",
        .read = vpl011_read,
        .write = vpl011_write,
        .quick_read = vpl011_quick_read,
        .quick_write = vpl011_quick_write,
};

// ---- the other end ----

void vpl011_input(struct vpl011 *uart)
{
	spin_lock(uart->lock);
	receive(uart);
	update_line(uart);
	spin_unlock(uart->lock);
}

void vpl011_overrun(struct vpl011 *uart)
{
	spin_lock(uart->lock);
	if (hears(uart))
		lose_received(uart);
	update_line(uart);
	spin_unlock(uart->lock);
}

void vpl011_output_drained(struct vpl011 *uart)
{
	spin_lock(uart->lock);
	look_for_room(uart);
	update_line(uart);
	spin_unlock(uart->lock);
}

void vpl011_pins_moved(struct vpl011 *uart)
{
	spin_lock(uart->lock);
	uart->detached = load_relaxed(&uart->share->elsewhere) != 0;
	if (uart->detached && uart->share->reader == uart)
		uart->share->reader = NULL;
	spin_unlock(uart->lock);
}

static void input(struct vm *vm)
{
	vpl011_input(vm->uart);
}

static void overrun(struct vm *vm)
{
	vpl011_overrun(vm->uart);
}

static void output_drained(struct vm *vm)
{
	vpl011_output_drained(vm->uart);
}

static const struct vuart_ops uart_ops = {
        .input = input,
        .overrun = overrun,
        .output_drained = output_drained,
};

void vpl011_reset(struct vpl011 *uart)
{
	uint8_t byte;

	spin_lock(uart->lock);
	for (unsigned i = 0; i < VCONS_IN_SIZE && vcons_in_get(uart->con, &byte); i++)
		;
	uart->fr = FR_RESET;
	uart->cr = CR_RESET;
	uart->ifls = IFLS_RESET;
	uart->ris = uart->imsc = uart->rsr = 0;
	uart->ilpr = uart->ibrd = uart->fbrd = uart->lcr_h = uart->dmacr = 0;
	uart->fifo_count = uart->fifo_first = 0;
	uart->out.full_since = 0;
	uart->detached = false;
	uart->overrun = false;
	set_trigger(uart);
	update_line(uart);
	spin_unlock(uart->lock);
}

int vpl011_create_at(struct vm *vm, const struct vpl011_place *place)
{
	struct vpl011 *uart = vm_alloc(vm, sizeof *uart);

	if (uart == NULL)
		return ERR_NO_MEMORY;
	uart->vm = vm;
	uart->con = &vm->con;
	uart->intid = place->intid;
	uart->share = place->share;
	uart->own_lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	uart->lock = place->share != NULL ? &place->share->lock : &uart->own_lock;
	vuart_out_init(&uart->out, uart->con);
	vpl011_reset(uart);
	vm->uart = uart;
	return mmio_add(&vm->mmio, place->base, VPL011_SIZE, &ops, uart);
}

void vpl011_share(struct vpl011 *uart, struct vuart_share *share)
{
	uart->share = share;
	uart->lock = &share->lock;
}

int vpl011_create(struct vm *vm)
{
	static const struct vpl011_place place = {VPL011_BASE, VPL011_INTID, NULL};
	uint8_t *output = vm_alloc(vm, VCONS_OUT_BYTES);

	if (output == NULL)
		return ERR_NO_MEMORY;
	vcons_init(&vm->con, vm->id, output);
	vm->uart_ops = &uart_ops;
	return vpl011_create_at(vm, &place);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vpl011, fr),         VSTATE_FIELD(struct vpl011, ris),
        VSTATE_FIELD(struct vpl011, imsc),       VSTATE_FIELD(struct vpl011, rsr),
        VSTATE_FIELD(struct vpl011, ilpr),       VSTATE_FIELD(struct vpl011, ibrd),
        VSTATE_FIELD(struct vpl011, fbrd),       VSTATE_FIELD(struct vpl011, lcr_h),
        VSTATE_FIELD(struct vpl011, cr),         VSTATE_FIELD(struct vpl011, ifls),
        VSTATE_FIELD(struct vpl011, dmacr),      VSTATE_FIELD(struct vpl011, fifo_count),
        VSTATE_FIELD(struct vpl011, fifo_first), VSTATE_FIELD(struct vpl011, rx_trigger),
        VSTATE_FIELD(struct vpl011, overrun),    VSTATE_FIELD(struct vpl011, detached),
        VSTATE_FIELD(struct vpl011, line),       VSTATE_ARRAY(struct vpl011, fifo),
};

const struct vstate vpl011_state = {"vpl011", fields, ARRAY_SIZE(fields), NULL};
