// SPDX-License-Identifier: Apache-2.0
// The devices of model virt that are no interrupt controller: PL011, PL031, PL061, watchdog, virtio slots, flash; and a
// person who types.
#define MACHINE_EQUIP equip
#define MACHINE_LEAVE leave
static void equip(void);
static void leave(void);
#include "devices.h"

// What is programmed stays over the lives of a machine; here each life begins with nothing (leave), so that an input does the
// same whatever came before it.
#include "vdev/vflash.c"

static uint8_t firmware[3 * PAGE_SIZE + 5];

static void equip(void)
{
	memset(firmware, 0x5a, sizeof firmware);
	machine->firmware = (struct vm_firmware){firmware, sizeof firmware};
}

static void leave(void)
{
	struct bank *bank = &machine->flash->bank[1];
	for (uint32_t i = 0; i < bank->nr_frames; i++) {
		if (bank->frame[i] != 0)
			pages_free(frame_of(bank, i), &machine->pages);
		bank->frame[i] = 0;
	}
}

// What a bank shows as memory is what it answers with as a device.
static void touch(struct fuzz_in *in)
{
	uint64_t at = fuzz_u32(in) % VFLASH_END;
	if ((fuzz_u8(in) & 1) != 0)
		at &= VFLASH_BANK_SIZE | 0xffff;
	int error = vflash_touch(machine, at);
	if (error != 0) {
		FUZZ_CHECK(error == ERR_NO_MEMORY ||
		           machine->flash->bank[at / VFLASH_BANK_SIZE].chip.mode != VFLASH_ARRAY);
		return;
	}
	struct access access = {IPA(at), 1, false, 0};
	uint8_t byte;
	FUZZ_CHECK(stage2_read(&machine->stage2, IPA(at), &byte, 1) == 0);
	FUZZ_CHECK(mmio_access(&machine->mmio, vcpu, &access) && access.value == byte);
}

static void other(struct fuzz_in *in)
{
	if ((fuzz_u8(in) & 1) != 0)
		touch(in);
	else
		machine_type(in);
}

static const struct device_target target = {
        .kind = MACHINE_GICV3,
        .devices = {"PL011", "PL031", "PL061", "generic watchdog", "virtio-mmio", "CFI flash"},
        .other = other,
};
