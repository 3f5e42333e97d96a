// SPDX-License-Identifier: Apache-2.0
// The shell's commands that look inside: interrupts, registers, device trees, the audit. Own nothing:
// what they keep from step to step is in the job. Called by console/shell.c, a step at a time. They
// write nothing of a VM's, and read without its locks: what they show of a running one is a snapshot.
#include "debug/commands_debug.h"

#include "arm/regs.h"
#include "base/print.h"
#include "base/string.h"
#include "fdt/tree_text.h"
#include "vdev/vgic_state.h"
#include "vdev/vgwdt.h"
#include "vdev/vpl011.h"
#include "vdev/vpl031.h"
#include "vdev/vvirtio.h"
#include "vdev/vvirtio_mmio.h"
#include "vm/audit.h"
#include "vm/vm.h"

// ---- irq ----

#define WORDS_A_STEP 16
#define ROWS_A_STEP  6

static const struct {
	uint32_t first, last;
	const char *name;
} line_names[] = {
        {0, VGIC_NR_SGIS - 1, "between vCPUs"},
        {INTID_CNTV, INTID_CNTV, "virtual timer"},
        {INTID_CNTP, INTID_CNTP, "physical timer"},
        {VPL011_INTID, VPL011_INTID, "UART (PL011)"},
        {VPL031_INTID, VPL031_INTID, "clock (PL031)"},
        {39, 39, "power button (PL061)"},
        {VGWDT_INTID, VGWDT_INTID, "watchdog"},
        {VVIRTIO_FIRST_INTID, VVIRTIO_FIRST_INTID + VVIRTIO_SLOTS - 1, "virtio"},
};

static const struct answer_column irq_columns[] = {
        {"vcpu", "VCPU", ANSWER_NUMBER, 4},         {"intid", "INTID", ANSWER_NUMBER, 5},
        {"name", "NAME", ANSWER_TEXT, -20},         {"enabled", "ENABLED", ANSWER_YES, -7},
        {"pending", "PENDING", ANSWER_YES, -7},     {"active", "ACTIVE", ANSWER_YES, -6},
        {"listed", "LISTED", ANSWER_YES, -6},       {"trigger", "TRIGGER", ANSWER_TEXT, -7},
        {"priority", "PRIORITY", ANSWER_NUMBER, 8},
};

struct irq {
	uint32_t group; // vCPU 0, 1, ..., then the words of SPIs
	uint32_t bit;
};

static const char *line_name(uint32_t intid)
{
	for (unsigned i = 0; i < ARRAY_SIZE(line_names); i++)
		if (intid >= line_names[i].first && intid <= line_names[i].last)
			return line_names[i].name;
	return NULL;
}

static void irq_row(struct answer *out, const struct vgic_bank *bank, uint64_t vcpu, uint32_t word,
                    uint32_t bit)
{
	uint32_t mask = BIT_U32(bit);
	const struct answer_value row[ARRAY_SIZE(irq_columns)] = {
	        {.number = vcpu},
	        {.number = word * 32 + bit},
	        {.text = line_name(word * 32 + bit)},
	        {.number = (load_relaxed(&bank->enabled) & mask) != 0},
	        {.number = (vgic_bank_pending(bank) & mask) != 0},
	        {.number = (load_relaxed(&bank->active) & mask) != 0},
	        {.number = (load_relaxed(&bank->held) & mask) != 0},
	        {.text = (load_relaxed(&bank->edge) & mask) != 0 ? "edge" : "level"},
	        {.number = bank->priority[bit]},
	};
	answer_row(out, row);
}

// Those that are enabled or wait for something. SGIs are always enabled: that alone says nothing.
static uint32_t worth_showing(const struct vgic_bank *bank, uint32_t word)
{
	uint32_t enabled = load_relaxed(&bank->enabled);

	return (word == 0 ? enabled & ~VGIC_SGIS : enabled) | vgic_bank_pending(bank) |
	       load_relaxed(&bank->active) | load_relaxed(&bank->held);
}

static bool command_irq(struct shell_job *job)
{
	struct irq *at = (struct irq *)job->scratch;
	const struct vm *vm = job->vm;
	unsigned rows = 0;

	if (job->step == 0) {
		answer_table(&job->out, "interrupts", irq_columns, ARRAY_SIZE(irq_columns));
		if (vm->gic == NULL)
			return false;
	}
	for (unsigned i = 0; i < WORDS_A_STEP; i++) {
		bool private = at->group < vm->nr_vcpus;
		uint32_t spis = at->group - vm->nr_vcpus, word = private ? 0 : spis + 1;
		if (word >= VGIC_WORDS) {
			answer_say(&job->out, NULL,
			           "listed: in a list register of the CPU that has the vCPU, which "
			           "alone knows whether it is pending or active there");
			return false;
		}
		const struct vgic_bank *bank =
		        private ? &vm->vcpu[at->group]->gic->bank : &vm->gic->spi[spis];
		uint32_t shown = worth_showing(bank, word);
		for (; at->bit < 32; at->bit++) {
			if ((shown & BIT_U32(at->bit)) == 0)
				continue;
			if (rows++ == ROWS_A_STEP)
				return true;
			irq_row(&job->out, bank, private ? at->group : ANSWER_NONE, word, at->bit);
		}
		at->bit = 0;
		at->group++;
	}
	return true;
}

// ---- regs ----

#define REGS_A_LINE 4
#define EL1_A_STEP  6

// The vCPU that is asked for, or NULL, and that was said.
static struct vcpu *asked_vcpu(struct shell_job *job)
{
	const struct vm *vm = job->vm;
	const char *text = job->argc > 2 ? job->argv[2] : "0";
	uint32_t n = 0;

	for (; *text >= '0' && *text <= '9' && n < VM_MAX_VCPUS; text++)
		n = n * 10 + (uint32_t)(*text - '0');
	if (*text == '\0' && n < vm->nr_vcpus)
		return vm->vcpu[n];
	answer_error(&job->out, "%s: %s has vCPUs 0 to %u", job->argv[2], vm->name,
	             vm->nr_vcpus - 1);
	return NULL;
}

// What PSTATE says, in words.
static void print_pstate(char *text, size_t size, uint64_t pstate)
{
	static const char *const modes[16] = {
	        [MODE_EL0T] = "EL0", [MODE_EL1T] = "EL1 on SP_EL0", [MODE_EL1H] = "EL1"};
	const char *mode = modes[field_get(PSTATE_MODE, pstate)];

	if ((pstate & PSTATE_AARCH32) != 0)
		mode = "AArch32";
	print_buffer(text, size, "%s, %s%s%s%s%s, flags %c%c%c%c", mode != NULL ? mode : "?",
	             (pstate & (PSTATE_D | PSTATE_A | PSTATE_I | PSTATE_F)) != 0 ? "masked: "
	                                                                         : "nothing masked",
	             (pstate & PSTATE_D) != 0 ? "D" : "", (pstate & PSTATE_A) != 0 ? "A" : "",
	             (pstate & PSTATE_I) != 0 ? "I" : "", (pstate & PSTATE_F) != 0 ? "F" : "",
	             (pstate & PSTATE_N) != 0 ? 'N' : '-', (pstate & PSTATE_Z) != 0 ? 'Z' : '-',
	             (pstate & PSTATE_C) != 0 ? 'C' : '-', (pstate & PSTATE_V) != 0 ? 'V' : '-');
}

static void regs_head(struct answer *out, const struct vcpu *vcpu, bool now)
{
	char words[64];
	uint64_t sctlr = load_relaxed(&vcpu->el1.sctlr);

	answer_say(out, NULL,
	           now ? "vCPU %u of %s as it was this moment"
	               : "vCPU %u of %s, which does not run, as it was when it last did",
	           vcpu->id, vcpu->vm->name);
	answer_number(out, "vcpu", NULL, ANSWER_NUMBER, vcpu->id);
	answer_number(out, "pc", "pc", ANSWER_HEX, load_relaxed(&vcpu->frame.pc));
	answer_number(out, "pstate", "pstate", ANSWER_HEX, load_relaxed(&vcpu->frame.pstate));
	print_pstate(words, sizeof words, load_relaxed(&vcpu->frame.pstate));
	answer_text(out, "pstate_words", "", words);
	print_buffer(words, sizeof words, "MMU %s, data cache %s, instruction cache %s",
	             (sctlr & SCTLR_M) != 0 ? "on" : "off", (sctlr & SCTLR_C) != 0 ? "on" : "off",
	             (sctlr & SCTLR_I) != 0 ? "on" : "off");
	answer_text(out, "sctlr_words", "sctlr says", words);
}

static void regs_general(struct answer *out, const struct vcpu *vcpu)
{
	char line[128], name[8];
	size_t n = 0;

	for (unsigned i = 0; i <= 30; i++) {
		uint64_t value = load_relaxed(&vcpu->frame.x[i]);
		print_buffer(name, sizeof name, "x%u", i);
		answer_number(out, name, NULL, ANSWER_HEX, value);
		n += print_buffer(line + n, sizeof line - n, "  %-3s %016lx", name,
		                  (unsigned long)value);
		if (i % REGS_A_LINE == REGS_A_LINE - 1 || i == 30) {
			answer_say(out, NULL, "%s", line);
			n = 0;
		}
	}
}

// The guest's keys for pointer authentication: a screen or a log is no place for them.
static bool is_key(const char *name)
{
	return name[0] == 'a' && name[1] == 'p';
}

static bool command_regs(struct shell_job *job)
{
	struct vcpu *vcpu = asked_vcpu(job);
	struct vcpu_sample sample;
	unsigned row = (job->step - 2) * EL1_A_STEP;

	if (vcpu == NULL)
		return false;
	if (job->step == 0)
		regs_head(&job->out, vcpu, vcpu_sample(vcpu, &sample));
	if (job->step == 1)
		regs_general(&job->out, vcpu);
	if (job->step < 2)
		return true;
	for (unsigned i = 0; i < EL1_A_STEP && row < el1_row_count; i++, row++) {
		const uint8_t *at = (const uint8_t *)&vcpu->el1 + el1_rows[row].offset;
		if (is_key(el1_rows[row].name))
			continue;
		answer_number(&job->out, el1_rows[row].name, el1_rows[row].name, ANSWER_HEX,
		              load_relaxed((const uint64_t *)(const void *)at));
	}
	return row < el1_row_count;
}

// ---- dt ----

#define PIECES_A_STEP 3

static bool dt_begin(struct shell_job *job)
{
	const struct stage2 *s2 = &job->vm->stage2;

	for (uint32_t i = 0; i < s2->nr_sources; i++) {
		const struct stage2_source *s = &s2->source[i];
		if (s->ipa != job->vm->tree)
			continue;
		if (tree_text_begin((struct tree_text *)job->scratch, s->bytes, s->size)) {
			answer_long(&job->out, "source");
			return true;
		}
		answer_error(&job->out,
		             "%s: what it is given as its device tree is none that can "
		             "be read here",
		             job->vm->name);
		return false;
	}
	answer_error(&job->out, "%s: it is given no device tree", job->vm->name);
	return false;
}

// The tree's bytes are the VM's or the bundle's: they are there as long as the VM is, which is looked
// up again for each step.
static bool command_dt(struct shell_job *job)
{
	char piece[TREE_TEXT_PIECE];

	if (job->step == 0)
		return dt_begin(job);
	for (unsigned i = 0; i < PIECES_A_STEP; i++) {
		bool more = tree_text_next((struct tree_text *)job->scratch, piece);
		answer_piece(&job->out, piece);
		if (!more)
			return false;
	}
	return true;
}

// ---- audit ----

#define FOUND_A_STEP 4

struct audit_job {
	struct audit audit;
	bool done;
	unsigned shown;
};
STATIC_ASSERT(sizeof(struct audit_job) <= SHELL_SCRATCH, "a job keeps its audit");

static const struct answer_column audit_columns[] = {
        {"name", "", ANSWER_TEXT, 0},      {"number", "", ANSWER_NUMBER, 0},
        {"mapped", "", ANSWER_NUMBER, 0},  {"set_aside", "", ANSWER_NUMBER, 0},
        {"tables", "", ANSWER_NUMBER, 0},  {"others", "", ANSWER_NUMBER, 0},
        {"devices", "", ANSWER_NUMBER, 0}, {"changed", "", ANSWER_YES, 0},
        {"agrees", "", ANSWER_YES, 0},
};
static const struct answer_column found_columns[] = {
        {"page", "PAGE", ANSWER_HEX, 18},
        {"expected", "EXPECTED", ANSWER_TEXT, -56},
        {"found", "FOUND", ANSWER_TEXT, 0},
};

static void audit_vm(struct answer *out, const struct audit_vm *vm)
{
	const char *verdict = vm->agrees ? "as the page array says" : "the page array disagrees";

	if (vm->changed)
		verdict = "it changed meanwhile";
	if (out->json)
		answer_row(out, (struct answer_value[]){{.text = vm->name},
		                                        {.number = vm->id},
		                                        {.number = vm->mapped},
		                                        {.number = vm->kept},
		                                        {.number = vm->tables},
		                                        {.number = vm->others},
		                                        {.number = vm->devices},
		                                        {.number = vm->changed},
		                                        {.number = vm->agrees}});
	else
		answer_say(out, NULL,
		           "%s: %lu pages mapped, %lu set aside, %lu tables, %lu others: %s",
		           vm->name, (unsigned long)vm->mapped, (unsigned long)vm->kept,
		           (unsigned long)vm->tables, (unsigned long)vm->others, verdict);
}

static bool audit_verdict(struct answer *out, const struct audit *audit)
{
	answer_number(out, "pages", NULL, ANSWER_NUMBER, audit->sums.pages);
	answer_number(out, "moving", NULL, ANSWER_NUMBER, audit->sums.moving);
	answer_number(out, "sums_compared", NULL, ANSWER_YES, audit->unsteady ? 0 : 1);
	answer_number(out, "disagree", NULL, ANSWER_NUMBER, audit->disagreements);
	if (audit->sums.moving != 0)
		answer_say(out, NULL, "%lu pages are of VMs that came, went or changed meanwhile",
		           (unsigned long)audit->sums.moving);
	if (audit->unsteady)
		answer_say(out, NULL,
		           "pages came and went all the time: the sums were not compared");
	if (audit->disagreements == 0)
		answer_say(out, NULL, "audit: all %lu pages agree",
		           (unsigned long)audit->sums.pages);
	else
		answer_say(out, NULL, "audit: %lu disagreements among %lu pages",
		           (unsigned long)audit->disagreements, (unsigned long)audit->sums.pages);
	return false;
}

// After the walk: what was found, and the verdict.
static bool audit_result(struct shell_job *job, struct audit_job *a)
{
	unsigned kept = a->audit.nr_found;
	struct answer *out = &job->out;

	if (a->shown == 0 && (kept > 0 || out->json))
		answer_table(out, "disagreements", found_columns, ARRAY_SIZE(found_columns));
	for (unsigned i = 0; i < FOUND_A_STEP && a->shown < kept; i++, a->shown++) {
		const struct audit_found *f = &a->audit.found[a->shown];
		answer_row(out, (struct answer_value[]){{.number = f->page},
		                                        {.text = f->expected},
		                                        {.text = f->found}});
	}
	return a->shown < kept || audit_verdict(out, &a->audit);
}

static bool command_audit(struct shell_job *job)
{
	struct audit_job *a = (struct audit_job *)job->scratch;

	if (job->step == 0) {
		if (audit_begin(&a->audit) != 0) {
			answer_error(&job->out, "there is no memory left to mark pages in");
			return false;
		}
		if (job->out.json)
			answer_table(&job->out, "vms", audit_columns, ARRAY_SIZE(audit_columns));
	}
	if (a->done)
		return audit_result(job, a);
	switch (audit_step(&a->audit)) {
	case AUDIT_MORE: break;
	case AUDIT_VM: audit_vm(&job->out, &a->audit.vm); break;
	case AUDIT_DONE: a->done = true; break;
	}
	return true;
}

static void end_audit(struct shell_job *job)
{
	audit_end(&((struct audit_job *)job->scratch)->audit);
}

const struct shell_command commands_debug[] = {
        {"irq", "NAME", "which interrupt lines of a VM are in play", command_irq, 1, 1,
         .takes_vm = true},
        {"regs", "NAME [VCPU]", "a vCPU's registers", command_regs, 1, 2, .takes_vm = true},
        {"dt", "NAME", "the device tree that a VM was given", command_dt, 1, 1, .takes_vm = true},
        {"audit", "", "do all page tables agree with the page array?", command_audit,
         .end = end_audit},
        {0},
};
