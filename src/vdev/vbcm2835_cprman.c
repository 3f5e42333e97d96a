// SPDX-License-Identifier: Apache-2.0
// The clock manager. Owns its registers under its lock; called by the MMIO map. Nothing here ticks: programs read
// what the clocks would be and compute from it, and wait for a PLL to lock or a clock to stop, which they do at
// once. What the firmware has set up on the real board is there after a reset: the UART's clock, 48 MHz, from
// PLLD's 500 MHz; the VideoCore's, 400 MHz; the cores' PLL.
// Invariant: a register holds the bits below the password; BUSY and the locks are made when they are read.
// Source: BCM2835 ARM Peripherals, "General Purpose GPIO Clocks"; Linux, drivers/clk/bcm/clk-bcm2835.c, for the
// places of the other registers.
#include "vdev/vbcm2835_cprman.h"

#include "base/bits.h"
#include "base/string.h"
#include "vdev/raspi3.h"
#include "vdev/vreg.h"
#include "vm/vm.h"

enum {
	CM_VPU_CTL = 0x008,
	CM_VPU_DIV = 0x00c,
	CM_TSENS_CTL = 0x0e0,
	CM_TSENS_DIV = 0x0e4,
	CM_UART_CTL = 0x0f0,
	CM_UART_DIV = 0x0f4,
	CM_CLOCKS_END = 0x100, // below: pairs of control and divider
	CM_LOCK = 0x114,
	CM_DSI1E_CTL = 0x158,
	CM_DSI1P_CTL = 0x160,
	CM_DFT_CTL = 0x168,
	CM_AVEO_CTL = 0x1b8,
	CM_EMMC_CTL = 0x1c0,
	CM_EMMC_DIV = 0x1c4,
	A2W_PLLC_CTRL = 0x1120,
	A2W_PLLD_CTRL = 0x1140,
	A2W_PLLB_CTRL = 0x11e0,
	A2W_PLLC_FRAC = 0x1220,
	A2W_PLLD_FRAC = 0x1240,
	A2W_PLLB_ARM = 0x13e0,
	A2W_PLLD_CORE = 0x1440,
	A2W_PLLC_PER = 0x1520,
	A2W_PLLD_PER = 0x1540,
	A2W_PLLC_CORE0 = 0x1620,
	SIZE = 0x2000,
};

#define PASSWORD       GENMASK_U32(31, 24)
#define PASSWORD_VALUE 0x5a

#define CTL_SOURCE             GENMASK_U32(3, 0)
#define CTL_ENABLE             BIT_U32(4)
#define CTL_BUSY               BIT_U32(7)
#define DIV(integer, fraction) (UINT32_C(integer) << 12 | (fraction)) // in 4096ths
#define SOURCE_CRYSTAL         1
#define SOURCE_PLLC_CORE0      5
#define SOURCE_PLLD_PER        6

#define LOCK_ALL       GENMASK_U32(12, 8)                    // PLLA, B, C, D, H
#define PLL_RUNS       BIT_U32(17)                           // not held in reset
#define PLL_BY_ONE     BIT_U32(12)                           // divided by 1
#define PLL(n)         (UINT32_C(n) | PLL_BY_ONE | PLL_RUNS) // times the 19.2 MHz crystal
#define PLL_FRAC_HALF  BIT_U32(19)                           // of 2^20
#define PLL_FRAC_SIXTH 174763

struct vbcm2835_cprman {
	struct spinlock lock;
	uint32_t reg[SIZE / 4]; // under the lock
};

// After the firmware. 19.2 MHz * 104 1/6 = 2000 MHz, * 62 1/2 = 1200 MHz, * 125 = 2400 MHz.
static const struct {
	uint32_t offset, value;
} resets[] = {
        {A2W_PLLD_CTRL, PLL(104)},
        {A2W_PLLD_FRAC, PLL_FRAC_SIXTH},
        {A2W_PLLD_PER, 4},
        {A2W_PLLD_CORE, 4},
        {A2W_PLLC_CTRL, PLL(62)},
        {A2W_PLLC_FRAC, PLL_FRAC_HALF},
        {A2W_PLLC_CORE0, 3},
        {A2W_PLLC_PER, 2},
        {A2W_PLLB_CTRL, PLL(125)},
        {A2W_PLLB_ARM, 2},
        {CM_VPU_CTL, CTL_ENABLE | SOURCE_PLLC_CORE0},
        {CM_VPU_DIV, DIV(1, 0)},
        {CM_UART_CTL, CTL_ENABLE | SOURCE_PLLD_PER},
        // 500 MHz / 48 MHz = 10 + 1707 / 4096
        {CM_UART_DIV, DIV(10, 1707)},
        {CM_TSENS_CTL, CTL_ENABLE | SOURCE_CRYSTAL},
        {CM_TSENS_DIV, DIV(10, 0)}, // 1.92 MHz
        {CM_EMMC_CTL, CTL_ENABLE | SOURCE_PLLD_PER},
        {CM_EMMC_DIV, DIV(2, 2048)}, // 200 MHz, as the mailbox says
};

static bool is_clock_control(uint32_t reg)
{
	switch (reg) {
	case CM_DSI1E_CTL:
	case CM_DSI1P_CTL:
	case CM_DFT_CTL:
	case CM_AVEO_CTL:
	case CM_EMMC_CTL: return true;
	}
	return reg < CM_CLOCKS_END && reg % 8 == 0;
}

static uint32_t read_locked(const struct vbcm2835_cprman *cprman, uint32_t reg)
{
	uint32_t value = cprman->reg[reg / 4];

	if (reg == CM_LOCK)
		return value | LOCK_ALL;
	if (is_clock_control(reg))
		return (value & CTL_ENABLE) != 0 ? value | CTL_BUSY : value & ~CTL_BUSY;
	return value;
}

static bool cprman_read(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                        uint64_t *value)
{
	struct vbcm2835_cprman *cprman = dev;

	if (!vreg_fits(offset, size))
		return false;
	spin_lock(&cprman->lock);
	uint32_t result = read_locked(cprman, vreg_base(offset));
	spin_unlock(&cprman->lock);
	*value = vreg_part(result, offset, size);
	return true;
}

// A write without the password is no write.
static bool cprman_write(void *dev, struct vcpu *vcpu UNUSED, uint32_t offset, unsigned size,
                         uint64_t value)
{
	struct vbcm2835_cprman *cprman = dev;

	if (!vreg_fits(offset, size))
		return false;
	if (!vreg_whole(offset, size, &value) || field_get(PASSWORD, value) != PASSWORD_VALUE)
		return true;
	spin_lock(&cprman->lock);
	cprman->reg[offset / 4] = (uint32_t)value & ~PASSWORD;
	spin_unlock(&cprman->lock);
	return true;
}

static const struct mmio_ops ops = {
        .name = "BCM2835 clock manager",
        .read = cprman_read,
        .write = cprman_write,
};

void vbcm2835_cprman_reset(struct vm *vm)
{
	struct vbcm2835_cprman *cprman = vm->raspi3->cprman;

	spin_lock(&cprman->lock);
	memset(cprman->reg, 0, sizeof cprman->reg);
	for (unsigned i = 0; i < ARRAY_SIZE(resets); i++)
		cprman->reg[resets[i].offset / 4] = resets[i].value;
	spin_unlock(&cprman->lock);
}

int vbcm2835_cprman_create(struct vm *vm)
{
	struct vbcm2835_cprman *cprman = vm_alloc(vm, sizeof *cprman);

	if (cprman == NULL)
		return ERR_NO_MEMORY;
	cprman->lock = (struct spinlock)SPINLOCK_INIT(LOCK_DEVICE);
	vm->raspi3->cprman = cprman;
	return mmio_add(&vm->mmio, RASPI3_CPRMAN_BASE, SIZE, &ops, cprman);
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vbcm2835_cprman, reg),
};

const struct vstate vbcm2835_cprman_state = {"bcm2835-cprman", fields, ARRAY_SIZE(fields), NULL};
