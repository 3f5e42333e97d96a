// SPDX-License-Identifier: Apache-2.0
/*
 * The hostile image: start, choice of cases, one line for each. Words of the command line:
 *
 *     run=H7.3,H9    these cases and classes alone; without it all but those that need a VM of their own
 *     again=1        begins again after the last one, for ever
 *     list=1         only says which rows there are
 *     victim=1       is the victim instead (victim.c)
 *     work=SECONDS   counts work for so long instead, to see what share of a CPU it gets
 *
 * Shares start, console, interrupt controller and PSCI with the EL1 test kernels (test/guest/lib).
 */
#include "hostile.h"

#define TEXT_BYTES 128
#define PREFIX     "case "
#define SEED       0x9e3779b97f4a7c15ul

#define FIRST_GIC_CLASS 17

extern const struct hostile_case _cases_start[], _cases_end[];

u8 case_memory[CASE_BYTES] __attribute__((aligned(4096)));

static bool under_mezzo;
static unsigned rights, wrongs, absents;
static u64 random_state;
static bool (*hook_of_case)(struct exc_frame *frame, unsigned vector);

static struct {
	const struct hostile_case *row;
	unsigned checks, misses;
	const char *absent;
	char first[TEXT_BYTES]; /* what did not hold first */
	u64 got, want;
} now;

static struct {
	u64 vbar, ttbr0, ttbr1, tcr, mair, sctlr, cpacr, cntkctl;
} kept;

/* --- expectations ------------------------------------------------------------------------------ */

static void check(bool held, u64 got, u64 want, const char *what, va_list args)
{
	now.checks++;
	if (held || now.misses++ != 0)
		return;
	print_format(now.first, sizeof(now.first), what, args);
	now.got = got;
	now.want = want;
}

void want_eq(u64 got, u64 want, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	check(got == want, got, want, what, args);
	va_end(args);
}

void want_true(bool held, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	check(held, held, true, what, args);
	va_end(args);
}

void want_class(const struct exc_record *r, u64 class, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	check(exc_class(r) == class && r->count <= 1, exc_class(r), class, what, args);
	va_end(args);
}

void want_none(const struct exc_record *r, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	check(r->count == 0, exc_class(r), NO_EXC, what, args);
	va_end(args);
}

void want_undefined(const struct exc_record *r, const char *what, ...)
{
	va_list args;

	va_start(args, what);
	check(exc_class(r) == EC_UNKNOWN && r->count == 1, exc_class(r), EC_UNKNOWN, what, args);
	va_end(args);
}

void want_abort(const struct exc_record *r, u64 far, const char *what, ...)
{
	u64 class = exc_class(r), status = FIELD_GET(ESR_DFSC, r->esr);
	va_list args;

	va_start(args, what);
	if (class != EC_DABT || r->count != 1)
		check(false, class, EC_DABT, what, args);
	else if (status != FSC_SEA)
		check(false, status, FSC_SEA, what, args);
	else
		check(r->far == far, r->far, far, what, args);
	va_end(args);
}

void absent(const char *why)
{
	now.absent = why;
	case_leave();
}

bool on_mezzo(void)
{
	return under_mezzo;
}

/* --- what cases use ---------------------------------------------------------------------------- */

void case_hook(bool (*hook)(struct exc_frame *frame, unsigned vector))
{
	hook_of_case = hook;
	dsb(ish);
}

u64 case_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

u64 ram_end(void)
{
	return platform.ram_base + platform.ram_bytes;
}

u64 call4(bool smc, u64 x0, u64 x1, u64 x2, u64 x3, u64 regs[SMCCC_REGS])
{
	for (unsigned i = 4; i < SMCCC_REGS; i++)
		regs[i] = 0xabcd0000 + i;
	regs[0] = x0;
	regs[1] = x1;
	regs[2] = x2;
	regs[3] = x3;
	if (smc)
		smccc_smc(regs);
	else
		smccc_hvc(regs);
	return regs[0];
}

/* --- running ----------------------------------------------------------------------------------- */

/* An exception that nobody awaits ends the case, not the program. */
static bool hook(struct exc_frame *frame, unsigned vector)
{
	if (hook_of_case != NULL && hook_of_case(frame, vector))
		return true;
	if ((vector & VEC_KIND) == VEC_IRQ || exc_is_armed() || smp_cpu() != 0 || now.row == NULL)
		return false;
	want_eq(FIELD_GET(ESR_EC, frame->esr), NO_EXC,
	        "unexpected exception, vector %u, image + 0x%lx, far 0x%lx", vector,
	        frame->elr - platform.image_base, frame->far);
	case_leave();
}

static void keep(void)
{
	kept.vbar = read_sysreg(vbar_el1);
	kept.ttbr0 = read_sysreg(ttbr0_el1);
	kept.ttbr1 = read_sysreg(ttbr1_el1);
	kept.tcr = read_sysreg(tcr_el1);
	kept.mair = read_sysreg(mair_el1);
	kept.sctlr = read_sysreg(sctlr_el1);
	kept.cpacr = read_sysreg(cpacr_el1);
	kept.cntkctl = read_sysreg(cntkctl_el1);
}

/* Classes up to here leave the interrupts of others as they are; the whole controller takes 700 exits. */
static bool leaves_spis_alone(const struct hostile_case *row)
{
	u32 class = 0;

	for (const char *p = row->id + 1; *p >= '0' && *p <= '9'; p++)
		class = class * 10 + (u32)(*p - '0');
	return class < FIRST_GIC_CLASS && (row->needs & (NEEDS_GICV2 | NEEDS_GICV3)) == 0;
}

/* As before the first case, whatever the last one did. */
static void restore(const struct hostile_case *row)
{
	irq_disable();
	write_sysreg(sctlr_el1, kept.sctlr);
	write_sysreg(ttbr0_el1, kept.ttbr0);
	write_sysreg(ttbr1_el1, kept.ttbr1);
	write_sysreg(tcr_el1, kept.tcr);
	write_sysreg(mair_el1, kept.mair);
	isb();
	__asm__ volatile("tlbi vmalle1is" ::: "memory");
	dsb(ish);
	write_sysreg(vbar_el1, kept.vbar);
	write_sysreg(cpacr_el1, kept.cpacr);
	write_sysreg(cntkctl_el1, kept.cntkctl);
	write_sysreg(cntv_ctl_el0, 0);
	write_sysreg(cntp_ctl_el0, 0);
	write_sysreg(mdscr_el1, 0);
	isb();
	(void)exc_disarm();
	hook_of_case = NULL;
	mmu_mend_walk();
	mmu_unmap_devices_user();
	if (row != NULL && leaves_spis_alone(row))
		gic_init_cpu();
	else
		gic_init();
	if (platform.cpu_count > 1)
		gic_enable(SMP_DOORBELL);
	irq_reset();
	for (u32 i = 0; i < IRQ_INTIDS; i++)
		irq_set_handler(i, NULL);
}

static const char *missing(const struct hostile_case *row)
{
	if ((row->needs & NEEDS_MEZZO) != 0 && !under_mezzo)
		return "Mezzo's own";
	if ((row->needs & NEEDS_GICV2) != 0 && platform.gic_version != 2)
		return "needs a GICv2";
	if ((row->needs & NEEDS_GICV3) != 0 && platform.gic_version != 3)
		return "needs a GICv3";
	if ((row->needs & NEEDS_SMP) != 0 && platform.cpu_count < 2)
		return "needs two CPUs";
	return NULL;
}

static void run(const struct hostile_case *row)
{
	now.row = row;
	now.checks = 0;
	now.misses = 0;
	now.absent = missing(row);
	random_state = SEED;
	print("begin %s\n", row->id);
	if (now.absent == NULL) {
		__builtin_memset(case_memory, 0, sizeof(case_memory));
		case_enter(row->run);
		restore(row);
	}
	now.row = NULL;
	if (now.misses != 0) {
		wrongs++;
		print(PREFIX "%s wrong: %s: got 0x%lx want 0x%lx, %u of %u\n", row->id, now.first,
		      now.got, now.want, now.misses, now.checks);
	} else if (now.absent != NULL && now.checks == 0) {
		absents++;
		print(PREFIX "%s absent: %s\n", row->id, now.absent);
	} else if (now.checks == 0) {
		wrongs++;
		print(PREFIX "%s wrong: it looked at nothing\n", row->id);
	} else {
		rights++;
		print(PREFIX "%s right\n", row->id);
	}
}

/* --- choice ------------------------------------------------------------------------------------ */

/* The text behind `name=` on the command line, up to the next space; NULL: there is none. */
static const char *word_of(const char *name)
{
	size_t len = __builtin_strlen(name);

	for (const char *p = platform.bootargs; *p != '\0'; p++) {
		if ((p == platform.bootargs || p[-1] == ' ') && str_starts(p, name) &&
		    p[len] == '=')
			return p + len + 1;
	}
	return NULL;
}

/* Whether a list like "H7,H9.2" holds the row's class, or itself. */
static bool is_named(const char *list, const struct hostile_case *row)
{
	const char *p = list;

	while (*p != '\0' && *p != ' ') {
		size_t n = 0;

		while (row->id[n] != '\0' && p[n] == row->id[n])
			n++;
		if (p[n] == ',' || p[n] == ' ' || p[n] == '\0') {
			if (row->id[n] == '\0' || (row->id[n] == '.' && (row->needs & OWN_VM) == 0))
				return true;
		}
		while (*p != '\0' && *p != ' ' && *p != ',')
			p++;
		if (*p == ',')
			p++;
	}
	return false;
}

static void list(void)
{
	static const char *const ends[] = {"itself", "crashed", "off", "reset"};

	for (const struct hostile_case *row = _cases_start; row < _cases_end; row++) {
		print("row %s|%u|%s|", row->id, row->needs, ends[row->end]);
		print_raw(row->what);
		print_raw("|");
		print_raw(row->right);
		print_raw("\n");
	}
}

static void run_each(const char *chosen)
{
	for (const struct hostile_case *row = _cases_start; row < _cases_end; row++) {
		if (chosen != NULL ? is_named(chosen, row) : (row->needs & OWN_VM) == 0)
			run(row);
	}
}

static void run_all(void)
{
	const char *chosen = word_of("run");

	keep();
	if (smp_start_all() < platform.cpu_count)
		print_raw("hostile: not all CPUs started\n");
	restore(NULL);
	exc_set_hook(hook);
	do
		run_each(chosen);
	while (platform_arg("again", 0) != 0);
	exc_set_hook(NULL);
}

void rt_main(u64 boot_x0, u64 image_base);
void rt_main(u64 boot_x0, u64 image_base)
{
	platform_init(boot_x0, image_base);
	mmu_init();
	mmu_enable();
	under_mezzo = platform.mezzo || mezzo_present();
	if (platform_arg("victim", 0) != 0)
		victim_main();
	if (platform_arg("work", 0) != 0)
		work_main(platform_arg("work", 0));
	gic_init();
	print("hostile: up, gic %u, %u CPUs, under %s\n", platform.gic_version, platform.cpu_count,
	      under_mezzo ? "mezzo" : "something else");
	if (platform_arg("list", 0) != 0)
		list();
	else
		run_all();
	print("hostile: end, %u right, %u wrong, %u absent\n", rights, wrongs, absents);
	psci_system_off();
}
