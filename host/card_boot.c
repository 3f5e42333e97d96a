// SPDX-License-Identifier: Apache-2.0
//
// Boots a card in QEMU. QEMU itself does what a firmware with its own stub does, from the same files. With an
// armstub the files are put in memory one by one, and every core begins in the stub, as on the board.
//
// Called by cmd_image.c. Owns the directory of a run with a stub.
// Invariant: kernel, initrd and tree behind a stub lie apart, in the board's memory, above what the stub has.
// Sources: QEMU, docs/system/generic-loader.rst, hw/arm/boot.c for where -kernel goes; Raspberry Pi firmware's
// armstub8 and TF-A, docs/plat/rpi4.rst, for the words in the stub; Linux, booting.rst, "Call the kernel image".
#include "card_boot.h"

#include "base/bits.h"
#include "kernel.h"
#include "launch.h"
#include "machine.h"
#include "tree_edit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// The words by which a stub that knows them is told about the kernel.
#define STUB_MAGIC_OFFSET  0xf0 // becomes 0: the others count
#define STUB_TREE_OFFSET   0xf8
#define STUB_KERNEL_OFFSET 0xfc
#define STUB_WORDS_END     0x100
#define STUB_MAGIC         0x5afe570bU

#define RAW_BASE   UINT64_C(0x80000)
#define IMAGE_BASE MIB(2)
#define STUB_END   RAW_BASE // TF-A has the memory below
#define TREE_ROOM  MIB(2)   // TF-A lets it grow to half of that
#define TREE_ALIGN MIB(2)

#define IMAGE_TEXT_OFFSET 8

// --- reading -------------------------------------------------------------------------------------

static void read_file(struct config_line line, const char *what, struct blob *out,
                      struct diags *diags)
{
	const char *why;

	if (line.value == NULL)
		return;
	why = util_map(line.value, out);
	if (why == NULL && out->size == 0)
		why = "it is empty";
	if (why != NULL)
		diag_add(diags, line.at, "%s `%s` cannot be used: %s; check the path", what,
		         line.value, why);
}

static bool is_elf(struct blob file)
{
	return file.size >= 4 && memcmp(file.data, "\177ELF", 4) == 0;
}

// Where a kernel goes that nobody gave an address: QEMU and the firmware agree.
static uint64_t usual_base(struct blob kernel)
{
	uint64_t offset;

	if (kernel_room(kernel) == 0)
		return RAW_BASE;
	offset = util_le64(kernel.data + IMAGE_TEXT_OFFSET);
	return offset < PAGE_SIZE ? IMAGE_BASE + offset : offset;
}

// Places what is behind a stub; what does not fit goes to `diags`.
static void place(struct card_boot *boot, struct diags *diags)
{
	const struct config_txt *config = &boot->config;
	uint64_t room = kernel_room(boot->kernel), ram = boot->board->ram, kernel_end, initrd_end;

	if (is_elf(boot->kernel)) {
		diag_add(diags, config->kernel.at,
		         "kernel `%s` is an ELF file, which QEMU cannot start behind an armstub; "
		         "give a flat image",
		         config->kernel.value);
		return;
	}
	if (room == 0)
		room = boot->kernel.size;
	boot->kernel_base =
	        config->kernel_address.value != NULL ? config->load : usual_base(boot->kernel);
	kernel_end = boot->kernel_base + room;
	if (boot->kernel_base < STUB_END || room > ram || kernel_end > ram) {
		diag_add(diags,
		         config->kernel_address.value != NULL ? config->kernel_address.at
		                                              : config->kernel.at,
		         "kernel `%s` with %s at %#llx is not in the board's memory, or over the "
		         "armstub, which has the first 512K",
		         config->kernel.value, util_size(room),
		         (unsigned long long)boot->kernel_base);
		return;
	}
	boot->initrd_base = config->initramfs_address.value != NULL
	                            ? config->ramfs
	                            : align_up(kernel_end, PAGE_SIZE);
	initrd_end = boot->initrd_base + boot->initrd.size;
	boot->tree_base = align_up(initrd_end > kernel_end ? initrd_end : kernel_end, TREE_ALIGN);
	if (boot->initrd.size > ram || boot->tree_base + TREE_ROOM > ram ||
	    boot->tree.size > TREE_ROOM / 2 || boot->initrd_base < STUB_END ||
	    (boot->initrd_base < kernel_end && initrd_end > boot->kernel_base))
		diag_add(diags,
		         config->initramfs.value != NULL ? config->initramfs.at : config->kernel.at,
		         "initramfs with %s at %#llx and the device tree behind it do not fit "
		         "beside the kernel at %#llx in the board's %s",
		         util_size(boot->initrd.size), (unsigned long long)boot->initrd_base,
		         (unsigned long long)boot->kernel_base, util_size(ram));
}

// What QEMU does by itself and differently.
static void say_differences(const struct card_boot *boot, const char *who)
{
	const struct config_txt *config = &boot->config;

	if (config->armstub.value != NULL && !boot->runs_stub)
		fprintf(stderr,
		        "%s: QEMU's %s leaves the armstub out and starts the kernel at EL2\n", who,
		        boot->board->name);
	if (boot->runs_stub)
		return;
	if (config->kernel_address.value != NULL && !is_elf(boot->kernel) &&
	    config->load != usual_base(boot->kernel))
		fprintf(stderr, "%s: QEMU puts the kernel at %#llx, not at kernel_address\n", who,
		        (unsigned long long)usual_base(boot->kernel));
	if (config->initramfs_address.value != NULL)
		fprintf(stderr, "%s: QEMU chooses where the initramfs goes\n", who);
}

bool card_boot_read(const struct board_model *board, const char *dir, struct card_boot *boot,
                    const char *who, struct diags *diags)
{
	const char *path = util_format("%s/config.txt", dir);
	const struct config_txt *config = &boot->config;

	*boot = (struct card_boot){.board = board};
	if (!config_txt_read(path, (struct place){who, 0}, board->pi, &boot->config, diags))
		return false;
	boot->runs_stub = config->armstub.value != NULL && board->stub != NULL;
	read_file(config->kernel, "kernel", &boot->kernel, diags);
	read_file(config->initramfs, "initramfs", &boot->initrd, diags);
	read_file(config->tree, "device_tree", &boot->tree, diags);
	read_file(config->armstub, "armstub", &boot->stub, diags);
	if (config->tree.value == NULL)
		diag_add(diags, config->file,
		         "no device tree is named, and none is there that the firmware takes by "
		         "itself; add `device_tree=FILE`");
	else if (boot->tree.size != 0 && !tree_edit_sound(boot->tree))
		diag_add(diags, config->tree.at, "device_tree `%s` is not a device tree",
		         config->tree.value);
	if (boot->runs_stub && (boot->stub.size > STUB_END || boot->stub.size < STUB_WORDS_END))
		diag_add(diags, config->armstub.at,
		         "armstub `%s` has %s, which cannot be; a stub has 256 bytes to 512K",
		         config->armstub.value, util_size(boot->stub.size));
	if (diags->count == 0 && boot->runs_stub)
		place(boot, diags);
	if (diags->count == 0)
		say_differences(boot, who);
	return diags->count == 0;
}

// --- behind a stub -------------------------------------------------------------------------------

static void put_le32(uint8_t *to, uint64_t value)
{
	for (unsigned int i = 0; i < sizeof(uint32_t); i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static const char *stub_path(const struct card_boot *boot)
{
	return util_format("%s/armstub.bin", boot->directory);
}

static const char *tree_path(const struct card_boot *boot)
{
	return util_format("%s/board.dtb", boot->directory);
}

// The stub and the tree as the firmware leaves them in memory.
static const char *write_files(struct card_boot *boot)
{
	uint8_t *stub = util_alloc(boot->stub.size);
	struct tree_edit edit = tree_edit_open(boot->tree);
	struct blob tree;
	const char *why;
	char *directory;

	memcpy(stub, boot->stub.data, boot->stub.size);
	if (util_le32(stub + STUB_MAGIC_OFFSET) == STUB_MAGIC) {
		put_le32(stub + STUB_MAGIC_OFFSET, 0);
		put_le32(stub + STUB_TREE_OFFSET, boot->tree_base);
		put_le32(stub + STUB_KERNEL_OFFSET, boot->kernel_base);
	}
	tree_edit_memory(&edit, boot->board->ram);
	if (boot->initrd.size != 0)
		tree_edit_initrd(&edit, boot->initrd_base, boot->initrd.size);
	if (boot->config.cmdline.value != NULL)
		tree_edit_bootargs(&edit, boot->config.cmdline.value);
	why = tree_edit_close(&edit, &tree);
	if (why == NULL)
		why = launch_directory(&directory);
	if (why != NULL)
		return why;
	boot->directory = directory;
	why = util_save(stub_path(boot), (struct blob){stub, boot->stub.size});
	return why != NULL ? why : util_save(tree_path(boot), tree);
}

static void add_loader(struct command *command, const char *file, uint64_t address)
{
	command_add(command, "-device");
	command_add(command, "loader,file=%s,addr=%#llx,force-raw=on", command_escape(file),
	            (unsigned long long)address);
}

// Without -kernel every core begins at address 0.
static const char *add_stub(struct card_boot *boot, struct command *command)
{
	const char *why = write_files(boot);

	if (why != NULL)
		return why;
	add_loader(command, stub_path(boot), 0);
	add_loader(command, boot->config.kernel.value, boot->kernel_base);
	if (boot->initrd.size != 0)
		add_loader(command, boot->config.initramfs.value, boot->initrd_base);
	add_loader(command, tree_path(boot), boot->tree_base);
	return NULL;
}

// --- the command ---------------------------------------------------------------------------------

static void add_pair(struct command *command, const char *option, const char *value)
{
	if (value == NULL)
		return;
	command_add(command, "%s", option);
	command_add(command, "%s", value);
}

const char *card_boot_command(struct card_boot *boot, char *const *extra, struct command *command)
{
	const struct machine machine = {.board = boot->board};
	const struct config_txt *config = &boot->config;
	const char *why = NULL;

	*command = machine_board_command(&machine);
	// The PL011 is the first serial line; TF-A makes serial0 the console.
	if (!tree_edit_has_pl011(boot->tree, boot->runs_stub))
		add_pair(command, "-serial", "null");
	add_pair(command, "-serial", "stdio");
	if (boot->runs_stub) {
		why = add_stub(boot, command);
	} else {
		add_pair(command, "-kernel", config->kernel.value);
		add_pair(command, "-initrd", config->initramfs.value);
		add_pair(command, "-dtb", config->tree.value);
		add_pair(command, "-append", config->cmdline.value);
	}
	command_add_all(command, extra);
	return why;
}

void card_boot_close(const struct card_boot *boot)
{
	if (boot->directory == NULL)
		return;
	unlink(stub_path(boot));
	unlink(tree_path(boot));
	rmdir(boot->directory);
}
