// SPDX-License-Identifier: Apache-2.0
// The CPU as the unit tests see it: system registers are entries of a table, device registers go to
// hooks, and every operation that the hardware would notice is noted in one log, so that a test can
// check the order of things. Linked into every test; the state is one test program's own.
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- the log ----
enum fake_kind {
	FAKE_READ_SYSREG,
	FAKE_WRITE_SYSREG,
	FAKE_READ_IO,
	FAKE_WRITE_IO,
	FAKE_BARRIER, // name: "isb", "dsb ish", ...
	FAKE_OTHER,   // whatever a further fake header notes: cache and TLB operations, ...
};

struct fake_event {
	enum fake_kind kind;
	const char *name; // of the register or operation; NULL for device registers
	uint64_t address; // device registers, and operations that take one
	uint64_t value;
	unsigned size; // bytes of a device access
};

#define FAKE_LOG_MAX 65536
extern struct fake_event fake_log[FAKE_LOG_MAX];
extern size_t fake_log_count; // goes no further than FAKE_LOG_MAX; later events are lost

void fake_note(enum fake_kind kind, const char *name, uint64_t address, uint64_t value,
               unsigned size);

// Asked for each event before it is noted; false: it is kept out of the log.
extern bool (*fake_event_hook)(const struct fake_event *event);

// Index of the first event from `from` on of this kind and, if not NULL, this name; -1: none.
long fake_find(size_t from, enum fake_kind kind, const char *name);

// Forgets the log, every register and every hook; the CPU is CPU 0 again. What a register holds then is
// 0, but for the sizes of cache lines and of what DC ZVA zeroes: 64 bytes.
void fake_reset(void);

// ---- system registers, by the name that the code uses, in any case; 0 until written ----
uint64_t fake_read_sysreg(const char *name);
void fake_write_sysreg(const char *name, uint64_t value);
// The same without a trace in the log, and without the hooks.
uint64_t fake_get_sysreg(const char *name);
void fake_set_sysreg(const char *name, uint64_t value);
// If set, asked first: true when it has dealt with the access.
extern bool (*fake_sysreg_hook)(const char *name, bool write, uint64_t *value);

// ---- device registers: reads are 0 and writes lost without a hook ----
extern uint64_t (*fake_io_read_hook)(uintptr_t address, unsigned size);
extern void (*fake_io_write_hook)(uintptr_t address, unsigned size, uint64_t value);
uint64_t fake_io_read(uintptr_t address, unsigned size);
void fake_io_write(uintptr_t address, unsigned size, uint64_t value);

// ---- cache maintenance, by name: "dc zva" zeroes, the others are only noted ----
void fake_dc(const char *name, uintptr_t address);

// ---- random numbers: false when there is none ----
extern bool (*fake_random_hook)(uint64_t *value);

// ---- calls into the firmware: x0 of the answer; -1 without a hook ----
extern uint64_t (*fake_smccc_hook)(bool hvc, const uint64_t in[8]);

// ---- CPUs: FAKE_CPUS of them, the running one is fake_cpu_this ----
#define FAKE_CPUS 8
struct cpu;
extern _Thread_local struct cpu *fake_cpu_this; // a thread may play a CPU
void fake_run_on(unsigned id);

#endif
