// SPDX-License-Identifier: Apache-2.0
// The description of a system: what a whole one becomes, and a sentence for every way to get one wrong.
#include "desc_bench.h"

#include "fdt/model_facts.h"

#define SHA "[000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f]"
#define FILES                                                                            \
	"files { #address-cells = <1>; #size-cells = <0>;"                               \
	" file@0 { reg = <0>; path = \"vmlinuz\"; size = /bits/ 64 <43122688>; crc32 = " \
	"<0x5f1d3c2a>;"                                                                  \
	" sha256 = " SHA "; };"                                                          \
	" file@1 { reg = <1>; path = \"rootfs\"; size = /bits/ 64 <4096>; crc32 = <0>; }; };"
#define HEAD \
	"compatible = \"mezzo,system\"; #address-cells = <1>; #size-cells = <0>; version = <1>;"
#define MUST                                                                                \
	"compatible = \"mezzo,vm\"; kernel = \"vmlinuz\"; memory = /bits/ 64 <0x20000000>;" \
	" cpus = <2>;"
#define SYSTEM(parts) "/ { mezzo {" HEAD parts "}; };"
#define RASPI(memory, cpus)                                                                      \
	SYSTEM(FILES "vm@0 { vm-name = \"pi\"; compatible = \"mezzo,vm\"; machine = \"raspi3\";" \
	             " kernel = \"vmlinuz\"; memory = /bits/ 64 " memory "; cpus = <" cpus       \
	             ">; };")
#define CARD(size, parts)                                                                  \
	SYSTEM("files { file@0 { path = \"card\"; size = /bits/ 64 <" size                 \
	       "> ; crc32 = <0>; }; };"                                                    \
	       "vm@0 { vm-name = \"pi\"; compatible = \"mezzo,vm\"; machine = \"raspi3\";" \
	       " kernel = \"card\"; memory = /bits/ 64 <0x4000000>; cpus = <1>;" parts "};")
#define DISK(size, parts)                                                               \
	SYSTEM("files { file@0 { path = \"disk\"; size = /bits/ 64 <" size              \
	       "> ; crc32 = <0>; }; };"                                                 \
	       "vm@0 { vm-name = \"v\"; compatible = \"mezzo,vm\"; kernel = \"disk\"; " \
	       " memory = /bits/ 64 <0x4000000>; cpus = <1>;" parts "};")
#define FLASH(size, parts)                                                                       \
	SYSTEM("files { file@0 { path = \"fw\"; size = /bits/ 64 <" size ">; crc32 = <0>; }; };" \
	       "vm@0 { vm-name = \"v\"; compatible = \"mezzo,vm\"; cpus = <1>;"                  \
	       " memory = /bits/ 64 <0x4000000>;" parts "};")
#define VM(parts) SYSTEM(FILES "vm@0 { vm-name = \"linux\";" MUST parts "};")

static void test_whole(void **state)
{
	(void)state;
	expect_sound(SYSTEM(
	        "on-all-off = \"poweroff\"; overcommit; plain-exits; console = \"rtos\";" FILES
	        "vm@0 { reg = <0>; vm-name = \"linux\";" MUST
	        " machine = \"virt\"; initrd = \"rootfs\"; cmdline = "
	        "\"console=ttyAMA0\"; gic = <3>; };"
	        "vm@1 { reg = <1>; compatible = \"mezzo,vm\"; vm-name = \"rtos\"; "
	        "kernel = \"vmlinuz\";"
	        " memory = /bits/ 64 <0x1000000>; cpus = <1>; pin = <3>; exclusive; "
	        "dtb = \"vmlinuz\"; virtio-console; rng; balloon;"
	        " vsock = <10>; vsock-group = \"fleet\"; manage;"
	        " weight = <10000>; priority = <7>; budget = <100 100>;"
	        " stop-timeout = <3600000>;"
	        " on-crash = \"halt-all\"; autostart = <0>; verify = \"sha256\";"
	        " load = /bits/ 64 <0x40200000>; entry = /bits/ 64 <0x40200040>; };"));
	assert_int_equal(desc.on_all_off, DESC_OFF_POWEROFF);
	assert_true(desc.overcommit);
	assert_true(desc.plain_exits);
	assert_int_equal(desc.console, DESC_CONSOLE_VM);
	assert_int_equal(desc.console_vm, 1);
	assert_int_equal(desc.nr_files, 2);
	assert_string_equal(desc.files[0].path, "vmlinuz");
	assert_int_equal(desc.files[0].size, 43122688);
	assert_int_equal(desc.files[0].crc32, 0x5f1d3c2a);
	assert_int_equal(desc.files[0].sha256[31], 0x1f);
	assert_null(desc.files[1].sha256);

	assert_int_equal(desc.nr_vms, 2);
	const struct desc_vm *linux_vm = &desc.vms[0], *rtos = &desc.vms[1];
	assert_string_equal(linux_vm->name, "linux");
	assert_ptr_equal(linux_vm->kernel, &desc.files[0]);
	assert_ptr_equal(linux_vm->initrd, &desc.files[1]);
	assert_null(linux_vm->dtb);
	assert_string_equal(linux_vm->cmdline, "console=ttyAMA0");
	assert_int_equal(linux_vm->memory, 0x20000000);
	assert_int_equal(linux_vm->cpus, 2);
	assert_int_equal(linux_vm->gic, 3);
	assert_false(linux_vm->has_load || linux_vm->has_entry || linux_vm->exclusive);
	assert_true(linux_vm->autostart);
	assert_false(linux_vm->verify_sha256);
	assert_int_equal(linux_vm->nr_pins, 0);
	assert_int_equal(linux_vm->on_crash, DESC_CRASH_STOP);
	assert_int_equal(linux_vm->weight, 100);
	assert_int_equal(linux_vm->priority, 0);
	assert_int_equal(linux_vm->budget_us, 0);
	assert_int_equal(linux_vm->period_us, 0);
	assert_int_equal(linux_vm->stop_timeout_ms, 10000);
	assert_false(linux_vm->virtio_console || linux_vm->rng || linux_vm->balloon);
	assert_true(rtos->virtio_console && rtos->rng && rtos->balloon);
	assert_int_equal(linux_vm->cid, 0);
	assert_false(linux_vm->manage);
	assert_int_equal(desc_group(&desc, linux_vm), 0);
	assert_int_equal(rtos->cid, 10);
	assert_true(rtos->manage);
	assert_int_equal(desc_group(&desc, rtos), 2);
	assert_null(rtos->cmdline);
	assert_int_equal(rtos->gic, 0);
	assert_int_equal(rtos->nr_pins, 1);
	assert_int_equal(rtos->pin[0], 3);
	assert_true(rtos->exclusive && rtos->verify_sha256 && !rtos->autostart);
	assert_int_equal(rtos->on_crash, DESC_CRASH_HALT_ALL);
	assert_int_equal(rtos->weight, 10000);
	assert_int_equal(rtos->priority, 7);
	assert_int_equal(rtos->budget_us, 100);
	assert_int_equal(rtos->period_us, 100);
	assert_int_equal(rtos->stop_timeout_ms, 3600000);
	assert_true(rtos->has_load && rtos->has_entry);
	assert_int_equal(rtos->load, 0x40200000);
	assert_int_equal(rtos->entry, 0x40200040);
}

static void test_defaults(void **state)
{
	(void)state;
	expect_sound(SYSTEM(""));
	assert_int_equal(desc.nr_vms, 0);
	assert_int_equal(desc.on_all_off, DESC_OFF_SHELL);
	assert_int_equal(desc.console, DESC_CONSOLE_SHELL);
	assert_false(desc.overcommit);
	assert_false(desc.plain_exits);
	expect_sound("/ { other { mezzo { strange; }; }; mezzo {" HEAD "console = \"all\"; }; };");
	assert_int_equal(desc.console, DESC_CONSOLE_ALL);
	// The order of nodes has no meaning.
	expect_sound(SYSTEM("vm@0 { vm-name = \"linux\";" MUST "}; " FILES));
	assert_ptr_equal(desc.vms[0].kernel, &desc.files[0]);
	// Any number of pins, fewer and more than vCPUs.
	expect_sound(VM("pin = <5>;"));
	assert_int_equal(desc.vms[0].nr_pins, 1);
	expect_sound(VM("pin = <5 7 0>; exclusive;"));
	assert_int_equal(desc.vms[0].nr_pins, 3);
	assert_int_equal(desc.vms[0].pin[2], 0);
}

static const struct desc_wrong wrong[] = {
        {"/ { mezzo { version = <1>; }; };", "/mezzo: compatible: is missing"},
        {"/ { mezzo { compatible = \"x\"; version = <1>; }; };",
         "/mezzo: compatible: is not \"mezzo,system\""},
        {"/ { mezzo { compatible = \"mezzo,system\"; }; };", "/mezzo: version: is missing"},
        {"/ { mezzo { compatible = \"mezzo,system\"; version = <2>; }; };",
         "/mezzo: version: is 2; this version of Mezzo knows only 1"},
        {"/ { mezzo { compatible = \"mezzo,system\"; version = <1 2>; }; };",
         "version: is not one number of 32 bits"},
        {SYSTEM("colour = \"red\";"), "/mezzo: colour: this version of Mezzo does not know"},
        {SYSTEM("on-all-off = \"reboot\";"),
         "on-all-off: \"reboot\" is unknown to this version; it knows: shell, poweroff"},
        {SYSTEM("overcommit = <1>;"), "overcommit: is a flag and takes no value"},
        {SYSTEM("console = \"linux\";"), "console: \"linux\" is neither all, nor shell"},
        {SYSTEM("console = <1>;"), "console: is not one string"},
        {SYSTEM("node { };"), "/mezzo/node: this version of Mezzo does not know this node"},
        {SYSTEM("files { more { }; };"), "/mezzo/files/more: this version"},
        {SYSTEM("files { x; };"), "/mezzo/files: x: this version"},
        {SYSTEM("files { file@0 { }; };"), "/mezzo/files/file@0: path: is missing"},
        {SYSTEM("files { file@0 { path = \"\"; }; };"), "path: is empty"},
        {SYSTEM("files { file@0 { path = \"a\", \"b\"; }; };"), "path: is not one string"},
        {SYSTEM("files { file@0 { path = \"a\"; size = <5>; }; };"),
         "size: is not one number of 64 bits"},
        {SYSTEM("files { file@0 { path = \"a\"; size = /bits/ 64 <0x100000000>; }; };"),
         "size: is 4294967296; it may be 0 to 4294967295"},
        {SYSTEM("files { file@0 { path = \"a\"; size = /bits/ 64 <5>; }; };"), "crc32: is missing"},
        {SYSTEM("files { file@0 { path = \"a\"; size = /bits/ 64 <5>; crc32 = <1>;"
                " sha256 = [00]; }; };"),
         "sha256: has 1 bytes, not 32"},
        {SYSTEM("files { file@0 { path = \"a\"; size = /bits/ 64 <5>; crc32 = <1>; };"
                " file@1 { path = \"a\"; size = /bits/ 64 <5>; crc32 = <1>; }; };"),
         "/mezzo/files/file@1: path: \"a\" is there already"},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\"; };"), "/mezzo/vm@0 (a): compatible: is missing"},
        {SYSTEM(FILES "vm@0 {" MUST "};"), "/mezzo/vm@0: vm-name: is missing"},
        {SYSTEM(FILES "vm@0 { vm-name = \"mezzo\";" MUST "};"), "is Mezzo's own word"},
        {SYSTEM(FILES "vm@0 { vm-name = \"all\";" MUST "};"), "is Mezzo's own word"},
        {SYSTEM(FILES "vm@0 { vm-name = \"-x\";" MUST "};"), "may only have letters, digits"},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\\x1b[2J\";" MUST "};"), "\"a?[2J\" may only have"},
        {SYSTEM(FILES "vm@0 { vm-name = \"abcdefghijklmnopqrstuvwxyz012345\";" MUST "};"),
         "vm-name: has 32 bytes; it may have 31"},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\";" MUST "}; vm@1 { vm-name = \"a\";" MUST "};"),
         "/mezzo/vm@1 (a): vm-name: \"a\" names another VM already"},
        {SYSTEM("vm@0 { vm-name = \"a\";" MUST "};"),
         "kernel: \"vmlinuz\" is not among the files of /mezzo/files"},
        {VM("machine = \"raspi9\";"),
         "machine: \"raspi9\" is unknown to this version; it knows: virt, raspi3"},
        {VM("machine = \"raspi3\"; gic = <2>;"), "gic: is 2; a raspi3 has no GIC, leave it out"},
        {RASPI("<0x3ffffff000>", "4"), "memory: is 274877902848; a raspi3 may have 67108864 to"},
        {RASPI("<0x3fff000>", "4"), "memory: is 67104768; a raspi3 may have 67108864 to"},
        {RASPI("<0x4000000>", "5"), "cpus: is 5; a raspi3 may have 1 to 4"},
        {VM("sdcard = \"vmlinuz\";"), "sdcard: a virt has no slot for a card, leave it out"},
        {CARD("513", "sdcard = \"card\";"), "sdcard: \"card\" has 513 bytes, which are no whole"},
        {CARD("0", "sdcard = \"card\";"), "sdcard: \"card\" has 0 bytes, which are no whole"},
        {CARD("512", "sdcard = \"card\"; verify = \"sha256\";"), "verify: asks for the SHA-256 of"},
        {VM("machine = \"raspi3\"; sdcard = \"x\";"), "sdcard: \"x\" is not among the files"},
        {VM("sdcard-mode = \"rw\";"), "sdcard-mode: \"rw\" is unknown to this version; it knows: "
                                      "cow, keep, ro"},
        {RASPI("<0x4000000>", "4>; rng; priority = <0"),
         "rng: a raspi3 has no slots for virtio devices"},
        {RASPI("<0x4000000>", "4>; virtio-console; priority = <0"),
         "virtio-console: a raspi3 has no slots"},
        {RASPI("<0x4000000>", "4>; balloon; priority = <0"), "balloon: a raspi3 has no slots"},
        {VM("rng = <1>;"), "rng: "},
        {RASPI("<0x4000000>", "4>; vsock = <10>; priority = <0"), "vsock: a raspi3 has no slots"},
        {VM("vsock = <2>;"), "vsock: is 2; it may be 3 to 4095"},
        {VM("vsock = <4096>;"), "vsock: is 4096; it may be 3 to 4095"},
        {VM("vsock-group = \"a\";"), "vsock-group: needs a \"vsock\""},
        {VM("vsock = <3>; vsock-group = \"\";"), "vsock-group: "},
        {VM("vsock = <3>; vsock-group = \"abcdefghijklmnopqrstuvwxyz012345\";"),
         "vsock-group: has 32 bytes; it may have 31"},
        {VM("manage;"), "manage: needs a \"vsock\""},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\"; vsock = <7>;" MUST
                      "}; vm@1 { vm-name = \"b\"; vsock = <7>;" MUST "};"),
         "/mezzo/vm@1 (b): vsock: is 7, which is the context of a"},
        {VM("disks = \"cow:x\";"), "disks: \"cow:x\" is not among the files of /mezzo/files"},
        {VM("disks = \"rw:vmlinuz\";"), "disks: \"rw:vmlinuz\" begins with none of cow: keep: ro: "
                                        "host: host-ro:"},
        {VM("disks = \"vmlinuz\";"), "disks: \"vmlinuz\" begins with none of"},
        {VM("disks = \"\";"), "disks: \"\" begins with none of"},
        {VM("disks;"), "disks: is not a list of strings"},
        {VM("disks = [ 63 6f 77 ];"), "disks: is not a list of strings"},
        {VM("disks = \"host:\";"), "disks: \"host:\" names no disk of the board"},
        {VM("disks = \"host:vda12345\";"), "\"host:vda12345\" names no disk of the board"},
        {VM("disks = \"host:a\", \"host:b\", \"host:c\", \"host:d\", \"host:e\", \"host:f\", "
            "\"host:g\", \"host:h\", \"host:i\";"),
         "disks: names more than 8 disks"},
        {DISK("513", "disks = \"cow:disk\";"), "disks: \"cow:disk\" has no whole sectors of 512"},
        {DISK("0", "disks = \"ro:disk\";"), "disks: \"ro:disk\" has no whole sectors of 512"},
        {DISK("512", "disks = \"ro:disk\"; verify = \"sha256\";"),
         "verify: asks for the SHA-256 of"},
        {CARD("512", "disks = \"ro:card\";"),
         "disks: a raspi3 has no virtio devices, leave it out"},
        {CARD("512", "virtio = \"legacy\";"), "virtio: a raspi3 has no virtio devices"},
        {VM("virtio = \"new\";"),
         "virtio: \"new\" is unknown to this version; it knows: modern, legacy"},
        {VM("initrd = \"x\";"), "/mezzo/vm@0 (linux): initrd: \"x\" is not among the files"},
        {VM("gic = <4>;"), "gic: is 4; it may be 2 to 3"},
        {VM("load = <1>;"), "load: is not one number of 64 bits"},
        {VM("load = /bits/ 64 <0x1000000000000>;"), "load: is 281474976710656; it may be 0 to"},
        {VM("entry = /bits/ 64 <0x40000002>;"),
         "entry: is 1073741826, which is not a multiple of 4"},
        {VM("exclusive;"), "exclusive: \"pin\" names 0 CPUs for 2 vCPUs; give each one of its own"},
        {VM("exclusive; pin = <1>;"), "exclusive: \"pin\" names 1 CPUs for 2 vCPUs"},
        {VM("weight = <0>;"), "weight: is 0; it may be 1 to 10000"},
        {VM("weight = <10001>;"), "weight: is 10001; it may be 1 to 10000"},
        {VM("priority = <8>;"), "priority: is 8; it may be 0 to 7"},
        {VM("budget = <1000>;"), "budget: is not two numbers, a budget and its period"},
        {VM("budget = <10 1000 5>;"), "budget: is not two numbers"},
        {VM("budget;"), "budget: is not two numbers"},
        {VM("budget = <1001 1000>;"), "budget: is 1001 us in 1000 us; it may be 10 to the period"},
        {VM("budget = <9 1000>;"), "budget: is 9 us in 1000 us; it may be 10 to the period"},
        {VM("budget = <0 1000>;"), "budget: is 0 us in 1000 us"},
        {VM("budget = <50 99>;"), "budget: has a period of 99 us; it may be 100 to 1000000"},
        {VM("budget = <50 1000001>;"), "budget: has a period of 1000001 us"},
        {VM("budget = <50 0>;"), "budget: has a period of 0 us"},
        {VM("budget = <0xffffffff 0xffffffff>;"), "budget: has a period of 4294967295 us"},
        {VM("stop-timeout = <999>;"), "stop-timeout: is 999; it may be 1000 to 3600000"},
        {VM("stop-timeout = <3600001>;"), "stop-timeout: is 3600001; it may be 1000 to 3600000"},
        {VM("pin = <1 1>;"), "pin: names CPU 1 twice"},
        {VM("pin = <1 512>;"), "pin: names CPU 512; the highest can be 511"},
        {VM("pin;"), "pin: is not a list of 1 to 8 CPU numbers"},
        {VM("pin = <0 1 2 3 4 5 6 7 8>;"), "pin: is not a list of 1 to 8 CPU numbers"},
        {VM("autostart = <2>;"), "autostart: is 2; it may be 0 to 1"},
        {VM("on-crash = \"dance\";"), "it knows: stop, restart, halt-all"},
        {VM("verify = \"md5\";"), "verify: \"md5\" is unknown"},
        {VM("verify = \"sha256\"; initrd = \"rootfs\";"),
         "verify: asks for the SHA-256 of \"rootfs\""},
        {VM("disk = \"x\";"), "/mezzo/vm@0 (linux): disk: this version of Mezzo does not know"},
        {VM("child { };"), "/mezzo/vm@0/child: this version of Mezzo does not know this node"},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\"; compatible = \"mezzo,vm\"; kernel = \"vmlinuz\";"
                      " cpus = <1>; memory = /bits/ 64 <0xfff000>; };"),
         "memory: is 16773120; it may be 16777216 to 140737488355328"},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\"; compatible = \"mezzo,vm\"; kernel = \"vmlinuz\";"
                      " cpus = <1>; memory = /bits/ 64 <0x1000001>; };"),
         "memory: is 16777217, which is not a multiple of 4096"},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\"; compatible = \"mezzo,vm\"; kernel = \"vmlinuz\";"
                      " cpus = <0>; memory = /bits/ 64 <0x1000000>; };"),
         "cpus: is 0; it may be 1 to 8"},
        {FLASH("1", ""), "/mezzo/vm@0 (v): kernel: is missing"},
        {FLASH("1", "firmware = \"no\";"), "firmware: \"no\" is not among the files"},
        {FLASH("1", "firmware = \"fw\"; kernel = \"fw\";"),
         "kernel: a VM with \"firmware\" has none, leave it out"},
        {FLASH("1", "firmware = \"fw\"; initrd = \"fw\";"), "initrd: a VM with \"firmware\""},
        {FLASH("1", "firmware = \"fw\"; cmdline = \"x\";"), "cmdline: a VM with \"firmware\""},
        {FLASH("1", "firmware = \"fw\"; load = /bits/ 64 <0>;"), "load: a VM with \"firmware\""},
        {FLASH("1", "firmware = \"fw\"; entry = /bits/ 64 <0>;"), "entry: a VM with \"firmware\""},
        {FLASH("1", "firmware = \"fw\"; machine = \"raspi3\";"),
         "firmware: a raspi3 has no flash for it, leave it out"},
        {FLASH("1", "firmware = \"fw\"; verify = \"sha256\";"),
         "verify: asks for the SHA-256 of \"fw\""},
        {FLASH("0", "firmware = \"fw\";"), "firmware: \"fw\" has 0 bytes; 1 to 67108864 fit"},
        {FLASH("0x4000001", "firmware = \"fw\";"), "firmware: \"fw\" has 67108865 bytes"},
        {SYSTEM(FILES "vm@0 { vm-name = \"a\"; compatible = \"mezzo,vm\"; kernel = \"vmlinuz\";"
                      " cpus = <9>; memory = /bits/ 64 <0x1000000>; };"),
         "cpus: is 9; it may be 1 to 8"},
};

static void test_firmware(void **state)
{
	(void)state;
	expect_sound(FLASH("1", "firmware = \"fw\";"));
	assert_null(desc.vms[0].kernel);
	assert_ptr_equal(desc.vms[0].firmware, &desc.files[0]);
	assert_ptr_equal(desc_image(&desc.vms[0]), &desc.files[0]);
	expect_sound(FLASH("0x4000000", "firmware = \"fw\"; dtb = \"fw\"; gic = <2>;"));
	assert_ptr_equal(desc.vms[0].dtb, &desc.files[0]);
	expect_sound(VM(""));
	assert_null(desc.vms[0].firmware);
	assert_ptr_equal(desc_image(&desc.vms[0]), &desc.files[0]);
}

static void test_card(void **state)
{
	static const struct {
		const char *source;
		enum desc_image mode;
	} cards[] = {
	        {CARD("512", "sdcard = \"card\";"), DESC_IMAGE_COW},
	        {CARD("1024", "sdcard = \"card\"; sdcard-mode = \"cow\";"), DESC_IMAGE_COW},
	        {CARD("4096", "sdcard-mode = \"keep\"; sdcard = \"card\";"), DESC_IMAGE_KEEP},
	        {CARD("5120", "sdcard = \"card\"; sdcard-mode = \"ro\";"), DESC_IMAGE_RO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cards); i++) {
		expect_sound(cards[i].source);
		assert_ptr_equal(desc.vms[0].sdcard, &desc.files[0]);
		assert_int_equal(desc.vms[0].sdcard_mode, cards[i].mode);
	}
	expect_sound(CARD("513", "")); // a file, but no card
	assert_null(desc.vms[0].sdcard);
}

static void test_disks(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool host;
		enum desc_image mode;
	} disks[] = {
	        {"disk", false, DESC_IMAGE_COW},  {"vda", true, DESC_IMAGE_KEEP},
	        {"disk", false, DESC_IMAGE_KEEP}, {"vdaa128", true, DESC_IMAGE_RO},
	        {"disk", false, DESC_IMAGE_RO},
	};

	expect_sound(DISK("1024", "disks = \"cow:disk\", \"host:vda\", \"keep:disk\", "
	                          "\"host-ro:vdaa128\", \"ro:disk\"; virtio = \"legacy\";"));
	assert_int_equal(desc.vms[0].nr_disks, ARRAY_SIZE(disks));
	assert_int_equal(desc.vms[0].virtio, DESC_VIRTIO_LEGACY);
	for (uint32_t i = 0; i < ARRAY_SIZE(disks); i++) {
		const struct desc_disk disk = desc_disk(&desc, &desc.vms[0], i);
		assert_string_equal(disk.name, disks[i].name);
		assert_int_equal(disk.mode, disks[i].mode);
		if (disks[i].host)
			assert_null(disk.file);
		else
			assert_ptr_equal(disk.file, &desc.files[0]);
	}
	expect_sound(DISK("513", "virtio = \"modern\";"));
	assert_int_equal(desc.vms[0].nr_disks, 0);
	assert_int_equal(desc.vms[0].virtio, DESC_VIRTIO_MODERN);
}

static void test_wrong(void **state)
{
	(void)state;
	expect_wrong(wrong, ARRAY_SIZE(wrong));
}

static void test_none(void **state)
{
	static uint64_t zeros[16];

	(void)state;
	assert_int_equal(read_source("/ { x { mezzo { }; }; };"), ERR_NOT_FOUND);
	assert_string_equal(problem.text, "the device tree has no node /mezzo");
	assert_int_equal(desc_read(zeros, sizeof(zeros), &desc, &problem), ERR_INVALID);
	assert_int_equal(desc_read(zeros, 0, &desc, &problem), ERR_INVALID);
	assert_int_equal(desc_read(NULL, 0, &desc, &problem), ERR_INVALID);
}

// What each machine model takes, and how its memory is laid out.
static void test_models(void **state)
{
	const struct model_facts *pi = model_facts(DESC_MACHINE_RASPI3);
	const struct model_facts *virt = model_facts(DESC_MACHINE_VIRT);

	(void)state;
	expect_sound(RASPI("<0x40000000>", "4"));
	assert_int_equal(desc.vms[0].machine, DESC_MACHINE_RASPI3);
	expect_sound(RASPI("<0x4000000>", "1"));
	assert_int_equal(model_ram(virt, MIB(16)).kernel_size, MIB(16));
	assert_int_equal(model_ram(virt, GIB(512)).size, GIB(512));
	// As the real board has it: 960 MiB for the kernel, and the registers hide the last 16.
	assert_int_equal(model_ram(pi, GIB(1)).kernel_size, MIB(960));
	assert_int_equal(model_ram(pi, GIB(1)).size, MIB(1008));
	assert_int_equal(model_ram(pi, MIB(256)).kernel_size, MIB(192));
	assert_int_equal(model_ram(pi, MIB(64)).kernel_size, MIB(48));
	for (uint64_t memory = pi->min_memory; memory <= pi->max_memory; memory += MIB(1) + 4096) {
		struct model_ram ram = model_ram(pi, memory);

		assert_true(ram.size <= memory && pi->ram_base + ram.size <= pi->ram_end);
		assert_true(ram.kernel_size < ram.size && ram.size - ram.kernel_size <= pi->video);
		assert_true(ram.size - ram.kernel_size >= MIB(15));
	}
}

static void test_limits(void **state)
{
	char *source = malloc(1 << 18), *end;

	(void)state;
	assert_non_null(source);
	for (int extra = 0; extra < 2; extra++) {
		end = source + sprintf(source, "/ { mezzo {" HEAD FILES);
		for (int i = 0; i < DESC_MAX_VMS + extra; i++)
			end += sprintf(end, "vm@%x { vm-name = \"v%d\";" MUST "};", i, i);
		sprintf(end, "}; };");
		if (extra == 0) {
			expect_sound(source);
			assert_int_equal(desc.nr_vms, DESC_MAX_VMS);
		} else {
			assert_int_equal(read_source(source), ERR_INVALID);
			assert_non_null(strstr(problem.text, "there are more than 1024 VMs"));
		}
		end = source + sprintf(source, "/ { mezzo {" HEAD "files {");
		for (int i = 0; i < DESC_MAX_FILES + extra; i++)
			end += sprintf(
			        end,
			        "file@%x { path = \"f%d\"; size = /bits/ 64 <1>; crc32 = <1>; };",
			        i, i);
		sprintf(end, "}; }; };");
		if (extra == 0) {
			expect_sound(source);
			assert_int_equal(desc.nr_files, DESC_MAX_FILES);
		} else {
			assert_int_equal(read_source(source), ERR_INVALID);
			assert_non_null(strstr(problem.text, "there are more than 128 files"));
		}
	}
	free(source);
	read_source(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_whole),    cmocka_unit_test(test_defaults),
	        cmocka_unit_test(test_firmware), cmocka_unit_test(test_card),
	        cmocka_unit_test(test_wrong),    cmocka_unit_test(test_none),
	        cmocka_unit_test(test_limits),   cmocka_unit_test(test_models),
	        cmocka_unit_test(test_disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
