// SPDX-License-Identifier: Apache-2.0
// What the user asked for: one system of several VMs, as a .conf file or the command line
// describes it. Each value remembers where it was written.
#ifndef HOST_SYSTEM_H
#define HOST_SYSTEM_H

#include "diag.h"
#include "fdt/desc.h"
#include "fdt/model_facts.h"
#include "kernel.h"
#include "vm/image.h"

#define MEMORY_DEFAULT MIB(512) // of a VM that does not say

// Keys by kind. `at.file` is NULL while the key is not given.
struct text_key {
	const char *value;
	struct place at;
};
struct number_key {
	uint64_t value;
	struct place at;
};
struct budget_key {
	uint64_t budget, period; // us; 0: none
	struct place at;
};
struct image_key {
	const char *value; // the file
	const char *mode;  // what stands before it: "cow", "keep" or "ro"
	struct place at;
};
// A network interface: the net, and the address if it is given.
struct nic {
	const char *net;
	bool has_mac;
	uint8_t mac[DESC_MAC_SIZE];
};
struct nics_key {
	struct nic nic[DESC_MAX_NICS];
	size_t count;
	struct place at;
};

struct disk_key {
	const char *value; // the file, or the name of a board's disk
	const char *mode;  // as the description has it: "cow", "keep", "ro", "host" or "host-ro"
	bool host;         // the board's
	struct place at;
	struct blob file; // found by check_system
};
struct disks_key {
	struct disk_key disk[DESC_MAX_DISKS];
	size_t count;
};
struct list_key {
	uint32_t *value;
	size_t count;
	struct place at;
};

struct vm {
	const char *name;
	struct place end; // where its section ends: what is missing is missing there
	struct text_key machine, config, kernel, firmware, initrd, dtb, cmdline, on_crash, verify;
	struct text_key virtio;
	struct number_key memory, cpus, gic, load, entry, exclusive, autostart;
	struct number_key weight, priority;
	struct number_key stop_timeout; // ms
	struct budget_key budget;
	struct image_key sdcard;
	struct disks_key disks;
	struct number_key virtio_console, rng, balloon;
	struct number_key vsock, manage;
	struct text_key vsock_group;
	struct list_key pin;
	struct nics_key nics;
	// Found by check_system in the files that the keys name.
	struct kernel kernel_file; // or of its firmware
	struct image_plan plan;
	struct blob initrd_file, dtb_file, sdcard_file;
};

// A section `net`, or a net that only interfaces name: then `at.file` is NULL until check_system.
struct net {
	const char *name;
	struct place at;
	struct text_key uplink; // the board's name for it
	struct number_key anti_spoof, limit;
};

struct system {
	struct text_key board, on_all_off;
	struct number_key overcommit;
	struct number_key fast_exits; // unless it is there: true
	struct vm *vms;
	size_t vm_count;
	struct net *nets;
	size_t net_count;
	const char *dir; // what relative paths start from, with its last slash
};

// What the VM's machine fixes.
const struct model_facts *system_model(const struct vm *vm);

// What the VM begins with: its kernel or its firmware. A VM that has neither: the kernel that is not given.
static inline const struct text_key *system_image(const struct vm *vm)
{
	return vm->firmware.value != NULL ? &vm->firmware : &vm->kernel;
}

// The new last VM of `system`. Pointers to VMs taken before are void.
struct vm *system_add(struct system *system, const char *name);

// The net of this name, or NULL; a new one of this name. Pointers to nets taken before are void then.
struct net *system_find_net(const struct system *system, const char *name);
struct net *system_add_net(struct system *system, const char *name);

// Sums over all VMs.
uint64_t system_memory(const struct system *system);
uint64_t system_cpus(const struct system *system);

#endif
