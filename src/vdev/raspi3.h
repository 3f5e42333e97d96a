// SPDX-License-Identifier: Apache-2.0
// The map of model `raspi3`, a Raspberry Pi 3 Model B as its Arm cores see it, and what its devices share.
//
// Interrupts: virq_set(vm, NULL, VBCM2835_IRQ(n), level). n counts as Linux's device tree does: 0 to 63 those
// of the VideoCore side (bank 1 and 2 of the tree), 64 to 71 those of the Arm side (bank 0).
#ifndef VDEV_RASPI3_H
#define VDEV_RASPI3_H

#include "base/types.h"
#include "vdev/model.h"
#include "vdev/vuart_share.h"

struct vm;

// IPA. The VideoCore's peripherals, and the cores' own.
#define RASPI3_IO_BASE    UINT64_C(0x3f000000)
#define RASPI3_IO_SIZE    UINT64_C(0x01000000)
#define RASPI3_LOCAL_BASE UINT64_C(0x40000000) // BCM2836's local controller

#define RASPI3_SYSTIMER_BASE UINT64_C(0x3f003000)
#define RASPI3_DMA_BASE      UINT64_C(0x3f007000) // 15 channels of 0x100
#define RASPI3_ASB_BASE      UINT64_C(0x3f00a000)
#define RASPI3_INTC_BASE     UINT64_C(0x3f00b200)
#define RASPI3_ARMTIMER_BASE UINT64_C(0x3f00b400)
#define RASPI3_MAILBOX_BASE  UINT64_C(0x3f00b880)
#define RASPI3_PM_BASE       UINT64_C(0x3f100000)
#define RASPI3_CPRMAN_BASE   UINT64_C(0x3f101000)
#define RASPI3_RNG_BASE      UINT64_C(0x3f104000)
#define RASPI3_GPIO_BASE     UINT64_C(0x3f200000)
#define RASPI3_UART0_BASE    UINT64_C(0x3f201000)
#define RASPI3_SDHOST_BASE   UINT64_C(0x3f202000)
#define RASPI3_THERMAL_BASE  UINT64_C(0x3f212000)
#define RASPI3_AUX_BASE      UINT64_C(0x3f215000)
#define RASPI3_EMMC_BASE     UINT64_C(0x3f300000)
#define RASPI3_USB_BASE      UINT64_C(0x3f980000)
#define RASPI3_DMA15_BASE    UINT64_C(0x3fe05000)

// As virq_set() takes them.
#define VBCM2835_IRQ(n)     (32 + (n))
#define RASPI3_IRQ_SYSTIMER 0 // and 1, 2, 3: one for each comparator
#define RASPI3_IRQ_USB      9
#define RASPI3_IRQ_DMA \
	16 // and up: one for each of channels 0 to 10; 27: channels 11 to 14, 28: all
#define RASPI3_IRQ_AUX      29
#define RASPI3_IRQ_GPIO     49 // bank 0, 50: bank 1, 51: bank 2, 52: all
#define RASPI3_IRQ_SDHOST   56
#define RASPI3_IRQ_UART0    57
#define RASPI3_IRQ_EMMC     62
#define RASPI3_IRQ_ARMTIMER 64
#define RASPI3_IRQ_MAILBOX  65
#define RASPI3_NR_IRQS      72

// What the VideoCore side calls an address of the VM's RAM: the same byte under four aliases, which differ in
// how its cache treats it; and the peripherals, which lie at 0x7e000000 there.
#define VBCM2835_BUS_ALIAS   UINT32_C(0xc0000000) // the two bits that name the alias
#define VBCM2835_BUS_IO_BASE UINT32_C(0x7e000000)

// The IPA of RAM that bus address `bus` names; right only if it lies in the VM's RAM, so check that.
static inline uint64_t raspi3_bus_to_ipa(uint32_t bus)
{
	return bus & ~VBCM2835_BUS_ALIAS;
}

// The VM's chips; those of one file each are opaque to the others.
struct raspi3 {
	struct vuart_share console; // of PL011 (vm->uart) and mini UART
	struct vbcm2836 *local;     // with the interrupt controller of the VideoCore side
	struct vbcm2835_systimer *systimer;
	struct vbcm2835_armtimer *armtimer;
	struct vbcm2835_gpio *gpio;
	struct vbcm2835_cprman *cprman;
	struct vbcm2835_pm *pm;
	struct vbcm2835_misc *misc;
	struct vbcm2835_aux *aux;
	struct vbcm2835_fb *fb;
	struct vbcm2835_property *property;
	struct vbcm2835_mbox *mbox;
	struct vbcm2835_dma *dma;
	struct vdwc2 *usb;
	struct vsd_card *card; // or an empty slot
	struct vsdhci *sdhci;
	struct vsdhost *sdhost;
};

#endif
