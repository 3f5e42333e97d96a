// SPDX-License-Identifier: Apache-2.0
// The firmware's answers. A message is a list of tags, each with room for a value: copied in, each tag answered
// by its row of the table, copied back.
// Owns what guests set (clocks, power, lines of the expander) under its lock; called by vbcm2835_mbox.c.
// Invariant: a handler sees TAG_SMALL words at least, zero where the guest gave none, and only what fits into the
// guest's own room is copied back.
// What the firmware does is not all written down: a tag that is not in the table keeps its code without the answer
// bit, as an old firmware does with a new tag, and the message as a whole is still answered.
// Source: Raspberry Pi firmware wiki, "Mailbox property interface"; Linux, include/soc/bcm2835/raspberrypi-firmware.h
// and the drivers that use it.
#include "vdev/vbcm2835_property.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/vbcm2835_tags.h"
#include "vm/vm.h"

#define MAX_TAGS     32 // that are looked at in one message: a bound for its exit
#define HEADER_WORDS 2  // size, code
#define TAG_WORDS    3  // identifier, bytes of room, code

#define CODE_REQUEST 0
#define CODE_ANSWER  BIT_U32(31)
#define CODE_BAD     (BIT_U32(31) | 1)
#define CODE_LENGTH  GENMASK_U32(30, 0)

#define NR_CLOCKS   16
#define NR_POWER    32
#define NR_EXPANDER 8

#define FIRMWARE_REVISION 0x60000000u // seconds since 1970, as the firmware counts its revisions
#define BOARD_REVISION    0x00a02082u // 3 Model B, 1 GiB
#define DMA_CHANNELS      0x7f35u     // the Arm side's
#define TEMPERATURE       45000u      // thousandths of a degree
#define TEMPERATURE_MAX   85000u
#define EXPANDER_BASE     128u

struct vbcm2835_property {
	// Fixed after start.
	uint32_t serial;

	// Under the lock.
	struct spinlock lock;
	uint32_t clock_off;       // bit n: clock n was switched off
	uint32_t power_off;       // bit n: device n; on when the firmware starts the kernel
	uint32_t domain_on;       // bit n: domain n
	uint32_t expander;        // outputs
	uint32_t directions;      // bit n: line n is an output
	uint32_t rate[NR_CLOCKS]; // Hz
	uint32_t turbo;
};

// What a Pi 3 runs at: Hz. 0: there is no such clock.
static const struct {
	uint32_t normal, least, most;
} clocks[NR_CLOCKS] = {
        [1] = {200000000, 200000000, 200000000},  // EMMC
        [2] = {48000000, 0, 1000000000},          // UART
        [3] = {600000000, 600000000, 1200000000}, // ARM
        [4] = {250000000, 250000000, 400000000},  // core
        [5] = {300000000, 300000000, 300000000},  // V3D
        [6] = {300000000, 300000000, 300000000},  // H264
        [7] = {300000000, 300000000, 300000000},  // ISP
        [8] = {400000000, 400000000, 450000000},  // SDRAM
        [9] = {65000000, 25000000, 230000000},    // pixels
        [10] = {100000000, 0, 500000000},         // PWM
};

// ---- what each tag says ----

static void firmware(struct call *c)
{
	c->value[0] = FIRMWARE_REVISION;
}

static void board_model(struct call *c)
{
	c->value[0] = 0;
}

static void board_revision(struct call *c)
{
	c->value[0] = BOARD_REVISION;
}

static void mac_address(struct call *c)
{
	uint32_t serial = c->property->serial; // locally administered: no two VMs have the same
	const uint8_t mac[8] = {
	        0xb8 | 2,       0x27, 0xeb, (uint8_t)(serial >> 16), (uint8_t)(serial >> 8),
	        (uint8_t)serial};
	memcpy(c->value, mac, sizeof mac);
}

static void board_serial(struct call *c)
{
	c->value[0] = c->property->serial;
	c->value[1] = 0;
}

static void arm_memory(struct call *c)
{
	c->value[0] = (uint32_t)c->vm->ram_base;
	c->value[1] = (uint32_t)(c->vm->video_base - c->vm->ram_base);
}

static void video_memory(struct call *c)
{
	c->value[0] = (uint32_t)c->vm->video_base;
	c->value[1] = (uint32_t)(c->vm->ram_base + c->vm->ram_size - c->vm->video_base);
}

static void list_clocks(struct call *c)
{
	for (uint32_t n = 0, at = 0; n < NR_CLOCKS; n++)
		if (clocks[n].most != 0) {
			c->value[at++] = 0; // has no parent
			c->value[at++] = n;
		}
}

static bool is_clock(uint32_t n)
{
	return n < NR_CLOCKS && clocks[n].most != 0;
}

#define CLOCK_ON   BIT_U32(0)
#define CLOCK_NONE BIT_U32(1)

static void clock_state(struct call *c)
{
	uint32_t n = c->value[0];
	bool off = is_clock(n) && (c->property->clock_off & BIT_U32(n)) != 0;
	c->value[1] = !is_clock(n) ? CLOCK_NONE : off ? 0 : CLOCK_ON;
}

static void set_clock_state(struct call *c)
{
	uint32_t n = c->value[0];
	if (is_clock(n) && (c->value[1] & CLOCK_ON) != 0)
		c->property->clock_off &= ~BIT_U32(n);
	else if (is_clock(n))
		c->property->clock_off |= BIT_U32(n);
	clock_state(c);
}

static void clock_rate(struct call *c)
{
	c->value[1] = is_clock(c->value[0]) ? c->property->rate[c->value[0]] : 0;
}

static void clock_most(struct call *c)
{
	c->value[1] = is_clock(c->value[0]) ? clocks[c->value[0]].most : 0;
}

static void clock_least(struct call *c)
{
	c->value[1] = is_clock(c->value[0]) ? clocks[c->value[0]].least : 0;
}

static void set_clock_rate(struct call *c)
{
	uint32_t n = c->value[0], rate = c->value[1];
	if (is_clock(n)) {
		rate = rate < clocks[n].least ? clocks[n].least : rate;
		rate = rate > clocks[n].most ? clocks[n].most : rate;
		c->property->rate[n] = rate;
	}
	clock_rate(c);
}

static void turbo(struct call *c)
{
	c->value[1] = c->property->turbo;
}

static void set_turbo(struct call *c)
{
	c->property->turbo = c->value[1] != 0;
	turbo(c);
}

#define POWER_ON   BIT_U32(0)
#define POWER_NONE BIT_U32(1)
#define POWER_LAST 8 // SD card, UARTs, USB, I2C, SPI, CCP2

static void power_state(struct call *c)
{
	uint32_t n = c->value[0];
	bool off = n < NR_POWER && (c->property->power_off & BIT_U32(n)) != 0;
	c->value[1] = n > POWER_LAST ? POWER_NONE : off ? 0 : POWER_ON;
}

static void set_power_state(struct call *c)
{
	uint32_t n = c->value[0];
	if (n <= POWER_LAST && (c->value[1] & POWER_ON) != 0)
		c->property->power_off &= ~BIT_U32(n);
	else if (n <= POWER_LAST)
		c->property->power_off |= BIT_U32(n);
	power_state(c);
}

static void power_timing(struct call *c)
{
	c->value[1] = 0; // at once
}

static void domain_state(struct call *c)
{
	uint32_t n = c->value[0];
	c->value[1] = n < NR_POWER && (c->property->domain_on & BIT_U32(n)) != 0;
}

static void set_domain_state(struct call *c)
{
	uint32_t n = c->value[0];
	if (n < NR_POWER && c->value[1] != 0)
		c->property->domain_on |= BIT_U32(n);
	else if (n < NR_POWER)
		c->property->domain_on &= ~BIT_U32(n);
	domain_state(c);
}

// Microvolts away from 1.2 V.
static void voltage(struct call *c)
{
	c->value[1] = 0;
}

static void temperature(struct call *c)
{
	c->value[1] = TEMPERATURE;
}

static void temperature_most(struct call *c)
{
	c->value[1] = TEMPERATURE_MAX;
}

static void throttled(struct call *c)
{
	c->value[0] = 0;
}

static void dma_channels(struct call *c)
{
	c->value[0] = DMA_CHANNELS;
}

// Understood, and nothing to be done about it.
static void noted(struct call *c UNUSED)
{
}

// ---- lines of the expander, which only the firmware reaches ----

// The number of a line; false after an answer that says it is none.
static bool expander_line(struct call *c, uint32_t *line)
{
	*line = c->value[0] - EXPANDER_BASE;
	if (*line >= NR_EXPANDER)
		return false;
	c->value[0] = 0; // no error
	return true;
}

static void line_state(struct call *c)
{
	uint32_t line;
	if (expander_line(c, &line))
		c->value[1] = c->property->expander >> line & 1;
}

static void set_line_state(struct call *c)
{
	uint32_t line, bit;
	if (!expander_line(c, &line))
		return;
	bit = BIT_U32(line);
	c->property->expander =
	        c->value[1] != 0 ? c->property->expander | bit : c->property->expander & ~bit;
}

static void line_config(struct call *c)
{
	uint32_t line;
	if (!expander_line(c, &line))
		return;
	c->value[1] = c->property->directions >> line & 1;
	c->value[2] = c->value[3] = c->value[4] = 0; // active high, no pull
}

static void set_line_config(struct call *c)
{
	uint32_t line, bit, state = c->value[5];
	if (!expander_line(c, &line))
		return;
	bit = BIT_U32(line);
	c->property->directions =
	        c->value[1] != 0 ? c->property->directions | bit : c->property->directions & ~bit;
	c->property->expander =
	        state != 0 ? c->property->expander | bit : c->property->expander & ~bit;
}

// ---- the table ----

static const struct {
	uint32_t tag;
	uint32_t bytes; // of the answer
	void (*answer)(struct call *c);
} tags[] = {
        {0x00000001, 4, firmware},
        {0x00010001, 4, board_model},
        {0x00010002, 4, board_revision},
        {0x00010003, 6, mac_address},
        {0x00010004, 8, board_serial},
        {0x00010005, 8, arm_memory},
        {0x00010006, 8, video_memory},
        {0x00010007, 80, list_clocks},
        {0x00020001, 8, power_state},
        {0x00020002, 8, power_timing},
        {0x00028001, 8, set_power_state},
        {0x00030001, 8, clock_state},
        {0x00038001, 8, set_clock_state},
        {0x00030002, 8, clock_rate},
        {0x00030047, 8, clock_rate}, // as measured
        {0x00038002, 8, set_clock_rate},
        {0x00030004, 8, clock_most},
        {0x00030007, 8, clock_least},
        {0x00030009, 8, turbo},
        {0x00038009, 8, set_turbo},
        {0x00030003, 8, voltage},
        {0x00038003, 8, voltage},
        {0x00030005, 8, voltage},
        {0x00030008, 8, voltage},
        {0x00030006, 8, temperature},
        {0x0003000a, 8, temperature_most},
        {0x00030046, 4, throttled},
        {0x00030030, 8, domain_state},
        {0x00038030, 8, set_domain_state},
        {0x00030041, 8, line_state},
        {0x00038041, 8, set_line_state},
        {0x00030043, 20, line_config},
        {0x00038043, 24, set_line_config},
        {0x00030048, 4, noted}, // the kernel restarts
        {0x00060001, 4, dma_channels},
};

// Bytes of the answer, or -1.
static int answer_tag(struct call *c, uint32_t tag)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (tags[i].tag == tag) {
			spin_lock(&c->property->lock);
			tags[i].answer(c);
			spin_unlock(&c->property->lock);
			return (int)tags[i].bytes;
		}
	return vbcm2835_tags_framebuffer(c, tag);
}

// ---- a message ----

// memcpy goes by bytes where one of the two is not 8-byte aligned, as tags are not.
static void copy_words(uint32_t *to, const uint32_t *from, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		to[i] = from[i];
}

// Answers the tag whose first word is message[at]; `size` words in all. The index of the next one, 0: that was the
// last, or there is something wrong with it, and then *good is false.
static uint32_t next_tag(struct call *c, uint32_t *message, uint32_t at, uint32_t size, bool *good)
{
	if (at < size && message[at] == 0)
		return 0;
	*good = size - at >= TAG_WORDS && message[at + 1] / 4 <= size - at - TAG_WORDS;
	if (!*good)
		return 0;
	c->words = (uint32_t)align_up(message[at + 1], 4) / 4;
	if (c->words > size - at - TAG_WORDS)
		c->words = size - at - TAG_WORDS;
	uint32_t copied = c->words < TAG_ROOM ? c->words : TAG_ROOM;
	memset(c->value, 0, TAG_SMALL * sizeof *c->value);
	copy_words(c->value, message + at + TAG_WORDS, copied);
	int bytes = answer_tag(c, message[at]);
	if (bytes >= 0) {
		uint32_t words = (uint32_t)align_up((uint64_t)bytes, 4) / 4;
		copy_words(message + at + TAG_WORDS, c->value, words < copied ? words : copied);
		message[at + 2] = CODE_ANSWER | ((uint32_t)bytes & CODE_LENGTH);
	}
	return at + TAG_WORDS + c->words;
}

bool vbcm2835_property_answer(struct vm *vm, uint32_t bus)
{
	uint64_t ipa = raspi3_bus_to_ipa(bus);
	uint32_t message[VBCM2835_MESSAGE_MAX / 4], header[HEADER_WORDS], value[TAG_ROOM];
	struct call c = {.vm = vm, .property = vm->raspi3->property, .value = value};
	bool good;

	if (vm_dma_read(vm, IPA(ipa), header, sizeof header) != 0)
		return false;
	good = header[1] == CODE_REQUEST && header[0] % 4 == 0 && header[0] >= sizeof header &&
	       header[0] <= sizeof message && vm_dma_read(vm, IPA(ipa), message, header[0]) == 0;
	if (!good) {
		header[1] = CODE_BAD;
		return vm_dma_write(vm, IPA(ipa), header, sizeof header) == 0;
	}
	uint32_t size = header[0] / 4, at = HEADER_WORDS;
	for (unsigned n = 0; n < MAX_TAGS && at != 0 && at < size; n++)
		at = next_tag(&c, message, at, size, &good);
	message[1] = good ? CODE_ANSWER : CODE_BAD;
	return vm_dma_write(vm, IPA(ipa), message, header[0]) == 0;
}

// Ten words: sizes, pitch, depth, place; the firmware fills in pitch, address and bytes.
bool vbcm2835_property_framebuffer(struct vm *vm, uint32_t bus)
{
	enum {
		WIDTH,
		HEIGHT,
		VIRTUAL_WIDTH,
		VIRTUAL_HEIGHT,
		PITCH,
		DEPTH,
		X,
		Y,
		ADDRESS,
		BYTES,
		WORDS
	};
	uint32_t word[WORDS];
	uint64_t ipa = raspi3_bus_to_ipa(bus);

	if (vm_dma_read(vm, IPA(ipa), word, sizeof word) != 0)
		return false;
	vbcm2835_fb_set_mode(vm, (struct vbcm2835_fb_mode){.width = word[WIDTH],
	                                                   .height = word[HEIGHT],
	                                                   .virtual_width = word[VIRTUAL_WIDTH],
	                                                   .virtual_height = word[VIRTUAL_HEIGHT],
	                                                   .depth = word[DEPTH],
	                                                   .x = word[X],
	                                                   .y = word[Y],
	                                                   .rgb = 1});
	uint64_t base = vbcm2835_fb_allocate(vm, &word[BYTES]);
	word[ADDRESS] = word[BYTES] != 0 ? (uint32_t)base | VBCM2835_BUS_ALIAS : 0;
	word[PITCH] = vbcm2835_fb_pitch(vbcm2835_fb_mode(vm));
	return vm_dma_write(vm, IPA(ipa), word, sizeof word) == 0 && word[BYTES] != 0;
}

// ---- life ----

void vbcm2835_property_reset(struct vm *vm)
{
	struct vbcm2835_property *property = vm->raspi3->property;

	spin_lock(&property->lock);
	property->clock_off = property->power_off = property->domain_on = 0;
	property->expander = property->directions = property->turbo = 0;
	for (uint32_t n = 0; n < NR_CLOCKS; n++)
		property->rate[n] = clocks[n].normal;
	spin_unlock(&property->lock);
}

int vbcm2835_property_create(struct vm *vm)
{
	struct vbcm2835_property *property = vm_alloc(vm, sizeof *property);

	if (property == NULL)
		return ERR_NO_MEMORY;
	property->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	property->serial = vm->id;
	vm->raspi3->property = property;
	return 0;
}

static const struct vstate_field fields[] = {
        VSTATE_FIELD(struct vbcm2835_property, clock_off),
        VSTATE_FIELD(struct vbcm2835_property, power_off),
        VSTATE_FIELD(struct vbcm2835_property, domain_on),
        VSTATE_FIELD(struct vbcm2835_property, expander),
        VSTATE_FIELD(struct vbcm2835_property, directions),
        VSTATE_FIELD(struct vbcm2835_property, turbo),
        VSTATE_ARRAY(struct vbcm2835_property, rate),
};

const struct vstate vbcm2835_property_state = {"bcm2835-property", fields, ARRAY_SIZE(fields),
                                               NULL};
