// SPDX-License-Identifier: Apache-2.0
// From the description's disks to those of a VM. Owns nothing; called by config.c while a VM is built.
// Invariant: no sector of the board's disks that a VM may write is another VM's.
#include "main/disks.h"

#include "base/print.h"
#include "hw/block.h"
#include "vdev/vdisk_host.h"
#include "vm/vm.h"

// ", vda, vda1": what the board has, as far as there is room.
static void list_disks(char *list, size_t size)
{
	char name[BLOCK_NAME_SIZE];
	size_t used = 0;
	struct block_dev *dev;

	list[0] = '\0';
	for (unsigned i = 0; (dev = block_get(i)) != NULL; i++) {
		used += print_buffer(list + used, size - used, ", %s", dev->name);
		for (uint32_t n = 0; n < dev->nr_partitions && used + BLOCK_NAME_SIZE < size; n++) {
			block_partition_name(dev, &dev->partition[n], name);
			used += print_buffer(list + used, size - used, ", %s", name);
		}
		if (used + BLOCK_NAME_SIZE >= size)
			return;
	}
}

static bool give_host_disk(struct vm *vm, const struct desc_disk *from, struct vm_disk *disk,
                           char *why, size_t size)
{
	char list[120];
	uint32_t other = 0;

	if (block_find(from->name, &disk->range) != 0) {
		list_disks(list, sizeof list);
		print_buffer(why, size, "disk = host:%s: the board has no such disk; it has %s",
		             from->name, list[0] == '\0' ? "none that Mezzo drives" : list + 2);
		return false;
	}
	if (disk->range.dev->read_only && from->mode != DESC_IMAGE_RO) {
		print_buffer(why, size, "disk = host:%s: this disk is read-only: write ro:host:%s",
		             from->name, from->name);
		return false;
	}
	int error = vdisk_host_claim(vm->id, &disk->range, from->mode != DESC_IMAGE_RO, &other);
	if (error == ERR_NO_MEMORY) {
		print_buffer(why, size, "disk = host:%s: VMs have too many disks of the board",
		             from->name);
	} else if (error != 0) {
		const struct vm *owner = vm_by_id(other);
		print_buffer(why, size,
		             "disk = host:%s: %s has sectors of it already, and one of them may "
		             "write",
		             from->name,
		             other == vm->id ? vm->name
		             : owner != NULL ? owner->name
		                             : "another");
	}
	return error == 0;
}

bool disks_give(struct vm *vm, const struct desc *desc, const struct desc_vm *from,
                const struct cpio *bundle, char *why, size_t size)
{
	struct cpio_member member;

	for (uint32_t i = 0; i < from->nr_disks; i++) {
		const struct desc_disk disk = desc_disk(desc, from, i);
		struct vm_disk *to = &vm->disk[i];
		to->name = disk.name;
		to->image.mode = disk.mode;
		if (disk.file == NULL) {
			if (!give_host_disk(vm, &disk, to, why, size))
				return false;
		} else if (cpio_find(bundle, disk.file->path, &member) == CPIO_OK) {
			to->image.bytes = member.data;
			to->image.size = member.size;
		}
		vm->nr_disks = i + 1;
	}
	return true;
}
