// SPDX-License-Identifier: Apache-2.0
// The virtio console of a guest, with two ports. Port 0 is the VM's console, which it shares with the UART: the output of
// both is the VM's, in the order in which it is sent, and typed bytes go to the one that the guest last sent something
// through. Port 1, "mezzo.log", leads into Mezzo's log: what a guest's program writes there stands beside Mezzo's own
// lines, so many a second as other lines of a guest. Owns the ports' state; called by vvirtio.c for the guest and by
// console/ for the other end.
//
// Lock order: the device's, then the console's share of the two, whose rank is later.
// Invariant: a port's buffers are only used once its driver opened it, or, without MULTIPORT, at once.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Console Device".
#include "vdev/vvirtio_console.h"

#include "base/string.h"
#include "vdev/vpl011.h"
#include "vdev/vuart_share.h"
#include "vdev/vvirtio.h"
#include "vm/vm.h"

#define QUEUE_SIZE 32
#define NR_PORTS   2U
#define PORT_TTY   0U
#define PORT_LOG   1U
#define LOG_NAME   "mezzo.log"
#define LINE_SIZE  160 // bytes of a line in the log, as of the call that does the same
#define PIECE      64  // bytes that are moved at a time
#define COST_BYTE  12U

// Two queues for each port, and two for messages about ports behind those of the first one.
enum { RX_TTY, TX_TTY, RX_CONTROL, TX_CONTROL, RX_LOG, TX_LOG, NR_QUEUES };

// Messages about a port, either way. Those of the device in the order in which they are sent.
enum event {
	DEVICE_READY = 0, // the driver's
	DEVICE_ADD = 1,
	PORT_READY = 3, // the driver's
	CONSOLE_PORT = 4,
	PORT_OPEN = 6, // either's
	PORT_NAME = 7,
};

struct message {
	uint32_t port;
	uint16_t event, value;
};

struct vvirtio_console {
	struct vvirtio dev; // first
	struct vvirtio_queue queue[NR_QUEUES];
	struct {
		uint16_t columns, rows; // not known
		uint32_t nr_ports;
		uint32_t emergency_write;
	} config;
	struct vuart_share share;

	// Under share.lock.
	struct vuart_out out;

	// Under the device's lock.
	uint32_t to_tell[NR_PORTS];          // messages that are to be sent, BIT(event)
	struct vvirtio_place sent[NR_PORTS]; // how far the buffer in hand has been sent
	bool is_sending[NR_PORTS];
	uint32_t line_fill;
	char line[LINE_SIZE + 1]; // what came for the log and is no whole line yet
};

static struct vvirtio_console *console_of(struct vvirtio *dev)
{
	return CONTAINER_OF(dev, struct vvirtio_console, dev);
}

// ---- port 0 ----

// Sends what there is room for. Returns how many bytes; 0: the console calls when it has taken some.
static uint32_t put_on_console(struct vvirtio_console *console, const uint8_t *bytes, uint32_t size)
{
	bool tell = false;
	uint32_t done = 0;

	spin_lock(&console->share.lock);
	console->share.reader = console;
	uint32_t room = vuart_out_look(&console->out, size);
	for (; done < size && done < room; done++)
		tell |= vcons_out_put(console->out.con, bytes[done], 0) == VCONS_TELL;
	spin_unlock(&console->share.lock);
	if (tell)
		vuart_tell(console->out.con);
	return done;
}

static uint32_t room_on_console(struct vvirtio_console *console)
{
	spin_lock(&console->share.lock);
	uint32_t room = vuart_out_look(&console->out, PIECE);
	spin_unlock(&console->share.lock);
	return room;
}

// Typed bytes, if they are for this port.
static uint32_t take_typed(struct vvirtio_console *console, uint8_t *bytes, uint64_t size)
{
	struct vcons *con = console->out.con;
	uint32_t n = 0;

	spin_lock(&console->share.lock);
	while (console->share.reader == console && n < size && vcons_in_get(con, &bytes[n]))
		n++;
	bool tell = n != 0 && vcons_in_tell(con);
	spin_unlock(&console->share.lock);
	if (tell)
		vuart_tell(con);
	return n;
}

static bool is_typed(struct vvirtio_console *console)
{
	spin_lock(&console->share.lock);
	bool typed = console->share.reader == console && vcons_fill(&console->out.con->in) != 0;
	spin_unlock(&console->share.lock);
	return typed;
}

static bool receive(struct vvirtio_console *console, struct vvirtio_work *work)
{
	struct vvirtio *dev = &console->dev;
	struct vvirtqueue_chain *chain;
	uint8_t bytes[PIECE];

	while (vvirtio_may(work) && is_typed(console) &&
	       (chain = vvirtio_chain(dev, RX_TTY, work)) != NULL) {
		struct vvirtio_place to = vvirtio_writable(chain);
		uint64_t most = chain->bytes_write < PIECE ? chain->bytes_write : PIECE;
		uint32_t n = take_typed(console, bytes, most);
		vvirtio_spend(work, n * COST_BYTE);
		vvirtio_give(dev, RX_TTY,
		             (uint32_t)vvirtio_to_guest(dev, chain, &to, bytes, n, work));
		if (most == 0) { // or its bytes would be looked at for ever
			vvirtio_broken(dev, "queue %u has a buffer without room", RX_TTY);
			break;
		}
	}
	vvirtio_deafen(dev, RX_TTY, !is_typed(console));
	return vvirtio_may(work) || !is_typed(console);
}

// ---- port 1 ----

static void end_line(struct vvirtio_console *console)
{
	if (console->line_fill == 0)
		return;
	console->line[console->line_fill] = '\0';
	console->line_fill = 0;
	vm_log(console->dev.vm, "says: %s", console->line);
}

static uint32_t put_into_log(struct vvirtio_console *console, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' || console->line_fill == LINE_SIZE)
			end_line(console);
		if (bytes[i] != '\n' &&
		    bytes[i] != '\r') // a guest cannot move the cursor of whoever reads the log
			console->line[console->line_fill++] =
			        bytes[i] >= ' ' && bytes[i] <= '~' ? (char)bytes[i] : '.';
	}
	return size;
}

// ---- what both send ----

static bool send(struct vvirtio_console *console, unsigned port, unsigned queue,
                 struct vvirtio_work *work)
{
	struct vvirtio *dev = &console->dev;
	struct vvirtqueue_chain *chain;
	uint8_t bytes[PIECE];

	while (vvirtio_may(work) && (chain = vvirtio_chain(dev, queue, work)) != NULL) {
		uint32_t room = port == PORT_TTY ? room_on_console(console) : PIECE;
		struct vvirtio_place *from = &console->sent[port];
		if (!console->is_sending[port])
			*from = vvirtio_readable(chain);
		console->is_sending[port] = true;
		if (room == 0)
			return true; // output_drained goes on
		room = room < PIECE ? room : PIECE;
		struct vvirtio_place at = *from;
		uint32_t n = (uint32_t)vvirtio_from_guest(dev, chain, &at, bytes, room, work);
		uint32_t taken = port == PORT_TTY ? put_on_console(console, bytes, n)
		                                  : put_into_log(console, bytes, n);
		vvirtio_spend(work, n * COST_BYTE);
		vvirtio_skip(chain, from, taken); // the UART may have been faster
		if (n < room && taken == n) {
			console->is_sending[port] = false;
			vvirtio_give(dev, queue, 0);
		}
	}
	return vvirtio_may(work);
}

// ---- messages about ports ----

// Sends what is to be told, as far as the driver has buffers for it.
static bool tell_driver(struct vvirtio_console *console, struct vvirtio_work *work)
{
	struct vvirtio *dev = &console->dev;
	struct vvirtqueue_chain *chain;

	for (unsigned port = 0; port < NR_PORTS; port++)
		while (console->to_tell[port] != 0) {
			if (!vvirtio_may(work))
				return false;
			chain = vvirtio_chain(dev, RX_CONTROL, work);
			vvirtio_deafen(dev, RX_CONTROL, false);
			if (chain == NULL)
				return true;
			struct vvirtio_place to = vvirtio_writable(chain);
			uint16_t event = (uint16_t)__builtin_ctz(console->to_tell[port]);
			const struct message message = {port, event, 1};
			size_t n =
			        vvirtio_to_guest(dev, chain, &to, &message, sizeof message, work);
			if (event == PORT_NAME)
				n += vvirtio_to_guest(dev, chain, &to, LOG_NAME, sizeof LOG_NAME,
				                      work);
			console->to_tell[port] &= ~BIT_U32(event);
			vvirtio_give(dev, RX_CONTROL, (uint32_t)n);
		}
	vvirtio_deafen(dev, RX_CONTROL, true);
	return true;
}

static void heard(struct vvirtio_console *console, const struct message *message)
{
	if (message->event == DEVICE_READY && message->value == 1) {
		for (unsigned port = 0; port < NR_PORTS; port++)
			console->to_tell[port] = BIT_U32(DEVICE_ADD);
		return;
	}
	if (message->event != PORT_READY || message->value != 1 || message->port >= NR_PORTS)
		return; // a port that was opened or closed: nothing follows from it here
	console->to_tell[message->port] |= message->port == PORT_TTY
	                                           ? BIT_U32(CONSOLE_PORT) | BIT_U32(PORT_OPEN)
	                                           : BIT_U32(PORT_NAME) | BIT_U32(PORT_OPEN);
}

static bool hear(struct vvirtio_console *console, struct vvirtio_work *work)
{
	struct vvirtio *dev = &console->dev;
	struct vvirtqueue_chain *chain;

	while (vvirtio_may(work) && (chain = vvirtio_chain(dev, TX_CONTROL, work)) != NULL) {
		struct vvirtio_place from = vvirtio_readable(chain);
		struct message message;
		if (vvirtio_from_guest(dev, chain, &from, &message, sizeof message, work) ==
		    sizeof message)
			heard(console, &message);
		vvirtio_give(dev, TX_CONTROL, 0);
	}
	vvirtio_again(dev, BIT_U32(RX_CONTROL));
	return vvirtio_may(work);
}

static bool console_work(struct vvirtio *dev, unsigned queue, struct vvirtio_work *work)
{
	struct vvirtio_console *console = console_of(dev);

	switch (queue) {
	case RX_TTY: return receive(console, work);
	case TX_TTY: return send(console, PORT_TTY, TX_TTY, work);
	case TX_LOG: return send(console, PORT_LOG, TX_LOG, work);
	case RX_CONTROL: return tell_driver(console, work);
	case TX_CONTROL: return hear(console, work);
	default: return true; // nothing comes from the log
	}
}

static void console_reset(struct vvirtio *dev)
{
	struct vvirtio_console *console = console_of(dev);

	memset(console->to_tell, 0, sizeof console->to_tell);
	memset(console->is_sending, 0, sizeof console->is_sending);
	dev->deaf = BIT_U32(RX_TTY) | BIT_U32(RX_CONTROL) | BIT_U32(RX_LOG);
	end_line(console);
	spin_lock(&console->share.lock);
	if (console->share.reader == console)
		console->share.reader = NULL;
	spin_unlock(&console->share.lock);
}

// One byte without any queue, for a kernel that is about to die.
static void console_config_write(struct vvirtio *dev, uint32_t offset, unsigned size,
                                 uint32_t value)
{
	struct vvirtio_console *console = console_of(dev);
	uint8_t byte = (uint8_t)value;

	if (offset == offsetof(__typeof__(console->config), emergency_write) && size == 4)
		(void)put_on_console(console, &byte, 1);
}

static const struct vvirtio_ops ops = {
        .name = "virtio-console",
        .id = VIRTIO_CONSOLE,
        .features = VIRTIO_CONSOLE_F_MULTIPORT | VIRTIO_CONSOLE_F_EMERG_WRITE,
        .queue_size = QUEUE_SIZE,
        .work = console_work,
        .reset = console_reset,
        .config_write = console_config_write,
};

// ---- the other end ----

static void input(struct vm *vm)
{
	vpl011_input(vm->uart);
	vvirtio_wake(&vm->virtio_console->dev, BIT_U32(RX_TTY));
}

static void overrun(struct vm *vm)
{
	vpl011_overrun(vm->uart);
}

static void output_drained(struct vm *vm)
{
	vpl011_output_drained(vm->uart);
	vvirtio_wake(&vm->virtio_console->dev, BIT_U32(TX_TTY));
}

static const struct vuart_ops uart_ops = {
        .input = input,
        .overrun = overrun,
        .output_drained = output_drained,
};

int vvirtio_console_create(struct vm *vm)
{
	if (!vm->wants_console)
		return 0;
	struct vvirtio_console *console = vm_alloc(vm, sizeof *console);
	if (console == NULL)
		return ERR_NO_MEMORY;
	console->dev.queue = console->queue;
	console->dev.nr_queues = NR_QUEUES;
	console->config.nr_ports = NR_PORTS;
	console->dev.config = (uint8_t *)&console->config;
	console->dev.config_size = sizeof console->config;
	console->share.lock = (struct spinlock)SPINLOCK_INIT(LOCK_PORT);
	vuart_out_init(&console->out, &vm->con);
	vpl011_share(vm->uart, &console->share);
	vm->virtio_console = console;
	vm->uart_ops = &uart_ops;
	return vvirtio_add(vm, &console->dev, &ops);
}

static const struct vstate_field fields[] = {
        VSTATE_ARRAY(struct vvirtio_console, to_tell),
        VSTATE_ARRAY(struct vvirtio_console, is_sending),
        VSTATE_FIELD(struct vvirtio_console, line_fill),
        VSTATE_ARRAY(struct vvirtio_console, line),
};

const struct vstate vvirtio_console_state = {"virtio-console", fields, ARRAY_SIZE(fields), NULL};
