// SPDX-License-Identifier: Apache-2.0
// A board for the unit tests of the virtual GIC: up to 8 CPUs, each with a virtual CPU interface of
// four list registers that behaves as the architecture says, a guest that acknowledges and ends
// interrupts on it, and the two ends of a hardware-linked timer interrupt. Or, with `soft`, a board without all
// that, and a guest that uses Mezzo's own CPU interface (vgicc.c).
// Included once by each test_vgic_*.c.
#ifndef TEST_VGIC_BOARD_H
#define TEST_VGIC_BOARD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arm/cpu.h"
#include "fake.h"
#include "hw/intc.h"
#include "vdev/vgic_soft.h"
#include "vdev/vgic_state.h"
#include "vdev/vgicv3.h"
#include "vm/vm.h"

#define MAX_CPUS 8
#define NR_LRS   4
#define SPURIOUS 1023u
#define IDLE     0x100u // running priority when nothing runs
#define PHYSICAL 27u

// ---- virtual CPU interface ----

static bool soft; // there is none; before build()
static bool irq_line[MAX_CPUS];

struct interface {
	uint64_t lr[NR_LRS];
	uint32_t notify;
	uint32_t eois;
	uint32_t apr; // a bit for each of 32 priorities
	bool split;   // EOImode = 1
	bool dir_traps;
	bool on;
	unsigned lr_writes, lr_reads;
};

// The board cannot be trusted with linked interrupts.
static bool soft_links;
bool intc_forgets_level(void)
{
	return soft_links;
}

static struct interface interfaces[MAX_CPUS];
static bool physical_active[MAX_CPUS]; // the linked timer interrupt at the board's controller
static unsigned nr_deactivated;

static struct interface *here(void)
{
	return &interfaces[cpu_this()->id];
}

static uint32_t model_probe(uintptr_t base)
{
	(void)base;
	return NR_LRS;
}
static void model_init_cpu(void)
{
	*here() = (struct interface){.on = false};
}
static void model_reset(struct vgic_interface *interface)
{
	*interface = (struct vgic_interface){.vmcr = 0};
}
static void model_load(const struct vgic_interface *interface)
{
	assert_false(here()->on);
	for (unsigned i = 0; i < NR_LRS; i++)
		assert_int_equal(here()->lr[i] & (VGIC_LR_STATE | VGIC_LR_EOI), 0);
	here()->apr = interface->apr0[0];
	here()->notify = here()->eois = 0;
	here()->on = true;
}
static void model_save(struct vgic_interface *interface)
{
	assert_true(here()->on);
	for (unsigned i = 0; i < NR_LRS; i++)
		assert_int_equal(here()->lr[i] & (VGIC_LR_STATE | VGIC_LR_EOI), 0);
	interface->apr0[0] = here()->apr;
	here()->on = false;
}
static uint64_t model_read_lr(uint32_t index)
{
	assert_true(index < NR_LRS);
	assert_true(here()->on);
	here()->lr_reads++;
	return here()->lr[index];
}
static void model_write_lr(uint32_t index, uint64_t lr)
{
	assert_true(index < NR_LRS);
	assert_true(here()->on);
	if (lr & VGIC_LR_HW) {
		assert_false(soft_links);
		// Pending and active at once is not allowed with a link.
		assert_true((lr & VGIC_LR_STATE) != VGIC_LR_STATE);
		assert_int_equal(field_get(VGIC_LR_PHYSICAL, lr), PHYSICAL);
	}
	// An interrupt is in one list register at most (GICv2 SGIs as well: that is how we use them).
	if (lr & VGIC_LR_STATE)
		for (unsigned i = 0; i < NR_LRS; i++)
			if (i != index && (here()->lr[i] & VGIC_LR_STATE))
				assert_int_not_equal(here()->lr[i] & VGIC_LR_INTID,
				                     lr & VGIC_LR_INTID);
	here()->lr[index] = lr;
	here()->lr_writes++;
}
static void model_control(uint32_t notify)
{
	here()->notify = notify;
	here()->eois = 0;
	here()->dir_traps = notify & VGIC_NOTIFY_EOI;
}
static bool model_split(void)
{
	return here()->split;
}
static uint32_t model_take_eois(void)
{
	uint32_t eois = here()->eois;
	here()->eois = 0;
	return here()->split && here()->dir_traps ? 0 : eois;
}

static const struct vgic_backend model = {
        .name = "model",
        .serves = BIT_U32(2) | BIT_U32(3),
        .probe = model_probe,
        .init_cpu = model_init_cpu,
        .reset = model_reset,
        .load = model_load,
        .save = model_save,
        .read_lr = model_read_lr,
        .write_lr = model_write_lr,
        .control = model_control,
        .split = model_split,
        .take_eois = model_take_eois,
};

static bool maintenance_wanted(const struct interface *m)
{
	bool pending = false;
	if (soft || !m->on)
		return false;
	for (unsigned i = 0; i < NR_LRS; i++) {
		if ((m->lr[i] & (VGIC_LR_STATE | VGIC_LR_HW | VGIC_LR_EOI)) == VGIC_LR_EOI)
			return true;
		if ((m->lr[i] & VGIC_LR_STATE) == VGIC_LR_PENDING)
			pending = true;
	}
	if ((m->notify & VGIC_NOTIFY_NO_PENDING) && !pending)
		return true;
	return (m->notify & VGIC_NOTIFY_EOI) && m->eois != 0;
}

// ---- the board's own controller, as far as the link needs it ----

static void board_deactivate(uint32_t intid)
{
	assert_int_equal(intid, PHYSICAL);
	assert_true(physical_active[cpu_this()->id]);
	physical_active[cpu_this()->id] = false;
	nr_deactivated++;
}
static void board_set_active(uint32_t intid, bool active)
{
	assert_int_equal(intid, PHYSICAL);
	assert_true(active && !physical_active[cpu_this()->id]);
	physical_active[cpu_this()->id] = true;
}
static const struct intc_ops board_gic = {.deactivate = board_deactivate,
                                          .set_active = board_set_active};
const struct intc_ops *intc = &board_gic;

// ---- VM ----

static struct vm vm;
static struct vcpu vcpus[MAX_CPUS];
static unsigned nr_posts;
static uint8_t heap[65536] __attribute__((aligned(64)));
static size_t heap_used, heap_limit;

void *vm_alloc(struct vm *owner, size_t size)
{
	(void)owner;
	size_t at = (heap_used + 63) & ~(size_t)63;
	if (at + size > heap_limit)
		return NULL;
	heap_used = at + size;
	return memset(heap + at, 0, size);
}

static inline void run_on(unsigned id)
{
	fake_run_on(id);
}

// Each CPU is a thread of its own, which looks at its vCPU's requests itself.
static bool threaded;

// Without threads a request to fold is served at once, as if the target had been interrupted in its
// guest; others wait until the test lets the target run.
void vcpu_post(struct vcpu *vcpu, uint32_t request)
{
	fetch_or(&vcpu->request, request);
	assert_false((request & VCPU_REQ_SYNC) &&
	             cpu_this()->in_guest); // a fast exit waits for nobody
	if (threaded)
		return;
	nr_posts++;
	if (request & VCPU_REQ_SYNC) {
		unsigned id = cpu_this()->id;
		run_on(vcpu->cpu->id);
		fetch_and(&vcpu->request, ~(uint32_t)VCPU_REQ_SYNC);
		vgic_flush(vcpu);
		run_on(id);
	}
}

void vcpu_set_lines(struct vcpu *vcpu, bool irq, bool fiq)
{
	assert_true(soft);
	assert_true(vcpu_is_here(vcpu));
	assert_false(fiq); // no guest asks for it here
	irq_line[vcpu->id] = irq;
}

static inline void build(unsigned version, unsigned cpus)
{
	fake_reset();
	memset(&vm, 0, sizeof vm);
	memset(vcpus, 0, sizeof vcpus);
	memset(physical_active, 0, sizeof physical_active);
	heap_used = 0;
	heap_limit = sizeof heap;
	nr_posts = nr_deactivated = 0;
	vm.nr_vcpus = cpus;
	for (unsigned i = 0; i < cpus; i++) {
		vm.vcpu[i] = &vcpus[i];
		vcpus[i].id = i;
		vcpus[i].vm = &vm;
		vcpus[i].cpu = cpu_get(i);
	}
	assert_int_equal(vgic_probe(soft ? NULL : &model, 0), 0);
	assert_int_equal(vgic_create(&vm, version), 0);
	assert_int_equal(vgic_is_soft(&vm), soft);
	for (unsigned i = 0; i < cpus; i++) {
		if (soft)
			vcpus[i].gic->interface.vmcr |=
			        VMCR_GROUP0 | VMCR_GROUP1 | VMCR_ACK_CTL | VMCR_PRIORITY;
		run_on(i);
		assert_int_equal(vgic_init_cpu(), 0);
		vgic_link_hw(&vcpus[i], VGIC_VTIMER, PHYSICAL);
	}
}

static inline void load(unsigned id)
{
	run_on(id);
	cpu_this()->vcpu = &vcpus[id];
	vgic_vcpu_load(&vcpus[id]);
}

static inline void unload(unsigned id)
{
	run_on(id);
	vgic_vcpu_unload(&vcpus[id]);
	cpu_this()->vcpu = NULL;
	vcpus[id].request = 0;
	const struct vgic_cpu *gic = vcpus[id].gic; // loading counts on it
	assert_int_equal(gic->used | gic->spis | gic->soft | gic->bound | gic->control, 0);
	assert_int_equal(gic->ready | gic->ready_v2 | gic->timer_lr, 0);
}

static inline void load_all(void)
{
	for (unsigned i = 0; i < vm.nr_vcpus; i++)
		load(i);
	run_on(0);
}

// Lets every vCPU run until nobody wants anything any more.
static inline void settle(void)
{
	unsigned id = cpu_this()->id;
	for (unsigned turn = 0, quiet = 0; !quiet; turn++) {
		assert_true(turn < 100); // a maintenance interrupt that never goes away
		quiet = 1;
		for (unsigned i = 0; i < vm.nr_vcpus; i++) {
			if (!vcpus[i].gic->loaded)
				continue;
			run_on(i);
			if (exchange(&vcpus[i].request, 0) != 0) {
				vgic_flush(&vcpus[i]);
				quiet = 0;
			}
			if (maintenance_wanted(here())) {
				vgic_maintenance(&vcpus[i]);
				quiet = 0;
			}
		}
	}
	run_on(id);
}

// ---- the guest ----

// Whether an access is first tried as a fast exit does it (trap/abort.c, docs/exits.md), and how many of them were
// answered, by a value that was known, or declined.
static _Thread_local bool fast;
static uint64_t nr_fast, nr_known, nr_declined;

// False: it is to be made the long way.
static inline bool fast_access(struct vcpu *vcpu, struct access *access)
{
	struct mmio_hit *hit = &vcpu->hit;
	uint64_t at = access->ipa.v % PAGE_SIZE,
	         page = field_put(HPFAR_FIPA, access->ipa.v / PAGE_SIZE);
	uint64_t esr = ISS_ISV | field_put(ISS_SAS, (uint64_t)__builtin_ctz(access->size)) |
	               (access->write ? ISS_WNR : 0);
	if (hit->page != page && hit->known_page == page &&
	    hit->known_key == mmio_known_key(at, esr)) {
		fetch_add(&nr_known, 1);
		access->value = hit->known;
		return true;
	}
	if (hit->page != page)
		mmio_hit_find(hit, &vm.mmio, page);
	uint32_t offset = (uint32_t)(hit->offset + at);
	if (offset >= hit->limit)
		return false;
	if (access->write)
		return hit->ops->quick_write != NULL &&
		       hit->ops->quick_write(hit->dev, vcpu, offset, access->size, access->value);
	uint64_t value = MMIO_ASK;
	if (hit->quick_read != NULL)
		value = hit->quick_read(hit->dev, vcpu, offset, access->size);
	if (value == MMIO_ASK && hit->ops->quick_take != NULL)
		value = hit->ops->quick_take(hit->dev, vcpu, offset, access->size);
	if (value != MMIO_ASK)
		access->value = value;
	return value != MMIO_ASK;
}

static inline void guest_access(struct vcpu *vcpu, struct access *access)
{
	if (fast) {
		cpu_this()->in_guest = 1;
		bool done = fast_access(vcpu, access);
		cpu_this()->in_guest = 0;
		fetch_add(done ? &nr_fast : &nr_declined, 1);
		if (done)
			return;
	}
	assert_true(mmio_access(&vm.mmio, vcpu, access));
}

static inline void write_gic(unsigned cpu, uint64_t address, unsigned size, uint64_t value)
{
	struct access access = {
	        .ipa = IPA(address), .size = (uint8_t)size, .write = true, .value = value};
	run_on(cpu);
	guest_access(&vcpus[cpu], &access);
}

static inline uint64_t read_gic(unsigned cpu, uint64_t address, unsigned size)
{
	struct access access = {.ipa = IPA(address), .size = (uint8_t)size};
	run_on(cpu);
	guest_access(&vcpus[cpu], &access);
	return access.value;
}

// The guest chooses between one and two steps to end an interrupt.
static inline void set_split(unsigned cpu, bool split)
{
	interfaces[cpu].split = split;
	if (soft)
		write_gic(cpu, VGIC_GICC_BASE, 4,
		          VMCR_GROUP0 | VMCR_GROUP1 | VMCR_ACK_CTL | (split ? VMCR_EOI_MODE : 0));
}

static inline uint32_t running(unsigned cpu)
{
	const struct interface *m = &interfaces[cpu];
	if (soft) {
		uint32_t priority = (uint32_t)read_gic(cpu, VGIC_GICC_BASE + 0x14, 4);
		return priority == 0xff ? IDLE : priority;
	}
	return m->apr ? (uint32_t)__builtin_ctz(m->apr) * 8 : IDLE;
}

// The list register the interface would signal now, or -1.
static inline int signalled(unsigned cpu)
{
	const struct interface *m = &interfaces[cpu];
	int best = -1;
	uint64_t best_priority = IDLE;
	for (unsigned i = 0; i < NR_LRS; i++) {
		uint64_t priority = field_get(VGIC_LR_PRIORITY, m->lr[i]);
		if ((m->lr[i] & VGIC_LR_STATE) == VGIC_LR_PENDING && priority < best_priority) {
			best = (int)i;
			best_priority = priority;
		}
	}
	return best >= 0 && best_priority < running(cpu) ? best : -1;
}

// Reads IAR: the INTID with the source above it, or SPURIOUS.
static inline uint32_t ack(unsigned cpu)
{
	struct interface *m = &interfaces[cpu];
	if (soft) {
		run_on(cpu);
		bool high = irq_line[cpu];
		uint32_t iar = (uint32_t)read_gic(cpu, VGIC_GICC_BASE + 0xc, 4);
		assert_int_equal(high, iar != SPURIOUS); // interrupted for something, and always
		return iar;
	}
	int i = signalled(cpu);
	if (i < 0)
		return SPURIOUS;
	m->lr[i] = (m->lr[i] & ~VGIC_LR_PENDING) | VGIC_LR_ACTIVE;
	m->apr |= 1u << (field_get(VGIC_LR_PRIORITY, m->lr[i]) >> 3);
	return (uint32_t)(m->lr[i] & (VGIC_LR_INTID | VGIC_LR_SOURCE));
}

static inline bool deactivate_lr(unsigned cpu, uint32_t iar, int priority)
{
	struct interface *m = &interfaces[cpu];
	for (unsigned i = 0; i < NR_LRS; i++) {
		if (!(m->lr[i] & VGIC_LR_ACTIVE) || (m->lr[i] & VGIC_LR_INTID) != (iar & 0x3ff))
			continue;
		if (!(m->lr[i] & VGIC_LR_HW) &&
		    (m->lr[i] & VGIC_LR_SOURCE) != (iar & VGIC_LR_SOURCE))
			continue;
		if (priority >= 0 && field_get(VGIC_LR_PRIORITY, m->lr[i]) != (uint64_t)priority)
			return true; // found, but the priority dropped is another's: stays active
		m->lr[i] &= ~VGIC_LR_ACTIVE;
		if (m->lr[i] & VGIC_LR_HW) {
			assert_true(physical_active[cpu]);
			physical_active[cpu] = false;
		}
		return true;
	}
	return false;
}

// Writes EOIR; `iar` as acknowledged.
static inline void eoi(unsigned cpu, uint32_t iar)
{
	struct interface *m = &interfaces[cpu];
	if (soft) {
		write_gic(cpu, VGIC_GICC_BASE + 0x10, 4, iar);
		return;
	}
	if (m->apr == 0)
		return;
	int dropped = (int)running(cpu);
	m->apr &= m->apr - 1;
	if (!m->split) {
		if (!deactivate_lr(cpu, iar, dropped))
			m->eois++;
	} else {
		bool found = false;
		for (unsigned i = 0; i < NR_LRS; i++)
			found |= (m->lr[i] & VGIC_LR_ACTIVE) &&
			         (m->lr[i] & VGIC_LR_INTID) == (iar & 0x3ff);
		if (!found)
			m->eois++;
	}
}

// Writes DIR.
static inline void dir(unsigned cpu, uint32_t iar)
{
	struct interface *m = &interfaces[cpu];
	if (soft) {
		write_gic(cpu, VGIC_GICC_BASE + 0x1000, 4, iar);
	} else if (m->dir_traps) {
		run_on(cpu);
		vgicv3_dir(&vcpus[cpu], iar);
	} else if (!deactivate_lr(cpu, iar, -1)) {
		m->eois++;
	}
}

// The board's timer interrupt of `cpu` fires, if it may.
static inline void timer_fires(unsigned cpu)
{
	if (physical_active[cpu])
		return;
	physical_active[cpu] = true;
	fake_set_sysreg("cntv_ctl_el0", 5);
	run_on(cpu);
	virq_set(&vm, &vcpus[cpu], VGIC_VTIMER, true);
}

// ---- registers by name ----

#define GICD(offset)      (VGIC_GICD_BASE + (uint64_t)(offset))
#define GICR(cpu, offset) (VGIC_GICR_BASE + (uint64_t)(cpu)*VGIC_GICR_STRIDE + (uint64_t)(offset))
#define SGI_FRAME         0x10000
#define CTLR              0x000
#define TYPER             0x004
#define IGROUPR           0x080
#define ISENABLER         0x100
#define ICENABLER         0x180
#define ISPENDR           0x200
#define ICPENDR           0x280
#define ISACTIVER         0x300
#define ICACTIVER         0x380
#define IPRIORITYR        0x400
#define ITARGETSR         0x800
#define ICFGR             0xc00
#define SGIR              0xf00
#define CPENDSGIR         0xf10
#define SPENDSGIR         0xf20
#define IROUTER           0x6000

// Where `cpu` finds the bit register `reg` of `intid`; private ones of vCPU `owner`.
static inline uint64_t bit_register(uint32_t reg, unsigned owner, uint32_t intid)
{
	if (intid < 32 && vm.gic->version == 3)
		return GICR(owner, SGI_FRAME + reg);
	return GICD(reg + intid / 32 * 4);
}

static inline void set_bit(unsigned cpu, uint32_t reg, uint32_t intid)
{
	write_gic(cpu, bit_register(reg, cpu, intid), 4, 1u << (intid & 31));
}

static inline bool get_bit(unsigned cpu, uint32_t reg, uint32_t intid)
{
	return read_gic(cpu, bit_register(reg, cpu, intid), 4) >> (intid & 31) & 1;
}

static inline void set_priority(unsigned cpu, uint32_t intid, uint32_t priority)
{
	uint64_t at = intid < 32 && vm.gic->version == 3 ? GICR(cpu, SGI_FRAME + IPRIORITYR + intid)
	                                                 : GICD(IPRIORITYR + intid);
	write_gic(cpu, at, 1, priority);
}

static inline void set_edge(unsigned cpu, uint32_t intid, bool edge)
{
	uint64_t at = intid < 32 && vm.gic->version == 3
	                      ? GICR(cpu, SGI_FRAME + ICFGR + intid / 16 * 4)
	                      : GICD(ICFGR + intid / 16 * 4);
	uint32_t bit = 2u << (intid % 16 * 2);
	uint32_t old = (uint32_t)read_gic(cpu, at, 4);
	write_gic(cpu, at, 4, edge ? old | bit : old & ~bit);
}

static inline void set_target(unsigned cpu, uint32_t spi, unsigned target)
{
	if (vm.gic->version == 3)
		write_gic(cpu, GICD(IROUTER + 8 * spi), 8, target);
	else
		write_gic(cpu, GICD(ITARGETSR + spi), 1, 1u << target);
}

static inline void line(uint32_t spi, bool level)
{
	virq_set(&vm, NULL, spi, level);
}

static inline void send_sgi(unsigned cpu, uint32_t intid, uint32_t targets)
{
	run_on(cpu);
	if (vm.gic->version == 3)
		vgicv3_sgi(&vcpus[cpu], (uint64_t)intid << 24 | targets, VGICV3_SGI0R);
	else
		write_gic(cpu, GICD(SGIR), 4, targets << 16 | intid);
}

// ---- beginnings ----

static inline void start(unsigned version, unsigned cpus)
{
	build(version, cpus);
	load_all();
	write_gic(0, GICD(CTLR), 4, 3);
}

static inline void enable(unsigned cpu, uint32_t intid, uint32_t priority)
{
	set_priority(cpu, intid, priority);
	set_bit(cpu, ISENABLER, intid);
	if (intid >= 32)
		set_target(cpu, intid, cpu);
}

#endif
