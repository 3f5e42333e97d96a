// SPDX-License-Identifier: Apache-2.0
// From the description to virtual machines: plans each VM, whose files main/bundle.c finds, and builds it.
// Called at the end of the boot, and by the shell when another VM is to be made like one of these. Owns
// the description and the plans; both, and the bundle's pages, stay as they are after the boot, because guests'
// memory is filled from them at first touch and again after each reboot.
// Each VM is checked completely before anything of it exists; one that cannot be built is named with
// the reason and leaves the others alone.
#include "base/bits.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"
#include "console/console.h"
#include "fdt/desc.h"
#include "fdt/guest_virt.h"
#include "fdt/model_facts.h"
#include "fdt/tree.h"
#include "hw/timer.h"
#include "main/boot.h"
#include "main/bundle.h"
#include "main/disks.h"
#include "main/life.h"
#include "main/run.h"
#include "main/seed.h"
#include "mem/pages.h"
#include "vdev/model.h"
#include "vdev/vdisk_host.h"
#include "vdev/vflash.h"
#include "vdev/vswitch.h"
#include "vdev/vuplink.h"
#include "vdev/vvirtio_vsock.h"
#include "vm/image.h"
#include "vm/vm.h"

#define WHY_SIZE 240

static struct desc desc;
static unsigned failed;

struct files {
	const void *kernel, *initrd, *dtb, *sdcard; // kernel: or firmware
	uint64_t kernel_size, initrd_size, dtb_size, sdcard_size;
};

// What every VM made after desc.vms[n] has in common.
static struct plan {
	const struct desc_vm *from; // NULL: it cannot be built
	unsigned gic;
	struct files files;
	struct image_plan image;
} plans[DESC_MAX_VMS];

// ---- what VMs of one kind have in common ----

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

// Images are found again by their names when a VM is built.
static bool take_disks(const struct desc_vm *from)
{
	const void *bytes;
	uint64_t size;
	for (uint32_t i = 0; i < from->nr_disks; i++) {
		const struct desc_disk disk = desc_disk(&desc, from, i);
		if (disk.file != NULL &&
		    !bundle_take(from->name, disk.file, from->verify_sha256, &bytes, &size))
			return false;
	}
	return true;
}

static bool take_files(const struct desc_vm *from, struct files *files)
{
	bool sha256 = from->verify_sha256;
	*files = (struct files){0};
	return bundle_take(from->name, desc_image(from), sha256, &files->kernel,
	                   &files->kernel_size) &&
	       (from->initrd == NULL || bundle_take(from->name, from->initrd, sha256,
	                                            &files->initrd, &files->initrd_size)) &&
	       (from->dtb == NULL ||
	        bundle_take(from->name, from->dtb, sha256, &files->dtb, &files->dtb_size)) &&
	       (from->sdcard == NULL || bundle_take(from->name, from->sdcard, sha256,
	                                            &files->sdcard, &files->sdcard_size)) &&
	       take_disks(from) && check_tree(from, files);
}

static bool plan_images(const struct desc_vm *from, const struct files *files,
                        struct image_plan *image)
{
	static struct image_problem problem;
	const struct model_facts *facts = model_facts(from->machine);
	struct image_request request = {
	        .kernel = files->kernel,
	        .kernel_size = files->kernel_size,
	        .ram_base = facts->ram_base,
	        .ram_size = model_ram(facts, from->memory).kernel_size,
	        .boot_size = facts->boot_size,
	        .initrd_size = files->initrd_size,
	        .tree_size = files->dtb_size + MODEL_TREE_ROOM,
	        .has_load = from->has_load,
	        .has_entry = from->has_entry,
	        .load = from->load,
	        .entry = from->entry,
	};
	int error = from->firmware != NULL ? image_plan_firmware(&request, image, &problem)
	                                   : image_plan(&request, image, &problem);
	if (error == 0)
		return true;
	log_line("%s (%s): %s", from->name, desc_image(from)->path, problem.text);
	return false;
}

// The version of the guest's GIC, 0 if its machine has none. False: it cannot have the one it asks for.
static bool choose_gic(const struct board *board, const struct desc_vm *from, unsigned *version)
{
	unsigned own = board->gic.version != 0 ? board->gic.version : 2;
	*version = 0;
	if (!model_facts(from->machine)->has_gic)
		return true;
	if (from->gic == 3 && own != 3) {
		log_line("%s: gic = 3, but this board has no GICv3, whose CPU interface no "
		         "software can stand for: gic = 2 works everywhere",
		         from->name);
		return false;
	}
	*version = from->gic != 0 ? from->gic : own;
	return true;
}

static bool prepare(const struct board *board, const struct desc_vm *from, struct plan *plan)
{
	if (!choose_gic(board, from, &plan->gic) || !take_files(from, &plan->files) ||
	    !plan_images(from, &plan->files, &plan->image))
		return false;
	plan->from = from;
	return true;
}

// ---- one VM ----
//
// Each step says why not in a sentence: `why`, WHY_SIZE bytes.

// Bytes to make the VM's tree in. A file that is not aligned is put aside while it is read.
static uint64_t tree_room(const struct plan *plan)
{
	uint64_t aside = is_aligned((uintptr_t)plan->files.dtb, 8) ? 0 : plan->files.dtb_size + 8;
	return plan->files.dtb_size + MODEL_TREE_ROOM + aside;
}

// Pages for itself that a VM without further devices does with.
static uint64_t usual_pages(const struct vm *vm, const struct plan *plan)
{
	return tree_room(plan) / PAGE_SIZE + 20 + vm->nr_vcpus * 4;
}

// Promises the VM all the memory it may ever need: itself, its RAM, its tables.
static bool admit(struct vm *vm, const struct plan *plan, char *why)
{
	uint64_t pages =
	        vm->ram_size / PAGE_SIZE + stage2_table_pages(vm->ram_size) + usual_pages(vm, plan);
	if (plan->image.kind == IMAGE_FIRMWARE)
		pages += vflash_pages(plan->files.kernel_size);
	if (!desc.overcommit && pages_commit(pages) != 0) {
		struct pages_count count = pages_counts();
		uint64_t left = count.total > count.committed ? count.total - count.committed : 0;
		print_buffer(why, WHY_SIZE,
		             "memory = %luM, but only %lu MiB of the board's RAM are not promised "
		             "yet (tables count too): lower `memory =`, give the board more, or "
		             "set overcommit = true",
		             vm->ram_size >> 20, left >> 8);
		return false;
	}
	vm->committed = desc.overcommit ? 0 : pages;
	return true;
}

// Promises what its devices took beyond that, once all of them are built.
static bool admit_devices(struct vm *vm, const struct plan *plan)
{
	uint64_t usual = usual_pages(vm, plan), taken = pages_usage((uint16_t)vm->id).data;
	if (desc.overcommit || taken <= usual)
		return true;
	if (pages_commit(taken - usual) != 0)
		return false;
	vm->committed += taken - usual;
	return true;
}

// The device tree: one that describes what was built, or the file that came along, with what this VM is told. An
// error of model_tree, or its size.
static int make_tree(struct vm *vm, const struct plan *plan, const void **tree)
{
	uint64_t size = tree_room(plan);
	void *room = vm_alloc(vm, size);
	uint8_t rng[GUEST_VIRT_RNG_SIZE];
	uint64_t kaslr;
	bool seeded = seed_for_vm(vm->id, rng, sizeof rng, &kaslr);
	struct model_chosen chosen = {
	        .bootargs = plan->from->cmdline,
	        .initrd_start = plan->image.initrd,
	        .initrd_size = plan->files.initrd_size,
	        .rng_seed = seeded ? rng : NULL,
	        .kaslr_seed = seeded ? &kaslr : NULL,
	        .dtb = plan->files.dtb,
	        .dtb_size = plan->files.dtb_size,
	};
	*tree = room;
	return room == NULL ? ERR_NO_MEMORY : model_tree(vm, &chosen, room, size);
}

// What the machine's own start code leaves at the start of RAM, if it has any: the first of the VM's sources.
// ERR_NO_MEMORY.
static int place_boot(struct vm *vm, const struct plan *plan)
{
	uint64_t size = model_facts(plan->from->machine)->boot_size;
	if (size == 0)
		return 0;
	void *bytes = vm_alloc(vm, size);
	if (bytes == NULL)
		return ERR_NO_MEMORY;
	struct model_chosen chosen = {
	        .bootargs = plan->from->cmdline,
	        .initrd_start = plan->image.initrd,
	        .initrd_size = plan->files.initrd_size,
	};
	model_boot(vm, &chosen, bytes);
	return stage2_add_source(&vm->stage2, vm->ram_base, bytes, size);
}

static int place(struct vm *vm, const struct plan *plan, const void *tree, uint64_t tree_size)
{
	const struct files *files = &plan->files;
	const struct image_plan *image = &plan->image;
	int error = 0;
	for (uint32_t i = 0; i < image->nr_segments && error == 0; i++)
		error = stage2_add_source(&vm->stage2, image->segments[i].ipa,
		                          (const uint8_t *)files->kernel +
		                                  image->segments[i].offset,
		                          image->segments[i].file_size);
	if (error == 0 && files->initrd_size != 0)
		error = stage2_add_source(&vm->stage2, image->initrd, files->initrd,
		                          files->initrd_size);
	if (error == 0)
		error = stage2_add_source(&vm->stage2, image->tree, tree, tree_size);
	if (error == 0 && image->tree_at_base)
		error = stage2_add_source(&vm->stage2, vm->ram_base, tree, tree_size);
	return error;
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

// What the description says about how the VM runs. Pins go round: vCPU n has number n modulo their count.
static void set_rules(struct vm *vm, const struct desc_vm *from)
{
	vm->on_crash = on_crash_of(from);
	vm->autostart = from->autostart;
	vm->stop_timeout_ms = from->stop_timeout_ms;
	vm->sched = (struct sched_params){
	        .weight = from->weight,
	        .priority = from->priority,
	        .budget = timer_from_us(from->budget_us),
	        .period = timer_from_us(from->period_us),
	        .exclusive = from->exclusive,
	};
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		vm->vcpu[i]->sched.pin =
		        from->nr_pins != 0 ? from->pin[i % from->nr_pins] : SCHED_ANY_CPU;
}

// Its network interfaces. One that was made after a template has addresses of its own.
static void set_nics(struct vm *vm, const struct desc_vm *from)
{
	bool is_copy = strcmp(vm->name, from->name) != 0;
	vm->nic.count = from->nr_nics;
	for (uint32_t i = 0; i < from->nr_nics; i++) {
		vm->nic.net[i] = from->nic_net[i];
		if (is_copy)
			desc_mac(vm->name, i, vm->nic.mac[i]);
		else
			desc_vm_mac(from, i, vm->nic.mac[i]);
	}
}

// Its sockets. One that was made after a template has a context of its own, and nobody has said that it is to be trusted.
static void set_socket(struct vm *vm, const struct desc_vm *from)
{
	bool is_copy = strcmp(vm->name, from->name) != 0;

	if (from->cid == 0)
		return;
	vm->socket.cid = is_copy ? VSOCK_CID_MADE + vm->id : from->cid;
	vm->socket.group = desc_group(&desc, from);
	vm->socket.manages = from->manage && !is_copy;
}

// The rest of a VM whose memory was promised. False: the caller discards it.
static bool furnish(struct vm *vm, const struct plan *plan, char *why)
{
	const void *tree = NULL;
	vm->stage2.ram_base = vm->ram_base;
	vm->stage2.ram_size = vm->ram_size;
	vm->entry = plan->image.entry;
	vm->tree = plan->image.tree;
	if (plan->image.kind == IMAGE_FIRMWARE)
		vm->firmware = (struct vm_firmware){plan->files.kernel, plan->files.kernel_size};
	vm->card.bytes = plan->files.sdcard;
	vm->card.size = plan->files.sdcard_size;
	vm->card.mode = plan->from->sdcard_mode;
	vm->wants_console = plan->from->virtio_console;
	vm->wants_rng = plan->from->rng;
	vm->wants_balloon = plan->from->balloon;
	vm->virtio_legacy = plan->from->virtio == DESC_VIRTIO_LEGACY;
	vm->has_secret = seed_secret(vm->serial, vm->secret);
	set_rules(vm, plan->from);
	set_socket(vm, plan->from);
	if (!disks_give(vm, &desc, plan->from, bundle_archive(), why, WHY_SIZE) ||
	    sched_admit(vm, why, WHY_SIZE) != 0)
		return false;
	int error = model_create(vm, plan->gic);
	int tree_size = error == 0 ? make_tree(vm, plan, &tree) : error;
	int booted = tree_size < 0 ? tree_size : place_boot(vm, plan);
	if (tree_size == ERR_BUSY)
		print_buffer(
		        why, WHY_SIZE,
		        "no port is left at one of its nets, or somebody there has its address: "
		        "give it another one with `net = { \"NET@ADDRESS\" }`");
	else if (tree_size == ERR_INVALID)
		print_buffer(why, WHY_SIZE,
		             "%s is not a device tree that a kernel can use: correct `dtb =`",
		             plan->from->dtb != NULL ? plan->from->dtb->path : "what it is given");
	else if (booted != 0 || !admit_devices(vm, plan))
		print_buffer(why, WHY_SIZE,
		             "no memory left for its devices and its device tree: "
		             "give the board more");
	else if (place(vm, plan, tree, (uint64_t)tree_size) != 0)
		print_buffer(why, WHY_SIZE,
		             "its kernel has %u parts, more than Mezzo keeps account of: link it "
		             "with fewer segments",
		             plan->image.nr_segments);
	else if (vm_publish(vm) != 0)
		print_buffer(why, WHY_SIZE, "there is a virtual machine of this name already");
	else
		return true;
	sched_dismiss(vm);
	return false;
}

static struct vm *build(const struct plan *plan, const char *name, char *why)
{
	struct vm *vm = vm_create(name, plan->from->cpus, plan->from->memory);
	if (vm == NULL) {
		print_buffer(why, WHY_SIZE,
		             vm_count() == VM_MAX ? "there are %u virtual machines, as many as "
		                                    "Mezzo takes: destroy one"
		                                  : "no memory left for another virtual machine: "
		                                    "give the board more",
		             VM_MAX);
		return NULL;
	}
	model_choose(vm, plan->from->machine, plan->from->memory);
	set_nics(vm, plan->from);
	vdisk_host_release(vm->id); // of the VM that had the number before
	if (!admit(vm, plan, why) || !furnish(vm, plan, why)) {
		model_destroy(vm);
		vdisk_host_release(vm->id);
		vm_discard(vm);
		return NULL;
	}
	char machine[16];
	print_buffer(machine, sizeof machine, "GICv%u", plan->gic);
	log_line("%s: %u vCPU%s, %lu MiB, %s, %s %s, %lu KiB%s", vm->name, vm->nr_vcpus,
	         vm->nr_vcpus == 1 ? "" : "s", vm->ram_size >> 20,
	         plan->gic != 0 ? machine : vm->model->name, image_kind_name(plan->image.kind),
	         desc_image(plan->from)->path, plan->files.kernel_size >> 10,
	         vm->autostart ? "" : " (autostart = false)");
	return vm;
}

// ---- one more, after the boot ----

static const struct plan *find_template(const char *name)
{
	for (uint32_t i = 0; i < desc.nr_vms; i++)
		if (strcmp(desc.vms[i].name, name) == 0)
			return &plans[i];
	return NULL;
}

static bool is_name(const char *name)
{
	static const char *const ours[] = {"mezzo", "all", "shell"};
	size_t length = strlen(name);
	if (length == 0 || length > DESC_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = name[i];
		bool word = (c >= '0' && c <= '9') || ((c | ' ') >= 'a' && (c | ' ') <= 'z');
		if (!word && (i == 0 || (c != '.' && c != '_' && c != '-')))
			return false;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			return false;
	return true;
}

const char *config_create(const char *name, const char *from, struct vm **made)
{
	static char why[WHY_SIZE];
	static uint32_t
	        busy; // atomically: `why`, and what libfdt writes a tree with, are one caller's
	const struct plan *plan = find_template(from);
	if (!is_name(name))
		return "a name has 1 to 31 letters, digits and, after the first, - _ . and is not "
		       "mezzo, all "
		       "or shell";
	if (plan == NULL || plan->from == NULL)
		return plan == NULL ? "the description has no such template"
		                    : "this template could not be used: the log says why";
	if (plan->from->autostart)
		return "only a virtual machine with autostart = false is a template";
	if (vm_by_name(name) != NULL)
		return "there is a virtual machine of this name already";
	if (exchange(&busy, 1) != 0)
		return "another one is being made this moment: try again";
	*made = build(plan, name, why);
	store_release(&busy, 0);
	if (*made == NULL)
		return why;
	console_vms_changed();
	return NULL;
}

// ---- all of them ----

static bool build_described(const struct board *board, const struct desc_vm *from,
                            struct plan *plan)
{
	char why[WHY_SIZE];
	if (!prepare(board, from, plan))
		return false;
	if (build(plan, from->name, why) != NULL)
		return true;
	log_line("%s: %s", from->name, why);
	return false;
}

// A net without its uplink still connects its VMs.
static void build_net(uint32_t number, const struct desc_net *net)
{
	if (vswitch_create(number, net) != 0) {
		log_line("net %s: no memory left for its switch: give the board more", net->name);
		return;
	}
	const char *why = net->uplink != NULL ? vuplink_create(number, net->uplink) : NULL;
	if (why != NULL)
		log_line("net %s: no uplink host:%s: %s; `devices` lists what there is", net->name,
		         net->uplink, why);
}

void config_build(const struct board *board, const void *fdt)
{
	model_set_gicv(PA(board->gic.gicv.base), board->gic.gicv.size);
	if (!bundle_describe(board, fdt, &desc) || desc.nr_vms == 0) {
		log_line("nothing to run: no virtual machine is described; this is Mezzo's shell");
		desc.nr_vms = 0; // of a description that is wrong nothing is used
		life_set_policy(false, 0);
		return;
	}
	seed_init(board, fdt);
	for (uint32_t i = 0; i < desc.nr_nets; i++)
		build_net(i, &desc.nets[i]);
	for (uint32_t i = 0; i < desc.nr_vms; i++)
		if (!build_described(board, &desc.vms[i], &plans[i]))
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
	// Each CPU takes note of it before it first enters a guest.
	for (uint32_t i = 0; desc.plain_exits && i < cpu_count(); i++)
		vcpu_post_cpu(cpu_get(i), CPU_WORK_PLAIN);
	life_begin_all();
}
