// SPDX-License-Identifier: Apache-2.0
// Ticket locks. The debug build keeps the ranks this CPU holds and panics when one is taken out of
// order; spinlock_held is a hole of its own kind: arm/cpu.c gives the word in which they are kept.
#include "base/spinlock.h"

#include "base/atomic.h"
#include "base/panic.h"

#ifdef MEZZO_DEBUG
// This CPU's set of held ranks; filled by arm/cpu.c.
uint32_t *spinlock_held(void);

static void note_taken(const struct spinlock *lock)
{
	uint32_t *held = spinlock_held();
	if ((*held >> lock->rank) != 0)
		panic("lock of rank %u taken while ranks %#x are held", lock->rank, *held);
	*held |= (uint32_t)1 << lock->rank;
}
static void note_released(const struct spinlock *lock)
{
	*spinlock_held() &= ~((uint32_t)1 << lock->rank);
}
#else
static void note_taken(const struct spinlock *lock UNUSED)
{
}
static void note_released(const struct spinlock *lock UNUSED)
{
}
#endif

#undef spin_lock
#undef spin_trylock
#undef spin_unlock

void spin_lock(struct spinlock *lock)
{
	spin_lock_inline(lock);
	note_taken(lock);
}

bool spin_trylock(struct spinlock *lock)
{
	if (!spin_trylock_inline(lock))
		return false;
	note_taken(lock);
	return true;
}

void spin_unlock(struct spinlock *lock)
{
	note_released(lock);
	spin_unlock_inline(lock);
}
