// SPDX-License-Identifier: Apache-2.0
// The GPIO block. Owns its state under its lock; called by the MMIO map, and by devices that want to know where
// lines lead.
// Nothing is connected to a line but what the board has: an input reads what it is pulled to. An output reads
// what it drives, so a program sees its own edges.
// Invariant, whenever the lock is free: `level` follows from function, latch and pulls, and the four interrupt
// lines from `events`.
// Source: BCM2835 ARM Peripherals, "General Purpose I/O (GPIO)" with "Alternative Function Assignments".
#include "vdev/vbcm2835_gpio.h"

#include "base/bits.h"
#include "hw/timer.h"
#include "vdev/raspi3.h"
#include "vdev/vpl011.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

#define NR_PINS       54
#define PINS          GENMASK_U64(NR_PINS - 1, 0)
#define PINS_A_SELECT 10 // with three bits each
#define SELECT_BITS   GENMASK_U32(2, 0)

enum function { INPUT = 0, OUTPUT = 1, ALT5 = 2, ALT4 = 3, ALT0 = 4, ALT3 = 7 };

// Two registers each, the second for pins from 32 on.
enum {
	SELECT = 0x00, // six
	SET = 0x1c,
	CLEAR = 0x28,
	LEVEL = 0x34,
	EVENTS = 0x40,
	RISING = 0x4c,
	FALLING = 0x58,
	HIGH = 0x64,
	LOW = 0x70,
	ASYNC_RISING = 0x7c,
	ASYNC_FALLING = 0x88,
	PULL = 0x94, // one
	PULL_CLOCK = 0x98,
	SIZE = 0x1000,
};

#define SELECT_END (SELECT + 4 * 6)

#define PULL_BITS       GENMASK_U32(1, 0)
#define PULL_DOWN       1
#define PULL_UP         2
// After power-on: 0 to 8, 34 to 36 and 46 to 53 are pulled up.
#define PULLED_UP_RESET (GENMASK_U64(8, 0) | GENMASK_U64(36, 34) | GENMASK_U64(53, 46))

#define UART_TX    14 // function 0: PL011, 5: mini UART
#define UART_RX    15
#define BLUE_TX    32 // function 3: PL011, on this board to the Bluetooth chip
#define BLUE_RX    33
#define WIFI_FIRST 34 // function 3: EMMC, on this board to the WiFi chip
#define WIFI_LAST  39
#define SD_FIRST   48 // function 0: SDHOST, 3: EMMC
#define SD_LAST    53
#define NR_BANKS   3

struct vbcm2835_gpio {
	// Fixed after start.
	struct vm *vm;

	// Under the lock. Bit n of each is line n. Functions and `card` are also read without it.
	struct spinlock lock;
	uint8_t function[NR_PINS];
	uint32_t card; // enum vbcm2835_card
	bool sd_on_sdhost;
	uint64_t latch, pulled_up, level, events;
	uint64_t rising, falling, high, low, async_rising, async_falling, pull_clock;
	uint32_t pull;
	uint32_t lines; // bit n: bank n's interrupt; the last one: any
};

// The pairs of registers that are only kept.
static const struct {
	uint16_t offset, member;
} kept[] = {
        {RISING, offsetof(struct vbcm2835_gpio, rising)},
        {FALLING, offsetof(struct vbcm2835_gpio, falling)},
        {HIGH, offsetof(struct vbcm2835_gpio, high)},
        {LOW, offsetof(struct vbcm2835_gpio, low)},
        {ASYNC_RISING, offsetof(struct vbcm2835_gpio, async_rising)},
        {ASYNC_FALLING, offsetof(struct vbcm2835_gpio, async_falling)},
};

static const uint64_t bank_pins[NR_BANKS] = {GENMASK_U64(27, 0), GENMASK_U64(45, 28),
                                             GENMASK_U64(53, 46)};

static void update_lines(struct vbcm2835_gpio *gpio)
{
	uint32_t lines = gpio->events != 0 ? BIT_U32(NR_BANKS) : 0;

	for (unsigned i = 0; i < NR_BANKS; i++)
		lines |= (gpio->events & bank_pins[i]) != 0 ? BIT_U32(i) : 0;
	for (uint32_t changed = lines ^ gpio->lines; changed != 0; changed &= changed - 1) {
		uint32_t n = (uint32_t)__builtin_ctz(changed);
		virq_set(gpio->vm, NULL, VBCM2835_IRQ(RASPI3_IRQ_GPIO + n),
		         (lines & BIT_U32(n)) != 0);
	}
	gpio->lines = lines;
}

// What was an edge, and what is a level that somebody waits for.
static void update(struct vbcm2835_gpio *gpio)
{
	uint64_t outputs = 0;

	for (unsigned pin = 0; pin < NR_PINS; pin++)
		outputs |= gpio->function[pin] == OUTPUT ? BIT_U64(pin) : 0;
	uint64_t level = (gpio->latch & outputs) | (gpio->pulled_up & ~outputs);
	uint64_t rose = level & ~gpio->level, fell = gpio->level & ~level;
	gpio->level = level;
	gpio->events |= (rose & (gpio->rising | gpio->async_rising)) |
	                (fell & (gpio->falling | gpio->async_falling)) | (level & gpio->high) |
	                (~level & gpio->low & PINS);
	update_lines(gpio);
}

// ---- registers ----

static uint32_t read_select(const struct vbcm2835_gpio *gpio, uint32_t reg)
{
	unsigned first = (reg - SELECT) / 4 * PINS_A_SELECT;
	uint32_t value = 0;

	for (unsigned i = 0; i < PINS_A_SELECT && first + i < NR_PINS; i++)
		value |= (uint32_t)gpio->function[first + i] << (3 * i);
	return value;
}

static bool all_have(const struct vbcm2835_gpio *gpio, unsigned first, unsigned last,
                     enum function function)
{
	for (unsigned pin = first; pin <= last; pin++)
		if (gpio->function[pin] != function)
			return false;
	return true;
}

// The card moves when all its lines agree. Inputs lead nowhere on the board, and to EMMC in QEMU, and so here. EMMC has
// one set of lines: where they lead to the WiFi chip, which is not there, no card answers.
static void choose_card(struct vbcm2835_gpio *gpio)
{
	if (all_have(gpio, SD_FIRST, SD_LAST, ALT0))
		gpio->sd_on_sdhost = true;
	else if (all_have(gpio, SD_FIRST, SD_LAST, ALT3) ||
	         all_have(gpio, SD_FIRST, SD_LAST, INPUT))
		gpio->sd_on_sdhost = false;
	bool wifi = all_have(gpio, WIFI_FIRST, WIFI_LAST, ALT3);
	store_release(&gpio->card, gpio->sd_on_sdhost ? VBCM2835_CARD_SDHOST
	                           : wifi             ? VBCM2835_CARD_NOWHERE
	                                              : VBCM2835_CARD_EMMC);
}

static void write_select(struct vbcm2835_gpio *gpio, uint32_t reg, uint32_t value)
{
	unsigned first = (reg - SELECT) / 4 * PINS_A_SELECT;

	for (unsigned i = 0; i < PINS_A_SELECT && first + i < NR_PINS; i++)
		store_relaxed(&gpio->function[first + i],
		              (uint8_t)((value >> (3 * i)) & SELECT_BITS));
	choose_card(gpio);
}

static uint64_t *kept_pair(struct vbcm2835_gpio *gpio, uint32_t base)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		if (kept[i].offset == base)
			return (uint64_t *)(void *)((char *)gpio + kept[i].member);
	return NULL;
}

// The pairs begin 12 bytes after one another, but for the last.
static uint32_t pair_of(uint32_t reg, bool *upper)
{
	uint32_t base = reg >= PULL_CLOCK ? PULL_CLOCK : reg - (reg - SET) % 12;

	*upper = reg == base + 4;
	return reg > base + 4 ? SIZE : base; // between the pairs is nothing
}

static uint32_t read_locked(struct vbcm2835_gpio *gpio, uint32_t reg)
{
	bool upper;

	if (reg < SELECT_END)
		return read_select(gpio, reg);
	if (reg < SET || reg == PULL)
		return reg == PULL ? gpio->pull : 0;
	uint32_t base = pair_of(reg, &upper);
	uint64_t pair = base == LEVEL ? gpio->level : base == EVENTS ? gpio->events : 0;
	if (base == PULL_CLOCK)
		pair = gpio->pull_clock;
	const uint64_t *stored = kept_pair(gpio, base);
	if (stored != NULL)
		pair = *stored;
	return (uint32_t)(upper ? pair >> 32 : pair);
}

static void clock_pulls(struct vbcm2835_gpio *gpio, uint64_t pins)
{
	gpio->pull_clock = pins;
	if (gpio->pull == PULL_UP)
		gpio->pulled_up |= pins;
	else if (gpio->pull == PULL_DOWN)
		gpio->pulled_up &= ~pins;
}

static void write_pair(struct vbcm2835_gpio *gpio, uint32_t reg, uint32_t value)
{
	bool upper;
	uint32_t base = pair_of(reg, &upper);
	uint64_t half = upper ? GENMASK_U64(63, 32) : GENMASK_U64(31, 0);
	uint64_t pins = (upper ? (uint64_t)value << 32 : value) & PINS;
	uint64_t *stored = kept_pair(gpio, base);

	if (base == SET)
		gpio->latch |= pins;
	else if (base == CLEAR)
		gpio->latch &= ~pins;
	else if (base == EVENTS)
		gpio->events &= ~pins;
	else if (base == PULL_CLOCK)
		clock_pulls(gpio, (gpio->pull_clock & ~half) | pins);
	else if (stored != NULL)
		*stored = (*stored & ~half) | pins;
}

static void write_locked(struct vbcm2835_gpio *gpio, uint32_t reg, uint32_t value)
{
	if (reg < SELECT_END)
		write_select(gpio, reg, value);
	else if (reg == PULL)
		gpio->pull = value & PULL_BITS;
	else if (reg >= SET)
		write_pair(gpio, reg, value);
	update(gpio);
}

// The PL011 reaches the console through the header's lines, or the Bluetooth chip, which is not there. A program
// that has chosen neither is taken to mean the console, as QEMU has it.
static bool uart_leads_elsewhere(const struct vbcm2835_gpio *gpio)
{
	return gpio->function[BLUE_TX] == ALT3 && gpio->function[BLUE_RX] == ALT3 &&
	       gpio->function[UART_TX] != ALT0 && gpio->function[UART_RX] != ALT0;
}

// Whether that has changed.
static bool move_uart(struct vbcm2835_gpio *gpio)
{
	uint32_t *elsewhere = &gpio->vm->raspi3->console.elsewhere, before = *elsewhere;

	store_relaxed(elsewhere, uart_leads_elsewhere(gpio) ? 1 : 0);
	return *elsewhere != before;
}

static bool gpio_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                      uint64_t *value)
{
	struct vbcm2835_gpio *gpio = dev;

	if (!vreg_fits(offset, size))
		return false;
	spin_lock(&gpio->lock);
	uint32_t result = read_locked(gpio, vreg_base(offset));
	spin_unlock(&gpio->lock);
	*value = vreg_part(result, offset, size);
	return true;
}

static bool gpio_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                       uint64_t value)
{
	struct vbcm2835_gpio *gpio = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value))
		return true;
	spin_lock(&gpio->lock);
	write_locked(gpio, offset, (uint32_t)value);
	bool moved = move_uart(gpio);
	spin_unlock(&gpio->lock);
	// The UART has a lock of the same rank. Where another CPU has moved its pins meanwhile it sees both.
	if (moved)
		vpl011_pins_moved(gpio->vm->uart);
	return true;
}

static const struct mmio_ops ops = {
        .name = "BCM2835 GPIO",
        .read = gpio_read,
        .write = gpio_write,
};

enum vbcm2835_card vbcm2835_gpio_card(const struct vm *vm)
{
	return (enum vbcm2835_card)load_acquire(&vm->raspi3->gpio->card);
}

void vbcm2835_gpio_reset(struct vm *vm)
{
	struct vbcm2835_gpio *gpio = vm->raspi3->gpio;

	spin_lock(&gpio->lock);
	for (unsigned pin = 0; pin < NR_PINS; pin++)
		gpio->function[pin] = pin >= SD_FIRST ? ALT3 : INPUT;
	choose_card(gpio);
	(void)move_uart(gpio); // to where the UART's own reset has it
	gpio->rising = gpio->falling = gpio->high = gpio->low = 0;
	gpio->async_rising = gpio->async_falling = gpio->pull_clock = 0;
	gpio->latch = gpio->pull = 0;
	gpio->pulled_up = gpio->level = PULLED_UP_RESET;
	gpio->events = 0;
	update(gpio);
	spin_unlock(&gpio->lock);
}

int vbcm2835_gpio_create(struct vm *vm)
{
	struct vbcm2835_gpio *gpio = vm_alloc(vm, sizeof *gpio);

	if (gpio == NULL)
		return ERR_NO_MEMORY;
	gpio->vm = vm;
	gpio->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	vm->raspi3->gpio = gpio;
	return mmio_add(&vm->mmio, RASPI3_GPIO_BASE, SIZE, &ops, gpio);
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vbcm2835_gpio, function),
        VSTATE_FIELD(struct vbcm2835_gpio, sd_on_sdhost),
        VSTATE_FIELD(struct vbcm2835_gpio, card),
        VSTATE_FIELD(struct vbcm2835_gpio, latch),
        VSTATE_FIELD(struct vbcm2835_gpio, pulled_up),
        VSTATE_FIELD(struct vbcm2835_gpio, level),
        VSTATE_FIELD(struct vbcm2835_gpio, events),
        VSTATE_FIELD(struct vbcm2835_gpio, rising),
        VSTATE_FIELD(struct vbcm2835_gpio, falling),
        VSTATE_FIELD(struct vbcm2835_gpio, high),
        VSTATE_FIELD(struct vbcm2835_gpio, low),
        VSTATE_FIELD(struct vbcm2835_gpio, async_rising),
        VSTATE_FIELD(struct vbcm2835_gpio, async_falling),
        VSTATE_FIELD(struct vbcm2835_gpio, pull_clock),
        VSTATE_FIELD(struct vbcm2835_gpio, pull),
        VSTATE_FIELD(struct vbcm2835_gpio, lines),
};

const struct vstate vbcm2835_gpio_state = {"bcm2835-gpio", fields, ARRAY_SIZE(fields), NULL};
