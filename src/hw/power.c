// SPDX-License-Identifier: Apache-2.0
// Switching the board off and resetting it. Owns the BCM2835's watchdog; called at the end of everything.
//
// A Raspberry Pi has no switch: both are a reset by the watchdog. Its boot ROM and firmware find in RSTS
// the number of the partition to start from, and take 63 for "stay off".
// Invariant: PSCI is asked first, since firmware may have more to do than a reset.
// Source: Linux, drivers/watchdog/bcm2835_wdt.c, for the registers, which no manual of the chip describes.
#include "hw/power.h"

#include "arm/barrier.h"
#include "arm/io.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "hw/psci_client.h"
#include "hw/timer.h"

enum reg {
	RSTC = 0x1c,
	RSTS = 0x20,
	WDOG = 0x24,
};

#define PASSWORD        UINT32_C(0x5a000000) // a write without it has no effect
#define PASSWORD_FIELD  GENMASK_U32(31, 24)
#define RSTC_CONFIG     GENMASK_U32(5, 4)
#define RSTC_FULL_RESET BIT_U32(5)
#define RSTS_PARTITION  UINT32_C(0x555) // its six bits are spread over every other one
#define TICKS           10              // of 16 us
#define PATIENCE_MS     50

static uintptr_t pm; // fixed after power_init; 0: there is none

void power_init(uintptr_t watchdog)
{
	pm = watchdog;
}

bool power_exists(void)
{
	return psci_client_version() != 0 || pm != 0;
}

static void write_reg(enum reg reg, uint32_t value)
{
	io_write32(pm + reg, (value & ~PASSWORD_FIELD) | PASSWORD);
}

static void watchdog_reset(uint32_t partition)
{
	if (pm == 0)
		return;
	dsb(sy); // nothing of ours may be on its way to memory
	write_reg(RSTS, (io_read32(pm + RSTS) & ~RSTS_PARTITION) | partition);
	write_reg(WDOG, TICKS);
	write_reg(RSTC, (io_read32(pm + RSTC) & ~RSTC_CONFIG) | RSTC_FULL_RESET);
	uint64_t start = timer_now(), limit = timer_from_ms(PATIENCE_MS);
	while (timer_now() - start < limit)
		spin_relax();
}

void power_off(void)
{
	psci_client_system_off();
	watchdog_reset(RSTS_PARTITION);
}

void power_reset(void)
{
	psci_client_system_reset();
	watchdog_reset(0);
}
