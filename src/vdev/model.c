// SPDX-License-Identifier: Apache-2.0
// The machine models, and what is done with each in the same way. Owns nothing; called when a VM is built and
// each time it begins. Invariant: a VM has its model before anything of it is built, and keeps it.
#include "vdev/model.h"

#include "fdt/model_facts.h"
#include "vm/vm.h"

static const struct model *const models[] = {
        [DESC_MACHINE_VIRT] = &model_virt,
        [DESC_MACHINE_RASPI3] = &model_raspi3,
};

void model_choose(struct vm *vm, enum desc_machine machine, uint64_t memory)
{
	const struct model_facts *facts = model_facts(machine);
	struct model_ram ram = model_ram(facts, memory);

	vm->model = models[machine];
	vm->ram_base = facts->ram_base;
	vm->ram_size = ram.size;
	vm->video_base = facts->ram_base + ram.kernel_size;
	vm->park = vm->model->park;
	vm->park_size = vm->model->park_size;
}

int model_create(struct vm *vm, unsigned gic_version)
{
	int error = 0;
	vm->gic_version = gic_version;
	for (unsigned i = 0; i < vm->model->nr_parts && error == 0; i++)
		error = vm->model->parts[i].create(vm);
	return error;
}

int model_reset(struct vm *vm)
{
	int error = 0;
	for (unsigned i = 0; i < vm->model->nr_parts && error == 0; i++)
		if (vm->model->parts[i].reset != NULL)
			error = vm->model->parts[i].reset(vm);
	return error;
}

bool model_quiet(struct vm *vm)
{
	bool quiet = true;
	for (unsigned i = 0; i < vm->model->nr_parts; i++)
		if (vm->model->parts[i].quiet != NULL)
			quiet &= vm->model->parts[i].quiet(vm);
	return quiet;
}

void model_destroy(struct vm *vm)
{
	for (unsigned i = 0; vm->model != NULL && i < vm->model->nr_parts; i++)
		if (vm->model->parts[i].destroy != NULL)
			vm->model->parts[i].destroy(vm);
}

int model_tree(const struct vm *vm, const struct model_chosen *chosen, void *buffer, size_t size)
{
	return vm->model->tree(vm, chosen, buffer, size);
}

void model_boot(const struct vm *vm, const struct model_chosen *chosen, uint8_t *bytes)
{
	vm->model->boot(vm, chosen, bytes);
}
