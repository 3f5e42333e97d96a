// SPDX-License-Identifier: Apache-2.0
// Ticket spin lock: first come, first served, so no CPU can be starved by others that take turns.
// Interrupts are always masked at EL2, so a lock never needs to mask them. The debug build checks
// that locks are taken in ascending rank (ARCHITECTURE.md, "Lock order").
#ifndef BASE_SPINLOCK_H
#define BASE_SPINLOCK_H

#include "base/atomic.h"
#include "base/types.h"

// The lock order: a CPU that holds a lock may only take one of a higher rank.
enum lock_rank {
	LOCK_VM_TABLE = 1, // the list of VMs
	LOCK_BALLOON,      // a VM's virtio balloon, which asks its other devices
	LOCK_DEVICE,       // one emulated device
	LOCK_PORT, // where devices meet: a console that two share, a port that other VMs send to
	LOCK_LINE, // a device's interrupt line
	LOCK_VGIC, // one VM's interrupt distributor; devices raise lines under their own lock
	LOCK_SCHED_PLAN, // what CPUs have been promised to whom
	LOCK_SCHED,      // one CPU's queue of vCPUs
	LOCK_STAGE2,     // one VM's stage 2 tables
	LOCK_VMID,       // the VMID allocator
	LOCK_HW,         // one of the board's own devices: disk, net
	LOCK_EL2_MAP,    // EL2's own stage 1 tables
	LOCK_SCRATCH,    // what one VM's devices took of memory
	LOCK_PAGES,      // the page allocator
	LOCK_LOG_LIMIT,  // one VM's share of the log
	LOCK_CONSOLE,    // the board's UART
	LOCK_LOG,        // the log ring
};

struct spinlock {
	uint32_t next;    // the ticket the next taker gets
	uint32_t serving; // the ticket that holds the lock
	uint32_t rank;    // enum lock_rank; fixed at start
};

#define SPINLOCK_INIT(r)                             \
	{                                            \
		.next = 0, .serving = 0, .rank = (r) \
	}

// Waits for the lock; bounded by the critical sections of the CPUs before this one in the queue.
void spin_lock(struct spinlock *lock);
// Takes the lock only if it is free at once.
bool spin_trylock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);

// EL2 takes and gives them in line: a call costs as much as half of it. Tests have their own.
#if !__STDC_HOSTED__ && !defined MEZZO_DEBUG
#define spin_lock    spin_lock_inline
#define spin_trylock spin_trylock_inline
#define spin_unlock  spin_unlock_inline
#endif

static inline void spin_lock_inline(struct spinlock *lock)
{
	uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
	while (load_acquire(&lock->serving) != ticket)
		spin_relax();
}

static inline bool spin_trylock_inline(struct spinlock *lock)
{
	uint32_t ticket = load_acquire(&lock->serving);
	return compare_exchange(&lock->next, &ticket, ticket + 1);
}

static inline void spin_unlock_inline(struct spinlock *lock)
{
	store_release(&lock->serving, lock->serving + 1);
}

#endif
