// SPDX-License-Identifier: Apache-2.0
// From a bundle to virtual machines: whole bundles become what they describe, and each way to get one
// wrong has its sentence, leaves the other VMs alone, and costs no memory.
#include "config_bench.h"

#include "base/print.h"
#include "hw/block.h"
#include "vdev/vvirtio.h"

// ---- whole bundles ----

// Each byte of the guest's memory that something was put to.
static void assert_memory(struct vm *vm, uint64_t ipa, const void *bytes, size_t size)
{
	uint8_t *read = malloc(size);
	assert_int_equal(vm_read_memory(vm, IPA(ipa), read, size), 0);
	assert_memory_equal(read, bytes, size);
	free(read);
}

static void test_a_whole_one(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 300001);
	struct file *initrd = add_file("rootfs", 70001);
	settings = "on-all-off = \"poweroff\"; console = \"vm0\";";
	pack(VM(0, MEMORY(32) "initrd = \"rootfs\"; cmdline = \"quiet\"; on-crash = \"restart\";"));
	configure();
	assert_int_equal(vm_count(), 1);
	struct vm *vm = vm_by_id(1);
	assert_string_equal(vm->name, "vm0");
	assert_int_equal(vm->ram_size, MIB(32));
	assert_int_equal(vm->on_crash, VM_CRASH_RESTART);
	assert_int_equal(vm->gic_version, 3);
	assert_int_equal(vm->state, VM_CREATED);
	assert_non_null(vm->vcpu[0]->cpu);
	assert_true(told.power_off && told.failed == 0 && told.begun == 1);
	assert_true(told.views == 1 && told.shell == 0);
	assert_int_equal(stage2_create(&vm->stage2, 1, vm->ram_base, vm->ram_size), 0);
	assert_memory(vm, vm->entry, files[0].bytes, files[0].size);
	const struct stage2_source *at = &vm->stage2.source[1];
	assert_int_equal(at->size, initrd->size);
	assert_memory(vm, at->ipa, initrd->bytes, initrd->size);
	uint8_t magic[4];
	assert_int_equal(vm_read_memory(vm, IPA(vm->tree), magic, 4), 0);
	assert_memory_equal(magic, "\xd0\x0d\xfe\xed", 4);
}

// Firmware: nothing of it in memory, its tree at the start of it, and room in flash promised.
static void test_firmware(void **state)
{
	uint8_t magic[4];
	(void)state;
	begin();
	add_file("u-boot.bin", 5000)->bytes[0] = 0x0a;
	pack("vm@0 { compatible = \"mezzo,vm\"; vm-name = \"fw\"; cpus = <1>; firmware = "
	     "\"u-boot.bin\";"
	     " memory = /bits/ 64 <0x1000000>; };"
	     "vm@1 { compatible = \"mezzo,vm\"; vm-name = \"kernel\"; cpus = <1>; kernel = "
	     "\"u-boot.bin\"; load = /bits/ 64 <0x40080000>; memory = /bits/ 64 <0x1000000>; };");
	configure();
	assert_int_equal(vm_count(), 2);
	struct vm *vm = vm_by_id(1), *other = vm_by_id(2);
	assert_int_equal(vm->entry, 0);
	assert_int_equal(vm->tree, vm->ram_base);
	assert_int_equal(vm->firmware.size, 5000);
	assert_memory_equal(vm->firmware.bytes, files[0].bytes, 5000);
	assert_non_null(vm->flash);
	assert_null(other->flash);
	// Two pages of firmware, tables for both banks; and what the flash took of itself beyond what is usual.
	assert_true(vm->committed >= other->committed + 2 + 64);
	assert_int_equal(stage2_create(&vm->stage2, 1, vm->ram_base, vm->ram_size), 0);
	assert_int_equal(vm_read_memory(vm, IPA(vm->tree), magic, 4), 0);
	assert_memory_equal(magic, "\xd0\x0d\xfe\xed", 4);
}

// A Raspberry Pi: its memory at 0, start code and tags in front, all cores to begin, and its tree patched.
static void test_a_raspberry_pi(void **state)
{
	uint8_t page[4096], bytes[8];
	(void)state;
	begin();
	add_file("kernel8.img", 5000)->bytes[0] = 0xd5;
	add_file("rootfs", 70001);
	struct tree_file tree = tree_file_compile("/ { #address-cells = <1>; #size-cells = <1>;"
	                                          " chosen { bootargs = \"old\"; }; };");
	struct file *dtb = add_file("pi.dtb", (unsigned)tree.size);
	memcpy(dtb->bytes, tree.bytes, tree.size);
	tree_file_free(&tree);
	pack("vm@0 { compatible = \"mezzo,vm\"; vm-name = \"pi\"; machine = \"raspi3\"; cpus = <4>;"
	     " kernel = \"kernel8.img\"; initrd = \"rootfs\"; dtb = \"pi.dtb\"; cmdline = \"new\";"
	     " memory = /bits/ 64 <0x4000000>; };");
	configure();
	assert_int_equal(vm_count(), 1);
	struct vm *vm = vm_by_id(1);
	assert_int_equal(vm->ram_base, 0);
	assert_int_equal(vm->video_base, MIB(48));
	assert_int_equal(vm->ram_size, MIB(64));
	assert_int_equal(vm->entry, 0x80000);
	assert_int_equal(vm->park, 0);
	assert_int_equal(vm->gic_version, 0);
	assert_null(vm->power_key);
	assert_true(vm->tree < vm->video_base);
	assert_int_equal(stage2_create(&vm->stage2, 1, vm->ram_base, vm->ram_size), 0);
	assert_memory(vm, 0x80000, files[0].bytes, files[0].size);
	assert_int_equal(vm_read_memory(vm, IPA(0), page, sizeof page), 0);
	assert_memory_equal(page + 0x104, "\x01\0\x41\x54", 4);
	assert_non_null(memmem(page, sizeof page, "new", 4));
	uint8_t patched[8192];
	assert_int_equal(vm_read_memory(vm, IPA(vm->tree), patched, sizeof patched), 0);
	assert_non_null(memmem(patched, sizeof patched, "new", 4));
	assert_null(memmem(patched, sizeof patched, "old", 4));
	assert_non_null(memmem(patched, sizeof patched, "linux,initrd-end", 16));
	// The first touch of the video processor's part finds memory; what lies above all of it is not there.
	assert_int_equal(vm_read_memory(vm, IPA(MIB(64) - 8), bytes, 8), 0);
	assert_int_equal(vm_read_memory(vm, IPA(MIB(64) - 4), bytes, 8), ERR_FAULT);
}

static void test_a_tree_of_other_tools(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 100000);
	struct tree_file tree = describe(VM(0, MEMORY(16)));
	pack_tree(&tree, false); // cpio itself keeps to multiples of four
	tree_file_free(&tree);
	configure();
	assert_int_equal(vm_count(), 1);
}

static void test_several(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 100000);
	pack(VM(0, MEMORY(16) "pin = <3>;") VM(1, MEMORY(16) "autostart = <0>;") VM(2, MEMORY(16)));
	configure();
	assert_int_equal(vm_count(), 3);
	assert_int_equal(vm_by_id(1)->vcpu[0]->cpu->id, 3);
	assert_int_equal(vm_by_id(1)->vcpu[0]->sched.pin, 3);
	assert_int_equal(vm_by_id(2)->vcpu[0]->sched.pin, SCHED_ANY_CPU);
	assert_int_equal(told.begun, 5); // not the second
	assert_int_equal(told.failed, 0);
}

// What was promised is enough, to the last page, for the largest VM that is admitted.
static void test_what_is_promised_is_there(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 100000);
	unsigned mib = ARENA / MIB(1);
	for (; vm_count() == 0; mib--) {
		char rest[512];
		snprintf(rest, sizeof rest, VM(0, "cpus = <8>; memory = /bits/ 64 <(%u << 20)>;"),
		         mib);
		rest[0] = ' ';
		char *one = strstr(rest, "cpus = <1>; ");
		memset(one, ' ', strlen("cpus = <1>; "));
		pack(rest);
		assert_true(mib > 100);
		configure();
	}
	struct vm *vm = vm_by_id(1);
	for (unsigned life = 0; life < 2; life++) {
		pages_prepare(); // and a block is half zeroed all the time
		assert_int_equal(stage2_create(&vm->stage2, 1, vm->ram_base, vm->ram_size), 0);
		assert_int_equal(stage2_map_device(&vm->stage2, 0x8010000, PA(0x1000), KIB(8)), 0);
		for (uint64_t o = 0; o < vm->ram_size; o += PAGE_SIZE)
			assert_int_equal(stage2_fault(&vm->stage2, IPA(vm->ram_base + o)), 0);
		uint64_t used = before.free - pages_counts().free;
		assert_true(used <= vm->committed + (1 << PAGES_MAX_ORDER));
		while (stage2_destroy_some(&vm->stage2))
			;
	}
}

// ---- no bundle, or none that can be read ----

static void test_no_bundle(void **state)
{
	(void)state;
	begin();
	configure();
	assert_refused("no bundle: the boot loader gave no initrd");
	assert_said("mezzo pack");
	assert_true(told.shell == 1 && !told.power_off && told.failed == 0);
}

static void test_not_a_cpio(void **state)
{
	(void)state;
	begin();
	archive = calloc(1, archive_size = 8192);
	memcpy(archive, "Welcome to the wrong file.", 26);
	configure();
	assert_refused("bundle: ");
	assert_said("`mezzo pack` wrote");
	memcpy(archive, "\x1f\x8b\x08", 3);
	configure();
	assert_refused("compressed with gzip");
	memcpy(archive,
	       "\xfd"
	       "7zXZ",
	       6);
	configure();
	assert_refused("compressed with xz");
	memcpy(archive, "\x28\xb5\x2f\xfd", 4);
	configure();
	assert_refused("compressed with zstd");
	archive_size = 1;
	configure();
	assert_refused("bundle: ");
}

static void test_truncated(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 60000);
	pack(VM(0, MEMORY(16)));
	size_t whole = archive_size;
	for (size_t size = 1; size < whole; size += size < 5000 ? 97 : 1021) {
		archive_size = size;
		said[0] = 0;
		configure();
		assert_refused("bundle: ");
		if (size > 6)
			assert_said("load all of it");
	}
}

static void test_no_description(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 60000);
	pack_tree(NULL, true);
	configure();
	assert_refused("it has no file mezzo.dtb");
	said[0] = 0;
	struct tree_file tree = tree_file_compile("/ { other { }; };");
	pack_tree(&tree, true);
	configure();
	assert_refused("bundle: mezzo.dtb: ");
	said[0] = 0;
	memset(tree.bytes, 0x55, tree.size);
	pack_tree(&tree, true);
	configure();
	assert_refused("bundle: mezzo.dtb: ");
	assert_said("nothing of it is used");
	tree_file_free(&tree);
}

static void test_a_description_that_is_wrong(void **state)
{
	(void)state;
	one_vm(MEMORY(1));
	assert_refused("/mezzo/vm@0");
	assert_true(!told.power_off && told.failed == 0 && told.shell == 1);
}

static void test_too_large_a_description_off_its_place(void **state)
{
	(void)state;
	begin();
	struct tree_file tree = {calloc(1, MIB(3)), MIB(3)};
	pack_tree(&tree, false);
	tree_file_free(&tree);
	configure();
	assert_refused("mezzo.dtb does not start at a multiple of 8");
}

// ---- files ----

static void test_damaged_on_its_way(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(16)));
	size_t body = 0; // of the kernel: where its own bytes are
	while (memcmp(archive + body, files[0].bytes, 64) != 0)
		body++;
	for (size_t at = 0; at < 50000; at += 4093) {
		archive[body + at] ^= 0x10;
		said[0] = 0;
		told.failed = 0;
		configure();
		assert_refused("vm0: Image: CRC-32 is ");
		assert_said("damaged on its way");
		archive[body + at] ^= 0x10;
	}
	configure();
	assert_int_equal(vm_count(), 1);
}

static void test_not_what_was_packed(void **state)
{
	(void)state;
	begin();
	struct file *kernel = add_kernel("Image", 50000);
	kernel->sha256 = true;
	kernel->sha_lie = 1;
	pack(VM(0, MEMORY(16) "verify = \"sha256\";"));
	configure();
	assert_refused("vm0: Image: SHA-256 is ");
	assert_said("refused (verify = sha256)");
	assert_int_equal(told.failed, 1);
	kernel->sha_lie = 0;
	pack(VM(0, MEMORY(16) "verify = \"sha256\";"));
	configure();
	assert_int_equal(vm_count(), 1);
}

static void test_files_that_are_not_there(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000)->absent = true;
	pack(VM(0, MEMORY(16)));
	configure();
	assert_refused("vm0: the bundle has no file Image");
	files[0].absent = false;
	files[0].size_lie = 1;
	pack(VM(0, MEMORY(16)));
	configure();
	assert_refused("vm0: Image: 50000 bytes in the bundle, 50001 in the description");
	files[0].size_lie = 0;
	add_file("rootfs", 5000)->absent = true;
	pack(VM(0, MEMORY(16) "initrd = \"rootfs\";"));
	configure();
	assert_refused("vm0: the bundle has no file rootfs");
}

static void test_no_kernel(void **state)
{
	(void)state;
	begin();
	struct file *kernel = add_kernel("Image", 50000);
	memcpy(kernel->bytes, "\x1f\x8b\x08", 3);
	memset(kernel->bytes + 56, 0, 4);
	pack(VM(0, MEMORY(16)));
	configure();
	assert_refused("vm0 (Image): ");
	assert_said("gzip");
	assert_int_equal(told.failed, 1);
}

static void test_a_tree_that_is_none(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	add_file("my.dtb", 5000);
	pack(VM(0, MEMORY(16) "dtb = \"my.dtb\";"));
	configure();
	assert_refused("vm0: my.dtb is not a device tree");
}

static void test_too_large(void **state)
{
	(void)state;
	begin();
	struct file *kernel = add_kernel("Image", 50000);
	struct file *initrd = add_file("rootfs", 50000);
	put64(kernel->bytes + 16, MIB(40)); // its image_size
	pack(VM(0, MEMORY(16)));
	configure();
	assert_refused("vm0 (Image): ");
	assert_said("memory");
	put64(kernel->bytes + 16, MIB(4));
	said[0] = 0;
	initrd->bytes = realloc(initrd->bytes, initrd->size = MIB(15));
	memset(initrd->bytes, 1, initrd->size);
	pack(VM(0, MEMORY(16) "initrd = \"rootfs\";"));
	configure();
	assert_refused("vm0 (Image): ");
	assert_said("initrd");
}

// ---- what the board has ----

static void test_more_memory_than_there_is(void **state)
{
	(void)state;
	one_vm(MEMORY(256));
	assert_refused("vm0: memory = 256M, but only 126 MiB of the board's RAM");
	assert_int_equal(told.failed, 1);
	settings = "overcommit;";
	pack(VM(0, MEMORY(256)));
	configure();
	assert_int_equal(vm_count(), 1);
	assert_int_equal(vm_by_id(1)->committed, 0);
}

static void test_a_board_with_next_to_nothing(void **state)
{
	(void)state;
	begin_with(MIB(1));
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(16)));
	configure();
	assert_refused("vm0: memory = 16M, but only 0 MiB");
}

static void test_memory_is_promised_once(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(80)) VM(1, MEMORY(80)) VM(2, MEMORY(16)));
	configure();
	assert_said("vm1: memory = 80M");
	assert_int_equal(vm_count(), 2);
	assert_string_equal(vm_by_id(2)->name, "vm2");
	assert_int_equal(told.failed, 1);
	assert_int_equal(told.begun, 3);
}

// vCPUs share CPUs: there may be more of them, and of those that are pinned to one.
static void test_more_vcpus_than_cpus(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(" vm@0 { compatible = \"mezzo,vm\"; vm-name = \"wide\"; kernel = \"Image\"; cpus = "
	     "<8>; " MEMORY(16) " }; vm@1 { compatible = \"mezzo,vm\"; vm-name = \"wider\"; kernel "
	                        "= \"Image\";"
	                        " cpus = <8>; pin = <2 5 6>; " MEMORY(16) " };" VM(
	                                2, MEMORY(16) "pin = <2>;"));
	configure();
	assert_int_equal(vm_count(), 3);
	assert_int_equal(told.failed, 0);
	static const uint32_t pins[] = {2, 5, 6, 2, 5, 6, 2, 5};
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(vm_by_id(2)->vcpu[i]->sched.pin, pins[i]);
}

static void test_pins(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(16) "pin = <2>; exclusive;") VM(1, MEMORY(16) "pin = <2>;")
	             VM(2, MEMORY(16) "pin = <8>;"));
	configure();
	assert_int_equal(vm_count(), 1);
	assert_true(vm_by_id(1)->sched.exclusive);
	assert_said("vm1: pin: CPU 2 belongs to vm0");
	assert_said("vm2: pin: there is no CPU 8 on this board: its 8 CPUs are 0 to 7");
	assert_int_equal(told.failed, 2);
}

static void test_what_it_was_promised(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(16) "weight = <300>; priority = <3>; stop-timeout = <5000>;")
	             VM(1, MEMORY(16) "budget = <200 1000>; pin = <1>;")
	                     VM(2, MEMORY(16) "budget = <800 1000>; pin = <1>;"));
	configure();
	assert_int_equal(vm_count(), 2);
	const struct vm *vm = vm_by_id(1);
	assert_true(vm->sched.weight == 300 && vm->sched.priority == 3 && vm->sched.budget == 0);
	assert_int_equal(vm->stop_timeout_ms, 5000);
	vm = vm_by_id(2);
	assert_true(vm->sched.weight == 100 && vm->sched.priority == 0);
	assert_true(vm->sched.budget == 200 * (HZ / 1000000) &&
	            vm->sched.period == 1000 * (HZ / 1000000));
	assert_int_equal(vm->stop_timeout_ms, 10000);
	assert_said("vm2: budget: CPU 1 can promise no more than");
}

static const char *create(const char *name, const char *from)
{
	struct vm *made = NULL;
	const char *why = config_create(name, from, &made);
	assert_true((why == NULL) == (made != NULL));
	if (why == NULL) {
		assert_ptr_equal(vm_by_name(name), made);
		assert_int_equal(made->state, VM_CREATED);
	}
	return why;
}

// ---- disks ----

static struct block_dev disk_a = {.name = "", .sectors = 1000, .nr_partitions = 2};
static struct block_dev disk_b = {.name = "", .sectors = 1000, .read_only = true};

static void add_disks(void)
{
	if (block_get(0) != NULL) // of the board, and the program runs but once
		return;
	disk_a.block_size = disk_b.block_size = 512;
	disk_a.partition[0] = (struct block_partition){.first = 100, .sectors = 300, .number = 1};
	disk_a.partition[1] = (struct block_partition){.first = 400, .sectors = 600, .number = 2};
	assert_int_equal(block_add(&disk_a), 0);
	assert_int_equal(block_add(&disk_b), 0);
}

static void test_disks(void **state)
{
	(void)state;
	begin();
	add_disks();
	add_kernel("Image", 50000);
	struct file *image = add_file("data.img", 1536);
	pack(VM(0, MEMORY(16) "disks = \"keep:data.img\", \"host:vda2\", \"ro:data.img\";"
	                      "virtio = \"legacy\";")
	             VM(1, MEMORY(16) "disks = \"host-ro:vda1\", \"host-ro:vdb\";")
	                     VM(2, MEMORY(16) "disks = \"host-ro:vda1\";"));
	configure();
	assert_int_equal(vm_count(), 3);
	const struct vm *vm = vm_by_id(1);
	assert_int_equal(vm->nr_disks, 3);
	assert_true(vm->virtio_legacy);
	assert_int_equal(vm->disk[0].image.size, 1536);
	assert_memory_equal(vm->disk[0].image.bytes, image->bytes, 1536);
	assert_int_equal(vm->disk[0].image.mode, DESC_IMAGE_KEEP);
	assert_ptr_equal(vm->disk[1].range.dev, &disk_a);
	assert_int_equal(vm->disk[1].range.first, 400);
	assert_int_equal(vm->disk[1].image.size, 0);
	assert_int_equal(vm->disk[2].image.mode, DESC_IMAGE_RO);
	assert_true(vm->virtio->count >= 3);
	assert_int_equal(vm_by_id(2)->disk[1].range.dev->read_only, true);
	assert_false(vm_by_id(2)->virtio_legacy);
}

// What all its devices take is promised as well.
static void test_devices_are_promised(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(" net@0 { reg = <0>; compatible = \"mezzo,net\"; net-name = \"lan0\"; };" VM(
	        0, MEMORY(16) "nets = \"lan0\", \"lan0\", \"lan0\", \"lan0\";"
	                      "virtio-console; balloon; vsock = <10>;"));
	configure();
	assert_int_equal(vm_count(), 1);
	const struct vm *vm = vm_by_id(1);
	assert_int_equal(vm->virtio->count, 4 + 3);
	uint64_t others = vm->ram_size / PAGE_SIZE + stage2_table_pages(vm->ram_size);
	assert_true(vm->committed >= others + pages_usage(1).data);
	// The net's switch is EL2's own, and counts as promised to that.
	assert_int_equal(pages_counts().committed,
	                 before.committed + vm->committed + pages_usage(OWNER_EL2).data);
}

// A context is as the description has it; what is made after a VM gets one of its own, and no trust.
static void test_sockets(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(16) "vsock = <10>; vsock-group = \"fleet\"; manage; autostart = <0>;")
	             VM(1, MEMORY(16) "vsock = <11>;") VM(2, MEMORY(16) "")
	                     VM(3, MEMORY(16) "vsock = <12>; vsock-group = \"fleet\";"));
	configure();
	assert_null(create("more", "vm0"));
	const struct vm *first = vm_by_id(1), *more = vm_by_id(5);
	assert_int_equal(first->socket.cid, 10);
	assert_true(first->socket.manages && first->vsock != NULL);
	assert_int_equal(vm_by_id(2)->socket.group, 0);
	assert_false(vm_by_id(2)->socket.manages);
	assert_null(vm_by_id(3)->vsock);
	assert_int_equal(vm_by_id(4)->socket.group, first->socket.group);
	assert_int_not_equal(first->socket.group, 0);
	assert_int_equal(more->socket.cid, 4096 + 5);
	assert_int_equal(more->socket.group, first->socket.group);
	assert_false(more->socket.manages);
}

static void test_disks_that_are_not_there(void **state)
{
	static const struct {
		const char *disks, *why;
	} cases[] = {
	        {"disks = \"host:vdc\";",
	         "vm0: disk = host:vdc: the board has no such disk; it has "
	         "vda, vda1, vda2, vdb"},
	        {"disks = \"host:vda3\";", "vm0: disk = host:vda3: the board has no such disk"},
	        {"disks = \"host:vdb\";", "vm0: disk = host:vdb: this disk is read-only: write "
	                                  "ro:host:vdb"},
	        {"disks = \"host:vda1\", \"host:vda1\";",
	         "vm0: disk = host:vda1: vm0 has sectors of it "
	         "already, and one of them may write"},
	        {"disks = \"host:vda1\", \"host-ro:vda\";",
	         "vm0: disk = host:vda: vm0 has sectors"},
	};
	(void)state;
	begin();
	add_disks();
	add_kernel("Image", 50000);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		char vms[400];
		print_buffer(vms, sizeof vms, VM(0, MEMORY(16) "%s"), cases[i].disks);
		pack(vms);
		configure();
		assert_refused(cases[i].why);
	}
}

// Who writes to sectors has them alone, until it is gone; one that cannot be built has none.
static void test_disks_are_one_s(void **state)
{
	(void)state;
	begin();
	add_disks();
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(16) "disks = \"host:vda1\"; autostart = <0>;")
	             VM(1, MEMORY(16) "disks = \"host-ro:vda\";")
	                     VM(2, MEMORY(16) "disks = \"host:vda2\", \"host:vdx\";")
	                             VM(3, MEMORY(16) "disks = \"host:vda2\";"));
	configure();
	assert_said("vm1: disk = host:vda: vm0 has sectors of it already");
	assert_said("vm2: disk = host:vdx: the board has no such disk");
	assert_int_equal(vm_count(), 2);
	assert_int_equal(told.failed, 2);
	assert_non_null(strstr(create("more", "vm0"), "vm0 has sectors of it already"));
	struct vm *vm = vm_by_name("vm0");
	vm_withdraw(vm);
	sched_dismiss(vm);
	vm_discard(vm);
	assert_null(create("more", "vm0"));
}

static void test_one_more(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	pack(VM(0, MEMORY(16))
	             VM(1, MEMORY(32) "autostart = <0>; on-crash = \"restart\"; weight = <7>;")
	                     VM(2, MEMORY(16) "autostart = <0>; pin = <9>;"));
	configure();
	assert_int_equal(vm_count(), 2);
	struct pages_count first = pages_counts();
	for (unsigned round = 0; round < 3; round++) {
		assert_null(create("more", "vm1"));
		struct vm *vm = vm_by_name("more");
		assert_true(vm->ram_size == MIB(32) && vm->on_crash == VM_CRASH_RESTART &&
		            vm->sched.weight == 7);
		assert_int_equal(
		        stage2_create(&vm->stage2, (uint16_t)vm->id, vm->ram_base, vm->ram_size),
		        0);
		assert_memory(vm, vm->entry, files[0].bytes, files[0].size);
		vm_withdraw(vm);
		sched_dismiss(vm);
		vm_discard(vm);
		assert_int_equal(pages_counts().free, first.free);
		assert_int_equal(pages_counts().committed, first.committed);
	}
	assert_non_null(strstr(create("x", "nobody"), "no such template"));
	assert_non_null(strstr(create("x", "vm0"), "autostart = false"));
	assert_non_null(strstr(create("vm0", "vm1"), "of this name already"));
	assert_non_null(strstr(create("x", "vm2"), "pin: there is no CPU 9"));
	static const char *const bad[] = {
	        "",  "mezzo", "all", "shell",   "-x",
	        ".", "a b",   "a/b", "a\033[m", "a23456789012345678901234567890123"};
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_non_null(strstr(create(bad[i], "vm1"), "1 to 31 letters"));
	char name[8] = "a0";
	const char *why = NULL;
	for (unsigned n = 0; why == NULL; n++) {
		snprintf(name, sizeof name, "a%u", n);
		why = create(name, "vm1");
	}
	assert_non_null(strstr(why, "memory = 32M, but only"));
	assert_true(vm_count() >= 4);
}

static void test_another_gic(void **state)
{
	(void)state;
	gic_of_board = 2;
	one_vm(MEMORY(16) "gic = <3>;");
	assert_refused("vm0: gic = 3, but this board has no GICv3");
}

static void test_no_memory_at_any_point(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 50000);
	settings = "overcommit;";
	pack(VM(0, MEMORY(16)));
	for (uint64_t left = 0; vm_count() == 0; left++) {
		struct page_list taken = {0};
		ram_arena_exhaust(&taken, left);
		said[0] = 0;
		configure();
		if (vm_count() == 0) {
			assert_said("vm0: no ");
			assert_int_equal(pages_counts().free, left);
		}
		ram_arena_release(&taken);
		assert_true(left < 300);
	}
}

// ---- anything ----

// A bit is wrong somewhere in the headers or in the description: a message or a VM, and never more.
static void test_random_damage(void **state)
{
	(void)state;
	begin();
	add_kernel("Image", 20000);
	settings = "on-all-off = \"poweroff\";";
	pack(VM(0, MEMORY(16) "cmdline = \"quiet\";"));
	srand(6);
	for (unsigned i = 0; i < 250; i++) {
		fflush(stdout);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child != 0) {
			int status;
			assert_int_equal(waitpid(child, &status, 0), child);
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				fail_msg("damage no. %u: status %#x", i, (unsigned)status);
			(void)rand(); // another one
			continue;
		}
		srand(1000 + i);
		for (unsigned n = 0; n < 1 + i % 3; n++) {
			size_t at = (size_t)rand() % 8192;
			archive[at < archive_size ? at : 0] ^= (uint8_t)(1 << rand() % 8);
		}
		configure();
		bool sound = said[0] != 0 && told.set && vm_count() <= 1 &&
		             (vm_count() == 1 || pages_counts().committed == before.committed);
		fflush(stdout);
		_exit(sound ? 0 : 1);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_whole_one),
	        cmocka_unit_test(test_firmware),
	        cmocka_unit_test(test_a_raspberry_pi),
	        cmocka_unit_test(test_a_tree_of_other_tools),
	        cmocka_unit_test(test_several),
	        cmocka_unit_test(test_what_is_promised_is_there),
	        cmocka_unit_test(test_no_bundle),
	        cmocka_unit_test(test_not_a_cpio),
	        cmocka_unit_test(test_truncated),
	        cmocka_unit_test(test_no_description),
	        cmocka_unit_test(test_a_description_that_is_wrong),
	        cmocka_unit_test(test_too_large_a_description_off_its_place),
	        cmocka_unit_test(test_damaged_on_its_way),
	        cmocka_unit_test(test_not_what_was_packed),
	        cmocka_unit_test(test_files_that_are_not_there),
	        cmocka_unit_test(test_no_kernel),
	        cmocka_unit_test(test_a_tree_that_is_none),
	        cmocka_unit_test(test_too_large),
	        cmocka_unit_test(test_more_memory_than_there_is),
	        cmocka_unit_test(test_a_board_with_next_to_nothing),
	        cmocka_unit_test(test_memory_is_promised_once),
	        cmocka_unit_test(test_more_vcpus_than_cpus),
	        cmocka_unit_test(test_pins),
	        cmocka_unit_test(test_what_it_was_promised),
	        cmocka_unit_test(test_disks),
	        cmocka_unit_test(test_devices_are_promised),
	        cmocka_unit_test(test_sockets),
	        cmocka_unit_test(test_disks_that_are_not_there),
	        cmocka_unit_test(test_disks_are_one_s),
	        cmocka_unit_test(test_one_more),
	        cmocka_unit_test(test_another_gic),
	        cmocka_unit_test(test_no_memory_at_any_point),
	        cmocka_unit_test(test_random_damage),
	};
	return own_process_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
