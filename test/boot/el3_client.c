// SPDX-License-Identifier: Apache-2.0
// A program for EL2 that asks Mezzo's EL3 everything it answers, in place of Mezzo: linked with arm/el3*
// and arm/smccc.S by test_el3.py, for QEMU's virt board. CPUS is how many the board has; ON_END is the
// last call, 0x84000008 (off) or 0x84000009 (reset).
// Runs with EL2's MMU off: no exclusives, and a counter has one writer. Each line that it prints is
// "ok WHAT" or "WRONG WHAT: found, expected".
#include "arm/barrier.h"
#include "arm/el3.h"
#include "arm/io.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/atomic.h"

#define UART            0x09000000
#define GICD            0x08000000
#define GICC            0x08010000
#define GICR            0x080a0000
#define GICR_SPAN       0x00f60000
#define GPIO            0x090b0000
#define TREE_MAGIC      0xedfe0dd0 // as a little-endian CPU reads it
#define STACK_SIZE      4096
#define ROUNDS          30    // tries of each CPU to start the last one
#define PATIENCE_MS     90000 // the host may be busy
#define FN_VERSION      0x84000000
#define FN_CPU_OFF      0x84000002
#define FN_CPU_ON       0x84000003
#define FN_CPU_ON64     0xc4000003
#define FN_AFFINITY     0x84000004
#define FN_AFFINITY64   0xc4000004
#define FN_MIGRATE_TYPE 0x84000006
#define FN_SYSTEM_OFF   0x84000008
#define FN_SYSTEM_RESET 0x84000009
#define FN_FEATURES     0x8400000a
#define FN_SUSPEND      0xc4000001
#define FN_NOBODY       0x8400ffff

void client_main(const uint32_t *tree, uint64_t entered_at_el3);
void client_cpu(uint64_t id);
uint64_t smc_from_el1(void);
uint64_t smc_keeps(uint64_t function); // registers of x4..x17 that an SMC changed
extern char client_entry[] __attribute__((visibility("hidden")));
uint8_t client_stacks[CPUS][STACK_SIZE] __attribute__((aligned(16)));
uint32_t el3_below;

static struct cpu_state {
	uint32_t starts;    // how often it arrived at EL2
	uint32_t go;        // written by the boot CPU: begin to start the last CPU
	uint32_t successes; // of its calls
	uint32_t odd;       // answers that make no sense
	uint32_t done;
	uint64_t mpidr, vmpidr, sctlr;
} cpus[CPUS] __attribute__((aligned(64)));
static uint32_t wrong;

// Reset, EL3 of every CPU; then EL2 of the boot CPU and of the others.
__asm__(".section .head, \"ax\"\n"
        ".global image_start\n"
        "image_start: b el3_boot\n"
        ".global boot_lower\n"
        ".hidden boot_lower\n"
        "boot_lower:\n"
        "	adrp x2, client_vectors\n"
        "	add x2, x2, :lo12:client_vectors\n"
        "	msr vbar_el2, x2\n"
        "	adrp x2, client_stacks\n"
        "	add x2, x2, :lo12:client_stacks\n"
        "	add x2, x2, #4096\n"
        "	mov sp, x2\n"
        "	b client_main\n"
        "client_entry:\n" // x0: number of the CPU
        "	adrp x2, client_stacks\n"
        "	add x2, x2, :lo12:client_stacks\n"
        "	add x3, x0, #1\n"
        "	add x2, x2, x3, lsl #12\n"
        "	mov sp, x2\n"
        "	b client_cpu\n"
        // An SMC at EL1 that EL2 does not trap is EL3's to give back: ESR_EL2 is the result.
        "smc_from_el1:\n"
        "	adr x0, 1f\n"
        "	msr elr_el2, x0\n"
        "	mov x0, #0x3c5\n"
        "	msr spsr_el2, x0\n"
        "	eret\n"
        "1:	mov x0, #0x84000000\n"
        "	smc #0\n"
        "	mov x0, xzr\n" // it was served
        "	hvc #0\n"
        "smc_keeps:\n"
        "	mov x4, #4\n	mov x5, #5\n	mov x6, #6\n	mov x7, #7\n"
        "	mov x8, #8\n	mov x9, #9\n	mov x10, #10\n	mov x11, #11\n"
        "	mov x12, #12\n	mov x13, #13\n	mov x14, #14\n	mov x15, #15\n"
        "	mov x16, #16\n	mov x17, #17\n"
        "	smc #0\n"
        "	mov x0, xzr\n"
        "	.irp n, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17\n"
        "	cmp x\\n, #\\n\n"
        "	cinc x0, x0, ne\n"
        "	.endr\n"
        "	ret\n"
        "	.balign 2048\n"
        "client_vectors:\n"
        "	.skip 0x400\n"
        "	mrs x0, esr_el2\n" // from EL1: back to smc_from_el1's caller
        "	ret\n"
        "	.previous\n");

static void put(char c)
{
	io_write8(UART, (uint8_t)c);
}

static void put_text(const char *text)
{
	for (; *text != 0; text++)
		put(*text);
}

static void put_hex(uint64_t value)
{
	put_text("0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		if (value >> shift != 0 || shift == 0)
			put("0123456789abcdef"[(value >> shift) & 0xf]);
}

static void check(const char *what, uint64_t found, uint64_t expected)
{
	put_text(found == expected ? "ok " : "WRONG ");
	put_text(what);
	if (found != expected) {
		put_text(": ");
		put_hex(found);
		put_text(", expected ");
		put_hex(expected);
		wrong++;
	}
	put('\n');
}

static int64_t call(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	const uint64_t in[8] = {function, x1, x2, x3};
	uint64_t out[4];
	smccc_call(false, in, out);
	return (int64_t)out[0];
}

static uint64_t mpidr_of(uint64_t id)
{
	return id; // on this board, up to 8 CPUs
}

// Waits until *word is at least `value`.
static bool wait_for(const uint32_t *word, uint32_t value)
{
	uint64_t hz = read_sysreg(cntfrq_el0), start = read_sysreg(cntpct_el0);
	while (load_acquire(word) < value) {
		if (read_sysreg(cntpct_el0) - start > hz * PATIENCE_MS / 1000)
			return false;
		spin_relax();
	}
	return true;
}

static bool wait_off(uint64_t id)
{
	uint64_t hz = read_sysreg(cntfrq_el0), start = read_sysreg(cntpct_el0);
	while (call(FN_AFFINITY64, mpidr_of(id), 0, 0) != 1) {
		if (read_sysreg(cntpct_el0) - start > hz * PATIENCE_MS / 1000)
			return false;
		spin_relax();
	}
	return true;
}

// Tries to start the last CPU, which switches itself off each time.
static void start_last(struct cpu_state *self)
{
	uint32_t successes = 0, odd = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		int64_t answer =
		        call(FN_CPU_ON64, mpidr_of(CPUS - 1), (uintptr_t)client_entry, CPUS - 1);
		successes += answer == 0;
		odd += answer != 0 && answer != -4 && answer != -5;
	}
	store_relaxed(&self->successes, successes);
	store_relaxed(&self->odd, odd);
	store_release(&self->done, 1);
}

void client_cpu(uint64_t id)
{
	struct cpu_state *self = &cpus[id];
	self->mpidr = read_sysreg(mpidr_el1);
	self->vmpidr = read_sysreg(vmpidr_el2);
	self->sctlr = read_sysreg(sctlr_el2);
	store_release(&self->starts, self->starts + 1);
	if (id != CPUS - 1) {
		while (load_acquire(&self->go) == 0)
			spin_relax();
		start_last(self);
	}
	call(FN_CPU_OFF, 0, 0, 0);
	store_release(&self->odd, self->odd + 1); // it never returns
	for (;;)
		wfe();
}

static void check_registers(void)
{
	check("EL2", read_sysreg(CurrentEL), CURRENTEL_EL2);
	check("SCTLR_EL2", read_sysreg(sctlr_el2), SCTLR_EL2_RES1);
	check("HCR_EL2", read_sysreg(hcr_el2), HCR_RW);
	check("VTTBR_EL2", read_sysreg(vttbr_el2), 0);
	check("VPIDR_EL2", read_sysreg(vpidr_el2), read_sysreg(midr_el1));
	check("VMPIDR_EL2", read_sysreg(vmpidr_el2), read_sysreg(mpidr_el1));
	check("CNTVOFF_EL2", read_sysreg(cntvoff_el2), 0);
	check("CNTFRQ_EL0", read_sysreg(cntfrq_el0) != 0, 1);
	check("HPMN", field_get(MDCR_HPMN, read_sysreg(mdcr_el2)),
	      field_get(PMCR_N, read_sysreg(pmcr_el0)));
}

// What EL2 says about the board, in a wrong order, too much and again.
static void check_telling(bool v3)
{
	check("another CPU first", (uint64_t)el3_call(EL3_CALL_CPU, 1, 0, 0),
	      (uint64_t)ERR_UNSUPPORTED);
	for (uint64_t id = 0; id < CPUS; id++)
		check("tell a CPU", (uint64_t)el3_call(EL3_CALL_CPU, mpidr_of(id), 0, 0), 0);
	check("tell it again", (uint64_t)el3_call(EL3_CALL_CPU, 0, 0, 0),
	      (uint64_t)ERR_UNSUPPORTED);
	check("tell what is no affinity", (uint64_t)el3_call(EL3_CALL_CPU, MPIDR_RES1 | 1, 0, 0),
	      (uint64_t)ERR_UNSUPPORTED);
	check("no power lines yet", (uint64_t)call(FN_SYSTEM_OFF, 0, 0, 0), (uint64_t)-1);
	check("redistributors",
	      v3 ? (uint64_t)el3_call(EL3_CALL_REDISTRIBUTORS, GICR, GICR_SPAN, 0) : 0, 0);
	check("power lines",
	      (uint64_t)el3_call(EL3_CALL_POWER, GPIO, EL3_POWER_EXISTS | 0, EL3_POWER_EXISTS | 1),
	      0);
	check("GIC", (uint64_t)el3_call(EL3_CALL_GIC, v3 ? 3 : 2, GICD, v3 ? 0 : GICC), 0);
	check("a CPU too late", (uint64_t)el3_call(EL3_CALL_CPU, 100, 0, 0),
	      (uint64_t)ERR_UNSUPPORTED);
	check("the GIC too late", (uint64_t)el3_call(EL3_CALL_GIC, 3, 0, 0),
	      (uint64_t)ERR_UNSUPPORTED);
}

static void check_answers(void)
{
	check("VERSION", (uint64_t)call(FN_VERSION, 0, 0, 0), 0x10001);
	check("FEATURES of CPU_ON", (uint64_t)call(FN_FEATURES, FN_CPU_ON64, 0, 0), 0);
	check("FEATURES of SYSTEM_OFF", (uint64_t)call(FN_FEATURES, FN_SYSTEM_OFF, 0, 0), 0);
	check("FEATURES of SYSTEM_RESET", (uint64_t)call(FN_FEATURES, FN_SYSTEM_RESET, 0, 0), 0);
	check("FEATURES of CPU_SUSPEND", (uint64_t)call(FN_FEATURES, FN_SUSPEND, 0, 0),
	      (uint64_t)-1);
	check("CPU_SUSPEND", (uint64_t)call(FN_SUSPEND, 0, 0, 0), (uint64_t)-1);
	check("MIGRATE_INFO_TYPE", (uint64_t)call(FN_MIGRATE_TYPE, 0, 0, 0), (uint64_t)-1);
	check("unknown", (uint64_t)call(FN_NOBODY, 0, 0, 0), (uint64_t)-1);
	check("registers an SMC changes", smc_keeps(FN_VERSION), 0);
	check("registers CPU_ON changes", smc_keeps(FN_CPU_ON), 0);
	check("CPU_ON of nobody", (uint64_t)call(FN_CPU_ON64, 0x12345, 0, 0), (uint64_t)-2);
	check("CPU_ON with bit 31", (uint64_t)call(FN_CPU_ON64, MPIDR_RES1, 0, 0), (uint64_t)-2);
	check("CPU_ON of oneself", (uint64_t)call(FN_CPU_ON64, 0, 0, 0), (uint64_t)-4);
	check("CPU_ON at an odd address", (uint64_t)call(FN_CPU_ON64, mpidr_of(CPUS - 1), 2, 0),
	      (uint64_t)-9);
	check("AFFINITY_INFO of oneself", (uint64_t)call(FN_AFFINITY, 0, 0, 0), 0);
	check("AFFINITY_INFO of nobody", (uint64_t)call(FN_AFFINITY64, 0x12345, 0, 0),
	      (uint64_t)-2);
	check("AFFINITY_INFO of a cluster", (uint64_t)call(FN_AFFINITY64, 0, 1, 0), (uint64_t)-2);
	check("SMC32 has 32-bit arguments", (uint64_t)call(FN_AFFINITY, BIT_U64(36), 0, 0), 0);
	check("class of an SMC from EL1", field_get(ESR_EC, smc_from_el1()), EC_SMC64);
}

static void check_cpus(void)
{
	for (uint64_t id = 1; id < CPUS; id++) {
		check("is off", (uint64_t)call(FN_AFFINITY64, mpidr_of(id), 0, 0), 1);
		// Odd CPUs by the 32-bit call, as the image is below 4 GiB.
		check("CPU_ON",
		      (uint64_t)call(id % 2 != 0 ? FN_CPU_ON : FN_CPU_ON64, mpidr_of(id),
		                     (uintptr_t)client_entry, id),
		      0);
		check("comes up", wait_for(&cpus[id].starts, 1), 1);
		check("its affinity", cpus[id].mpidr & MPIDR_AFFINITY, mpidr_of(id));
		check("its VMPIDR_EL2", cpus[id].vmpidr, cpus[id].mpidr);
		check("its SCTLR_EL2", cpus[id].sctlr, SCTLR_EL2_RES1);
		if (id != CPUS - 1)
			check("ALREADY_ON",
			      (uint64_t)call(FN_CPU_ON64, mpidr_of(id), (uintptr_t)client_entry,
			                     id),
			      (uint64_t)-4);
	}
	check("the last switched itself off", wait_off(CPUS - 1), 1);
}

// Everybody starts the last CPU at once: it comes up as often as somebody was told so.
static void check_race(void)
{
	uint32_t successes = 0, odd = 0, before = cpus[CPUS - 1].starts;
	for (uint64_t id = 1; id + 1 < CPUS; id++)
		store_release(&cpus[id].go, 1);
	start_last(&cpus[0]);
	for (uint64_t id = 0; id + 1 < CPUS; id++) {
		if (id != 0)
			check("went off", wait_off(id), 1);
		check("has tried", load_acquire(&cpus[id].done), 1);
		successes += cpus[id].successes;
		odd += cpus[id].odd;
	}
	check("the last is off", wait_off(CPUS - 1), 1);
	check("starts of the last", cpus[CPUS - 1].starts - before, successes);
	check("there were some", successes != 0, 1);
	check("odd answers", odd + cpus[CPUS - 1].odd, 0);
}

void client_main(const uint32_t *tree, uint64_t entered_at_el3)
{
	bool v3 = (read_sysreg(id_aa64pfr0_el1) >> 24 & 0xf) != 0;
	for (unsigned id = 0; id < CPUS; id++) {
		cpus[id].starts = 0;
		cpus[id].go = 0;
		cpus[id].done = 0;
		cpus[id].odd = 0;
	}
	wrong = 0;
	check("x1", entered_at_el3, 1);
	check("device tree", tree != NULL && *tree == TREE_MAGIC, 1);
	check_registers();
	check_telling(v3);
	check_answers();
	if (CPUS > 1) {
		check_cpus();
		check_race();
	}
	put_text(wrong == 0 ? "all as expected\n" : "there were faults\n");
	check("still here", (uint64_t)call(ON_END, 0, 0, 0), 0);
	for (;;)
		wfe();
}
