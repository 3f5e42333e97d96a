// SPDX-License-Identifier: Apache-2.0
// One whole virtual machine, as config.c builds them, for targets in which a guest does things: real memory, stage 2,
// devices, interrupt controller, trap handlers; one CPU, on which one vCPU at a time is loaded, and around it the little
// of the guest loop that matters. Each input is one life of that VM. A target says in fuzz_setup what machine it wants
// and in machine_guest() what a guest does next. After each life every page is back where it was.
// Included once by a target.
#ifndef FUZZ_MACHINE_H
#define FUZZ_MACHINE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arm/cpu.h"
#include "arm/features.h"
#include "arm/regs.h"
#include "base/bits.h"
#include "base/panic.h"
#include "fake.h"
#include "fdt/model_facts.h"
#include "fuzz.h"
#include "hw/intc.h"
#include "hw/timer.h"
#include "ram_arena.h"
#include "trap/trap.h"
#include "vdev/model.h"
#include "vdev/raspi3.h"
#include "vdev/vgic_state.h"
#include "vm/pvtime.h"
#include "vm/vm.h"

#define MACHINE_HZ    UINT64_C(1000000)
#define MACHINE_VCPUS 4
#define MACHINE_RAM   MIB(64)
#define MACHINE_CARD  KIB(512) // bytes of the card in a Raspberry Pi's slot

// What the target defines: one thing that the guest of the loaded vCPU does, out of the input.
static void machine_guest(struct fuzz_in *in);

static struct vm *machine;
static struct vcpu *vcpu; // the one that is loaded
static struct pages_count machine_pages;
static uint32_t machine_gich[0x80]; // GICH's registers as plain memory
static uint64_t machine_done;       // things that happened, in all lives

// ---- the board ----

static bool machine_no_log(const struct fake_event *event)
{
	(void)event;
	return false;
}

static uint64_t machine_read(uintptr_t address, unsigned size)
{
	(void)size;
	return machine_gich[address / 4 % ARRAY_SIZE(machine_gich)];
}

static void machine_write(uintptr_t address, unsigned size, uint64_t value)
{
	(void)size;
	machine_gich[address / 4 % ARRAY_SIZE(machine_gich)] = (uint32_t)value;
}

static uint32_t machine_acknowledge(void)
{
	return INTC_SPURIOUS;
}
static void machine_intid(uint32_t intid)
{
	FUZZ_CHECK(intid < INTC_NR_INTIDS);
}
static void machine_set(uint32_t intid, bool on)
{
	(void)on;
	machine_intid(intid);
}
static void machine_enable(uint32_t intid, const struct cpu *cpu, enum intc_trigger trigger)
{
	(void)cpu;
	(void)trigger;
	machine_intid(intid);
}
static void machine_sgi(const struct cpu *cpu, uint32_t sgi)
{
	(void)cpu;
	FUZZ_CHECK(sgi < INTC_NR_SGIS);
}
static const struct intc_ops machine_intc = {
        .name = "fuzz",
        .version = 3,
        .acknowledge = machine_acknowledge,
        .eoi = machine_intid,
        .deactivate = machine_intid,
        .enable = machine_enable,
        .disable = machine_intid,
        .set_pending = machine_set,
        .set_active = machine_set,
        .send_sgi = machine_sgi,
};

// Where a VM's output goes does not matter here.
void console_write(const char *text, size_t length)
{
	(void)text;
	(void)length;
}

// ---- the machine ----

enum machine_kind { MACHINE_GICV3, MACHINE_GICV2, MACHINE_SOFT_GICV2, MACHINE_RASPI3 };

static void machine_probe_gic(enum machine_kind kind)
{
	if (kind == MACHINE_GICV3)
		FUZZ_CHECK(vgic_probe(&vgic_lr_v3, 0) == 0 && vgic_init_cpu() == 0);
	else if (kind == MACHINE_GICV2)
		FUZZ_CHECK(vgic_probe(&vgic_lr_v2, 0) == 0 && vgic_init_cpu() == 0);
	else
		FUZZ_CHECK(vgic_probe(NULL, 0) == 0 && vgic_init_cpu() == 0);
}

static void machine_reset_board(void)
{
	fake_reset();
	fake_event_hook = machine_no_log;
	fake_io_read_hook = machine_read;
	fake_io_write_hook = machine_write;
	memset(machine_gich, 0, sizeof machine_gich);
	machine_gich[1] = 3; // GICH_VTR: four list registers
	// Lines of 128 KiB, and a page zeroed at once: fewer operations to count where blocks are zeroed and cleaned.
	fake_set_sysreg("ctr_el0", UINT64_C(15) << 16);
	fake_set_sysreg("dczid_el0", 10);
	fake_set_sysreg("ich_vtr_el2", 3);
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	fake_set_sysreg("cntfrq_el0", MACHINE_HZ);
	fake_set_sysreg("cntpct_el0", 1000 * MACHINE_HZ);
	intc = &machine_intc;
}

// Takes a page of each 2 MiB away for good: guests get their memory in pieces, of which a life has to zero and scrub a
// hundredth, and what a device moves crosses from one to the next. Blocks are the other machines' subject.
static void machine_scatter(void)
{
	static struct page_list taken;
	while (pages_alloc(0, OWNER_EL2, PAGE_DATA, &taken).v != 0)
		;
	for (uint32_t next, frame = taken.first; frame != 0; frame = next) {
		pa_t page = PA((uint64_t)frame << PAGE_SHIFT);
		next = pages_entry(page)->next;
		if (!is_aligned(page.v, MIB(2)))
			pages_free(page, &taken);
	}
}

static void machine_report(void);

static void machine_setup(enum machine_kind kind)
{
	static uint8_t card[MACHINE_CARD];
	enum desc_machine model = kind == MACHINE_RASPI3 ? DESC_MACHINE_RASPI3 : DESC_MACHINE_VIRT;
	machine_reset_board();
	ram_arena_init(MIB(24));
	features_probe(true);
	stage2_init();
	timer_init(0);
	timer_init_cpu();
	sched_init_cpu();
	machine_probe_gic(kind);
	if (kind == MACHINE_RASPI3)
		machine_scatter();
	if (kind == MACHINE_GICV2)
		model_set_gicv(PA(0x1000), KIB(8));
	machine = vm_create("fuzz", MACHINE_VCPUS, MACHINE_RAM);
	FUZZ_CHECK(machine != NULL);
	model_choose(machine, model, MACHINE_RAM);
	machine->stage2.ram_base = machine->ram_base;
	machine->stage2.ram_size = machine->ram_size;
	machine->entry = machine->ram_base + 0x80000;
	machine->tree = machine->ram_base + MIB(8);
	machine->stop_timeout_ms = 1000;
	if (kind == MACHINE_RASPI3) {
		machine->card.bytes = card;
		machine->card.size = sizeof card;
		for (unsigned i = 0; i < sizeof card; i++)
			card[i] = (uint8_t)(i ^ i >> 8);
	}
#ifdef MACHINE_EQUIP // a function of the target: what the machine has besides
	MACHINE_EQUIP();
#endif
	machine->sched.weight = SCHED_WEIGHT_DEFAULT;
	FUZZ_CHECK(model_create(machine, kind == MACHINE_RASPI3  ? 0
	                                 : kind == MACHINE_GICV3 ? 3
	                                                         : 2) == 0);
	FUZZ_CHECK(vm_publish(machine) == 0);
	for (unsigned i = 0; i < MACHINE_VCPUS; i++)
		machine->vcpu[i]->cpu = cpu_this();
	machine_pages = pages_counts();
	atexit(machine_report);
}

// ---- one CPU ----

static void machine_put_down(void)
{
	if (vcpu == NULL)
		return;
	machine->irqchip->unload(vcpu);
	vcpu_unload(vcpu);
	cpu_this()->vcpu = cpu_this()->current = NULL;
	vcpu->sched.loaded = 0;
	vcpu = NULL;
}

static void machine_take_up(struct vcpu *next)
{
	machine_put_down();
	next->sched.loaded = 1;
	cpu_this()->vcpu = cpu_this()->current = vcpu = next;
	pvtime_update(vcpu);
	vcpu_load(vcpu);
	machine->irqchip->load(vcpu);
	cntp_update(vcpu);
}

static void machine_start_vcpu(struct vcpu *one, uint64_t entry, uint64_t context)
{
	vcpu_reset(one, entry, context);
	machine->irqchip->reset_vcpu(one);
	one->power = VCPU_ON;
}

// Another vCPU's turn, if that one is on.
static void machine_switch(unsigned id)
{
	struct vcpu *next = machine->vcpu[id % MACHINE_VCPUS];
	if (next->power == VCPU_ON && next != vcpu)
		machine_take_up(next);
}

static void machine_serve(struct vcpu *one)
{
	uint32_t asked = exchange(&one->request, 0);
	if ((asked & VCPU_REQ_OFF) != 0) {
		if (one == vcpu)
			machine_put_down();
		one->power = VCPU_OFF;
	}
	if ((asked & VCPU_REQ_START) != 0 && one->power == VCPU_ON_PENDING) {
		FUZZ_CHECK(one != vcpu);
		machine_start_vcpu(one, one->entry, one->context);
	}
	if ((asked & VCPU_REQ_TIMER) != 0 && one->id == 0)
		alarm_expire(machine);
	if ((asked & (VCPU_REQ_VIRQ | VCPU_REQ_SYNC)) != 0 && one == vcpu)
		machine->irqchip->flush(one);
}

// What the guest loop does between two visits to the guest. False: there is nobody left to visit.
static bool machine_loop(void)
{
	for (unsigned i = 0; i < MACHINE_VCPUS; i++)
		machine_serve(machine->vcpu[i]);
	cpu_this()->work = 0;
	for (unsigned i = 0; i < MACHINE_VCPUS && vcpu == NULL; i++)
		machine_switch(i);
	if (vcpu == NULL || machine->state != VM_RUNNING)
		return false;
	vcpu->waiting = false;
	if (vcpu->watched)
		machine->irqchip->look(vcpu);
	return true;
}

UNUSED static void machine_pass(uint64_t ticks)
{
	fake_set_sysreg("cntpct_el0", fake_get_sysreg("cntpct_el0") + ticks);
	alarm_expire(machine);
	if (vcpu != NULL)
		cntp_update(vcpu);
}

// ---- a life ----

static void machine_begin(void)
{
	machine->state = VM_RUNNING;
	machine->end_after = machine->killed = machine->doomed = 0;
	machine->stop_at = 0;
	machine->crashed = NULL;
	machine->cntvoff = fake_get_sysreg("cntpct_el0");
	machine->live = MACHINE_VCPUS;
	vcons_init(&machine->con, machine->id, machine->con.out_bytes);
	memset(&vcons_waiting, 0, sizeof vcons_waiting);
	FUZZ_CHECK(stage2_create(&machine->stage2, (uint16_t)machine->id, machine->ram_base,
	                         machine->ram_size) == 0);
	FUZZ_CHECK(model_reset(machine) == 0);
	for (unsigned i = 0; i < MACHINE_VCPUS; i++) {
		struct vcpu *one = machine->vcpu[i];
		one->request = 0;
		one->power = VCPU_OFF;
		one->sched.state = SCHED_RUNNING;
		one->history_next = 0;
	}
	machine_start_vcpu(machine->vcpu[0], machine->entry, machine->tree);
	machine_start_vcpu(machine->vcpu[1], machine->entry, 0);
	machine_take_up(machine->vcpu[0]);
}

static void machine_report(void)
{
	fprintf(stderr, "stat::operations: %llu\n", (unsigned long long)machine_done);
}

static void machine_end(void)
{
	machine_put_down();
#ifdef MACHINE_LEAVE // and what it does at the end of a life
	MACHINE_LEAVE();
#endif
	for (unsigned i = 0; i < MACHINE_VCPUS; i++)
		machine->vcpu[i]->request = 0;
	cpu_this()->work = 0;
	stage2_retire(&machine->stage2);
	while (stage2_destroy_some(&machine->stage2))
		;
	while (vm_give_scratch(machine))
		;
	struct pages_count now = pages_counts();
	FUZZ_CHECK(now.free == machine_pages.free && now.committed == machine_pages.committed);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	enum { MOST = 400 }; // things that happen in a life
	struct fuzz_in in = {data, size};
	machine_begin();
	for (unsigned i = 0; i < MOST && fuzz_more(&in) && machine_loop(); i++)
		machine_guest(&in), machine_done++;
	machine_end();
}

// ---- what guests do ----

// An address in the guest's RAM, mostly in few places so that what one thing wrote another one finds.
UNUSED static uint64_t machine_ram(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);
	if (how < 224)
		return machine->ram_base + PAGE_SIZE * (how % 8) + (uint64_t)fuzz_u8(in) * 16;
	if (how < 240)
		return machine->ram_base + machine->ram_size - fuzz_u16(in);
	return machine->ram_base + fuzz_u32(in) % machine->ram_size;
}

// What a guest puts into a register: a number, or where something lies.
UNUSED static uint64_t machine_value(struct fuzz_in *in)
{
	uint8_t how = fuzz_u8(in);
	if (how < 64)
		return machine_ram(in) | (how & 1 ? VBCM2835_BUS_ALIAS : 0);
	return fuzz_number(in);
}

static bool machine_quick_read(struct vcpu *by, struct access *access, uint32_t offset)
{
	const struct mmio_hit *hit = &by->hit;
	struct access again = *access;
	uint64_t value = MMIO_ASK;
	if (hit->quick_read != NULL)
		value = hit->quick_read(hit->dev, by, offset, access->size);
	FUZZ_CHECK(value == MMIO_ASK ||
	           (mmio_access(&machine->mmio, by, &again) && value == again.value));
	if (value == MMIO_ASK && hit->ops->quick_take != NULL)
		value = hit->ops->quick_take(hit->dev, by, offset, access->size);
	if (value != MMIO_ASK)
		access->value = value;
	return value != MMIO_ASK;
}

// As a fast exit does it (docs/exits.md). False: the device wants to be asked the long way. What quick_read says, or
// has said will not change, has to be what the long way says after it.
static bool machine_quick(struct vcpu *by, struct access *access)
{
	struct mmio_hit *hit = &by->hit;
	uint64_t at = access->ipa.v % PAGE_SIZE,
	         page = field_put(HPFAR_FIPA, access->ipa.v / PAGE_SIZE);
	uint64_t esr = ISS_ISV | field_put(ISS_SAS, (uint64_t)__builtin_ctz(access->size)) |
	               (access->write ? ISS_WNR : 0);
	if (hit->page != page && hit->known_page == page &&
	    hit->known_key == mmio_known_key(at, esr))
		FUZZ_CHECK(mmio_access(&machine->mmio, by, access) && hit->known == access->value);
	if (hit->page != page)
		mmio_hit_find(hit, &machine->mmio, page);
	if (hit->offset + at >= hit->limit)
		return false;
	uint32_t offset = (uint32_t)(hit->offset + at);
	if (!access->write)
		return machine_quick_read(by, access, offset);
	return hit->ops->quick_write != NULL &&
	       hit->ops->quick_write(hit->dev, by, offset, access->size, access->value);
}

UNUSED static void machine_access(struct vcpu *by, uint64_t ipa, unsigned size, bool write,
                                  uint64_t value)
{
	struct access access = {IPA(ipa), (uint8_t)size, write, value};
	if (write && size < 8)
		access.value &= BIT_U64(size * 8) - 1;
	bool quick = false;
	if (by == vcpu && (machine_done & 1) != 0) {
		cpu_this()->in_guest = 1;
		quick = machine_quick(by, &access);
		cpu_this()->in_guest = 0;
	}
	if ((quick || mmio_access(&machine->mmio, by, &access)) && !write && size < 8)
		FUZZ_CHECK(access.value >> (size * 8) == 0); // nothing beyond the width
}

// A register of one of the devices from number `first` to `last` - 1 of the machine's map.
UNUSED static uint64_t machine_register(struct fuzz_in *in, unsigned first, unsigned last)
{
	const struct mmio_region *region =
	        &machine->mmio.region[first + fuzz_u8(in) % (last - first)];
	uint8_t how = fuzz_u8(in);
	uint64_t offset =
	        how < 200 ? how * 4u : fuzz_u32(in) & (how & 1 ? ~UINT32_C(3) : UINT32_MAX);
	return region->base + offset % region->size;
}

// One access to such a register, of any width, mostly the usual one.
UNUSED static void machine_touch(struct fuzz_in *in, unsigned first, unsigned last)
{
	uint8_t how = fuzz_u8(in);
	uint64_t at = machine_register(in, first, last);
	unsigned size = how < 160 ? 4 : 1u << how % 4;
	bool write = (how & 16) != 0;
	machine_access(vcpu, at, size, write, write ? machine_value(in) : 0);
}

// The guest stores some bytes of the input into its RAM.
UNUSED static void machine_store(struct fuzz_in *in)
{
	uint64_t at = machine_ram(in);
	struct fuzz_in bytes = fuzz_rest(in, 1 + fuzz_u8(in) % 64u);
	(void)vm_dma_write(machine, IPA(at), bytes.at, bytes.left);
}

// A device raises or lowers a line.
UNUSED static void machine_raise(struct fuzz_in *in)
{
	uint32_t intid = 16 + fuzz_below(in, 272);
	virq_set(machine, vcpu, intid, (fuzz_u8(in) & 1) != 0);
}

// Somebody types at its console.
UNUSED static void machine_type(struct fuzz_in *in)
{
	struct fuzz_in bytes = fuzz_rest(in, 1 + fuzz_u8(in) % 16u);
	for (size_t i = 0; i < bytes.left; i++)
		if (!vcons_in_put(&machine->con, bytes.at[i]))
			vuart_overrun(machine);
	vuart_input(machine);
	if (bytes.left % 4 == 0)
		vuart_output_drained(machine);
}

// The numbers of the regions whose device has one of these names; `last` is one more than the last of them.
UNUSED static void machine_find(const char *name, unsigned *first, unsigned *last)
{
	*first = *last = 0;
	for (unsigned i = 0; i < machine->mmio.count; i++) {
		if (strstr(machine->mmio.region[i].ops->name, name) == NULL)
			continue;
		if (*last == 0)
			*first = i;
		*last = i + 1;
	}
	FUZZ_CHECK(*last != 0);
}

#endif
