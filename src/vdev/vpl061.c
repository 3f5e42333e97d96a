// SPDX-License-Identifier: Apache-2.0
// The PL061 that a guest sees: eight lines, of which only number 3 leads anywhere, to the power key. Owns the
// chip's state under its lock; called by the MMIO map for the guest, and by whoever presses the key.
//
// How long is the key down? An operating system is told by an interrupt, waits some milliseconds for the
// contact to settle, and then looks; it believes what it sees then, and it wants to see the key come up again. A
// fixed time may be over before a slow guest looks, and needs a timer. So the key comes up as soon as the
// guest has read the line as high: each press is seen once, whenever the guest gets to it, and the falling edge
// follows it. A guest that never looks keeps the key down, until it is reset.
//
// Invariant: the line to the interrupt controller is (RIS & IE) != 0 whenever the lock is free.
// Source: Arm PrimeCell General Purpose Input/Output (PL061) Technical Reference Manual, "Programmer's Model".
#include "vdev/vpl061.h"

#include "base/bits.h"
#include "hw/pl061_regs.h"
#include "vm/vm.h"

#define KEY ((uint8_t)BIT_U32(VPL061_KEY_LINE))

struct vpl061 {
	// Fixed after start.
	struct vm *vm;

	// Under the lock. Bit n of each is line n.
	struct spinlock lock;
	uint8_t data; // what the guest wrote, seen on outputs
	uint8_t dir, is, ibe, iev, ie, afsel;
	uint8_t input; // what comes from outside
	uint8_t edges; // seen and not cleared
	bool line;     // as last told to the interrupt controller
};

enum kind { DATA, READ_WRITE, STATUS, MASKED_STATUS, CLEAR, IDENTIFICATION, NOTHING };

#define STORED(member) READ_WRITE, offsetof(struct vpl061, member)

// In the order of addresses, without gaps. Every register is 8 bits wide and resets to 0.
static const struct row {
	uint16_t first, last; // bytes
	uint8_t kind;         // enum kind
	uint16_t member;      // of struct vpl061
} rows[] = {
        {PL061_DATA, PL061_DATA_END, DATA, 0},
        {PL061_DIR, PL061_DIR + 3, STORED(dir)},
        {PL061_IS, PL061_IS + 3, STORED(is)},
        {PL061_IBE, PL061_IBE + 3, STORED(ibe)},
        {PL061_IEV, PL061_IEV + 3, STORED(iev)},
        {PL061_IE, PL061_IE + 3, STORED(ie)},
        {PL061_RIS, PL061_RIS + 3, STATUS, 0},
        {PL061_MIS, PL061_MIS + 3, MASKED_STATUS, 0},
        {PL061_IC, PL061_IC + 3, CLEAR, 0},
        {PL061_AFSEL, PL061_AFSEL + 3, STORED(afsel)}, // kept; no hardware is there to take a line
        {PL061_AFSEL + 4, PL061_ITCR - 1, NOTHING, 0}, // reserved
        {PL061_ITCR, PL061_ITOP3 + 3, NOTHING,
         0}, // for the test of a chip's own wires: there are none
        {PL061_ITOP3 + 4, PL061_PERIPH_ID0 - 1, NOTHING, 0}, // reserved
        {PL061_PERIPH_ID0, PL061_PCELL_ID3 + 3, IDENTIFICATION, 0},
};

static const uint8_t identification[8] = {0x61, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static const struct row *row_of(uint32_t offset)
{
	unsigned i = 0;
	while (i + 1 < ARRAY_SIZE(rows) && offset > rows[i].last)
		i++;
	return &rows[i];
}

static uint8_t *stored(struct vpl061 *gpio, const struct row *row)
{
	return (uint8_t *)gpio + row->member;
}

// Only inputs raise interrupts. An edge is remembered, a level is not.
static uint8_t raw_status(const struct vpl061 *gpio)
{
	uint8_t level = (uint8_t)(~(gpio->input ^ gpio->iev) & ~gpio->dir);
	return (uint8_t)((gpio->edges & ~gpio->is) | (level & gpio->is));
}

static void update_line(struct vpl061 *gpio)
{
	bool line = (raw_status(gpio) & gpio->ie) != 0;

	if (line != gpio->line) {
		gpio->line = line;
		virq_set(gpio->vm, NULL, VPL061_INTID, line);
	}
}

static void set_input(struct vpl061 *gpio, uint8_t input)
{
	uint8_t changed = (uint8_t)((gpio->input ^ input) & ~gpio->dir & ~gpio->is);

	gpio->edges |= (uint8_t)(changed & (gpio->ibe | ~(input ^ gpio->iev)));
	gpio->input = input;
}

static uint8_t read_data(struct vpl061 *gpio, uint8_t lines)
{
	uint8_t value = (uint8_t)(((gpio->data & gpio->dir) | (gpio->input & ~gpio->dir)) & lines);

	if ((value & KEY & ~gpio->dir) != 0) { // it was seen: up it comes
		set_input(gpio, (uint8_t)(gpio->input & ~KEY));
		update_line(gpio);
	}
	return value;
}

static uint8_t read_locked(struct vpl061 *gpio, uint32_t offset)
{
	const struct row *row = row_of(offset);

	switch (row->kind) {
	case DATA: return read_data(gpio, (uint8_t)(offset / 4));
	case READ_WRITE: return *stored(gpio, row);
	case STATUS: return raw_status(gpio);
	case MASKED_STATUS: return raw_status(gpio) & gpio->ie;
	case IDENTIFICATION: return identification[(offset - row->first) / 4];
	}
	return 0; // IC is write-only
}

static void write_locked(struct vpl061 *gpio, uint32_t offset, uint8_t value)
{
	const struct row *row = row_of(offset);
	uint8_t lines = (uint8_t)(offset / 4);

	switch (row->kind) {
	case DATA: gpio->data = (uint8_t)((gpio->data & ~lines) | (value & lines)); break;
	case READ_WRITE: *stored(gpio, row) = value; break;
	case CLEAR: gpio->edges &= (uint8_t)~value; break;
	}
	update_line(gpio);
}

static bool vpl061_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                        uint64_t *value)
{
	struct vpl061 *gpio = dev;

	if (size > 4 || offset % size != 0)
		return false;
	*value = 0;
	if (offset % 4 != 0) // a register's upper bytes
		return true;
	spin_lock(&gpio->lock);
	*value = read_locked(gpio, offset);
	spin_unlock(&gpio->lock);
	return true;
}

// As with the PL011, a narrow write works at the first byte of a register and is ignored elsewhere.
static bool vpl061_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                         uint64_t value)
{
	struct vpl061 *gpio = dev;

	if (size > 4 || offset % size != 0)
		return false;
	if (offset % 4 != 0)
		return true;
	spin_lock(&gpio->lock);
	write_locked(gpio, offset, (uint8_t)value);
	spin_unlock(&gpio->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "PL061",
        .read = vpl061_read,
        .write = vpl061_write,
};

void vpl061_press(struct vpl061 *gpio)
{
	spin_lock(&gpio->lock);
	set_input(gpio, (uint8_t)(gpio->input & ~KEY));
	set_input(gpio, gpio->input | KEY);
	update_line(gpio);
	spin_unlock(&gpio->lock);
}

void vpl061_reset(struct vpl061 *gpio)
{
	spin_lock(&gpio->lock);
	gpio->data = gpio->dir = gpio->is = gpio->ibe = gpio->iev = gpio->ie = gpio->afsel = 0;
	gpio->input = gpio->edges = 0;
	update_line(gpio);
	spin_unlock(&gpio->lock);
}

int vpl061_create(struct vm *vm)
{
	struct vpl061 *gpio = vm_alloc(vm, sizeof *gpio);

	if (gpio == NULL)
		return ERR_NO_MEMORY;
	gpio->vm = vm;
	gpio->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	vm->power_key = gpio;
	return mmio_add(&vm->mmio, VPL061_BASE, VPL061_SIZE, &ops, gpio);
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vpl061, data),  VSTATE_FIELD(struct vpl061, dir),
        VSTATE_FIELD(struct vpl061, is),    VSTATE_FIELD(struct vpl061, ibe),
        VSTATE_FIELD(struct vpl061, iev),   VSTATE_FIELD(struct vpl061, ie),
        VSTATE_FIELD(struct vpl061, afsel), VSTATE_FIELD(struct vpl061, input),
        VSTATE_FIELD(struct vpl061, edges), VSTATE_FIELD(struct vpl061, line),
};

const struct vstate vpl061_state = {"vpl061", fields, ARRAY_SIZE(fields), NULL};
