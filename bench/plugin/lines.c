// SPDX-License-Identifier: Apache-2.0
/*
 * A plugin for QEMU's TCG: counts the instructions of each vCPU by who executes them, and, between two marks of the
 * benchmark's guest, the distinct 64-byte lines that whoever is not the guest touches.
 *
 *   -plugin lines.so,out=FILE[,lines=off]      with -icount, so that one vCPU runs at a time; lines=off: they are
 *                                              not counted, for what touches very many
 *
 * Who: a block is translated for one exception level, so the level is read from PSTATE when it is translated and holds
 * whenever it runs. EL2 is `el2`: Xen, Mezzo, and KVM with VHE, whose whole kernel is there. EL1 with addresses in the
 * lower half is `guest`. EL1 in the upper half and EL0 are `host`: KVM's kernel without VHE, and its monitor. (A Linux
 * guest is in the upper half as well; between marks there is none.)
 *
 * Marks are hints that no CPU gives a meaning to (bench/guest/bench.h): 100 begins, 101 ends, 102 to 104 spell the number
 * of the row. They work wherever the guest runs and on whichever vCPU, and need no address.
 *
 * Instructions are counted one by one before they run; one that faults and is repeated counts twice. Lines are virtual
 * addresses. FILE is JSON: totals of each vCPU, and for each row the least and the median of what its
 * samples took, with how often a vCPU went back from EL2 (`exits`).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"

#define HINT        0xd503201fu
#define HINT_OF(n)  (HINT | (uint32_t)(n) << 5)
#define ERET        0xd69f03e0u
#define MARK_BEGIN  100
#define MARK_END    101
#define MARK_CLEAR  102
#define MARK_ZERO   103
#define MARK_ONE    104
#define PSTATE_EL   0xcu
#define PSTATE_EL1  0x4u
#define PSTATE_EL2  0x8u
#define PSTATE_EL3  0xcu
#define PSTATE_A32  0x10u
#define LINE_SHIFT  6
#define VCPUS       8
#define ROWS        256
#define SAMPLES     1200
#define TABLE_SLOTS 65536u /* a power of two, many more than lines touched between two marks */

enum who { GUEST, HOST, EL2, WHO };
static const char *const who_names[WHO] = {"guest", "host", "el2"};

/* What one sample took; the order of the names below. */
enum figure {
	F_EL2,
	F_HOST,
	F_GUEST,
	F_CODE,
	F_DATA,
	F_HOST_LINES,
	F_EXITS,
	F_VCPU,
	FIGURES = F_VCPU + VCPUS
};
static const char *const figure_names[F_VCPU] = {
        "el2", "host", "guest", "el2_code_lines", "el2_data_lines", "host_lines", "exits"};

struct counters {
	uint64_t of[WHO];
	uint64_t exits; /* each is over with an ERET at EL2 */
};

static struct row {
	unsigned count;
	uint64_t (*samples)[FIGURES];
} rows[ROWS];

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API;

static struct qemu_plugin_register *pstate;
static struct glib_array *bytes;
static unsigned vcpus;
static bool no_lines;
static char out_name[4096];

static struct counters counters[VCPUS];

/* Since the mark that began. */
static bool counting;
static unsigned row;
static struct counters begin[VCPUS];
static uint64_t lines[F_VCPU];
static uint64_t table_line[TABLE_SLOTS];
static uint64_t table_stamp[TABLE_SLOTS], stamp;

static void touch(uint64_t line, enum figure figure)
{
	uint64_t key = line << 2 | (figure == F_HOST_LINES);
	unsigned at = (unsigned)(key * 0x9e3779b97f4a7c15u >> 40) % TABLE_SLOTS;

	for (unsigned probes = 0; probes < TABLE_SLOTS; probes++, at = (at + 1) % TABLE_SLOTS) {
		if (table_stamp[at] != stamp) {
			table_stamp[at] = stamp;
			table_line[at] = key;
			lines[figure]++;
			return;
		}
		if (table_line[at] == key)
			return;
	}
}

static void on_guest(unsigned vcpu, void *data)
{
	(void)data;
	counters[vcpu % VCPUS].of[GUEST]++;
}

static void on_code(unsigned vcpu, void *data)
{
	uint64_t line = (uint64_t)data;
	bool el2 = (line & 1) != 0;

	counters[vcpu % VCPUS].of[el2 ? EL2 : HOST]++;
	if (counting && !no_lines)
		touch(line >> 1, el2 ? F_CODE : F_HOST_LINES);
}

static void on_eret(unsigned vcpu, void *data)
{
	(void)data;
	counters[vcpu % VCPUS].exits++;
}

static void on_data(unsigned vcpu, uint32_t info, uint64_t address, void *data)
{
	enum figure figure = data != NULL ? F_DATA : F_HOST_LINES;
	uint64_t last = address + (1u << qemu_plugin_mem_size_shift(info)) - 1;

	(void)vcpu;
	if (!counting)
		return;
	touch(address >> LINE_SHIFT, figure);
	if (last >> LINE_SHIFT != address >> LINE_SHIFT)
		touch(last >> LINE_SHIFT, figure);
}

static void sample_begin(void)
{
	counting = true;
	stamp++;
	memset(lines, 0, sizeof(lines));
	for (unsigned i = 0; i < vcpus; i++)
		begin[i] = counters[i];
}

static void sample_end(void)
{
	struct row *to = &rows[row];
	uint64_t *sample;

	if (!counting)
		return;
	counting = false;
	if (to->samples == NULL)
		to->samples = calloc(SAMPLES, sizeof(*to->samples));
	if (to->samples == NULL || to->count == SAMPLES)
		return;
	sample = to->samples[to->count++];
	for (unsigned i = 0; i < vcpus; i++) {
		const struct counters *now = &counters[i];

		sample[F_EL2] += now->of[EL2] - begin[i].of[EL2];
		sample[F_HOST] += now->of[HOST] - begin[i].of[HOST];
		sample[F_GUEST] += now->of[GUEST] - begin[i].of[GUEST];
		sample[F_EXITS] += now->exits - begin[i].exits;
		sample[F_VCPU + i] =
		        now->of[EL2] - begin[i].of[EL2] + now->of[HOST] - begin[i].of[HOST];
	}
	for (enum figure f = F_CODE; f <= F_HOST_LINES; f++)
		sample[f] = lines[f];
}

static void on_mark(unsigned vcpu, void *data)
{
	(void)vcpu;
	switch ((uint64_t)data) {
	case MARK_BEGIN: sample_begin(); break;
	case MARK_END: sample_end(); break;
	case MARK_CLEAR: row = 0; break;
	case MARK_ZERO: row = row * 2 % ROWS; break;
	default: row = (row * 2 + 1) % ROWS; break;
	}
}

/* Of the vCPU that translates. */
static enum who who_translates(uint64_t address)
{
	uint32_t value = 0;

	g_byte_array_set_size(bytes, 0);
	if (pstate == NULL || qemu_plugin_read_register(pstate, bytes) < (int)sizeof(value))
		return GUEST;
	memcpy(&value, bytes->data, sizeof(value));
	if ((value & PSTATE_A32) != 0)
		return HOST;
	switch (value & PSTATE_EL) {
	case PSTATE_EL1: return address >> 63 != 0 ? HOST : GUEST;
	case PSTATE_EL2:
	case PSTATE_EL3: return EL2;
	default: return HOST;
	}
}

static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);
	enum who who = GUEST;

	(void)id;
	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn), line = address >> LINE_SHIFT;
		uint32_t code = 0;

		if (i == 0)
			who = who_translates(address);
		qemu_plugin_insn_data(insn, &code, sizeof(code));
		for (uint64_t mark = MARK_BEGIN; who == GUEST && mark <= MARK_ONE; mark++) {
			if (code == HINT_OF(mark))
				qemu_plugin_register_vcpu_insn_exec_cb(
				        insn, on_mark, PLUGIN_NO_REGS, (void *)mark);
		}
		if (who == GUEST) {
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_guest, PLUGIN_NO_REGS,
			                                       NULL);
			continue;
		}
		if (who == EL2 && code == ERET)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, on_eret, PLUGIN_NO_REGS, NULL);
		qemu_plugin_register_vcpu_insn_exec_cb(insn, on_code, PLUGIN_NO_REGS,
		                                       (void *)(line << 1 | (who == EL2)));
		if (no_lines)
			continue;
		qemu_plugin_register_vcpu_mem_cb(insn, on_data, PLUGIN_NO_REGS, PLUGIN_MEM_RW,
		                                 who == EL2 ? rows : NULL);
	}
}

static void on_vcpu(uint64_t id, unsigned vcpu)
{
	struct glib_array *registers = qemu_plugin_get_registers();
	const struct plugin_reg *reg = registers->data;

	(void)id;
	if (vcpu >= VCPUS)
		return;
	vcpus = vcpu >= vcpus ? vcpu + 1 : vcpus;
	for (unsigned i = 0; i < registers->len; i++) {
		if (strcmp(reg[i].name, "cpsr") == 0)
			pstate = reg[i].handle;
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void write_figure(FILE *out, const struct row *from, unsigned figure)
{
	static uint64_t values[SAMPLES];

	for (unsigned i = 0; i < from->count; i++)
		values[i] = from->samples[i][figure];
	qsort(values, from->count, sizeof(values[0]), compare);
	if (figure < F_VCPU)
		fprintf(out, ", \"%s\": [%lu, %lu]", figure_names[figure], values[0],
		        values[from->count / 2]);
	else
		fprintf(out, "%s[%lu, %lu]", figure == F_VCPU ? ", \"vcpus\": [" : ", ", values[0],
		        values[from->count / 2]);
}

static void on_exit_of_qemu(uint64_t id, void *data)
{
	FILE *out = fopen(out_name, "w");
	const char *comma = "";

	(void)id;
	(void)data;
	if (out == NULL) {
		perror(out_name);
		return;
	}
	fprintf(out, "{\"totals\": [");
	for (unsigned i = 0; i < vcpus; i++) {
		fprintf(out, "%s{", i == 0 ? "" : ", ");
		for (unsigned who = 0; who < WHO; who++)
			fprintf(out, "%s\"%s\": %lu", who == 0 ? "" : ", ", who_names[who],
			        counters[i].of[who]);
		fprintf(out, "}");
	}
	fprintf(out, "],\n \"rows\": {");
	for (unsigned r = 0; r < ROWS; r++) {
		if (rows[r].count == 0)
			continue;
		fprintf(out, "%s\n  \"%u\": {\"count\": %u", comma, r, rows[r].count);
		for (unsigned figure = 0; figure < F_VCPU + vcpus; figure++)
			write_figure(out, &rows[r], figure);
		fprintf(out, "]}");
		comma = ",";
	}
	fprintf(out, "\n }}\n");
	fclose(out);
}

PLUGIN_EXPORT int qemu_plugin_install(uint64_t id, const struct plugin_info *info, int argc,
                                      char **argv);
PLUGIN_EXPORT int qemu_plugin_install(uint64_t id, const struct plugin_info *info, int argc,
                                      char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4) == 0)
			snprintf(out_name, sizeof(out_name), "%s", argv[i] + 4);
		if (strcmp(argv[i], "lines=off") == 0)
			no_lines = true;
	}
	if (out_name[0] == '\0' || !info->system_emulation ||
	    strcmp(info->target_name, "aarch64") != 0) {
		fprintf(stderr, "lines: needs out=FILE, and a machine of qemu-system-aarch64\n");
		return -1;
	}
	bytes = g_byte_array_new();
	qemu_plugin_register_vcpu_init_cb(id, on_vcpu);
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_atexit_cb(id, on_exit_of_qemu, NULL);
	return 0;
}
