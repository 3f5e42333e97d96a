// SPDX-License-Identifier: Apache-2.0
//
// What is fixed about each board, and where the device trees and the firmware of those are to be found for which
// QEMU makes none.
//
// Called by every verb that takes a board. Owns nothing.
// Invariant: a board that is not `fixed` is nothing but a name.
// Source: QEMU, docs/system/arm/raspi.rst; TF-A, docs/plat/rpi4.rst; Raspberry Pi documentation, "config.txt", "Memory options".
#include "boards.h"

#include "base/bits.h"
#include "tree_edit.h"
#include "util.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PI_CPUS       4
#define PI_RAM        MIB(960) // of the first GiB; the rest is the video processor's
#define STUB_SIZE_MAX KIB(512) // TF-A's part of memory on a Pi 4
#define STUB_SIZE_MIN 256      // the words that the firmware fills in lie below
#define PI_UARTS      1 // the PL011, which the board gives to Bluetooth, comes before the mini UART

static const struct board_model boards[] = {
        {.name = "virt"},
        {"raspi3b", true, "bcm2837-rpi-3-b.dtb", PI_CPUS, PI_RAM, 0, PI_UARTS, '3', NULL},
        {"raspi4b", true, "bcm2711-rpi-4-b.dtb", PI_CPUS, PI_RAM, 2, PI_UARTS, '4', "bl31.bin"},
};

const struct board_model *boards_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(boards); i++)
		if (strcmp(boards[i].name, name) == 0)
			return &boards[i];
	return NULL;
}

const char *const *boards_with_card(void)
{
	static const char *names[ARRAY_SIZE(boards) + 1];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(boards); i++)
		if (boards[i].pi != 0)
			names[count++] = boards[i].name;
	names[count] = NULL;
	return names;
}

// The last one is the newest kernel's, as far as names tell.
static const char *find_packaged(const char *pattern)
{
	glob_t found;
	const char *path = NULL;

	if (glob(pattern, 0, NULL, &found) == 0)
		path = util_format("%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return path;
}

static const char *search(const char *folder, const char *name)
{
	char self[PATH_MAX] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
		const char *const tries[] = {
		        util_format("%sguests/%s%s", util_dir(self), folder, name),
		        util_format("%s../share/mezzo/%s", util_dir(self), name),
		        util_format("%s%s", util_dir(self), name),
		};
		for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
			if (access(tries[i], R_OK) == 0)
				return tries[i];
	}
	return NULL;
}

// The path, or NULL after saying why not.
static const char *judge(const char *path, const char *why, const char *option, const char *who)
{
	if (why == NULL)
		return path;
	fprintf(stderr, "%s: %s: `%s` cannot be used: %s; check the path\n", who, option, path,
	        why);
	return NULL;
}

const char *boards_find_tree(const struct board_model *board, const char *given, const char *who)
{
	const char *path = given != NULL ? given : search("dtb/", board->tree), *why;
	struct blob tree = {NULL, 0};

	if (path == NULL)
		path = find_packaged(
		        util_format("/usr/lib/linux-image-*/broadcom/%s", board->tree));
	if (path == NULL) {
		fprintf(stderr,
		        "%s: the device tree `%s` of board `%s` is not there; unpack it with "
		        "tools/setup, or name a copy from a Linux kernel package with "
		        "--board-dtb\n",
		        who, board->tree, board->name);
		return NULL;
	}
	why = util_map(path, &tree);
	if (why == NULL && !tree_edit_sound(tree))
		why = "it is not a device tree";
	return judge(path, why, "--board-dtb", who);
}

const char *boards_find_stub(const struct board_model *board, const char *given, const char *who)
{
	const char *path = given != NULL ? given : search("", board->stub), *why;
	struct blob stub = {NULL, 0};

	if (path == NULL)
		path = find_packaged(util_format("/usr/lib/arm-trusted-firmware/rpi%c/%s",
		                                 board->pi, board->stub));
	if (path == NULL) {
		fprintf(stderr,
		        "%s: TF-A's `%s` for the board `%s` is not there; unpack it with "
		        "tools/setup, or name a copy from Debian's package "
		        "arm-trusted-firmware with --bl31\n",
		        who, board->stub, board->name);
		return NULL;
	}
	why = util_map(path, &stub);
	if (why == NULL && stub.size == 0)
		why = "it is empty";
	if (why == NULL && stub.size > STUB_SIZE_MAX)
		why = "it is too large for TF-A's";
	if (why == NULL && stub.size < STUB_SIZE_MIN)
		why = "it is too small for TF-A's";
	if (why == NULL && memcmp(stub.data, "\177ELF", 4) == 0)
		why = "it is an ELF file, and the firmware takes the flat bl31.bin";
	return judge(path, why, "--bl31", who);
}
