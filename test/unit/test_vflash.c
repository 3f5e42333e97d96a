// SPDX-License-Identifier: Apache-2.0
// The imagined flash: every command from every state, against a plain copy of what a bank holds; what the guest has
// mapped when; an erase in pieces; what a reset leaves; memory that runs out.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/string.h"
#include "fake.h"
#include "ram_arena.h"
#include "vdev/vflash.h"
#include "vdev/vstate.h"

#define IMAGE   (KIB(200) + 10) // the last page is not whole
#define SECOND  VFLASH_BANK_SIZE
#define BOTH(x) ((uint32_t)(x) << 16 | (uint32_t)(x))
#define PAGES   (VFLASH_END / PAGE_SIZE)

static struct vm vm;
static struct vcpu vcpu;
static const struct mmio_ops *ops;
static void *dev;
static uint8_t *image;
static struct page_list own, scratch;
static uint64_t pages_left, taken, promised;
static uint64_t mapped[PAGES]; // PA that stage 2 has there; 0: none
static unsigned unmappings;
static void *block[8];
static unsigned blocks;

void *vm_alloc(struct vm *v, size_t size)
{
	assert_ptr_equal(v, &vm);
	assert_true(blocks < ARRAY_SIZE(block));
	return block[blocks++] = calloc(1, size);
}
pa_t vm_take_page(struct vm *v, bool kept)
{
	assert_true(v == &vm && kept);
	if (pages_left == 0)
		return PA(0);
	pages_left--;
	taken++;
	return pages_alloc(0, 1, PAGE_DATA, &own);
}
pa_t vm_take_promised_page(struct vm *v)
{
	assert_ptr_equal(v, &vm);
	promised++;
	return pages_alloc(0, 1, PAGE_DATA, &scratch);
}
void vm_log(struct vm *v, const char *format, ...)
{
	(void)format;
	assert_ptr_equal(v, &vm);
}
int mmio_add(struct mmio_map *map, uint64_t base, uint64_t size, const struct mmio_ops *o, void *d)
{
	assert_ptr_equal(map, &vm.mmio);
	assert_int_equal(base, 0);
	assert_int_equal(size, 0x08000000);
	ops = o;
	dev = d;
	return 0;
}
int stage2_map_rom(struct stage2 *s2, uint64_t ipa, pa_t page)
{
	assert_ptr_equal(s2, &vm.stage2);
	assert_true(ipa < VFLASH_END && page.v != 0);
	if (mapped[ipa / PAGE_SIZE] != 0)
		return ERR_BUSY;
	mapped[ipa / PAGE_SIZE] = page.v;
	return 0;
}
void stage2_unmap_rom(struct stage2 *s2, uint64_t ipa)
{
	assert_ptr_equal(s2, &vm.stage2);
	assert_true(is_aligned(ipa, BLOCK_SIZE) && ipa < VFLASH_END);
	memset(&mapped[ipa / PAGE_SIZE], 0, BLOCK_SIZE / PAGE_SIZE * sizeof *mapped);
	unmappings++;
}

static void reset(void)
{
	while (pages_scrub_some(&scratch))
		;
	memset(mapped, 0, sizeof mapped);
	assert_int_equal(vflash_reset(&vm), 0);
}

static int open_program(void **state)
{
	(void)state;
	fake_reset();
	ram_arena_init(MIB(32));
	return 0;
}

static int setup(void **state)
{
	(void)state;
	image = malloc(IMAGE);
	for (size_t i = 0; i < IMAGE; i++)
		image[i] = (uint8_t)(i * 7 + (i >> 9) + 1);
	vm = (struct vm){.id = 1, .firmware = {image, IMAGE}};
	pages_left = PAGES;
	taken = promised = unmappings = 0;
	assert_int_equal(vflash_create(&vm), 0);
	assert_non_null(vm.flash);
	reset();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	while (pages_scrub_some(&scratch) || pages_scrub_some(&own) || pages_scrub_some(&vm.pages))
		;
	while (blocks > 0)
		free(block[--blocks]);
	free(image);
	return 0;
}

static uint64_t get(uint64_t at, unsigned size)
{
	uint64_t value = 0;
	assert_true(ops->read(dev, &vcpu, (uint32_t)at, size, &value));
	return value;
}

// As the guest does it: again until it is done. How often it was.
static unsigned set(uint64_t at, unsigned size, uint64_t value)
{
	unsigned times = 0;
	do {
		vcpu.repeat = false;
		assert_true(ops->write(dev, &vcpu, (uint32_t)at, size, value));
		assert_true(++times < 100);
	} while (vcpu.repeat);
	return times;
}

static void command(uint64_t at, uint32_t what)
{
	set(at, 4, BOTH(what));
}

static uint32_t finish(uint64_t at)
{
	unsigned polls = 0;
	while ((get(at, 4) & VFLASH_READY) == 0)
		assert_true(++polls < 100);
	return (uint32_t)get(at, 4);
}

static uint32_t program(uint64_t at, uint32_t value)
{
	command(at, 0x40);
	set(at, 4, value);
	uint32_t status = finish(at);
	command(at, 0x50);
	command(at, 0xff);
	return status;
}

static uint32_t erase(uint64_t at)
{
	command(at, 0x20);
	command(at, 0xd0);
	uint32_t status = finish(at);
	command(at, 0x50);
	command(at, 0xff);
	return status;
}

// What the guest reads of a page that it touches.
static const uint8_t *touch(uint64_t at)
{
	assert_int_equal(vflash_touch(&vm, at), 0);
	assert_true(mapped[at / PAGE_SIZE] != 0);
	return (const uint8_t *)(uintptr_t)mapped[at / PAGE_SIZE] + at % PAGE_SIZE;
}

// ---- what is there ----

static void test_without_firmware(void **state)
{
	(void)state;
	struct vm other = {.id = 2};
	assert_int_equal(vflash_create(&other), 0);
	assert_int_equal(vflash_reset(&other), 0);
	assert_null(other.flash);
	assert_false(vflash_has(&other, 0));
	assert_int_equal(vflash_touch(&other, 0), ERR_RANGE);
	assert_int_equal(vflash_pages(1), 1 + 64);
	assert_int_equal(vflash_pages(KIB(8) + 1), 3 + 64);
}

static void test_contents(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < IMAGE; at += 1021) {
		assert_int_equal(*touch(at), image[at]);
		assert_int_equal(get(at, 1), image[at]);
	}
	assert_int_equal(promised, (IMAGE + PAGE_SIZE - 1) / PAGE_SIZE);
	const uint64_t ones[] = {IMAGE,         align_up(IMAGE, PAGE_SIZE) - 1,
	                         MIB(1),        SECOND - 1,
	                         SECOND,        SECOND + MIB(3),
	                         VFLASH_END - 1};
	for (unsigned i = 0; i < ARRAY_SIZE(ones); i++) {
		assert_int_equal(*touch(ones[i]), 0xff);
		assert_int_equal(get(ones[i], 1), 0xff);
	}
	// Nothing is taken for what nobody wrote, and the same page is everywhere.
	assert_int_equal(taken, 0);
	assert_int_equal(mapped[MIB(1) / PAGE_SIZE], mapped[SECOND / PAGE_SIZE]);
	assert_int_equal(vflash_touch(&vm, VFLASH_END), ERR_RANGE);
	assert_true(vflash_has(&vm, VFLASH_END - 1) && !vflash_has(&vm, VFLASH_END));
	for (unsigned size = 2; size <= 8;
	     size *= 2) // across nothing, and no width but at its multiples
		for (unsigned lane = 1; lane < size; lane++) {
			uint64_t value;
			assert_false(ops->read(dev, &vcpu, lane, size, &value));
			assert_false(ops->write(dev, &vcpu, lane, size, 0x98));
		}
}

// What it says about itself, whatever the width that asked.
static void test_query(void **state)
{
	(void)state;
	for (uint64_t bank = 0; bank <= SECOND; bank += SECOND) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			set(bank + 0x154 * 8, size, UINT64_C(0x0098009800980098));
			assert_int_equal(vflash_touch(&vm, bank), ERR_RANGE);
			assert_int_equal(get(bank + 0x40, 4), BOTH('Q'));
			assert_int_equal(get(bank + 0x44, 2), 'R');
			assert_int_equal(get(bank + 0x48, 1), 'Y');
			assert_int_equal(get(bank + 0x49, 1), 0);
			assert_int_equal(get(bank + 0x40, 8),
			                 (uint64_t)BOTH('R') << 32 | BOTH('Q'));
			assert_int_equal(UINT64_C(1) << get(bank + 4 * 0x27, 1),
			                 VFLASH_BANK_SIZE / 2);
			assert_int_equal(2 << get(bank + 4 * 0x2a, 1), VFLASH_BUFFER);
			uint64_t blocks_less_one = get(bank + 4 * 0x2d, 1) | get(bank + 4 * 0x2e, 1)
			                                                             << 8;
			uint64_t bytes =
			        (get(bank + 4 * 0x2f, 1) | get(bank + 4 * 0x30, 1) << 8) * 256;
			assert_int_equal(2 * bytes, VFLASH_BLOCK);
			assert_int_equal((blocks_less_one + 1) * bytes * 2, VFLASH_BANK_SIZE);
			uint64_t table = get(bank + 4 * 0x15, 1);
			assert_int_equal(get(bank + 4 * table, 4), BOTH('P'));
			assert_int_equal(get(bank + 4 * 0x40, 4), 0);
			command(bank, size & 1 ? 0xf0 : 0xff);
			assert_int_equal(*touch(bank), bank == 0 ? image[0] : 0xff);
		}
		command(bank, 0x90);
		assert_int_equal(get(bank, 4), BOTH(0x89));
		assert_int_equal(get(bank + 4, 4), BOTH(0x18));
		assert_int_equal(get(bank + VFLASH_BLOCK + 8, 4), BOTH(bank == 0));
		assert_int_equal(get(bank + 12, 4), 0);
		command(bank, 0xff);
	}
}

// ---- commands ----

static void test_program_and_erase(void **state)
{
	(void)state;
	assert_int_equal(program(SECOND + 0x10, 0x12345678), BOTH(VFLASH_READY));
	assert_int_equal(get(SECOND + 0x10, 4), 0x12345678);
	assert_int_equal(program(SECOND + 0x10, 0xff00ff0f), BOTH(VFLASH_READY));
	assert_int_equal(get(SECOND + 0x10, 4), 0x12005608); // only zeroes
	assert_memory_equal(touch(SECOND + 0xe), "\xff\xff\x08\x56\x00\x12\xff\xff", 8);
	assert_int_equal(taken, 1);
	command(SECOND, 0x10);
	set(SECOND + 0x21, 1, 0x55);
	command(SECOND, 0x40);
	set(SECOND + 0x26, 2, 0xabcd);
	command(SECOND, 0xff);
	assert_int_equal(get(SECOND + 0x20, 8), UINT64_C(0xabcdffffffff55ff));
	assert_int_equal(program(SECOND + VFLASH_BLOCK, 0), BOTH(VFLASH_READY)); // the next block
	assert_int_equal(erase(SECOND + VFLASH_BLOCK - 4), BOTH(VFLASH_READY));
	assert_int_equal(get(SECOND + 0x10, 4), 0xffffffff);
	assert_int_equal(get(SECOND + VFLASH_BLOCK, 4), 0);
	assert_int_equal(taken, 2);
}

static void test_the_buffer(void **state)
{
	(void)state;
	const unsigned sizes[] = {2, 4};
	for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
		uint64_t at = SECOND + PAGE_SIZE * s + 2 * VFLASH_BUFFER;
		command(at, 0xe8);
		assert_int_equal(get(at, 4), BOTH(VFLASH_READY));
		command(at, 31);
		for (unsigned i = 0; i < 32; i++)
			set(at + i * sizes[s], sizes[s], i * 0x0101);
		command(at, 0xd0);
		command(at, 0xff);
		for (unsigned i = 0; i < 32; i++)
			assert_int_equal(get(at + i * sizes[s], sizes[s]), i * 0x0101);
		assert_int_equal(get(at + 32 * sizes[s], 4), 0xffffffff);
		assert_int_equal(get(at - 4, 4), 0xffffffff);
	}
	// Too many, elsewhere than the first one, not confirmed.
	command(SECOND, 0xe8);
	command(SECOND, 32);
	assert_int_equal(get(SECOND, 4), BOTH(0xb0));
	command(SECOND, 0x50);
	command(SECOND, 0xe8);
	command(SECOND, 1);
	set(SECOND, 4, 0);
	set(SECOND + VFLASH_BUFFER, 4, 0);
	assert_int_equal(get(SECOND, 4), BOTH(0xb0));
	command(SECOND, 0x50);
	command(SECOND, 0xe8);
	command(SECOND, 0);
	set(SECOND, 4, 0);
	command(SECOND, 0xff);
	assert_int_equal(get(SECOND, 4), BOTH(0xb0));
	command(SECOND, 0x50);
	command(SECOND, 0xff);
	assert_int_equal(get(SECOND, 4), 0xffffffff);
}

static void test_locked(void **state)
{
	(void)state;
	assert_int_equal(program(8, 0), BOTH(VFLASH_READY | VFLASH_PROGRAM_ERROR | VFLASH_LOCKED));
	assert_int_equal(erase(8), BOTH(VFLASH_READY | VFLASH_ERASE_ERROR | VFLASH_LOCKED));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(get(8 + i, 1), image[8 + i]);
	const uint32_t locks[] = {0x01, 0xd0, 0x2f};
	for (unsigned i = 0; i < ARRAY_SIZE(locks); i++) { // taken, and of no effect
		command(SECOND, 0x60);
		command(SECOND, locks[i]);
		assert_int_equal(get(SECOND, 4), BOTH(VFLASH_READY));
		assert_int_equal(program(SECOND, ~(1U << i)), BOTH(VFLASH_READY));
	}
	assert_int_equal(get(SECOND, 4), ~7U);
	command(SECOND, 0x60);
	command(SECOND, 0x03);
	assert_int_equal(get(SECOND, 4), BOTH(0xb0));
}

// Codes that are no command change nothing, in any mode that waits for one.
static void test_no_command(void **state)
{
	static const uint8_t known[] = {0xff, 0xf0, 0x90, 0x98, 0x70, 0x50, 0x10,
	                                0x40, 0x20, 0x60, 0xe8, 0xb0, 0xd0};
	static const uint8_t modes[] = {0xff, 0x90, 0x98, 0x70};
	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
		command(SECOND, modes[m]);
		uint64_t before = get(SECOND + 0x40, 8);
		for (unsigned code = 0; code < 256; code++) {
			if (memchr(known, (int)code, sizeof known) != NULL)
				continue;
			command(SECOND, code);
			assert_int_equal(get(SECOND + 0x40, 8), before);
		}
	}
	command(SECOND, 0xff);
	assert_int_equal(taken, 0);
}

// ---- memory and device by turns ----

static unsigned count_mapped(uint64_t from, uint64_t to)
{
	unsigned n = 0;
	for (uint64_t page = from / PAGE_SIZE; page < to / PAGE_SIZE; page++)
		n += mapped[page] != 0;
	return n;
}

static void test_hiding(void **state)
{
	(void)state;
	for (uint64_t at = 0; at < VFLASH_END; at += MIB(16))
		(void)touch(at);
	assert_int_equal(count_mapped(0, VFLASH_END), 8 * 16);
	// A write that changes nothing leaves all of it.
	assert_int_equal(set(0x1000, 4, BOTH(0xff)), 1);
	assert_int_equal(set(0x1000, 4, BOTH(0x50)), 1);
	assert_int_equal(set(0x1000, 8, 0), 1);
	assert_int_equal(count_mapped(0, VFLASH_END), 8 * 16);
	// Each time 2 MiB, the first ones last.
	vcpu.repeat = false;
	assert_true(ops->write(dev, &vcpu, 0x1000, 4, BOTH(0x98)));
	assert_true(vcpu.repeat);
	assert_int_equal(unmappings, 1);
	assert_true(mapped[0] != 0);
	assert_int_equal(set(0x1000, 4, BOTH(0x98)), 3);
	assert_int_equal(unmappings, 4);
	assert_int_equal(count_mapped(0, SECOND), 0);
	assert_int_equal(count_mapped(SECOND, VFLASH_END), 4 * 16); // a bank by itself
	assert_int_equal(vflash_touch(&vm, 0), ERR_RANGE);
	assert_int_equal(get(0x40, 2), 'Q');
	command(0, 0xff);
	assert_int_equal(*touch(5), image[5]);
	assert_int_equal(promised, 16); // what was copied before is still there
	// A pair of commands in one write, of which only the second one leads away.
	assert_int_equal(set(SECOND, 8, (uint64_t)BOTH(0x70) << 32 | BOTH(0xff)), 4);
	assert_int_equal(count_mapped(SECOND, VFLASH_END), 0);
	assert_int_equal(get(SECOND, 4), BOTH(VFLASH_READY));
}

// An erase takes as many accesses as it has pieces; until then it is busy, and a write waits.
static void test_busy(void **state)
{
	(void)state;
	for (unsigned page = 0; page < VFLASH_BLOCK / PAGE_SIZE; page++)
		program(SECOND + page * PAGE_SIZE, 0);
	command(SECOND, 0x20);
	command(SECOND, 0xd0);
	assert_int_equal(get(SECOND, 4), 0);
	assert_int_equal(get(SECOND, 4), 0);
	assert_int_equal(get(SECOND, 4), 0);
	assert_int_equal(get(SECOND, 4), BOTH(VFLASH_READY));
	command(SECOND, 0xff);
	program(SECOND, 0);
	command(SECOND, 0x20);
	command(SECOND, 0xd0);
	assert_int_equal(set(SECOND, 4, BOTH(0xff)), 4);
	for (uint64_t at = SECOND; at < SECOND + VFLASH_BLOCK; at += PAGE_SIZE)
		assert_int_equal(get(at, 8), ~UINT64_C(0));
}

// The firmware is as it was packed, what was programmed stays, and no command is half given.
static void test_reset(void **state)
{
	(void)state;
	(void)touch(0);
	program(SECOND + 4, 0x11223344);
	command(0, 0x98);
	command(SECOND, 0xe8);
	command(SECOND, 3);
	reset();
	assert_int_equal(*touch(0), image[0]);
	assert_int_equal(promised, 32);
	assert_int_equal(get(SECOND + 4, 4), 0x11223344);
	assert_memory_equal(touch(SECOND + 4), "\x44\x33\x22\x11", 4);
	assert_int_equal(taken, 1);
}

static void test_no_memory(void **state)
{
	(void)state;
	pages_left = 1;
	assert_int_equal(program(SECOND, 0), BOTH(VFLASH_READY));
	assert_int_equal(program(SECOND + PAGE_SIZE, 0), BOTH(VFLASH_READY | VFLASH_PROGRAM_ERROR));
	assert_int_equal(get(SECOND + PAGE_SIZE, 4), 0xffffffff);
	assert_int_equal(program(SECOND + 4, 0), BOTH(VFLASH_READY));
}

// ---- anything ----

// The second bank against a plain model: random programs and erases, mapped or asked for.
static void test_random(void **state)
{
	enum { SIZE = KIB(512) };
	static uint8_t model[SIZE];
	(void)state;
	memset(model, 0xff, SIZE);
	uint64_t seed = 88172645463325252;
	for (unsigned n = 0; n < 20000; n++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		uint32_t at = (uint32_t)(seed >> 20) % SIZE & ~3U, value = (uint32_t)(seed >> 32);
		if (n % 500 == 0) {
			assert_int_equal(erase(SECOND + at), BOTH(VFLASH_READY));
			memset(model + align_down(at, VFLASH_BLOCK), 0xff, VFLASH_BLOCK);
		} else if (n % 3 != 0) {
			assert_int_equal(program(SECOND + at, value), BOTH(VFLASH_READY));
			for (unsigned i = 0; i < 4; i++)
				model[at + i] &= (uint8_t)(value >> (8 * i));
		} else if (n % 2 != 0) {
			assert_memory_equal(touch(SECOND + at), model + at, 4);
		} else {
			uint64_t got = get(SECOND + at, 4);
			assert_memory_equal(&got, model + at, 4);
		}
	}
}

// Writes of all widths anywhere: the answers stay within their width, the pages within the banks.
static void test_garbage(void **state)
{
	(void)state;
	uint64_t seed = 0x2545f4914f6cdd1d;
	pages_left = 1000;
	for (unsigned n = 0; n < 200000; n++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		unsigned size = 1U << (seed & 3);
		uint64_t at = (seed >> 8) % VFLASH_END & ~(uint64_t)(size - 1);
		if (seed & 4)
			at &= SECOND | (KIB(512) - 1);
		static const uint8_t likely[] = {0x20, 0xd0, 0xe8, 0x40, 0x00, 0x98, 0xff, 0x60};
		uint64_t value = seed & 8 ? BOTH(likely[seed >> 40 & 7]) : seed >> 16;
		if (seed & 16)
			(void)set(at, size, value);
		else if (vflash_touch(&vm, at) == ERR_RANGE && size < 8)
			assert_int_equal(get(at, size) >> (8 * size), 0);
		if (n % 5000 == 0)
			reset();
	}
}

static void test_state(void **state)
{
	(void)state;
	for (unsigned i = 0; i < vflash_state.nr_fields; i++)
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(vflash_state.fields[i].offset,
			                     vflash_state.fields[k].offset);
	assert_string_equal(vflash_state.device, "flash");
}

int main(void)
{
#define HERE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
	        HERE(test_without_firmware),
	        HERE(test_contents),
	        HERE(test_query),
	        HERE(test_program_and_erase),
	        HERE(test_the_buffer),
	        HERE(test_locked),
	        HERE(test_no_command),
	        HERE(test_hiding),
	        HERE(test_busy),
	        HERE(test_reset),
	        HERE(test_no_memory),
	        HERE(test_random),
	        HERE(test_garbage),
	        HERE(test_state),
	};
	return cmocka_run_group_tests(tests, open_program, NULL);
}
