// SPDX-License-Identifier: Apache-2.0
// The board's one UART, shared by Mezzo and all VMs. docs/console.md says what a person sees.
//
// Three phases. Early: console_early to console_start; output is written at once, byte by byte.
// Run: nothing waits for the UART; bytes lie in rings and are moved by whichever CPU is told to.
// Panic (base/panic.h): straight to the UART, no lock.
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "base/types.h"
#include "hw/uart.h"

struct vm;

// How many bytes one call of console_drain should move at most: up to 20,000 instructions, and an exit may
// bring two calls.
#define CONSOLE_BUDGET 128

// Output goes to this UART from now on, at once. What was logged before is written too. Boot CPU; the
// registers are mapped. uart->ops may be NULL: there is no console, all output is given up.
void console_early(const struct uart *uart);

// From here on nothing waits for the UART. The view is "all". `has_irq`: the UART's interrupt reaches
// console_interrupt (the caller enables it in the GIC, level); without it a timer looks for
// typed bytes. timer_init_cpu and cpu_this() must work. Boot CPU, once.
void console_start(bool has_irq);

// What the wire shows and where typed bytes go to. Any CPU.
void console_view_all(void);         // all output, each line with its source's name; input to the
                                     // VM that was viewed last, else the first
void console_view_vm(struct vm *vm); // raw
void console_view_shell(void);

// VMs have come, or changed state: whoever lists them is told again. Any CPU, no lock held.
void console_vms_changed(void);
// The VM is out of sight and about to be freed: nothing here points to it any more when this returns. Any CPU,
// no lock held.
void console_forget(struct vm *vm);

// Files for the host at the other end of the framed wire (docs/wire.md), one at a time. Whoever makes one is a
// command of the shell, so on one CPU at a time. No lock held. These are as link_file_... in link.h.
uint16_t console_file_begin(const char *name, uint32_t id, const char **why);
void console_file_end(uint16_t number, const char *why);

// Moves at most `budget` bytes to the UART; arranges to be called again if there is more. When
// CPU_WORK_CONSOLE is set on this CPU. No lock held. Bounded whatever guests do.
void console_drain(uint32_t budget);

// In place of console_drain: it has time until the guest has run for a while. No lock held.
void console_put_off(void);

// The UART's interrupt: reads typed bytes, passes them on, goes on sending. No lock held; on any CPU.
void console_interrupt(void);

// TIMER_CONSOLE expired on this CPU. No lock held.
void console_tick(void);

// Every VM has ended: writes everything that is left, waiting for the UART, then the line
// "[mezzo] end: N off, M crashed" by itself. Gives up after 10 s, or 2 s without progress. From here
// on output is as in the early phase. No lock held.
void console_end(unsigned off, unsigned crashed);

#endif
