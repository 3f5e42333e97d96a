// SPDX-License-Identifier: Apache-2.0
// The tree that a guest of model virt gets: read back with the reader for boards, and shown to the
// kernel's schemas.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libfdt.h>

#include "fdt/board.h"
#include "fdt/guest_virt.h"
#include "tree_files.h"

#define SCHEMA     "build/deb/schema.json"
#define NR_DEVICES 36

static uint64_t buffer[GUEST_VIRT_TREE_SIZE / sizeof(uint64_t)];
static struct board board;
static struct board_problem problem;

static struct guest_virt model(uint32_t gic, uint32_t cpus)
{
	static const uint64_t mpidr[] = {0, 1, 2, 3, 4, 5, 6, 7};
	static struct guest_device devices[NR_DEVICES] = {
	        {GUEST_PL011, 0x09000000, 0x1000, 33},
	        {GUEST_PL031, 0x09010000, 0x1000, 34},
	        {GUEST_PL061, 0x09030000, 0x1000, 39},
	        {GUEST_GWDT, 0x090c0000, 0x2000, 44},
	};
	static const uint8_t seed[GUEST_VIRT_RNG_SIZE] = {1, 2, 3};
	static const uint64_t kaslr = 0x0123456789abcdef;

	for (uint32_t i = 4; i < NR_DEVICES; i++)
		devices[i] = (struct guest_device){GUEST_VIRTIO_MMIO, 0x0a000000 + (i - 4) * 0x200,
		                                   0x200, 48 + i - 4};
	return (struct guest_virt){
	        .ram_base = 0x40000000,
	        .ram_size = MIB(512),
	        .nr_cpus = cpus,
	        .mpidr = mpidr,
	        .gic_version = gic,
	        .gicd_base = 0x08000000,
	        .gicd_size = 0x10000,
	        .gicc_base = 0x08010000,
	        .gicc_size = 0x10000,
	        .gicr_base = 0x080a0000,
	        .gicr_size = 0x20000 * (uint64_t)cpus,
	        .nr_devices = NR_DEVICES,
	        .devices = devices,
	        .flash_base = 0,
	        .flash_size = MIB(64),
	        .bootargs = "console=ttyAMA0 quiet",
	        .initrd_start = 0x48000000,
	        .initrd_size = 12345,
	        .rng_seed = seed,
	        .kaslr_seed = &kaslr,
	};
}

static int write_model(const struct guest_virt *virt)
{
	memset(buffer, 0xa5, sizeof(buffer));
	return guest_virt_write(buffer, sizeof(buffer), virt);
}

static bool has_problem(enum board_problem_kind kind)
{
	for (uint32_t i = 0; i < problem.count && i < BOARD_MAX_PROBLEMS; i++) {
		if (problem.list[i].kind == kind)
			return true;
	}
	return false;
}

static void read_back(uint32_t gic, uint32_t cpus)
{
	struct guest_virt virt = model(gic, cpus);
	const int size = write_model(&virt);

	assert_in_range(size, 1000, GUEST_VIRT_TREE_SIZE);
	assert_int_equal(size, fdt_totalsize(buffer));
	(void)board_read(buffer, &board, &problem);
	// A guest has no EL2, so the only thing missing is what a hypervisor needs of the GIC.
	assert_int_equal(problem.count, 1);
	assert_true(has_problem(BOARD_NO_GIC));

	assert_int_equal(board.nr_ram, 1);
	assert_int_equal(board.ram[0].base, 0x40000000);
	assert_int_equal(board.ram[0].size, MIB(512));
	assert_int_equal(board.nr_cpus, cpus);
	for (uint32_t i = 0; i < cpus; i++) {
		assert_int_equal(board.cpus[i].mpidr, i);
		assert_int_equal(board.cpus[i].enable, BOARD_ENABLE_PSCI);
	}
	assert_int_equal(board.psci.conduit, BOARD_PSCI_HVC);
	assert_true(board.psci.standard);
	assert_int_equal(board.gic.gicd.base, 0x08000000);
	if (gic == 2) {
		assert_int_equal(board.gic.gicc.base, 0x08010000);
	} else {
		assert_int_equal(board.gic.nr_gicr, 1);
		assert_int_equal(board.gic.gicr[0].size, 0x20000 * cpus);
	}
	assert_int_equal(board.console.kind, BOARD_UART_PL011);
	assert_int_equal(board.console.source, BOARD_FROM_STDOUT);
	assert_int_equal(board.console.regs.base, 0x09000000);
	assert_int_equal(board.console.irq.number, 33);
	assert_false(board.console.irq.edge);
	assert_int_equal(board.console.clock_hz, 24000000);
	assert_int_equal(board.timer[BOARD_TIMER_SECURE].number, 29);
	assert_int_equal(board.timer[BOARD_TIMER_PHYS].number, 30);
	assert_int_equal(board.timer[BOARD_TIMER_VIRT].number, 27);
	assert_int_equal(board.timer[BOARD_TIMER_HYP].number, 26);
	assert_int_equal(board.initrd.base, 0x48000000);
	assert_int_equal(board.initrd.size, 12345);
	assert_int_equal(board.rng_seed_size, GUEST_VIRT_RNG_SIZE);
	assert_int_equal(board.kaslr_seed_size, 8);
	assert_string_equal(board.bootargs, "console=ttyAMA0 quiet");
	assert_false(board.has_mezzo);
}

static void test_read_back(void **state)
{
	(void)state;
	for (uint32_t cpus = 1; cpus <= 8; cpus++) {
		read_back(2, cpus);
		read_back(3, cpus);
	}
}

static void expect_cells(const char *path, const char *name, const uint32_t *cells, int count)
{
	int length;
	const fdt32_t *value = fdt_getprop(buffer, fdt_path_offset(buffer, path), name, &length);

	assert_non_null(value);
	assert_int_equal(length, count * 4);
	for (int i = 0; i < count; i++)
		assert_int_equal(fdt32_to_cpu(value[i]), cells[i]);
}

// The numbers of QEMU's board.
static void test_numbers(void **state)
{
	struct guest_virt virt = model(2, 2);

	(void)state;
	assert_true(write_model(&virt) > 0);
	expect_cells("/timer", "interrupts",
	             (uint32_t[]){1, 13, 0x304, 1, 14, 0x304, 1, 11, 0x304, 1, 10, 0x304}, 12);
	expect_cells("/virtio@a003e00", "interrupts", (uint32_t[]){0, 47, 1}, 3);
	expect_cells("/virtio@a003e00", "reg", (uint32_t[]){0, 0x0a003e00, 0, 0x200}, 4);
	expect_cells("/rtc@9010000", "interrupts", (uint32_t[]){0, 2, 4}, 3);
	expect_cells("/gpio@9030000", "interrupts", (uint32_t[]){0, 7, 4}, 3);
	expect_cells("/gpio-keys/key-poweroff", "linux,code", (uint32_t[]){116}, 1);
	int node = fdt_path_offset(buffer, "/gpio@9030000");
	expect_cells("/gpio-keys/key-poweroff", "gpios",
	             (uint32_t[]){fdt_get_phandle(buffer, node), 3, 0}, 3);
	expect_cells("/interrupt-controller@8000000", "reg",
	             (uint32_t[]){0, 0x08000000, 0, 0x10000, 0, 0x08010000, 0, 0x10000}, 8);
	expect_cells("/flash@0", "reg",
	             (uint32_t[]){0, 0, 0, 0x04000000, 0, 0x04000000, 0, 0x04000000}, 8);
	expect_cells("/flash@0", "bank-width", (uint32_t[]){4}, 1);
	assert_int_equal(
	        fdt_node_check_compatible(buffer, fdt_path_offset(buffer, "/flash@0"), "cfi-flash"),
	        0);
	virt = model(3, 2);
	assert_true(write_model(&virt) > 0);
	expect_cells("/timer", "interrupts", (uint32_t[]){1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4},
	             12);
	assert_int_equal(fdt_node_check_compatible(buffer, fdt_path_offset(buffer, "/hypervisor"),
	                                           "mezzo,mezzo"),
	                 0);
}

// What is not given is not there; what is large is whole.
static void test_parts(void **state)
{
	static const uint64_t high[] = {0x100000000, 0x100000001};
	char line[2048];
	struct guest_virt virt = model(3, 2);

	(void)state;
	virt.bootargs = NULL;
	virt.initrd_size = 0;
	virt.rng_seed = NULL;
	virt.kaslr_seed = NULL;
	virt.nr_devices = 0;
	virt.flash_size = 0;
	virt.mpidr = high;
	virt.ram_size = GIB(300);
	assert_true(write_model(&virt) > 0);
	(void)board_read(buffer, &board, &problem);
	assert_true(has_problem(BOARD_NO_CONSOLE));
	assert_true(fdt_path_offset(buffer, "/flash@0") < 0);
	assert_null(board.bootargs);
	assert_int_equal(board.initrd.size, 0);
	assert_int_equal(board.rng_seed_size + board.kaslr_seed_size, 0);
	assert_int_equal(board.cpus[1].mpidr, 0x100000001);
	assert_int_equal(board.ram[0].size, GIB(300));

	virt = model(3, 8);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	virt.bootargs = line;
	virt.ram_size = GIB(300);
	virt.initrd_start = GIB(200);
	virt.initrd_size = GIB(5);
	assert_true(write_model(&virt) > 0);
	(void)board_read(buffer, &board, &problem);
	assert_string_equal(board.bootargs, line);
	assert_int_equal(board.initrd.base, GIB(200));
	assert_int_equal(board.initrd.size, GIB(5));
}

static void test_refused(void **state)
{
	struct guest_virt virt = model(4, 1);
	struct guest_device device = {GUEST_PL011, 0x09000000, 0x1000, 31};

	(void)state;
	assert_int_equal(write_model(&virt), ERR_INVALID);
	virt = model(3, 0);
	assert_int_equal(write_model(&virt), ERR_INVALID);
	virt = model(2, 9);
	assert_int_equal(write_model(&virt), ERR_INVALID);
	virt = model(3, GUEST_VIRT_MAX_CPUS + 1);
	assert_int_equal(write_model(&virt), ERR_INVALID);
	virt = model(3, 1);
	virt.devices = &device;
	virt.nr_devices = 1;
	assert_int_equal(write_model(&virt), ERR_INVALID);
	device.intid = 33;
	device.kind = GUEST_VIRTIO_MMIO + 1;
	assert_int_equal(write_model(&virt), ERR_INVALID);
}

// A buffer of any size too small is said to be so, and not written behind its end.
static void test_small_buffers(void **state)
{
	struct guest_virt virt = model(3, 4);
	const int whole = write_model(&virt);

	(void)state;
	for (int size = 0; size < whole; size += 7) {
		void *exact = malloc((size_t)size + 1);

		assert_non_null(exact);
		assert_int_equal(guest_virt_write(exact, (size_t)size, &virt), ERR_NO_MEMORY);
		free(exact);
	}
	void *exact = malloc((size_t)whole);
	assert_non_null(exact);
	assert_int_equal(guest_virt_write(exact, (size_t)whole, &virt), whole);
	free(exact);
}

// Bytes that nobody wrote never reach the guest.
static void test_nothing_left_over(void **state)
{
	static uint64_t other[GUEST_VIRT_TREE_SIZE / sizeof(uint64_t)];
	struct guest_virt virt = model(3, 4);
	const int size = write_model(&virt);

	(void)state;
	memset(other, 0x5a, sizeof(other));
	assert_int_equal(guest_virt_write(other, sizeof(other), &virt), size);
	assert_memory_equal(buffer, other, (size_t)size);
}

// The kernel's own idea of a correct tree, and dtc's, but for one thing on which the two disagree: dtc wants
// #address-cells in a PL061, and the schema forbids it. The kernel's own build says the same to dtc.
static void test_schemas(void **state)
{
	static const uint32_t models[][2] = {{2, 1}, {2, 8}, {3, 4}};
	char name[] = "/tmp/mezzo-guest-XXXXXX.dtb", command[256], said[512];
	const int fd = mkstemps(name, (int)strlen(".dtb"));

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	if (access(SCHEMA, R_OK) != 0 || system("command -v dt-validate >/dev/null") != 0) {
		unlink(name);
		skip();
	}
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
		struct guest_virt virt = model(models[i][0], models[i][1]);
		const int size = write_model(&virt);
		FILE *out = fopen(name, "wb");

		assert_non_null(out);
		assert_int_equal(fwrite(buffer, 1, (size_t)size, out), size);
		fclose(out);
		snprintf(command, sizeof(command),
		         "{ dt-validate -m -s %s %s; dtc -Wno-interrupt_provider -I dtb -O dts -o "
		         "/dev/null %s; } 2>&1",
		         SCHEMA, name, name);
		FILE *in = popen(command, "r");
		assert_non_null(in);
		const size_t length = fread(said, 1, sizeof(said) - 1, in);
		said[length] = '\0';
		pclose(in);
		if (length != 0)
			fail_msg("%s", said);
	}
	unlink(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_read_back),     cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_parts),         cmocka_unit_test(test_refused),
	        cmocka_unit_test(test_small_buffers), cmocka_unit_test(test_nothing_left_over),
	        cmocka_unit_test(test_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
