// SPDX-License-Identifier: Apache-2.0
// See fake.h. What the archive may define too (console_write, cpu_halt) is weak here: a test that
// links the real one gets it.
#include "fake.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arm/cpu.h"
#include "arm/fpsimd.h"
#include "base/panic.h"

struct fake_event fake_log[FAKE_LOG_MAX];
size_t fake_log_count;
bool (*fake_sysreg_hook)(const char *name, bool write, uint64_t *value);
uint64_t (*fake_io_read_hook)(uintptr_t address, unsigned size);
void (*fake_io_write_hook)(uintptr_t address, unsigned size, uint64_t value);

uint64_t (*fake_smccc_hook)(bool hvc, const uint64_t in[8]);
bool (*fake_event_hook)(const struct fake_event *event);
bool (*fake_random_hook)(uint64_t *value);

static struct cpu cpus[FAKE_CPUS];
_Thread_local struct cpu *fake_cpu_this = &cpus[0];

#define LINE_LOG2_WORDS UINT64_C(4) // 64 bytes
#define MAX_SYSREGS     256
static struct {
	const char *name;
	uint64_t value;
} sysregs[MAX_SYSREGS];
static size_t nr_sysregs;
static unsigned born = 1; // how often the table was begun

void fake_note(enum fake_kind kind, const char *name, uint64_t address, uint64_t value,
               unsigned size)
{
	struct fake_event event = {kind, name, address, value, size};
	if (fake_event_hook != NULL && !fake_event_hook(&event))
		return;
	if (fake_log_count < FAKE_LOG_MAX)
		fake_log[fake_log_count++] = event;
}

long fake_find(size_t from, enum fake_kind kind, const char *name)
{
	for (size_t i = from; i < fake_log_count; i++)
		if (fake_log[i].kind == kind &&
		    (name == NULL || (fake_log[i].name && strcmp(fake_log[i].name, name) == 0)))
			return (long)i;
	return -1;
}

void fake_reset(void)
{
	fake_log_count = 0;
	nr_sysregs = 0;
	born++;
	fake_sysreg_hook = NULL;
	fake_io_read_hook = NULL;
	fake_io_write_hook = NULL;
	fake_smccc_hook = NULL;
	fake_event_hook = NULL;
	fake_random_hook = NULL;
	fake_set_sysreg("ctr_el0", LINE_LOG2_WORDS << 16);
	fake_set_sysreg("dczid_el0", LINE_LOG2_WORDS);
	memset(cpus, 0, sizeof cpus);
	for (unsigned i = 0; i < FAKE_CPUS; i++) {
		cpus[i].id = i;
		cpus[i].mpidr = i;
		cpus[i].gicv2_mask = 1u << i;
	}
	fake_cpu_this = &cpus[0];
}

// Where a name was found last, by where its text lies, and whether the table has been forgotten since; each thread
// remembers for itself.
#define REMEMBERED 1024
static _Thread_local struct {
	const char *name;
	unsigned born;
	size_t at;
} remembered[REMEMBERED];

// strcasecmp for names, without what a sanitizer and a fuzzer hang onto that: it is called for each register of each
// switch.
static bool same_name(const char *a, const char *b)
{
	while (*a != '\0' && (*a == *b || tolower(*a) == tolower(*b)))
		a++, b++;
	return *a == *b;
}

static size_t look_up(const char *name)
{
	for (size_t i = 0; i < nr_sysregs; i++)
		if (same_name(sysregs[i].name, name))
			return i;
	if (nr_sysregs == MAX_SYSREGS) {
		fprintf(stderr, "fake: too many system registers\n");
		abort();
	}
	sysregs[nr_sysregs].name = name;
	sysregs[nr_sysregs].value = 0;
	return nr_sysregs++;
}

// A name that is part of the program stays what it is; one on a stack may have changed since.
static bool is_constant(const char *name)
{
	extern const char etext[], edata[];
	return (uintptr_t)name >= (uintptr_t)etext && (uintptr_t)name < (uintptr_t)edata;
}

static uint64_t *find_sysreg(const char *name)
{
	size_t slot = (uintptr_t)name / 8 % REMEMBERED;
	if (remembered[slot].name != name || remembered[slot].born != born ||
	    (!is_constant(name) && !same_name(sysregs[remembered[slot].at].name, name))) {
		size_t at = look_up(name);
		remembered[slot].name = name;
		remembered[slot].born = born;
		remembered[slot].at = at;
	}
	return &sysregs[remembered[slot].at].value;
}

uint64_t fake_get_sysreg(const char *name)
{
	return *find_sysreg(name);
}

void fake_set_sysreg(const char *name, uint64_t value)
{
	*find_sysreg(name) = value;
}

uint64_t fake_read_sysreg(const char *name)
{
	uint64_t value = 0;
	if (fake_sysreg_hook == NULL || !fake_sysreg_hook(name, false, &value))
		value = fake_get_sysreg(name);
	fake_note(FAKE_READ_SYSREG, name, 0, value, 0);
	return value;
}

void fake_write_sysreg(const char *name, uint64_t value)
{
	fake_note(FAKE_WRITE_SYSREG, name, 0, value, 0);
	if (fake_sysreg_hook == NULL || !fake_sysreg_hook(name, true, &value))
		fake_set_sysreg(name, value);
}

uint64_t fake_io_read(uintptr_t address, unsigned size)
{
	uint64_t value = fake_io_read_hook ? fake_io_read_hook(address, size) : 0;
	fake_note(FAKE_READ_IO, NULL, address, value, size);
	return value;
}

void fake_io_write(uintptr_t address, unsigned size, uint64_t value)
{
	fake_note(FAKE_WRITE_IO, NULL, address, value, size);
	if (fake_io_write_hook)
		fake_io_write_hook(address, size, value);
}

void fake_run_on(unsigned id)
{
	fake_cpu_this = &cpus[id];
}

__attribute__((weak)) struct cpu *cpu_get(uint32_t id)
{
	return &cpus[id];
}

__attribute__((weak)) uint32_t cpu_count(void)
{
	return FAKE_CPUS;
}

__attribute__((weak)) void cpu_halt(void)
{
	fprintf(stderr, "fake: cpu_halt()\n");
	abort();
}

__attribute__((weak)) void console_write(const char *text, size_t length)
{
	if (panicking)
		fwrite(text, 1, length, stderr);
}

// What DC ZVA zeroes, which is asked for with each line.
static size_t zeroed_at_once(void)
{
	static _Thread_local unsigned found;
	static _Thread_local size_t at;
	if (found != born) {
		at = look_up("dczid_el0");
		found = born;
	}
	return (size_t)4 << (sysregs[at].value & 0xf);
}

void fake_dc(const char *name, uintptr_t address)
{
	size_t size = zeroed_at_once();
	if (same_name(name, "dc zva"))
		memset((void *)(address & ~(size - 1)), 0, size);
	fake_note(FAKE_OTHER, name, address, 0, (unsigned)size);
}

__attribute__((weak)) void fpsimd_save(struct fp_state *to)
{
	fake_note(FAKE_OTHER, "fp save", (uintptr_t)to, 0, 0);
}

__attribute__((weak)) void fpsimd_restore(const struct fp_state *from)
{
	fake_note(FAKE_OTHER, "fp restore", (uintptr_t)from, 0, 0);
}

void smccc_call(bool hvc, const uint64_t in[8], uint64_t out[4]);
__attribute__((weak)) void smccc_call(bool hvc, const uint64_t in[8], uint64_t out[4])
{
	fake_note(FAKE_OTHER, hvc ? "hvc" : "smc", in[0], in[1], 0);
	out[0] = fake_smccc_hook ? fake_smccc_hook(hvc, in) : UINT64_MAX;
	out[1] = out[2] = out[3] = 0;
}

#ifdef MEZZO_DEBUG
uint32_t *spinlock_held(void);
__attribute__((weak)) uint32_t *spinlock_held(void)
{
	return &fake_cpu_this->lock_ranks;
}
#endif
