// SPDX-License-Identifier: Apache-2.0
// Loads and stores of devices whose syndrome does not say what they are: the instruction is fetched, decoded and carried
// out. Owns nothing; called by abort.c, while the vCPU is loaded. docs/decoder.md has the choices.
//
// Invariant: registers change only when every access of the instruction was answered. Before the first access all that
// can be known has been checked; after it only a device can refuse, and what was done by then stays done. An exit makes
// a few accesses at most: the guest repeats the instruction, and vcpu->emulation knows how far it has come.
// Source: Arm ARM, "Device memory", "Multi-register loads and stores that access Device memory", "Taking an interrupt or
// other exception during a multiple-register load or store", the page of each instruction.
#include "arm/barrier.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/bits.h"
#include "base/string.h"
#include "trap/decode.h"
#include "trap/trap.h"
#include "vm/inject.h"
#include "vm/stage1.h"
#include "vm/vm.h"

#define PIECE       2 // accesses of one exit: one to a GIC may take 13,000 instructions
#define ADDRESS     GENMASK_U64(55, 0) // without what TBI ignores
#define PAGE_OFFSET GENMASK_U64(11, 0)
#define WORD_BYTES  8

// One instruction on its way. An element is what goes to or comes from a register; a unit is what a device sees at
// once: an element, or half of one of 128 bits.
struct work {
	struct vcpu *vcpu;
	uint64_t esr, far;
	struct decoded d;
	bool el0;
	uint64_t at;                    // address of the first byte
	uint64_t moved;                 // of the base, if it moves
	unsigned bytes;                 // in all
	uint64_t first_page, next_page; // IPA
	uint32_t word;
	uint64_t *value; // of vcpu->emulation
};

// ---- the instruction ----

static bool at_el0(const struct vcpu *vcpu)
{
	return (vcpu->frame.pstate & PSTATE_MODE) == MODE_EL0T;
}

// A64 instructions are little-endian whatever data is. What EL0 executes EL1 may read, and whether it may be
// executed the CPU has looked at. ERR_BUSY: its page is not there any more, so the CPU shall try once more.
static int fetch(struct vcpu *vcpu, uint32_t *word)
{
	uint64_t ipa;
	if (stage1_access(vcpu, vcpu->frame.pc, (struct stage1_rights){0}, &ipa) != 0)
		return ERR_BUSY;
	// Without a data cache the guest wrote its code past ours.
	if ((read_sysreg(sctlr_el1) & SCTLR_C) == 0)
		return vm_dma_read(vcpu->vm, IPA(ipa), word, sizeof *word);
	return vm_read_memory(vcpu->vm, IPA(ipa), word, sizeof *word);
}

// ---- general registers ----

static uint64_t get_base(const struct work *work)
{
	const struct vcpu *vcpu = work->vcpu;
	if (work->d.literal)
		return vcpu->frame.pc;
	if (work->d.rn != 31)
		return vcpu->frame.x[work->d.rn];
	return (vcpu->frame.pstate & PSTATE_MODE) == MODE_EL1H ? read_sysreg(sp_el1)
	                                                       : read_sysreg(sp_el0);
}

static void set_base(const struct work *work)
{
	struct vcpu *vcpu = work->vcpu;
	if (work->d.rn != 31)
		vcpu->frame.x[work->d.rn] = work->moved;
	else if ((vcpu->frame.pstate & PSTATE_MODE) == MODE_EL1H)
		write_sysreg(work->moved, sp_el1);
	else
		write_sysreg(work->moved, sp_el0);
}

static uint64_t offset_of(const struct work *work)
{
	enum { UXTW = 2, SXTW = 6 };
	if (work->d.rm == DECODE_NO_REG)
		return (uint64_t)work->d.offset;
	uint64_t value = vcpu_reg(work->vcpu, work->d.rm);
	if (work->d.extend == UXTW)
		value = (uint32_t)value;
	else if (work->d.extend == SXTW)
		value = (uint64_t)(int32_t)value;
	return value << work->d.shift;
}

// Where the instruction goes, and where its base. A signed base is what the CPU found it to be: FAR.
static void find_addresses(struct work *work)
{
	if (work->d.authenticated) {
		work->at = work->moved = work->far;
		return;
	}
	uint64_t base = get_base(work), offset = offset_of(work);
	work->at = work->d.index == DECODE_POST ? base : base + offset;
	work->moved = base + offset;
}

// ---- elements ----

static unsigned element_count(const struct decoded *d)
{
	bool all = d->lanes != 0 && d->lane == DECODE_ALL && !d->replicate;
	return all ? d->registers * (unsigned)d->lanes : d->registers;
}

// Which register element n belongs to, and which of its lanes.
static unsigned register_of(const struct decoded *d, unsigned n, unsigned *lane)
{
	*lane = d->lane == DECODE_ALL || d->lanes == 0 ? 0 : d->lane;
	if (d->lanes == 0)
		return n == 0 ? d->rt : d->rt2;
	if (d->lane != DECODE_ALL || d->replicate)
		return (d->rt + n) % 32;
	*lane = d->interleaved ? n / d->registers : n % d->lanes;
	return (d->rt + (d->interleaved ? n % d->registers : n / d->lanes)) % 32;
}

// Where in struct fp_state a unit of a vector register is: which word, and how far up.
static uint64_t *fp_word(const struct work *work, unsigned unit, unsigned *shift)
{
	const struct decoded *d = &work->d;
	unsigned lane, half = 0, n = unit;
	if (d->size == 4) {
		n = unit / 2;
		half = (unit % 2) ^ trap_data_is_big(work->vcpu);
	}
	unsigned reg = register_of(d, n, &lane), byte = (lane << d->size) + half * WORD_BYTES;
	*shift = byte % WORD_BYTES * 8;
	return &work->vcpu->fp.v[reg * 2 + byte / WORD_BYTES];
}

static unsigned unit_log2(const struct decoded *d)
{
	return d->size < 3 ? d->size : 3;
}

static uint64_t unit_mask(const struct decoded *d)
{
	return UINT64_MAX >> (64 - (8u << unit_log2(d)));
}

static uint64_t stored(const struct work *work, unsigned unit)
{
	const struct decoded *d = &work->d;
	unsigned lane, shift = 0;
	uint64_t value = d->fp ? *fp_word(work, unit, &shift)
	                       : vcpu_reg(work->vcpu, register_of(d, unit, &lane));
	return trap_data_order(work->vcpu, (value >> shift) & unit_mask(d), 1U << unit_log2(d));
}

// What a load leaves in a general register.
static uint64_t extended(const struct decoded *d, uint64_t value)
{
	unsigned shift = 64 - (8u << d->size);
	if (d->sign)
		value = (uint64_t)((int64_t)(value << shift) >> shift);
	return d->wide ? value : (uint32_t)value;
}

static void load_general(const struct work *work)
{
	const struct decoded *d = &work->d;
	for (unsigned i = 0; i < d->registers; i++)
		vcpu_set_reg(
		        work->vcpu, i == 0 ? d->rt : d->rt2,
		        extended(d, trap_data_order(work->vcpu, work->value[i], 1U << d->size)));
}

// All of a register but the lanes that are loaded becomes 0, unless one lane was named.
static void clear_vectors(const struct work *work)
{
	const struct decoded *d = &work->d;
	uint64_t *v = work->vcpu->fp.v;
	if (d->lanes != 0 && d->lane != DECODE_ALL)
		return;
	for (unsigned i = 0; i < d->registers; i++) {
		unsigned reg = d->lanes != 0 ? (d->rt + i) % 32u : i == 0 ? d->rt : d->rt2;
		v[reg * 2] = v[reg * 2 + 1] = 0;
	}
}

// The first lane of each register goes to all the others.
static void replicate(const struct work *work)
{
	const struct decoded *d = &work->d;
	for (unsigned i = 0; i < d->registers; i++) {
		uint64_t *v = &work->vcpu->fp.v[(d->rt + i) % 32u * 2], word = v[0];
		for (unsigned bits = 8u << d->size; bits < 64; bits *= 2)
			word |= word << bits;
		v[0] = word;
		if (((unsigned)d->lanes << d->size) > WORD_BYTES)
			v[1] = word;
	}
}

static void load_vectors(const struct work *work)
{
	const struct decoded *d = &work->d;
	unsigned units = work->bytes >> unit_log2(d), shift;
	clear_vectors(work);
	for (unsigned i = 0; i < units; i++) {
		uint64_t *word = fp_word(work, i, &shift);
		*word &= ~(unit_mask(d) << shift);
		*word |= trap_data_order(work->vcpu, work->value[i], 1U << unit_log2(d)) << shift;
	}
	if (d->replicate)
		replicate(work);
	vcpu_fp_write(work->vcpu);
}

// ---- addresses ----

static bool crosses(const struct work *work)
{
	return ((work->at ^ (work->at + work->bytes - 1)) & ~PAGE_OFFSET) != 0;
}

// The page that the CPU did not report, as the instruction itself would be translated. What is unprivileged reaches
// only one page. False: the guest got a fault.
static bool find_other_page(struct work *work, uint64_t va, uint64_t *page)
{
	struct vm *vm = work->vcpu->vm;
	struct stage1_rights rights = {
	        .el0 = work->el0,
	        .write = !work->d.load,
	        .pan = (work->vcpu->frame.pstate & PSTATE_PAN) != 0,
	};
	uint64_t ipa, fault = stage1_access(work->vcpu, va, rights, &ipa);
	*page = ipa & ~PAGE_OFFSET;
	if (fault == 0 && range_contains(vm->ram_base, vm->ram_size, *page, PAGE_SIZE))
		fault = FSC_ALIGNMENT; // part device, part memory
	if (fault != 0)
		inject_data_fault(work->vcpu, va, work->esr, fault);
	return fault == 0;
}

// As above.
static bool find_pages(struct work *work, uint64_t ipa)
{
	bool second = ((work->far ^ work->at) & ADDRESS & ~PAGE_OFFSET) != 0;
	uint64_t page = ipa & ~PAGE_OFFSET;
	work->first_page = work->next_page = page;
	if (!crosses(work))
		return true;
	if (second)
		return find_other_page(work, work->at, &work->first_page);
	return find_other_page(work, (work->at | PAGE_OFFSET) + 1, &work->next_page);
}

// ---- the accesses ----

enum outcome { DONE, AGAIN, REFUSED };

static enum outcome access_unit(struct work *work, unsigned unit)
{
	struct vcpu *vcpu = work->vcpu;
	unsigned log2 = unit_log2(&work->d);
	uint64_t va = work->at + ((uint64_t)unit << log2);
	bool next = ((va ^ work->at) & ~PAGE_OFFSET) != 0;
	struct access access = {
	        .ipa = IPA((next ? work->next_page : work->first_page) | (va & PAGE_OFFSET)),
	        .size = (uint8_t)BIT_U32(log2),
	        .write = !work->d.load,
	        .value = work->value[unit],
	};
	bool answered = mmio_access(&vcpu->vm->mmio, vcpu, &access), again = vcpu->repeat;
	vcpu->repeat = false;
	if (!answered)
		inject_data_abort(vcpu, va, work->esr, -1);
	else if (!again)
		work->value[unit] = access.value;
	return !answered ? REFUSED : again ? AGAIN : DONE;
}

// How much of this very instruction is done: an interrupt may have come in between, and another program with it.
static unsigned done_before(const struct work *work)
{
	const struct vcpu_emulation *e = &work->vcpu->emulation;
	const struct guest_frame *frame = &work->vcpu->frame;
	bool same = e->done != 0 && e->word == work->word && e->pc == frame->pc &&
	            e->pstate == frame->pstate && e->sp_el0 == read_sysreg(sp_el0) &&
	            e->sp_el1 == read_sysreg(sp_el1) && e->ttbr0 == read_sysreg(ttbr0_el1) &&
	            memcmp(e->x, frame->x, sizeof e->x) == 0;
	return same ? e->done : 0;
}

// The guest is to repeat the instruction, of which so many accesses are done.
static void put_off(const struct work *work, unsigned done)
{
	struct vcpu_emulation *e = &work->vcpu->emulation;
	const struct guest_frame *frame = &work->vcpu->frame;
	e->done = done;
	e->word = work->word;
	e->pc = frame->pc;
	e->pstate = frame->pstate;
	e->sp_el0 = read_sysreg(sp_el0);
	e->sp_el1 = read_sysreg(sp_el1);
	e->ttbr0 = read_sysreg(ttbr0_el1);
	memcpy(e->x, frame->x, sizeof e->x);
}

// The next accesses. True: they were the last, and all were answered.
static bool access_some(struct work *work)
{
	struct vcpu_emulation *e = &work->vcpu->emulation;
	unsigned units = work->bytes >> unit_log2(&work->d), first = done_before(work);
	e->done = 0;
	for (unsigned i = 0; i < units && !work->d.load; i++) {
		uint64_t value = stored(work, i);
		if (value != work->value[i]) // other vector registers than before
			first = 0;
		work->value[i] = value;
	}
	for (unsigned i = first; i < units; i++) {
		enum outcome outcome = i < first + PIECE ? access_unit(work, i) : AGAIN;
		if (outcome == AGAIN)
			put_off(work, i);
		if (outcome != DONE)
			return false;
	}
	return true;
}

static void carry_out(struct work *work)
{
	const struct decoded *d = &work->d;
	if (d->fp)
		vcpu_fp_read(work->vcpu);
	if (d->ordered)
		dmb(ish);
	bool done = access_some(work);
	if (d->ordered)
		dmb(ish);
	if (!done)
		return;
	// A base that is loaded as well holds what was loaded, which is one of the choices there are.
	if (d->index != DECODE_OFFSET)
		set_base(work);
	if (d->load && d->fp)
		load_vectors(work);
	else if (d->load)
		load_general(work);
	trap_advance(work->vcpu, work->esr);
}

// Whether the guest lets whoever makes the access use SIMD&FP registers.
static bool fp_is_open(const struct work *work)
{
	uint64_t fpen = field_get(CPACR_FPEN, read_sysreg(cpacr_el1));
	return fpen == FPEN_ALL || (fpen == FPEN_EL1 && !work->el0);
}

static void access_memory(struct work *work, uint64_t ipa)
{
	const struct decoded *d = &work->d;
	find_addresses(work);
	work->bytes = element_count(d) << d->size;
	// Somebody changed the instruction, or its page, since the CPU executed it: it shall do so again.
	bool write = (work->esr & ISS_WNR) != 0;
	if (write == d->load || ((work->far - work->at) & ADDRESS) >= work->bytes ||
	    (d->fp && !fp_is_open(work)))
		return;
	if (!is_aligned(work->at, BIT_U64(d->size))) {
		inject_data_fault(work->vcpu, work->far, work->esr, FSC_ALIGNMENT);
		return;
	}
	if (find_pages(work, ipa))
		carry_out(work);
}

bool emulate_access(struct vcpu *vcpu, uint64_t esr, uint64_t ipa)
{
	if ((vcpu->frame.pstate & PSTATE_AARCH32) != 0 || !mmio_reaches(&vcpu->vm->mmio, IPA(ipa)))
		return false;
	uint32_t word;
	int error = fetch(vcpu, &word);
	if (error != 0)
		return error == ERR_BUSY;
	struct work work = {
	        .vcpu = vcpu,
	        .esr = esr,
	        .far = read_sysreg(far_el2),
	        .word = word,
	        .d = decode(word),
	        .value = vcpu->emulation.value,
	        .el0 = at_el0(vcpu),
	};
	switch ((enum decode_kind)work.d.kind) {
	case DECODE_ACCESS: access_memory(&work, ipa); return true;
	case DECODE_PREFETCH: trap_advance(vcpu, esr); return true;
	case DECODE_ZERO: inject_data_fault(vcpu, work.far, esr, FSC_ALIGNMENT); return true;
	case DECODE_EXCLUSIVE:
	case DECODE_ATOMIC:
	case DECODE_ATOMIC128:
	case DECODE_CAS:
	case DECODE_BLOCK64: inject_data_fault(vcpu, work.far, esr, FSC_EXCLUSIVE); return true;
	case DECODE_TAGS:
	case DECODE_COPY:
	case DECODE_GCS:
	case DECODE_OTHER: break;
	}
	return false;
}
