// SPDX-License-Identifier: Apache-2.0
// Calls to the firmware below Mezzo: start a CPU, switch the board off, reset it.
// Source: Arm Power State Coordination Interface (DEN 0022), "PSCI functions".
#ifndef HW_PSCI_CLIENT_H
#define HW_PSCI_CLIENT_H

#include "base/types.h"

struct board;

// The firmware's return values.
enum psci_status {
	PSCI_SUCCESS = 0,
	PSCI_NOT_SUPPORTED = -1,
	PSCI_INVALID_PARAMETERS = -2,
	PSCI_DENIED = -3,
	PSCI_ALREADY_ON = -4,
	PSCI_ON_PENDING = -5,
	PSCI_INTERNAL_FAILURE = -6,
	PSCI_NOT_PRESENT = -7,
	PSCI_DISABLED = -8,
	PSCI_INVALID_ADDRESS = -9,
};

// Learns how to call. Once, on the boot CPU. ERR_UNSUPPORTED: the board has no PSCI; every call below
// then fails.
int psci_client_init(const struct board *board);

// Major in bits 31:16, minor in 15:0; 0: no PSCI.
uint32_t psci_client_version(void);

// Starts the CPU with this MPIDR (only its affinity fields are used) at physical address `entry` with
// x0 = context, MMU off. Returns enum psci_status.
int psci_client_cpu_on(uint64_t mpidr, pa_t entry, uint64_t context);

// Switch the board off, or start it again. They return only if the firmware cannot.
void psci_client_system_off(void);
void psci_client_system_reset(void);

// A status in words, for messages.
const char *psci_client_text(int status);

// Calls the firmware with any function and arguments as SMCCC says: in[0] is the function, results in
// out. ERR_UNSUPPORTED: there is no firmware to call, out[0] is -1.
int psci_client_call(const uint64_t in[8], uint64_t out[4]);

#endif
