// SPDX-License-Identifier: Apache-2.0
// PSCI 1.1 as a guest's firmware: one table of functions. Called by trap/smccc.c.
// Source: Arm Power State Coordination Interface (DEN 0022), "PSCI functions" and "Return error codes".
#include "arm/regs.h"
#include "arm/smccc.h"
#include "base/bits.h"
#include "hw/psci_client.h"
#include "trap/trap.h"
#include "vm/vm.h"

#define AFFINITY_ON          0
#define AFFINITY_OFF         1
#define AFFINITY_ON_PENDING  2
#define MIGRATE_NOT_NEEDED   2 // no trusted OS that is bound to a CPU
#define RESET2_WARM          0
#define RESET2_VENDOR        BIT_U64(31)
#define POWER_STATE_RESERVED (GENMASK_U64(31, 26) | GENMASK_U64(23, 17))
#define POWER_STATE_DOWN     BIT_U64(16)

#define FUNCTION_64 BIT_U32(30)

typedef uint64_t psci_function(struct vcpu *vcpu, const uint64_t arg[3]);

// MPIDR arguments: only affinity fields, and the vCPU must exist.
static struct vcpu *find_target(struct vm *vm, uint64_t mpidr)
{
	if ((mpidr & ~MPIDR_AFFINITY) != 0 || mpidr >= vm->nr_vcpus)
		return NULL; // Aff0 alone numbers the vCPUs
	return vm->vcpu[mpidr];
}

static bool is_ram_address(const struct vm *vm, uint64_t entry)
{
	return range_contains(vm->ram_base, vm->ram_size, entry, 4) && is_aligned(entry, 4);
}

static uint64_t version(struct vcpu *vcpu UNUSED, const uint64_t arg[3] UNUSED)
{
	return PSCI_VERSION_1_1;
}

static uint64_t cpu_on(struct vcpu *vcpu, const uint64_t arg[3])
{
	struct vcpu *target = find_target(vcpu->vm, arg[0]);
	uint32_t power = VCPU_OFF;
	if (target == NULL)
		return (uint64_t)PSCI_INVALID_PARAMETERS;
	if (!is_ram_address(vcpu->vm, arg[1]))
		return (uint64_t)PSCI_INVALID_ADDRESS;
	if (!compare_exchange(&target->power, &power, VCPU_ON_PENDING))
		return (uint64_t)(power == VCPU_ON ? PSCI_ALREADY_ON : PSCI_ON_PENDING);
	target->entry = arg[1];
	target->context = arg[2];
	vcpu_post(target, VCPU_REQ_START); // the OR releases what was written
	return PSCI_SUCCESS;
}

static uint64_t cpu_off(struct vcpu *vcpu, const uint64_t arg[3] UNUSED)
{
	vcpu_post(vcpu, VCPU_REQ_OFF); // the run loop takes it out
	return PSCI_SUCCESS;
}

static uint64_t cpu_suspend(struct vcpu *vcpu, const uint64_t arg[3])
{
	if ((arg[0] & POWER_STATE_RESERVED) != 0)
		return (uint64_t)PSCI_INVALID_PARAMETERS;
	if ((arg[0] & POWER_STATE_DOWN) != 0 && !is_ram_address(vcpu->vm, arg[1]))
		return (uint64_t)PSCI_INVALID_ADDRESS;
	// A power-down state may always be entered as a standby state: nothing is lost, and the call
	// returns when an interrupt comes.
	vcpu->waiting = true;
	return PSCI_SUCCESS;
}

static uint64_t affinity_info(struct vcpu *vcpu, const uint64_t arg[3])
{
	static const uint8_t answer[] = {
	        [VCPU_OFF] = AFFINITY_OFF,
	        [VCPU_ON_PENDING] = AFFINITY_ON_PENDING,
	        [VCPU_ON] = AFFINITY_ON,
	};
	struct vm *vm = vcpu->vm;
	if (arg[1] > 3 || (arg[0] & ~MPIDR_AFFINITY) != 0)
		return (uint64_t)PSCI_INVALID_PARAMETERS;
	if (arg[1] == 0) {
		struct vcpu *target = find_target(vm, arg[0]);
		if (target == NULL)
			return (uint64_t)PSCI_INVALID_PARAMETERS;
		return answer[load_acquire(&target->power)];
	}
	// A higher level holds every vCPU, since only Aff0 differs: on if any is on.
	uint64_t result = AFFINITY_OFF;
	if (arg[0] >> (8 * arg[1]) != 0)
		return (uint64_t)PSCI_INVALID_PARAMETERS;
	for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
		uint8_t here = answer[load_acquire(&vm->vcpu[i]->power)];
		if (here == AFFINITY_ON)
			return AFFINITY_ON;
		if (here == AFFINITY_ON_PENDING)
			result = AFFINITY_ON_PENDING;
	}
	return result;
}

static uint64_t migrate_info_type(struct vcpu *vcpu UNUSED, const uint64_t arg[3] UNUSED)
{
	return MIGRATE_NOT_NEEDED;
}

static uint64_t system_off(struct vcpu *vcpu, const uint64_t arg[3] UNUSED)
{
	vm_end(vcpu->vm, VM_END_OFF);
	return (uint64_t)PSCI_INTERNAL_FAILURE; // never seen: the vCPU does not run again
}

static uint64_t system_reset(struct vcpu *vcpu, const uint64_t arg[3] UNUSED)
{
	vm_end(vcpu->vm, VM_END_RESET);
	return (uint64_t)PSCI_INTERNAL_FAILURE;
}

static uint64_t system_reset2(struct vcpu *vcpu, const uint64_t arg[3])
{
	if ((arg[0] & RESET2_VENDOR) == 0 && arg[0] != RESET2_WARM)
		return (uint64_t)PSCI_INVALID_PARAMETERS;
	if ((arg[0] & RESET2_VENDOR) != 0)
		return (uint64_t)PSCI_INVALID_PARAMETERS; // no vendor reset exists
	vm_end(vcpu->vm, VM_END_RESET);
	return (uint64_t)PSCI_INTERNAL_FAILURE;
}

static uint64_t features(struct vcpu *vcpu UNUSED, const uint64_t arg[3])
{
	// Flags are 0 for every function we have: original power_state format, no OS-initiated mode.
	return psci_has((uint32_t)arg[0]) || (uint32_t)arg[0] == 0x80000000
	               ? PSCI_SUCCESS
	               : (uint64_t)PSCI_NOT_SUPPORTED;
}

#define PSCI_BASE 0x84000000
static const struct {
	psci_function *call;
	bool has_64; // also exists with 64-bit arguments
} functions[] = {
        [0x00] = {version, false},      [0x01] = {cpu_suspend, true},
        [0x02] = {cpu_off, false},      [0x03] = {cpu_on, true},
        [0x04] = {affinity_info, true}, [0x06] = {migrate_info_type, false},
        [0x08] = {system_off, false},   [0x09] = {system_reset, false},
        [0x0a] = {features, false},     [0x12] = {system_reset2, true},
};

bool psci_has(uint32_t function)
{
	uint32_t index = (function & ~FUNCTION_64) - PSCI_BASE;
	if (index >= ARRAY_SIZE(functions) || functions[index].call == NULL)
		return false;
	return (function & FUNCTION_64) == 0 || functions[index].has_64;
}

bool psci_call(struct vcpu *vcpu, uint32_t function, uint64_t *result)
{
	uint64_t arg[3] = {vcpu->frame.x[1], vcpu->frame.x[2], vcpu->frame.x[3]};
	if (!psci_has(function))
		return false;
	if ((function & FUNCTION_64) == 0)
		for (unsigned i = 0; i < ARRAY_SIZE(arg); i++)
			arg[i] = (uint32_t)arg[i];
	*result = functions[(function & ~FUNCTION_64) - PSCI_BASE].call(vcpu, arg);
	return true;
}
