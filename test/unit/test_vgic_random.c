// SPDX-License-Identifier: Apache-2.0
// Random sequences of everything that devices, guests and CPUs can do to a virtual GIC, checked against
// a reference that knows nothing of list registers: each interrupt is a handful of booleans. No
// interrupt may be lost, doubled, delivered to the wrong CPU or before a more urgent one, and what
// registers show is what the reference holds.
//   test_vgic_random [first seed [number of seeds [steps]]]
#include "test_vgic_board.h"

// ---- the reference ----

struct ref {
	bool enabled, group1, edge, line, latch, active, forced;
	uint8_t priority;
	uint8_t sources;  // GICv2 SGIs
	uint32_t targets; // SPIs
	unsigned by;      // the CPU that acknowledged it
	uint32_t iar;     // ... as what
};

static struct ref private_ref[MAX_CPUS][32], spi_ref[VGIC_NR_SPIS];
static unsigned ref_ctlr;
static bool timer_line[MAX_CPUS];

// What the guest of each CPU has acknowledged: running, and (EOImode = 1) dropped but not deactivated.
static uint32_t stack[MAX_CPUS][64], dropped[MAX_CPUS][64];
static unsigned depth[MAX_CPUS], nr_dropped[MAX_CPUS];

static unsigned version, cpus, max_depth;
static bool split, forcing;
static unsigned long delivered;

static const uint32_t pool[] = {0,  1,  2,  7,  15, 16, 20, 27, 30,  31,  32,  33,  34,
                                35, 36, 63, 64, 65, 66, 95, 96, 128, 159, 280, 286, 287};

static struct ref *ref_of(unsigned cpu, uint32_t intid)
{
	return intid < 32 ? &private_ref[cpu][intid] : &spi_ref[intid - 32];
}

static bool is_sgi_v2(uint32_t intid)
{
	return intid < 16 && version == 2;
}

static bool ref_pending(const struct ref *r, uint32_t intid)
{
	return is_sgi_v2(intid) ? r->sources != 0 : r->latch || (r->line && !r->edge);
}

static bool ref_deliverable(unsigned cpu, uint32_t intid)
{
	const struct ref *r = ref_of(cpu, intid);
	return ref_pending(r, intid) && r->enabled && !r->active && (ref_ctlr >> r->group1 & 1) &&
	       (intid < 32 || (r->targets >> cpu & 1));
}

static void ref_reset(void)
{
	memset(private_ref, 0, sizeof private_ref);
	memset(spi_ref, 0, sizeof spi_ref);
	memset(timer_line, 0, sizeof timer_line);
	memset(depth, 0, sizeof depth);
	memset(nr_dropped, 0, sizeof nr_dropped);
	ref_ctlr = 0;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		for (unsigned i = 0; i < 16; i++) {
			private_ref[cpu][i].edge = true;
			private_ref[cpu][i].enabled = version == 2;
		}
	for (unsigned i = 0; i < VGIC_NR_SPIS; i++)
		spi_ref[i].targets = version == 3 || cpus == 1 ? 1 : 0;
}

// ---- randomness, the same on every machine ----

static uint64_t seed;
static uint32_t (*any_source)(uint32_t below); // NULL: the seed; test/fuzz has another
static uint32_t any(uint32_t below)
{
	if (any_source != NULL)
		return any_source(below);
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}
static uint32_t any_intid(void)
{
	return pool[any(ARRAY_SIZE(pool))];
}
static unsigned any_loaded(void)
{
	unsigned cpu;
	do
		cpu = any(cpus);
	while (!vcpus[cpu].gic->loaded);
	return cpu;
}

// ---- steps ----

// A private interrupt of `owner` as seen through the registers by `cpu`: GICv2 has only its own.
static unsigned owner_for(unsigned cpu, uint32_t intid)
{
	return intid < 32 && version == 3 && any(4) == 0 ? any(cpus) : cpu;
}

static void write_bit(unsigned cpu, unsigned owner, uint32_t reg, uint32_t intid)
{
	write_gic(cpu, bit_register(reg, owner, intid), 4, 1u << (intid & 31));
}

static void step_line(void)
{
	uint32_t intid = any_intid();
	bool level = any(2);
	unsigned cpu = any_loaded();
	if (intid < 16 || intid == VGIC_VTIMER)
		return;
	struct ref *r = ref_of(cpu, intid);
	if (level && !r->line && r->edge)
		r->latch = true;
	r->line = level;
	run_on(cpu);
	virq_set(&vm, intid < 32 ? &vcpus[cpu] : NULL, intid, level);
}

static void step_timer(void)
{
	unsigned cpu = any_loaded();
	timer_line[cpu] = any(2);
	private_ref[cpu][VGIC_VTIMER].line = timer_line[cpu];
}

static void step_sgi(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any(4) ? pool[any(5)] : any(16), list = any(1u << cpus);
	bool group1 = any(2);
	for (unsigned i = 0; i < cpus; i++) {
		if (!(list >> i & 1))
			continue;
		struct ref *r = &private_ref[i][intid];
		if (version == 2)
			r->sources |= (uint8_t)(1u << cpu);
		else if (r->group1 == group1)
			r->latch = true;
	}
	run_on(cpu);
	if (version == 2)
		write_gic(cpu, GICD(SGIR), 4, list << 16 | intid);
	else
		vgicv3_sgi(&vcpus[cpu], (uint64_t)intid << 24 | list,
		           group1 ? VGICV3_SGI1R : VGICV3_SGI0R);
}

static void step_enable(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any_intid();
	unsigned owner = owner_for(cpu, intid);
	bool on = any(4) != 0;
	if (!is_sgi_v2(intid))
		ref_of(owner, intid)->enabled = on;
	write_bit(cpu, owner, on ? ISENABLER : ICENABLER, intid);
}

static void step_pending(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any_intid();
	unsigned owner = owner_for(cpu, intid);
	bool on = any(2);
	if (is_sgi_v2(intid)) {
		uint8_t sources = (uint8_t)any(1u << cpus);
		struct ref *r = ref_of(cpu, intid);
		r->sources = on ? r->sources | sources : r->sources & (uint8_t)~sources;
		write_gic(cpu, GICD((on ? SPENDSGIR : CPENDSGIR) + intid), 1, sources);
		return;
	}
	ref_of(owner, intid)->latch = on;
	write_bit(cpu, owner, on ? ISPENDR : ICPENDR, intid);
}

static bool acknowledged(uint32_t intid, unsigned owner)
{
	for (unsigned cpu = 0; cpu < cpus; cpu++) {
		if (intid < 32 && cpu != owner)
			continue;
		for (unsigned i = 0; i < depth[cpu]; i++)
			if ((stack[cpu][i] & 0x3ff) == intid)
				return true;
		for (unsigned i = 0; i < nr_dropped[cpu]; i++)
			if ((dropped[cpu][i] & 0x3ff) == intid)
				return true;
	}
	return false;
}

// Either active bits are forced, and then only these are cleared by writes; or anything is cleared.
// Both at once cannot be told apart by the hardware when list registers are short.
static void step_active(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any_intid();
	unsigned owner = owner_for(cpu, intid);
	struct ref *r = ref_of(owner, intid);
	if (forcing && any(3) == 0) {
		if (r->active || acknowledged(intid, owner))
			return;
		r->active = r->forced = true;
		write_bit(cpu, owner, ISACTIVER, intid);
	} else if (!forcing || r->forced || !r->active) {
		r->active = r->forced = false;
		write_bit(cpu, owner, ICACTIVER, intid);
	}
}

static void step_priority(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any_intid();
	unsigned owner = owner_for(cpu, intid);
	// The lowest of all can never be let through by a mask.
	uint32_t priority = any(2) ? any(soft ? 31 : 32) * 8 : 0x40 + any(4) * 8;
	ref_of(owner, intid)->priority = (uint8_t)priority;
	uint64_t at = intid < 32 && version == 3 ? GICR(owner, SGI_FRAME + IPRIORITYR + intid)
	                                         : GICD(IPRIORITYR + intid);
	write_gic(cpu, at, 1, priority | any(8));
}

static void step_config(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any_intid();
	bool edge = any(2);
	if (intid >= 16 && intid != VGIC_VTIMER)
		ref_of(cpu, intid)->edge = edge;
	set_edge(cpu, intid, edge);
}

static void step_group(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any_intid();
	unsigned owner = owner_for(cpu, intid);
	uint64_t at = bit_register(IGROUPR, owner, intid);
	uint32_t bit = 1u << (intid & 31), old = (uint32_t)read_gic(cpu, at, 4);
	struct ref *r = ref_of(owner, intid);
	assert_int_equal(!!(old & bit), r->group1);
	r->group1 = any(2);
	write_gic(cpu, at, 4, r->group1 ? old | bit : old & ~bit);
}

static void step_target(void)
{
	unsigned cpu = any_loaded();
	uint32_t intid = any_intid();
	if (intid < 32 || cpus == 1)
		return;
	struct ref *r = ref_of(cpu, intid);
	if (version == 2) {
		uint32_t mask = any(3) ? 1u << any(cpus) : any(256);
		r->targets = mask & ((1u << cpus) - 1);
		write_gic(cpu, GICD(ITARGETSR + intid), 1, mask);
	} else {
		uint64_t route = any(8) == 0 ? BIT_U64(31) : any(cpus + 1);
		r->targets = route >> 31 ? (1u << cpus) - 1 : 1u << route & ((1u << cpus) - 1);
		write_gic(cpu, GICD(IROUTER + 8 * intid), 8, route);
	}
}

static void step_ctlr(void)
{
	ref_ctlr = any(4) ? 3 : any(4);
	write_gic(any_loaded(), GICD(CTLR), 4, ref_ctlr);
}

static void step_come_and_go(void)
{
	unsigned cpu = any(cpus), loaded = 0;
	for (unsigned i = 0; i < cpus; i++)
		loaded += vcpus[i].gic->loaded;
	if (!vcpus[cpu].gic->loaded)
		load(cpu);
	else if (loaded > 1)
		unload(cpu);
}

// The timers' physical interrupts come as soon as they can.
static void timers_run(void)
{
	settle();
	unsigned id = cpu_this()->id;
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		if (vcpus[cpu].gic->loaded && timer_line[cpu])
			timer_fires(cpu);
	run_on(id);
	settle();
}

// What a person needs to see when something differs.
static void explain(unsigned cpu, uint32_t intid)
{
	const struct interface *m = &interfaces[cpu];
	fprintf(stderr,
	        "\nGICv%u, %u CPUs, split %d, forcing %d, ctlr %u; CPU %u, INTID %u, runs %#x\n",
	        version, cpus, split, forcing, ref_ctlr, cpu, intid, running(cpu));
	for (unsigned i = 0; i < (soft ? VGIC_MAX_LRS : NR_LRS); i++)
		fprintf(stderr, "  LR%u %016llx\n", i,
		        (unsigned long long)(soft ? vcpus[cpu].gic->gicc->lr : m->lr)[i]);
	fprintf(stderr, "  notify %u, eois %u, used %x\n", m->notify, m->eois,
	        vcpus[cpu].gic->used);
	const struct vgic_bank *bank = &vcpus[cpu].gic->bank;
	fprintf(stderr,
	        "  private: latch %x line %x active %x held %x; physical %d, hw_active %x\n",
	        bank->latch, bank->line, bank->active, bank->held, physical_active[cpu],
	        vcpus[cpu].gic->hw_active);
	for (unsigned i = 0; i < ARRAY_SIZE(pool); i++) {
		const struct ref *r = ref_of(cpu, pool[i]);
		if (ref_pending(r, pool[i]) || r->active)
			fprintf(stderr,
			        "  %3u: enabled %d group1 %d edge %d line %d latch %d active %d "
			        "priority %#x sources %#x targets %#x%s\n",
			        pool[i], r->enabled, r->group1, r->edge, r->line, r->latch,
			        r->active, r->priority, r->sources, r->targets,
			        ref_deliverable(cpu, pool[i]) ? " deliverable" : "");
	}
}

static void step_ack(void)
{
	unsigned cpu = any_loaded();
	uint32_t best = IDLE, run = running(cpu);
	timers_run();
	if (depth[cpu] >= max_depth || nr_dropped[cpu] >= 8)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(pool); i++) {
		const struct ref *r = ref_of(cpu, pool[i]);
		// One of several targets may have been chosen whose guest does not listen.
		bool sure = pool[i] < 32 || r->targets == 1u << cpu;
		if (sure && ref_deliverable(cpu, pool[i]) && r->priority < best)
			best = r->priority;
	}
	uint32_t iar = ack(cpu), intid = iar & 0x3ff;
	if (iar == SPURIOUS) {
		if (best < run)
			explain(cpu, intid);
		assert_true(best >= run); // else one was lost or held back
		return;
	}
	struct ref *r = ref_of(cpu, intid);
	// The linked timer may have been taken back by the guest after it was put in place.
	bool stale = intid == VGIC_VTIMER && !timer_line[cpu] && !r->latch;
	if (r->active || r->priority >= run ||
	    (!stale && (!ref_deliverable(cpu, intid) || r->priority > best)))
		explain(cpu, intid);
	assert_true(r->priority < run);
	assert_false(r->active);
	assert_true(stale || ref_deliverable(cpu, intid));
	assert_true(stale || r->priority <= best);
	if (is_sgi_v2(intid)) {
		assert_true(r->sources >> (iar >> 10) & 1);
		r->sources &= (uint8_t) ~(1u << (iar >> 10));
	}
	r->latch = false;
	r->active = true;
	r->by = cpu;
	r->iar = iar;
	stack[cpu][depth[cpu]++] = iar;
	delivered++;
}

// An end of interrupt for one that was ended by a write meanwhile, and acknowledged by another CPU since,
// is that other CPU's no more.
static void ref_deactivate(unsigned cpu, uint32_t intid)
{
	struct ref *r = ref_of(cpu, intid);
	if (r->by == cpu)
		r->active = false;
}

static void step_eoi(void)
{
	unsigned cpu = any_loaded();
	if (depth[cpu] == 0)
		return;
	settle();
	uint32_t iar = stack[cpu][--depth[cpu]];
	eoi(cpu, iar);
	if (split)
		dropped[cpu][nr_dropped[cpu]++] = iar;
	else
		ref_deactivate(cpu, iar & 0x3ff);
}

static void step_dir(void)
{
	unsigned cpu = any_loaded();
	if (nr_dropped[cpu] == 0)
		return;
	settle();
	unsigned i = any(nr_dropped[cpu]);
	uint32_t iar = dropped[cpu][i];
	dropped[cpu][i] = dropped[cpu][--nr_dropped[cpu]];
	const struct ref *r = ref_of(cpu, iar & 0x3ff);
	// As a guest would not: whether it ends the other CPU's depends on a trap, and an SGI from another
	// sender is another interrupt.
	if (r->active && (r->by != cpu || r->iar != iar))
		return;
	dir(cpu, iar);
	ref_deactivate(cpu, iar & 0x3ff);
}

static void step_read(void)
{
	unsigned cpu = any_loaded();
	uint32_t word = any(2) ? 0 : any(9);
	unsigned owner = word == 0 && version == 3 ? any(cpus) : cpu;
	uint32_t want[3] = {0}, ignore = 0;
	settle();
	for (unsigned i = 0; i < 32; i++) {
		const struct ref *r = ref_of(owner, word * 32 + i);
		want[0] |= (uint32_t)r->enabled << i;
		want[1] |= (uint32_t)ref_pending(r, word * 32 + i) << i;
		want[2] |= (uint32_t)r->active << i;
	}
	// Another CPU's timer cannot be looked at.
	if (word == 0 && owner != cpu)
		ignore = 1u << VGIC_VTIMER;
	static const uint32_t regs[] = {ISENABLER, ISPENDR, ISACTIVER};
	for (unsigned i = 0; i < 3; i++) {
		uint32_t got = (uint32_t)read_gic(cpu, bit_register(regs[i], owner, word * 32), 4);
		uint32_t wrong = (got ^ want[i]) & ~(i == 1 ? ignore : 0);
		if (wrong != 0) {
			explain(owner, word * 32 + (uint32_t)__builtin_ctz(wrong));
			fprintf(stderr, "register %#x of word %u is %#x, not %#x\n", regs[i], word,
			        got, want[i]);
		}
		assert_int_equal(wrong, 0);
	}
}

static const struct {
	void (*step)(void);
	unsigned weight;
} steps[] = {
        {step_line, 14},   {step_timer, 4},  {step_sgi, 8},      {step_enable, 10},
        {step_pending, 6}, {step_active, 3}, {step_priority, 4}, {step_config, 2},
        {step_group, 2},   {step_target, 4}, {step_ctlr, 1},     {step_come_and_go, 1},
        {step_ack, 25},    {step_eoi, 20},   {step_dir, 20},     {step_read, 5},
};

static bool timer_register(const char *name, bool write, uint64_t *value)
{
	if (write || strcmp(name, "cntv_ctl_el0") != 0)
		return false;
	*value = timer_line[cpu_this()->id] ? 5 : 1;
	return true;
}

static void run_seed(uint64_t number, unsigned nr_steps)
{
	seed = number;
	any(2);
	version = soft ? 2 : 2 + any(2);
	cpus = 1 + any(any(2) ? 4 : 8);
	split = (version == 3 || soft) && any(3) == 0;
	forcing = any(2);
	max_depth = forcing ? 30 : 3;
	soft_links = !soft && any(4) == 0;
	build(version, cpus);
	fake_sysreg_hook = timer_register;
	ref_reset();
	load_all();
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		set_split(cpu, split);
	ref_ctlr = 3;
	write_gic(0, GICD(CTLR), 4, 3);
	for (unsigned n = 0; n < nr_steps; n++) {
		unsigned total = 0, i = 0;
		for (unsigned j = 0; j < ARRAY_SIZE(steps); j++)
			total += steps[j].weight;
		for (unsigned pick = any(total); pick >= steps[i].weight; i++)
			pick -= steps[i].weight;
		fast = any(2);
		steps[i].step();
		if (any(2))
			timers_run();
		fake_log_count = 0;
	}
	// In the end everything enabled arrives, once.
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		if (!vcpus[cpu].gic->loaded)
			load(cpu);
	for (unsigned n = 0; n < 40 * cpus; n++) {
		step_read();
		while (nr_dropped[n % cpus] != 0)
			step_dir();
		while (depth[n % cpus] != 0)
			step_eoi();
		step_ack();
	}
}

static uint64_t first_seed = 1, current;
static unsigned nr_seeds = 300, nr_steps = 1500;

static void test_random(void **state)
{
	(void)state;
	for (current = first_seed; current < first_seed + nr_seeds; current++)
		run_seed(current, nr_steps);
	assert_true(delivered > nr_seeds);
	assert_true(nr_fast > nr_seeds && nr_declined > nr_seeds);
}

static void test_random_soft(void **state)
{
	soft = true;
	delivered = 0;
	nr_fast = nr_declined = 0;
	test_random(state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random),
	                                   cmocka_unit_test(test_random_soft)};
	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		nr_seeds = (unsigned)strtoul(argv[2], NULL, 0);
	if (argc > 3)
		nr_steps = (unsigned)strtoul(argv[3], NULL, 0);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		fprintf(stderr, "at seed %llu\n", (unsigned long long)current);
	return failed;
}
