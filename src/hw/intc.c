// SPDX-License-Identifier: Apache-2.0
// Which driver serves the board's interrupt controller, and who is called when a device of the board interrupts. Owns
// the choice and the table of those; called at boot, and by main/irq.c.
// Invariant: one call of intc_dispatch lets one device of a line work, and no line keeps a CPU busy for ever.
#include "hw/intc.h"

#include "base/atomic.h"
#include "base/log.h"
#include "fdt/board.h"

const struct intc_ops *intc;

#define IDLE_MOST 64

static struct claim {
	const struct intc_handler *handler;
	void *owner;
	uint32_t intid;
	// Of the first claim of a line, for all of them. One CPU at a time handles a line.
	unsigned begin; // where intc_dispatch begins
	unsigned idle;  // how often in a row nobody had anything to do
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
	claims[nr_claims] = (struct claim){.handler = handler, .owner = owner, .intid = intid};
	store_release(&nr_claims, nr_claims + 1);
	return 0;
}

// The line is raised by something that nobody here drives, or by a device that does not take it back.
static void turn_off(uint32_t intid, unsigned count)
{
	intc_disable(intid);
	log_line("interrupt %u: %u times in a row without a reason: off; its devices are polled",
	         intid, IDLE_MOST);
	for (unsigned i = 0; i < count; i++)
		if (claims[i].intid == intid)
			claims[i].handler->turned_off(claims[i].owner);
}

void intc_dispatch(uint32_t intid)
{
	unsigned count = load_acquire(&nr_claims), sharing = 0;
	struct claim *line = NULL;
	for (unsigned i = count; i-- > 0;) {
		if (claims[i].intid == intid) {
			line = &claims[i];
			sharing++;
		}
	}
	if (line == NULL)
		return;
	const unsigned begin = line->begin;
	for (unsigned i = 0; i < count; i++) {
		const unsigned at = (begin + i) % count;
		if (claims[at].intid != intid || !claims[at].handler->handle(claims[at].owner))
			continue;
		line->idle = 0;
		line->begin = at + 1;
		if (sharing > 1)
			intc_set_pending(intid, true); // the others in another exit
		return;
	}
	if (++line->idle == IDLE_MOST)
		turn_off(intid, count);
}
