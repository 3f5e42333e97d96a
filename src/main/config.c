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
#include "main/boot.h"
#include "main/run.h"
#include "main/seed.h"
#include "mem/pages.h"
#include "vdev/model.h"
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

static bool digest_matches(const void *bytes, uint64_t size, const uint8_t *wanted)
{
	struct sha256 hash;
	uint8_t digest[SHA256_SIZE];
	sha256_init(&hash);
	sha256_update(&hash, bytes, size);
	sha256_final(&hash, digest);
	return memcmp(digest, wanted, sizeof digest) == 0;
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
		         "damaged on its way",
		         vm, file->path, crc, file->crc32);
		return false;
	}
	if (sha256 && !digest_matches(*bytes, *size, file->sha256)) {
		log_line("%s: %s: its SHA-256 is not what the description says: refused (verify = "
		         "sha256)",
		         vm, file->path);
		return false;
	}
	return true;
}

// Opens the initrd as an archive and walks it once, so that damage is found before anything is built.
static bool open_bundle(const struct board *board)
{
	struct cpio_member member;
	int result;
	if (board->initrd.size == 0) {
		log_line("no bundle: the board gave no initrd; make one with: mezzo pack FILE.conf "
		         "-o BUNDLE.cpio");
		return false;
	}
	cpio_open(&bundle, (const void *)(uintptr_t)board->initrd.base, board->initrd.size);
	struct cpio walk = bundle;
	while ((result = cpio_next(&walk, &member)) > 0)
		;
	if (result < 0) {
		log_line("bundle: %s, at byte %lu of %lu: pack it again", cpio_error_text(result),
		         walk.at, board->initrd.size);
		return false;
	}
	return true;
}

static bool report_description(int error, const struct desc_problem *problem, const char *where)
{
	if (error == 0)
		return true;
	if (error == ERR_NOT_FOUND)
		log_line("%s: no /mezzo node in it: pack it again", where);
	else
		log_line("%s: %s", where, problem->text);
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
		return report_description(error, &problem, "board's device tree");
	}
	if (!has_bundle)
		return false;
	if (cpio_find(&bundle, DESCRIPTION_FILE, &member) != CPIO_OK) {
		log_line("bundle: it has no file " DESCRIPTION_FILE ": make it with: mezzo pack");
		return false;
	}
	// libfdt wants the tree 8-byte aligned; archives of other tools may not have it so.
	const void *tree = member.data;
	if (!is_aligned((uintptr_t)tree, 8)) {
		unsigned order = 0;
		while ((PAGE_SIZE << order) < member.size && order < PAGES_MAX_ORDER)
			order++;
		pa_t copy = pages_alloc(order, OWNER_BUNDLE, PAGE_BOOT, NULL);
		if (copy.v == 0 || (PAGE_SIZE << order) < member.size) {
			log_line("bundle: " DESCRIPTION_FILE
			         " is not aligned and too large to copy");
			return false;
		}
		memcpy((void *)(uintptr_t)copy.v, member.data, member.size);
		tree = (const void *)(uintptr_t)copy.v;
	}
	int error = desc_read(tree, member.size, &desc, &problem);
	return report_description(error, &problem, DESCRIPTION_FILE);
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

static bool assign_cpus(struct vm *vm, const struct desc_vm *from)
{
	for (uint32_t i = 0; i < vm->nr_vcpus; i++) {
		uint32_t cpu = choose_cpu(from, i);
		if (cpu == NO_CPU) {
			if (from->nr_pins != 0)
				log_line("%s: pin: CPU %u %s", vm->name, from->pin[i],
				         from->pin[i] < cpu_count()
				                 ? "belongs to another virtual machine"
				                 : "does not exist on this board");
			else
				log_line("%s: %u vCPUs, but only %u of the board's %u CPUs are "
				         "left: each vCPU has a CPU "
				         "to itself in this version",
				         vm->name, vm->nr_vcpus, i, cpu_count());
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

static bool take_files(const struct desc_vm *from, struct files *files)
{
	bool sha256 = from->verify_sha256;
	*files = (struct files){0};
	return take_file(from->name, from->kernel, sha256, &files->kernel, &files->kernel_size) &&
	       (from->initrd == NULL ||
	        take_file(from->name, from->initrd, sha256, &files->initrd, &files->initrd_size)) &&
	       (from->dtb == NULL ||
	        take_file(from->name, from->dtb, sha256, &files->dtb, &files->dtb_size));
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
	log_line("%s: %s", from->name, problem.text);
	return false;
}

// Promises the VM all the memory it may ever need: itself, its RAM, its tables.
static bool admit(struct vm *vm)
{
	uint64_t pages =
	        vm->ram_size / PAGE_SIZE + stage2_table_pages(vm->ram_size) + 16 + vm->nr_vcpus * 4;
	if (!desc.overcommit && pages_commit(pages) != 0) {
		struct pages_count count = pages_counts();
		log_line("%s: memory = %luM, but %lu MiB are left of %lu MiB: give it less, or the "
		         "board more",
		         vm->name, vm->ram_size >> 20, (count.total - count.committed) >> 8,
		         count.total >> 8);
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
		log_line("%s: no room for its device tree", vm->name);
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
		log_line("%s: its kernel has more parts than Mezzo keeps account of", vm->name);
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
		log_line("%s: gic = %u, but this board has a GICv%u, and Mezzo gives a guest the "
		         "board's own "
		         "version so far: leave the line out",
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
	vm->entry = plan->entry;
	vm->tree = plan->tree;
	if (model_create(vm, gic) != 0) {
		log_line("%s: no memory for its devices", vm->name);
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
		log_line("%s: no memory left for another virtual machine", from->name);
		return NULL;
	}
	if (!admit(vm) || !furnish(vm, from, &files, &plan, gic)) {
		vm_discard(vm);
		return NULL;
	}
	vm_publish(vm);
	log_line("%s: %u vCPU%s, %lu MiB, GICv%u, %s %s, %lu KiB%s", vm->name, vm->nr_vcpus,
	         vm->nr_vcpus == 1 ? "" : "s", vm->ram_size >> 20, gic, image_kind_name(plan.kind),
	         from->kernel->path, files.kernel_size >> 10,
	         from->autostart ? "" : " (autostart = false)");
	return vm;
}

// ---- all of them ----

static uint64_t to_start; // a bit for each VM of vm_get's order

void config_build(const struct board *board, const void *fdt)
{
	model_set_gicv(PA(board->gic.gicv.base), board->gic.gicv.size);
	if (!read_description(board, fdt)) {
		log_line("no virtual machine was described; Ctrl-] 0 is the shell");
		life_set_policy(false, 0);
		return;
	}
	seed_init(board, fdt);
	for (uint32_t i = 0; i < desc.nr_vms; i++) {
		struct vm *vm = build(board, &desc.vms[i]);
		if (vm == NULL)
			failed++;
		else if (desc.vms[i].autostart)
			to_start |= BIT_U64(vm_count() - 1);
	}
	life_set_policy(desc.on_all_off == DESC_OFF_POWEROFF, failed);
}

// The view the wire starts in.
static void choose_view(void)
{
	if (desc.console == DESC_CONSOLE_SHELL)
		console_view_shell();
	for (uint32_t i = 0; i < vm_count() && desc.console == DESC_CONSOLE_VM; i++)
		if (strcmp(vm_get(i)->name, desc.vms[desc.console_vm].name) == 0)
			console_view_vm(vm_get(i));
}

void config_start(void)
{
	if (desc.nr_vms == 0) {
		console_view_shell();
		return;
	}
	choose_view();
	for (uint32_t i = 0; i < vm_count(); i++)
		if ((to_start & BIT_U64(i)) != 0)
			life_begin(vm_get(i));
	life_check_all_off();
}
