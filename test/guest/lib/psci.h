/* SPDX-License-Identifier: Apache-2.0 */
/* SMCCC calls and the PSCI functions, by the conduit that the device tree names. */
#ifndef GUEST_PSCI_H
#define GUEST_PSCI_H

#include "bits.h"

#define PSCI_VERSION           0x84000000u
#define PSCI_CPU_SUSPEND32     0x84000001u
#define PSCI_CPU_SUSPEND64     0xc4000001u
#define PSCI_CPU_OFF           0x84000002u
#define PSCI_CPU_ON32          0x84000003u
#define PSCI_CPU_ON64          0xc4000003u
#define PSCI_AFFINITY_INFO32   0x84000004u
#define PSCI_AFFINITY_INFO64   0xc4000004u
#define PSCI_MIGRATE64         0xc4000005u
#define PSCI_MIGRATE_INFO_TYPE 0x84000006u
#define PSCI_SYSTEM_OFF        0x84000008u
#define PSCI_SYSTEM_RESET      0x84000009u
#define PSCI_FEATURES          0x8400000au
#define PSCI_SYSTEM_RESET2_32  0x84000012u
#define PSCI_SYSTEM_RESET2_64  0xc4000012u

#define PSCI_SUCCESS          0
#define PSCI_NOT_SUPPORTED    (-1)
#define PSCI_INVALID          (-2)
#define PSCI_DENIED           (-3)
#define PSCI_ALREADY_ON       (-4)
#define PSCI_ON_PENDING       (-5)
#define PSCI_INVALID_ADDRESS  (-9)
#define PSCI_AFFINITY_ON      0
#define PSCI_AFFINITY_OFF     1
#define PSCI_AFFINITY_PENDING 2

#define SMCCC_VERSION       0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define SMCCC_ARCH_SOC_ID   0x80000002u
#define SMCCC_ARCH_WA1      0x80008000u
#define SMCCC_ARCH_WA2      0x80007fffu
#define SMCCC_ARCH_WA3      0x80003fffu
#define SMCCC_HYP_CALL_UID  0x8600ff01u
#define TRNG_VERSION        0x84000050u
#define TRNG_FEATURES       0x84000051u
#define TRNG_UUID           0x84000052u
#define TRNG_RND32          0x84000053u
#define TRNG_RND64          0xc4000053u

#define PV_TIME_FEATURES 0xc5000020u
#define PV_TIME_ST       0xc5000021u

/* Mezzo's own. */
#define MEZZO_VERSION 0xc6000000u
#define MEZZO_NULL    0xc6000001u
#define MEZZO_WHO     0xc6000002u
#define MEZZO_LOG     0xc6000003u

#define SMCCC_REGS 18

/* x0-x17 in and out, by one instruction (start.S). */
void smccc_hvc(u64 regs[SMCCC_REGS]);
void smccc_smc(u64 regs[SMCCC_REGS]);

/*
 * By the tree's conduit; returns x0, sign-extended from 32 bits if the function is a 32-bit one.
 */
s64 psci_call(u64 function, u64 a1, u64 a2, u64 a3);
void psci_system_off(void) __attribute__((noreturn));
/*
 * True if Mezzo answers its own calls here. Needs the vectors and the MMU: without it the call
 * may be undefined.
 */
bool mezzo_present(void);

#endif
