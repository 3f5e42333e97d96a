// SPDX-License-Identifier: Apache-2.0
// Frames: what a driver says about one is checked, missing checksums are computed, large ones are cut. Owns nothing; called
// by the devices at a switch, under their locks.
//
// The first bytes are copied once, and decisions, and what receivers get of them, come from that copy: what the sender
// changes in its buffer afterwards can neither slip past a check nor lead anywhere.
// Invariant: of a frame that was read without a fault, all offsets in its header lie within the frame and within `head`.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Packet Transmission", "Processing of Incoming Packets"; RFC 791, RFC 8200,
// RFC 9293, the formats of headers; RFC 826; RFC 1071.
#include "vdev/vframe.h"

#include "arm/maintain.h"
#include "base/string.h"

#define COST_LOOK 250U // reading a frame's headers
#define COST_CUT  400U // making a segment's

#define TYPE_IPV4 0x0800U
#define TYPE_ARP  0x0806U
#define TYPE_RARP 0x8035U
#define TYPE_VLAN 0x8100U
#define TYPE_QINQ 0x88a8U
#define TYPE_IPV6 0x86ddU
#define VLAN_ID   GENMASK_U32(11, 0)

#define ARP_SENDER 8U
#define ARP_SIZE   28U

#define IPV4_SIZE   20U
#define IPV4_LENGTH 2U
#define IPV4_ID     4U
#define IPV4_PROTO  9U
#define IPV4_SUM    10U
#define IPV4_FROM   12U
#define IPV6_SIZE   40U
#define IPV6_LENGTH 4U
#define IPV6_FROM   8U

#define PROTO_TCP    6U
#define PROTO_UDP    17U
#define TCP_SIZE     20U
#define TCP_SEQUENCE 4U
#define TCP_OFFSET   12U
#define TCP_FLAGS    13U
#define TCP_SUM      16U
#define TCP_FIN      BIT_U32(0)
#define TCP_PSH      BIT_U32(3)
#define TCP_CWR      BIT_U32(7)
#define PORTS        4U // bytes of both, first in the headers of TCP and UDP

#define LEAST_SEGMENT 48U // Linux's smallest maximum segment size

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}
static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

// ---- sums ----

// Adds bytes to a sum of words as memory has them. `odd`: how many bytes were added before, modulo 2.
static uint64_t add(uint64_t sum, const uint8_t *bytes, uint64_t size, bool odd)
{
	uint64_t words = 0;

	for (; size >= sizeof words; size -= sizeof words, bytes += sizeof words) {
		uint64_t word = load64(bytes);
		words += (word >> 32) + (uint32_t)word;
	}
	for (unsigned i = 0; i < size; i++)
		words += (uint64_t)bytes[i] << (i % 2 * 8);
	words = (words >> 32) + (uint32_t)words;
	words = (words >> 16) + (words & UINT16_MAX);
	words = (words >> 16) + (words & UINT16_MAX);
	words = (words >> 16) + (words & UINT16_MAX);
	return sum + (odd ? (uint64_t)__builtin_bswap16((uint16_t)words) : words);
}

// As it goes into a packet, in memory's order.
static uint16_t fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)~sum;
}

// Adds `size` bytes of the frame's rest.
static bool add_rest(const struct vframe *frame, struct vframe_place place, uint64_t size,
                     uint64_t *sum, bool odd, struct vvirtio_work *work)
{
	vvirtio_spend(work, (uint32_t)(size / 2));
	while (size != 0) {
		uint64_t bytes;
		const uint8_t *at = vframe_span(frame, &place, size, &bytes, work);
		if (at == NULL)
			return false;
		*sum = add(*sum, at, bytes, odd);
		odd ^= bytes % 2 != 0;
		size -= bytes;
	}
	return true;
}

bool vframe_complete(struct vframe *frame, struct vvirtio_work *work)
{
	uint32_t start = frame->header.checksum_start;
	uint32_t in_head = frame->head_size - start;
	uint64_t sum = add(0, frame->head + start, in_head, false);

	if (!add_rest(frame, vframe_rest(frame), frame->size - frame->head_size, &sum,
	              in_head % 2 != 0, work))
		return false;
	frame->sum = fold(sum);
	if (frame->sum == 0) // UDP takes 0 for none; to the others both are the same
		frame->sum = UINT16_MAX;
	frame->has_sum = true;
	return true;
}

// ---- where the bytes are ----

struct vframe_place vframe_rest(const struct vframe *frame)
{
	return (struct vframe_place){.guest = frame->rest};
}

const uint8_t *vframe_span(const struct vframe *frame, struct vframe_place *place, uint64_t most,
                           uint64_t *bytes, struct vvirtio_work *work)
{
	if (frame->dev != NULL)
		return vvirtio_span(frame->dev, frame->chain, &place->guest, most, bytes, work);
	const uint8_t *at = frame->bytes + place->offset;
	place->offset += (uint32_t)most;
	*bytes = most;
	return at;
}

// ---- reading ----

static void find_addresses(struct vframe *frame)
{
	const uint8_t *head = frame->head;

	frame->to = vframe_mac(head);
	frame->from = vframe_mac(head + VFRAME_ALEN);
	frame->type = get16(head + 2 * (size_t)VFRAME_ALEN);
	frame->vlan = VFRAME_NO_VLAN;
	frame->l3 = VFRAME_ETHERNET;
	if (frame->type != TYPE_VLAN || frame->head_size < VFRAME_ETHERNET + VFRAME_VLAN)
		return;
	frame->vlan = get16(head + VFRAME_ETHERNET) & VLAN_ID;
	frame->type = get16(head + VFRAME_ETHERNET + 2);
	frame->l3 += VFRAME_VLAN;
}

// A frame to be cut: all of its headers are looked at. The IP header begins at frame->l3, TCP's at checksum_start.
static bool check_large(struct vframe *frame)
{
	struct virtio_net_header *header = &frame->header;
	const uint8_t *ip = frame->head + frame->l3;
	uint32_t tcp = header->checksum_start, room = frame->head_size;
	bool is_v4 = (header->gso_type & ~VIRTIO_NET_GSO_ECN) == VIRTIO_NET_GSO_TCPV4;

	if (header->gso_size < LEAST_SEGMENT || header->checksum_offset != TCP_SUM ||
	    tcp + TCP_SIZE > room)
		return false;
	if (is_v4 ? frame->type != TYPE_IPV4 || frame->l3 + IPV4_SIZE > tcp
	          : frame->type != TYPE_IPV6 || frame->l3 + IPV6_SIZE > tcp)
		return false;
	if (ip[0] >> 4 != (is_v4 ? 4 : 6))
		return false;
	if (is_v4 && (frame->l3 + (ip[0] & 15U) * 4 != tcp || ip[IPV4_PROTO] != PROTO_TCP))
		return false;
	uint32_t options = (frame->head[tcp + TCP_OFFSET] >> 4) * 4U;
	if (options < TCP_SIZE || tcp + options > room || tcp + options >= frame->size)
		return false;
	frame->l4_end = (uint16_t)(tcp + options);
	header->header_length = frame->l4_end;
	return frame->l4_end + header->gso_size + 0U <= VFRAME_LONGEST;
}

// Leaves nothing in the header but what is true.
static enum vframe_fault check_header(struct vframe *frame, uint64_t features)
{
	struct virtio_net_header *header = &frame->header;
	const struct virtio_net_header said = *header;
	uint32_t type = said.gso_type & ~VIRTIO_NET_GSO_ECN;
	uint64_t wanted = VIRTIO_NET_F_CSUM;

	memset(header, 0, sizeof *header);
	if (said.gso_type == VIRTIO_NET_GSO_NONE && frame->size > VFRAME_LONGEST)
		return VFRAME_LONG;
	if ((said.flags & VIRTIO_NET_NEEDS_CSUM) == 0)
		return said.gso_type == VIRTIO_NET_GSO_NONE ? VFRAME_OK : VFRAME_MALFORMED;
	if (said.checksum_start < frame->l3 || // by the header before it all is decided
	    said.checksum_start + said.checksum_offset + 2U > frame->head_size)
		return VFRAME_MALFORMED;
	header->flags = VIRTIO_NET_NEEDS_CSUM;
	header->checksum_start = said.checksum_start;
	header->checksum_offset = said.checksum_offset;
	if (said.gso_type != VIRTIO_NET_GSO_NONE) {
		if (type != VIRTIO_NET_GSO_TCPV4 && type != VIRTIO_NET_GSO_TCPV6)
			return VFRAME_MALFORMED;
		wanted |= type == VIRTIO_NET_GSO_TCPV4 ? VIRTIO_NET_F_HOST_TSO4
		                                       : VIRTIO_NET_F_HOST_TSO6;
		if ((said.gso_type & VIRTIO_NET_GSO_ECN) != 0)
			wanted |= VIRTIO_NET_F_HOST_ECN;
		header->gso_type = said.gso_type;
		header->gso_size = said.gso_size;
		if (frame->size > VFRAME_LARGEST || !check_large(frame))
			return VFRAME_MALFORMED;
	}
	return (features & wanted) == wanted ? VFRAME_OK : VFRAME_MALFORMED;
}

static enum vframe_fault check(struct vframe *frame, uint64_t features)
{
	find_addresses(frame);
	if (frame->from == 0 || (frame->from & VFRAME_MULTICAST) != 0)
		return VFRAME_SOURCE;
	return check_header(frame, features);
}

enum vframe_fault vframe_read(struct vframe *frame, struct vvirtio *dev,
                              const struct vvirtqueue_chain *chain, uint32_t header_size,
                              uint64_t features, struct vvirtio_work *work)
{
	struct vvirtio_place place = vvirtio_readable(chain);

	memset(&frame->header, 0, sizeof frame->header);
	frame->has_sum = false;
	frame->dev = dev;
	frame->chain = chain;
	vvirtio_spend(work, COST_LOOK);
	if (chain->bytes_read < header_size + VFRAME_ETHERNET)
		return VFRAME_SHORT;
	if (chain->bytes_read > header_size + VFRAME_LARGEST)
		return VFRAME_LONG;
	frame->size = (uint32_t)chain->bytes_read - header_size;
	frame->head_size = frame->size < VFRAME_HEAD ? frame->size : VFRAME_HEAD;
	if (vvirtio_from_guest(dev, chain, &place, &frame->header, header_size, work) !=
	            header_size ||
	    vvirtio_from_guest(dev, chain, &place, frame->head, frame->head_size, work) !=
	            frame->head_size)
		return VFRAME_SHORT; // there is no memory
	enum vframe_fault fault = check(frame, features);
	if (fault == VFRAME_OK && vframe_is_large(frame)) { // its payload is the rest
		frame->head_size = frame->l4_end;
		place = vvirtio_readable(chain);
		vvirtio_skip(chain, &place, header_size + frame->head_size);
	}
	frame->rest = place;
	return fault;
}

enum vframe_fault vframe_from_bytes(struct vframe *frame, const uint8_t *bytes, uint32_t size)
{
	memset(&frame->header, 0, sizeof frame->header);
	frame->has_sum = false;
	frame->dev = NULL;
	if (size < VFRAME_ETHERNET)
		return VFRAME_SHORT;
	frame->size = size;
	frame->head_size = size < VFRAME_HEAD ? size : VFRAME_HEAD;
	memcpy(frame->head, bytes, frame->head_size);
	frame->bytes = bytes + frame->head_size;
	return check(frame, 0);
}

bool vframe_is_from(const struct vframe *frame, uint64_t mac)
{
	if (frame->from != mac)
		return false;
	if (frame->type == TYPE_VLAN || frame->type == TYPE_QINQ)
		return false; // a second tag, behind which nobody looks
	if (frame->type != TYPE_ARP && frame->type != TYPE_RARP)
		return true;
	// A checksum that is still to be written would change what is looked at here.
	return frame->header.flags == 0 && frame->l3 + ARP_SIZE <= frame->head_size &&
	       vframe_mac(frame->head + frame->l3 + ARP_SENDER) == mac;
}

uint32_t vframe_flow(const struct vframe *frame)
{
	const uint8_t *ip = frame->head + frame->l3;
	uint32_t room = frame->head_size - frame->l3, from, to;
	uint64_t sum;

	if (frame->type == TYPE_IPV4 && room >= IPV4_SIZE) {
		from = IPV4_FROM;
		to = (ip[0] & 15U) * 4;
		if (ip[IPV4_PROTO] == PROTO_TCP || ip[IPV4_PROTO] == PROTO_UDP)
			to += PORTS;
	} else if (frame->type == TYPE_IPV6 && room >= IPV6_SIZE + PORTS) {
		from = IPV6_FROM;
		to = IPV6_SIZE + PORTS;
	} else {
		return (uint32_t)frame->from;
	}
	if (to <= from || to > room)
		return (uint32_t)frame->from;
	sum = add(0, ip + from, to - from, false);
	return (uint32_t)(sum ^ sum >> 7 ^ sum >> 13);
}

// ---- cutting ----

static void cut_ip(const struct vframe *frame, struct vframe_segment *segment, uint32_t number)
{
	uint8_t *ip = segment->head + frame->l3;
	uint32_t size = segment->head_size - frame->l3 + segment->body;
	uint32_t header = frame->header.checksum_start - (uint32_t)frame->l3;

	if (frame->type == TYPE_IPV6) {
		put16(ip + IPV6_LENGTH, size - IPV6_SIZE);
		return;
	}
	put16(ip + IPV4_LENGTH, size);
	put16(ip + IPV4_ID, get16(ip + IPV4_ID) + number);
	put16(ip + IPV4_SUM, 0);
	uint16_t sum = fold(add(0, ip, header, false));
	memcpy(ip + IPV4_SUM, &sum, sizeof sum);
}

// What stands before a TCP header in its checksum.
static uint64_t pseudo_sum(const struct vframe *frame, uint32_t tcp_size)
{
	const uint8_t *ip = frame->head + frame->l3;
	bool is_v6 = frame->type == TYPE_IPV6;
	uint8_t tail[4];

	put16(tail, PROTO_TCP);
	put16(tail + 2, tcp_size);
	return add(add(0, tail, sizeof tail, false), ip + (is_v6 ? IPV6_FROM : IPV4_FROM),
	           is_v6 ? 32 : 8, false);
}

bool vframe_cut(const struct vframe *frame, uint32_t done, struct vframe_place place,
                struct vframe_segment *segment, struct vvirtio_work *work)
{
	uint32_t payload = frame->size - frame->l4_end, start = frame->header.checksum_start;
	uint32_t most = frame->header.gso_size, left = payload - done;
	uint8_t *tcp = segment->head + start;
	uint32_t sequence;

	vvirtio_spend(work, COST_CUT);
	segment->head_size = frame->l4_end;
	segment->body = left < most ? left : most;
	memcpy(segment->head, frame->head, frame->l4_end);
	cut_ip(frame, segment, done / most);
	sequence = (uint32_t)get16(tcp + TCP_SEQUENCE) << 16 | get16(tcp + TCP_SEQUENCE + 2);
	sequence += done;
	put16(tcp + TCP_SEQUENCE, sequence >> 16);
	put16(tcp + TCP_SEQUENCE + 2, sequence);
	if (done != 0)
		tcp[TCP_FLAGS] &= (uint8_t)~TCP_CWR;
	if (done + segment->body != payload)
		tcp[TCP_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	put16(tcp + TCP_SUM, 0);
	uint32_t header = frame->l4_end - start;
	uint64_t sum = pseudo_sum(frame, header + segment->body);
	sum = add(sum, tcp, header, false);
	if (!add_rest(frame, place, segment->body, &sum, false, work))
		return false;
	uint16_t folded = fold(sum);
	memcpy(tcp + TCP_SUM, &folded, sizeof folded);
	return true;
}
