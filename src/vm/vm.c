// SPDX-License-Identifier: Apache-2.0
// The VMs by number, and what happens to one as a whole. Owns the table: numbers are taken and VMs put
// in and out under its lock, and looked up without one. Called by main/ (building, running) and trap/
// (ending). Invariant: a bit of `seen` is set only while the entry of that number is complete.
#include "vm/vm.h"
#include "vm/giveback.h"

#include "arm/cache.h"
#include "arm/regs.h"
#include "arm/sysreg.h"
#include "base/print.h"
#include "base/string.h"
#include "hw/timer.h"

#define LOG_LINES_A_SECOND 10
#define WORD_BITS          64
#define WORDS              (VM_MAX / WORD_BITS)

static struct spinlock table_lock = SPINLOCK_INIT(LOCK_VM_TABLE);

// Bit n of the sets and entry n stand for number n + 1.
static struct vm *vms[VM_MAX];
static uint64_t seen[WORDS];  // atomically; changed under table_lock
static uint32_t count;        // of `seen`
static uint64_t taken[WORDS]; // under table_lock
static uint64_t next_serial;  // under table_lock

uint32_t vm_count(void)
{
	return load_acquire(&count);
}

struct vm *vm_by_id(uint32_t id)
{
	uint32_t n = id - 1;
	if (n >= VM_MAX || (load_acquire(&seen[n / WORD_BITS]) & BIT_U64(n % WORD_BITS)) == 0)
		return NULL;
	return load_relaxed(&vms[n]);
}

struct vm *vm_after(uint32_t id)
{
	for (uint32_t n = id; n < VM_MAX; n = (n / WORD_BITS + 1) * WORD_BITS) {
		uint64_t left = load_acquire(&seen[n / WORD_BITS]) >> (n % WORD_BITS);
		if (left != 0)
			return load_relaxed(&vms[n + (uint32_t)__builtin_ctzll(left)]);
	}
	return NULL;
}

struct vm *vm_before(uint32_t id)
{
	uint32_t n = id - 1; // numbers below `id` are bits below n
	for (uint32_t word = (n + WORD_BITS - 1) / WORD_BITS; word-- > 0;) {
		uint64_t left = load_acquire(&seen[word]);
		if (n < (word + 1) * WORD_BITS)
			left &= BIT_U64(n % WORD_BITS) - 1;
		if (left != 0)
			return load_relaxed(&vms[word * WORD_BITS + WORD_BITS - 1 -
			                         (uint32_t)__builtin_clzll(left)]);
	}
	return NULL;
}

struct vm *vm_by_name(const char *name)
{
	FOR_EACH_VM (vm)
		if (strcmp(vm->name, name) == 0)
			return vm;
	return NULL;
}

// The lowest number that is free, from now on taken; 0: none is.
static uint32_t take_number(uint64_t *serial)
{
	uint32_t id = 0;
	spin_lock(&table_lock);
	for (uint32_t word = 0; word < WORDS && id == 0; word++) {
		if (taken[word] == UINT64_MAX)
			continue;
		uint32_t bit = (uint32_t)__builtin_ctzll(~taken[word]);
		taken[word] |= BIT_U64(bit);
		id = word * WORD_BITS + bit + 1;
	}
	*serial = ++next_serial;
	spin_unlock(&table_lock);
	return id;
}

static void give_number_back(uint32_t id)
{
	spin_lock(&table_lock);
	taken[(id - 1) / WORD_BITS] &= ~BIT_U64((id - 1) % WORD_BITS);
	spin_unlock(&table_lock);
}

bool vm_number_taken(uint32_t id)
{
	uint32_t n = id - 1;
	if (n >= VM_MAX)
		return false;
	spin_lock(&table_lock);
	bool is_taken = (taken[n / WORD_BITS] & BIT_U64(n % WORD_BITS)) != 0;
	spin_unlock(&table_lock);
	return is_taken;
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

static pa_t take_page_locked(struct vm *vm, bool kept)
{
	bool promised = vm->committed != 0;
	if (promised && pages_commit(1) != 0)
		return PA(0);
	pa_t page = pages_alloc(0, (uint16_t)vm->id, PAGE_DATA, kept ? &vm->pages : &vm->scratch);
	if (page.v == 0) {
		pages_uncommit(promised ? 1 : 0);
		return page;
	}
	store_relaxed(&vm->committed, vm->committed + (promised ? 1 : 0));
	vm->scratch_promised += promised && !kept ? 1 : 0;
	return page;
}

pa_t vm_take_page(struct vm *vm, bool kept)
{
	spin_lock(&vm->scratch_lock);
	pa_t page = take_page_locked(vm, kept);
	spin_unlock(&vm->scratch_lock);
	return page;
}

pa_t vm_take_promised_page(struct vm *vm)
{
	spin_lock(&vm->scratch_lock);
	pa_t page = pages_alloc(0, (uint16_t)vm->id, PAGE_DATA, &vm->scratch);
	spin_unlock(&vm->scratch_lock);
	return page;
}

bool vm_give_scratch(struct vm *vm)
{
	if (giveback_some(vm))
		return true;
	if (vm->scratch.first == 0)
		return false;
	if (!pages_scrub_some(&vm->scratch)) {
		pages_uncommit(vm->scratch_promised);
		store_relaxed(&vm->committed, vm->committed - vm->scratch_promised);
		vm->scratch_promised = 0;
	}
	return true;
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
		vcpu->sched.pin = SCHED_ANY_CPU;
		vm->vcpu[i] = vcpu;
	}
	vm->nr_vcpus = vcpus;
	return true;
}

struct vm *vm_create(const char *name, uint32_t vcpus, uint64_t ram)
{
	unsigned order = 0;
	uint64_t serial;
	if (vcpus == 0 || vcpus > VM_MAX_VCPUS)
		return NULL;
	uint32_t id = take_number(&serial);
	if (id == 0)
		return NULL;
	while ((PAGE_SIZE << order) < sizeof(struct vm))
		order++;
	pa_t home = pages_alloc(order, (uint16_t)id, PAGE_DATA, NULL);
	if (home.v == 0) {
		give_number_back(id);
		return NULL;
	}
	cache_zero_pages((void *)(uintptr_t)home.v, PAGE_SIZE << order);
	struct vm *vm = (struct vm *)(uintptr_t)home.v;
	vm->heap = align_up(home.v + sizeof *vm, 64);
	vm->heap_end = home.v + (PAGE_SIZE << order);
	string_copy(vm->name, name, sizeof vm->name);
	vm->id = id;
	vm->serial = serial;
	vm->ram_base = VM_VIRT_RAM_BASE;
	vm->ram_size = ram;
	vm->video_base = vm->ram_base + ram;
	vm->sched.weight = SCHED_WEIGHT_DEFAULT;
	vm->scratch_lock = (struct spinlock)SPINLOCK_INIT(LOCK_SCRATCH);
	vm->log_lock = (struct spinlock)SPINLOCK_INIT(LOCK_LOG_LIMIT);
	vm->stage2.lock = (struct spinlock)SPINLOCK_INIT(LOCK_STAGE2);
	if (!add_vcpus(vm, vcpus)) {
		vm_discard(vm);
		return NULL;
	}
	return vm;
}

int vm_publish(struct vm *vm)
{
	uint32_t n = vm->id - 1;
	int error = 0;
	spin_lock(&table_lock);
	if (vm_by_name(vm->name) != NULL) {
		error = ERR_BUSY;
	} else {
		store_relaxed(&vms[n], vm);
		fetch_or(&seen[n / WORD_BITS], BIT_U64(n % WORD_BITS));
		store_release(&count, count + 1);
	}
	spin_unlock(&table_lock);
	return error;
}

void vm_withdraw(struct vm *vm)
{
	uint32_t n = vm->id - 1;
	spin_lock(&table_lock);
	store_release(&seen[n / WORD_BITS], seen[n / WORD_BITS] & ~BIT_U64(n % WORD_BITS));
	store_release(&count, count - 1);
	spin_unlock(&table_lock);
}

bool vm_free_some(struct vm *vm)
{
	if (vm->stage2.pages.first != 0)
		stage2_destroy_some(&vm->stage2);
	else if (!vm_give_scratch(vm))
		pages_scrub_some(&vm->pages);
	return vm->stage2.pages.first != 0 || vm->nr_given != 0 || vm->scratch.first != 0 ||
	       vm->pages.first != 0;
}

STATIC_ASSERT(sizeof(struct vm) <= KIB(64), "pages_scrub takes no more");

void vm_discard(struct vm *vm)
{
	uint32_t id = vm->id;
	while (vm_free_some(vm))
		;
	pages_uncommit(vm_promised(vm));
	pages_scrub(PA((uintptr_t)vm), NULL);
	give_number_back(id);
}

void vm_end(struct vm *vm, enum vm_end why)
{
	uint32_t running = VM_RUNNING;
	if (!compare_exchange(&vm->state, &running, VM_ENDING)) {
		if (!vm_end_is_pause(why)) // the guest does not expect to come back from it
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
	vm->crash.esr = read_sysreg(esr_el2);
	vm->crash.far = read_sysreg(far_el2);
	vm->crash.hpfar = read_sysreg(hpfar_el2);
	vm->crash.shown = 0;
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
	return stage2_read(&vm->stage2, ipa, to, size);
}

// The guest's buffer may be mapped non-cacheable there: its writes are below our caches, and ours have to get
// there. Clean and invalidate serves both, since what is clean is only dropped.
static int dma(struct vm *vm, ipa_t ipa, void *to, const void *from, size_t size)
{
	uint64_t left;
	if (!range_contains(vm->ram_base, vm->ram_size, ipa.v, size))
		return ERR_FAULT;
	for (uint64_t at = ipa.v & ~(PAGE_SIZE - 1); at < ipa.v + size; at += PAGE_SIZE)
		if (stage2_pointer(&vm->stage2, IPA(at), &left) == NULL)
			return ERR_FAULT;
	for (size_t done = 0, n; done < size; done += n) {
		uint8_t *memory = stage2_pointer(&vm->stage2, IPA(ipa.v + done), &left);
		n = left < size - done ? left : size - done;
		cache_clean_invalidate_poc(memory, n);
		if (to != NULL) {
			memcpy((uint8_t *)to + done, memory, n);
		} else {
			memcpy(memory, (const uint8_t *)from + done, n);
			cache_clean_invalidate_poc(memory, n);
		}
	}
	return 0;
}

int vm_dma_read(struct vm *vm, ipa_t ipa, void *to, size_t size)
{
	return dma(vm, ipa, to, NULL, size);
}

int vm_dma_write(struct vm *vm, ipa_t ipa, const void *from, size_t size)
{
	return dma(vm, ipa, NULL, from, size);
}

bool vm_dma_is_touched(struct vm *vm, ipa_t ipa)
{
	unsigned level;
	return (stage2_entry(&vm->stage2, ipa, &level) & PTE_VALID) != 0;
}

const char *vm_state_name(const struct vm *vm)
{
	static const char *const names[] = {
	        [VM_CREATED] = "created",   [VM_RUNNING] = "running", [VM_ENDING] = "ending",
	        [VM_CLEANING] = "cleaning", [VM_PAUSED] = "paused",   [VM_OFF] = "off",
	        [VM_CRASHED] = "crashed",   [VM_WAITING] = "waiting", [VM_GONE] = "gone",
	};
	return names[load_acquire(&vm->state)];
}
