// SPDX-License-Identifier: Apache-2.0
// The imagined DMA controller: every kind of transfer against a reference that moves byte by byte, chains, loops,
// errors, a chip's data port, and that no block and no register makes it work without end or reach what is not RAM.
#define PI_LINES
#include "pi_bench.h"

#include "vdev/vbcm2835_dma.h"

#define DMA      RASPI3_DMA_BASE
#define RAM_SIZE 0x40000u
#define FENCE    64u
#define PORT_BUS 0x7e202040u
#define WAIT     20 // microseconds between two pieces
#define LINE(n)  (16 + (n))

enum {
	CS = 0x00,
	CONBLK = 0x04,
	TI = 0x08,
	SOURCE = 0x0c,
	DEST = 0x10,
	LENGTH = 0x14,
	STRIDE = 0x18
};
enum { NEXT = 0x1c, DEBUG = 0x20, INT_STATUS = 0xfe0, ENABLE = 0xff0 };
enum {
	ACTIVE = 1,
	END = 2,
	INT = 4,
	DREQ = 8,
	PAUSED = 16,
	DREQ_STOPS = 32,
	WRITES = 64,
	ERROR = 256
};
enum {
	INTEN = 1,
	TDMODE = 2,
	DEST_INC = 16,
	DEST_DREQ = 64,
	DEST_IGNORE = 128,
	SRC_INC = 256,
	SRC_DREQ = 1024
};
enum { SRC_IGNORE = 2048, COPY = SRC_INC | DEST_INC };
#define ABORT 0x40000000u
#define RESET 0x80000000u

static uint8_t ram[RAM_SIZE + FENCE];
static uint8_t touched[RAM_SIZE / 4096];
static unsigned accesses, first_touches;
static uint64_t moved; // bytes, since somebody last looked

static bool reach(ipa_t ipa, size_t size)
{
	accesses++;
	moved += size;
	assert_true(size != 0 && size <= 65536);
	if (!range_contains(0, RAM_SIZE, ipa.v, size))
		return false;
	for (uint64_t page = ipa.v / 4096; page <= (ipa.v + size - 1) / 4096; page++) {
		first_touches += touched[page] == 0;
		touched[page] = 1;
	}
	return true;
}

int vm_dma_read(struct vm *v, ipa_t ipa, void *to, size_t size)
{
	assert_ptr_equal(v, vm);
	if (!reach(ipa, size))
		return ERR_FAULT;
	memcpy(to, ram + ipa.v, size);
	return 0;
}

int vm_dma_write(struct vm *v, ipa_t ipa, const void *from, size_t size)
{
	assert_ptr_equal(v, vm);
	if (!reach(ipa, size))
		return ERR_FAULT;
	memcpy(ram + ipa.v, from, size);
	return 0;
}

bool vm_dma_is_touched(struct vm *v, ipa_t ipa)
{
	assert_ptr_equal(v, vm);
	assert_true(ipa.v < RAM_SIZE);
	return touched[ipa.v / 4096] != 0;
}

// ---- a chip with a queue ----

static uint32_t queue[4096];
static unsigned queue_in, queue_out, queue_space;
static unsigned most; // words it moves at a time
static void (*in_call)(void);

static unsigned port_read(struct vm *v, uint32_t *words, unsigned count)
{
	unsigned n = 0;
	assert_ptr_equal(v, vm);
	for (; n < count && n < most && queue_out < queue_in; n++)
		words[n] = queue[queue_out++];
	if (in_call != NULL)
		in_call();
	return n;
}

static unsigned port_write(struct vm *v, const uint32_t *words, unsigned count)
{
	unsigned n = 0;
	assert_ptr_equal(v, vm);
	for (; n < count && n < most && queue_in < queue_space; n++)
		queue[queue_in++] = words[n];
	if (in_call != NULL)
		in_call();
	return n;
}

static const struct vbcm2835_dma_port port = {PORT_BUS, VBCM2835_DREQ_SDHOST, port_read,
                                              port_write};

// ---- the bench ----

static int setup(void **state)
{
	(void)state;
	pi_setup();
	vm->ram_size = RAM_SIZE;
	for (unsigned i = 0; i < sizeof ram; i++)
		ram[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
	memset(touched, 1, sizeof touched);
	queue_in = queue_out = 0;
	queue_space = ARRAY_SIZE(queue);
	most = UINT32_MAX;
	in_call = NULL;
	assert_int_equal(vbcm2835_dma_create(vm), 0);
	vbcm2835_dma_reset(vm);
	vbcm2835_dma_connect(vm, &port);
	return 0;
}

static uint64_t reg(unsigned n, uint32_t offset)
{
	return (n == 15 ? RASPI3_DMA15_BASE : DMA + n * 0x100) + offset;
}

static uint32_t word(uint32_t at)
{
	uint32_t value;
	memcpy(&value, ram + at, 4);
	return value;
}

static void put(uint32_t at, uint32_t value)
{
	memcpy(ram + at, &value, 4);
}

struct block {
	uint32_t ti, source, dest, length, stride, next;
};

static void put_block(uint32_t at, struct block block)
{
	memcpy(ram + at, &block, sizeof block);
}

static uint32_t cs(unsigned n)
{
	return get(reg(n, CS));
}

static void start(unsigned n, uint32_t bus)
{
	set(reg(n, CS), END | INT);
	set(reg(n, CONBLK), bus);
	set(reg(n, CS), ACTIVE);
}

// Until nothing is left; how many microseconds.
static unsigned finish(unsigned n)
{
	unsigned us = 0;
	for (; (cs(n) & ACTIVE) != 0 && us < 2000000; us += WAIT)
		pass_us(WAIT);
	assert_int_equal(cs(n) & ACTIVE, 0);
	return us;
}

// ---- the reference ----

static uint8_t expected[sizeof ram];

static void reference_row(const struct block *b, uint32_t source, uint32_t dest, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++) {
		uint32_t from = source + ((b->ti & SRC_INC) ? i : i % 4);
		uint32_t to = dest + ((b->ti & DEST_INC) ? i : i % 4);
		if (!(b->ti & (SRC_IGNORE | DEST_IGNORE)))
			expected[to] = ram[from];
	}
}

static uint32_t extend(uint32_t stride)
{
	return (stride & 0xffff) - ((stride & 0x8000) ? 0x10000 : 0);
}

// What RAM should be; source and dest do not overlap.
static void reference(const struct block *b, bool lite)
{
	uint32_t x = lite ? b->length & 0xffff : b->length & 0x3fffffff, rows = 1;
	uint32_t source = b->source & 0x3fffffff, dest = b->dest & 0x3fffffff;
	memcpy(expected, ram, sizeof ram);
	if ((b->ti & TDMODE) && !lite) {
		x = b->length & 0xffff;
		rows = (b->length >> 16 & 0x3fff) + 1;
	}
	for (; rows > 0; rows--) {
		reference_row(b, source, dest, x);
		source += (b->ti & SRC_INC) ? x : 0;
		dest += (b->ti & DEST_INC) ? x : 0;
		source += extend(b->stride);
		dest += extend(b->stride >> 16);
	}
}

static void check_block(unsigned n, struct block b)
{
	bool lite = n >= 7 && n < 15;
	if (lite)
		b.ti &= ~(uint32_t)(SRC_IGNORE | DEST_IGNORE);
	put_block(0x100, b);
	reference(&b, lite);
	start(n, 0x100 | 0xc0000000);
	finish(n);
	assert_int_equal(cs(n) & (END | ERROR), END);
	assert_int_equal((cs(n) & INT) != 0, (b.ti & INTEN) != 0);
	assert_int_equal(get(reg(n, CONBLK)), 0);
	assert_memory_equal(ram, expected, sizeof ram);
}

// ---- the tests ----

static void test_every_transfer(void **state)
{
	static const uint32_t lengths[] = {4, 1, 7, 64, 2047, 2048, 2049, 4099, 9000};
	(void)state;
	for (uint32_t bits = 0; bits < 1 << 5; bits++) {
		uint32_t ti = ((bits & 1) ? SRC_INC : 0) | ((bits & 2) ? DEST_INC : 0) |
		              ((bits & 4) ? SRC_IGNORE : 0) | ((bits & 8) ? DEST_IGNORE : 0) |
		              ((bits & 16) ? INTEN : 0);
		for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
			for (unsigned n = 0; n < 16; n += 5)
				check_block(n, (struct block){ti, 0x1000 + i % 3, 0x8000 + i % 5,
				                              lengths[i], 0, 0});
	}
}

static void test_the_four_aliases(void **state)
{
	(void)state;
	for (uint32_t alias = 0; alias < 4; alias++)
		for (uint32_t other = 0; other < 4; other++)
			check_block(3, (struct block){COPY, 0x2004 | alias << 30,
			                              0x9000 | other << 30, 1000, 0, 0});
}

static void test_two_dimensions(void **state)
{
	(void)state;
	struct block b = {COPY | TDMODE, 0x10000, 0x20000, 7 << 16 | 24, 0, 0};
	static const int16_t strides[] = {0, 8, 1000, -48, -24, -600};
	for (unsigned i = 0; i < ARRAY_SIZE(strides); i++) {
		for (unsigned j = 0; j < ARRAY_SIZE(strides); j++) {
			b.stride = (uint32_t)strides[i] << 16 | (uint16_t)strides[j];
			check_block(0, b);
			check_block(8, b); // reads it as a length of 24 bytes
		}
	}
	b.ti = TDMODE | SRC_INC;
	check_block(1, b);
	b.ti = TDMODE | DEST_INC | SRC_IGNORE;
	check_block(1, b);
	b.ti = TDMODE | COPY;
	b.length = 0x3fff << 16 | 4;
	b.stride = (uint32_t)-4 << 16 | (uint16_t)-4; // one word, 16384 times
	check_block(2, b);
	b.length = 0x3fff << 16; // and none
	check_block(2, b);
}

static void test_registers_while_paused(void **state)
{
	(void)state;
	put_block(0x100, (struct block){COPY | TDMODE, 0x1000, 0x8000, 99u << 16 | 0x100, 0x100000,
	                                0x240});
	start(4, 0x100);
	assert_true(cs(4) & ACTIVE); // more than a piece
	set(reg(4, CS), 0xff0000);
	assert_int_equal(cs(4), 0xff0000 | PAUSED);
	uint32_t rows = get(reg(4, LENGTH)) >> 16;
	assert_in_range(rows, 1, 98);
	assert_int_equal(get(reg(4, LENGTH)) & 0xffff, 0x100);
	assert_int_equal(get(reg(4, SOURCE)), 0x1000 + (99 - rows) * 0x100);
	assert_int_equal(get(reg(4, DEST)), 0x8000 + (99 - rows) * 0x110);
	assert_int_equal(get(reg(4, STRIDE)), 0x100000);
	assert_int_equal(get(reg(4, TI)), COPY | TDMODE);
	assert_int_equal(get(reg(4, NEXT)), 0x240);
	assert_int_equal(get(reg(4, CONBLK)), 0x100);
	assert_int_equal(get(reg(4, DEBUG)), 0x4000400);
	assert_int_equal(get(reg(9, DEBUG)), 0x14000900);
	pass_us(10000); // nothing happens
	assert_int_equal(get(reg(4, LENGTH)) >> 16, rows);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
	set(reg(4, TI), 0); // read-only
	set(reg(4, DEST), 0);
	set(reg(4, NEXT), 0);
	set(reg(4, CS), ACTIVE);
	finish(4);
	assert_int_equal(cs(4), END);
	assert_memory_equal(ram + 0x1000 + 99 * 0x100, ram + 0x8000 + 99 * 0x110, 0x100);
}

static void test_short_copies_are_done_at_once(void **state)
{
	(void)state;
	put_block(0x100, (struct block){COPY | INTEN, 0x1000, 0x8000, 2048, 0, 0x140});
	put_block(0x140, (struct block){COPY, 0x1800, 0x8800, 512, 0, 0});
	start(0, 0x100);
	assert_int_equal(cs(0), END | INT);
	assert_int_equal(get(reg(0, CONBLK)), 0);
	assert_memory_equal(ram + 0x1000, ram + 0x8000, 2560);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
	accesses = 0;
	set(reg(0, CS), ACTIVE | INT); // as drivers do at the end
	assert_int_equal(cs(0), END);
	assert_int_equal(accesses, 0);
}

static void test_chain_and_interrupts(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 16; n++) {
		unsigned line = n < 11 ? LINE(n) : LINE(11);
		memset(ram + 0x8000, 0, 0x1000);
		put_block(0x100, (struct block){COPY | INTEN, 0x1000, 0x8000, 64, 0, 0x80000140});
		put_block(0x140, (struct block){COPY, 0x1100, 0x8040, 64, 0, 0x40000180});
		put_block(0x180, (struct block){DEST_INC, 0x1200, 0x8080, 64, 0, 0});
		start(n, 0x100);
		assert_int_equal(cs(n), END | INT);
		assert_int_equal(get(DMA + INT_STATUS), 1u << n);
		assert_int_equal(pi_line[line], n < 15);
		assert_true(pi_line[LINE(12)]);
		assert_memory_equal(ram + 0x1000, ram + 0x8000, 64);
		assert_memory_equal(ram + 0x1100, ram + 0x8040, 64);
		assert_int_equal(word(0x80bc), word(0x1200));
		assert_int_equal(word(0x80c0), 0);
		set(reg(n, CS), END);
		assert_true(pi_line[LINE(12)]);
		set(reg(n, CS), INT);
		assert_false(pi_line[line] || pi_line[LINE(12)]);
		assert_int_equal(get(DMA + INT_STATUS), 0);
	}
	put_block(0x100, (struct block){INTEN, 0, 0, 0, 0, 0}); // of the shared line, two
	start(11, 0x100);
	start(14, 0x100);
	set(reg(11, CS), INT);
	assert_true(pi_line[LINE(11)]);
	set(reg(14, CS), INT);
	assert_false(pi_line[LINE(11)]);
}

// Blocks that loop cost pieces with pauses in between, and others go on beside them.
static void test_loops_are_bounded(void **state)
{
	(void)state;
	put_block(0x100, (struct block){COPY, 0x1000, 0x8000, 4, 0, 0x100});
	put_block(0x140, (struct block){INTEN, 0, 0, 0, 0, 0x160});
	put_block(0x160, (struct block){0, 0, 0, 0, 0, 0x140});
	put_block(0x180, (struct block){COPY, 0x1000, 0x10000, 0x8000, 0, 0});
	for (unsigned n = 0; n < 14; n++)
		start(n, n % 2 ? 0x100 : 0x140);
	for (unsigned i = 0; i < 100; i++) {
		accesses = 0;
		moved = 0;
		uint64_t due = alarm_first(vm);
		assert_true(due >= pi_now + timer_from_us(WAIT));
		pi_now = due;
		alarm_expire(vm);
		assert_in_range(accesses, 1, 36);
		assert_true(moved < 8192);
	}
	start(14, 0x180);
	finish(14);
	assert_memory_equal(ram + 0x1000, ram + 0x10000, 0x8000);
	for (unsigned n = 0; n < 14; n++)
		assert_true(cs(n) & ACTIVE);
	for (unsigned n = 0; n < 14; n += 2)
		set(reg(n, CS), RESET);
	set(reg(1, CS), ABORT | ACTIVE); // once more from the beginning
	assert_true(cs(1) & ACTIVE);
	for (unsigned n = 1; n < 14; n += 2) {
		set(reg(n, CS), 0);
		set(reg(n, NEXT), 0);
		set(reg(n, CS), ABORT | ACTIVE);
		assert_int_equal(cs(n) & ACTIVE, 0);
	}
	pass_us(1000);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
}

// A program that copies over its own blocks only changes what it fetches later.
static void test_blocks_that_write_blocks(void **state)
{
	(void)state;
	put_block(0x200, (struct block){COPY, 0x1000, 0x9000, 16, 0, 0});
	put_block(0x100, (struct block){COPY, 0x200, 0x100, 24, 0, 0x100});
	start(0, 0x100);
	assert_int_equal(cs(0), END);
	assert_memory_equal(ram + 0x1000, ram + 0x9000, 16);
	put_block(0x100, (struct block){COPY, 0x200, 0x114, 4, 0, 0x100}); // its own next: odd
	put(0x200, 0x101);
	start(0, 0x100);
	finish(0);
	assert_int_equal(cs(0) & ERROR, ERROR);
	assert_int_equal(get(reg(0, CONBLK)), 0x101);
}

static void check_error(unsigned n)
{
	finish(n);
	assert_int_equal(cs(n) & (ERROR | ACTIVE | END | INT), ERROR);
	assert_int_equal(get(reg(n, DEBUG)) & 7, 4);
	assert_true(cs(n) & PAUSED);
	assert_memory_equal(ram, expected, sizeof ram);
	set(reg(n, DEBUG), 3);
	assert_true(cs(n) & ERROR);
	set(reg(n, DEBUG), 4);
	assert_int_equal(cs(n) & ERROR, 0);
	set(reg(n, CS), RESET);
	assert_int_equal(cs(n), 0);
}

static void test_errors(void **state)
{
	static const uint32_t bad[] = {
	        RAM_SIZE,       RAM_SIZE - 4 + 0xc0000001,
	        0x3f000000,     0x40000000 - 4,
	        0x7e003004,     PORT_BUS + 4,
	        PORT_BUS - 4,   0x7f000000,
	        0x80000000 - 4, 0xbf201000,
	        0xc0000000 - 8, UINT32_MAX,
	        0x3f202040,     0xfe202040,
	        0x7effffff,
	};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		for (uint32_t fixed = 0; fixed < 2; fixed++) {
			uint32_t ti = fixed ? INTEN : INTEN | COPY;
			put_block(0x100, (struct block){ti, bad[i], 0x8000, 64, 0, 0x100});
			memcpy(expected, ram, sizeof ram);
			start(i, 0x100);
			check_error(i);
			put_block(0x100, (struct block){ti, 0x1000, bad[i], 64, 0, 0x100});
			memcpy(expected, ram, sizeof ram);
			start(i, 0x100);
			check_error(i);
		}
		memcpy(expected, ram, sizeof ram);
		start(i, bad[i]); // the block itself
		check_error(i);
	}
	for (uint32_t at = 0x101; at < 0x120; at++) {
		start(5, at);
		check_error(5);
	}
	put_block(0x100, (struct block){0, PORT_BUS, PORT_BUS, 64, 0, 0});
	memcpy(expected, ram, sizeof ram);
	start(5, 0x100); // from a chip to a chip
	check_error(5);
	assert_memory_equal(ram + RAM_SIZE, expected + RAM_SIZE, FENCE);
}

// A bad end does not undo what came before it.
static void test_error_at_the_end(void **state)
{
	(void)state;
	put_block(0x100, (struct block){COPY, 0x1000, RAM_SIZE - 8192, 8196, 0, 0x100});
	start(0, 0x100);
	finish(0);
	assert_true(cs(0) & ERROR);
	assert_memory_equal(ram + 0x1000, ram + RAM_SIZE - 8192, 8192);
	assert_int_equal(get(reg(0, LENGTH)), 4);
	assert_int_equal(get(reg(0, SOURCE)), 0x3000);
}

static void test_reset_and_abort(void **state)
{
	(void)state;
	put_block(0x100, (struct block){COPY | INTEN, 0x1000, 0x10000, 0xf000, 0, 0x140});
	put_block(0x140, (struct block){COPY, 0x1000, 0x8000, 16, 0, 0});
	memset(ram + 0x8000, 0, 16);
	start(2, 0x100);
	assert_true(cs(2) & ACTIVE);
	set(reg(2, CONBLK), 0x140); // while it works: ignored
	assert_int_equal(get(reg(2, CONBLK)), 0x100);
	set(reg(2, CS), RESET);
	assert_int_equal(cs(2) | get(reg(2, CONBLK)) | get(reg(2, TI)) | get(reg(2, LENGTH)), 0);
	accesses = 0;
	pass_us(10000);
	assert_int_equal(accesses, 0);
	start(2, 0x100);
	set(reg(2, CS), ABORT | ACTIVE); // goes on with the next one
	finish(2);
	assert_int_equal(cs(2), END);
	assert_memory_equal(ram + 0x1000, ram + 0x8000, 16);
	assert_true(memcmp(ram + 0x1000 + 0xe000, ram + 0x10000 + 0xe000, 0x1000) != 0);
	set(reg(2, CS), ABORT); // of nothing
	assert_int_equal(cs(2), END);
}

static void test_enable(void **state)
{
	(void)state;
	assert_int_equal(get(DMA + ENABLE), 0x7fff);
	set(DMA + ENABLE, 0xffff0006);
	assert_int_equal(get(DMA + ENABLE), 6);
	put_block(0x100, (struct block){COPY, 0x1000, 0x8000, 64, 0, 0});
	memset(ram + 0x8000, 0, 64);
	start(0, 0x100);
	pass_us(1000);
	assert_int_equal(cs(0), ACTIVE);
	assert_int_equal(word(0x8000), 0);
	set(DMA + ENABLE, 7);
	assert_int_equal(cs(0), END);
	assert_int_equal(word(0x8000), word(0x1000));
	set(DMA + ENABLE, 0);
	start(15, 0x100); // has no bit
	assert_int_equal(cs(15), END);
}

static void test_vm_reset(void **state)
{
	(void)state;
	put_block(0x100, (struct block){COPY | INTEN, 0x1000, 0x8000, 4, 0, 0x100});
	start(1, 0x100);
	assert_true(pi_line[LINE(1)]);
	assert_true(alarm_first(vm) != TIMER_NEVER);
	vbcm2835_dma_reset(vm);
	assert_false(pi_line[LINE(1)] || pi_line[LINE(12)]);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
	accesses = 0;
	pass_us(1000000);
	assert_int_equal(accesses, 0);
	assert_int_equal(cs(1), 0);
}

// One page that nobody touched before is all that a piece does.
static void test_first_touches(void **state)
{
	(void)state;
	memset(touched, 0, sizeof touched);
	memcpy(expected, ram, sizeof ram);
	memcpy(expected + 0x8ffc, ram + 0x1ffe, 8192 - 100);
	put_block(0x100, (struct block){COPY, 0x1ffe, 0x8ffc, 8192 - 100, 0, 0});
	memcpy(expected + 0x100, ram + 0x100, 32);
	moved = first_touches = 0;
	start(0, 0x100);
	for (unsigned i = 0; i < 100 && (cs(0) & ACTIVE) != 0; i++) {
		assert_true(first_touches == 0 || (first_touches == 1 && moved == 1));
		moved = first_touches = 0;
		pass_us(WAIT);
	}
	assert_int_equal(cs(0), END);
	assert_memory_equal(ram, expected, sizeof ram);
}

// ---- a chip's port ----

#define TO_MEMORY (DEST_INC | SRC_DREQ | VBCM2835_DREQ_SDHOST << 16)
#define TO_CHIP   (SRC_INC | DEST_DREQ | VBCM2835_DREQ_SDHOST << 16)

static void fill_queue(unsigned count)
{
	queue_in = count;
	queue_out = 0;
	for (unsigned i = 0; i < count; i++)
		queue[i] = i * 2654435761u + 7;
}

static void test_from_a_port(void **state)
{
	(void)state;
	fill_queue(1000);
	put_block(0x100, (struct block){TO_MEMORY | INTEN, PORT_BUS, 0xc0008000, 4096, 0, 0});
	start(5, 0x100);
	pass_us(1000);
	assert_int_equal(cs(5), ACTIVE | DREQ_STOPS);
	assert_int_equal(get(reg(5, LENGTH)), 96);
	assert_int_equal(get(reg(5, SOURCE)), PORT_BUS);
	assert_int_equal(alarm_first(vm), TIMER_NEVER); // nobody is asked again and again
	fill_queue(1024);
	queue_out = 1000;
	vbcm2835_dma_kick(vm, 1); // another chip
	pass_us(100);
	assert_int_equal(get(reg(5, LENGTH)), 96);
	vbcm2835_dma_kick(vm, VBCM2835_DREQ_SDHOST);
	assert_int_equal(get(reg(5, LENGTH)), 96); // not within the call
	assert_true(alarm_first(vm) <= pi_now);
	pass_us(1);
	assert_int_equal(cs(5), END | INT);
	assert_memory_equal(ram + 0x8000, queue, 4096);
}

static void test_to_a_port(void **state)
{
	(void)state;
	queue_space = 100;
	put_block(0x100, (struct block){TO_CHIP, 0x1000, PORT_BUS, 1023, 0, 0});
	start(6, 0x100);
	pass_us(100);
	assert_int_equal(cs(6), ACTIVE | DREQ_STOPS);
	assert_int_equal(get(reg(6, LENGTH)), 623);
	for (most = 50; (cs(6) & ACTIVE) != 0; vbcm2835_dma_kick(vm, VBCM2835_DREQ_SDHOST)) {
		queue_space = 256;
		pass_us(100);
	}
	assert_int_equal(queue_in, 256);
	assert_memory_equal(queue, ram + 0x1000, 1020);
	assert_int_equal(queue[255], word(0x1000 + 1020) & 0xffffff); // three bytes
}

static void kick(void)
{
	vbcm2835_dma_kick(vm, VBCM2835_DREQ_SDHOST);
}

// A chip that asks for more from within its own function goes on in the same piece, a bounded while.
static void test_kicks_from_within(void **state)
{
	(void)state;
	fill_queue(1024);
	most = 16;
	in_call = kick;
	put_block(0x100, (struct block){TO_MEMORY, PORT_BUS, 0x8000, 1024, 0, 0});
	start(5, 0x100);
	assert_true(queue_out > 16);
	finish(5);
	assert_memory_equal(ram + 0x8000, queue, 1024);
	most = 0; // and never has any
	start(5, 0x100);
	for (unsigned i = 0; i < 50; i++)
		pass_us(WAIT);
	assert_int_equal(cs(5) & ACTIVE, ACTIVE);
	in_call = NULL;
	pass_us(100);
	assert_int_equal(alarm_first(vm), TIMER_NEVER);
}

static unsigned calls;

static void reset_it(void)
{
	calls++;
	assert_true(cs(5) & WRITES);
	set(reg(5, CS), RESET);
	set(reg(5, CONBLK), 0x140); // and starts another one at once
	set(reg(5, CS), ACTIVE);
	in_call = NULL;
}

static void pause_it(void)
{
	set(reg(5, CS), 0);
	assert_int_equal(cs(5), PAUSED | WRITES);
	in_call = NULL;
}

// While a chip moves data another vCPU may do anything to the channel.
static void test_reset_while_a_chip_moves(void **state)
{
	(void)state;
	fill_queue(1024);
	memset(ram + 0x8000, 0xee, 4096);
	put_block(0x100, (struct block){TO_MEMORY | INTEN, PORT_BUS, 0x8000, 1024, 0, 0});
	put_block(0x140, (struct block){COPY, 0x1000, 0x9000, 64, 0, 0});
	in_call = reset_it;
	calls = 0;
	start(5, 0x100);
	finish(5);
	assert_int_equal(calls, 1);
	assert_int_equal(cs(5), END);
	assert_int_equal(word(0x8000), 0xeeeeeeee);
	assert_memory_equal(ram + 0x1000, ram + 0x9000, 64);
	in_call = pause_it; // nothing is lost by a pause
	fill_queue(1024);
	start(5, 0x100);
	pass_us(100);
	assert_int_equal(cs(5), END | INT); // this was the last of it
	assert_memory_equal(ram + 0x8000, queue, 1024);
}

static void test_ports_of_one_word(void **state)
{
	(void)state;
	fill_queue(4);
	put_block(0x100, (struct block){TO_MEMORY | SRC_INC, PORT_BUS, 0x8000, 16, 0, 0});
	start(5, 0x100); // the second word is another register's
	finish(5);
	assert_true(cs(5) & ERROR);
	assert_int_equal(queue_out, 1);
	assert_int_equal(word(0x8000), queue[0]);
	put_block(0x100, (struct block){SRC_DREQ | DEST_IGNORE, PORT_BUS, 0x7e000000, 12, 0, 0});
	set(reg(5, CS), RESET);
	start(5, 0x100); // thrown away
	assert_int_equal(cs(5), END);
	assert_int_equal(queue_out, 4);
}

// ---- anything ----

static uint32_t any_address(void)
{
	static const uint32_t places[] = {0x100,      0x1000, RAM_SIZE - 64, 0x7e000000, PORT_BUS,
	                                  0x3f000000, 0};
	uint32_t at = places[(unsigned)rand() % ARRAY_SIZE(places)];
	if (rand() % 3 != 0)
		at = (uint32_t)rand() % RAM_SIZE;
	return (at + (uint32_t)rand() % 4 * (uint32_t)(rand() % 4 == 0)) | (uint32_t)rand() % 4
	                                                                           << 30;
}

static void test_anything(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		srand(seed);
		in_call = seed % 2 ? kick : NULL;
		most = (unsigned)rand() % 30;
		queue_in = queue_out = 0;
		for (unsigned i = 0; i < 64; i++) {
			uint32_t length = rand() % 2 ? (uint32_t)rand() : (uint32_t)rand() % 5000;
			put_block(i * 32,
			          (struct block){(uint32_t)rand(), any_address(), any_address(),
			                         length, (uint32_t)rand() << 4,
			                         (uint32_t)rand() % 64 * 32});
		}
		for (unsigned i = 0; i < 60; i++) {
			unsigned n = (unsigned)rand() % 16;
			set(reg(n, CS), END | INT);
			set(reg(n, CONBLK), (uint32_t)rand() % 64 * 32);
			moved = 0; // read and written
			set(reg(n, CS), ACTIVE);
			assert_true(moved < 16384);
			pi_random_accesses((unsigned)rand(), DMA, 0x1000, 1);
			pass_us((uint64_t)rand() % 100);
		}
		vbcm2835_dma_reset(vm);
		assert_int_equal(alarm_first(vm), TIMER_NEVER);
	}
	for (unsigned seed = 0; seed < 20; seed++) {
		pi_random_accesses(seed, DMA, 0x1000, 1000);
		pi_random_accesses(seed, DMA + 0x300, 0x24, 300);
		pi_random_accesses(seed, RASPI3_DMA15_BASE, 0x100, 300);
	}
}

static void test_state_is_described(void **state)
{
	(void)state;
	assert_string_equal(vbcm2835_dma_state.device, "bcm2835-dma");
	assert_int_equal(vbcm2835_dma_state.nr_fields, 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, pi_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_every_transfer),
	        TEST(test_the_four_aliases),
	        TEST(test_two_dimensions),
	        TEST(test_registers_while_paused),
	        TEST(test_short_copies_are_done_at_once),
	        TEST(test_chain_and_interrupts),
	        TEST(test_loops_are_bounded),
	        TEST(test_blocks_that_write_blocks),
	        TEST(test_errors),
	        TEST(test_error_at_the_end),
	        TEST(test_reset_and_abort),
	        TEST(test_enable),
	        TEST(test_vm_reset),
	        TEST(test_first_touches),
	        TEST(test_from_a_port),
	        TEST(test_to_a_port),
	        TEST(test_kicks_from_within),
	        TEST(test_reset_while_a_chip_moves),
	        TEST(test_ports_of_one_word),
	        TEST(test_anything),
	        TEST(test_state_is_described),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
