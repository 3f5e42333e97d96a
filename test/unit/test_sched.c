// SPDX-License-Identifier: Apache-2.0
// Who runs when: shares, priorities, budgets, sleep, placement, directed yield, on a board whose
// clock the test turns.
#include "test_sched_board.h"

#define ANY SCHED_ANY_CPU

static uint64_t starts[] = {MS(5),
                            UINT64_MAX - US(700123) - 7}; // the second one goes round in the middle

// ---- fair shares ----

static void test_four_on_two(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(starts); n++) {
		board(2, starts[n]);
		for (unsigned i = 0; i < 4; i++)
			busy(100, 0, ANY);
		run_for(MS(2000));
		for (unsigned i = 0; i < 4; i++)
			expect_share(&guests[i], 0, 0.5, MS(2000), 10);
	}
}

static void test_three_on_two(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(starts); n++) {
		board(2, starts[n]);
		for (unsigned i = 0; i < 3; i++)
			busy(100, 0, ANY);
		run_for(MS(6000));
		for (unsigned i = 0; i < 3; i++)
			expect_share(&guests[i], 0, 2.0 / 3, MS(6000), 20);
	}
}

static void test_five_on_four(void **state)
{
	(void)state;
	board(4, MS(1));
	for (unsigned i = 0; i < 5; i++)
		busy(100, 0, ANY);
	run_for(MS(10000));
	for (unsigned i = 0; i < 5; i++)
		expect_share(&guests[i], 0, 0.8, MS(10000), 30);
}

static void test_weights(void **state)
{
	(void)state;
	static const uint32_t weights[][3] = {{100, 200, 400}, {1, 2, 4}, {2500, 5000, 10000}};
	for (unsigned n = 0; n < ARRAY_SIZE(weights) * ARRAY_SIZE(starts); n++) {
		board(1, starts[n % 2]);
		for (unsigned i = 0; i < 3; i++)
			busy(weights[n / 2][i], 0, ANY);
		run_for(MS(5000));
		for (unsigned i = 0; i < 3; i++)
			expect_share(&guests[i], 0, (double)(1 << i) / 7, MS(5000), 20);
	}
}

static void test_the_least_weight_beside_the_greatest(void **state)
{
	(void)state;
	board(1, MS(1));
	busy(1, 0, ANY);
	busy(10000, 0, ANY);
	run_for(MS(200000));
	assert_true(guests[0].got >= MS(3)); // 20 ms are due; a slice is 3 ms
	assert_true(guests[0].got <= MS(30));
}

static void test_a_year_alone(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *first = busy(1, 0, ANY);
	run_for(HZ * 86400 * 365);
	assert_int_equal(first->got, HZ * 86400 * 365);
	struct guest *second = busy(1, 0, ANY);
	uint64_t before = first->got;
	run_for(MS(1000));
	expect_share(first, before, 0.5, MS(1000), 20);
	expect_share(second, 0, 0.5, MS(1000), 20);
	// A sleep as long as that is not saved up, nor held against it.
	post(&second->vcpu, VCPU_REQ_STOP);
	struct guest *third = make_vm(1);
	third->run = MS(500);
	third->sleep = HZ * 86400 * 365;
	third->vcpu.vm->sched.weight = 1;
	begin(third);
	run_for(MS(1500));
	assert_int_equal(third->got, MS(500));
	run_until(third->wakes_at + MS(1));
	before = first->got;
	run_for(MS(600));
	expect_share(first, before, 0.5, MS(600), 20);
	expect_share(third, MS(500), 0.5, MS(600), 20);
}

// Virtual time goes more than half round while one sleeps.
static void test_a_long_sleep_beside_a_busy_one(void **state)
{
	(void)state;
	const uint64_t sleep = UINT64_C(5000000000000); // ticks, at 2,560,000 units each
	board(1, MS(1));
	struct guest *first = busy(1, 0, ANY), *stirrer = sleeper(US(1), 0, 0);
	struct guest *third = make_vm(1);
	third->run = MS(500);
	third->sleep = sleep;
	third->vcpu.vm->sched.weight = 1;
	begin(third);
	run_for(MS(1500));
	assert_int_equal(third->got, MS(500));
	for (unsigned i = 0; i < 25; i++) {
		run_for(sleep / 26);
		post(&stirrer->vcpu, VCPU_REQ_VIRQ); // what ran is accounted for
	}
	run_until(third->wakes_at + MS(1));
	uint64_t before = first->got;
	run_for(MS(600));
	expect_share(first, before, 0.5, MS(600), 20);
	expect_share(third, MS(500), 0.5, MS(600), 20);
}

static void test_sixty_four(void **state)
{
	(void)state;
	board(2, MS(1));
	for (unsigned i = 0; i < 64; i++)
		busy(100, 0, ANY);
	run_for(MS(10000));
	for (unsigned i = 0; i < 64; i++)
		expect_share(&guests[i], 0, 1.0 / 32, MS(10000), 40);
}

// Sleeping saves nothing up: after a second of sleep it has one slice's credit, no more.
static void test_sleep_saves_no_credit(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *spinner = busy(100, 0, ANY);
	struct guest *lazy = sleeper(MS(500), MS(1000), ANY);
	run_for(MS(3000));
	while (lazy->left != MS(500))
		run_for(US(100));
	uint64_t spun = spinner->got, lazed = lazy->got;
	run_for(MS(100));
	assert_true(lazy->got - lazed <= MS(50) + MS(6));
	assert_true(spinner->got - spun >= MS(50) - MS(6));
}

// One that sleeps for a moment after each turn gains nothing over one that does not.
static void test_short_sleeps_gain_nothing(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *honest = busy(100, 0, ANY);
	struct guest *sly = sleeper(US(2900), US(1), ANY);
	run_for(MS(3000));
	assert_true(honest->got >= MS(1400));
	assert_true(sly->got >= MS(1000));
}

// ---- priorities ----

static void test_priorities(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *low = busy(10000, 0, ANY), *high = busy(1, 3, ANY);
	run_for(MS(1000));
	assert_int_equal(low->got, 0);
	assert_int_equal(high->got, MS(1000));

	board(1, MS(1));
	low = busy(10000, 6, ANY);
	high = make_vm(1);
	high->run = US(300);
	high->sleep = US(700);
	high->vcpu.vm->sched = (struct sched_params){.weight = 1, .priority = 7};
	begin(high);
	run_for(MS(1000));
	expect_share(high, 0, 0.3, MS(1000), 1);
	expect_share(low, 0, 0.7, MS(1000), 1);
	assert_int_equal(high->late, 0); // at once, each time
}

static void test_high_priority_takes_the_cpu_of_a_low_one(void **state)
{
	(void)state;
	board(2, MS(1));
	busy(100, 0, ANY);
	busy(100, 0, ANY);
	struct guest *first = busy(100, 1, ANY), *second = busy(100, 1, ANY);
	run_for(MS(100));
	assert_int_equal(first->got, MS(100));
	assert_int_equal(second->got, MS(100));
}

// ---- budgets ----

static void expect_budget(struct guest *guest, uint64_t budget, uint64_t period, unsigned periods)
{
	for (unsigned i = 0; i < periods; i++) {
		uint64_t before = guest->got;
		run_until(guest->entered + (i + 1) * period);
		assert_int_equal(guest->got - before, budget);
	}
	assert_int_equal(guest->vcpu.sched.periods, periods);
	assert_int_equal(guest->vcpu.sched.missed, 0);
}

static void test_budget_beside_eight(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(starts); n++) {
		board(1, starts[n]);
		for (unsigned i = 0; i < 8; i++)
			busy(10000, i, ANY);
		expect_budget(budgeted(US(200), MS(1), 0), US(200), MS(1), 10000);
	}
}

static void test_budget_alone_gets_no_more(void **state)
{
	(void)state;
	board(1, MS(1));
	expect_budget(budgeted(US(200), MS(1), ANY), US(200), MS(1), 1000);
	expect_share(&guests[0], 0, 0.2, MS(1000), 0.01);
}

static void test_budgets_meet_their_deadlines(void **state)
{
	(void)state;
	board(1, MS(1));
	busy(100, 7, ANY);
	struct guest *a = budgeted(US(400), MS(1), ANY), *b = budgeted(US(600), MS(2), ANY),
	             *c = budgeted(MS(2), MS(10), ANY); // 90 % in all
	run_for(MS(10000));
	assert_int_equal(a->vcpu.sched.periods, 10000);
	assert_int_equal(b->vcpu.sched.periods, 5000);
	assert_int_equal(c->vcpu.sched.periods, 1000);
	assert_int_equal(a->vcpu.sched.missed + b->vcpu.sched.missed + c->vcpu.sched.missed, 0);
	expect_share(&guests[0], 0, 0.1, MS(10000), 1);
}

// One that wakes just before its period ends must not use two budgets in a row at others' cost.
static void test_budget_of_one_that_sleeps(void **state)
{
	(void)state;
	for (uint64_t sleep = US(1); sleep < MS(12); sleep += US(130)) {
		board(1, MS(1));
		struct guest *steady = budgeted(US(700), MS(1), ANY);
		struct guest *sly = make_vm(1);
		sly->run = MS(2);
		sly->sleep = sleep;
		sly->vcpu.vm->sched.budget = MS(2);
		sly->vcpu.vm->sched.period = MS(10);
		begin(sly);
		run_for(MS(300));
		assert_int_equal(steady->vcpu.sched.missed, 0);
		assert_true(sly->got <= MS(62));
	}
}

static void test_missed_is_counted(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *guest = budgeted(US(500), MS(1), ANY);
	run_for(MS(10));
	assert_int_equal(guest->vcpu.sched.missed, 0);
	// Something at EL2 keeps the CPU for 20 ms: the clock goes on, nobody runs.
	run_on(0);
	sched_leave(cpu_this()->current);
	unload(cpu_this());
	guest->vcpu.cpu = cpu_get(0);
	sched_enter(&guest->vcpu);
	uint64_t periods = guest->vcpu.sched.periods;
	now += MS(20);
	run_for(MS(1));
	assert_int_equal(guest->vcpu.sched.periods - periods, 21);
	assert_int_equal(guest->vcpu.sched.missed, 20);
}

// ---- sleep ----

static void test_sleepers_wake_on_time(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(starts); n++) {
		board(2, starts[n]);
		for (unsigned i = 0; i < 40; i++)
			sleeper(1 + i, US(500 + 37 * i), ANY);
		run_for(MS(1500));
		for (unsigned i = 0; i < 40; i++) {
			assert_true(guests[i].wakes > 500);
			assert_true(guests[i].late <= US(40));
		}
	}
}

static void test_far_and_past_deadlines(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *guest = sleeper(US(1), 0, ANY);
	run_for(MS(1));
	assert_int_equal(guest->vcpu.sched.state, SCHED_BLOCKED);
	static const uint64_t far[] = {UINT64_MAX - 1, (uint64_t)1 << 63,
	                               ((uint64_t)1 << 62) + MS(9)};
	for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
		guest->vcpu.sched.since = now;
		guest->wakes_at = far[i];
		guest->sleep = 1;
		post(&guest->vcpu, VCPU_REQ_SYNC); // looks at its timers, sleeps again
		run_for(MS(1));
		assert_int_equal(guest->vcpu.sched.state, SCHED_BLOCKED);
		unsigned before = ticks[0];
		run_for(MS(100));
		assert_int_equal(ticks[0], before);
	}
	run_on(0);
	guest->vcpu.request = VCPU_REQ_SYNC;
	sched_wake(&guest->vcpu, false);
	assert_ptr_equal(sched_choose(), &guest->vcpu);
	guest->vcpu.request = 0;
	assert_false(sched_block(&guest->vcpu, now)); // due: it is asked to look
	assert_int_equal(guest->vcpu.request, VCPU_REQ_TIMER);
}

static void test_figures_add_up(void **state)
{
	(void)state;
	board(2, MS(3));
	for (unsigned i = 0; i < 5; i++)
		busy(100 + i, 0, ANY);
	for (unsigned i = 0; i < 5; i++) {
		struct guest *guest = make_vm(1);
		guest->run = US(100);
		guest->sleep = US(300 + i);
		guest->vcpu.vm->sched.priority = i % 2;
		begin(guest);
	}
	for (unsigned i = 0; i < 500; i++) {
		run_for(US(777));
		for (unsigned g = 0; g < 5; g++)
			assert_int_equal(sched_ran(&guests[g].vcpu) + sched_waited(&guests[g].vcpu),
			                 now - guests[g].entered);
		for (unsigned g = 5; g < 10; g++) {
			const struct guest *guest = &guests[g];
			uint64_t asleep = guest->wakes * guest->sleep;
			if (guest->vcpu.sched.state == SCHED_BLOCKED)
				asleep += now - (guest->wakes_at - guest->sleep);
			else if (guest->left == 0 &&
			         guest->wakes_at != 0) // woken, but not served yet
				asleep += guest->sleep;
			assert_int_equal(sched_ran(&guest->vcpu) + sched_waited(&guest->vcpu) +
			                         asleep,
			                 now - guest->entered);
		}
	}
	for (unsigned g = 0; g < 5; g++) // they have run and waited, again and again
		assert_true(guests[g].got != 0 && guests[g].vcpu.sched.waited != 0);
}

// ---- placement ----

static void test_wakes_on_its_last_cpu(void **state)
{
	(void)state;
	board(4, MS(1));
	struct guest *g[4];
	for (unsigned i = 0; i < 4; i++)
		g[i] = sleeper(US(10), 0, ANY);
	run_for(MS(1));
	for (unsigned i = 0; i < 4; i++) // each has found one of its own
		for (unsigned j = 0; j < i; j++)
			assert_ptr_not_equal(g[i]->vcpu.cpu, g[j]->vcpu.cpu);
	for (unsigned i = 0; i < 100; i++) {
		struct cpu *last = g[i % 4]->vcpu.cpu;
		post(&g[i % 4]->vcpu, VCPU_REQ_VIRQ);
		run_for(US(100));
		assert_ptr_equal(g[i % 4]->vcpu.cpu, last);
		assert_int_equal(g[i % 4]->vcpu.sched.switches, 1);
	}
}

static void test_wakes_on_an_idle_cpu(void **state)
{
	(void)state;
	board(4, MS(1));
	struct guest *guest = sleeper(US(10), 0, ANY);
	run_for(MS(1));
	uint32_t last = guest->vcpu.cpu->id;
	busy(100, 0, last); // takes the registers of that CPU
	run_for(MS(1));
	uint64_t got = guest->got;
	post(&guest->vcpu, VCPU_REQ_VIRQ);
	run_for(US(10));
	assert_int_equal(guest->got - got, US(10)); // at once
	assert_int_not_equal(guest->vcpu.cpu->id, last);
	assert_int_equal(guest->vcpu.sched.migrations, 1);
}

// It stays chosen, costs nobody anything, and gives way to whoever comes.
static void test_a_nap(void **state)
{
	(void)state;
	board(2, MS(1));
	struct guest *guest = busy(100, 0, 1);
	run_for(MS(1));
	run_on(1);
	uint64_t ran = sched_ran(&guest->vcpu);
	assert_true(sched_nap(&guest->vcpu, now + MS(9)));
	assert_ptr_equal(cpu_this()->current, &guest->vcpu);
	assert_true(sched_cpu_info(1).idle);
	now += MS(1);
	assert_int_equal(sched_ran(&guest->vcpu), ran);
	assert_int_equal(sched_queues[1].load[0], 0);
	// What is posted for it interrupts its CPU, and changes nothing else.
	cpu_this()->in_guest = 1;
	leave_guest();
	sgi[1] = false;
	post(&guest->vcpu, VCPU_REQ_VIRQ);
	assert_true(sgi[1]);
	assert_int_equal(guest->vcpu.sched.state, SCHED_NAPPING);
	run_on(1);
	sched_nap_ends(&guest->vcpu);
	assert_int_equal(guest->vcpu.sched.state, SCHED_RUNNING);
	assert_false(sched_cpu_info(1).idle);
	assert_int_equal(sched_queues[1].load[0], 100);
	assert_int_equal(cpu_this()->work, 0);
	// Somebody comes: its CPU is told, and nobody naps while somebody waits.
	assert_true(sched_nap(&guest->vcpu, TIMER_NEVER));
	cpu_this()->in_guest = 1;
	struct guest *other = make_vm(1);
	other->vcpu.sched.pin = 1;
	begin(other);
	run_on(1);
	assert_int_equal(cpu_this()->work, CPU_WORK_SCHED);
	sched_nap_ends(&guest->vcpu);
	assert_false(sched_nap(&guest->vcpu, TIMER_NEVER));
	assert_int_equal(guest->vcpu.sched.state, SCHED_RUNNING);
	guest->vcpu.request = 0;
	assert_true(sched_block(&guest->vcpu, TIMER_NEVER));
	assert_ptr_equal(sched_choose(), &other->vcpu);
}

static void test_no_nap_with_a_budget_or_beside_a_crowd(void **state)
{
	(void)state;
	board(2, MS(1));
	struct guest *loop = budgeted(US(200), MS(1), 1);
	run_for(US(10));
	run_on(1);
	assert_ptr_equal(cpu_this()->current, &loop->vcpu);
	assert_false(sched_nap(&loop->vcpu, TIMER_NEVER));
	board(2, MS(1));
	struct guest *guest = busy(100, 0, 1);
	run_for(MS(1));
	busy(100, 0, 0);
	run_for(MS(1));
	busy(100, 0, ANY);
	sched_set_add(&sched_crowded, 0);
	run_on(1);
	assert_false(sched_nap(&guest->vcpu, TIMER_NEVER)); // it could take one of those
	assert_int_equal(guest->vcpu.sched.state, SCHED_RUNNING);
}

static void test_nobody_waits_while_a_cpu_is_idle(void **state)
{
	(void)state;
	board(4, MS(1));
	for (unsigned i = 0; i < 3; i++)
		busy(100, 0, ANY);
	sleeper(US(900), US(50), 2);
	run_for(MS(1000));
	// 3.95 CPUs' worth on four: nobody waits but for the moment of the switch and the retry.
	for (unsigned i = 0; i < 3; i++)
		assert_true(guests[i].got >= MS(900));
}

static void test_an_idle_cpu_takes_who_waits(void **state)
{
	(void)state;
	board(2, MS(1));
	struct guest *a = busy(100, 0, ANY), *b = busy(100, 0, ANY), *c = busy(100, 0, ANY);
	run_for(MS(50));
	post(&a->vcpu, VCPU_REQ_STOP);
	uint64_t got = b->got + c->got;
	run_for(MS(50));
	assert_true(a->off);
	assert_true(b->got + c->got - got >= MS(100) - US(200));
}

// More CPUs than a word has bits: idle and crowded ones are found in every word.
static void test_many_cpus(void **state)
{
	(void)state;
	board(200, MS(1));
	for (unsigned i = 0; i < 200; i++)
		busy(100, 0, ANY);
	run_for(MS(1));
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(guests[i].got, MS(1));
	// Where one ends, the one that waits goes; where one waits does not matter.
	static const uint32_t pairs[][2] = {{3, 140}, {140, 3}, {70, 71}, {199, 64}, {63, 198}};
	for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
		struct guest *crowded = guest_of(cpu_get(pairs[i][0])->current);
		struct guest *extra = make_vm(1);
		char why[100];
		assert_int_equal(sched_admit(extra->vcpu.vm, why, sizeof why), 0);
		store_release(&extra->vcpu.cpu, crowded->vcpu.cpu);
		begin(extra);
		run_for(MS(1));
		uint64_t got = extra->got;
		post(cpu_get(pairs[i][1])->current, VCPU_REQ_STOP);
		run_for(MS(5));
		unsigned running = 0;
		for (unsigned cpu = 0; cpu < 200; cpu++)
			running += cpu_get(cpu)->current != NULL;
		assert_int_equal(running, 200);
		assert_true(extra->got - got > MS(4));
	}
}

// ---- urgent ----

static void test_urgent(void **state)
{
	(void)state;
	board(1, MS(1));
	busy(10000, 7, ANY);
	budgeted(US(900), MS(1), ANY);
	struct guest *low = busy(1, 0, ANY);
	run_for(MS(5));
	assert_int_equal(low->got, 0);
	post(&low->vcpu, VCPU_REQ_STOP);
	run_for(0);
	settle();
	assert_true(low->off);
	assert_int_equal(low->got, 0);

	board(1, MS(1));
	struct guest *throttled = budgeted(US(100), MS(1), ANY);
	run_for(US(500));
	assert_int_equal(throttled->got, US(100));
	post(&throttled->vcpu, VCPU_REQ_STOP);
	settle();
	assert_true(throttled->off);
}

// The one that is to stop is chosen; before it serves the request somebody else makes the CPU
// choose again.
static void test_urgent_stays_chosen(void **state)
{
	(void)state;
	board(1, MS(1));
	busy(100, 7, ANY);
	struct guest *low = busy(100, 0, ANY);
	run_for(MS(1));
	post(&low->vcpu, VCPU_REQ_STOP);
	run_on(0);
	for (unsigned i = 0; i < 5; i++)
		assert_ptr_equal(sched_choose(), &low->vcpu);
	low->vcpu.request = 0; // served, and it goes on: then it waits for its turn like the others
	assert_ptr_not_equal(sched_choose(), &low->vcpu);
}

static void test_asked_to_stop_before_it_entered(void **state)
{
	(void)state;
	board(1, MS(1));
	busy(100, 7, ANY);
	struct guest *late = make_vm(1);
	char why[100];
	assert_int_equal(sched_admit(late->vcpu.vm, why, sizeof why), 0);
	run_for(MS(1));
	post(&late->vcpu, VCPU_REQ_STOP);
	begin(late);
	settle();
	assert_true(late->off);
}

// Asked to stop while it is between two queues, in neither of them.
static void test_asked_to_stop_on_its_way(void **state)
{
	(void)state;
	board(2, MS(1));
	busy(100, 7, 0);
	busy(100, 7, 1);
	struct guest *low = busy(100, 0, ANY);
	run_for(MS(1));
	struct cpu *from = low->vcpu.cpu, *to = cpu_get(1 - from->id);
	sched_queue_take(from, &low->vcpu);
	sched_queue_weigh(from, &low->vcpu, false);
	sched_queue_detach(sched_queue_of(from), &low->vcpu);
	low->vcpu.cpu = to;
	post(&low->vcpu, VCPU_REQ_STOP);
	sched_balance_arrive(&low->vcpu);
	settle();
	assert_true(low->off);
}

// ---- directed yield ----

static struct guest *spinners(unsigned count)
{
	struct guest *first = make_vm(count);
	begin(first);
	return first;
}

static void test_yield(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *pair = spinners(2), *other = busy(100, 0, ANY);
	run_for(MS(100));
	run_on(0);
	while (cpu_this()->current != &pair[0].vcpu)
		run_for(US(100));
	uint64_t debt = pair[1].vcpu.sched.vruntime += MS(1000) << 20; // whatever its virtual time
	assert_true(debt > 0);
	run_on(0);
	heap_remove(&sched_queues[0].ready[0], &pair[1].vcpu.sched.node);
	heap_put(&sched_queues[0].ready[0], &pair[1].vcpu.sched.node, debt);
	assert_true(sched_yield_to_sibling(&pair[0].vcpu));
	assert_true((cpu_this()->work & CPU_WORK_SCHED) != 0);
	assert_ptr_equal(sched_choose(), &pair[1].vcpu);
	(void)other;
}

static void test_yield_to_nobody(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *pair = make_vm(2);
	pair[1].run = US(1);
	pair[1].sleep = 0;
	begin(pair);
	busy(100, 0, ANY);
	run_for(MS(100));
	run_on(0);
	while (cpu_this()->current != &pair[0].vcpu)
		run_for(US(100));
	assert_int_equal(pair[1].vcpu.sched.state, SCHED_BLOCKED);
	assert_false(sched_yield_to_sibling(&pair[0].vcpu));
}

static void test_yield_pulls_a_sibling_over(void **state)
{
	(void)state;
	board(2, MS(1));
	struct guest *pair = spinners(2);
	struct guest *others[2];
	for (unsigned i = 0; i < 2; i++)
		others[i] = busy(100 + 30 * i, 0, i);
	for (unsigned i = 0; i < 1000; i++) {
		run_for(US(100));
		if (pair[0].vcpu.sched.state == SCHED_RUNNING &&
		    pair[1].vcpu.sched.state == SCHED_READY &&
		    pair[0].vcpu.cpu != pair[1].vcpu.cpu && !pair[1].vcpu.sched.loaded)
			break;
		assert_true(i < 999);
	}
	run_on(pair[0].vcpu.cpu->id);
	assert_true(sched_yield_to_sibling(&pair[0].vcpu));
	assert_ptr_equal(pair[1].vcpu.cpu, pair[0].vcpu.cpu);
	assert_ptr_equal(sched_choose(), &pair[1].vcpu);
	(void)others;
}

// Two that pass the CPU to and fro for ever take no more than their share.
static void test_yield_takes_nothing_from_others(void **state)
{
	(void)state;
	board(1, MS(1));
	struct guest *pair = spinners(2), *other = busy(100, 0, ANY);
	for (unsigned i = 0; i < 30000; i++) {
		run_for(US(50));
		run_on(0);
		struct vcpu *current = cpu_this()->current;
		if (current != &other->vcpu && sched_yield_to_sibling(current)) {
			choose(cpu_this());
			cpu_this()->work = 0;
		}
	}
	expect_share(other, 0, 1.0 / 3, MS(1500), 20);
	expect_share(&pair[0], 0, 1.0 / 3, MS(1500), 50);
}

// ---- ticks ----

static void test_no_tick_when_alone(void **state)
{
	(void)state;
	board(2, MS(1));
	busy(100, 0, ANY);
	busy(1, 7, ANY);
	run_for(MS(10));
	memset(ticks, 0, sizeof ticks);
	memset(sgis, 0, sizeof sgis);
	run_for(MS(10000));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(ticks[i] + sgis[i], 0);
		assert_int_equal(timer_at[i], TIMER_NEVER);
	}
	// With company there are slices; alone again, none.
	struct guest *guest = sleeper(MS(50), 0, ANY);
	run_for(MS(500));
	assert_int_equal(guest->vcpu.sched.state, SCHED_BLOCKED);
	memset(ticks, 0, sizeof ticks);
	run_for(MS(10000));
	assert_true(ticks[0] + ticks[1] <= 2);
	assert_int_equal(timer_at[0], TIMER_NEVER);
	assert_int_equal(timer_at[1], TIMER_NEVER);
}

static void test_few_ticks_for_lower_priorities(void **state)
{
	(void)state;
	board(1, MS(1));
	busy(100, 1, ANY);
	busy(100, 0, ANY);
	busy(100, 0, ANY);
	run_for(MS(10000));
	assert_true(ticks[0] <= 2); // nobody takes turns
}

// A wake-up that changes nothing does not interrupt the CPU.
static void test_no_needless_kicks(void **state)
{
	(void)state;
	board(2, MS(1));
	for (unsigned i = 0; i < 20; i++)
		sleeper(US(1), 0, 1);
	run_for(MS(10));
	busy(100, 5, 1);
	struct guest *there = busy(100, 5, 1);
	run_for(MS(10));
	uint64_t before = sgis[1];
	for (unsigned i = 0; i < 20; i++) {
		post(&guests[i].vcpu, VCPU_REQ_VIRQ); // of a lower priority: it waits
		run_for(US(10));
		assert_int_equal(guests[i].vcpu.sched.state, SCHED_READY);
	}
	assert_int_equal(sgis[1], before);
	while (there->vcpu.sched.state != SCHED_READY)
		run_for(US(100));
	before = sgis[1];
	post(&there->vcpu, VCPU_REQ_VIRQ); // it will see that when its turn comes
	assert_int_equal(sgis[1], before);
	while (there->vcpu.sched.state != SCHED_RUNNING)
		run_for(US(100));
	post(&there->vcpu, VCPU_REQ_VIRQ); // it is in its guest
	assert_true(sgi[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_four_on_two),
	        cmocka_unit_test(test_three_on_two),
	        cmocka_unit_test(test_five_on_four),
	        cmocka_unit_test(test_weights),
	        cmocka_unit_test(test_the_least_weight_beside_the_greatest),
	        cmocka_unit_test(test_a_year_alone),
	        cmocka_unit_test(test_a_long_sleep_beside_a_busy_one),
	        cmocka_unit_test(test_sixty_four),
	        cmocka_unit_test(test_sleep_saves_no_credit),
	        cmocka_unit_test(test_short_sleeps_gain_nothing),
	        cmocka_unit_test(test_priorities),
	        cmocka_unit_test(test_high_priority_takes_the_cpu_of_a_low_one),
	        cmocka_unit_test(test_budget_beside_eight),
	        cmocka_unit_test(test_budget_alone_gets_no_more),
	        cmocka_unit_test(test_budgets_meet_their_deadlines),
	        cmocka_unit_test(test_budget_of_one_that_sleeps),
	        cmocka_unit_test(test_missed_is_counted),
	        cmocka_unit_test(test_sleepers_wake_on_time),
	        cmocka_unit_test(test_far_and_past_deadlines),
	        cmocka_unit_test(test_figures_add_up),
	        cmocka_unit_test(test_wakes_on_its_last_cpu),
	        cmocka_unit_test(test_wakes_on_an_idle_cpu),
	        cmocka_unit_test(test_nobody_waits_while_a_cpu_is_idle),
	        cmocka_unit_test(test_an_idle_cpu_takes_who_waits),
	        cmocka_unit_test(test_many_cpus),
	        cmocka_unit_test(test_urgent),
	        cmocka_unit_test(test_urgent_stays_chosen),
	        cmocka_unit_test(test_asked_to_stop_before_it_entered),
	        cmocka_unit_test(test_asked_to_stop_on_its_way),
	        cmocka_unit_test(test_yield),
	        cmocka_unit_test(test_yield_to_nobody),
	        cmocka_unit_test(test_yield_pulls_a_sibling_over),
	        cmocka_unit_test(test_yield_takes_nothing_from_others),
	        cmocka_unit_test(test_a_nap),
	        cmocka_unit_test(test_no_nap_with_a_budget_or_beside_a_crowd),
	        cmocka_unit_test(test_no_tick_when_alone),
	        cmocka_unit_test(test_few_ticks_for_lower_priorities),
	        cmocka_unit_test(test_no_needless_kicks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
