// SPDX-License-Identifier: Apache-2.0
// Set/way cache maintenance: cleaned by address in bounded pieces, once, until the guest's caches change
// their state; watched with HCR_EL2.TVM for as long as that can matter.
#include "trap/trap.h"
#include "vcpu_bench.h"

#define PC UINT64_C(0xffff800010001000)

// ---- stage 2: so and so many pieces ----

static unsigned pieces_left, pieces_done;
static uint64_t cursor_seen;

bool stage2_clean_some(struct stage2 *s2, uint64_t *cursor)
{
	assert_ptr_equal(s2, &vm.stage2);
	if (*cursor == 0)
		cursor_seen = 0;
	assert_int_equal(*cursor, cursor_seen); // nobody moved it in between
	pieces_done++;
	*cursor += KIB(512);
	cursor_seen = *cursor;
	return --pieces_left == 0;
}

void vcpu_set_hcr(struct vcpu *of, uint64_t mask, uint64_t bits)
{
	of->hcr = (of->hcr & ~mask) | bits;
}

void trap_advance(struct vcpu *of, uint64_t esr)
{
	of->frame.pc += (esr & ESR_IL) != 0 ? 4 : 2;
}

// What the guest's DC CISW costs until the guest goes on; each trap does one piece.
static unsigned set_way(unsigned pieces)
{
	unsigned traps = 0;
	pieces_left = pieces;
	pieces_done = 0;
	vcpu->frame.pc = PC;
	while (vcpu->frame.pc == PC) {
		unsigned before = pieces_done;
		setway_trap(vcpu, ESR_IL);
		assert_true(pieces_done - before <= 1);
		assert_true(++traps < 10000);
	}
	assert_int_equal(vcpu->frame.pc, PC + 4);
	return traps;
}

static bool watched(void)
{
	return (vcpu->hcr & HCR_TVM) != 0;
}

// A write to SCTLR_EL1 until it is through.
static unsigned switch_caches(uint64_t before, uint64_t after, unsigned pieces)
{
	unsigned traps = 1;
	pieces_left = pieces;
	pieces_done = 0;
	while (!setway_caches_change(vcpu, before, after))
		assert_true(++traps < 10000);
	return traps;
}

static int setup(void **state)
{
	bench_setup(state);
	vcpu->hcr = HCR_VM | HCR_RW | HCR_TSW;
	return 0;
}

static void test_the_first_one_cleans_all(void **state)
{
	(void)state;
	assert_int_equal(set_way(37), 37);
	assert_int_equal(pieces_done, 37);
	assert_int_equal(vcpu->setway_cursor, 0);
	assert_true(watched());
	assert_int_equal(vcpu->hcr & ~HCR_TVM, HCR_VM | HCR_RW | HCR_TSW);
}

// A loop over all sets and ways is thousands of operations: the others cost nothing.
static void test_the_others_are_done_already(void **state)
{
	(void)state;
	set_way(5);
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(set_way(1000), 1);
		assert_int_equal(pieces_done, 0);
	}
}

#define ON  (SCTLR_M | SCTLR_C)
#define OFF 0

static void test_caches_go_on(void **state)
{
	(void)state;
	set_way(3);
	assert_int_equal(switch_caches(OFF, ON, 4), 4); // cleaned again, in pieces
	assert_int_equal(pieces_done, 4);
	assert_false(watched()); // a running system pays nothing
	assert_int_equal(set_way(6), 6);
	assert_true(watched());
}

static void test_caches_go_off(void **state)
{
	(void)state;
	set_way(3);
	assert_true(watched());
	assert_int_equal(switch_caches(ON, OFF, 2), 2);
	assert_true(watched());          // they may go on again
	assert_int_equal(set_way(7), 7); // and what came since is cleaned
	assert_int_equal(switch_caches(OFF, ON, 1), 1);
	assert_false(watched());
}

static void test_other_bits_do_not_matter(void **state)
{
	(void)state;
	set_way(3);
	static const struct {
		uint64_t before, after;
	} same[] = {{OFF, SCTLR_M}, {SCTLR_M, OFF},         {SCTLR_C, SCTLR_M},
	            {OFF, SCTLR_C}, {ON, ON | SCTLR_I},     {ON | SCTLR_I, ON},
	            {OFF, SCTLR_I}, {ON, ON | BIT_U64(63)}, {OFF, OFF}};
	for (unsigned i = 0; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(switch_caches(same[i].before, same[i].after, 100), 1);
		assert_int_equal(pieces_done, 0);
		assert_true(watched());
		assert_int_equal(set_way(100), 1);
	}
}

// A vCPU has its own state: another one's loop is not taken for done.
static void test_each_vcpu_for_itself(void **state)
{
	(void)state;
	set_way(3);
	assert_true(vcpus[0].setway_done);
	assert_false(vcpus[1].setway_done);
	vcpus[1].frame.pc = PC;
	pieces_left = 2;
	setway_trap(&vcpus[1], ESR_IL);
	assert_int_equal(vcpus[1].frame.pc, PC);
	assert_int_equal(vcpus[1].setway_cursor, KIB(512));
	assert_int_equal(vcpus[0].setway_cursor, 0);
	setway_trap(&vcpus[1], ESR_IL);
	assert_int_equal(vcpus[1].frame.pc, PC + 4);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_the_first_one_cleans_all),
	        TEST(test_the_others_are_done_already),
	        TEST(test_caches_go_on),
	        TEST(test_caches_go_off),
	        TEST(test_other_bits_do_not_matter),
	        TEST(test_each_vcpu_for_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
