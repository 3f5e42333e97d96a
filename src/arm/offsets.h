// SPDX-License-Identifier: Apache-2.0
// Places inside struct cpu that assembly reads; arm/cpu.c checks them.
#ifndef ARM_OFFSETS_H
#define ARM_OFFSETS_H

#define CPU_PANIC_STACK_TOP 0
#define CPU_STACK_TOP       8
#define CPU_MPIDR           16
#define CPU_VCPU            24
#define CPU_KEY             32

#endif
