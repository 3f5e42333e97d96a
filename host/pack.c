// SPDX-License-Identifier: Apache-2.0
//
// Builds and writes bundles: newc cpio with each member's data on a page boundary, so that EL2 can
// hand out the pages as they are. The name field does it, by ending in as many NULs as it takes.
//
// Called by `mezzo pack` and `mezzo run`. Owns nothing.
// Invariant: the bytes depend on the system and its files' contents alone; a content is packed
// once.
// Source: cpio(5), "New ASCII Format"; docs/bundle.md.
#include "pack.h"

#include "base/bits.h"
#include "base/crc32.h"
#include "base/sha256.h"
#include "buffer.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CPIO_HEADER_SIZE 110
#define CPIO_ALIGN       4
#define CPIO_TRAILER     "TRAILER!!!"
#define FILE_MODE        0100644 // of members: a regular file that its owner may write
#define FILE_CREATE_MODE 0666    // of a bundle, before the umask

#define NAME_MAX_LENGTH 200 // leaves room for a number within what EL2 takes

// --- members -------------------------------------------------------------------------------------

static bool name_taken(const struct bundle *bundle, const char *name)
{
	if (strcmp(name, CPIO_TRAILER) == 0)
		return true;
	for (size_t i = 0; i < bundle->count; i++)
		if (strcmp(bundle->members[i].name, name) == 0)
			return true;
	return false;
}

// The file's own name, in characters that no tool or terminal stumbles over; numbered if it is
// taken.
static char *choose_name(const struct bundle *bundle, const char *path)
{
	char *plain = util_format("%.*s", NAME_MAX_LENGTH, util_base(path)), *name;

	for (char *c = plain; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("._+-", *c) == NULL)
			*c = '_';
	name = plain;
	for (unsigned int n = 2; name_taken(bundle, name); n++)
		name = util_format("%s.%u", plain, n);
	return name;
}

static struct member describe(struct blob data)
{
	struct member member = {.data = data, .crc32 = crc32_update(0, data.data, data.size)};
	struct sha256 hash;

	sha256_init(&hash);
	sha256_update(&hash, data.data, data.size);
	sha256_final(&hash, member.sha256);
	return member;
}

static void add_member(struct bundle *bundle, struct member member)
{
	bundle->members = util_grow(bundle->members, bundle->count + 1, sizeof(member));
	bundle->members[bundle->count++] = member;
}

// The name under which `data` is in the bundle. Content, not path, tells files apart.
static const char *add_file(struct bundle *bundle, struct blob data, const char *path)
{
	struct member member = describe(data);

	for (size_t i = 1; i < bundle->count; i++) {
		const struct member *other = &bundle->members[i];

		if (other->data.size == data.size &&
		    memcmp(other->sha256, member.sha256, sizeof(member.sha256)) == 0)
			return other->name;
	}
	member.name = choose_name(bundle, path);
	add_member(bundle, member);
	return member.name;
}

// --- the description -----------------------------------------------------------------------------

// The names of one VM's files in the bundle; NULL: it has no such file.
struct vm_files {
	const char *kernel, *initrd, *dtb, *sdcard;
	const char *disk[DESC_MAX_DISKS]; // NULL: of the board
};

// A tree being written. Sequential writing fails for want of room alone, so errors are gathered,
// and the tree is written again in more.
struct writer {
	void *fdt;
	int error;
};

static void put(struct writer *w, int rc)
{
	if (rc < 0 && w->error == 0)
		w->error = rc;
}

static void put_text(struct writer *w, const char *name, const char *value)
{
	if (value != NULL)
		put(w, fdt_property(w->fdt, name, value, (int)strlen(value) + 1));
}

static void put_u64(struct writer *w, const char *name, const struct number_key *key)
{
	if (key->at.file != NULL)
		put(w, fdt_property_u64(w->fdt, name, key->value));
}

static void put_u32(struct writer *w, const char *name, const struct number_key *key)
{
	if (key->at.file != NULL)
		put(w, fdt_property_u32(w->fdt, name, (uint32_t)key->value));
}

static void put_flag(struct writer *w, const char *name, const struct number_key *key)
{
	if (key->value != 0)
		put(w, fdt_property(w->fdt, name, NULL, 0));
}

// Children are numbered by `reg`, as the device tree's rules for names with an address want it.
static void put_cells(struct writer *w)
{
	put(w, fdt_property_u32(w->fdt, "#address-cells", 1));
	put(w, fdt_property_u32(w->fdt, "#size-cells", 0));
}

static void begin_numbered(struct writer *w, const char *name, size_t number)
{
	char full[32];

	snprintf(full, sizeof(full), "%s@%zx", name, number);
	put(w, fdt_begin_node(w->fdt, full));
	put(w, fdt_property_u32(w->fdt, "reg", (uint32_t)number));
}

static void put_files(struct writer *w, const struct bundle *bundle)
{
	put(w, fdt_begin_node(w->fdt, "files"));
	put_cells(w);
	for (size_t i = 1; i < bundle->count; i++) {
		const struct member *m = &bundle->members[i];

		begin_numbered(w, "file", i - 1);
		put_text(w, "path", m->name);
		put(w, fdt_property_u64(w->fdt, "size", m->data.size));
		put(w, fdt_property_u32(w->fdt, "crc32", m->crc32));
		put(w, fdt_property(w->fdt, "sha256", m->sha256, sizeof(m->sha256)));
		put(w, fdt_end_node(w->fdt));
	}
	put(w, fdt_end_node(w->fdt));
}

static void put_nets(struct writer *w, const struct system *system)
{
	for (size_t i = 0; i < system->net_count; i++) {
		const struct net *net = &system->nets[i];

		begin_numbered(w, "net", i);
		put_text(w, "compatible", "mezzo,net");
		put_text(w, "net-name", net->name);
		put_text(w, "uplink", net->uplink.value);
		put_flag(w, "anti-spoof", &net->anti_spoof);
		put_u64(w, "limit", &net->limit);
		put(w, fdt_end_node(w->fdt));
	}
}

// The names of nets one behind the other, and addresses if any is given: zeroes for those that are not.
static void put_nics(struct writer *w, const struct nics_key *nics)
{
	char names[DESC_MAX_NICS * (DESC_NET_MAX + 1)];
	uint8_t macs[DESC_MAX_NICS * DESC_MAC_SIZE] = {0};
	size_t size = 0;
	bool given = false;

	for (size_t i = 0; i < nics->count; i++) {
		const struct nic *nic = &nics->nic[i];

		memcpy(names + size, nic->net, strlen(nic->net) + 1);
		size += strlen(nic->net) + 1;
		memcpy(macs + i * DESC_MAC_SIZE, nic->mac, DESC_MAC_SIZE);
		given |= nic->has_mac;
	}
	if (size != 0)
		put(w, fdt_property(w->fdt, "nets", names, (int)size));
	if (given)
		put(w, fdt_property(w->fdt, "macs", macs, (int)(nics->count * DESC_MAC_SIZE)));
}

// One string a disk: its mode, a colon, its name.
static void put_disks(struct writer *w, const struct disks_key *disks, const struct vm_files *files)
{
	struct buffer list = {NULL, 0, 0, 0};

	for (size_t i = 0; i < disks->count; i++) {
		const struct disk_key *disk = &disks->disk[i];
		const char *text =
		        util_format("%s:%s", disk->mode, disk->host ? disk->value : files->disk[i]);

		buffer_add(&list, text, strlen(text) + 1);
	}
	if (disks->count != 0)
		put(w, fdt_property(w->fdt, "disks", buffer_data(&list), (int)buffer_size(&list)));
}

static void put_vm(struct writer *w, const struct vm *vm, const struct vm_files *files,
                   size_t number)
{
	const uint32_t budget[] = {cpu_to_fdt32((uint32_t)vm->budget.budget),
	                           cpu_to_fdt32((uint32_t)vm->budget.period)};
	uint32_t pins[DESC_MAX_PINS];

	begin_numbered(w, "vm", number);
	put_text(w, "compatible", "mezzo,vm");
	put_text(w, "vm-name", vm->name);
	put_text(w, "machine", vm->machine.value);
	put_text(w, vm->firmware.value != NULL ? "firmware" : "kernel", files->kernel);
	put_text(w, "initrd", files->initrd);
	put_text(w, "dtb", files->dtb);
	put_text(w, "sdcard", files->sdcard);
	if (files->sdcard != NULL)
		put_text(w, "sdcard-mode", vm->sdcard.mode);
	put_disks(w, &vm->disks, files);
	put_text(w, "virtio", vm->virtio.value);
	put_flag(w, "virtio-console", &vm->virtio_console);
	put_flag(w, "rng", &vm->rng);
	put_flag(w, "balloon", &vm->balloon);
	if (vm->vsock.value != 0)
		put(w, fdt_property_u32(w->fdt, "vsock", (uint32_t)vm->vsock.value));
	put_text(w, "vsock-group", vm->vsock_group.value);
	put_flag(w, "manage", &vm->manage);
	put_text(w, "cmdline", vm->cmdline.value);
	put(w, fdt_property_u64(w->fdt, "memory", vm->memory.value));
	put(w, fdt_property_u32(w->fdt, "cpus", (uint32_t)vm->cpus.value));
	if (vm->gic.value != 0)
		put(w, fdt_property_u32(w->fdt, "gic", (uint32_t)vm->gic.value));
	put_u64(w, "load", &vm->load);
	put_u64(w, "entry", &vm->entry);
	for (size_t i = 0; i < vm->pin.count; i++)
		pins[i] = cpu_to_fdt32(vm->pin.value[i]);
	if (vm->pin.count != 0)
		put(w, fdt_property(w->fdt, "pin", pins, (int)(vm->pin.count * sizeof(pins[0]))));
	put_flag(w, "exclusive", &vm->exclusive);
	put_u32(w, "weight", &vm->weight);
	put_u32(w, "priority", &vm->priority);
	if (vm->budget.period != 0)
		put(w, fdt_property(w->fdt, "budget", budget, sizeof(budget)));
	put_u32(w, "stop-timeout", &vm->stop_timeout);
	put_text(w, "on-crash", vm->on_crash.value);
	put(w, fdt_property_u32(w->fdt, "autostart", vm->autostart.value != 0));
	put_text(w, "verify", vm->verify.value);
	put_nics(w, &vm->nics);
	put(w, fdt_end_node(w->fdt));
}

static void put_system(struct writer *w, const struct system *system, const struct bundle *bundle,
                       const struct vm_files *files, struct pack_options options)
{
	put(w, fdt_finish_reservemap(w->fdt));
	// What the device tree's rules want of any root, for the schemas' sake.
	put(w, fdt_begin_node(w->fdt, ""));
	put_text(w, "compatible", "mezzo,bundle");
	put_text(w, "model", "Mezzo bundle");
	put(w, fdt_property_u32(w->fdt, "#address-cells", 2));
	put(w, fdt_property_u32(w->fdt, "#size-cells", 2));
	put(w, fdt_begin_node(w->fdt, "mezzo"));
	put_cells(w);
	put_text(w, "compatible", "mezzo,system");
	put(w, fdt_property_u32(w->fdt, "version", DESC_VERSION));
	put_text(w, "on-all-off", options.on_all_off);
	put_flag(w, "overcommit", &system->overcommit);
	if (system->fast_exits.at.line != 0 && system->fast_exits.value == 0)
		put(w, fdt_property(w->fdt, "plain-exits", NULL, 0));
	put_text(w, "console", options.console);
	put_files(w, bundle);
	put_nets(w, system);
	for (size_t i = 0; i < system->vm_count; i++)
		put_vm(w, &system->vms[i], &files[i], i);
	put(w, fdt_end_node(w->fdt));
	put(w, fdt_end_node(w->fdt));
	put(w, fdt_finish(w->fdt));
}

static struct blob write_tree(const struct system *system, const struct bundle *bundle,
                              const struct vm_files *files, struct pack_options options)
{
	for (int room = 16 * 1024;; room *= 2) {
		struct writer w = {.fdt = util_alloc((size_t)room)};

		put(&w, fdt_create(w.fdt, room));
		if (w.error == 0)
			put_system(&w, system, bundle, files, options);
		if (w.error == 0)
			return (struct blob){w.fdt, fdt_totalsize(w.fdt)};
		free(w.fdt);
	}
}

// --- the archive ---------------------------------------------------------------------------------

// Length of the name field, NULs included, that puts the data of a member whose header is at `pos`
// on a page boundary.
static size_t padded_name(uint64_t pos, const char *name)
{
	uint64_t least = pos + CPIO_HEADER_SIZE + strlen(name) + 1;

	return (size_t)(align_up(least, PAGE_SIZE) - pos - CPIO_HEADER_SIZE);
}

// Where the header after a member stands whose header is at `pos`.
static uint64_t after_member(uint64_t pos, const struct member *m)
{
	return align_up(pos + CPIO_HEADER_SIZE + padded_name(pos, m->name) + m->data.size,
	                CPIO_ALIGN);
}

// The trailer's header and name, then NULs to the end of the page.
static uint64_t after_trailer(uint64_t pos)
{
	return align_up(pos + CPIO_HEADER_SIZE + sizeof(CPIO_TRAILER), PAGE_SIZE);
}

static const char *read_back(struct blob tree)
{
	static struct desc desc;
	struct desc_problem problem = {.text = ""};

	if (desc_read(tree.data, tree.size, &desc, &problem) == 0)
		return NULL;
	return util_format("the hypervisor would refuse this system: %s", problem.text);
}

const char *pack_build(const struct system *system, struct pack_options options,
                       struct bundle *bundle)
{
	struct vm_files *files = util_alloc(system->vm_count * sizeof(*files));
	struct blob tree;

	*bundle = (struct bundle){.count = 0};
	add_member(bundle, (struct member){.name = util_format("%s", PACK_TREE_NAME)});
	for (size_t i = 0; i < system->vm_count; i++) {
		const struct vm *vm = &system->vms[i];

		files[i].kernel = add_file(bundle, vm->kernel_file.data, system_image(vm)->value);
		if (vm->initrd.value != NULL)
			files[i].initrd = add_file(bundle, vm->initrd_file, vm->initrd.value);
		if (vm->dtb.value != NULL)
			files[i].dtb = add_file(bundle, vm->dtb_file, vm->dtb.value);
		if (vm->sdcard.value != NULL)
			files[i].sdcard = add_file(bundle, vm->sdcard_file, vm->sdcard.value);
		for (size_t j = 0; j < vm->disks.count; j++) {
			const struct disk_key *disk = &vm->disks.disk[j];

			if (!disk->host)
				files[i].disk[j] = add_file(bundle, disk->file, disk->value);
		}
	}
	tree = write_tree(system, bundle, files, options);
	bundle->members[0].data = tree;
	for (size_t i = 0; i < bundle->count; i++)
		bundle->size = after_member(bundle->size, &bundle->members[i]);
	bundle->size = after_trailer(bundle->size);
	return read_back(tree);
}

// One header, the name and NULs up to `name_size`. Nothing of the machine or the day goes in.
static bool write_header(int fd, size_t inode, const char *name, size_t name_size, size_t size)
{
	char header[CPIO_HEADER_SIZE + 1];
	uint8_t field[2 * PAGE_SIZE] = {0};
	const unsigned int mode = inode != 0 ? FILE_MODE : 0, links = 1, none = 0;

	snprintf(header, sizeof(header),
	         "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", (unsigned int)inode,
	         mode, /* uid, gid: */ none, none, links, /* mtime: */ none, (unsigned int)size,
	         /* devices: */ none, none, none, none, (unsigned int)name_size,
	         /* check: */ none);
	memcpy(field, name, strlen(name));
	return util_write(fd, header, CPIO_HEADER_SIZE) && util_write(fd, field, name_size);
}

bool pack_write(const struct bundle *bundle, int fd)
{
	static const uint8_t zeroes[PAGE_SIZE];
	uint64_t pos = 0;

	for (size_t i = 0; i < bundle->count; i++) {
		const struct member *m = &bundle->members[i];
		size_t name_size = padded_name(pos, m->name);
		uint64_t next = after_member(pos, m);
		uint64_t end = pos + CPIO_HEADER_SIZE + name_size + m->data.size;

		if (!write_header(fd, i + 1, m->name, name_size, m->data.size) ||
		    !util_write(fd, m->data.data, m->data.size) ||
		    !util_write(fd, zeroes, next - end))
			return false;
		pos = next;
	}
	return write_header(fd, 0, CPIO_TRAILER, sizeof(CPIO_TRAILER), 0) &&
	       util_write(fd, zeroes,
	                  after_trailer(pos) - pos - CPIO_HEADER_SIZE - sizeof(CPIO_TRAILER));
}

bool pack_save(const struct bundle *bundle, const char *path, const char *who)
{
	bool to_stdout = strcmp(path, "-") == 0, replace;
	struct stat st;
	const char *part = path;
	int fd = STDOUT_FILENO;

	// Only a regular file is replaced; a device or pipe is written to.
	replace = !to_stdout && (stat(path, &st) != 0 || S_ISREG(st.st_mode));
	if (replace)
		part = util_format("%s.part", path);
	if (!to_stdout)
		fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_CREATE_MODE);
	if (fd >= 0 && pack_write(bundle, fd) && (to_stdout || close(fd) == 0) &&
	    (!replace || rename(part, path) == 0))
		return true;
	fprintf(stderr, "%s: cannot write `%s`: %s\n", who, path, strerror(errno));
	if (replace && fd >= 0)
		unlink(part);
	return false;
}
