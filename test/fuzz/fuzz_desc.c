// SPDX-License-Identifier: Apache-2.0
// The description of virtual machines (fdt/desc*.c) in any device tree.
#include "fuzz.h"

#include <string.h>

#include "base/bits.h"
#include "fdt/desc.h"
#include "fdt/model_facts.h"

static struct desc desc;
static struct desc_problem problem;

void fuzz_setup(void)
{
}

static void check_file(const struct desc_file *file, bool needed)
{
	if (file == NULL) {
		FUZZ_CHECK(!needed);
		return;
	}
	FUZZ_CHECK(file >= desc.files && file < desc.files + desc.nr_files);
}

static void check_vm(const struct desc_vm *vm)
{
	const struct model_facts *facts = model_facts(vm->machine);
	size_t name = strlen(vm->name);
	FUZZ_CHECK(name >= 1 && name <= DESC_NAME_MAX);
	FUZZ_CHECK(vm->cmdline == NULL || strlen(vm->cmdline) <= DESC_CMDLINE_MAX);
	FUZZ_CHECK((vm->kernel == NULL) != (vm->firmware == NULL));
	check_file(desc_image(vm), true);
	check_file(vm->initrd, false);
	check_file(vm->dtb, false);
	check_file(vm->sdcard, false);
	FUZZ_CHECK(vm->sdcard == NULL || vm->sdcard->size % DESC_SECTOR_SIZE == 0);
	FUZZ_CHECK(vm->nr_disks <= DESC_MAX_DISKS);
	for (uint32_t i = 0; i < vm->nr_disks; i++) {
		const struct desc_disk disk = desc_disk(&desc, vm, i);
		check_file(disk.file, false);
		FUZZ_CHECK(disk.name != NULL &&
		           (disk.file != NULL || strlen(disk.name) <= DESC_HOST_MAX));
		FUZZ_CHECK(disk.file == NULL || disk.file->size % DESC_SECTOR_SIZE == 0);
	}
	FUZZ_CHECK(vm->cpus >= 1 && vm->cpus <= DESC_MAX_VCPUS);
	FUZZ_CHECK(is_aligned(vm->memory, PAGE_SIZE) && vm->memory >= DESC_MIN_MEMORY &&
	           vm->memory <= DESC_MAX_MEMORY);
	FUZZ_CHECK(vm->gic == 0 || (facts->has_gic && (vm->gic == 2 || vm->gic == 3)));
	FUZZ_CHECK(vm->nr_pins <= DESC_MAX_PINS && (!vm->exclusive || vm->nr_pins >= vm->cpus));
	for (uint32_t i = 0; i < vm->nr_pins; i++)
		for (uint32_t j = 0; j < i; j++)
			FUZZ_CHECK(vm->pin[i] != vm->pin[j]);
	FUZZ_CHECK(vm->weight >= 1 && vm->weight <= DESC_WEIGHT_MAX);
	FUZZ_CHECK(vm->priority <= DESC_PRIORITY_MAX && vm->budget_us <= vm->period_us);
	FUZZ_CHECK(vm->stop_timeout_ms >= DESC_STOP_MIN_MS &&
	           vm->stop_timeout_ms <= DESC_STOP_MAX_MS);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	if (size > FUZZ_GUARDED_MAX)
		return;
	memset(&problem, 0, sizeof problem);
	if (desc_read(fuzz_guarded(data, size, 8), size, &desc, &problem) != 0) {
		FUZZ_CHECK(problem.text[0] != 0 &&
		           strnlen(problem.text, sizeof problem.text) < sizeof problem.text);
		return;
	}
	FUZZ_CHECK(desc.nr_vms <= DESC_MAX_VMS && desc.nr_files <= DESC_MAX_FILES);
	FUZZ_CHECK(desc.console != DESC_CONSOLE_VM || desc.console_vm < desc.nr_vms);
	for (uint32_t i = 0; i < desc.nr_files; i++)
		FUZZ_CHECK(strlen(desc.files[i].path) <= DESC_PATH_MAX);
	for (uint32_t i = 0; i < desc.nr_vms; i++)
		check_vm(&desc.vms[i]);
}
