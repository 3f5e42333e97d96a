// SPDX-License-Identifier: Apache-2.0
// What is shown when a guest dies.
#ifndef DEBUG_DUMP_H
#define DEBUG_DUMP_H

struct vcpu;
struct vm;

// One screen in words about a vCPU that is loaded on this CPU: why, where, registers, last exits.
void dump_guest(struct vcpu *vcpu);

// One line in the log: how many exits the VM's vCPUs made, by reason. Nothing of it runs.
void dump_exits(struct vm *vm);

#endif
