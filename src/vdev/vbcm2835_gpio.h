// SPDX-License-Identifier: Apache-2.0
// The 54 GPIO lines of a Raspberry Pi: what each is used for, what is driven, and what was seen.
#ifndef VDEV_VBCM2835_GPIO_H
#define VDEV_VBCM2835_GPIO_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_gpio;

// Builds it into the VM: vm->raspi3->gpio, and its region of the map. ERR_NO_MEMORY, or errors of mmio_add and
// alarm_add.
int vbcm2835_gpio_create(struct vm *vm);

// As the firmware leaves it. No vCPU of the VM runs.
void vbcm2835_gpio_reset(struct vm *vm);

// Which controller the SD card's lines, 48 to 53, lead to: SDHOST (function 0), or the Arasan SDHCI (3, or inputs; so
// after power-on), unless that one's own lead to the WiFi chip by 34 to 39 (function 3). Any CPU; no lock.
enum vbcm2835_card { VBCM2835_CARD_EMMC, VBCM2835_CARD_SDHOST, VBCM2835_CARD_NOWHERE };
enum vbcm2835_card vbcm2835_gpio_card(const struct vm *vm);

extern const struct vstate vbcm2835_gpio_state;

#endif
