// SPDX-License-Identifier: Apache-2.0
// Memory that a guest gives back. Owns nothing: blocks on their way are in vm->given. Called by the virtio balloon, by
// the shell, and at the end and the beginning of a VM's life.
// Invariant: what the VM is promised now is vm->committed less vm->returned; while a block whose promise goes is on its
// way, and again after the guest touched memory there before it was free, `returned` is behind by as much.
#include "vm/giveback.h"

#include "base/atomic.h"
#include "base/string.h"
#include "vm/vm.h"

void giveback_take(struct vm *vm, uint64_t ipa, uint64_t size, bool unpromise)
{
	if (!stage2_give_up(&vm->stage2, ipa, size, &vm->given, unpromise))
		return;
	vm->nr_given++;
	vm->nr_unpromised += unpromise ? 1 : 0;
}

bool giveback_some(struct vm *vm)
{
	if (vm->nr_given == 0)
		return false;
	if (pages_scrub_some(&vm->given))
		return true;
	uint64_t pages = vm->nr_unpromised * (BLOCK_SIZE >> PAGE_SHIFT);
	if (vm->stage2.returned != NULL) {
		pages_uncommit(pages);
		fetch_add(&vm->returned, pages);
	}
	vm->nr_given = vm->nr_unpromised = 0;
	return false;
}

int giveback_renew(struct vm *vm)
{
	uint64_t blocks = vm->ram_size / BLOCK_SIZE + 2;
	int error = vm->returned != 0 ? pages_commit(vm->returned) : 0;
	if (error != 0)
		return error;
	store_relaxed(&vm->returned, 0);
	if (vm->stage2.unpromised != NULL)
		memset(vm->stage2.unpromised, 0, (blocks + 63) / 64 * sizeof(uint64_t));
	return 0;
}
