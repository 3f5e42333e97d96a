// SPDX-License-Identifier: Apache-2.0
/*
 * The PL011 as a driver meets it: registers and their widths, flags, transmit interrupt and its
 * level, loopback with receive FIFO, trigger level and overrun. It prints before anybody enables
 * it, which every other kernel proves; here it is said aloud.
 * Source: PrimeCell UART (PL011) Technical Reference Manual, "Programmer's Model".
 */
#include "test.h"

#include "gic.h"
#include "irq.h"

#define DR    0x000
#define RSR   0x004
#define FR    0x018
#define ILPR  0x020
#define IBRD  0x024
#define FBRD  0x028
#define LCR   0x02c
#define CR    0x030
#define IFLS  0x034
#define IMSC  0x038
#define RIS   0x03c
#define MIS   0x040
#define ICR   0x044
#define DMACR 0x048
#define ID    0xfe0

#define FR_RXFE    BIT(4)
#define FR_TXFF    BIT(5)
#define FR_RXFF    BIT(6)
#define FR_TXFE    BIT(7)
#define FR_BUSY    BIT(3)
#define INT_RX     BIT(4)
#define INT_TX     BIT(5)
#define INT_RT     BIT(6)
#define INT_OE     BIT(10)
#define INT_ALL    BITS(10, 0)
#define CR_EN      BIT(0)
#define CR_LBE     BIT(7)
#define CR_TXE     BIT(8)
#define CR_RXE     BIT(9)
#define CR_WHOLE   (BITS(15, 7) | BITS(2, 0))
#define LCR_FEN    BIT(4)
#define LCR_8BIT   FIELD(BITS(6, 5), 3)
#define IFLS_RX    BITS(5, 3)
#define RSR_OE     BIT(3)
#define DR_DATA    BITS(7, 0)
#define IFLS_RESET 0x12
#define FIFO_SMALL 16 /* r1p4 and before; 32 since r1p5 */
#define FIFO_BIG   32
#define WAIT_US    1000000ul
#define SETTLE_US  3000ul

static u32 get(u32 offset)
{
	return read32(platform.uart + offset);
}

static void set(u32 offset, u64 v)
{
	write32(platform.uart + offset, (u32)v);
}

static void test_ids(void)
{
	static const u8 cell_id[] = {0x0d, 0xf0, 0x05, 0xb1};

	group_begin("pl011-ids");
	group_eq(get(ID), 0x11, "part number, low");
	group_eq(get(ID + 4), 0x10, "part number, high, and designer");
	group_eq(get(ID + 8) & 0xf, 0x4, "designer, high");
	group_eq(get(ID + 12), 0, "configuration");
	for (u32 i = 0; i < ARRAY_LEN(cell_id); i++)
		group_eq(get(ID + 16 + 4 * i), cell_id[i], "cell id %u", i);
	for (u32 i = 0; i < 8; i++) {
		group_eq(read8(platform.uart + ID + 4 * i), get(ID + 4 * i), "byte %u", i);
		group_eq(read16(platform.uart + ID + 4 * i), get(ID + 4 * i), "halfword %u", i);
	}
	group_end();
}

/* Idle again, with the settings that the printer of this program can live with. */
static void restore(void)
{
	set(IMSC, 0);
	set(ICR, INT_ALL);
	set(LCR, LCR_8BIT | LCR_FEN);
	set(IFLS, IFLS_RESET);
	set(CR, CR_EN | CR_TXE | CR_RXE);
}

static void test_reset_state(void)
{
	group_begin("pl011-at-start");
	group_eq(get(FR) & (FR_RXFE | FR_RXFF | FR_TXFF), FR_RXFE, "flags");
	group_eq(WAIT_FOR((get(FR) & (FR_TXFE | FR_BUSY)) == FR_TXFE, WAIT_US), true,
	         "transmitter idle");
	group_eq(get(CR), CR_TXE | CR_RXE, "control: not enabled, and yet it prints");
	group_eq(get(IFLS), IFLS_RESET, "trigger levels");
	group_eq(get(IMSC), 0, "interrupt mask");
	group_eq(get(MIS), 0, "masked interrupts");
	group_eq(get(LCR), 0, "line control");
	group_eq(get(DMACR), 0, "DMA control");
	group_end();
}

struct row {
	const char *name;
	u32 offset;
	u64 bits;
};

static void test_registers(void)
{
	static const struct row rows[] = {
	        {"ILPR", ILPR, BITS(7, 0)}, {"IBRD", IBRD, BITS(15, 0)},
	        {"FBRD", FBRD, BITS(5, 0)}, {"LCR", LCR, BITS(7, 0)},
	        {"IFLS", IFLS, BITS(5, 0)}, {"DMACR", DMACR, BITS(2, 0)},
	};
	static const u32 words[] = {0x5a5a5a5a, 0xa5a5a5a5, 0xffffffff, 0};

	group_begin("pl011-registers");
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		for (unsigned w = 0; w < ARRAY_LEN(words); w++) {
			u32 v = words[w] & (u32)rows[i].bits;

			set(rows[i].offset, v);
			group_eq(get(rows[i].offset), v, "%s", rows[i].name);
		}
		set(rows[i].offset, 0);
	}
	set(IMSC, INT_RT | INT_OE);
	group_eq(get(IMSC), INT_RT | INT_OE, "IMSC");
	write16(platform.uart + IBRD, 0x1234);
	group_eq(read16(platform.uart + IBRD), 0x1234, "IBRD, halfword");
	group_eq(read8(platform.uart + IBRD), 0x34, "IBRD, byte");
	write8(platform.uart + FBRD, 0x15);
	group_eq(read32(platform.uart + FBRD), 0x15, "FBRD, byte written");
	group_end();

	/* Nothing but the documented bits exists. */
	group_strict("pl011-register-widths");
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		set(rows[i].offset, 0xffffffff);
		group_eq(get(rows[i].offset), rows[i].bits, "%s", rows[i].name);
		set(rows[i].offset, 0);
	}
	set(IMSC, 0xffff);
	group_eq(get(IMSC), INT_ALL, "IMSC");
	set(IMSC, 0);
	set(CR, 0xffff & ~CR_LBE);
	group_eq(get(CR), CR_WHOLE & ~CR_LBE, "CR");
	set(RIS, 0xffff);
	set(MIS, 0xffff);
	set(FR, 0xffff);
	group_eq(get(FR) & (FR_RXFE | FR_RXFF), FR_RXFE, "FR is read-only");
	set(RSR, 0);
	group_eq(get(RSR), 0, "no error");
	group_end();
	restore();
}

static volatile u32 irqs_wanted;

static void on_tx(u32 iar)
{
	(void)iar;
	if (--irqs_wanted == 0)
		set(ICR, INT_TX);
}

static void on_tx_mask(u32 iar)
{
	(void)iar;
	set(IMSC, 0);
}

/* More characters than half a FIFO: the level is passed on the way down. */
static void send_line(void)
{
	print_raw("# ........................................\n");
	WAIT_FOR((get(FR) & FR_TXFE) != 0, WAIT_US);
}

static void test_transmit(void)
{
	u32 intid = (u32)platform.uart_intid;

	group_begin("pl011-transmit-interrupt");
	gic_set_edge(intid, false);
	gic_enable(intid);
	set(ICR, INT_ALL);
	group_eq(get(RIS) & INT_TX, 0, "cleared");
	send_line();
	group_eq(WAIT_FOR((get(RIS) & INT_TX) != 0, WAIT_US), true, "raised by sending");
	group_eq(get(MIS), 0, "masked");
	group_eq(gic_is_pending(intid), false, "line low");

	irq_reset();
	irqs_wanted = 5;
	irq_set_handler(intid, on_tx);
	set(IMSC, INT_TX);
	group_eq(get(IMSC), INT_TX, "unmasked");
	group_eq(WAIT_FOR(irq_count(0, intid) >= 5, WAIT_US), true, "level is taken again");
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, intid), 5, "until it is cleared");
	group_eq(get(MIS), 0, "cleared in MIS");

	irq_reset();
	irq_set_handler(intid, on_tx_mask);
	send_line();
	group_eq(WAIT_FOR(irq_count(0, intid) == 1, WAIT_US), true, "next line, next interrupt");
	timer_delay(SETTLE_US);
	group_eq(irq_count(0, intid), 1, "the mask lowers the line");
	group_eq(get(RIS) & INT_TX, INT_TX, "masked but still raised");
	set(ICR, INT_RX | INT_RT);
	group_eq(get(RIS) & INT_TX, INT_TX, "other bits of ICR leave it");
	set(ICR, INT_TX);
	group_eq(get(RIS) & INT_TX, 0, "ICR clears");
	gic_disable(intid);
	group_end();
	restore();
}

static void test_widths_of_data(void)
{
	/* A line made of all three widths: the reader of the log sees it whole. */
	write8(platform.uart + DR, '#');
	write16(platform.uart + DR, ' ');
	write32(platform.uart + DR, 'w');
	write32(platform.uart + DR, 0xffffff00 | 'i');
	write16(platform.uart + DR, 'd');
	write8(platform.uart + DR, 'e');
	write8(platform.uart + DR, '\n');
	check_true(true, "pl011-data-widths");
}

static void loopback(bool fifo)
{
	set(CR, 0);
	set(LCR, LCR_8BIT);
	set(LCR, LCR_8BIT | (fifo ? LCR_FEN : 0));
	set(CR, CR_EN | CR_TXE | CR_RXE | CR_LBE);
	while ((get(FR) & FR_RXFE) == 0)
		get(DR);
	set(RSR, 0);
	set(ICR, INT_ALL);
}

/* Sends n characters to itself; returns how many the receive FIFO then gives back in order. */
static u32 bounce(u32 n, u32 *errors)
{
	u32 good = 0;

	for (u32 i = 0; i < n; i++) {
		WAIT_FOR((get(FR) & FR_TXFF) == 0, WAIT_US);
		set(DR, 'A' + i);
	}
	WAIT_FOR((get(FR) & (FR_TXFE | FR_BUSY)) == FR_TXFE, WAIT_US);
	*errors = 0;
	while ((get(FR) & FR_RXFE) == 0 && good <= n) {
		u32 v = get(DR);

		*errors |= v & (u32)~DR_DATA;
		if ((v & DR_DATA) == 'A' + good)
			good++;
	}
	return good;
}

static void test_loopback(void)
{
	u32 errors, good;

	loopback(true);
	good = bounce(4, &errors);
	u32 flags = get(FR), status = get(RSR);
	restore();
	print_raw("\n"); /* QEMU's also sends what it loops back */
	group_strict("pl011-loopback");
	group_eq(good, 4, "four characters come back");
	group_eq(errors, 0, "without error");
	group_eq(flags & FR_RXFE, FR_RXFE, "then it is empty");
	group_eq(status, 0, "no error status");
	group_end();
}

/*
 * Loopback further than QEMU's model can follow. What is printed must wait until loopback is off.
 */
static void test_receive_fifo(void)
{
	u32 errors, depth, flags, ris, status, held;
	bool level, timeout;

	loopback(true);
	depth = bounce(FIFO_BIG + 16, &errors);
	loopback(true);
	for (u32 i = 0; i < FIFO_BIG + 16; i++)
		set(DR, 'A' + i);
	WAIT_FOR((get(FR) & FR_RXFF) != 0, SETTLE_US);
	flags = get(FR);
	ris = get(RIS);
	status = get(RSR);
	loopback(true);
	for (u32 i = 0; i < depth / 2; i++)
		set(DR, 'A' + i);
	level = WAIT_FOR((get(RIS) & INT_RX) != 0, SETTLE_US);
	for (u32 i = 0; i < depth / 2; i++)
		get(DR);
	bool level_gone = (get(RIS) & INT_RX) == 0;
	loopback(true);
	set(DR, 'A');
	timeout = WAIT_FOR((get(RIS) & INT_RT) != 0, WAIT_US);
	get(DR);
	bool timeout_gone = (get(RIS) & INT_RT) == 0;
	loopback(false);
	held = bounce(4, &errors);
	restore();

	group_begin("pl011-receive-fifo");
	group_eq(depth == FIFO_SMALL || depth == FIFO_BIG, true, "depth of the FIFO: %u", depth);
	group_eq(flags & (FR_RXFF | FR_RXFE), FR_RXFF, "full");
	group_eq(ris & INT_OE, INT_OE, "overrun interrupt");
	group_eq(status & RSR_OE, RSR_OE, "overrun status");
	group_eq(level, true, "half full raises RX");
	group_eq(level_gone, true, "reading lowers RX");
	group_eq(timeout, true, "a lone character raises the receive timeout");
	group_eq(timeout_gone, true, "reading lowers the timeout");
	group_eq(held, 1, "without FIFO one character is held");
	group_end();
}

static volatile u32 received;

static void on_rx(u32 iar)
{
	(void)iar;
	while ((get(FR) & FR_RXFE) == 0) {
		get(DR);
		received++;
	}
	set(ICR, INT_RX | INT_RT);
}

/* Only when told `rx=N`: N characters arrive from outside, by interrupt. */
static void test_receive(u32 wanted)
{
	u32 intid = (u32)platform.uart_intid;

	irq_set_handler(intid, on_rx);
	gic_enable(intid);
	set(IMSC, INT_RX | INT_RT);
	print("# type %u characters now\n", wanted);
	WAIT_FOR(received >= wanted, 10 * WAIT_US);
	check_eq(received, wanted, "pl011-receive");
	gic_disable(intid);
}

void test_main(void)
{
	u32 wanted = (u32)platform_arg("rx", 0);

	test_reset_state();
	test_ids();
	irq_enable();
	test_registers();
	test_transmit();
	test_widths_of_data();
	if (wanted != 0)
		test_receive(wanted);
	test_loopback();
	if (test_under_mezzo())
		test_receive_fifo();
	else
		test_skip("QEMU's has no overrun and no levels", "pl011-receive-fifo");
}
