// SPDX-License-Identifier: Apache-2.0
// An Ethernet frame on its way from one port of a switch to others: what its sender said about it, a copy of its first
// bytes, by which everything is decided, and where the rest of it lies.
#ifndef VDEV_VFRAME_H
#define VDEV_VFRAME_H

#include "hw/virtio_regs.h"
#include "vdev/vvirtio.h"

#define VFRAME_MTU      1500U
#define VFRAME_ETHERNET 14U // bytes of the header
#define VFRAME_VLAN     4U  // of a tag
#define VFRAME_LONGEST  (VFRAME_ETHERNET + VFRAME_VLAN + VFRAME_MTU)
#define VFRAME_LARGEST  (VFRAME_ETHERNET + VFRAME_VLAN + 65535U) // that is to be cut
#define VFRAME_HEAD     192U // holds every header that is looked at
#define VFRAME_ALEN     6U

#define VFRAME_BROADCAST GENMASK_U64(47, 0)
#define VFRAME_NO_VLAN   UINT16_MAX
#define VFRAME_MULTICAST BIT_U64(40) // of an address as vframe_mac has it

// What may be the matter with one.
enum vframe_fault {
	VFRAME_OK,
	VFRAME_SHORT,     // no Ethernet header
	VFRAME_LONG,      // more than fits into any frame of this net
	VFRAME_MALFORMED, // what the sender says about it is not true, or was not agreed on
	VFRAME_SOURCE,    // from nobody, or from a group
};

struct vframe {
	// What receivers are told, if they can use it: only what was checked.
	struct virtio_net_header header;
	uint32_t size;      // bytes of the frame
	uint32_t head_size; // of them in `head`
	uint64_t from, to;  // addresses
	uint16_t type;      // behind a tag, if there is one
	uint16_t vlan;      // VFRAME_NO_VLAN: no tag
	uint16_t l3;        // where the header that `type` names begins
	uint16_t l4_end;    // of a large one: where its TCP header ends, and `head` with it
	bool has_sum;       // `sum` is what belongs at checksum_start + checksum_offset
	uint16_t sum;       // as it stands in memory

	// The rest: of a guest's buffer, or bytes of EL2's own.
	struct vvirtio *dev; // NULL: EL2's
	const struct vvirtqueue_chain *chain;
	struct vvirtio_place rest;
	const uint8_t *bytes; // behind `head`

	uint8_t head[VFRAME_HEAD];
};

// A place in the rest of a frame.
struct vframe_place {
	struct vvirtio_place guest;
	uint32_t offset; // EL2's bytes
};

// An address in the order in which it is written, in the low 48 bits.
static inline uint64_t vframe_mac(const uint8_t *bytes)
{
	uint64_t mac = 0;
	for (unsigned i = 0; i < VFRAME_ALEN; i++)
		mac = mac << 8 | bytes[i];
	return mac;
}
static inline void vframe_put_mac(uint8_t *bytes, uint64_t mac)
{
	for (unsigned i = 0; i < VFRAME_ALEN; i++)
		bytes[i] = (uint8_t)(mac >> (8 * (VFRAME_ALEN - 1 - i)));
}

// Reads a frame out of what a driver sends: the header, `header_size` bytes, and the first bytes. `features`: what the
// driver took. The device's lock is held, and the chain stays in hand as long as the frame is used.
enum vframe_fault vframe_read(struct vframe *frame, struct vvirtio *dev,
                              const struct vvirtqueue_chain *chain, uint32_t header_size,
                              uint64_t features, struct vvirtio_work *work);
// The same of bytes of EL2's own, without offloads.
enum vframe_fault vframe_from_bytes(struct vframe *frame, const uint8_t *bytes, uint32_t size);

// Whether its sender is who it says: the source address, and that in an ARP packet, are `mac`.
bool vframe_is_from(const struct vframe *frame, uint64_t mac);

// A number that is the same for all frames of a connection, as far as that can be seen.
uint32_t vframe_flow(const struct vframe *frame);

// Whether it has to be cut into segments for one that has no use for it as it is.
static inline bool vframe_is_large(const struct vframe *frame)
{
	return frame->header.gso_type != VIRTIO_NET_GSO_NONE;
}

// Where the rest of the frame begins, and the next bytes from a place on, which moves behind them: at most `most` of them.
// NULL: there is no memory.
struct vframe_place vframe_rest(const struct vframe *frame);
const uint8_t *vframe_span(const struct vframe *frame, struct vframe_place *place, uint64_t most,
                           uint64_t *bytes, struct vvirtio_work *work);

// Computes what is missing of its checksum: frame->sum. False: there is no memory. Passes over the whole frame.
bool vframe_complete(struct vframe *frame, struct vvirtio_work *work);

// One segment of a large frame.
struct vframe_segment {
	uint8_t head[VFRAME_HEAD];
	uint32_t head_size;
	uint32_t body; // bytes of the frame's payload, behind the headers
};
// Makes the headers of the segment whose payload begins `done` bytes behind the large frame's own headers, at `place`.
// False: there is no memory.
bool vframe_cut(const struct vframe *frame, uint32_t done, struct vframe_place place,
                struct vframe_segment *segment, struct vvirtio_work *work);

#endif
