// SPDX-License-Identifier: Apache-2.0
// From the description to virtual machines: finds the bundle, checks it, decides which CPUs each VM
// gets, and builds them. Runs on the boot CPU at the end of the boot; the bundle's pages stay as they
// are, because guests' memory is filled from them at first touch and again after each reboot.
// Each VM is checked completely before anything of it exists; one that cannot be built is named with
// the reason and leaves the others alone.
#include "arm/cpu.h"
#include "arm/crc32.h"
#include "arm/sysreg.h"
#include "base/bits.h"
#include "base/cpio.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/string.h"
#include "console/console.h"
#include "fdt/desc.h"
#include "fdt/guest_virt.h"
#include "fdt/tree.h"
#include "main/boot.h"
#include "main/run.h"
#include "main/seed.h"
#include "mem/pages.h"
#include "vdev/model.h"
#include "version.h"
#include "vm/image.h"
#include "vm/vm.h"

#define DESCRIPTION_FILE "mezzo.dtb"
#define NO_CPU           UINT32_MAX

static struct desc desc;
static struct cpio bundle;
static bool has_bundle;
static uint64_t cpus_taken[CPU_MAX / 64]; // a bit for each physical CPU that has its VM
static unsigned failed;

// ---- the bundle ----

// A file of the bundle, by the name the description uses.
static const void *find_file(const struct desc_file *file, uint64_t *size)
{
	struct cpio_member member;
	if (!has_bundle || cpio_find(&bundle, file->path, &member) != CPIO_OK)
		return NULL;
	*size = member.size;
	return member.data;
}

static bool check_digest(const char *vm, const struct desc_file *file, const void *bytes)
{
	struct sha256 hash;
	uint8_t digest[SHA256_SIZE];
	const uint8_t *wanted = file->sha256;
	sha256_init(&hash);
	sha256_update(&hash, bytes, file->size);
	sha256_final(&hash, digest);
	if (memcmp(digest, wanted, sizeof digest) == 0)
		return true;
	log_line("%s: %s: SHA-256 is %02x%02x%02x%02x..., the description says "
	         "%02x%02x%02x%02x...: not the file that was packed, refused (verify = sha256)",
	         vm, file->path, digest[0], digest[1], digest[2], digest[3], wanted[0], wanted[1],
	         wanted[2], wanted[3]);
	return false;
}

// Finds a file and checks it. False, with a line in the log.
static bool take_file(const char *vm, const struct desc_file *file, bool sha256, const void **bytes,
                      uint64_t *size)
{
	*bytes = find_file(file, size);
	if (*bytes == NULL) {
		log_line("%s: the bundle has no file %s: pack it again", vm, file->path);
		return false;
	}
	if (*size != file->size) {
		log_line("%s: %s: %lu bytes in the bundle, %lu in the description: pack it again",
		         vm, file->path, *size, file->size);
		return false;
	}
	uint32_t crc = crc32_update_fast(0, *bytes, *size);
	if (crc != file->crc32) {
		log_line("%s: %s: CRC-32 is %08x, the description says %08x: the bundle was "
		         "damaged on its way: copy it again",
		         vm, file->path, crc, file->crc32);
		return false;
	}
	return !sha256 || check_digest(vm, file, *bytes);
}

// What people hand over in the place of a bundle.
static const struct {
	uint32_t size;
	const char *magic, *name;
} packings[] = {
        {2, "\x1f\x8b", "gzip"}, {6, "\3757zXZ\0", "xz"},        {4, "\x28\xb5\x2f\xfd", "zstd"},
        {3, "BZh", "bzip2"},     {4, "\x04\x22\x4d\x18", "lz4"},
};

static void report_archive(int error, const struct cpio *walk, const char *last)
{
	for (unsigned i = 0; i < ARRAY_SIZE(packings) && error == CPIO_NOT_CPIO; i++) {
		if (walk->size < packings[i].size ||
		    memcmp(walk->bytes, packings[i].magic, packings[i].size) != 0)
			continue;
		log_line("bundle: it is compressed with %s: hand it over as `mezzo pack` wrote it",
		         packings[i].name);
		return;
	}
	if (error == CPIO_NOT_CPIO)
		log_line("bundle: %s: the board's initrd has to be what `mezzo pack` wrote",
		         cpio_error_text(error));
	else
		log_line("bundle: %s, at byte %lu of %lu%s%.64s: %s", cpio_error_text(error),
		         walk->at, walk->size, last != NULL ? ", after " : "",
		         last != NULL ? last : "",
		         error == CPIO_TRUNCATED || error == CPIO_NO_TRAILER
		                 ? "load all of it"
		                 : "it was damaged on its way: copy it again");
}

// Opens the initrd as an archive and walks it once, so that damage is found before anything is built.
static bool open_bundle(const struct board *board)
{
	struct cpio_member member = {0};
	int result;
	if (board->initrd.size == 0) {
		log_line("no bundle: the boot loader gave no initrd; make one with `mezzo pack "
		         "FILE.conf -o BUNDLE.cpio` and load it as a Linux initrd is loaded");
		return false;
	}
	cpio_open(&bundle, (const void *)(uintptr_t)board->initrd.base, board->initrd.size);
	struct cpio walk = bundle;
	while ((result = cpio_next(&walk, &member)) > 0)
		;
	if (result < 0) {
		report_archive(result, &walk, member.name);
		return false;
	}
	return true;
}

// What is wrong with a description, and what to do: `advice`.
static bool report_description(int error, const struct desc_problem *problem, const char *where,
                               const char *advice)
{
	if (error == 0)
		return true;
	log_line("%s: %s", where, problem->text);
	log_line("%s: nothing of it is used: %s " MEZZO_VERSION, where, advice);
	return false;
}

// A /mezzo node in the board's own tree wins over the bundle's.
static bool read_description(const struct board *board, const void *fdt)
{
	static struct desc_problem problem;
	struct cpio_member member;
	has_bundle = open_bundle(board);
	if (board->has_mezzo) {
		log_line("description: /mezzo of the board's device tree");
		int error = desc_read(fdt, board->tree.size, &desc, &problem);
		return report_description(error, &problem, "board's device tree",
		                          "correct it as docs/bundle.md says for Mezzo");
	}
	if (!has_bundle)
		return false;
	if (cpio_find(&bundle, DESCRIPTION_FILE, &member) != CPIO_OK) {
		log_line("bundle: it has no file " DESCRIPTION_FILE ", which describes the virtual "
		         "machines: make it with `mezzo pack FILE.conf -o BUNDLE.cpio`");
		return false;
	}
	// libfdt wants the tree 8-byte aligned; archives of other tools may not have it so.
	const void *tree = member.data;
	if (!is_aligned((uintptr_t)tree, 8)) {
		unsigned order = 0;
		while ((PAGE_SIZE << order) < member.size && order < PAGES_MAX_ORDER)
			order++;
		pa_t copy = PA(0);
		if (member.size <= PAGE_SIZE << order)
			copy = pages_alloc(order, OWNER_BUNDLE, PAGE_BOOT, NULL);
		if (copy.v == 0) {
			log_line("bundle: " DESCRIPTION_FILE " does not start at a multiple of 8 "
			         "and is too large to copy: make it with `mezzo pack`");
			return false;
		}
		memcpy((void *)(uintptr_t)copy.v, member.data, member.size);
		tree = (const void *)(uintptr_t)copy.v;
	}
	int error = desc_read(tree, member.size, &desc, &problem);
	return report_description(error, &problem, "bundle: " DESCRIPTION_FILE,
	                          "pack it again with the mezzo command of version");
}

// ---- CPUs ----

static bool is_taken(uint32_t cpu)
{
	return (cpus_taken[cpu / 64] & BIT_U64(cpu % 64)) != 0;
}

// A CPU for vCPU `i`: the one it is pinned to, or the first that nobody has or is pinned to.
static uint32_t choose_cpu(const struct desc_vm *from, uint32_t i)
{
	if (from->nr_pins != 0)
		return from->pin[i] < cpu_count() && !is_taken(from->pin[i]) ? from->pin[i]
		                                                             : NO_CPU;
	for (uint32_t cpu = 0; cpu < cpu_count(); cpu++) {
		bool wanted = is_taken(cpu);
		for (uint32_t v = 0; v < desc.nr_vms && !wanted; v++)
			for (uint32_t p = 0; p < desc.vms[v].nr_pins && !wanted; p++)
				wanted = desc.vms[v].pin[p] == cpu;
		if (!wanted)
			return cpu;
	}
	return NO_CPU;
}

static const char *name_of_taker(uint32_t cpu)
{
	FOR_EACH_VM(vm)
	for (uint32_t v = 0; v < vm->nr_vcpus; v++)
		if (vm->vcpu[v]->cpu->id == cpu)
			return vm->name;
	return "another virtual machine";
}

static void report_cpus(const struct vm *vm, const struct desc_vm *from, uint32_t found)
{
	uint32_t count = cpu_count();
	if (from->nr_pins == 0)
		log_line(
		        "%s: cpus = %u, but of the board's %u CPU%s only %u %s left, and each vCPU "
		        "has a CPU to itself in this version: lower `cpus =`",
		        vm->name, vm->nr_vcpus, count, count == 1 ? "" : "s", found,
		        found == 1 ? "is" : "are");
	else if (from->pin[found] >= count)
		log_line("%s: pin: there is no CPU %u on this board: its CPUs are 0 to %u",
		         vm->name, from->pin[found], count - 1);
	else
		log_line("%s: pin: CPU %u belongs to %s: pin it to another one", vm->name,
		         from->pin[found], name_of_taker(from->pin[found]));
}

static bool assign_cpus(struct vm *vm, const struct desc_vm *from)
{
	for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
		uint32_t cpu = choose_cpu(from, i);
		if (cpu == NO_CPU) {
			report_cpus(vm, from, i);
			for (uint32_t back = 0; back < i; back++)
				cpus_taken[vm->vcpu[back]->cpu->id / 64] &=
				        ~BIT_U64(vm->vcpu[back]->cpu->id % 64);
			return false;
		}
		cpus_taken[cpu / 64] |= BIT_U64(cpu % 64);
		vm->vcpu[i]->cpu = cpu_get(cpu);
	}
	return true;
}

// ---- one VM ----

struct files {
	const void *kernel, *initrd, *dtb;
	uint64_t kernel_size, initrd_size, dtb_size;
};

// A tree that the guest is given as it is. libfdt wants it aligned; else only the guest looks at it.
static bool check_tree(const struct desc_vm *from, const struct files *files)
{
	if (files->dtb == NULL || !is_aligned((uintptr_t)files->dtb, 8))
		return true;
	enum tree_fault fault = tree_check(files->dtb, files->dtb_size);
	if (fault != TREE_OK)
		log_line("%s: %s is not a device tree that a kernel can use: %s: correct `dtb =`",
		         from->name, from->dtb->path, tree_fault_text(fault));
	return fault == TREE_OK;
}

static bool take_files(const struct desc_vm *from, struct files *files)
{
	bool sha256 = from->verify_sha256;
	*files = (struct files){0};
	return take_file(from->name, from->kernel, sha256, &files->kernel, &files->kernel_size) &&
	       (from->initrd == NULL ||
	        take_file(from->name, from->initrd, sha256, &files->initrd, &files->initrd_size)) &&
	       (from->dtb == NULL ||
	        take_file(from->name, from->dtb, sha256, &files->dtb, &files->dtb_size)) &&
	       check_tree(from, files);
}

static bool plan_images(const struct desc_vm *from, const struct files *files,
                        struct image_plan *plan)
{
	static struct image_problem problem;
	struct image_request request = {
	        .kernel = files->kernel,
	        .kernel_size = files->kernel_size,
	        .ram_base = VM_VIRT_RAM_BASE,
	        .ram_size = from->memory,
	        .initrd_size = files->initrd_size,
	        .tree_size = files->dtb != NULL ? files->dtb_size : GUEST_VIRT_TREE_SIZE,
	        .has_load = from->has_load,
	        .has_entry = from->has_entry,
	        .load = from->load,
	        .entry = from->entry,
	};
	if (image_plan(&request, plan, &problem) == 0)
		return true;
	log_line("%s (%s): %s", from->name, from->kernel->path, problem.text);
	return false;
}

// Promises the VM all the memory it may ever need: itself, its RAM, its tables.
static bool admit(struct vm *vm)
{
	uint64_t pages =
	        vm->ram_size / PAGE_SIZE + stage2_table_pages(vm->ram_size) + 16 + vm->nr_vcpus * 4;
	if (!desc.overcommit && pages_commit(pages) != 0) {
		struct pages_count count = pages_counts();
		uint64_t left = count.total > count.committed ? count.total - count.committed : 0;
		log_line("%s: memory = %luM, but only %lu MiB of the board's RAM are not promised "
		         "yet (tables count too): lower `memory =`, give the board more, or set "
		         "overcommit = true",
		         vm->name, vm->ram_size >> 20, left >> 8);
		return false;
	}
	vm->committed = desc.overcommit ? 0 : pages;
	return true;
}

// The device tree: the file that came along, or one that describes what was built.
static const void *make_tree(struct vm *vm, const struct desc_vm *from, const struct files *files,
                             const struct image_plan *plan, uint64_t *size)
{
	if (files->dtb != NULL) {
		*size = files->dtb_size;
		return files->dtb;
	}
	void *room = vm_alloc(vm, GUEST_VIRT_TREE_SIZE);
	uint8_t rng[GUEST_VIRT_RNG_SIZE];
	uint64_t kaslr;
	bool seeded = seed_for_vm(vm->id, rng, sizeof rng, &kaslr);
	struct model_chosen chosen = {
	        .bootargs = from->cmdline,
	        .initrd_start = plan->initrd,
	        .initrd_size = files->initrd_size,
	        .rng_seed = seeded ? rng : NULL,
	        .kaslr_seed = seeded ? &kaslr : NULL,
	};
	int length =
	        room == NULL ? ERR_NO_MEMORY : model_tree(vm, &chosen, room, GUEST_VIRT_TREE_SIZE);
	if (length < 0) {
		log_line("%s: no memory left for its device tree: give the board more", vm->name);
		return NULL;
	}
	*size = (uint64_t)length;
	return room;
}

static bool place(struct vm *vm, const struct files *files, const struct image_plan *plan,
                  const void *tree, uint64_t tree_size)
{
	int error = 0;
	for (uint32_t i = 0; i < plan->nr_segments && error == 0; i++)
		error = stage2_add_source(&vm->stage2, plan->segments[i].ipa,
		                          (const uint8_t *)files->kernel + plan->segments[i].offset,
		                          plan->segments[i].file_size);
	if (error == 0 && files->initrd_size != 0)
		error = stage2_add_source(&vm->stage2, plan->initrd, files->initrd,
		                          files->initrd_size);
	if (error == 0)
		error = stage2_add_source(&vm->stage2, plan->tree, tree, tree_size);
	if (error == 0 && plan->tree_at_base)
		error = stage2_add_source(&vm->stage2, vm->ram_base, tree, tree_size);
	if (error != 0)
		log_line("%s: its kernel has %u parts, more than Mezzo keeps account of: link it "
		         "with "
		         "fewer segments",
		         vm->name, plan->nr_segments);
	return error == 0;
}

static enum vm_on_crash on_crash_of(const struct desc_vm *from)
{
	static const enum vm_on_crash table[] = {
	        [DESC_CRASH_STOP] = VM_CRASH_STOP,
	        [DESC_CRASH_RESTART] = VM_CRASH_RESTART,
	        [DESC_CRASH_HALT_ALL] = VM_CRASH_HALT_ALL,
	};
	return table[from->on_crash];
}

static unsigned choose_gic(const struct board *board, const struct desc_vm *from)
{
	if (from->gic != 0 && from->gic != board->gic.version) {
		log_line(
		        "%s: gic = %u, but this board has a GICv%u, and so far Mezzo gives a guest "
		        "the version that the board has: leave the line out",
		        from->name, from->gic, board->gic.version);
		return 0;
	}
	return board->gic.version;
}

// The rest of a VM whose memory was promised. False: the caller discards it.
static bool furnish(struct vm *vm, const struct desc_vm *from, const struct files *files,
                    const struct image_plan *plan, unsigned gic)
{
	uint64_t tree_size;
	vm->stage2.ram_base = vm->ram_base;
	vm->stage2.ram_size = vm->ram_size;
	vm->on_crash = on_crash_of(from);
	vm->autostart = from->autostart;
	vm->entry = plan->entry;
	vm->tree = plan->tree;
	if (model_create(vm, gic) != 0) {
		log_line("%s: no memory left for its devices: give the board more", vm->name);
		return false;
	}
	const void *tree = make_tree(vm, from, files, plan, &tree_size);
	return tree != NULL && place(vm, files, plan, tree, tree_size) && assign_cpus(vm, from);
}

static struct vm *build(const struct board *board, const struct desc_vm *from)
{
	static struct image_plan plan;
	struct files files;
	unsigned gic = choose_gic(board, from);
	if (gic == 0 || !take_files(from, &files) || !plan_images(from, &files, &plan))
		return NULL;
	struct vm *vm = vm_create(from->name, from->cpus, from->memory);
	if (vm == NULL) {
		log_line("%s: no memory left for another virtual machine: give the board more",
		         from->name);
		return NULL;
	}
	if (!admit(vm) || !furnish(vm, from, &files, &plan, gic) || vm_publish(vm) != 0) {
		vm_discard(vm);
		return NULL;
	}
	log_line("%s: %u vCPU%s, %lu MiB, GICv%u, %s %s, %lu KiB%s", vm->name, vm->nr_vcpus,
	         vm->nr_vcpus == 1 ? "" : "s", vm->ram_size >> 20, gic, image_kind_name(plan.kind),
	         from->kernel->path, files.kernel_size >> 10,
	         from->autostart ? "" : " (autostart = false)");
	return vm;
}

// ---- all of them ----

void config_build(const struct board *board, const void *fdt)
{
	model_set_gicv(PA(board->gic.gicv.base), board->gic.gicv.size);
	if (!read_description(board, fdt) || desc.nr_vms == 0) {
		log_line("nothing to run: no virtual machine is described; this is Mezzo's shell");
		desc.nr_vms = 0; // of a description that is wrong nothing is used
		life_set_policy(false, 0);
		return;
	}
	seed_init(board, fdt);
	for (uint32_t i = 0; i < desc.nr_vms; i++)
		if (build(board, &desc.vms[i]) == NULL)
			failed++;
	life_set_policy(desc.on_all_off == DESC_OFF_POWEROFF, failed);
}

// The view the wire starts in.
static void choose_view(void)
{
	if (desc.console == DESC_CONSOLE_SHELL)
		console_view_shell();
	if (desc.console != DESC_CONSOLE_VM)
		return;
	struct vm *vm = vm_by_name(desc.vms[desc.console_vm].name);
	if (vm != NULL)
		console_view_vm(vm);
}

void config_start(void)
{
	if (desc.nr_vms == 0) {
		console_view_shell();
		return;
	}
	choose_view();
	life_begin_all();
}
