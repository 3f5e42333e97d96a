// SPDX-License-Identifier: Apache-2.0
//
// `mezzo ls`: what is in a bundle, and whether it is whole. Reads it with the very code that EL2
// reads it with (base/cpio.c, fdt/desc.c). Owns nothing.
#include "base/bits.h"
#include "base/cpio.h"
#include "base/crc32.h"
#include "base/sha256.h"
#include "fdt/desc.h"
#include "json.h"
#include "opts.h"
#include "pack.h"
#include "util.h"

#include <stdio.h>
#include <string.h>

const char ls_help[] = "usage: mezzo ls BUNDLE.cpio [--json]\n"
                       "\n"
                       "Lists a bundle: its files, whether each is the one that was packed (CRC-32 "
                       "and SHA-256), and the\n"
                       "VMs it describes. Reads any cpio archive in the \"newc\" format.\n"
                       "\n"
                       "  --json   machine-readable\n"
                       "\n"
                       "Exit status: 0 the bundle is whole, 2 it is not, or is no bundle.\n"
                       "\n"
                       "Examples:\n"
                       "  mezzo ls bundle.cpio\n"
                       "  mezzo ls bundle.cpio --json\n";

static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

static const char who[] = "mezzo ls";

struct entry {
	struct cpio_member member;
	uint64_t offset;   // of its data in the archive
	uint32_t crc32;    // of its data as found
	const char *state; // "ok", "not described", or what is wrong
	bool sound;
};

struct listing {
	struct entry *entries;
	size_t count;
	struct desc desc;
	bool has_desc;
	struct diags diags;
};

static const struct desc_file *find_file(const struct listing *list, const char *name)
{
	for (uint32_t i = 0; list->has_desc && i < list->desc.nr_files; i++)
		if (strcmp(list->desc.files[i].path, name) == 0)
			return &list->desc.files[i];
	return NULL;
}

static const char *judge(const struct listing *list, struct entry *entry)
{
	const struct desc_file *file = find_file(list, entry->member.name);
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;

	entry->sound = true;
	if (strcmp(entry->member.name, PACK_TREE_NAME) == 0)
		return list->has_desc ? "description" : "no description";
	if (file == NULL)
		return "not described";
	entry->sound = false;
	if (file->size != entry->member.size)
		return util_format("size wrong, was %llu", (unsigned long long)file->size);
	if (file->crc32 != entry->crc32)
		return util_format("crc wrong, was %08x", file->crc32);
	sha256_init(&hash);
	sha256_update(&hash, entry->member.data, entry->member.size);
	sha256_final(&hash, digest);
	if (file->sha256 != NULL && memcmp(digest, file->sha256, sizeof(digest)) != 0)
		return "sha256 wrong";
	entry->sound = true;
	return "ok";
}

// Reads mezzo.dtb, from a copy: foreign tools do not align it.
static void read_description(struct listing *list, const char *path)
{
	struct desc_problem problem = {.text = ""};

	for (size_t i = 0; i < list->count && !list->has_desc; i++) {
		const struct cpio_member *m = &list->entries[i].member;
		void *copy;
		int rc;

		if (strcmp(m->name, PACK_TREE_NAME) != 0)
			continue;
		copy = util_alloc(m->size);
		memcpy(copy, m->data, m->size);
		rc = desc_read(copy, m->size, &list->desc, &problem);
		list->has_desc = rc == 0;
		if (rc != 0)
			diag_add(&list->diags, (struct place){path, 0}, "%s: %s", PACK_TREE_NAME,
			         rc == ERR_NOT_FOUND
			                 ? "it has no /mezzo node; pack the bundle again"
			                 : problem.text);
		return;
	}
	diag_add(&list->diags, (struct place){path, 0},
	         "there is no " PACK_TREE_NAME
	         " in it, so it describes no VM; make bundles with `mezzo pack`");
}

// Fills in what each entry is worth, and finds described files that are not there.
static void verify(struct listing *list, const char *path)
{
	struct place at = {path, 0};

	for (size_t i = 0; i < list->count; i++) {
		struct entry *entry = &list->entries[i];

		entry->crc32 = crc32_update(0, entry->member.data, entry->member.size);
		entry->state = judge(list, entry);
		if (!entry->sound)
			diag_add(&list->diags, at, "%s: %s; pack the bundle again or copy it again",
			         entry->member.name, entry->state);
	}
	for (uint32_t i = 0; list->has_desc && i < list->desc.nr_files; i++) {
		const char *name = list->desc.files[i].path;
		size_t j = 0;

		while (j < list->count && strcmp(list->entries[j].member.name, name) != 0)
			j++;
		if (j == list->count)
			diag_add(&list->diags, at,
			         "%s: described, but not in it; pack the bundle again", name);
	}
}

// False if `path` is no cpio archive at all.
static bool read_listing(const char *path, struct listing *list)
{
	struct place at = {path, 0};
	struct cpio_member member;
	struct blob file;
	const char *why = util_map(path, &file);
	struct cpio cpio;
	int rc;

	if (why != NULL) {
		diag_add(&list->diags, at, "it cannot be read: %s; check the path", why);
		return false;
	}
	cpio_open(&cpio, file.data, file.size);
	while ((rc = cpio_next(&cpio, &member)) == 1) {
		list->entries = util_grow(list->entries, list->count + 1, sizeof(*list->entries));
		list->entries[list->count++] = (struct entry){
		        .member = member, .offset = (uint64_t)(member.data - file.data)};
	}
	if (rc < 0)
		diag_add(&list->diags, at,
		         "%s, at byte %zu; pack the bundle again or copy it again",
		         cpio_error_text(rc), cpio.at);
	return rc == 0 || list->count != 0;
}

// --- output --------------------------------------------------------------------------------------

static const char *file_name(const struct desc_file *file)
{
	return file != NULL ? file->path : "-";
}

static void print_vms(const struct desc *desc)
{
	if (desc->nr_vms != 0)
		printf("\n ID %-12s VCPUS  MEMORY  %-16s %-16s COMMAND LINE\n", "NAME", "KERNEL",
		       "INITRD");
	for (uint32_t i = 0; i < desc->nr_vms; i++) {
		const struct desc_vm *vm = &desc->vms[i];

		printf("%3u %-12s %5u %7s  %-16s %-16s %s\n", i + 1, vm->name, vm->cpus,
		       util_size(vm->memory), file_name(desc_image(vm)), file_name(vm->initrd),
		       vm->cmdline != NULL ? vm->cmdline : "-");
	}
}

static void print(const struct listing *list)
{
	printf("   OFFSET     SIZE  CRC-32    %-14s NAME\n", "CHECK");
	for (size_t i = 0; i < list->count; i++) {
		const struct entry *e = &list->entries[i];

		printf("%#9llx %8s  %08x  %-14s %s%s\n", (unsigned long long)e->offset,
		       util_size(e->member.size), e->crc32, e->state, e->member.name,
		       is_aligned(e->offset, PAGE_SIZE) ? "" : " (unaligned: will be copied)");
	}
	if (list->has_desc)
		print_vms(&list->desc);
}

static const char *const image_modes[] = {
        [DESC_IMAGE_COW] = "cow", [DESC_IMAGE_KEEP] = "keep", [DESC_IMAGE_RO] = "ro"};

static void print_nics_json(const struct desc *desc, const struct desc_vm *vm)
{
	json_open("nets", '[');
	for (uint32_t i = 0; i < vm->nr_nics; i++) {
		uint8_t mac[DESC_MAC_SIZE];

		desc_vm_mac(vm, i, mac);
		json_open(NULL, '{');
		json_text("net", desc->nets[vm->nic_net[i]].name);
		json_text("mac", util_format("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		                             mac[2], mac[3], mac[4], mac[5]));
		json_close('}');
	}
	json_close(']');
}

static void print_disks_json(const struct desc *desc, const struct desc_vm *vm)
{
	json_open("disks", '[');
	for (uint32_t i = 0; i < vm->nr_disks; i++) {
		const struct desc_disk disk = desc_disk(desc, vm, i);

		json_open(NULL, '{');
		json_text(disk.file != NULL ? "file" : "host", disk.name);
		json_text("mode", disk.file != NULL            ? image_modes[disk.mode]
		                  : disk.mode == DESC_IMAGE_RO ? "ro"
		                                               : "rw");
		json_close('}');
	}
	json_close(']');
}

static void print_vm_json(const struct desc *desc, const struct desc_vm *vm)
{
	json_open(NULL, '{');
	json_text("name", vm->name);
	json_number("cpus", vm->cpus);
	json_number("memory", vm->memory);
	json_text(vm->firmware != NULL ? "firmware" : "kernel", desc_image(vm)->path);
	if (vm->initrd != NULL)
		json_text("initrd", vm->initrd->path);
	if (vm->dtb != NULL)
		json_text("dtb", vm->dtb->path);
	if (vm->sdcard != NULL) {
		json_text("sdcard", vm->sdcard->path);
		json_text("sdcard_mode", image_modes[vm->sdcard_mode]);
	}
	if (vm->nr_disks != 0)
		print_disks_json(desc, vm);
	if (vm->virtio == DESC_VIRTIO_LEGACY)
		json_text("virtio", "legacy");
	if (vm->virtio_console)
		json_bool("virtio_console", true);
	if (vm->rng)
		json_bool("rng", true);
	if (vm->balloon)
		json_bool("balloon", true);
	if (vm->cid != 0)
		json_number("vsock", vm->cid);
	if (vm->group != NULL)
		json_text("vsock_group", vm->group);
	if (vm->manage)
		json_bool("manage", true);
	if (vm->cmdline != NULL)
		json_text("cmdline", vm->cmdline);
	json_bool("autostart", vm->autostart);
	if (vm->nr_nics != 0)
		print_nics_json(desc, vm);
	json_close('}');
}

static void print_json(const char *path, struct listing *list)
{
	json_open(NULL, '{');
	json_text("bundle", path);
	json_bool("ok", list->diags.count == 0);
	json_open("mistakes", '[');
	diag_print_json(&list->diags);
	json_close(']');
	json_open("files", '[');
	for (size_t i = 0; i < list->count; i++) {
		const struct entry *e = &list->entries[i];

		json_open(NULL, '{');
		json_text("name", e->member.name);
		json_number("offset", e->offset);
		json_number("size", e->member.size);
		json_text("crc32", util_format("%08x", e->crc32));
		json_text("check", e->state);
		json_bool("ok", e->sound);
		json_close('}');
	}
	json_close(']');
	json_open("vms", '[');
	for (uint32_t i = 0; list->has_desc && i < list->desc.nr_vms; i++)
		print_vm_json(&list->desc, &list->desc.vms[i]);
	json_close(']');
	json_close('}');
}

int verb_ls(int argc, char **argv)
{
	static struct listing list;
	bool json = false, readable;
	int opt, index;

	while ((opt = opts_next(argc, argv, ":h", options, who, ls_help, &index)) != -1)
		json = json || opt == 'j';
	if (optind + 1 != argc)
		return opts_usage(who, "give one BUNDLE.cpio");

	readable = read_listing(argv[optind], &list);
	if (readable) {
		read_description(&list, argv[optind]);
		verify(&list, argv[optind]);
	}
	if (json)
		print_json(argv[optind], &list);
	else if (readable)
		print(&list);
	fflush(stdout);
	if (!json)
		diag_print(&list.diags);
	return list.diags.count == 0 ? STATUS_OK : STATUS_USAGE;
}
