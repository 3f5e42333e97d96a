// SPDX-License-Identifier: Apache-2.0
// Mezzo as a client of the firmware's PSCI. Owns the way to call it; called at boot to start the
// CPUs and at the end to switch the board off.
// Invariant: nothing is called before psci_client_init has found a conduit.
// Source: Arm Power State Coordination Interface (DEN 0022), "PSCI functions", and the device tree
// binding for version 0.1, whose function numbers the tree itself gives.
#include "hw/psci_client.h"

#include "arm/regs.h"
#include "arm/smccc.h"
#include "fdt/board.h"

#define FN_VERSION      0x84000000
#define FN_CPU_ON       0xc4000003
#define FN_SYSTEM_OFF   0x84000008
#define FN_SYSTEM_RESET 0x84000009
#define VERSION_0_1     1

// Fixed once psci_client_init has run.
static struct {
	enum board_conduit conduit;
	bool standard;   // version 0.2 or later
	uint32_t cpu_on; // function number
	uint32_t version;
} client;

int psci_client_call(const uint64_t in[8], uint64_t out[4])
{
	if (client.conduit == BOARD_PSCI_NONE) {
		out[0] = (uint64_t)(int64_t)PSCI_NOT_SUPPORTED;
		out[1] = out[2] = out[3] = 0;
		return ERR_UNSUPPORTED;
	}
	smccc_call(client.conduit == BOARD_PSCI_HVC, in, out);
	return 0;
}

// PSCI's results are 32-bit signed numbers, also from 64-bit functions.
static int call(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	const uint64_t in[8] = {function, x1, x2, x3};
	uint64_t out[4];
	(void)psci_client_call(in, out);
	return (int)(int32_t)(uint32_t)out[0];
}

int psci_client_init(const struct board *board)
{
	client.conduit = board->psci.conduit;
	client.standard = board->psci.standard;
	client.cpu_on = client.standard ? FN_CPU_ON : board->psci.cpu_on;
	client.version = 0;
	if (client.conduit == BOARD_PSCI_NONE)
		return ERR_UNSUPPORTED;
	client.version = VERSION_0_1;
	if (client.standard) {
		int version = call(FN_VERSION, 0, 0, 0);
		client.version = version > 0 ? (uint32_t)version : 0;
	}
	return 0;
}

uint32_t psci_client_version(void)
{
	return client.version;
}

int psci_client_cpu_on(uint64_t mpidr, pa_t entry, uint64_t context)
{
	if (client.conduit == BOARD_PSCI_NONE || client.cpu_on == 0)
		return PSCI_NOT_SUPPORTED;
	// The firmware compares the whole word: bit 31 and the U and MT bits would make it unknown.
	return call(client.cpu_on, mpidr & MPIDR_AFFINITY, entry.v, context);
}

void psci_client_system_off(void)
{
	if (client.standard)
		(void)call(FN_SYSTEM_OFF, 0, 0, 0);
}

void psci_client_system_reset(void)
{
	if (client.standard)
		(void)call(FN_SYSTEM_RESET, 0, 0, 0);
}

const char *psci_client_text(int status)
{
	static const char *const text[] = {
	        [-PSCI_SUCCESS] = "success",
	        [-PSCI_NOT_SUPPORTED] = "the firmware does not have this function",
	        [-PSCI_INVALID_PARAMETERS] = "the firmware knows no such CPU",
	        [-PSCI_DENIED] = "the firmware refuses",
	        [-PSCI_ALREADY_ON] = "it is already on",
	        [-PSCI_ON_PENDING] = "it is already being started",
	        [-PSCI_INTERNAL_FAILURE] = "the firmware failed",
	        [-PSCI_NOT_PRESENT] = "the CPU is not there",
	        [-PSCI_DISABLED] = "the firmware has disabled it",
	        [-PSCI_INVALID_ADDRESS] = "the firmware rejects the entry address",
	};
	if (status > 0 || status <= -(int)ARRAY_SIZE(text))
		return "an answer that PSCI does not know";
	return text[-status];
}
