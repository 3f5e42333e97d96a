// SPDX-License-Identifier: Apache-2.0
/*
 * The benchmark's guest: measures what operations cost that a hypervisor may take part in, on whatever is underneath:
 * nothing, Mezzo, Xen, KVM. It writes, for each row,
 *
 *   bench: row NUMBER NAME             it begins; NUMBER is what the plugin is told
 *   bench: NAME MIN MEDIAN COUNT       ticks of the counter, or
 *   bench: NAME none WHY               it cannot be done on this machine
 *
 * and at the end `bench: end`. Before them `bench: first N`: the physical counter when tool_main() began, which counts from
 * reset but under Mezzo. With QEMU's icount and a counter of 1 GHz a tick is an instruction. The counter's
 * reading itself (`bench: read`) is taken off; the instructions of the operation itself are not.
 *
 * Command line: `rows=a,b,c` only those; `n=COUNT` samples; `wait=US` sleeps first; `turns=COUNT` see
 * turns.c; `virtio=OPERATIONS` and `sink=1` see virtio.c.
 */
#include "bench.h"
#include "fdt.h"
#include "test.h"

#define SAMPLES  1000u
#define WARM     100u
#define ROW_BITS 8

/* UUID of KVM's calls, as CALL_UID returns it: Linux Documentation/virt/kvm/arm/hypercalls.rst. */
#define UID_KVM_0 0xb66fb428u
#define UID_KVM_3 0x743a004du
#define LOW_WORD  0xffffffffu

u64 bench_read_cost;

static u64 samples[SAMPLES];
static enum machine machine;
static unsigned wanted_samples;

enum machine bench_machine(void)
{
	return machine;
}

static enum machine find_machine(void)
{
	u64 regs[SMCCC_REGS] = {SMCCC_HYP_CALL_UID};
	struct exc_record r;

	if (platform.xen)
		return ON_XEN;
	if (test_under_mezzo())
		return ON_MEZZO;
	r = EXC_OF(smccc_hvc(regs));
	if (r.count == 0 && (regs[0] & LOW_WORD) == UID_KVM_0 && (regs[3] & LOW_WORD) == UID_KVM_3)
		return ON_KVM;
	return ON_BARE;
}

/* The row's name is in `rows=`, or there is none. */
static bool is_wanted(const char *name)
{
	size_t len = __builtin_strlen(name);
	const char *p = platform.bootargs;

	while (*p != '\0' && !(str_starts(p, "rows=") && (p == platform.bootargs || p[-1] == ' ')))
		p++;
	if (*p == '\0')
		return true;
	for (p += 4; *p == '=' || *p == ',';) {
		p++;
		if (str_starts(p, name) && (p[len] == ',' || p[len] == ' ' || p[len] == '\0'))
			return true;
		while (*p != '\0' && *p != ',' && *p != ' ')
			p++;
	}
	return false;
}

/* Tells the plugin which row the next marks belong to. */
static void mark_row(unsigned number)
{
	__asm__ volatile(MARK_CLEAR);
	for (unsigned bit = ROW_BITS; bit-- > 0;) {
		if ((number & BIT(bit)) != 0)
			__asm__ volatile(MARK_ONE);
		else
			__asm__ volatile(MARK_ZERO);
	}
}

static void sort(u64 *values, unsigned count)
{
	for (unsigned step = count / 2; step > 0; step /= 2) {
		for (unsigned i = step; i < count; i++) {
			u64 value = values[i];
			unsigned at = i;

			for (; at >= step && values[at - step] > value; at -= step)
				values[at] = values[at - step];
			values[at] = value;
		}
	}
}

static void take_samples(const struct row *row)
{
	unsigned most = row->most != 0 ? row->most : SAMPLES,
	         warm = row->most != 0 ? row->warm : WARM, count = 0;

	most = most < wanted_samples ? most : wanted_samples;
	for (unsigned i = 0; i < warm && row->once() != SAMPLE_FAILED; i++)
		;
	while (count < most && (samples[count] = row->once()) != SAMPLE_FAILED)
		count++;
	if (row->finish != NULL)
		row->finish();
	if (count == 0) {
		print("bench: %s none it did not end in time\n", row->name);
		return;
	}
	sort(samples, count);
	print("bench: %s %ld %ld %u\n", row->name, (s64)samples[0], (s64)samples[count / 2], count);
}

static unsigned run_rows(const struct row *row, unsigned number)
{
	for (; row->name != NULL; row++, number++) {
		const char *why;

		if (!is_wanted(row->name))
			continue;
		print("bench: row %u %s\n", number, row->name);
		mark_row(number);
		why = row->prepare != NULL ? row->prepare() : NULL;
		if (why != NULL)
			print("bench: %s none %s\n", row->name, why);
		else
			take_samples(row);
	}
	return number;
}

/* Asleep for so many microseconds: others on the board come to rest meanwhile. */
static void rest(u64 us)
{
	u64 until = timer_count() + timer_ticks(us);

	irq_disable();
	gic_enable(INTID_VTIMER);
	write_sysreg(cntv_cval_el0, until);
	write_sysreg(cntv_ctl_el0, CNT_ENABLE);
	isb();
	while (timer_count() < until)
		wfi();
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	(void)end_interrupt();
	gic_disable(INTID_VTIMER);
	irq_enable();
}

void tool_main(void)
{
	static const char *const names[] = {"bare", "mezzo", "xen", "kvm"};
	u64 began = read_sysreg(cntpct_el0);
	unsigned number = 1;

	machine = find_machine();
	wanted_samples = (unsigned)platform_arg("n", SAMPLES);
	wanted_samples = wanted_samples < SAMPLES ? wanted_samples : SAMPLES;
	bench_read_cost = SAMPLE_FAILED;
	for (unsigned i = 0; i < WARM; i++) {
		u64 from, cost;

		__asm__ volatile("mrs %0, cntvct_el0\n\tmrs %1, cntvct_el0"
		                 : "=&r"(from), "=&r"(cost));
		bench_read_cost = cost - from < bench_read_cost ? cost - from : bench_read_cost;
	}
	print("bench: on %s gic %u cpus %u ram %lu MiB midr 0x%lx counter %lu Hz\n", names[machine],
	      platform.gic_version, platform.cpu_count, platform.ram_bytes / MIB,
	      read_sysreg(midr_el1), read_sysreg(cntfrq_el0));
	print("bench: read %lu\n", bench_read_cost);
	print("bench: first %lu\n", began);
	if (platform_arg("wait", 0) != 0)
		rest(platform_arg("wait", 0));
	if (platform_arg("turns", 0) != 0) {
		turns_main(platform_arg("turns", 0));
	} else if (platform_arg("sink", 0) != 0) {
		sink_main();
	} else if (platform_arg("virtio", 0) != 0) {
		run_rows(rows_virtio, number);
	} else {
		number = run_rows(rows_trap, number);
		number = run_rows(rows_irq, number);
		number = run_rows(rows_pair, number);
		run_rows(rows_memory, number);
	}
	print("bench: end\n");
}
