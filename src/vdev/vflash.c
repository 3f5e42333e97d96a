// SPDX-License-Identifier: Apache-2.0
// The flash that a guest sees, and what it holds. Owns both banks under its lock; called by the abort handler, by the MMIO
// map, and when the VM begins.
//
// While a bank shows its array the guest reads it as memory: pages are mapped as they are touched, to be read and executed.
// Any write is an exit. One that leads the bank to another mode first unmaps it, 2 MiB for each time that the guest makes the
// access, and from then on reads are exits too.
//
// The first bank is locked, and its pages are copied from the firmware each time that the VM begins. The second one is erased
// at first and may be programmed; a page of 4 KiB is taken when something is first programmed there, and stays until the
// VM is destroyed, with what it holds. One page of ones stands for all that have none.
//
// An erase is done in pieces, one for each access to the bank; until it is over the bank answers as busy, and a write is
// repeated.
// Invariant: a page is mapped only while its bank is in VFLASH_ARRAY, and changed only while it is not.
// Source: see vflash_chip.c; QEMU, "virt" generic virtual platform, for where it lies.
#include "vdev/vflash.h"

#include "arm/cache.h"
#include "base/string.h"
#include "vdev/vflash_chip.h"
#include "vdev/vstate.h"
#include "vm/image.h"

#define PIECE       KIB(64) // mapped at a touch
#define ERASE_PIECE 16      // pages that a piece of an erase changes
#define BLOCK_PAGES (uint32_t)(VFLASH_BLOCK / PAGE_SIZE)
#define BANK_PAGES  (uint32_t)(VFLASH_BANK_SIZE / PAGE_SIZE)

STATIC_ASSERT(VFLASH_BANK_SIZE / BLOCK_SIZE <= 32, "`mapped` has a bit for each 2 MiB");
STATIC_ASSERT(PAGE_SIZE % VFLASH_BUFFER == 0, "a buffer lies in one page");
STATIC_ASSERT(DESC_MAX_FLASH == VFLASH_BANK_SIZE && IMAGE_MAX_FIRMWARE == VFLASH_BANK_SIZE,
              "who checks firmware knows how much fits");

struct bank {
	// Fixed after start.
	uint64_t base;        // IPA
	const uint8_t *image; // what it begins with
	uint64_t image_size;  // bytes; behind it are ones
	uint32_t nr_frames;   // pages that it can have; the others are ones for ever
	bool locked;

	// Under the lock.
	struct vflash_chip chip;
	uint32_t erase_at, erase_end; // pages that are still to be erased
	uint32_t mapped;              // bit n: some of the 2 MiB number n may be mapped
	uint32_t *frame;              // of page n, 0: it has none, and is as it began
};

struct vflash {
	struct vm *vm; // fixed after start
	pa_t ones;     // a page of them; constant
	struct spinlock lock;
	struct bank bank[VFLASH_BANKS];
};

uint64_t vflash_pages(uint64_t firmware)
{
	return (firmware + PAGE_SIZE - 1) / PAGE_SIZE +
	       VFLASH_BANKS * VFLASH_BANK_SIZE / BLOCK_SIZE;
}

// ---- what a bank holds ----

static uint8_t *bytes_of(pa_t page)
{
	return (uint8_t *)(uintptr_t)page.v;
}

// A place that came from a guest and was looked at; 0 where it is too high, also under speculation.
static uint64_t bound(uint64_t at, uint64_t count)
{
	return at & (0 - (uint64_t)(at < count));
}

static pa_t frame_of(const struct bank *bank, uint32_t page)
{
	if (page >= bank->nr_frames)
		return PA(0);
	return PA((uint64_t)bank->frame[bound(page, bank->nr_frames)] << PAGE_SHIFT);
}

// A page that has none yet gets one, with what it began with. PA 0: there is no memory for it.
static pa_t make_frame(struct vflash *flash, struct bank *bank, uint32_t page)
{
	uint64_t at = (uint64_t)page * PAGE_SIZE;
	uint64_t left = bank->image_size > at ? bank->image_size - at : 0;
	size_t n = left < PAGE_SIZE ? (size_t)left : PAGE_SIZE;
	pa_t frame =
	        bank->locked ? vm_take_promised_page(flash->vm) : vm_take_page(flash->vm, true);

	if (frame.v == 0)
		return frame;
	if (n != 0)
		cache_copy(bytes_of(frame), bank->image + at, n);
	memset(bytes_of(frame) + n, 0xff, PAGE_SIZE - n);
	bank->frame[page] = (uint32_t)(frame.v >> PAGE_SHIFT);
	return frame;
}

// A byte of the array, as the device answers with it: what nobody has touched is not copied for it.
static uint8_t array_byte(const struct bank *bank, uint32_t offset)
{
	pa_t frame = frame_of(bank, (uint32_t)(offset / PAGE_SIZE));

	if (frame.v != 0)
		return bytes_of(frame)[offset % PAGE_SIZE];
	if (offset < bank->image_size)
		return bank->image[bound(offset, bank->image_size)];
	return 0xff;
}

// Clears bits, as the buffer says.
static void program(struct vflash *flash, struct bank *bank)
{
	struct vflash_chip *chip = &bank->chip;
	uint32_t page = (uint32_t)(chip->at / PAGE_SIZE);

	if (bank->locked) {
		chip->status |= VFLASH_PROGRAM_ERROR | VFLASH_LOCKED;
		return;
	}
	pa_t frame = frame_of(bank, page);
	if (frame.v == 0)
		frame = make_frame(flash, bank, page);
	if (frame.v == 0) {
		chip->status |= VFLASH_PROGRAM_ERROR;
		vm_log(flash->vm, "there is no memory left for what it programs into its flash");
		return;
	}
	uint8_t *byte = bytes_of(frame) + chip->at % PAGE_SIZE;
	for (unsigned i = 0; i < VFLASH_BUFFER; i++)
		byte[i] &= chip->buffer[i];
}

static void begin_erase(struct bank *bank, uint32_t offset)
{
	if (bank->locked) {
		bank->chip.status |= VFLASH_ERASE_ERROR | VFLASH_LOCKED;
		return;
	}
	bank->erase_at = (uint32_t)(align_down(offset, VFLASH_BLOCK) / PAGE_SIZE);
	bank->erase_end = bank->erase_at + BLOCK_PAGES;
}

// A piece of an erase. Whether there is more.
static bool is_busy(struct bank *bank)
{
	for (unsigned done = 0; bank->erase_at < bank->erase_end && done < ERASE_PIECE;
	     bank->erase_at++) {
		pa_t frame = frame_of(bank, bank->erase_at);
		if (frame.v == 0)
			continue;
		memset(bytes_of(frame), 0xff, PAGE_SIZE);
		done++;
	}
	return bank->erase_at < bank->erase_end;
}

// ---- as memory ----

// Another vCPU may have been there before.
static int map_page(struct vflash *flash, struct bank *bank, uint32_t page)
{
	pa_t frame = frame_of(bank, page);

	if (frame.v == 0 && (uint64_t)page * PAGE_SIZE < bank->image_size)
		frame = make_frame(flash, bank, page);
	else if (frame.v == 0)
		frame = flash->ones;
	if (frame.v == 0)
		return ERR_NO_MEMORY;
	int error =
	        stage2_map_rom(&flash->vm->stage2, bank->base + (uint64_t)page * PAGE_SIZE, frame);
	return error == ERR_BUSY ? 0 : error;
}

int vflash_touch(struct vm *vm, uint64_t ipa)
{
	struct vflash *flash = vm->flash;
	int error = 0;

	if (!vflash_has(vm, ipa))
		return ERR_RANGE;
	struct bank *bank = &flash->bank[(ipa - VFLASH_BASE) / VFLASH_BANK_SIZE];
	uint64_t offset = align_down(ipa - bank->base, PIECE);
	spin_lock(&flash->lock);
	if (bank->chip.mode == VFLASH_ARRAY) {
		bank->mapped |= BIT_U32(offset / BLOCK_SIZE);
		for (uint32_t i = 0; i < PIECE / PAGE_SIZE && error == 0; i++)
			error = map_page(flash, bank, (uint32_t)(offset / PAGE_SIZE) + i);
	} else {
		error = ERR_RANGE;
	}
	spin_unlock(&flash->lock);
	return error;
}

// Unmaps 2 MiB of a bank, the highest that are mapped: code that runs in the first ones, and is mapped again to make its
// access once more, comes last. False: there is more.
static bool hide(struct vflash *flash, struct bank *bank)
{
	if (bank->mapped == 0)
		return true;
	unsigned n = 31 - (unsigned)__builtin_clz(bank->mapped);
	stage2_unmap_rom(&flash->vm->stage2, bank->base + n * BLOCK_SIZE);
	bank->mapped &= ~BIT_U32(n);
	return bank->mapped == 0;
}

// ---- as a device ----

static struct bank *bank_of(struct vflash *flash, uint32_t *offset)
{
	struct bank *bank = &flash->bank[*offset / VFLASH_BANK_SIZE];

	*offset %= VFLASH_BANK_SIZE;
	return bank;
}

// The word at a multiple of the bus's width.
static uint32_t read_bus(const struct bank *bank, uint32_t offset, bool busy)
{
	uint32_t value = 0;

	if (bank->chip.mode != VFLASH_ARRAY) {
		value = vflash_chip_read(&bank->chip, offset, bank->locked);
		return busy ? value & ~(UINT32_C(0x10001) * VFLASH_READY) : value;
	}
	for (unsigned i = 0; i < VFLASH_BUS; i++)
		value |= (uint32_t)array_byte(bank, offset + i) << (8 * i);
	return value;
}

static bool vflash_read(void *dev, struct vcpu *by UNUSED, uint32_t offset, unsigned size,
                        uint64_t *value)
{
	struct vflash *flash = dev;

	if (offset % size != 0)
		return false;
	spin_lock(&flash->lock);
	struct bank *bank = bank_of(flash, &offset);
	bool busy = is_busy(bank);
	uint32_t lane = offset % VFLASH_BUS, at = offset - lane;
	uint64_t words = read_bus(bank, at, busy);
	if (size > VFLASH_BUS)
		words |= (uint64_t)read_bus(bank, at + VFLASH_BUS, busy) << 32;
	spin_unlock(&flash->lock);
	*value = words >> (8 * lane);
	if (size < VFLASH_BUS)
		*value &= BIT_U64(8 * size) - 1;
	return true;
}

static void write_bus(struct vflash *flash, struct bank *bank, uint32_t offset, unsigned size,
                      uint32_t value)
{
	switch (vflash_chip_write(&bank->chip, offset, size, value)) {
	case VFLASH_NOTHING: break;
	case VFLASH_DO_PROGRAM: program(flash, bank); break;
	case VFLASH_DO_ERASE: begin_erase(bank, offset); break;
	}
}

// A write of 64 bits is two on the bus. The guest makes it again until the bank is ready for it.
static bool vflash_write(void *dev, struct vcpu *by, uint32_t offset, unsigned size, uint64_t value)
{
	struct vflash *flash = dev;
	bool two = size > VFLASH_BUS;
	unsigned width = two ? VFLASH_BUS : size;
	uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);

	if (offset % size != 0)
		return false;
	spin_lock(&flash->lock);
	struct bank *bank = bank_of(flash, &offset);
	bool stays = vflash_chip_stays(&bank->chip, low) &&
	             (!two || vflash_chip_stays(&bank->chip, high));
	if (is_busy(bank) || (!stays && !hide(flash, bank))) {
		by->repeat = true;
	} else {
		write_bus(flash, bank, offset, width, low);
		if (two)
			write_bus(flash, bank, offset + VFLASH_BUS, width, high);
	}
	spin_unlock(&flash->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "CFI flash",
        .read = vflash_read,
        .write = vflash_write,
};

// ---- its life ----

int vflash_reset(struct vm *vm)
{
	struct vflash *flash = vm->flash;

	if (flash == NULL)
		return 0;
	spin_lock(&flash->lock);
	for (unsigned b = 0; b < VFLASH_BANKS; b++) {
		struct bank *bank = &flash->bank[b];
		vflash_chip_reset(&bank->chip);
		bank->erase_at = bank->erase_end = 0;
		bank->mapped = 0; // stage 2 is fresh
	}
	// The pages of the first bank went back with what the VM had of memory.
	memset(flash->bank[0].frame, 0, flash->bank[0].nr_frames * sizeof(uint32_t));
	spin_unlock(&flash->lock);
	return 0;
}

int vflash_create(struct vm *vm)
{
	const uint64_t firmware = vm->firmware.size;

	if (vm->firmware.bytes == NULL)
		return 0;
	struct vflash *flash = vm_alloc(vm, sizeof *flash);
	if (flash == NULL)
		return ERR_NO_MEMORY;
	flash->vm = vm;
	flash->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	flash->bank[0].image = vm->firmware.bytes;
	flash->bank[0].image_size = firmware;
	flash->bank[0].locked = true;
	flash->bank[0].nr_frames = (uint32_t)((firmware + PAGE_SIZE - 1) / PAGE_SIZE);
	flash->bank[1].nr_frames = BANK_PAGES;
	for (unsigned b = 0; b < VFLASH_BANKS; b++) {
		struct bank *bank = &flash->bank[b];
		bank->base = VFLASH_BASE + b * VFLASH_BANK_SIZE;
		bank->frame = vm_alloc(vm, bank->nr_frames * sizeof *bank->frame);
		if (bank->frame == NULL)
			return ERR_NO_MEMORY;
	}
	// A page by itself: the guest sees all of it.
	flash->ones = pages_alloc(0, (uint16_t)vm->id, PAGE_DATA, &vm->pages);
	if (flash->ones.v == 0)
		return ERR_NO_MEMORY;
	memset(bytes_of(flash->ones), 0xff, PAGE_SIZE);
	vm->flash = flash;
	return mmio_add(&vm->mmio, VFLASH_BASE, VFLASH_BANKS * VFLASH_BANK_SIZE, &ops, flash);
}

#define BANK_FIELDS(n)                                            \
	VSTATE_FIELD(struct vflash, bank[n].chip.mode),           \
	        VSTATE_FIELD(struct vflash, bank[n].chip.step),   \
	        VSTATE_FIELD(struct vflash, bank[n].chip.status), \
	        VSTATE_FIELD(struct vflash, bank[n].chip.left),   \
	        VSTATE_FIELD(struct vflash, bank[n].chip.filled), \
	        VSTATE_FIELD(struct vflash, bank[n].chip.at),     \
	        VSTATE_ARRAY(struct vflash, bank[n].chip.buffer), \
	        VSTATE_FIELD(struct vflash, bank[n].erase_at),    \
	        VSTATE_FIELD(struct vflash, bank[n].erase_end)

// Besides, what the second bank holds: its pages.
static const struct vstate_field fields[] = {
        BANK_FIELDS(0),
        BANK_FIELDS(1),
};

const struct vstate vflash_state = {"flash", fields, ARRAY_SIZE(fields), NULL};
