// SPDX-License-Identifier: Apache-2.0
// Which driver serves the board's interrupt controller. Owns the choice; called at boot.
#include "hw/gic.h"

#include "base/log.h"
#include "fdt/board.h"

const struct gic_ops *gic;

int gic_init(const struct board *board)
{
	static const struct gic_ops *const drivers[] = {&gic_v2, &gic_v3};

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (drivers[i]->version != board->gic.version)
			continue;
		gic = drivers[i];
		return gic->init(board);
	}
	log_line("interrupts: this board has no GICv2 or GICv3, and Mezzo drives nothing else");
	return ERR_UNSUPPORTED;
}

int gic_init_cpu(struct cpu *cpu)
{
	return gic->init_cpu(cpu);
}

uint32_t gic_nr_intids(void)
{
	return gic->nr_intids();
}

bool gic_forgets_level(void)
{
	return gic != NULL && gic->forgets_level != NULL && gic->forgets_level();
}
