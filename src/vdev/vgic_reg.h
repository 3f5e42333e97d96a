// SPDX-License-Identifier: Apache-2.0
// Register tables of the virtual interrupt controller: what a row says, how a table is searched, and
// the handlers that GICv2 and GICv3 share. The tables themselves are in vgicv2.c and vgicv3.c.
#ifndef VDEV_VGIC_REG_H
#define VDEV_VGIC_REG_H

#include "vdev/vgic_state.h"

// One access, as handlers see it.
struct vgic_access {
	struct vgic *vgic;
	struct vcpu *self;  // makes the access
	struct vcpu *owner; // whose private interrupts it means
};

// Access sizes a row allows.
#define VGIC_B  1 // bytes
#define VGIC_W  4 // 32-bit words
#define VGIC_D  8 // 64-bit words
#define VGIC_BW (VGIC_B | VGIC_W)
#define VGIC_WD (VGIC_W | VGIC_D)

// A run of registers of one kind. Handlers get the register's number: `base` for the one at `first`.
// A value has the register's whole width; `lanes` are the bits a write carries.
struct vgic_reg {
	uint16_t first, last; // offsets of the first and the last byte
	uint8_t width;        // bytes of one register: 4 or 8
	uint8_t sizes;        // VGIC_B...
	uint16_t base;
	uint32_t fixed; // what it reads without a read handler
	uint64_t (*read)(const struct vgic_access *access, uint32_t index);
	void (*write)(const struct vgic_access *access, uint32_t index, uint64_t value,
	              uint64_t lanes);
	const char *why; // it has no read or no write handler: the reason
};

// A frame of registers. Rows ascend; `start` maps offset >> VGIC_GRANULE_SHIFT to the number of the
// row from which to search, so that a register is found in a step or two.
#define VGIC_GRANULE_SHIFT 7
struct vgic_frame {
	const struct vgic_reg *rows;
	uint32_t nr_rows;
	const uint8_t *start;
	uint32_t size; // bytes
};

extern const struct vgic_frame vgicv2_distributor, vgicv3_distributor;
extern const struct vgic_frame vgicv3_redistributor[2]; // RD_base, SGI_base

// What no row covers, and accesses of a size a row does not allow: reads as zero, writes ignored
// ("GIC register access": reserved locations are RAZ/WI).
uint64_t vgic_frame_read(const struct vgic_frame *frame, const struct vgic_access *access,
                         uint32_t offset, unsigned size);
void vgic_frame_write(const struct vgic_frame *frame, const struct vgic_access *access,
                      uint32_t offset, unsigned size, uint64_t value);
// The row that holds `offset`, or NULL.
const struct vgic_reg *vgic_frame_find(const struct vgic_frame *frame, uint32_t offset);

// Shared handlers. index: of 32 interrupts for most, of 4 for priorities, of 16 for configuration.
// What lies beyond the interrupts that exist reads as zero and ignores writes.
uint64_t vgic_read_group(const struct vgic_access *access, uint32_t index);
void vgic_write_group(const struct vgic_access *access, uint32_t index, uint64_t value,
                      uint64_t lanes);
uint64_t vgic_read_enabled(const struct vgic_access *access, uint32_t index);
void vgic_set_enabled(const struct vgic_access *access, uint32_t index, uint64_t value,
                      uint64_t lanes);
void vgic_clear_enabled(const struct vgic_access *access, uint32_t index, uint64_t value,
                        uint64_t lanes);
uint64_t vgic_read_pending(const struct vgic_access *access, uint32_t index);
void vgic_set_pending(const struct vgic_access *access, uint32_t index, uint64_t value,
                      uint64_t lanes);
void vgic_clear_pending(const struct vgic_access *access, uint32_t index, uint64_t value,
                        uint64_t lanes);
uint64_t vgic_read_active(const struct vgic_access *access, uint32_t index);
void vgic_set_active(const struct vgic_access *access, uint32_t index, uint64_t value,
                     uint64_t lanes);
void vgic_clear_active(const struct vgic_access *access, uint32_t index, uint64_t value,
                       uint64_t lanes);
uint64_t vgic_read_priority(const struct vgic_access *access, uint32_t index);
void vgic_write_priority(const struct vgic_access *access, uint32_t index, uint64_t value,
                         uint64_t lanes);
uint64_t vgic_read_config(const struct vgic_access *access, uint32_t index);
void vgic_write_config(const struct vgic_access *access, uint32_t index, uint64_t value,
                       uint64_t lanes);

// The enables of both groups: bits 1:0 of GICD_CTLR; the version's table adds the fixed bits.
void vgic_write_ctlr(const struct vgic_access *access, uint32_t index, uint64_t value,
                     uint64_t lanes);

#define VGIC_IIDR 0x4d00043bu // product 'M', variant and revision 0, JEP106 code of Arm

#endif
