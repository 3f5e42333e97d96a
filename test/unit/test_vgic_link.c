// SPDX-License-Identifier: Apache-2.0
// The guest's timer interrupt tied to the board's: what ends the physical one, and when it may fire
// again; on a board that does the link in hardware, and on one where EL2 has to.
#include "test_vgic_board.h"

// Runs the rest of the block for both kinds of board and both versions.
#define EACH_BOARD                                                             \
	for (unsigned board_ = 0;                                              \
	     board_ < 4 && (soft_links = board_ & 1, start(2 + board_ / 2, 2), \
	                   enable(0, VGIC_VTIMER, 0x50), true);                \
	     board_++)

static void take(void)
{
	settle();
	assert_int_equal(ack(0), VGIC_VTIMER);
}

static void nothing(void)
{
	settle();
	assert_int_equal(ack(0), SPURIOUS);
}

static void end(void)
{
	eoi(0, VGIC_VTIMER);
	settle();
}

static void test_ticks(void **state)
{
	(void)state;
	EACH_BOARD
	{
		for (unsigned i = 1; i <= 5; i++) {
			timer_fires(0);
			assert_int_equal(ack(0), VGIC_VTIMER);
			assert_true(physical_active[0]);
			eoi(0, VGIC_VTIMER);
			// In hardware: at once, and without an exit. Else EL2 does it in one.
			assert_int_equal(physical_active[0], soft_links);
			assert_int_equal(maintenance_wanted(&interfaces[0]), soft_links);
			settle();
			assert_false(physical_active[0]);
			assert_int_equal(nr_deactivated, soft_links ? i : 0);
			nothing();
		}
		assert_int_equal(interfaces[0].notify, 0);
	}
}

static void test_disabled(void **state)
{
	(void)state;
	EACH_BOARD
	{
		set_bit(0, ICENABLER, VGIC_VTIMER);
		timer_fires(0);
		nothing();
		assert_true(get_bit(0, ISPENDR, VGIC_VTIMER));
		assert_true(physical_active[0]); // it waits, so that it does not fire for ever
		set_bit(0, ISENABLER, VGIC_VTIMER);
		take();
		end();
		assert_false(physical_active[0]);
	}
}

static void test_turned_off(void **state)
{
	(void)state;
	EACH_BOARD
	{
		set_bit(0, ICENABLER, VGIC_VTIMER);
		timer_fires(0);
		fake_set_sysreg("cntv_ctl_el0", 0);
		assert_false(get_bit(0, ISPENDR, VGIC_VTIMER));
		assert_false(physical_active[0]);
		set_bit(0, ISENABLER, VGIC_VTIMER);
		nothing();
		// The same while it is in a list register.
		timer_fires(0);
		fake_set_sysreg("cntv_ctl_el0", 0);
		assert_false(get_bit(0, ISPENDR, VGIC_VTIMER));
		assert_false(physical_active[0]);
		nothing();
		timer_fires(0);
		take();
		end();
	}
}

static void test_ended_by_a_write(void **state)
{
	(void)state;
	EACH_BOARD
	{
		timer_fires(0);
		take();
		set_bit(0, ICACTIVER, VGIC_VTIMER);
		assert_false(physical_active[0]);
		end();
		timer_fires(0);
		take();
		end();
		assert_false(physical_active[0]);
	}
}

static void test_written_pending(void **state)
{
	(void)state;
	EACH_BOARD
	{
		// Alone: no physical interrupt is involved.
		set_bit(0, ISPENDR, VGIC_VTIMER);
		take();
		end();
		assert_int_equal(nr_deactivated, 0);
		// While the line's is active: the link is given up, and the line may fire again.
		timer_fires(0);
		take();
		set_bit(0, ISPENDR, VGIC_VTIMER);
		assert_false(physical_active[0]);
		timer_fires(0);
		end();
		take(); // the written one
		assert_true(physical_active[0]);
		end();
		take(); // the line's
		end();
		assert_false(physical_active[0]);
		nothing();
		// While the line's is pending: one interrupt.
		timer_fires(0);
		set_bit(0, ISPENDR, VGIC_VTIMER);
		take();
		end();
		nothing();
		assert_false(physical_active[0]);
	}
}

static void test_level_stays_high(void **state)
{
	(void)state;
	EACH_BOARD
	{
		for (unsigned i = 0; i < 3; i++) {
			timer_fires(0);
			take();
			timer_fires(0); // it cannot: it is active
			end();
			nothing();
		}
		// A change of priority while it is pending, and while it is active.
		timer_fires(0);
		set_priority(0, VGIC_VTIMER, 0x20);
		take();
		set_priority(0, VGIC_VTIMER, 0x80);
		end();
		assert_false(physical_active[0]);
	}
}

static void test_comes_and_goes(void **state)
{
	(void)state;
	EACH_BOARD
	{
		timer_fires(0);
		take();
		unload(0);
		assert_false(physical_active[0]); // another vCPU's timer may fire here
		load(0);
		assert_true(physical_active[0]); // it is still being handled: no second one comes
		timer_fires(0);
		nothing();
		end();
		assert_false(physical_active[0]);
		nothing();
		// Ended while the vCPU was away: nothing of it is left.
		if (vm.gic->version == 3) {
			timer_fires(0);
			take();
			unload(0);
			write_gic(1, GICR(0, SGI_FRAME + ICACTIVER), 4, BIT_U32(VGIC_VTIMER));
			write_gic(1, GICR(0, SGI_FRAME + ISACTIVER), 4, BIT_U32(VGIC_VTIMER));
			load(0);
			assert_false(physical_active[0]);
			write_gic(1, GICR(0, SGI_FRAME + ICACTIVER), 4, BIT_U32(VGIC_VTIMER));
			settle();
			end(); // of nothing
		}
		// While it is pending: it fires again where the vCPU runs next.
		timer_fires(0);
		unload(0);
		assert_false(physical_active[0]);
		load(0);
		nothing();
		timer_fires(0);
		take();
		end();
	}
}

// Ended by another CPU: the board's controller must be told where the interrupt was acknowledged.
static void test_remote(void **state)
{
	(void)state;
	EACH_BOARD
	{
		if (vm.gic->version != 3)
			continue;
		timer_fires(0);
		take();
		write_gic(1, GICR(0, SGI_FRAME + ICACTIVER), 4, BIT_U32(VGIC_VTIMER));
		settle();
		assert_false(physical_active[0]);
		timer_fires(0);
		settle();
		end();
		take();
		end();
		assert_false(physical_active[0]);
		write_gic(1, GICR(0, SGI_FRAME + ICENABLER), 4, BIT_U32(VGIC_VTIMER));
		settle();
		timer_fires(0);
		nothing();
		write_gic(1, GICR(0, SGI_FRAME + ISENABLER), 4, BIT_U32(VGIC_VTIMER));
		take();
	}
}

// More interrupts than list registers: the timer's takes its turn.
static void test_crowd(void **state)
{
	(void)state;
	EACH_BOARD
	{
		for (uint32_t i = 64; i < 72; i++) {
			enable(0, i, 0x40);
			set_edge(0, i, true);
			line(i, true);
		}
		timer_fires(0);
		for (uint32_t i = 64; i < 72; i++) {
			settle();
			assert_int_equal(ack(0), i);
			eoi(0, i);
		}
		take();
		end();
		assert_false(physical_active[0]);
		nothing();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_ticks),           cmocka_unit_test(test_disabled),
	        cmocka_unit_test(test_turned_off),      cmocka_unit_test(test_ended_by_a_write),
	        cmocka_unit_test(test_written_pending), cmocka_unit_test(test_level_stays_high),
	        cmocka_unit_test(test_comes_and_goes),  cmocka_unit_test(test_remote),
	        cmocka_unit_test(test_crowd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
