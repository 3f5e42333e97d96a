// SPDX-License-Identifier: Apache-2.0
// The owner of the board's UART. Called by main/ (phases, work, interrupts), by base/ through
// console_write, and by the shell (views).
//
// In the run phase whoever has something for the console calls console_drain, which moves bytes only
// if no other CPU is doing so; the one that is looks again before it leaves (`again`), so nothing
// is forgotten and nobody waits. What the UART does not take at once is continued by its interrupt,
// or by the timer if the UART has none.
// Invariant: LOCK_CONSOLE is not held while a device, the shell or another CPU is called.
#include "console/console.h"

#include "arm/barrier.h"
#include "base/atomic.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/print.h"
#include "base/spinlock.h"
#include "console/link.h"
#include "console/message.h"
#include "console/output.h"
#include "console/shell.h"
#include "hw/timer.h"
#include "vm/vm.h"

#define ESCAPE_KEY 0x1d // Ctrl-]

#define EFFORT_A_BYTE 2    // of looking and filtering, for each byte of the budget
#define DRAIN_TRIES   4    // rounds on behalf of CPUs that came meanwhile
#define PUMP_PIECE    16   // bytes on their way to the UART at once
#define INPUT_ROUND   32   // typed bytes under the lock at once
#define TYPED_AT_ONCE 4    // bytes: more than a person's keys send
#define INPUT_ROUNDS  3    // a terminal that sends without end is looked at again later
#define TELL_ROUND    16   // guests that are told about room in one call
#define RETRY_US      250  // budget used up: the guest runs for so long before it goes on
#define STUCK_MS      10   // the UART takes nothing: look again
#define POLL_MS       20   // typed bytes, if the UART has no interrupt
#define POLL_FAST_US  500  // and a program's: 16 bytes take 1.4 ms at 115,200 baud
#define BYTE_MS       100  // polled output: longest wait for one byte
#define END_IDLE_MS   2000 // the end: longest wait without progress
#define END_MS        10000

enum {
	EARLY,
	RUN,
};

static struct {
	// Fixed after console_early, and after console_start.
	struct uart uart;
	bool has_irq;

	uint32_t phase; // atomic
	uint32_t again; // atomic: somebody came while the lock was taken

	// Under console_lock.
	struct output out;
	bool escape;       // the escape key was typed
	bool tx_irq_on;    // the UART tells when there is room
	bool rx_irq_off;   // the UART does not tell of bytes: the timer will look
	uint32_t received; // bytes, ever
	uint64_t deadline; // ticks: when some CPU's timer will call console_tick
} console;

static struct spinlock console_lock = SPINLOCK_INIT(LOCK_CONSOLE);

// ---- polled output: early, the end, panic ----

// Waits for the UART, but not for ever. Returns whether the byte was taken.
static bool poll_byte(uint8_t byte)
{
	const struct uart *uart = &console.uart;

	if (uart->ops == NULL)
		return true;
	if (uart->ops->tx_room(uart) == 0) {
		uint64_t start = timer_now(), limit = timer_from_ms(BYTE_MS);
		while (uart->ops->tx_room(uart) == 0) {
			if (timer_now() - start > limit)
				return false;
			spin_relax();
		}
	}
	uart->ops->tx(uart, byte);
	return true;
}

// Writes all of the wire; what the UART does not take is lost.
static void poll_wire(void)
{
	uint8_t byte;

	while (ring_get(&console.out.wire.ring, &byte))
		if (!poll_byte(byte))
			console.out.wire.ring.tail = console.out.wire.ring.head;
}

static void write_early(const char *text, size_t length)
{
	spin_lock(&console_lock);
	for (size_t i = 0; i < length; i++) {
		lines_put(&console.out.wire, &console.out.own, "mezzo", (uint8_t)text[i]);
		poll_wire();
	}
	if (console.out.wire.last != '\n')
		wire_fresh_line(&console.out.wire);
	poll_wire();
	spin_unlock(&console_lock);
}

// What stands in the rings says how it came to this, so it goes first. The other CPUs may still be
// writing: some bytes may be garbled, none is waited for.
static void write_panicking(const char *text, size_t length)
{
	static bool begun;
	uint8_t byte, bye[LINK_PANIC_SIZE];

	if (!begun) {
		begun = true;
		poll_wire();
		size_t n = link_panic(bye);
		for (size_t i = 0; i < n && poll_byte(bye[i]); i++)
			;
		for (unsigned i = 0; i < UINT16_MAX && message_steal(&byte); i++)
			if ((byte == '\n' && !poll_byte('\r')) || !poll_byte(byte))
				break;
	}
	for (size_t i = 0; i < length; i++)
		if ((text[i] == '\n' && !poll_byte('\r')) || !poll_byte((uint8_t)text[i]))
			return;
}

void console_write(const char *text, size_t length)
{
	if (panicking) {
		write_panicking(text, length);
	} else if (load_acquire(&console.phase) == EARLY) {
		if (console.out.wire.ring.bytes != NULL) // else the log keeps it for console_early
			write_early(text, length);
	} else {
		message_put(text, length);
		cpu_post_local(CPU_WORK_CONSOLE);
	}
}

void console_early(const struct uart *uart)
{
	char text[1024];

	console.uart = *uart;
	console.deadline = TIMER_NEVER;
	output_init(&console.out);
	size_t length = log_read(text, sizeof text);
	if (length > 0)
		write_early(text, length);
}

// ---- the run phase ----

// Asks this CPU's timer for a tick, unless one comes earlier anyway. Under the lock.
static void wake_at(uint64_t when)
{
	if (when < console.deadline) {
		console.deadline = when;
		timer_set(TIMER_CONSOLE, when);
	}
}

// Moves bytes from the wire to the UART. False: the UART takes no more for now.
static bool pump(uint32_t *budget)
{
	const struct uart *uart = &console.uart;
	struct ring *from = &console.out.wire.ring;
	uint8_t bytes[PUMP_PIECE];

	while (*budget > 0 && ring_fill(from) > 0) {
		uint32_t room = uart->ops != NULL ? uart->ops->tx_room(uart) : PUMP_PIECE;
		if (room == 0)
			return false;
		room = room < PUMP_PIECE ? room : PUMP_PIECE;
		uint32_t count = ring_get_some(from, bytes, room < *budget ? room : *budget);
		for (uint32_t i = 0; i < count && uart->ops != NULL; i++)
			uart->ops->tx(uart, bytes[i]);
		*budget -= count;
	}
	return true;
}

static void set_tx_irq(bool on)
{
	if (!console.has_irq || console.tx_irq_on == on)
		return;
	console.tx_irq_on = on;
	console.uart.ops->irq_enable_tx(&console.uart, on);
}

// Makes the wire's next bytes ready. Returns whether there is more.
static bool fill_wire(uint64_t now, bool flush, uint32_t *effort)
{
	if (link_framed())
		return link_fill(&console.out, now, flush, effort);
	link_fill_plain(&console.out, effort);
	return output_fill(&console.out, now, flush, effort);
}

static uint64_t poll_ticks(void)
{
	return link_framed() ? timer_from_us(POLL_FAST_US) : timer_from_ms(POLL_MS);
}

// Under the lock. Returns whether there is more to be done.
static bool drain_locked(uint64_t now, uint32_t *budget, bool flush)
{
	uint32_t effort = *budget * EFFORT_A_BYTE;
	bool more, taken;

	do {
		more = fill_wire(now, flush, &effort);
		taken = pump(budget);
	} while (more && taken && *budget > 0 && effort > 0);

	if (now >= console.deadline)
		console.deadline = TIMER_NEVER;
	wake_at(console.out.deadline);
	if (!taken && !console.rx_irq_off)
		wake_at(now + timer_from_ms(STUCK_MS));
	else if (more || console.rx_irq_off || ring_fill(&console.out.wire.ring) > 0)
		wake_at(now + timer_from_us(RETRY_US));
	if (!console.has_irq)
		wake_at(now + poll_ticks());
	set_tx_irq(!taken);
	return more || ring_fill(&console.out.wire.ring) > 0;
}

// Guests that wait for room in their output ring look again: once around, or some of them if there are many.
static void tell_waiting(void)
{
	static uint32_t
	        next; // where it goes on; atomic, and no harm if two CPUs start at the same one
	uint32_t start = load_relaxed(&next), n = start;
	bool around = false;

	for (unsigned i = 0; i < TELL_ROUND; i++) {
		uint32_t found = bitset_next(&vcons_waiting, n);
		if (found == BITSET_NONE && !around) {
			around = true;
			found = bitset_next(&vcons_waiting, 0);
		}
		if (found == BITSET_NONE || (around && found >= start))
			break;
		n = found + 1;
		bitset_remove(&vcons_waiting, found);
		struct vm *vm = vm_by_id(n);
		if (vm != NULL)
			vuart_output_drained(vm);
	}
	store_relaxed(&next, n);
}

void console_drain(uint32_t budget)
{
	if (load_acquire(&console.phase) == EARLY)
		return;
	bool taken = true;

	shell_poll();
	store_relaxed(&console.again, 1);
	for (unsigned i = 0; i < DRAIN_TRIES && taken; i++) {
		dmb(ish); // `again` before the lock, and the unlock before `again`
		if (load_relaxed(&console.again) == 0)
			break;
		taken = spin_trylock(&console_lock);
		if (!taken) // the CPU that has it looks at `again` when it is done
			break;
		store_relaxed(&console.again, 0);
		dmb(ish); // what came with this `again` is seen below
		uint64_t now = timer_now();
		if (load_relaxed(&console.phase) == RUN)
			(void)drain_locked(now, &budget, false);
		if (shell_has_work())
			wake_at(now + timer_from_us(RETRY_US));
		spin_unlock(&console_lock);
	}
	if (taken && load_relaxed(&console.again) != 0)
		cpu_post_local(CPU_WORK_CONSOLE);
	tell_waiting();
}

void console_put_off(void)
{
	store_relaxed(&console.again, 1); // as above: who has the lock looks at it
	dmb(ish);
	if (!spin_trylock(&console_lock))
		return;
	wake_at(timer_now() + timer_from_us(RETRY_US));
	spin_unlock(&console_lock);
}

// ---- input ----

static void say(const char *format, ...) PRINTF_LIKE(1, 2);
static void say(const char *format, ...)
{
	char line[MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	size_t n = print_vbuffer(line, sizeof line, format, args);
	va_end(args);
	message_put(line, n);
}

static void view_vm(struct vm *vm)
{
	output_show(&console.out, OUTPUT_VM, vm);
	say("%s: attached (%s); Ctrl-] ? for help", vm->name, vm_state_name(vm));
}

// The VM after the one in focus, or before it, going round at the ends.
static void view_neighbour(bool next)
{
	uint32_t from = console.out.focus != NULL ? console.out.focus->id : 0;
	struct vm *vm = next ? vm_after(from) : vm_before(from);

	if (vm == NULL)
		vm = next ? vm_after(0) : vm_before(VM_MAX + 1);
	if (vm != NULL)
		view_vm(vm);
	else
		say("there is no VM");
}

static void help_escape(void)
{
	say("Ctrl-] then: 0 Mezzo's shell, 1-9 a VM by its number, n/p next/previous VM,");
	say("             a all output with names, ] Ctrl-] itself, ? this help");
}

// The key after the escape key. Returns whether the escape key itself is to be passed on.
static bool handle_escape(uint8_t key)
{
	struct vm *vm;

	switch (key) {
	case ']':
	case ESCAPE_KEY: return true;
	case '?': help_escape(); break;
	case '0': output_show(&console.out, OUTPUT_SHELL, NULL); break;
	case 'a': output_show(&console.out, OUTPUT_ALL, NULL); break;
	case 'n': view_neighbour(true); break;
	case 'p': view_neighbour(false); break;
	default:
		vm = key >= '1' && key <= '9' ? vm_by_id(key - (uint32_t)'0') : NULL;
		if (vm != NULL)
			view_vm(vm);
		else
			help_escape();
	}
	return false;
}

static void pass_on(uint8_t byte, struct typed *typed)
{
	if (console.out.view == OUTPUT_SHELL) {
		(void)shell_input(byte);
		return;
	}
	if (console.out.focus == NULL)
		console.out.focus = vm_after(0);
	struct vm *vm = console.out.focus;
	if (vm == NULL || load_acquire(&vm->state) != VM_RUNNING) {
		if (byte == '\r' && vm != NULL)
			say("%s is %s; Ctrl-] 0 leads to Mezzo's shell", vm->name,
			    vm_state_name(vm));
		return;
	}
	typed->vm = vm;
	if (!vcons_in_put(&vm->con, byte))
		typed->lost = true;
}

// Reads some bytes, for one VM at most. Returns whether there may be more.
static bool read_typed(struct typed *typed)
{
	const struct uart *uart = &console.uart;
	uint64_t now = timer_now();
	uint8_t byte;

	for (unsigned i = 0; i < INPUT_ROUND; i++) {
		if (uart->ops == NULL || !uart->ops->rx(uart, &byte))
			return false;
		console.received++;
		if (link_take(&console.out, byte, now, typed)) {
			console.escape = false;
			if (typed->vm != NULL)
				return true;
			continue;
		}
		if (console.escape) {
			console.escape = false;
			if (!handle_escape(byte))
				return true; // perhaps for another VM from here on
			byte = ESCAPE_KEY;
		} else if (byte == ESCAPE_KEY) {
			console.escape = true;
			continue;
		}
		pass_on(byte, typed);
	}
	return true;
}

// A terminal that sends without end would bring one interrupt after the other. So while bytes come faster than a
// person types, the guest goes on for a while first, and the timer looks for the rest; a real UART's FIFO
// holds what comes meanwhile.
static void set_rx_irq(bool on)
{
	if (!console.has_irq || console.rx_irq_off == !on)
		return;
	console.rx_irq_off = !on;
	console.uart.ops->irq_enable_rx(&console.uart, on);
}

static void read_all(void)
{
	uint32_t count = 0;
	bool more = true;

	for (unsigned i = 0; more && i < INPUT_ROUNDS; i++) {
		struct typed typed = {0};
		spin_lock(&console_lock);
		uint32_t before = console.received;
		more = read_typed(&typed);
		count += console.received - before;
		if (!more || i == INPUT_ROUNDS - 1)
			set_rx_irq(!more && count <= TYPED_AT_ONCE);
		spin_unlock(&console_lock);
		if (typed.vm == NULL)
			continue;
		vuart_input(typed.vm);
		if (typed.lost)
			vuart_overrun(typed.vm);
	}
}

void console_interrupt(void)
{
	if (load_acquire(&console.phase) == EARLY || console.uart.ops == NULL)
		return;
	console.uart.ops->irq_ack(&console.uart);
	read_all();
	cpu_post_local(CPU_WORK_CONSOLE); // written once an exit, whoever asks for it
}

void console_tick(void)
{
	if (load_acquire(&console.phase) == EARLY)
		return;
	read_all();
	cpu_post_local(CPU_WORK_CONSOLE);
}

// ---- views and phases ----

void console_view_all(void)
{
	spin_lock(&console_lock);
	output_show(&console.out, OUTPUT_ALL, NULL);
	spin_unlock(&console_lock);
	cpu_post_local(CPU_WORK_CONSOLE);
}

void console_view_vm(struct vm *vm)
{
	spin_lock(&console_lock);
	view_vm(vm);
	spin_unlock(&console_lock);
	cpu_post_local(CPU_WORK_CONSOLE);
}

void console_view_shell(void)
{
	spin_lock(&console_lock);
	output_show(&console.out, OUTPUT_SHELL, NULL);
	spin_unlock(&console_lock);
	cpu_post_local(CPU_WORK_CONSOLE);
}

void console_vms_changed(void)
{
	link_vms_changed();
	cpu_post_local(CPU_WORK_CONSOLE);
}

void console_forget(struct vm *vm)
{
	spin_lock(&console_lock);
	link_forget(vm);
	output_forget(&console.out, vm);
	vcons_forget(&vm->con);
	spin_unlock(&console_lock);
	cpu_post_local(CPU_WORK_CONSOLE);
}

uint16_t console_file_begin(const char *name, uint32_t id, const char **why)
{
	spin_lock(&console_lock);
	uint16_t number = link_file_begin(name, id, why);
	spin_unlock(&console_lock);
	cpu_post_local(CPU_WORK_CONSOLE);
	return number;
}

void console_file_end(uint16_t number, const char *why)
{
	spin_lock(&console_lock);
	link_file_end(number, why);
	spin_unlock(&console_lock);
	cpu_post_local(CPU_WORK_CONSOLE);
}

void console_start(bool has_irq)
{
	const struct uart *uart = &console.uart;

	spin_lock(&console_lock);
	console.has_irq = has_irq && uart->ops != NULL;
	output_set_pause(&console.out);
	if (uart->ops != NULL) {
		uart->ops->init(uart);
		uart->ops->irq_enable_rx(uart, has_irq);
		console.rx_irq_off = false;
	}
	store_release(&console.phase, RUN);
	spin_unlock(&console_lock);
	// Bytes that were there before init had ended bring no interrupt any more.
	read_all();
	cpu_post_local(CPU_WORK_CONSOLE);
}

// All VMs have ended, but a program on the other end still says how much more it takes.
static void read_link(void)
{
	const struct uart *uart = &console.uart;
	struct typed nobody = {0};
	uint8_t byte;

	while (link_framed() && uart->ops != NULL && uart->ops->rx(uart, &byte))
		(void)link_take(&console.out, byte, timer_now(), &nobody);
}

// Waits until everything is written, or the UART has stood still for too long.
static void drain_all(uint64_t end)
{
	uint64_t idle = timer_from_ms(END_IDLE_MS);
	uint64_t moved = timer_now();
	bool more = true;

	while (more && timer_now() < end && timer_now() - moved < idle) {
		uint32_t budget = CONSOLE_BUDGET;
		read_link();
		more = drain_locked(timer_now(), &budget, true);
		if (budget < CONSOLE_BUDGET)
			moved = timer_now();
		else
			spin_relax();
	}
}

void console_end(unsigned off, unsigned crashed)
{
	const struct uart *uart = &console.uart;
	char line[64];
	uint64_t end = timer_now() + timer_from_ms(END_MS);

	size_t n = print_buffer(line, sizeof line, "end: %u off, %u crashed", off, crashed);
	spin_lock(&console_lock);
	drain_all(end);
	link_end(&console.out, line, n);
	poll_wire();
	wire_fresh_line(&console.out.wire);
	for (size_t i = 0; i < n; i++)
		lines_put(&console.out.wire, &console.out.own, "mezzo", (uint8_t)line[i]);
	lines_put(&console.out.wire, &console.out.own, "mezzo", '\n');
	poll_wire();
	store_release(&console.phase, EARLY);
	while (uart->ops != NULL && !uart->ops->tx_done(uart) && timer_now() < end)
		spin_relax();
	spin_unlock(&console_lock);
}
