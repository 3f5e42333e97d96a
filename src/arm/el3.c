// SPDX-License-Identifier: Apache-2.0
// EL3: what each CPU is given before it goes to EL2, and PSCI for EL2. Owns the state of the CPUs;
// called by el3.S alone.
//
// Invariant: runs with EL3's MMU off, so every access goes to memory itself, uncached, must be aligned,
// and cannot be exclusive. All data is in pages that EL2 never maps (el3_start .. el3_end in mezzo.lds),
// so that no cache line of EL2's can be written over it. The boot CPU comes before relocation, so there
// are no pointers in tables and nothing that the GOT would have to give.
//
// Concurrency: a call is served under one lock. A parked CPU has none: it reads the number of CPUs and its
// own entry, each part written with release order after what it stands for, and takes ON_PENDING to ON.
// Source: Arm Architecture Reference Manual, "Reset" and the page of each register; Arm Power State
// Coordination Interface (DEN 0022), "PSCI functions"; Lamport, "A New Solution of Dijkstra's Concurrent
// Programming Problem" (1974).
#include "arm/el3.h"

#include "arm/barrier.h"
#include "arm/io.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/atomic.h"
#include "base/bits.h"

#define PSCI_VERSION       0x84000000
#define PSCI_CPU_OFF       0x84000002
#define PSCI_CPU_ON        0x84000003
#define PSCI_CPU_ON64      0xc4000003
#define PSCI_AFFINITY      0x84000004
#define PSCI_AFFINITY64    0xc4000004
#define PSCI_SYSTEM_OFF    0x84000008
#define PSCI_SYSTEM_RESET  0x84000009
#define PSCI_FEATURES      0x8400000a
#define PSCI_1_1           0x10001
#define SMC64              BIT_U32(30) // the function's arguments have 64 bits
#define SUCCESS            0
#define NOT_SUPPORTED      (-1)
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON         (-4)
#define ON_PENDING         (-5)
#define INTERNAL_FAILURE   (-6)
#define INVALID_ADDRESS    (-9)

#define TREE_MAGIC    0xd00dfeedU
#define TREE_MIN_SIZE 40     // its header
#define TREE_MAX_SIZE MIB(2) // "Booting AArch64 Linux": the tree is at most 2 MiB
#define TREE_STEP     MIB(2) // ... and QEMU and boot loaders place it on such a boundary
#define TREE_REACH    GIB(1)

STATIC_ASSERT(offsetof(struct el3_cpu, mpidr) == EL3_CPU_MPIDR, "el3.S");
STATIC_ASSERT(offsetof(struct el3_cpu, state) == EL3_CPU_STATE, "el3.S");
STATIC_ASSERT(sizeof(struct el3_cpu) == EL3_CPU_SIZE, "el3.S");
STATIC_ASSERT(sizeof(struct el3_frame) == EL3_FRAME_SIZE, "el3.S");

// Hidden: their addresses are computed. Others would be read from the GOT, which is not relocated yet.
extern char image_start[] __attribute__((visibility("hidden")));
extern char boot_lower[] __attribute__((visibility("hidden")));

// Called by el3.S, which also reads the data below.
uint64_t el3_start_boot_cpu(uint64_t x0);
uint64_t el3_start_cpu(struct el3_cpu *cpu);
void el3_handle(struct el3_frame *frame);

extern struct el3_cpu el3_cpus[EL3_MAX_CPUS];
extern uint32_t el3_cpu_count;
extern uint64_t el3_fault[4];

struct el3_cpu el3_cpus[EL3_MAX_CPUS] EL3_BLANK;
// Zero from the loader, since other CPUs look at it from their first instructions on.
uint32_t el3_cpu_count EL3_LOADED;
uint64_t el3_fault[4] EL3_LOADED; // of EL3's own last fault: ESR, ELR, FAR, MPIDR
static bool sealed EL3_LOADED;    // the board is known
static uint64_t counter_hz EL3_LOADED;

// --- the lock: Lamport's bakery, since exclusives do not work on uncached memory -----------------

static EL3_CODE struct el3_cpu *this_cpu(void)
{
	return (struct el3_cpu *)read_sysreg(tpidr_el3);
}

// A CPU takes a number larger than all it sees, then waits for those with a smaller one. Acquire and
// release accesses are kept in program order with each other, which is all that this needs.
static EL3_CODE void lock(struct el3_cpu *self)
{
	uint64_t last = 0;
	uint32_t count = load_acquire(&el3_cpu_count);
	store_release(&self->choosing, 1);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t number = load_acquire(&el3_cpus[i].number);
		if (number > last)
			last = number;
	}
	store_release(&self->number, last + 1);
	store_release(&self->choosing, 0);
	for (struct el3_cpu *other = el3_cpus; other < el3_cpus + count; other++) {
		while (load_acquire(&other->choosing) != 0)
			spin_relax();
		for (uint64_t number; (number = load_acquire(&other->number)) != 0;) {
			if (number > last + 1 || (number == last + 1 && other >= self))
				break;
			spin_relax();
		}
	}
}

static EL3_CODE void unlock(struct el3_cpu *self)
{
	store_release(&self->number, 0);
}

// --- registers ------------------------------------------------------------------------------------

enum id_register { DFR0, ISAR1, ISAR2, MMFR0, MMFR1, PFR0, PFR1 };

static EL3_CODE uint64_t id_register(unsigned which)
{
	switch (which) {
	case DFR0: return read_sysreg(id_aa64dfr0_el1);
	case ISAR1: return read_sysreg(id_aa64isar1_el1);
	case ISAR2: return read_sysreg(S3_0_C0_C6_2);
	case MMFR0: return read_sysreg(id_aa64mmfr0_el1);
	case MMFR1: return read_sysreg(id_aa64mmfr1_el1);
	case PFR0: return read_sysreg(id_aa64pfr0_el1);
	default: return read_sysreg(id_aa64pfr1_el1);
	}
}

static EL3_CODE unsigned id_field(unsigned which, unsigned shift)
{
	return (id_register(which) >> shift) & 0xf;
}

// Each row: if this 4-bit field is at least `minimum`, the register gets these bits. A feature without
// a row stays trapped to EL3, which makes the trap EL2's (reflect).
struct grant {
	uint8_t reg, shift, minimum;
	uint64_t bits;
};

static const struct grant scr_grants[] = {
        {ISAR1, 4, 1, SCR_APK | SCR_API}, // PAuth: APA, API, GPA, GPI, GPA3, APA3
        {ISAR1, 8, 1, SCR_APK | SCR_API},
        {ISAR1, 24, 1, SCR_APK | SCR_API},
        {ISAR1, 28, 1, SCR_APK | SCR_API},
        {ISAR2, 8, 1, SCR_APK | SCR_API},
        {ISAR2, 12, 1, SCR_APK | SCR_API},
        {PFR0, 56, 2, SCR_ENSCXT}, // CSV2_2
        {PFR1, 32, 2, SCR_ENSCXT}, // CSV2_1p2
        {PFR1, 8, 2, SCR_ATA},     // MTE2
        {MMFR0, 56, 1, SCR_FGTEN}, // FGT
        {MMFR0, 60, 2, SCR_ECVEN}, // ECV_POFF
        {MMFR1, 40, 1, SCR_HXEN},  // HCX
};
static const struct grant cptr_grants[] = {
        {PFR0, 32, 1, CPTR_EL3_EZ},  // SVE
        {PFR1, 24, 1, CPTR_EL3_ESM}, // SME
};
static const struct grant mdcr_grants[] = {
        {DFR0, 32, 1, MDCR_EL3_NSPB}, // SPE
        {DFR0, 44, 1, MDCR_EL3_NSTB}, // TRBE
};

static EL3_CODE uint64_t granted(const struct grant *grant, size_t count)
{
	uint64_t bits = 0;
	for (; count > 0; count--, grant++)
		if (id_field(grant->reg, grant->shift) >= grant->minimum)
			bits |= grant->bits;
	return bits;
}

// These cores keep their caches coherent with others' only if told so before the caches are on.
// Source: the Technical Reference Manual of each, "CPU Extended Control Register", SMPEN.
static EL3_CODE void join_coherency(void)
{
	uint64_t midr = read_sysreg(midr_el1);
	if (field_get(MIDR_IMPLEMENTER, midr) != MIDR_IMPLEMENTER_ARM)
		return;
	switch (field_get(MIDR_PART, midr)) {
	case MIDR_CORTEX_A35:
	case MIDR_CORTEX_A53:
	case MIDR_CORTEX_A57:
	case MIDR_CORTEX_A72:
	case MIDR_CORTEX_A73:
		write_sysreg(read_sysreg(CPUECTLR_EL1) | CPUECTLR_SMPEN, CPUECTLR_EL1);
		isb();
		break;
	default: break; // later ones do it by themselves
	}
}

// What of arm/errata.c is EL3's. A core whose revision is past `last` has been mended.
static const struct {
	uint16_t part;
	uint8_t first, last; // as arm/errata.c has them
	uint64_t bits;       // of CPUACTLR_EL1
} errata[] = {
        {MIDR_CORTEX_A53, 0x00, 0x03, CPUACTLR_A53_DTAH},
        {MIDR_CORTEX_A53, 0x03, UINT8_MAX, CPUACTLR_A53_ENDCCASCI}, // for guests: it came with r0p3
        {MIDR_CORTEX_A72, 0x00, 0x03, CPUACTLR_A72_NO_PREFETCH},
};

static EL3_CODE void avoid_errata(void)
{
	uint64_t midr = read_sysreg(midr_el1), bits = 0;
	uint64_t revision = field_get(MIDR_VARIANT, midr) << 4 | field_get(MIDR_REVISION, midr);
	if (field_get(MIDR_IMPLEMENTER, midr) != MIDR_IMPLEMENTER_ARM)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(errata); i++)
		if (field_get(MIDR_PART, midr) == errata[i].part && revision >= errata[i].first &&
		    revision <= errata[i].last)
			bits |= errata[i].bits;
	if (bits == 0)
		return; // another core may not have the register
	write_sysreg(read_sysreg(CPUACTLR_EL1) | bits, CPUACTLR_EL1);
	isb();
}

static EL3_CODE void init_el3(void)
{
	write_sysreg(SCR_RES1 | SCR_NS | SCR_HCE | SCR_RW |
	                     granted(scr_grants, ARRAY_SIZE(scr_grants)),
	             scr_el3);
	uint64_t cptr = granted(cptr_grants, ARRAY_SIZE(cptr_grants));
	write_sysreg(cptr, cptr_el3);
	write_sysreg(MDCR_EL3_SDD | granted(mdcr_grants, ARRAY_SIZE(mdcr_grants)), mdcr_el3);
	isb(); // the registers that follow exist, and for the non-secure world
	if ((cptr & CPTR_EL3_EZ) != 0)
		write_sysreg(ZCR_LEN, ZCR_EL3);
	if ((cptr & CPTR_EL3_ESM) != 0)
		write_sysreg(ZCR_LEN, SMCR_EL3);
	write_sysreg(0, CNTPS_CTL_EL1);
	if (counter_hz != 0)
		write_sysreg(counter_hz, cntfrq_el0);
	join_coherency();
	avoid_errata();
}

// Nothing at EL2 is left as the reset made it. What EL2 sets up by itself before it could matter
// (TTBR0_EL2, MAIR_EL2, TCR_EL2, VBAR_EL2...) is EL2's.
static EL3_CODE void init_el2(void)
{
	unsigned pmu = id_field(DFR0, 8);
	write_sysreg(SCTLR_EL2_RES1, sctlr_el2);
	write_sysreg(BIT_U64(HCR_EL2_RW_BIT), hcr_el2);
	write_sysreg(CPTR_EL2_BOOT, cptr_el2);
	write_sysreg(pmu == 0 || pmu == 0xf
	                     ? 0
	                     : field_put(MDCR_HPMN, field_get(PMCR_N, read_sysreg(pmcr_el0))),
	             mdcr_el2);
	write_sysreg(0, hstr_el2);
	write_sysreg(0, hacr_el2);
	write_sysreg(0, vbar_el2);
	write_sysreg(0, tpidr_el2);
	write_sysreg(0, vttbr_el2);
	write_sysreg(VTCR_RES1, vtcr_el2);
	write_sysreg(read_sysreg(midr_el1), vpidr_el2);
	write_sysreg(read_sysreg(mpidr_el1), vmpidr_el2);
	write_sysreg(CNTHCTL_EL1PCTEN | CNTHCTL_EL1PCEN, cnthctl_el2);
	write_sysreg(0, cntvoff_el2);
	write_sysreg(0, cnthp_ctl_el2);
	write_sysreg(0, cntp_ctl_el0);
	write_sysreg(0, cntv_ctl_el0);
	write_sysreg(0, mdscr_el1);
	if (id_field(MMFR0, 56) >= 1) { // FGT: traps nothing but what is newer than these registers
		write_sysreg(0, HFGRTR_EL2);
		write_sysreg(0, HFGWTR_EL2);
		write_sysreg(0, HFGITR_EL2);
		write_sysreg(0, HDFGRTR_EL2);
		write_sysreg(0, HDFGWTR_EL2);
	}
	if (id_field(MMFR0, 60) >= 2)
		write_sysreg(0, CNTPOFF_EL2);
	if (id_field(MMFR1, 40) >= 1)
		write_sysreg(0, HCRX_EL2);
	if (id_field(PFR0, 28) >= 1) { // RAS: no virtual SError waits
		write_sysreg(0, VSESR_EL2);
		write_sysreg(0, VDISR_EL2);
	}
}

// This CPU's way down. On a CPU without EL2 Mezzo goes to EL1, to say so.
static EL3_CODE void set_entry(uint64_t entry)
{
	init_el3();
	write_sysreg(entry, elr_el3);
	if (id_field(PFR0, 8) != 0) {
		init_el2();
		write_sysreg(SPSR_EL2H_MASKED, spsr_el3);
	} else {
		write_sysreg(SCTLR_EL1_RES1, sctlr_el1);
		write_sysreg(SPSR_EL1H_MASKED, spsr_el3);
	}
	isb();
}

// --- start ------------------------------------------------------------------------------------------

static EL3_CODE void clear_cpu(struct el3_cpu *cpu, uint64_t mpidr, uint32_t state)
{
	cpu->mpidr = mpidr;
	cpu->state = state;
	cpu->choosing = 0;
	cpu->number = 0;
	cpu->entry = 0;
	cpu->context = 0;
}

// Bytes of the tree at an address, or 0: there is none.
static EL3_CODE uint32_t tree_size(uint64_t address)
{
	if (__builtin_bswap32(io_read32(address)) != TREE_MAGIC)
		return 0;
	uint32_t size = __builtin_bswap32(io_read32(address + sizeof(uint32_t)));
	return size >= TREE_MIN_SIZE && size <= TREE_MAX_SIZE ? size : 0;
}

// A tree at address 0 cannot be told from none: it is moved up, to right below the image. What lies
// between them is RAM that nobody uses yet. 0: there is not room for both.
static EL3_CODE uint64_t move_tree(uint64_t image)
{
	uint64_t size = align_up(tree_size(0), sizeof(uint64_t));
	if (size == 0 || size > image / 2)
		return 0;
	uint64_t to = align_down(image - size, PAGE_SIZE);
	if (to < size)
		return 0;
	for (uint64_t at = 0; at < size; at += sizeof(uint64_t))
		io_write64(to + at, io_read64(at));
	return to;
}

// x0 if a loader passed it. A reset passes nothing, and x0 is unknown: then the first tree below the
// image on a 2 MiB boundary. Only addresses near the image are read: they are RAM like it, but for the
// few below the start of RAM, which are reached only if there is no tree at all.
static EL3_CODE uint64_t find_tree(uint64_t x0)
{
	uint64_t image = (uintptr_t)image_start;
	uint64_t lowest = image > TREE_REACH ? image - TREE_REACH : 0;
	if (x0 != 0 && is_aligned(x0, sizeof(uint64_t)) && x0 >= lowest &&
	    x0 - lowest < 2 * TREE_REACH && tree_size(x0) != 0)
		return x0;
	for (uint64_t at = align_down(image, TREE_STEP); at > lowest; at -= TREE_STEP)
		if (tree_size(at) != 0)
			return at;
	return lowest == 0 ? move_tree(image) : 0;
}

// In: x0 as the reset left it. Returns x0 for boot_lower: the device tree, or 0.
EL3_CODE uint64_t el3_start_boot_cpu(uint64_t x0)
{
	clear_cpu(&el3_cpus[0], 0, EL3_ON);
	set_entry((uintptr_t)boot_lower);
	return find_tree(x0);
}

// A CPU that was parked has been asked for. Returns its x0.
EL3_CODE uint64_t el3_start_cpu(struct el3_cpu *cpu)
{
	uint64_t context = cpu->context;
	set_entry(cpu->entry);
	el3_gic_start_cpu(cpu->mpidr);
	store_release(&cpu->state, EL3_ON); // from here on entry and context are the caller's again
	return context;
}

// --- calls --------------------------------------------------------------------------------------------

static EL3_CODE struct el3_cpu *find_cpu(uint64_t mpidr)
{
	for (uint32_t i = 0; i < el3_cpu_count; i++)
		if (el3_cpus[i].mpidr == mpidr)
			return &el3_cpus[i];
	return NULL;
}

static EL3_CODE int cpu_on(uint64_t target, uint64_t entry, uint64_t context)
{
	struct el3_cpu *cpu = find_cpu(target);
	if (cpu == NULL)
		return INVALID_PARAMETERS;
	if (!is_aligned(entry, sizeof(uint32_t)))
		return INVALID_ADDRESS;
	uint32_t state = load_acquire(&cpu->state);
	if (state != EL3_OFF)
		return state == EL3_ON ? ALREADY_ON : ON_PENDING;
	cpu->entry = entry;
	cpu->context = context;
	store_release(&cpu->state, EL3_ON_PENDING);
	dsb(sy); // written before the event that makes it look
	sev();
	return SUCCESS;
}

static EL3_CODE int affinity_info(uint64_t target, uint64_t level)
{
	const struct el3_cpu *cpu = level == 0 ? find_cpu(target) : NULL;
	return cpu != NULL ? (int)load_acquire(&cpu->state) : INVALID_PARAMETERS;
}

static EL3_CODE int system_power(bool off)
{
	if (!el3_power_can(off))
		return NOT_SUPPORTED;
	el3_power_pull(off);
	return INTERNAL_FAILURE;
}

static EL3_CODE int features(uint32_t function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON:
	case PSCI_CPU_ON64:
	case PSCI_AFFINITY:
	case PSCI_AFFINITY64:
	case PSCI_FEATURES: return SUCCESS;
	case PSCI_SYSTEM_OFF: return el3_power_can(true) ? SUCCESS : NOT_SUPPORTED;
	case PSCI_SYSTEM_RESET: return el3_power_can(false) ? SUCCESS : NOT_SUPPORTED;
	default: return NOT_SUPPORTED;
	}
}

static EL3_CODE int add_cpu(uint64_t mpidr)
{
	uint32_t count = el3_cpu_count;
	if ((mpidr & ~MPIDR_AFFINITY) != 0 || find_cpu(mpidr) != NULL || count == EL3_MAX_CPUS)
		return NOT_SUPPORTED;
	if (count == 0) { // the boot CPU's entry is in use already
		if (mpidr != el3_cpus[0].mpidr)
			return NOT_SUPPORTED;
	} else {
		clear_cpu(&el3_cpus[count], mpidr, EL3_OFF);
	}
	store_release(&el3_cpu_count, count + 1);
	return SUCCESS;
}

// Calls of enum el3_call, once.
static EL3_CODE int learn(uint32_t function, const uint64_t x[])
{
	int error = NOT_SUPPORTED;
	if (sealed)
		return NOT_SUPPORTED;
	switch (function) {
	case (uint32_t)EL3_CALL_CPU: return add_cpu(x[1]);
	case (uint32_t)EL3_CALL_REDISTRIBUTORS: return el3_add_redistributors(x[1], x[2], x[3]);
	case (uint32_t)EL3_CALL_POWER: return el3_set_power(x[1], x[2], x[3]);
	case (uint32_t)EL3_CALL_COUNTER:
		counter_hz = x[1];
		write_sysreg(counter_hz, cntfrq_el0);
		return SUCCESS;
	case (uint32_t)EL3_CALL_TIMEBASE: return el3_set_timebase(x[1]);
	case (uint32_t)EL3_CALL_GIC:
		if (counter_hz == 0) // the tree leaves it to what the boot CPU has
			counter_hz = read_sysreg(cntfrq_el0);
		error = el3_set_gic(x[1], x[2], x[3]);
		if (error == 0)
			el3_gic_start_cpu(this_cpu()->mpidr);
		sealed = true;
		break;
	default: break;
	}
	return error;
}

static EL3_CODE int serve(uint32_t function, const uint64_t x[])
{
	uint64_t mask = (function & SMC64) != 0 ? UINT64_MAX : UINT32_MAX;
	switch (function) {
	case PSCI_VERSION: return PSCI_1_1;
	case PSCI_FEATURES: return features((uint32_t)x[1]);
	case PSCI_CPU_ON:
	case PSCI_CPU_ON64: return cpu_on(x[1] & mask, x[2] & mask, x[3] & mask);
	case PSCI_AFFINITY:
	case PSCI_AFFINITY64: return affinity_info(x[1] & mask, x[2] & mask);
	case PSCI_SYSTEM_OFF: return system_power(true);
	case PSCI_SYSTEM_RESET: return system_power(false);
	default: return learn(function, x);
	}
}

// Gives EL2 an exception that came here instead, as if it had been EL2's from the start: Mezzo's own
// fault is reported by EL2's vectors, a guest's ends as EL2 decides for that register.
static EL3_CODE void reflect(void)
{
	uint64_t from = read_sysreg(spsr_el3), vector = VECTOR_LOWER_A64;
	if ((from & PSTATE_AARCH32) != 0)
		vector = VECTOR_LOWER_A32;
	else if (field_get(PSTATE_MODE, from) == MODE_EL2H)
		vector = VECTOR_SPX;
	else if (field_get(PSTATE_MODE, from) == MODE_EL2T)
		vector = VECTOR_SP0;
	write_sysreg(read_sysreg(esr_el3), esr_el2);
	write_sysreg(read_sysreg(far_el3), far_el2);
	write_sysreg(read_sysreg(elr_el3), elr_el2);
	write_sysreg(from, spsr_el2);
	write_sysreg(read_sysreg(vbar_el2) + vector, elr_el3);
	write_sysreg(SPSR_EL2H_MASKED, spsr_el3);
}

// Only EL2 is served: a guest's SMC is EL2's to trap (HCR_EL2.TSC).
EL3_CODE void el3_handle(struct el3_frame *frame)
{
	struct el3_cpu *self = this_cpu();
	uint32_t function = (uint32_t)frame->x[0];
	uint64_t from = read_sysreg(spsr_el3);
	if (field_get(ESR_EC, read_sysreg(esr_el3)) != EC_SMC64 || (from & PSTATE_AARCH32) != 0 ||
	    field_get(PSTATE_MODE, from) != MODE_EL2H) {
		reflect();
		return;
	}
	lock(self);
	if (function == PSCI_CPU_OFF) {
		el3_gic_stop_cpu();
		store_release(&self->state, EL3_OFF);
		unlock(self);
		el3_park();
	}
	frame->x[0] = (uint64_t)(int64_t)serve(function, frame->x);
	unlock(self);
}
