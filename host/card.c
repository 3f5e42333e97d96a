// SPDX-License-Identifier: Apache-2.0
//
// Writes the folder that becomes the first partition of a Raspberry Pi's SD card. The firmware itself (start.elf
// and its kin) is not ours to give: it stays where it is.
//
// Called by cmd_image.c. Owns the files named *.part while it runs.
// Invariant: until all files are written and on the disk, nothing that was in the folder is touched.
// Source: Raspberry Pi documentation, "config.txt", "Boot options", "Configuring UARTs"; TF-A, docs/plat/rpi4.rst.
#include "card.h"

#include "tree_edit.h"
#include "util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_CREATE_MODE 0666 // before the umask
#define DIR_CREATE_MODE  0777
#define PARTS_MAX        5

// The first line of each config.txt that is ours.
#define MARK \
	"# Written by `mezzo image`, which replaces this file as long as this line is the first."

static const char common_text[] = MARK "\n"
                                       "\n"
                                       "arm_64bit=1\n"
                                       "kernel=mezzo.img\n"
                                       "kernel_address=0x200000\n"
                                       "initramfs bundle.cpio followkernel\n"
                                       "device_tree=mezzo.dtb\n"
                                       "\n"
                                       "# The console is the mini UART on GPIO 14 and 15, 115200 "
                                       "baud. This routes it there, and holds\n"
                                       "# still the core clock, which sets its speed.\n"
                                       "enable_uart=1\n";
static const char stub_text[] =
        "\n"
        "# TF-A runs before Mezzo: it starts the other cores, and sets up the GIC.\n"
        "armstub=bl31.bin\n"
        "enable_gic=1\n";

// One file of the card: these bytes, or a bundle.
struct part {
	const char *name;
	struct blob data;
	const struct bundle *bundle;
	char *temporary, *path;
};

struct parts {
	struct part list[PARTS_MAX];
	size_t count;
	sigset_t before; // signals as they were
	bool made;       // the folder is new
};

static void add(struct parts *parts, const struct card *card, const char *name, struct blob data)
{
	struct part *part = &parts->list[parts->count++];

	*part = (struct part){.name = name, .data = data};
	part->path = util_format("%s/%s", card->dir, name);
	part->temporary = util_format("%s.part", part->path);
}

// The board's tree. With a stub the console gets the name serial0: TF-A makes that the console.
static const char *make_tree(const struct card *card, struct blob *out)
{
	const char *why = util_map(card->tree, out);
	struct tree_edit edit;

	if (why != NULL || card->stub == NULL)
		return why;
	edit = tree_edit_open(*out);
	tree_edit_serial0(&edit);
	return tree_edit_close(&edit, out);
}

static const char *gather(const struct card *card, struct parts *parts)
{
	struct blob image, tree, stub;
	const char *text =
	        card->stub == NULL ? common_text : util_format("%s%s", common_text, stub_text);
	const char *why = util_map(card->image, &image);

	if (why == NULL)
		why = make_tree(card, &tree);
	if (why == NULL && card->stub != NULL)
		why = util_map(card->stub, &stub);
	if (why != NULL)
		return why;
	add(parts, card, "mezzo.img", image);
	add(parts, card, "bundle.cpio", (struct blob){NULL, 0});
	parts->list[parts->count - 1].bundle = card->bundle;
	add(parts, card, "mezzo.dtb", tree);
	if (card->stub != NULL)
		add(parts, card, card->board->stub, stub);
	add(parts, card, CARD_CONFIG,
	    (struct blob){(const uint8_t *)text, strlen(text)}); // the last one
	return NULL;
}

// --- what is there already -----------------------------------------------------------------------

static bool is_ours(const char *path)
{
	struct blob file;

	return util_map(path, &file) == NULL && file.size >= strlen(MARK) &&
	       memcmp(file.data, MARK, strlen(MARK)) == 0;
}

// Why no folder is there after an attempt to make it, which ended with `error`; NULL: it is.
static const char *check_folder(const char *dir, int error)
{
	struct stat st;

	if (error != EEXIST)
		return util_format("cannot make the folder `%s`: %s; make the one that it lies in, "
		                   "or give another with --to",
		                   dir, strerror(error));
	if (stat(dir, &st) != 0)
		return util_format("`%s`: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return util_format("`%s` is there and is no folder; give another with --to", dir);
	return NULL;
}

// Whether all parts can take their places.
static const char *check_places(const struct card *card, const struct parts *parts)
{
	struct stat st;

	for (size_t i = 0; i < parts->count; i++) {
		const char *path = parts->list[i].path;

		if (lstat(path, &st) != 0) {
			if (errno != ENOENT)
				return util_format("`%s`: %s", path, strerror(errno));
		} else if (!S_ISREG(st.st_mode)) {
			return util_format("`%s` is there and is no file; move it away", path);
		} else if (i + 1 == parts->count && !card->force && !is_ours(path)) {
			return util_format("`%s` is not from this command; --force replaces it",
			                   path);
		}
	}
	return NULL;
}

// --- writing -------------------------------------------------------------------------------------

static bool signalled(void)
{
	sigset_t waiting;

	sigpending(&waiting);
	return sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1 ||
	       sigismember(&waiting, SIGHUP) == 1;
}

static void hold_signals(struct parts *parts)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_BLOCK, &held, &parts->before);
}

// Onto the disk, so that a full one is noticed now.
static const char *write_part(const struct part *part)
{
	int fd = open(part->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	              FILE_CREATE_MODE);
	const char *why = NULL;
	bool done;

	if (fd < 0)
		return util_format("cannot write `%s`: %s", part->path, strerror(errno));
	done = part->bundle != NULL ? pack_write(part->bundle, fd)
	                            : util_write(fd, part->data.data, part->data.size);
	// Not every file system can do it.
	if (!done || (fsync(fd) != 0 && errno != EINVAL))
		why = util_format("cannot write `%s`: %s", part->path, strerror(errno));
	if (close(fd) != 0 && why == NULL)
		why = util_format("cannot write `%s`: %s", part->path, strerror(errno));
	return why;
}

static void sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static const char *write_all(const struct parts *parts)
{
	const char *why = NULL;

	for (size_t i = 0; i < parts->count && why == NULL; i++)
		why = signalled() ? "interrupted; nothing was written"
		                  : write_part(&parts->list[i]);
	for (size_t i = 0; i < parts->count && why == NULL; i++)
		if (rename(parts->list[i].temporary, parts->list[i].path) != 0)
			why = util_format("cannot put `%s` in its place: %s", parts->list[i].path,
			                  strerror(errno));
	return why;
}

const char *card_write(const struct card *card)
{
	struct parts parts = {.count = 0};
	const char *why = gather(card, &parts);

	if (why != NULL)
		return why;
	hold_signals(&parts);
	parts.made = mkdir(card->dir, DIR_CREATE_MODE) == 0;
	if (!parts.made)
		why = check_folder(card->dir, errno);
	if (why == NULL)
		why = check_places(card, &parts);
	if (why == NULL) {
		why = write_all(&parts);
		for (size_t i = 0; i < parts.count && why != NULL; i++)
			unlink(parts.list[i].temporary);
		sync_folder(card->dir);
	}
	if (why != NULL && parts.made)
		rmdir(card->dir);
	sigprocmask(SIG_SETMASK, &parts.before, NULL);
	return why;
}

// --- what to say ---------------------------------------------------------------------------------

// The firmware's files, by the digit of the board. A Pi 4 has the first stage in its EEPROM.
static const struct {
	char pi;
	const char *file;
} firmware[] = {
        {'3', "bootcode.bin"}, {'3', "start.elf"},  {'3', "fixup.dat"},
        {'4', "start4.elf"},   {'4', "fixup4.dat"},
};

void card_report(const struct card *card, size_t vm_count)
{
	const char *missing = NULL;

	printf("%s: a card for the board %s\n", card->dir, card->board->name);
	printf("  mezzo.img    %s\n", card->image);
	printf("  bundle.cpio  %s, %zu VM%s\n", util_size(card->bundle->size), vm_count,
	       vm_count == 1 ? "" : "s");
	printf("  mezzo.dtb    %s\n", card->tree);
	if (card->stub != NULL)
		printf("  %-11s  %s\n", card->board->stub, card->stub);
	printf("  config.txt   names them to the firmware\n");
	for (size_t i = 0; i < ARRAY_SIZE(firmware); i++) {
		if (firmware[i].pi != card->board->pi ||
		    access(util_format("%s/%s", card->dir, firmware[i].file), F_OK) == 0)
			continue;
		missing = missing == NULL ? firmware[i].file
		                          : util_format("%s, %s", missing, firmware[i].file);
	}
	if (missing == NULL)
		printf("The Raspberry Pi's firmware is there too. Copy all of it to the card's "
		       "first (FAT) partition.\n");
	else
		printf("Copy these to the card's first (FAT) partition, and beside them from the "
		       "Raspberry Pi's firmware:\n  %s\n",
		       missing);
}
