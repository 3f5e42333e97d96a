// SPDX-License-Identifier: Apache-2.0
// A virtual machine: its memory, its vCPUs, its devices, its life.
#ifndef VM_VM_H
#define VM_VM_H

#include "base/atomic.h"
#include "base/log.h"
#include "base/spinlock.h"
#include "base/types.h"
#include "fdt/desc.h"
#include "hw/block.h"
#include "vm/alarm.h"
#include "vm/mmio.h"
#include "vm/sched.h"
#include "vm/stage2.h"
#include "vm/vcons.h"
#include "vm/vcpu.h"
#include "vm/virq.h"
#include "vm/vuart.h"

#define VM_MAX_VCPUS     8 // model virt; GICv2's limit, and what one distributor word of targets holds
#define VM_VIRT_RAM_BASE UINT64_C(0x40000000) // IPA; model virt, as QEMU's machine of that name
#define VM_NAME_SIZE     32
#define VFLASH_END \
	MIB(128)    // IPA: two banks of flash from 0 on, for a VM that has them (vdev/vflash.h)
#define VM_MAX 4096 // VMs at a time

struct model;
struct vgic;
struct pvtime;
struct vflash;
struct vvirtio_balloon;
struct vsock;
struct vvirtio_bus;
struct vvirtio_console;
struct vswitch_port;

enum vm_state {
	VM_CREATED, // built, not yet run
	VM_RUNNING,
	VM_ENDING,   // asked to end; its vCPUs are leaving
	VM_CLEANING, // no vCPU is left; its memory is given back, then it starts again or rests
	VM_PAUSED,   // nothing of it runs, all of it is kept
	VM_WAITING,  // it crashed and starts again when its time has come
	VM_OFF,      // it powered itself off
	VM_CRASHED,
	VM_GONE, // nobody finds it any more; it is freed when every CPU has let go of it
};

// After the last two it only rests; its memory and its vCPUs stay as they are.
enum vm_end {
	VM_END_OFF,
	VM_END_RESET,
	VM_END_CRASH,
	VM_END_STARVE, // there was no memory for it: it goes on when there is some
	VM_END_PAUSE,  // somebody asked for it: it goes on when somebody asks again
};

static inline bool vm_end_is_pause(enum vm_end end)
{
	return end == VM_END_STARVE || end == VM_END_PAUSE;
}

enum vm_on_crash { VM_CRASH_STOP, VM_CRASH_RESTART, VM_CRASH_HALT_ALL };

#define VM_CRASH_TEXT 160

// An image that one of a VM's devices shows.
struct vm_image {
	const uint8_t *bytes; // stay as they are
	uint64_t size;        // bytes, whole blocks of 512; 0: there is none
	enum desc_image mode;
};

// What begins at address 0, in place of a kernel in memory.
struct vm_firmware {
	const uint8_t *bytes; // stay as they are; NULL: there is none
	uint64_t size;        // bytes, at most IMAGE_MAX_FIRMWARE
};

// A virtio disk.
struct vm_disk {
	const char *name;         // the image's, or the board's
	struct vm_image image;    // size 0: it is the board's; `mode` counts for both
	struct block_range range; // of the board's disk
};

struct vm {
	// Fixed after start.
	char name[VM_NAME_SIZE];
	uint32_t id;     // 1 .. VM_MAX; also the owner of its pages; used again when the VM is gone
	uint64_t serial; // never used again
	uint32_t nr_vcpus;
	struct vcpu *vcpu[VM_MAX_VCPUS];
	const struct model *model;
	uint64_t ram_base, ram_size; // IPA, bytes
	uint64_t
	        video_base; // IPA: from here on RAM is the video processor's; the end of RAM: it has none
	uint64_t entry, tree; // IPA: first instruction, device tree (x0, but of firmware)
	uint64_t park,
	        park_size; // IPA, bytes: code in which the other cores wait from the start; 0: they are off
	const struct irqchip_ops *irqchip;
	uint32_t gic_version; // 2 or 3; 0: it has no GIC
	struct vgic *gic;
	const struct vuart_ops *uart_ops;
	struct vpl011 *uart;
	struct vpl031 *rtc;
	struct vgwdt *watchdog;   // NULL: it has none
	struct vpl061 *power_key; // NULL: it has none
	struct vflash *flash;     // NULL: it has none
	struct raspi3 *raspi3;    // NULL: another model
	bool has_secret;          // or nobody gave Mezzo anything to make one from
	uint8_t secret[32];       // never told to the guest: its chips make random numbers from it
	struct vvirtio_bus *virtio;             // NULL: its model has none
	struct vvirtio_balloon *balloon;        // NULL: it has none
	struct vvirtio_console *virtio_console; // NULL: it has none
	struct vsock *vsock;                    // NULL: it has none
	bool wants_console, wants_rng,
	        wants_balloon;  // virtio devices that its description asks for
	bool virtio_legacy;     // its devices are as before version 1.0
	struct {                // its virtio sockets
		uint32_t cid;   // its context; 0: it has none
		uint32_t group; // VMs with the same reach each other; 0: none does
		bool manages;   // it may give Mezzo commands
	} socket;
	uint32_t nr_disks;
	struct vm_disk disk[DESC_MAX_DISKS];
	struct pvtime *pvtime; // NULL: its guest is not told about stolen time
	struct mmio_map mmio;
	struct alarms alarms;
	uint64_t committed;   // pages promised to it; 0: Mezzo promises nothing (overcommit)
	struct vm_image card; // in the slot that its model has
	struct vm_firmware firmware;
	struct { // network interfaces; `port` is the device's
		uint32_t count;
		uint8_t net[DESC_MAX_NICS]; // of the description
		uint8_t mac[DESC_MAX_NICS][DESC_MAC_SIZE];
		struct vswitch_port *port[DESC_MAX_NICS];
	} nic;
	enum vm_on_crash on_crash;
	bool autostart; // begins when Mezzo has booted
	struct sched_params sched;
	uint32_t stop_timeout_ms; // how long `stop` waits for the guest to power itself off

	// While it is built.
	struct page_list pages; // its own structures
	uint64_t heap, heap_end;

	// What devices take of it (vm_take_page).
	struct spinlock scratch_lock; // LOCK_SCRATCH
	struct page_list scratch;     // under the lock; given back each time the VM ends
	uint64_t scratch_promised;    // under the lock
	// Blocks of 2 MiB that the guest gave back and that are not free yet: nothing of the guest's leads to them.
	struct page_list given;
	uint32_t nr_given, nr_unpromised; // of them; those of them whose promise goes as well

	// Atomically.
	uint64_t returned;  // pages of `committed` that it gave back; see stage2.returned
	uint32_t state;     // enum vm_state
	uint32_t live;      // vCPUs whose CPU may still run them or touch the VM
	uint32_t end_after; // 1 + enum vm_end that was asked for while it was ENDING; 0: none
	uint32_t killed;    // 1: however it ends, it does not begin again
	uint32_t doomed;    // 1: it goes away for good when it has ended
	uint64_t
	        stop_at; // ticks: when a guest whose power button was pressed is late; 0: it was not

	// Written by the CPU that moved `state` from RUNNING to ENDING, read by the last one to leave.
	enum vm_end end;
	struct vcpu *crashed; // whose state the dump shows; NULL: none
	char crash_text[VM_CRASH_TEXT];
	struct {
		uint64_t esr, far, hpfar; // EL2's own, of the exit that could not be handled
		unsigned shown;           // parts of the dump (debug/dump.c)
	} crash;

	// Written by the last CPU to leave, while nothing of it runs.
	uint64_t cntvoff;    // guest time = CNTPCT - cntvoff, in ticks
	uint64_t start_time; // ticks
	uint64_t paused_at;  // ticks
	bool starved;        // PAUSED for want of memory, and goes on by itself
	uint32_t
	        memory_seen; // how often memory had come back (main/life.c) when it last began to run
	uint64_t restart_at; // ticks: when WAITING ends
	uint32_t backoff_ms; // how long it waited after its last crash
	uint32_t restarts;
	bool unborn; // PAUSED before its first instruction

	// Of the CPU that has it among its chores.
	bool quiet; // CLEANING: nothing outside touches its memory any more
	struct vm *next_chore;
	uint64_t unseen[CPU_MAX / 64]; // GONE: CPUs that may still hold a pointer to it
	uint32_t chore_cpu;            // its number; read by anyone

	struct { // by the shell: what `vm` saw when it was last asked
		uint64_t time, exits, ran;
	} shown;

	struct stage2 stage2;
	struct vcons con;
	struct ratelimit log_limit; // under log_lock
	struct spinlock log_lock;   // LOCK_LOG_LIMIT
};

// The VMs that everybody sees, by number. No lock: a pointer stays good until its holder goes back to
// the guest loop, since a VM that is taken away is only freed when every CPU has done so
// (docs/concurrency.md). Over more than one turn a VM is kept by number and `serial`. Any CPU.
uint32_t vm_count(void);
struct vm *vm_by_id(uint32_t id);        // NULL: there is none of this number
struct vm *vm_by_name(const char *name); // NULL: there is none of this name
struct vm *vm_after(uint32_t id);        // the one with the next higher number; NULL: none
struct vm *vm_before(uint32_t id);       // the one with the next lower number; NULL: none
#define FOR_EACH_VM(each) \
	for (struct vm *each = vm_after(0); each != NULL; each = vm_after(each->id))

// A VM with its vCPUs, without memory and devices; not among those above yet, but its number is taken:
// the lowest that is free. `ram` bytes, `vcpus` up to VM_MAX_VCPUS. NULL: no memory, or VM_MAX VMs exist.
// Takes LOCK_VM_TABLE.
struct vm *vm_create(const char *name, uint32_t vcpus, uint64_t ram);
// Makes a complete VM visible to everybody. ERR_BUSY: there is one of this name. Takes LOCK_VM_TABLE.
int vm_publish(struct vm *vm);
// Takes a VM out of sight; its number stays taken. Takes LOCK_VM_TABLE.
void vm_withdraw(struct vm *vm);
// Whether a VM has the number, seen or not. Takes LOCK_VM_TABLE.
bool vm_number_taken(uint32_t id);
// Frees a VM that nobody sees, and its number. Unbounded only in what vm_free_some has not freed yet.
void vm_discard(struct vm *vm);
// Zeroes and frees at most 64 KiB of a VM that nobody sees; false: nothing but the VM itself is left.
bool vm_free_some(struct vm *vm);

// Memory for the VM's own structures: zeroed, charged to the VM, 64-byte aligned, given back as a
// whole when the VM ends. NULL when there is none. Only while the VM is being built.
void *vm_alloc(struct vm *vm, size_t size);

// A page for what a device keeps of its guest's data, promised and taken in one: of the VM, contents unknown. It goes
// back when the VM is reset or off, or, if it is `kept`, with the VM. PA 0: there is none. Any CPU, while the VM
// runs. Takes LOCK_SCRATCH.
pa_t vm_take_page(struct vm *vm, bool kept);
// The same without a promise: it is part of what the VM was promised when it was built. Not kept.
pa_t vm_take_promised_page(struct vm *vm);
// Zeroes and gives back at most 64 KiB of those that are not kept; false: there were none. Nothing of it runs.
bool vm_give_scratch(struct vm *vm);

// Ends the VM: its vCPUs leave the guest as soon as they see it. Only the first reason counts, but a pause
// gives way to what a vCPU asked for before it left. Any CPU.
void vm_end(struct vm *vm, enum vm_end why);
// The guest cannot go on; the text says why. `vcpu` is loaded on this CPU.
void vm_crash(struct vcpu *vcpu, const char *format, ...) PRINTF_LIKE(2, 3);

// A line about this VM in Mezzo's log, "NAME: ...". What a guest can trigger is limited to 10 lines a
// second; the rest is counted and summarised a second later, or when the VM ends. On a CPU of the VM.
void vm_log(struct vm *vm, const char *format, ...) PRINTF_LIKE(2, 3);

// Copies from the guest's memory at `ipa`. ERR_FAULT: not all of it is RAM. Any CPU that runs the VM.
int vm_read_memory(struct vm *vm, ipa_t ipa, void *to, size_t size);

// The same for devices that reach memory by themselves, either way, at most 64 KiB at a time: what the guest
// wrote or will read past the caches is seen too. A page that nobody touched is mapped first. ERR_FAULT: not
// all of it is RAM, or there is no memory for it; nothing was copied. Any CPU that runs the VM.
int vm_dma_read(struct vm *vm, ipa_t ipa, void *to, size_t size);
int vm_dma_write(struct vm *vm, ipa_t ipa, const void *from, size_t size);
// Whether somebody touched the page of `ipa`, which is RAM, before: then reaching it is fast. Otherwise up to 64 KiB
// are filled first. Any CPU.
bool vm_dma_is_touched(struct vm *vm, ipa_t ipa);

// Reports how many lines of vm_log were left out since it last said so. Any CPU.
void vm_log_summary(struct vm *vm);

// Pages that are promised to it now: it may have given some back. Any CPU; out of date at once.
static inline uint64_t vm_promised(const struct vm *vm)
{
	return load_relaxed(&vm->committed) - load_relaxed(&vm->returned);
}

// The state in a word, for tables.
const char *vm_state_name(const struct vm *vm);

#endif
