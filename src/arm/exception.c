// SPDX-License-Identifier: Apache-2.0
// EL2's own exceptions: always a bug of Mezzo's, or hardware that failed. Reports in words and stops.
// Called by vectors.S on the CPU's panic stack, with everything masked.
#include "arm/exception.h"

#include "arm/cpu.h"
#include "arm/regs.h"
#include "base/panic.h"
#include "base/print.h"

static const char *const vector_names[] = {
        "synchronous exception", "IRQ", "FIQ", "SError", // with SP_EL0
        "synchronous exception", "IRQ", "FIQ", "SError",
};

static void say(const char *format, ...) PRINTF_LIKE(1, 2);
static void say(const char *format, ...)
{
	char line[160];
	va_list args;
	va_start(args, format);
	size_t n = print_vbuffer(line, sizeof line, format, args);
	va_end(args);
	console_write(line, n);
}

// A function's return address was not what it had stored: the check itself fails (FEAT_FPAC), or makes an address of it
// that cannot be one.
static bool is_bad_return(uint64_t esr, uint64_t elr)
{
	uint64_t class = field_get(ESR_EC, esr);
	return class == EC_PAC_FAIL || (class == EC_IABT_SAME && elr >> 48 != 0);
}

void exception_own_fault(const struct own_fault_frame *frame, uint64_t vector)
{
	bool el1 = (read_sysreg(CurrentEL) == CURRENTEL_EL1);
	uint64_t esr = el1 ? read_sysreg(esr_el1) : read_sysreg(esr_el2);
	uint64_t far = el1 ? read_sysreg(far_el1) : read_sysreg(far_el2);
	uint64_t elr = el1 ? read_sysreg(elr_el1) : read_sysreg(elr_el2);
	extern char image_start[];
	if (!panicking) { // panic() prints the rest; these lines must come first
		panicking = true;
		say("\n[mezzo] panic: %s at EL2, pc=%#lx (image+%#lx) far=%#lx esr=%#lx (class "
		    "%#lx)\n",
		    vector_names[vector & 7], elr, elr - (uintptr_t)image_start, far, esr,
		    field_get(ESR_EC, esr));
		if (!el1 && is_bad_return(esr, elr))
			say("[mezzo] panic: a function's return address was overwritten\n");
		for (unsigned i = 0; i < 30; i += 3)
			say("[mezzo] panic: x%-2u %016lx  x%-2u %016lx  x%-2u %016lx\n", i,
			    frame->x[i], i + 1, frame->x[i + 1], i + 2, frame->x[i + 2]);
		say("[mezzo] panic: x30 %016lx  sp  %016lx\n", frame->x[30], frame->sp);
		panicking = false;
	}
	panic("EL2 took an exception of its own");
}
