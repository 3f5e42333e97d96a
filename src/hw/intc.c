// SPDX-License-Identifier: Apache-2.0
// Which driver serves the board's interrupt controller, and who is called when a device of the board interrupts. Owns
// the choice and the table of those; called at boot, and by main/irq.c.
#include "hw/intc.h"

#include "base/atomic.h"
#include "base/log.h"
#include "fdt/board.h"

const struct intc_ops *intc;

static struct claim {
	const struct intc_handler *handler;
	void *owner;
	uint32_t intid;
} claims[INTC_MAX_CLAIMS];
static unsigned nr_claims; // fixed after boot

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

int intc_claim(uint32_t intid, const struct intc_handler *handler, void *owner)
{
	if (nr_claims == INTC_MAX_CLAIMS)
		return ERR_NO_MEMORY;
	claims[nr_claims] = (struct claim){handler, owner, intid};
	store_release(&nr_claims, nr_claims + 1);
	return 0;
}

void intc_dispatch(uint32_t intid)
{
	unsigned count = load_acquire(&nr_claims);
	for (unsigned i = 0; i < count; i++) {
		if (claims[i].intid == intid)
			claims[i].handler->handle(claims[i].owner);
	}
}
