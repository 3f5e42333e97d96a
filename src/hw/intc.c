// SPDX-License-Identifier: Apache-2.0
// Which driver serves the board's interrupt controller. Owns the choice; called at boot.
#include "hw/intc.h"

#include "base/log.h"
#include "fdt/board.h"

const struct intc_ops *intc;

int intc_init(const struct board *board)
{
	static const struct intc_ops *const drivers[] = {&intc_bcm2836, NULL, &intc_gicv2,
	                                                 &intc_gicv3};

	if (board->gic.version >= ARRAY_SIZE(drivers) || drivers[board->gic.version] == NULL) {
		log_line("interrupts: this board has no controller that Mezzo drives");
		return ERR_UNSUPPORTED;
	}
	intc = drivers[board->gic.version];
	return intc->init(board);
}

uint32_t intc_gic_number(const struct board_irq *irq)
{
	return irq->chip == BOARD_IRQ_GIC ? irq->number : INTC_NONE;
}

int intc_init_cpu(struct cpu *cpu)
{
	return intc->init_cpu(cpu);
}

bool intc_forgets_level(void)
{
	return intc != NULL && intc->forgets_level != NULL && intc->forgets_level();
}
