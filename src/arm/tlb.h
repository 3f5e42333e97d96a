// SPDX-License-Identifier: Apache-2.0
// TLB maintenance and the writes of page-table entries that it orders.
// Source: Arm ARM, "TLB maintenance requirements and the TLB maintenance instructions".
#ifndef ARM_TLB_H
#define ARM_TLB_H

#include "arm/barrier.h"
#include "arm/errata.h"
#include "arm/maintain.h"
#include "base/types.h"

// Writes one entry of a live table with a single store.
static inline void pte_write(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELAXED);
}

// After entries went from invalid to valid: walkers on every CPU see them. No invalidation is needed,
// because an invalid entry is never cached.
static inline void tlb_publish(void)
{
	dsb(ishst);
	isb();
}

// EL2's own translations of one page, everywhere.
static inline void tlb_invalidate_el2_page(uint64_t va)
{
	dsb(ishst);
	tlbi_arg(vae2is, va >> PAGE_SHIFT);
	dsb(ish);
	if (UNLIKELY(errata_repeat_tlbi)) {
		tlbi_arg(vae2is, va >> PAGE_SHIFT);
		dsb(ish);
	}
	isb();
}

// Everything cached for the guest whose VMID is in VTTBR_EL2 now: stage 2 and both stages combined.
// The EL1&0 form: the EL2 forms would leave it.
static inline void tlb_invalidate_vmid(void)
{
	dsb(ishst);
	tlbi(vmalls12e1is);
	dsb(ish);
	if (UNLIKELY(errata_repeat_tlbi)) {
		tlbi(vmalls12e1is);
		dsb(ish);
	}
	isb();
}

// Everything cached for every guest, everywhere.
static inline void tlb_invalidate_all_guests(void)
{
	dsb(ishst);
	tlbi(alle1is);
	dsb(ish);
	if (UNLIKELY(errata_repeat_tlbi)) {
		tlbi(alle1is);
		dsb(ish);
	}
	isb();
}

// Everything cached for every guest on this CPU: once, before the first guest.
static inline void tlb_invalidate_guests_local(void)
{
	dsb(nshst);
	tlbi(alle1);
	dsb(nsh);
	isb();
}

#endif
