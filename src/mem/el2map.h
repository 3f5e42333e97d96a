// SPDX-License-Identifier: Apache-2.0
// EL2's own map: image, RAM, devices, the page array and the stacks. One map for all CPUs.
//
//   0 .. 2^47                  physical addresses, one to one: image (text R X, constants R, data RW),
//                              RAM (RW), device registers (RW, Device-nGnRE) as they are asked for
//   EL2MAP_PAGES               the page array (mem/pages.h), 16 bytes for each 4 KiB of RAM
//   EL2MAP_ELSEWHERE           what firmware keeps, at its physical address from there
//   EL2MAP_STACKS              one window for each CPU's stacks, guard pages between
#ifndef MEM_EL2MAP_H
#define MEM_EL2MAP_H

#include "base/types.h"

struct pgtable_visitor;

#define EL2MAP_PAGES      UINT64_C(0x800000000000)
#define EL2MAP_STACKS     UINT64_C(0xc00000000000)
#define EL2MAP_ELSEWHERE  UINT64_C(0xe00000000000)
#define EL2MAP_STACK_SIZE KIB(16)

// Called by boot.S with the MMU off: the image and the device tree at `fdt`. Returns the root table.
uint64_t el2map_boot(uint64_t fdt);

// Maps a device's registers for good. Ranges that are mapped already are left alone, so devices may
// share a page. ERR_RANGE above 2^47, ERR_NO_MEMORY. Any CPU; LOCK_EL2_MAP.
int el2map_device(pa_t base, uint64_t size);

// Maps [base, base+size) as normal memory (RW, or RO) where nothing is mapped yet. At boot.
int el2map_memory(pa_t base, uint64_t size, bool read_only);

// Maps [base, base+size) as normal memory at EL2MAP_ELSEWHERE + base, and returns it there: for what is
// in no RAM range, the page at address 0 among it, where the one-to-one map must show nothing. NULL: it
// is above 2^45, or there is no memory for tables. Any CPU; LOCK_EL2_MAP.
void *el2map_elsewhere(pa_t base, uint64_t size);

// Where tables come from until the page allocator runs: [base, base+size), page aligned and mapped.
void el2map_give(pa_t base, uint64_t size);

// Maps the page array for RAM [base, base+size), taking its memory from el2map_give's. At boot.
int el2map_page_array(pa_t base, uint64_t size);

// A stack for CPU `id` in its own window with unmapped pages below: returns its top, 0 on no memory.
// `which`: 0 the run stack, 1 the panic stack.
uint64_t el2map_stack(uint32_t id, unsigned which);

// From now on tables come from the page allocator.
void el2map_use_pages(void);

// The root table, for the CPUs that start later.
uint64_t el2map_root(void);

// Pages that Mezzo's image takes, EL3's own part included.
uint64_t el2map_image_pages(void);
bool el2map_is_image(pa_t pa);

// Goes on looking through the map at *address, as pgtable_walk does, with its lock held. At most about
// `budget` entries.
void el2map_walk(uint64_t *address, unsigned budget, const struct pgtable_visitor *visitor,
                 void *argument);

#endif
