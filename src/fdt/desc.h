// SPDX-License-Identifier: Apache-2.0
// The compiled description of the virtual machines to build: the node /mezzo of a tree that came
// in the bundle or from the board. docs/bundle.md describes the format.
#ifndef FDT_DESC_H
#define FDT_DESC_H

#include "base/types.h"

#define DESC_VERSION     1
#define DESC_MAX_VMS     1024
#define DESC_MAX_FILES   128
#define DESC_MAX_PINS    8
#define DESC_MAX_VCPUS   8
#define DESC_NAME_MAX    31   // bytes of a VM's name
#define DESC_PATH_MAX    255  // bytes of a file's name
#define DESC_CMDLINE_MAX 2047 // bytes of a kernel's command line, as arm64 Linux takes them
#define DESC_MIN_MEMORY  MIB(16)
#define DESC_MAX_MEMORY  (UINT64_C(1) << 47)
#define DESC_SHA256_SIZE 32
#define DESC_MAX_NETS    32
#define DESC_MAX_NICS    4  // of a VM
#define DESC_NET_MAX     31 // bytes of a net's name
#define DESC_UPLINK_MAX  31 // and of what names the board's own interface
#define DESC_MAC_SIZE    6
#define DESC_CID_MIN     3      // contexts of virtio sockets: those below are not a VM's
#define DESC_CID_MAX     4095   // and those above are for VMs that are made after others
#define DESC_GROUP_MAX   31     // bytes of the name of a group of them
#define DESC_LIMIT_MIN   KIB(1) // bytes a second
#define DESC_LIMIT_MAX   (UINT64_C(1) << 40)

#define DESC_WEIGHT_DEFAULT  100
#define DESC_WEIGHT_MAX      10000
#define DESC_PRIORITY_MAX    7
#define DESC_BUDGET_MIN_US   10
#define DESC_PERIOD_MIN_US   100
#define DESC_PERIOD_MAX_US   1000000
#define DESC_STOP_MIN_MS     1000
#define DESC_STOP_MAX_MS     3600000
#define DESC_STOP_DEFAULT_MS 10000

#define DESC_SECTOR_SIZE 512     // bytes; cards and disks have whole ones
#define DESC_MAX_DISKS   8       // of a VM
#define DESC_MAX_FLASH   MIB(64) // bytes of firmware
#define DESC_HOST_MAX    7       // bytes of the name of a board's disk or partition

#define DESC_PROBLEM_SIZE 240

enum desc_machine { DESC_MACHINE_VIRT, DESC_MACHINE_RASPI3 };
// What becomes of what the guest writes to a card or disk: it is gone when the VM starts anew, it stays until the VM
// is destroyed, or there is none since it is write-protected.
enum desc_image { DESC_IMAGE_COW, DESC_IMAGE_KEEP, DESC_IMAGE_RO };
// What virtio devices look like: as since version 1.0 of the standard, or as before.
enum desc_virtio { DESC_VIRTIO_MODERN, DESC_VIRTIO_LEGACY };
enum desc_on_crash { DESC_CRASH_STOP, DESC_CRASH_RESTART, DESC_CRASH_HALT_ALL };
enum desc_on_all_off { DESC_OFF_SHELL, DESC_OFF_POWEROFF };
enum desc_console { DESC_CONSOLE_SHELL, DESC_CONSOLE_ALL, DESC_CONSOLE_VM };

// A file of the bundle. Pointers lead into the tree.
struct desc_file {
	const char *path; // the archive member's name
	uint64_t size;    // bytes
	uint32_t crc32;
	const uint8_t *sha256; // 32 bytes, or NULL: none given
};

// A net: the VMs that name it share a switch.
struct desc_net {
	const char *name;   // 1..31 of A-Z a-z 0-9 . _ -, unique
	const char *uplink; // the board's own interface, NULL: none
	bool anti_spoof;    // VMs send from their own addresses alone
	uint64_t limit;     // bytes a second that each VM may send; 0: no limit
};

// A VM. Strings point into the tree and are NUL-terminated; NULL: not given. Files are checked to
// be among desc->files.
struct desc_vm {
	const char *name; // 1..31 of A-Z a-z 0-9 . _ -, unique, not mezzo, all or shell
	enum desc_machine machine;
	const struct desc_file *kernel;   // NULL: it has firmware
	const struct desc_file *firmware; // NULL: it has a kernel; else the model has flash for it
	const struct desc_file *initrd;   // NULL: none
	const struct desc_file *dtb;      // NULL: the model's own
	const struct desc_file *sdcard; // NULL: none; else whole sectors, and the model has a slot
	enum desc_image sdcard_mode;
	uint32_t nr_disks; // at most DESC_MAX_DISKS, and the model has such devices
	const char *disks; // one string behind the other: desc_disk()
	enum desc_virtio virtio;
	// Devices that it has besides those of its model; the model has slots for them.
	bool virtio_console, rng, balloon;
	uint32_t cid;      // its context for virtio sockets, unique; 0: it has none
	const char *group; // VMs that name the same reach each other by them; NULL: none does
	bool manage;       // by its sockets it may give Mezzo commands
	const char *cmdline;
	uint64_t memory; // bytes, whole pages, as much as the model takes (fdt/model_facts.h)
	uint32_t cpus;   // 1 to as many as the model takes
	uint32_t gic;    // 2, 3, or 0: what the board has, or the model has none
	bool has_load, has_entry;
	uint64_t load, entry;        // IPA
	uint32_t nr_pins;            // 0: wherever there is room
	uint32_t pin[DESC_MAX_PINS]; // indices of physical CPUs, all different: vCPU i has
	                             // pin[i % nr_pins]
	bool exclusive;              // there are at least as many pins as vCPUs then
	bool autostart;
	bool verify_sha256; // its files all have a sha256 then
	enum desc_on_crash on_crash;
	uint32_t weight;               // 1..DESC_WEIGHT_MAX
	uint32_t priority;             // 0..DESC_PRIORITY_MAX
	uint32_t budget_us, period_us; // of each vCPU, the budget within the period; 0: none
	uint32_t stop_timeout_ms;      // DESC_STOP_MIN_MS..DESC_STOP_MAX_MS
	uint32_t nr_nics;
	uint8_t nic_net[DESC_MAX_NICS]; // indices into desc->nets
	uint32_t nr_macs;               // as many as interfaces, or none
	const uint8_t *macs; // 6 bytes each, all zero: made by desc_mac; NULL: none given
};

struct desc {
	enum desc_on_all_off on_all_off;
	bool overcommit;
	bool plain_exits; // no fast ones (arm/exits.h)
	enum desc_console console;
	uint32_t console_vm; // DESC_CONSOLE_VM: index into vms
	uint32_t nr_files;
	struct desc_file files[DESC_MAX_FILES];
	uint32_t nr_nets;
	struct desc_net nets[DESC_MAX_NETS];
	uint32_t nr_vms; // may be 0
	struct desc_vm vms[DESC_MAX_VMS];
};

// A disk of a VM: a file of whole sectors, or the board's own disk or partition.
struct desc_disk {
	const char *name;             // the file's, or the board's: "vda", "vda2"
	const struct desc_file *file; // NULL: it is the board's
	enum desc_image mode;         // the board's: DESC_IMAGE_RO or DESC_IMAGE_KEEP
};

struct desc_problem {
	char text[DESC_PROBLEM_SIZE]; // "/mezzo/vm@1 (linux): memory: ..."
};

// The address of network interface `nic` of a VM that is given none: the same on every board, locally administered.
void desc_mac(const char *vm, uint32_t nic, uint8_t mac[DESC_MAC_SIZE]);
// That of interface `nic` of a VM of the description, whether it is given or not.
void desc_vm_mac(const struct desc_vm *vm, uint32_t nic, uint8_t mac[DESC_MAC_SIZE]);
// Whether it may be an interface's: not zero, not a group's.
bool desc_mac_is_good(const uint8_t mac[DESC_MAC_SIZE]);

// Reads and checks /mezzo of `fdt` (8-byte aligned; at most `max_size` bytes may be read). The tree is
// untrusted. 0; ERR_NOT_FOUND: a sound tree without /mezzo; ERR_INVALID or ERR_UNSUPPORTED with one
// sentence in *problem. Pure; work bounded by the tree's size.
int desc_read(const void *fdt, size_t max_size, struct desc *desc, struct desc_problem *problem);

// Which group of virtio sockets a VM of *desc belongs to: a number from 1, the same for all that name the same; 0: none.
uint32_t desc_group(const struct desc *desc, const struct desc_vm *vm);

// What the VM begins with: its kernel or its firmware. Never NULL.
static inline const struct desc_file *desc_image(const struct desc_vm *vm)
{
	return vm->kernel != NULL ? vm->kernel : vm->firmware;
}

// Disk `n`, below vm->nr_disks, of a VM of *desc.
struct desc_disk desc_disk(const struct desc *desc, const struct desc_vm *vm, uint32_t n);

#endif
