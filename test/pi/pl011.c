// SPDX-License-Identifier: Apache-2.0
/* The PL011, its clock set through the mailbox, its loop closed, then as the console. */
#include "pi.h"

#define TAG_SET_CLOCK_RATE 0x38002U
#define CLOCK_UART         2U
#define CLOCK_HZ           3000000U
#define LCRH_8N1_FIFO      (7U << 4)
#define CR_ENABLE          0x301U // UARTEN, TXE, RXE
#define CR_LOOP            (1U << 7)

static void loop_back(void)
{
	bool same = true;
	write32(PL011_CR, CR_ENABLE | CR_LOOP);
	for (u32 c = 'a'; c <= 'h'; c++)
		write32(PL011_DR, c);
	print("\n");    // QEMU shows on its terminal what the loop takes back
	delay_us(2000); // 8 characters at 115,200 baud take 700 us
	for (u32 c = 'a'; c <= 'h'; c++) {
		same = same && !(read32(PL011_FR) & PL011_FR_RXFE);
		same = same && read32(PL011_DR) == c;
	}
	check(same, "what is sent comes back in loopback mode");
	check(read32(PL011_FR) & PL011_FR_RXFE, "and no more than that");
}

void program(u64 tree)
{
	u32 clock[3] = {CLOCK_UART, CLOCK_HZ, 0};
	(void)tree;
	write32(PL011_CR, 0);
	check(mbox_tag(TAG_SET_CLOCK_RATE, clock, 3) >= 8, "clock is set by the mailbox");
	check(clock[1] == CLOCK_HZ, "to 3 MHz");
	write32(GPFSEL(1), (read32(GPFSEL(1)) & ~GPFSEL_14_15) | GPFSEL_14_15_A0);
	write32(PL011_IMSC, 0);
	write32(PL011_ICR, 0x7ff);
	write32(PL011_IBRD, 1);
	write32(PL011_FBRD, 40); // 3 MHz / 16 / 115200 = 1 + 40/64
	write32(PL011_LCRH, LCRH_8N1_FIFO);
	check(read32(PL011_IBRD) == 1 && read32(PL011_FBRD) == 40, "divisors read back");
	loop_back();
	write32(PL011_CR, CR_ENABLE);
	use_pl011();
	print("Hello from the PL011\n");
	check(!(read32(PL011_FR) & PL011_FR_TXFF), "room in the queue");
}
