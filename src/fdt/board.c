// SPDX-License-Identifier: Apache-2.0
// Reading a board from its device tree.
//
// Owns nothing: the results are the caller's. Called once by main/boot, and by the host command.
// Invariant: two passes over the tree and a bounded number of look-ups; nothing that any device node
// covers is called RAM; whatever is missing is a sentence in the problem list and zero in the board.
// Source: Devicetree Specification, "Base Device Node Types"; Linux kernel, Documentation/arm64/
// booting.rst; bindings cpus.yaml, psci.yaml, chosen.
#include "fdt/board.h"

#include <libfdt.h>
#include <stdarg.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/string.h"
#include "fdt/board_reader.h"

#define MPIDR_AFFINITY (GENMASK_U64(39, 32) | GENMASK_U64(23, 0))
#define DECIMAL        10
#define MAX_BAUD       UINT32_C(100000000)

void board_problem_add(struct board_reader *reader, enum board_problem_kind kind, bool fatal,
                       const char *format, ...)
{
	struct board_problem *problem = reader->problem;
	const uint32_t slot = problem->count++;

	problem->fatal += fatal ? 1 : 0;
	if (slot >= BOARD_MAX_PROBLEMS)
		return;
	problem->list[slot].kind = kind;
	problem->list[slot].fatal = fatal;
	va_list args;
	va_start(args, format);
	(void)print_vbuffer(problem->list[slot].text, BOARD_PROBLEM_SIZE, format, args);
	va_end(args);
	// Names out of the tree may hold anything: a terminal must not be steered by them.
	tree_copy_text(problem->list[slot].text, BOARD_PROBLEM_SIZE, problem->list[slot].text);
}

// --- what the walk notes of each node -----------------------------------------------------------

static void note_gicv2(struct board_reader *reader, const struct tree_walk *walk)
{
	if (reader->nodes.gic != BOARD_NO_NODE)
		return;
	reader->nodes.gic = tree_offset(walk);
	reader->gic_version = 2;
}

static void note_gicv3(struct board_reader *reader, const struct tree_walk *walk)
{
	if (reader->nodes.gic != BOARD_NO_NODE)
		return;
	reader->nodes.gic = tree_offset(walk);
	reader->gic_version = 3;
}

static void note_bcm_local(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.bcm_local = tree_offset(walk);
}

static void note_bcm_armctrl(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.bcm_armctrl = tree_offset(walk);
	if (reader->nodes.other_chip == BOARD_NO_NODE)
		reader->nodes.other_chip = tree_offset(walk);
}

static void note_bcm_mailbox(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.bcm_mailbox = tree_offset(walk);
}

static void note_bcm_pm(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.bcm_pm = tree_offset(walk);
}

static void note_bcm_aux(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.bcm_aux = tree_offset(walk);
}

static void note_bcm_rng(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.bcm_rng = tree_offset(walk);
}

static void note_bcm_clocks(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.bcm_clocks = tree_offset(walk);
}

static void note_timer(struct board_reader *reader, const struct tree_walk *walk)
{
	if (reader->nodes.timer == BOARD_NO_NODE)
		reader->nodes.timer = tree_offset(walk);
}

static void note_psci(struct board_reader *reader, const struct tree_walk *walk)
{
	struct board_psci *psci = &reader->board->psci;
	const struct tree_value method = tree_get(walk, "method");
	const struct tree_value compatible = tree_prop(walk, TREE_COMPATIBLE);

	if (tree_is_string(method, "smc"))
		psci->conduit = BOARD_PSCI_SMC;
	else if (tree_is_string(method, "hvc"))
		psci->conduit = BOARD_PSCI_HVC;
	psci->standard = tree_list_has(compatible, "arm,psci-0.2") ||
	                 tree_list_has(compatible, "arm,psci-1.0");
	if (psci->standard)
		return;
	(void)tree_cell(tree_get(walk, "cpu_suspend"), 0, &psci->cpu_suspend);
	(void)tree_cell(tree_get(walk, "cpu_off"), 0, &psci->cpu_off);
	(void)tree_cell(tree_get(walk, "cpu_on"), 0, &psci->cpu_on);
	(void)tree_cell(tree_get(walk, "migrate"), 0, &psci->migrate);
}

static void note_rtc(struct board_reader *reader, const struct tree_walk *walk)
{
	if (reader->nodes.rtc == BOARD_NO_NODE)
		reader->nodes.rtc = tree_offset(walk);
}

static void note_gpio_off(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.gpio_off = tree_offset(walk);
}

static void note_gpio_reset(struct board_reader *reader, const struct tree_walk *walk)
{
	reader->nodes.gpio_reset = tree_offset(walk);
}

enum note_world { NOTE_NORMAL, NOTE_SECURE };

static const struct {
	const char *compatible;
	enum note_world world; // an enabled node, or one for the secure world alone
	void (*note)(struct board_reader *reader, const struct tree_walk *walk);
} noted[] = {
        {"arm,gic-400", NOTE_NORMAL, note_gicv2},
        {"arm,cortex-a15-gic", NOTE_NORMAL, note_gicv2},
        {"arm,cortex-a7-gic", NOTE_NORMAL, note_gicv2},
        {"arm,gic-v3", NOTE_NORMAL, note_gicv3},
        {"brcm,bcm2836-l1-intc", NOTE_NORMAL, note_bcm_local},
        {"brcm,bcm2836-armctrl-ic", NOTE_NORMAL, note_bcm_armctrl},
        {"brcm,bcm2835-mbox", NOTE_NORMAL, note_bcm_mailbox},
        {"brcm,bcm2835-pm-wdt", NOTE_NORMAL, note_bcm_pm},
        {"brcm,bcm2835-aux", NOTE_NORMAL, note_bcm_aux},
        {"brcm,bcm2835-rng", NOTE_NORMAL, note_bcm_rng},
        {"brcm,bcm2835-cprman", NOTE_NORMAL, note_bcm_clocks},
        {"brcm,bcm2711-cprman", NOTE_NORMAL, note_bcm_clocks},
        {"arm,armv8-timer", NOTE_NORMAL, note_timer},
        {"arm,armv7-timer", NOTE_NORMAL, note_timer},
        {"arm,psci-1.0", NOTE_NORMAL, note_psci},
        {"arm,psci-0.2", NOTE_NORMAL, note_psci},
        {"arm,psci", NOTE_NORMAL, note_psci},
        {"arm,pl031", NOTE_NORMAL, note_rtc},
        {"gpio-poweroff", NOTE_SECURE, note_gpio_off},
        {"gpio-restart", NOTE_SECURE, note_gpio_reset},
};

// The first UART that can be driven, and the first that cannot.
static void note_uart(struct board_reader *reader, struct tree_walk *walk)
{
	struct board_nodes *nodes = &reader->nodes;
	const bool driven = board_uart_find(walk) != NULL;
	uint64_t base, size;

	if ((driven ? nodes->uart : nodes->other_uart) != BOARD_NO_NODE)
		return;
	if (!driven && !tree_name_is(walk->name, "serial") && !tree_name_is(walk->name, "uart"))
		return;
	if (!tree_reg(walk, 0, &base, &size) || size == 0)
		return;
	if (driven)
		nodes->uart = tree_offset(walk);
	else
		nodes->other_uart = tree_offset(walk);
}

static void note_compatible(struct board_reader *reader, struct tree_walk *walk)
{
	const struct tree_value compatible = tree_prop(walk, TREE_COMPATIBLE);

	if (compatible.data == NULL)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(noted); i++) {
		if (noted[i].world == NOTE_NORMAL ? !tree_available(walk) : !tree_secure_only(walk))
			continue;
		if (tree_list_has(compatible, noted[i].compatible)) {
			noted[i].note(reader, walk);
			return;
		}
	}
	if (!tree_available(walk))
		return;
	note_uart(reader, walk);
	if (reader->nodes.other_chip == BOARD_NO_NODE &&
	    tree_name_is(walk->name, "interrupt-controller"))
		reader->nodes.other_chip = tree_offset(walk);
}

// --- CPUs ---------------------------------------------------------------------------------------

static enum board_enable read_enable(struct tree_value method)
{
	if (tree_is_string(method, "psci"))
		return BOARD_ENABLE_PSCI;
	return tree_is_string(method, "spin-table") ? BOARD_ENABLE_SPIN_TABLE : BOARD_ENABLE_NONE;
}

static bool cpu_is_known(const struct board *board, uint64_t mpidr)
{
	for (uint32_t i = 0; i < board->nr_cpus; i++) {
		if (board->cpus[i].mpidr == mpidr)
			return true;
	}
	return false;
}

static void note_cpu(struct board_reader *reader, const struct tree_walk *walk)
{
	struct board *board = reader->board;
	struct board_cpu cpu = {0, 0, BOARD_ENABLE_NONE};
	uint64_t mpidr, size;

	if (!tree_available(walk) || board->nr_cpus == BOARD_MAX_CPUS ||
	    !tree_raw_reg(walk, 0, &mpidr, &size) || (mpidr & ~MPIDR_AFFINITY) != 0 ||
	    cpu_is_known(board, mpidr)) {
		board->nr_cpus_unusable++;
		return;
	}
	cpu.mpidr = mpidr;
	cpu.enable = read_enable(tree_get(walk, "enable-method"));
	if (cpu.enable == BOARD_ENABLE_SPIN_TABLE &&
	    (!tree_number(tree_get(walk, "cpu-release-addr"), &cpu.release) ||
	     !is_aligned(cpu.release, sizeof(uint64_t)))) {
		cpu.enable = BOARD_ENABLE_NONE;
		reader->no_release++;
	}
	if (cpu.enable != BOARD_ENABLE_SPIN_TABLE)
		cpu.release = 0;
	board->cpus[board->nr_cpus++] = cpu;
}

static bool is_cpu(const struct tree_walk *walk, int cpus_node)
{
	return walk->depth == 2 && cpus_node != BOARD_NO_NODE &&
	       walk->level[1].offset == cpus_node &&
	       (tree_is_string(tree_prop(walk, TREE_DEVICE_TYPE), "cpu") ||
	        tree_name_is(walk->name, "cpu"));
}

// --- /chosen ------------------------------------------------------------------------------------

static uint32_t parse_baud(const char *text, const char *end)
{
	uint32_t baud = 0;

	for (; text < end && *text >= '0' && *text <= '9'; text++) {
		baud = baud * DECIMAL + (uint32_t)(*text - '0');
		if (baud > MAX_BAUD)
			return 0;
	}
	return baud;
}

// A path, or an alias for one.
static int find_path_or_alias(const void *fdt, const char *path, size_t length)
{
	if (length > 0 && path[0] == '/')
		return tree_find_path(fdt, path, length);
	const int aliases = tree_find_path(fdt, "/aliases", strlen("/aliases"));
	int size;
	const char *target =
	        aliases < 0 ? NULL : fdt_getprop_namelen(fdt, aliases, path, (int)length, &size);
	if (target == NULL || size <= 0)
		return ERR_NOT_FOUND;
	return tree_find_path(fdt, target, strnlen(target, (size_t)size));
}

static void note_stdout(struct board_reader *reader, struct tree_value value)
{
	const char *path = tree_string(value);

	if (path == NULL)
		return;
	const char *colon = strchr(path, ':');
	const char *end = path + strlen(path);
	const size_t length = (size_t)((colon != NULL ? colon : end) - path);
	const int node = find_path_or_alias(reader->fdt, path, length);

	if (node < 0)
		return;
	reader->nodes.stdout = node;
	if (colon != NULL)
		reader->stdout_baud = parse_baud(colon + 1, end);
}

static void note_initrd(struct board_reader *reader, const struct tree_walk *walk)
{
	const struct tree_value first = tree_get(walk, "linux,initrd-start");
	const struct tree_value last = tree_get(walk, "linux,initrd-end");
	uint64_t start, end;

	if (first.data == NULL && last.data == NULL)
		return;
	if (!tree_number(first, &start) || !tree_number(last, &end) || end < start) {
		board_problem_add(
		        reader, BOARD_BAD_INITRD, false,
		        "/chosen has linux,initrd-start and linux,initrd-end that make "
		        "no range; give both, 32 or 64 bits each, the end after the start");
		return;
	}
	reader->board->initrd = (struct board_range){start, end - start};
}

static void note_seed(const struct tree_walk *walk, const char *name, uint32_t *offset,
                      uint32_t *size)
{
	const struct tree_value value = tree_get(walk, name);

	if (value.data == NULL || value.size == 0)
		return;
	*offset = (uint32_t)(value.data - (const uint8_t *)walk->fdt);
	*size = value.size;
}

static void note_chosen(struct board_reader *reader, const struct tree_walk *walk)
{
	struct board *board = reader->board;
	struct tree_value path = tree_get(walk, "stdout-path");

	if (path.data == NULL)
		path = tree_get(walk, "linux,stdout-path");
	note_stdout(reader, path);
	note_initrd(reader, walk);
	note_seed(walk, "rng-seed", &board->rng_seed_offset, &board->rng_seed_size);
	note_seed(walk, "kaslr-seed", &board->kaslr_seed_offset, &board->kaslr_seed_size);
	board->bootargs = tree_string(tree_get(walk, "bootargs"));
}

// --- memory -------------------------------------------------------------------------------------

static bool is_memory(const struct tree_walk *walk)
{
	return walk->depth == 1 && tree_available(walk) &&
	       tree_is_string(tree_prop(walk, TREE_DEVICE_TYPE), "memory");
}

static void note_memory(struct board_reader *reader, struct tree_walk *walk)
{
	const unsigned count = tree_reg_count(walk);
	uint64_t base, size;

	for (unsigned i = 0; i < count; i++) {
		if (tree_reg(walk, i, &base, &size))
			board_ram_add(&reader->ram, base, size);
	}
}

// Takes out what a node covers: its registers or reservation, and the window of a bus that shows its
// devices elsewhere than they are (an identity window says nothing, it may well span the RAM too).
static void remove_node(struct board_reader *reader, struct tree_walk *walk)
{
	const unsigned count = tree_reg_count(walk);
	const bool pci = tree_is_string(tree_prop(walk, TREE_DEVICE_TYPE), "pci");
	uint64_t base, size;
	bool identity;

	for (unsigned i = 0; i < count; i++) {
		if (tree_reg(walk, i, &base, &size))
			board_ram_remove(&reader->ram, base, size);
	}
	for (unsigned i = 0; i < walk->level[walk->depth].ranges_size; i++) {
		if (walk->budget == 0)
			return;
		walk->budget--;
		if (!tree_window(walk, i, &base, &size, &identity))
			break;
		if (pci || !identity)
			board_ram_remove(&reader->ram, base, size);
	}
}

static void remove_reservations(struct board_reader *reader)
{
	const struct board_range keep[] = {reader->board->tree, reader->board->initrd};
	const int count = fdt_num_mem_rsv(reader->fdt);
	uint64_t base, size;

	// Firmware reserves the tree and the initrd this way; Mezzo keeps account of those itself.
	for (int i = 0; i < count; i++) {
		if (fdt_get_mem_rsv(reader->fdt, i, &base, &size) == 0)
			board_ram_remove_except(&reader->ram, base, size, keep, ARRAY_SIZE(keep));
	}
	// No pointer into RAM may equal NULL.
	board_ram_remove(&reader->ram, 0, PAGE_SIZE);
}

// Mezzo reads the initrd, so it must be where the tree says there is memory.
static void check_initrd(struct board_reader *reader)
{
	struct board_range *initrd = &reader->board->initrd;

	if (initrd->size == 0)
		return;
	for (uint32_t i = 0; i < reader->ram.count; i++) {
		const struct board_range *range = &reader->ram.range[i];

		if (range_contains(range->base, range->size, initrd->base, initrd->size))
			return;
	}
	board_problem_add(reader, BOARD_BAD_INITRD, false,
	                  "/chosen places the initrd at 0x%llx, %llu bytes, which is not all RAM "
	                  "by the /memory nodes; load it into RAM",
	                  (unsigned long long)initrd->base, (unsigned long long)initrd->size);
	*initrd = (struct board_range){0, 0};
}

static void read_memory(struct board_reader *reader)
{
	struct board *board = reader->board;
	struct tree_walk walk;

	for (uint32_t i = 0; i < reader->ram.count; i++)
		board->ram_declared += reader->ram.range[i].size;
	check_initrd(reader);
	for (tree_start(&walk, reader->fdt); tree_next(&walk);) {
		if (!is_memory(&walk))
			remove_node(reader, &walk);
	}
	if (walk.budget == 0)
		board_problem_add(reader, BOARD_BAD_TREE, true,
		                  "the device tree has too many bus translations to follow (over a "
		                  "million); it is damaged or hostile");
	remove_reservations(reader);
	// Where other CPUs wait is theirs, whatever the tree reserves.
	for (uint32_t i = 0; i < board->nr_cpus; i++) {
		if (board->cpus[i].enable == BOARD_ENABLE_SPIN_TABLE)
			board_ram_remove(&reader->ram, board->cpus[i].release, sizeof(uint64_t));
	}
	board_ram_finish(&reader->ram, board);
	if (board->ram_declared == 0)
		board_problem_add(reader, BOARD_NO_MEMORY, true,
		                  "the device tree gives no RAM: it needs an enabled node /memory "
		                  "with device_type = \"memory\" and a size in its reg; firmware "
		                  "often fills it in, so pass on the tree that firmware gives");
	else if (board->nr_ram == 0)
		board_problem_add(reader, BOARD_NO_MEMORY, true,
		                  "all RAM that the device tree gives (%llu MiB) is reserved or "
		                  "covered by devices; correct /memory or /reserved-memory",
		                  (unsigned long long)(board->ram_declared >> 20));
	if (board->ram_dropped != 0)
		board_problem_add(reader, BOARD_ODD, false,
		                  "RAM is in more than %u pieces; the smallest, %llu KiB in all, "
		                  "stay unused",
		                  BOARD_MAX_RAM, (unsigned long long)(board->ram_dropped >> 10));
}

// --- the whole ----------------------------------------------------------------------------------

static void note_root(struct board_reader *reader, const struct tree_walk *walk)
{
	struct board *board = reader->board;

	tree_copy_text(board->model, sizeof(board->model), tree_string(tree_get(walk, "model")));
	tree_copy_text(board->compatible, sizeof(board->compatible),
	               tree_string(tree_prop(walk, TREE_COMPATIBLE)));
}

static void note_nodes(struct board_reader *reader)
{
	struct tree_walk walk;
	int cpus = BOARD_NO_NODE;

	for (tree_start(&walk, reader->fdt); tree_next(&walk);) {
		if (walk.depth == 0)
			note_root(reader, &walk);
		else if (is_memory(&walk))
			note_memory(reader, &walk);
		else if (is_cpu(&walk, cpus))
			note_cpu(reader, &walk);
		else if (walk.depth == 1 && strcmp(walk.name, "cpus") == 0)
			cpus = tree_offset(&walk);
		else if (walk.depth == 1 && strcmp(walk.name, "chosen") == 0)
			note_chosen(reader, &walk);
		else if (walk.depth == 1 && strcmp(walk.name, "mezzo") == 0)
			reader->board->has_mezzo = true;
		else
			note_compatible(reader, &walk);
	}
}

// A place to write to must be in memory, reserved or not.
static void check_releases(struct board_reader *reader)
{
	const struct board_ram *ram = &reader->ram;

	if (ram->count == 0)
		return; // which is said elsewhere
	for (uint32_t i = 0; i < reader->board->nr_cpus; i++) {
		struct board_cpu *cpu = &reader->board->cpus[i];
		bool found = cpu->enable != BOARD_ENABLE_SPIN_TABLE;

		for (uint32_t n = 0; n < ram->count && !found; n++)
			found = range_contains(ram->range[n].base, ram->range[n].size, cpu->release,
			                       sizeof(cpu->release));
		if (!found) {
			cpu->enable = BOARD_ENABLE_NONE;
			cpu->release = 0;
			reader->no_release++;
		}
	}
}

static void check_cpus(struct board_reader *reader)
{
	const struct board *board = reader->board;
	uint32_t psci = 0, stuck = 0;

	check_releases(reader);
	for (uint32_t i = 0; i < board->nr_cpus; i++) {
		psci += board->cpus[i].enable == BOARD_ENABLE_PSCI ? 1 : 0;
		stuck += board->cpus[i].enable == BOARD_ENABLE_NONE ? 1 : 0;
	}
	if (board->nr_cpus == 0)
		board_problem_add(
		        reader, BOARD_NO_CPUS, true,
		        "the device tree gives no usable CPU: it needs /cpus with enabled "
		        "cpu nodes whose reg is the MPIDR's affinity");
	if (psci != 0 && board->psci.conduit == BOARD_PSCI_NONE)
		board_problem_add(reader, BOARD_NO_PSCI, false,
		                  "%u CPUs are to be started by PSCI, but the device tree has no "
		                  "/psci node with a method of smc or hvc; add one if firmware "
		                  "offers PSCI",
		                  psci);
	if (reader->no_release != 0 && board->nr_cpus > 1)
		board_problem_add(
		        reader, BOARD_ODD, false,
		        "%u CPUs wait in a spin table, but their nodes have no usable "
		        "cpu-release-addr in memory, so that they stay unused unless one "
		        "is the boot CPU; pass on the tree that the board's firmware gives",
		        reader->no_release);
	stuck -= reader->no_release;
	if (stuck != 0 && board->nr_cpus > 1)
		board_problem_add(reader, BOARD_ODD, false,
		                  "%u CPUs have no enable-method that Mezzo knows (psci or "
		                  "spin-table) and stay unused unless one of them is the boot CPU",
		                  stuck);
}

int board_read(const void *fdt, struct board *board, struct board_problem *problem)
{
	struct board_reader reader = {.fdt = fdt, .board = board, .problem = problem};

	memset(board, 0, sizeof(*board));
	memset(problem, 0, sizeof(*problem));
	memset(&reader.nodes, UINT8_MAX, sizeof(reader.nodes)); // BOARD_NO_NODE in each
	const enum tree_fault fault = tree_check(fdt, TREE_MAX_SIZE);
	if (fault != TREE_OK) {
		board_problem_add(&reader, BOARD_BAD_TREE, true,
		                  "the device tree that Mezzo was started with is not usable: %s; "
		                  "start Mezzo as a Linux kernel is, with the tree's address in x0",
		                  tree_fault_text(fault));
		return ERR_INVALID;
	}
	board->tree = (struct board_range){(uintptr_t)fdt, fdt_totalsize(fdt)};
	reader.nodes.serial0 = find_path_or_alias(fdt, "serial0", strlen("serial0"));
	if (reader.nodes.serial0 < 0)
		reader.nodes.serial0 = BOARD_NO_NODE;
	note_nodes(&reader);
	board_read_console(&reader);
	check_cpus(&reader);
	board_read_bcm(&reader);
	board_read_gic(&reader);
	board_read_console_irq(&reader);
	board_read_timer(&reader);
	board_read_rtc(&reader);
	board_read_poweroff(&reader);
	read_memory(&reader);
	return problem->fatal == 0 ? 0 : ERR_UNSUPPORTED;
}

void board_take_out(struct board *board, uint64_t base, uint64_t size)
{
	struct board_ram ram = {.count = board->nr_ram, .dropped = board->ram_dropped};
	uint64_t before = 0, after = 0;

	for (uint32_t i = 0; i < board->nr_ram; i++) {
		ram.range[i] = board->ram[i];
		before += board->ram[i].size;
	}
	board_ram_remove(&ram, base, size);
	board_ram_finish(&ram, board);
	for (uint32_t i = 0; i < board->nr_ram; i++)
		after += board->ram[i].size;
	board->ram_declared -= before - after;
}
