/* SPDX-License-Identifier: Apache-2.0 */
/* The one-to-one map: RAM normal write-back and executable, everything else device memory. */
#ifndef GUEST_MMU_H
#define GUEST_MMU_H

#include "bits.h"

#define MMU_BLOCK_BYTES (2 * MIB)

/* Builds the tables; MMU off, after platform_init(). */
void mmu_init(void);
/* This CPU's MMU and caches on (start.S). */
void mmu_enable(void);
/*
 * MMU and data cache off on this CPU, everything dirty in the image and its stacks cleaned to
 * memory first.
 */
void mmu_disable(void);
/*
 * The 2 MiB block that holds addr, which must be RAM, becomes usable and executable at EL0 (and
 * so not at EL1).
 */
void mmu_map_user(u64 addr);
/* The 2 MiB block that holds addr, which must be RAM, loses its mapping. */
void mmu_unmap(u64 addr);
/*
 * Data cache maintenance by address to the point of coherency, and making fresh code visible to
 * fetches.
 */
void cache_clean_invalidate(u64 addr, u64 bytes);
void cache_sync_code(u64 addr, u64 bytes);

/*
 * Makes one GiB of addresses, whose first address is returned, go through a level 2 table at
 * `table`; mmu_mend_walk() takes that back.
 */
u64 mmu_break_walk(u64 table);
void mmu_mend_walk(void);

/*
 * Shows one page of any kind as normal memory that this program may write and execute, as far as it
 * is up to stage 1; returns where. One page at a time.
 */
u64 mmu_window(u64 page);

/* The first GiB, where the devices are, becomes usable at EL0 as well. */
void mmu_map_devices_user(void);
/* No longer. */
void mmu_unmap_devices_user(void);

#endif
