// SPDX-License-Identifier: Apache-2.0
// The imagined interrupt controllers of a Raspberry Pi 3 as one: which source reaches which core as IRQ or FIQ,
// mailboxes between cores, the local timer, and the guest's virtual timer with the board's interrupt behind it.
#include "pi_bench.h"

#include "arm/regs.h"
#include "hw/intc.h"
#include "vdev/vbcm2835_intc.h"
#include "vdev/vbcm2836.h"

#define LOCAL UINT64_C(0x40000000)
#define INTC  UINT64_C(0x3f00b200)

// ---- the board's interrupt controller ----

static unsigned deactivated;

static void deactivate(uint32_t intid)
{
	assert_int_equal(intid, INTID_CNTV);
	deactivated++;
}

static const struct intc_ops board = {.deactivate = deactivate};

static int setup(void **state)
{
	(void)state;
	pi_setup();
	deactivated = 0;
	intc = &board;
	assert_int_equal(vbcm2836_create(vm), 0);
	vbcm2836_reset(vm);
	memset(pi_posted, 0, sizeof pi_posted);
	return 0;
}

// The inputs of vCPU n: of the one that is loaded as in HCR_EL2, of the others as they will be.
static unsigned inputs(unsigned n)
{
	struct vcpu *vcpu = vm->vcpu[n], *here = cpu_this()->vcpu;
	cpu_this()->vcpu = vcpu;
	vm->irqchip->flush(vcpu);
	cpu_this()->vcpu = here;
	return ((vcpu->hcr & HCR_VI) != 0 ? 1 : 0) | ((vcpu->hcr & HCR_VF) != 0 ? 2 : 0);
}

static void line(unsigned n, bool level)
{
	virq_set(vm, NULL, VBCM2835_IRQ(n), level);
}

// ---- the VideoCore side ----

static void test_each_line_by_its_register(void **state)
{
	static const uint8_t shortcuts[] = {7, 9, 10, 18, 19, 53, 54, 55, 56, 57, 62};
	(void)state;
	for (unsigned n = 0; n < RASPI3_NR_IRQS; n++) {
		uint64_t enable = INTC + (n < 32 ? 0x10 : n < 64 ? 0x14 : 0x18), bit = 1u << n % 32;
		uint32_t basic = n < 64 ? (n < 32 ? 1u << 8 : 1u << 9) : 1u << (n - 64);
		for (unsigned i = 0; i < sizeof shortcuts; i++)
			if (n == shortcuts[i])
				basic = 1u << (10 + i);
		line(n, true);
		assert_int_equal(inputs(0), 0);
		assert_int_equal(get(INTC) | get(INTC + 4) | get(INTC + 8), 0);
		set(enable, (uint32_t)bit);
		assert_int_equal(get(enable), bit);
		assert_int_equal(inputs(0), 1);
		assert_int_equal(get(INTC), basic);
		assert_int_equal(get(INTC + 4), n < 32 ? bit : 0);
		assert_int_equal(get(INTC + 8), n >= 32 && n < 64 ? bit : 0);
		assert_int_equal(get(LOCAL + 0x60), 0x100);
		set(INTC + 0xc, 0x80 | n);
		assert_int_equal(inputs(0), 3);
		assert_int_equal(get(LOCAL + 0x70), 0x100);
		set(enable + 0xc, (uint32_t)bit); // disable
		assert_int_equal(inputs(0), 2);
		line(n, false);
		assert_int_equal(inputs(0), 0);
		set(INTC + 0xc, 0);
	}
	virq_set(vm, NULL, VBCM2835_IRQ(RASPI3_NR_IRQS), true); // there is no such line
	set(INTC + 0xc, 0x80 | RASPI3_NR_IRQS);
	set(INTC + 0xc, 0xff);
	assert_int_equal(inputs(0), 0);
}

static void test_routing(void **state)
{
	(void)state;
	line(1, true);
	set(INTC + 0x10, 2);
	set(INTC + 0xc, 0x81);
	for (unsigned irq = 0; irq < 4; irq++) {
		for (unsigned fiq = 0; fiq < 4; fiq++) {
			memset(pi_posted, 0, sizeof pi_posted);
			set(LOCAL + 0xc, irq | fiq << 2);
			assert_int_equal(get(LOCAL + 0xc), irq | fiq << 2);
			for (unsigned n = 0; n < 4; n++) {
				assert_int_equal(inputs(n),
				                 (n == irq ? 1u : 0) | (n == fiq ? 2u : 0));
				assert_int_equal(get(LOCAL + 0x60 + 4 * n), n == irq ? 0x100 : 0);
				assert_int_equal(get(LOCAL + 0x70 + 4 * n), n == fiq ? 0x100 : 0);
			}
		}
	}
	assert_int_equal(pi_posted[3], VCPU_REQ_VIRQ); // who is elsewhere was told
}

// ---- mailboxes ----

static void test_mailboxes(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		for (unsigned box = 0; box < 4; box++) {
			uint64_t to = LOCAL + 0x80 + 16 * n + 4 * box, from = to + 0x40;
			memset(pi_posted, 0, sizeof pi_posted);
			set(to, 0x10);
			set(to, 0x3);
			assert_int_equal(get(to), 0); // write-only
			assert_int_equal(get(from), 0x13);
			assert_int_equal(inputs(n), 0);
			set(LOCAL + 0x50 + 4 * n, 1u << box);
			assert_int_equal(inputs(n), 1);
			assert_int_equal(get(LOCAL + 0x60 + 4 * n), 0x10u << box);
			assert_int_equal(pi_posted[n], n == 0 ? 0 : VCPU_REQ_VIRQ);
			set(LOCAL + 0x50 + 4 * n, 0x11u << box); // FIQ goes first
			assert_int_equal(inputs(n), 2);
			assert_int_equal(get(LOCAL + 0x60 + 4 * n), 0);
			assert_int_equal(get(LOCAL + 0x70 + 4 * n), 0x10u << box);
			set(from, 0x12);
			assert_int_equal(get(from), 1);
			assert_int_equal(inputs(n), 2);
			set(from, ~0u);
			assert_int_equal(inputs(n), 0);
			set(LOCAL + 0x50 + 4 * n, 0);
		}
	}
}

static void test_a_vcpu_that_sleeps(void **state)
{
	struct vcpu *sleeper = vm->vcpu[2];
	(void)state;
	set(LOCAL + 0x58, 1);
	assert_false(virq_pending(sleeper));
	pi_access(1, LOCAL + 0xa0, 4, true, 1);
	assert_int_equal(pi_posted[2], VCPU_REQ_VIRQ);
	assert_true(virq_pending(sleeper));
	pi_posted[2] = 0;
	pi_access(1, LOCAL + 0xe0, 4, true, 1); // taken back: it must not be interrupted
	assert_int_equal(pi_posted[2], VCPU_REQ_VIRQ);
	assert_int_equal(inputs(2), 0);
}

// A board with fewer vCPUs has the registers of four.
static void test_fewer_cores(void **state)
{
	(void)state;
	vm->nr_vcpus = 1;
	set(LOCAL + 0x5c, 1);
	set(LOCAL + 0xb0, 1);
	line(1, true);
	set(INTC + 0x10, 2);
	set(LOCAL + 0xc, 3);
	assert_int_equal(get(LOCAL + 0x6c), 0x110);
	assert_int_equal(pi_posted[1] | pi_posted[2] | pi_posted[3], 0);
}

// ---- timers ----

static void test_the_physical_timer(void **state)
{
	struct vcpu *vcpu = vm->vcpu[0];
	(void)state;
	assert_false(vm->irqchip->may_interrupt(vcpu, INTID_CNTP));
	virq_set(vm, vcpu, INTID_CNTP, true);
	assert_int_equal(inputs(0), 0);
	set(LOCAL + 0x40, 1 << 1);
	assert_true(vm->irqchip->may_interrupt(vcpu, INTID_CNTP));
	assert_false(vm->irqchip->may_interrupt(vcpu, INTID_CNTV));
	assert_int_equal(inputs(0), 1);
	assert_int_equal(get(LOCAL + 0x60), 2);
	set(LOCAL + 0x40, 1 << 1 | 1 << 5);
	assert_int_equal(inputs(0), 2);
	assert_int_equal(get(LOCAL + 0x70), 2);
	virq_set(vm, vcpu, INTID_CNTP, false);
	assert_int_equal(inputs(0), 0);
	assert_int_equal(deactivated, 0);
}

static void cntv(bool high)
{
	fake_set_sysreg("cntv_ctl_el0", CNT_CTL_ENABLE | (high ? CNT_CTL_ISTATUS : 0));
}

// What the guest loop does before it enters the guest.
static bool enters_with_irq(void)
{
	struct vcpu *vcpu = vm->vcpu[0];
	if (vcpu->watched)
		vm->irqchip->look(vcpu);
	return (vcpu->hcr & HCR_VI) != 0;
}

// A tick of an operating system: interrupt, look at the source, new deadline, and on it goes.
static void test_a_tick(void **state)
{
	struct vcpu *vcpu = vm->vcpu[0];
	(void)state;
	set(LOCAL + 0x40, 8);
	for (unsigned i = 0; i < 3; i++) {
		cntv(true);
		virq_set(vm, vcpu, INTID_CNTV, true);
		assert_true(vcpu->watched);
		assert_true(virq_pending(vcpu));
		assert_true(enters_with_irq());
		assert_int_equal(get(LOCAL + 0x60), 8);
		assert_false(enters_with_irq()); // it is dealt with now, not once more afterwards
		assert_int_equal(get(LOCAL + 0x60), 8);
		assert_int_equal(deactivated, i);
		cntv(false); // without an exit
		assert_false(enters_with_irq());
		assert_int_equal(deactivated, i + 1);
		assert_false(vcpu->watched);
		assert_false(virq_pending(vcpu));
		assert_int_equal(get(LOCAL + 0x60), 0);
	}
}

// It looked and did nothing: it is interrupted again, at intervals that grow, and never without end.
static void test_a_guest_that_does_not_answer(void **state)
{
	struct vcpu *vcpu = vm->vcpu[0];
	uint64_t before = 0;
	(void)state;
	set(LOCAL + 0x40, 8);
	cntv(true);
	virq_set(vm, vcpu, INTID_CNTV, true);
	assert_int_equal(get(LOCAL + 0x60), 8);
	assert_false(enters_with_irq());
	assert_true(virq_pending(vcpu)); // but a WFI ends
	for (unsigned i = 0; i < 10; i++) {
		uint64_t at = fake_get_sysreg("cnthp_cval_el2");
		assert_int_equal(fake_get_sysreg("cnthp_ctl_el2"), CNT_CTL_ENABLE);
		assert_true(at > pi_now && at - pi_now <= PI_HZ / 1000);
		assert_true(at - pi_now >= before);
		before = at - pi_now;
		pi_now = at;
		(void)timer_expire();
		assert_true(enters_with_irq());
	}
	assert_int_equal(deactivated, 0);
	cntv(false);
	assert_false(enters_with_irq());
	assert_int_equal(deactivated, 1);
}

// A handler that does not ask where the interrupt came from is left alone once it has dealt with it.
static void test_a_guest_that_does_not_ask(void **state)
{
	(void)state;
	set(LOCAL + 0x40, 8);
	cntv(true);
	virq_set(vm, vm->vcpu[0], INTID_CNTV, true);
	assert_true(enters_with_irq());
	cntv(false);
	assert_false(enters_with_irq()); // after whatever exit comes
	assert_int_equal(deactivated, 1);
}

static void test_a_timer_nobody_listens_to(void **state)
{
	struct vcpu *vcpu = vm->vcpu[0];
	(void)state;
	cntv(true);
	virq_set(vm, vcpu, INTID_CNTV, true);
	assert_false(enters_with_irq());
	assert_false(virq_pending(vcpu));
	set(LOCAL + 0x40, 0x80); // now it is heard, as FIQ
	assert_int_equal(inputs(0), 2);
	assert_int_equal(get(LOCAL + 0x70), 8);
	fake_set_sysreg("cntv_ctl_el0", CNT_CTL_ENABLE | CNT_CTL_ISTATUS | CNT_CTL_IMASK);
	assert_false(virq_pending(vcpu));
	assert_int_equal(deactivated, 1);
}

// The vCPU goes to another CPU: the board's interrupt stays behind, ended, and comes again over there.
static void test_unloading(void **state)
{
	struct vcpu *vcpu = vm->vcpu[0];
	(void)state;
	set(LOCAL + 0x40, 8);
	cntv(true);
	virq_set(vm, vcpu, INTID_CNTV, true);
	vm->irqchip->unload(vcpu);
	assert_int_equal(deactivated, 1);
	cpu_this()->vcpu = NULL;
	assert_false(virq_pending(vcpu)); // vcpu_deadline knows
	vm->irqchip->unload(vcpu);
	assert_int_equal(deactivated, 1);
	cpu_this()->vcpu = vcpu;
	vm->irqchip->load(vcpu);
	assert_int_equal(inputs(0), 0);
	virq_set(vm, vcpu, INTID_CNTV, true);
	assert_true(enters_with_irq());
}

static void test_reading_another_cores_source(void **state)
{
	struct vcpu *vcpu = vm->vcpu[0];
	(void)state;
	set(LOCAL + 0x40, 8);
	cntv(true);
	virq_set(vm, vcpu, INTID_CNTV, true);
	cpu_this()->vcpu = vm->vcpu[1];
	assert_int_equal(pi_access(1, LOCAL + 0x60, 4, false, 0), 8);
	cpu_this()->vcpu = vcpu;
	assert_true(enters_with_irq()); // its own business only
}

// ---- the local timer and the counter ----

static void test_the_local_timer(void **state)
{
	(void)state;
	set(LOCAL + 0x24, 2);                         // IRQ of core 2
	set(LOCAL + 0x34, 1u << 28 | 1u << 29 | 384); // every 10 us
	pass_us(9);
	assert_int_equal(inputs(2), 0);
	pass_us(2);
	assert_int_equal(get(LOCAL + 0x34) >> 28, 0xb);
	assert_int_equal(get(LOCAL + 0x68), 0x800);
	assert_int_equal(inputs(2), 1);
	assert_int_equal(alarm_first(vm), TIMER_NEVER); // not before it is cleared
	pass_us(1000000);
	set(LOCAL + 0x38, 1u << 31);
	assert_int_equal(inputs(2), 0);
	pass_us(11);
	assert_int_equal(inputs(2), 1);
	set(LOCAL + 0x24, 6); // FIQ of core 2
	assert_int_equal(inputs(2), 2);
	set(LOCAL + 0x24, 1);
	assert_int_equal(inputs(2), 0);
	assert_int_equal(inputs(1), 1);
	set(LOCAL + 0x34, 0);
	set(LOCAL + 0x38, 1u << 31);
	assert_int_equal(inputs(1), 0);
	pass_us(1000);
	assert_int_equal(get(LOCAL + 0x34), 0);
	set(LOCAL + 0x34, 1u << 28 | 1u << 29); // a reload value of 0 is the longest
	pass_us(1000000);
	assert_int_equal(inputs(1), 0);
}

static void test_the_counter(void **state)
{
	(void)state;
	pass_us(1000000);
	assert_int_equal(get(LOCAL + 0x1c), 19200000);
	set(LOCAL + 8, 0x40000000);
	assert_int_equal(get(LOCAL + 0x1c), 9600000);
	pass_us(UINT64_C(3600) * 1000000 * 24 * 90);
	assert_int_equal((uint64_t)get(LOCAL + 0x20) << 32 | get(LOCAL + 0x1c),
	                 UINT64_C(9600000) * (UINT64_C(3600) * 24 * 90 + 1));
}

// ---- anything ----

static void test_a_reset(void **state)
{
	(void)state;
	line(5, true);
	for (uint64_t at = 0; at < 0x100; at += 4)
		set(LOCAL + at, ~0u);
	set(INTC + 0x10, ~0u);
	vbcm2836_reset(vm);
	for (unsigned n = 0; n < 4; n++)
		assert_int_equal(inputs(n), 0);
	for (uint64_t at = 0x24; at < 0x100; at += 4)
		assert_int_equal(get(LOCAL + at), 0);
	set(INTC + 0x10, 1 << 5); // the device still holds its line
	assert_int_equal(inputs(0), 1);
}

// Sources and inputs computed the long way, after random accesses of all cores.
static void test_against_a_simple_one(void **state)
{
	uint32_t timer[4] = {0}, mail[4] = {0}, box[4][4] = {{0}}, cntp[4] = {0}, routing = 0;
	uint64_t lines = 0, enabled = 0;
	(void)state;
	srand(7);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned n = (unsigned)rand() % 4, b = (unsigned)rand() % 4,
		         g = (unsigned)rand() % 64;
		uint32_t v = (uint32_t)rand() & (uint32_t)rand();
		switch (rand() % 8) {
		case 0: set(LOCAL + 0x40 + 4 * n, timer[n] = v & 0xff); break;
		case 1: set(LOCAL + 0x50 + 4 * n, mail[n] = v & 0xff); break;
		case 2:
			set(LOCAL + 0x80 + 16 * n + 4 * b, v);
			box[n][b] |= v;
			break;
		case 3:
			set(LOCAL + 0xc0 + 16 * n + 4 * b, v | v << 7);
			box[n][b] &= ~(v | v << 7);
			break;
		case 4: set(LOCAL + 0xc, routing = v & 15); break;
		case 5:
			cntp[n] = v & 1;
			virq_set(vm, vm->vcpu[n], INTID_CNTP, v & 1);
			break;
		case 6:
			line(g, v & 1);
			lines = (v & 1) != 0 ? lines | 1ull << g : lines & ~(1ull << g);
			break;
		case 7:
			set(INTC + ((v & 1) != 0 ? 0x10 : 0x1c) + (g < 32 ? 0 : 4), 1u << g % 32);
			enabled = (v & 1) != 0 ? enabled | 1ull << g : enabled & ~(1ull << g);
			break;
		}
		for (n = 0; n < 4; n++) {
			uint32_t irq = 0, fiq = 0;
			if (cntp[n] != 0 && (timer[n] & 0x20) != 0)
				fiq |= 2;
			else if (cntp[n] != 0 && (timer[n] & 2) != 0)
				irq |= 2;
			for (b = 0; b < 4; b++) {
				if (box[n][b] != 0 && (mail[n] & 0x10u << b) != 0)
					fiq |= 0x10u << b;
				else if (box[n][b] != 0 && (mail[n] & 1u << b) != 0)
					irq |= 0x10u << b;
			}
			if ((lines & enabled) != 0 && (routing & 3) == n)
				irq |= 0x100;
			assert_int_equal(get(LOCAL + 0x60 + 4 * n), irq);
			assert_int_equal(get(LOCAL + 0x70 + 4 * n), fiq);
			assert_int_equal(inputs(n), (irq != 0 ? 1u : 0) | (fiq != 0 ? 2u : 0));
			assert_int_equal(virq_pending(vm->vcpu[n]), irq != 0 || fiq != 0);
		}
	}
}

static void test_anything(void **state)
{
	(void)state;
	cntv(true);
	for (unsigned seed = 0; seed < 20; seed++) {
		pi_random_accesses(seed, LOCAL, 0x100, 2000);
		pi_random_accesses(seed, LOCAL, 0x1000, 200);
		pi_random_accesses(seed, INTC, 0x28, 500);
		virq_set(vm, vm->vcpu[0], INTID_CNTV, true);
	}
	assert_int_equal(pi_ends, 0);
}

static void test_state_is_described(void **state)
{
	(void)state;
	assert_int_equal(vbcm2836_state.nr_fields, 9);
	assert_int_equal(vbcm2836_core_state.nr_fields, 6);
	assert_int_equal(vbcm2835_intc_state.nr_fields, 5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, pi_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_each_line_by_its_register),
	        TEST(test_routing),
	        TEST(test_mailboxes),
	        TEST(test_a_vcpu_that_sleeps),
	        TEST(test_fewer_cores),
	        TEST(test_the_physical_timer),
	        TEST(test_a_tick),
	        TEST(test_a_guest_that_does_not_answer),
	        TEST(test_a_guest_that_does_not_ask),
	        TEST(test_a_timer_nobody_listens_to),
	        TEST(test_unloading),
	        TEST(test_reading_another_cores_source),
	        TEST(test_the_local_timer),
	        TEST(test_the_counter),
	        TEST(test_a_reset),
	        TEST(test_against_a_simple_one),
	        TEST(test_anything),
	        TEST(test_state_is_described),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
