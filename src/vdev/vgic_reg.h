// SPDX-License-Identifier: Apache-2.0
// Register tables of the virtual interrupt controller: what a row says, how a table is searched, and
// the handlers that GICv2 and GICv3 share. The tables themselves are in vgicv2.c and vgicv3.c.
#ifndef VDEV_VGIC_REG_H
#define VDEV_VGIC_REG_H

#include "vdev/vgic_state.h"

// One access, as handlers see it. Passed by value: two registers.
struct vgic_access {
	struct vcpu *self;  // makes the access
	struct vcpu *owner; // whose private interrupts it means
};

// Access sizes a row allows.
#define VGIC_B     1 // bytes
#define VGIC_W     4 // 32-bit words
#define VGIC_D     8 // 64-bit words
#define VGIC_BW    (VGIC_B | VGIC_W)
#define VGIC_WD    (VGIC_W | VGIC_D)
// In the same byte, of rows with a read handler: that has no effect besides, on nobody's interrupts; what it gives never
// changes (nor does what is read without a handler).
#define VGIC_PURE  0x10
#define VGIC_CONST 0x20

// A run of registers of one kind. Handlers get the register's number: `base` for the one at `first`.
// A value has the register's whole width; `lanes` are the bits a write carries. MMIO_ASK, or false: another CPU would
// have to be waited for, this is a fast exit, and nothing was done (vgic_op_begin).
struct vgic_reg {
	uint16_t first, last; // offsets of the first and the last byte
	uint8_t width;        // bytes of one register: 4 or 8
	uint8_t sizes;        // VGIC_B...
	uint16_t base;
	uint32_t fixed; // what it reads without a read handler
	uint64_t (*read)(struct vgic_access access, uint32_t index);
	bool (*write)(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
	const char *why; // it has no read or no write handler: the reason
};

// A frame of registers. Rows ascend, the last one reaches its end; `start` maps offset >>
// VGIC_GRANULE_SHIFT to the number of the row from which to search, so that a register is found in a
// step or two.
#define VGIC_GRANULE_SHIFT 7
struct vgic_frame {
	const struct vgic_reg *rows;
	uint32_t nr_rows;
	uint32_t size; // bytes
	const uint8_t *start;
};

extern const struct vgic_frame vgicv2_distributor, vgicv3_distributor;
extern const struct vgic_frame vgicv3_redistributor[2]; // RD_base, SGI_base

// The row that holds `offset`, or NULL.
static inline const struct vgic_reg *vgic_frame_find(const struct vgic_frame *frame,
                                                     uint32_t offset)
{
	uint32_t at;
	if (!vgic_bound(offset, frame->size, &at))
		return NULL;
	const struct vgic_reg *row = &frame->rows[frame->start[at >> VGIC_GRANULE_SHIFT]];
	while (at > row->last)
		row++;
	return at >= row->first ? row : NULL;
}

// The row for an access, or NULL if it has none: what no row covers, and accesses of a size a row does
// not allow, read as zero and ignore writes ("GIC register access": reserved locations are RAZ/WI).
static inline const struct vgic_reg *vgic_frame_access(const struct vgic_frame *frame,
                                                       uint32_t offset, unsigned size)
{
	const struct vgic_reg *row = vgic_frame_find(frame, offset);
	return row != NULL && (row->sizes & size) && (offset & (size - 1)) == 0 ? row : NULL;
}

// The number of the register at `offset`.
static inline uint32_t vgic_reg_index(const struct vgic_reg *row, uint32_t offset)
{
	return row->base + ((offset - row->first) >> (2 + row->width / 8u));
}

// The bits of a value of `size` bytes: 1, 2, 4 or 8.
static inline uint64_t vgic_size_mask(unsigned size)
{
	return ~(uint64_t)0 >> (64 - 8 * size);
}

// `access`, as the guest makes it. MMIO_ASK: as the row's handler says.
static inline uint64_t vgic_frame_read(const struct vgic_frame *frame, struct vgic_access access,
                                       uint32_t offset, unsigned size)
{
	const struct vgic_reg *row = vgic_frame_access(frame, offset, size);
	if (row == NULL)
		return 0;
	uint64_t value =
	        row->read != NULL ? row->read(access, vgic_reg_index(row, offset)) : row->fixed;
	if (LIKELY(size == row->width) || value == MMIO_ASK)
		return value;
	return value >> (8 * (offset & (row->width - 1u))) & vgic_size_mask(size);
}

static inline bool vgic_frame_write(const struct vgic_frame *frame, struct vgic_access access,
                                    uint32_t offset, unsigned size, uint64_t value)
{
	const struct vgic_reg *row = vgic_frame_access(frame, offset, size);
	if (row == NULL || row->write == NULL)
		return true;
	uint64_t mask = vgic_size_mask(size);
	uint32_t shift = 8 * (offset & (row->width - 1u));
	return row->write(access, vgic_reg_index(row, offset), (value & mask) << shift,
	                  mask << shift);
}

// For mmio_ops.quick_read: reads that have no effect. `offset` counts from the region's beginning, which is a frame's.
uint64_t vgic_frame_quick_rest(const struct vgic_frame *frame, struct vgic_access access,
                               uint32_t offset, unsigned size);
static inline uint64_t vgic_frame_quick_read(const struct vgic_frame *frame,
                                             struct vgic_access access, uint32_t offset,
                                             unsigned size)
{
	uint32_t at = offset & (frame->size - 1);
	const struct vgic_reg *row = &frame->rows[frame->start[at >> VGIC_GRANULE_SHIFT]];
	while (at > row->last)
		row++;
	if (UNLIKELY(!(row->sizes & VGIC_PURE)) || UNLIKELY(size != row->width) ||
	    UNLIKELY((at & (size - 1)) != 0 || at < row->first))
		return vgic_frame_quick_rest(frame, access, offset, size);
	return row->read(access, vgic_reg_index(row, at));
}

// Shared handlers. index: of 32 interrupts for most, of 4 for priorities, of 16 for configuration.
// What lies beyond the interrupts that exist reads as zero and ignores writes.
uint64_t vgic_read_group(struct vgic_access access, uint32_t index);
bool vgic_write_group(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
uint64_t vgic_read_enabled(struct vgic_access access, uint32_t index);
bool vgic_set_enabled(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
bool vgic_clear_enabled(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
uint64_t vgic_read_pending(struct vgic_access access, uint32_t index);
bool vgic_set_pending(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
bool vgic_clear_pending(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
uint64_t vgic_read_active(struct vgic_access access, uint32_t index);
bool vgic_set_active(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
bool vgic_clear_active(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
uint64_t vgic_read_priority(struct vgic_access access, uint32_t index);
bool vgic_write_priority(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);
uint64_t vgic_read_config(struct vgic_access access, uint32_t index);
bool vgic_write_config(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);

// The enables of both groups: bits 1:0 of GICD_CTLR; the version's table adds the fixed bits.
bool vgic_write_ctlr(struct vgic_access access, uint32_t index, uint64_t value, uint64_t lanes);

#define VGIC_IIDR 0x4d00043bu // product 'M', variant and revision 0, JEP106 code of Arm

#endif
