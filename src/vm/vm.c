// SPDX-License-Identifier: Apache-2.0
// The list of VMs, and what happens to one as a whole. Owns the list; VMs are added at boot, complete,
// and read without a lock after. Called by main/ (building, running) and trap/ (ending).
#include "vm/vm.h"

#include "arm/cache.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/print.h"
#include "base/string.h"
#include "hw/timer.h"

#define MAX_VMS            64
#define LOG_LINES_A_SECOND 10

static struct vm *vms[MAX_VMS];
static uint32_t count; // release-stored once the entry is complete

uint32_t vm_count(void)
{
	return load_acquire(&count);
}

struct vm *vm_get(uint32_t index)
{
	return vms[index];
}

void *vm_alloc(struct vm *vm, size_t size)
{
	if (size > PAGE_SIZE << PAGES_MAX_ORDER)
		return NULL;
	size = align_up(size, 64);
	if (size > vm->heap_end - vm->heap) {
		unsigned order = 0;
		while ((PAGE_SIZE << order) < size)
			order++;
		pa_t chunk = pages_alloc(order, (uint16_t)vm->id, PAGE_DATA, &vm->pages);
		if (chunk.v == 0)
			return NULL;
		cache_zero_pages((void *)(uintptr_t)chunk.v, PAGE_SIZE << order);
		if ((PAGE_SIZE << order) - size < vm->heap_end - vm->heap)
			return (void *)(uintptr_t)
			        chunk.v; // the old rest is worth more than the new one
		vm->heap = chunk.v;
		vm->heap_end = chunk.v + (PAGE_SIZE << order);
	}
	void *result = (void *)(uintptr_t)vm->heap;
	vm->heap += size;
	return result;
}

static bool add_vcpus(struct vm *vm, uint32_t vcpus)
{
	for (uint32_t i = 0; i < vcpus; i++) {
		struct vcpu *vcpu = vm_alloc(vm, sizeof *vcpu);
		if (vcpu == NULL)
			return false;
		vcpu->vm = vm;
		vcpu->id = i;
		vcpu->vpidr = read_sysreg(midr_el1);
		vcpu->vmpidr = MPIDR_RES1 | field_put(MPIDR_AFF0, i);
		vm->vcpu[i] = vcpu;
	}
	vm->nr_vcpus = vcpus;
	return true;
}

struct vm *vm_create(const char *name, uint32_t vcpus, uint64_t ram)
{
	uint32_t id = count + 1;
	unsigned order = 0;
	if (id > MAX_VMS || vcpus == 0 || vcpus > VM_MAX_VCPUS)
		return NULL;
	while ((PAGE_SIZE << order) < sizeof(struct vm))
		order++;
	pa_t home = pages_alloc(order, (uint16_t)id, PAGE_DATA, NULL);
	if (home.v == 0)
		return NULL;
	cache_zero_pages((void *)(uintptr_t)home.v, PAGE_SIZE << order);
	struct vm *vm = (struct vm *)(uintptr_t)home.v;
	vm->heap = align_up(home.v + sizeof *vm, 64);
	vm->heap_end = home.v + (PAGE_SIZE << order);
	string_copy(vm->name, name, sizeof vm->name);
	vm->id = id;
	vm->ram_base = VM_VIRT_RAM_BASE;
	vm->ram_size = ram;
	vm->log_lock = (struct spinlock)SPINLOCK_INIT(LOCK_LOG_LIMIT);
	if (!add_vcpus(vm, vcpus)) {
		vm_discard(vm);
		return NULL;
	}
	return vm;
}

void vm_publish(struct vm *vm)
{
	vms[count] = vm;
	store_release(&count, count + 1);
}

void vm_discard(struct vm *vm)
{
	while (stage2_destroy_some(&vm->stage2))
		;
	while (pages_free_some(&vm->pages, 64))
		;
	pages_uncommit(vm->committed);
	pages_free(PA((uintptr_t)vm), NULL);
}

void vm_end(struct vm *vm, enum vm_end why)
{
	uint32_t running = VM_RUNNING;
	if (!compare_exchange(&vm->state, &running, VM_ENDING)) {
		if (why != VM_END_PAUSE) // the guest does not expect to come back from it
			store_relaxed(&vm->end_after, 1 + (uint32_t)why);
		return;
	}
	vm->end = why;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		vcpu_post(vm->vcpu[i], VCPU_REQ_STOP);
}

void vm_crash(struct vcpu *vcpu, const char *format, ...)
{
	struct vm *vm = vcpu->vm;
	uint32_t running = VM_RUNNING;
	va_list args;
	if (!compare_exchange(&vm->state, &running, VM_ENDING))
		return;
	vm->end = VM_END_CRASH;
	vm->crashed = vcpu;
	va_start(args, format);
	print_vbuffer(vm->crash_text, sizeof vm->crash_text, format, args);
	va_end(args);
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		vcpu_post(vm->vcpu[i], VCPU_REQ_STOP);
}

static void say_left_out(const struct vm *vm, uint32_t lines)
{
	if (lines != 0)
		log_line("%s: %u more lines were left out: %u a second are shown", vm->name, lines,
		         LOG_LINES_A_SECOND);
}

void vm_log_summary(struct vm *vm)
{
	spin_lock(&vm->log_lock);
	uint32_t suppressed = vm->log_limit.suppressed;
	vm->log_limit.suppressed = 0;
	spin_unlock(&vm->log_lock);
	say_left_out(vm, suppressed);
}

void vm_log(struct vm *vm, const char *format, ...)
{
	char line[224];
	uint32_t suppressed;
	spin_lock(&vm->log_lock);
	bool allowed = ratelimit_allow(&vm->log_limit, timer_now(), timer_hz(), LOG_LINES_A_SECOND,
	                               &suppressed);
	bool first = !allowed && vm->log_limit.suppressed == 1;
	uint64_t window_end = vm->log_limit.window_start + timer_hz();
	spin_unlock(&vm->log_lock);
	if (first)
		timer_set(TIMER_LOG, window_end);
	if (!allowed)
		return;
	va_list args;
	va_start(args, format);
	print_vbuffer(line, sizeof line, format, args);
	va_end(args);
	say_left_out(vm, suppressed);
	log_line("%s: %s", vm->name, line);
}

int vm_read_memory(struct vm *vm, ipa_t ipa, void *to, size_t size)
{
	uint8_t *d = to;
	if (!range_contains(vm->ram_base, vm->ram_size, ipa.v, size))
		return ERR_FAULT;
	while (size > 0) {
		uint64_t left;
		const void *from = stage2_pointer(&vm->stage2, ipa, &left);
		if (from == NULL)
			return ERR_FAULT;
		if (left > size)
			left = size;
		memcpy(d, from, left);
		d += left;
		ipa.v += left;
		size -= left;
	}
	return 0;
}

const char *vm_state_name(const struct vm *vm)
{
	static const char *const names[] = {
	        [VM_CREATED] = "created",   [VM_RUNNING] = "running", [VM_ENDING] = "ending",
	        [VM_CLEANING] = "cleaning", [VM_PAUSED] = "paused",   [VM_OFF] = "off",
	        [VM_CRASHED] = "crashed",   [VM_WAITING] = "waiting",
	};
	return names[load_acquire(&vm->state)];
}
