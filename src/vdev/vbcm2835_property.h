// SPDX-License-Identifier: Apache-2.0
// The questions and wishes that a Raspberry Pi's programs have of its firmware: tags in a message.
#ifndef VDEV_VBCM2835_PROPERTY_H
#define VDEV_VBCM2835_PROPERTY_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vbcm2835_property;

#define VBCM2835_MESSAGE_MAX 4096 // bytes of a message

// Builds it into the VM: vm->raspi3->property. ERR_NO_MEMORY.
int vbcm2835_property_create(struct vm *vm);
// As after power-on. No vCPU of the VM runs.
void vbcm2835_property_reset(struct vm *vm);

// Answers the message at bus address `bus`, in place. On a CPU that runs the VM; takes LOCK_DEVICE, so the caller
// holds no lock. False: nothing could be written there, the firmware stays silent.
bool vbcm2835_property_answer(struct vm *vm, uint32_t bus);
// The same for the older framebuffer interface. True: it got its framebuffer.
bool vbcm2835_property_framebuffer(struct vm *vm, uint32_t bus);

extern const struct vstate vbcm2835_property_state;

#endif
