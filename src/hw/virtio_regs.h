// SPDX-License-Identifier: Apache-2.0
// Virtio as the standard numbers it: identifiers, feature bits, the split ring, registers of virtio-mmio, and what the
// devices of each kind say. All fields of memory are little-endian, as EL2 is.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Basic Facilities of a Virtio Device", "Split Virtqueues", "Virtio Over
// MMIO", "Block Device", "Network Device", "Console Device", "Entropy Device".
#ifndef HW_VIRTIO_REGS_H
#define HW_VIRTIO_REGS_H

#include "base/bits.h"

enum virtio_kind {
	VIRTIO_NONE = 0, // an empty slot
	VIRTIO_NET = 1,
	VIRTIO_BLOCK = 2,
	VIRTIO_CONSOLE = 3,
	VIRTIO_ENTROPY = 4,
	VIRTIO_BALLOON = 5,
	VIRTIO_VSOCK = 19,
};

// ---- device status ----

#define VIRTIO_ACKNOWLEDGE 0x01U
#define VIRTIO_DRIVER      0x02U
#define VIRTIO_DRIVER_OK   0x04U
#define VIRTIO_FEATURES_OK 0x08U
#define VIRTIO_NEEDS_RESET 0x40U
#define VIRTIO_FAILED      0x80U

// ---- interrupt status ----

#define VIRTIO_ISR_RING   BIT_U32(0)
#define VIRTIO_ISR_CONFIG BIT_U32(1)

// ---- features of every device ----

#define VIRTIO_F_ANY_LAYOUT      BIT_U64(27) // legacy: no rule how buffers are cut into segments
#define VIRTIO_F_INDIRECT        BIT_U64(28)
#define VIRTIO_F_EVENT_IDX       BIT_U64(29)
#define VIRTIO_F_VERSION_1       BIT_U64(32)
#define VIRTIO_F_ACCESS_PLATFORM BIT_U64(33)
#define VIRTIO_F_RING_PACKED     BIT_U64(34)
#define VIRTIO_F_ORDER_PLATFORM  BIT_U64(36)

// ---- the split ring ----

struct virtio_desc {
	uint64_t address; // physical
	uint32_t length;
	uint16_t flags;
	uint16_t next;
};
#define VIRTIO_DESC_NEXT     BIT_U32(0)
#define VIRTIO_DESC_WRITE    BIT_U32(1) // by the device
#define VIRTIO_DESC_INDIRECT BIT_U32(2)

struct virtio_avail {
	uint16_t flags;
	uint16_t index;
	uint16_t ring[];
};
#define VIRTIO_AVAIL_NO_INTERRUPT BIT_U32(0)

struct virtio_used_entry {
	uint32_t id;
	uint32_t length;
};
struct virtio_used {
	uint16_t flags;
	uint16_t index;
	struct virtio_used_entry ring[];
};
#define VIRTIO_USED_NO_NOTIFY BIT_U32(0)

// ---- virtio-mmio; LEGACY: version 1 alone, MODERN: version 2 alone ----

enum virtio_mmio_reg {
	VIRTIO_MMIO_MAGIC = 0x000,
	VIRTIO_MMIO_VERSION = 0x004,
	VIRTIO_MMIO_DEVICE_ID = 0x008,
	VIRTIO_MMIO_VENDOR_ID = 0x00c,
	VIRTIO_MMIO_DEVICE_FEATURES = 0x010,
	VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014,
	VIRTIO_MMIO_DRIVER_FEATURES = 0x020,
	VIRTIO_MMIO_DRIVER_FEATURES_SEL = 0x024,
	VIRTIO_MMIO_LEGACY_PAGE_SIZE = 0x028,
	VIRTIO_MMIO_QUEUE_SEL = 0x030,
	VIRTIO_MMIO_QUEUE_NUM_MAX = 0x034,
	VIRTIO_MMIO_QUEUE_NUM = 0x038,
	VIRTIO_MMIO_LEGACY_QUEUE_ALIGN = 0x03c,
	VIRTIO_MMIO_LEGACY_QUEUE_PFN = 0x040,
	VIRTIO_MMIO_QUEUE_READY = 0x044,
	VIRTIO_MMIO_QUEUE_NOTIFY = 0x050,
	VIRTIO_MMIO_INTERRUPT_STATUS = 0x060,
	VIRTIO_MMIO_INTERRUPT_ACK = 0x064,
	VIRTIO_MMIO_STATUS = 0x070,
	VIRTIO_MMIO_QUEUE_DESC_LOW = 0x080,
	VIRTIO_MMIO_QUEUE_DESC_HIGH = 0x084,
	VIRTIO_MMIO_QUEUE_DRIVER_LOW = 0x090,
	VIRTIO_MMIO_QUEUE_DRIVER_HIGH = 0x094,
	VIRTIO_MMIO_QUEUE_DEVICE_LOW = 0x0a0,
	VIRTIO_MMIO_QUEUE_DEVICE_HIGH = 0x0a4,
	VIRTIO_MMIO_SHM_LEN_LOW = 0x0b0, // MODERN, as the next three
	VIRTIO_MMIO_SHM_LEN_HIGH = 0x0b4,
	VIRTIO_MMIO_SHM_BASE_LOW = 0x0b8,
	VIRTIO_MMIO_SHM_BASE_HIGH = 0x0bc,
	VIRTIO_MMIO_CONFIG_GENERATION = 0x0fc,
	VIRTIO_MMIO_CONFIG = 0x100,
};

#define VIRTIO_MMIO_MAGIC_VALUE 0x74726976U // "virt"
#define VIRTIO_MMIO_LEGACY      1           // versions
#define VIRTIO_MMIO_MODERN      2

// ---- block ----

#define VIRTIO_BLK_F_SIZE_MAX     BIT_U64(1)
#define VIRTIO_BLK_F_SEG_MAX      BIT_U64(2)
#define VIRTIO_BLK_F_RO           BIT_U64(5)
#define VIRTIO_BLK_F_BLK_SIZE     BIT_U64(6)
#define VIRTIO_BLK_F_FLUSH        BIT_U64(9)
#define VIRTIO_BLK_F_TOPOLOGY     BIT_U64(10)
#define VIRTIO_BLK_F_CONFIG_WCE   BIT_U64(11)
#define VIRTIO_BLK_F_MQ           BIT_U64(12)
#define VIRTIO_BLK_F_DISCARD      BIT_U64(13)
#define VIRTIO_BLK_F_WRITE_ZEROES BIT_U64(14)

enum virtio_blk_config {
	VIRTIO_BLK_CAPACITY = 0, // 64 bits, in sectors of 512 bytes whatever BLK_SIZE is
	VIRTIO_BLK_SIZE_MAX = 8,
	VIRTIO_BLK_SEG_MAX = 12,
	VIRTIO_BLK_BLK_SIZE = 20,
	VIRTIO_BLK_PHYSICAL = 24,   // 8 bits: log2 of how many blocks are one on the medium
	VIRTIO_BLK_MIN_IO = 26,     // 16 bits, in blocks
	VIRTIO_BLK_WRITEBACK = 32,  // 8 bits
	VIRTIO_BLK_NUM_QUEUES = 34, // 16 bits
	VIRTIO_BLK_DISCARD_SECTORS = 36,
	VIRTIO_BLK_DISCARD_SEGMENTS = 40,
	VIRTIO_BLK_DISCARD_ALIGNMENT = 44,
	VIRTIO_BLK_ZEROES_SECTORS = 48,
	VIRTIO_BLK_ZEROES_SEGMENTS = 52,
	VIRTIO_BLK_ZEROES_MAY_UNMAP = 56, // 8 bits
	VIRTIO_BLK_CONFIG_SIZE = 60,
};

enum virtio_blk_type {
	VIRTIO_BLK_IN = 0,
	VIRTIO_BLK_OUT = 1,
	VIRTIO_BLK_FLUSH = 4,
	VIRTIO_BLK_GET_ID = 8,
	VIRTIO_BLK_DISCARD = 11,
	VIRTIO_BLK_WRITE_ZEROES = 13,
};

struct virtio_blk_header {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};
struct virtio_blk_extent { // of DISCARD and WRITE_ZEROES
	uint64_t sector;
	uint32_t sectors;
	uint32_t flags;
};
#define VIRTIO_BLK_EXTENT_UNMAP BIT_U32(0)

#define VIRTIO_BLK_S_OK     0 // the status byte
#define VIRTIO_BLK_S_IOERR  1
#define VIRTIO_BLK_S_UNSUPP 2

// ---- net ----

// GUEST: what the driver may be handed; HOST: what the device may be.
#define VIRTIO_NET_F_CSUM          BIT_U64(0)
#define VIRTIO_NET_F_GUEST_CSUM    BIT_U64(1)
#define VIRTIO_NET_F_MTU           BIT_U64(3)
#define VIRTIO_NET_F_MAC           BIT_U64(5)
#define VIRTIO_NET_F_GUEST_TSO4    BIT_U64(7)
#define VIRTIO_NET_F_GUEST_TSO6    BIT_U64(8)
#define VIRTIO_NET_F_GUEST_ECN     BIT_U64(9)
#define VIRTIO_NET_F_HOST_TSO4     BIT_U64(11)
#define VIRTIO_NET_F_HOST_TSO6     BIT_U64(12)
#define VIRTIO_NET_F_HOST_ECN      BIT_U64(13)
#define VIRTIO_NET_F_MRG_RXBUF     BIT_U64(15)
#define VIRTIO_NET_F_STATUS        BIT_U64(16)
#define VIRTIO_NET_F_CTRL_VQ       BIT_U64(17)
#define VIRTIO_NET_F_CTRL_RX       BIT_U64(18)
#define VIRTIO_NET_F_CTRL_VLAN     BIT_U64(19)
#define VIRTIO_NET_F_CTRL_RX_EXTRA BIT_U64(20)
#define VIRTIO_NET_F_MQ            BIT_U64(22)
#define VIRTIO_NET_F_CTRL_MAC_ADDR BIT_U64(23)

enum virtio_net_config {
	VIRTIO_NET_MAC = 0,    // 6 bytes
	VIRTIO_NET_STATUS = 6, // 16 bits
	VIRTIO_NET_PAIRS = 8,  // 16 bits: of queues, at most
	VIRTIO_NET_MTU = 10,   // 16 bits
	VIRTIO_NET_CONFIG_SIZE = 12,
};
#define VIRTIO_NET_LINK_UP BIT_U32(0)

enum virtio_net_queue { VIRTIO_NET_RX, VIRTIO_NET_TX };

// In front of each packet. A legacy device that does not merge buffers has none of the last field.
struct virtio_net_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t header_length;
	uint16_t gso_size;
	uint16_t checksum_start;
	uint16_t checksum_offset;
	uint16_t buffers;
};
#define VIRTIO_NET_HEADER        12
#define VIRTIO_NET_HEADER_LEGACY 10

// ---- balloon ----

#define VIRTIO_BALLOON_F_MUST_TELL      BIT_U64(0) // before a page is used again
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM BIT_U64(2)
#define VIRTIO_BALLOON_F_REPORTING      BIT_U64(5)

#define VIRTIO_NET_NEEDS_CSUM BIT_U32(0) // flags

#define VIRTIO_NET_GSO_NONE  0 // gso_type
#define VIRTIO_NET_GSO_TCPV4 1
#define VIRTIO_NET_GSO_TCPV6 4
#define VIRTIO_NET_GSO_ECN   BIT_U32(7)

// The control queue: class, command, what the class wants; the device writes one byte.
enum virtio_net_ctrl {
	VIRTIO_NET_CTRL_RX = 0,
	VIRTIO_NET_CTRL_MAC = 1,
	VIRTIO_NET_CTRL_VLAN = 2,
	VIRTIO_NET_CTRL_MQ = 4,
};
enum virtio_net_ctrl_rx { // a byte: on or off
	VIRTIO_NET_RX_PROMISC,
	VIRTIO_NET_RX_ALLMULTI,
	VIRTIO_NET_RX_ALLUNI,
	VIRTIO_NET_RX_NOMULTI,
	VIRTIO_NET_RX_NOUNI,
	VIRTIO_NET_RX_NOBCAST,
	VIRTIO_NET_RX_MODES,
};
enum virtio_net_ctrl_mac {
	VIRTIO_NET_MAC_TABLE_SET, // twice, unicast and multicast: 32 bits, and so many addresses
	VIRTIO_NET_MAC_ADDR_SET,
};
enum virtio_net_ctrl_vlan { VIRTIO_NET_VLAN_ADD, VIRTIO_NET_VLAN_DEL }; // 16 bits
#define VIRTIO_NET_MQ_PAIRS_SET 0                                       // 16 bits
#define VIRTIO_NET_OK           0
#define VIRTIO_NET_ERR          1

// ---- console ----

#define VIRTIO_CONSOLE_F_SIZE        BIT_U64(0)
#define VIRTIO_CONSOLE_F_MULTIPORT   BIT_U64(1)
#define VIRTIO_CONSOLE_F_EMERG_WRITE BIT_U64(2)

enum virtio_console_queue { VIRTIO_CONSOLE_RX, VIRTIO_CONSOLE_TX };

// ---- sockets ----

#define VIRTIO_VSOCK_F_STREAM BIT_U64(0)

enum virtio_vsock_queue {
	VIRTIO_VSOCK_RX,
	VIRTIO_VSOCK_TX,
	VIRTIO_VSOCK_EVENT,
	VIRTIO_VSOCK_QUEUES
};

// In front of each packet: 44 bytes, as they lie here.
struct virtio_vsock_header {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port;
	uint32_t length; // bytes of data behind it
	uint16_t type, op;
	uint32_t flags;
	uint32_t buf_alloc,
	        fwd_cnt; // bytes that the sender of this has room for, and has taken in all
};
#define VIRTIO_VSOCK_HEADER 44

#define VIRTIO_VSOCK_CID_HOST    2 // context 0, 1 and all ones in 32 bits are set aside
#define VIRTIO_VSOCK_TYPE_STREAM 1

enum virtio_vsock_op {
	VIRTIO_VSOCK_OP_INVALID,
	VIRTIO_VSOCK_OP_REQUEST,
	VIRTIO_VSOCK_OP_RESPONSE,
	VIRTIO_VSOCK_OP_RST,
	VIRTIO_VSOCK_OP_SHUTDOWN,
	VIRTIO_VSOCK_OP_RW,
	VIRTIO_VSOCK_OP_CREDIT_UPDATE,
	VIRTIO_VSOCK_OP_CREDIT_REQUEST,
	VIRTIO_VSOCK_OPS,
};
#define VIRTIO_VSOCK_SHUTDOWN_RECEIVE BIT_U32(0) // who says so takes nothing more
#define VIRTIO_VSOCK_SHUTDOWN_SEND    BIT_U32(1) // ... sends nothing more

#define VIRTIO_VSOCK_EVENT_TRANSPORT_RESET 0 // 32 bits: every connection is gone

#endif
