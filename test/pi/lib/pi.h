/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Pi programs share: registers by name, the console, checks, the property mailbox, the end.
 * Source: BCM2835 ARM Peripherals; BCM2836 ARM-local peripherals (QA7); Raspberry Pi firmware wiki, "Mailbox
 * property interface".
 */
#ifndef PI_H
#define PI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t i32;
typedef uint64_t u64;

#define PERI_BASE 0x3f000000UL

#define ST_CS   (PERI_BASE + 0x3000)
#define ST_CLO  (PERI_BASE + 0x3004)
#define ST_CHI  (PERI_BASE + 0x3008)
#define ST_C(n) (PERI_BASE + 0x300c + 4UL * (n))

#define IRQ_BASIC_PENDING (PERI_BASE + 0xb200)
#define IRQ_PENDING_1     (PERI_BASE + 0xb204)
#define IRQ_ENABLE_1      (PERI_BASE + 0xb210)
#define IRQ_DISABLE_1     (PERI_BASE + 0xb21c)

#define MBOX_READ     (PERI_BASE + 0xb880)
#define MBOX_STATUS   (PERI_BASE + 0xb898)
#define MBOX_WRITE    (PERI_BASE + 0xb8a0)
#define MBOX_FULL     (1U << 31)
#define MBOX_EMPTY    (1U << 30)
#define MBOX_PROPERTY 8U
#define MBOX_OK       (1U << 31)

#define PM_RSTC       (PERI_BASE + 0x10001c)
#define PM_RSTS       (PERI_BASE + 0x100020)
#define PM_WDOG       (PERI_BASE + 0x100024)
#define PM_PASSWORD   (0x5aU << 24)
#define PM_RSTC_WRCFG (3U << 4)
#define PM_RSTC_RESET (2U << 4)
#define PM_RSTS_HALT  0x555U
#define PM_WDOG_TICKS 10U

#define RNG_CTRL   (PERI_BASE + 0x104000)
#define RNG_STATUS (PERI_BASE + 0x104004)
#define RNG_DATA   (PERI_BASE + 0x104008)

#define GPFSEL(n)       (PERI_BASE + 0x200000 + 4UL * (n))
#define GPFSEL_14_15    (077U << 12)
#define GPFSEL_14_15_A0 (044U << 12)
#define GPFSEL_14_15_A5 (022U << 12)

#define PL011_DR      (PERI_BASE + 0x201000)
#define PL011_FR      (PERI_BASE + 0x201018)
#define PL011_IBRD    (PERI_BASE + 0x201024)
#define PL011_FBRD    (PERI_BASE + 0x201028)
#define PL011_LCRH    (PERI_BASE + 0x20102c)
#define PL011_CR      (PERI_BASE + 0x201030)
#define PL011_IMSC    (PERI_BASE + 0x201038)
#define PL011_ICR     (PERI_BASE + 0x201044)
#define PL011_FR_TXFF (1U << 5)
#define PL011_FR_RXFE (1U << 4)
#define PL011_FR_BUSY (1U << 3)

#define AUX_ENABLES     (PERI_BASE + 0x215004)
#define AUX_MU_IO       (PERI_BASE + 0x215040)
#define AUX_MU_IER      (PERI_BASE + 0x215044)
#define AUX_MU_IIR      (PERI_BASE + 0x215048)
#define AUX_MU_LCR      (PERI_BASE + 0x21504c)
#define AUX_MU_MCR      (PERI_BASE + 0x215050)
#define AUX_MU_LSR      (PERI_BASE + 0x215054)
#define AUX_MU_CNTL     (PERI_BASE + 0x215060)
#define AUX_MU_BAUD     (PERI_BASE + 0x215068)
#define AUX_MU_LSR_TX   (1U << 5)
#define AUX_MU_LSR_IDLE (1U << 6)

#define LOCAL_GPU_ROUTE      0x4000000cUL
#define LOCAL_TIMER_IRQ(c)   (0x40000040UL + 4UL * (c))
#define LOCAL_MBOX_IRQ(c)    (0x40000050UL + 4UL * (c))
#define LOCAL_SOURCE(c)      (0x40000060UL + 4UL * (c))
#define LOCAL_MBOX_SET(c, n) (0x40000080UL + 16UL * (c) + 4UL * (n))
#define LOCAL_MBOX_CLR(c, n) (0x400000c0UL + 16UL * (c) + 4UL * (n))
#define SOURCE_CNTPNS        (1U << 1)
#define SOURCE_CNTV          (1U << 3)
#define SOURCE_MBOX(n)       (1U << (4 + (n)))
#define SOURCE_GPU           (1U << 8)

#define BUS_UNCACHED 0xc0000000U // the VideoCore's alias of RAM that no cache holds

#define sysreg_read(name)                                                       \
	({                                                                      \
		u64 value_;                                                     \
		__asm__ volatile("mrs %0, " #name : "=r"(value_) : : "memory"); \
		value_;                                                         \
	})
#define sysreg_write(name, value) \
	__asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((u64)(value)) : "memory")

static inline void barrier(void)
{
	__asm__ volatile("dsb sy\n\tisb" : : : "memory");
}
static inline void irq_on(void)
{
	__asm__ volatile("msr daifclr, #2" : : : "memory");
}
static inline void irq_off(void)
{
	__asm__ volatile("msr daifset, #2" : : : "memory");
}
static inline u32 core(void)
{
	return (u32)sysreg_read(mpidr_el1) & 3U;
}

static inline u32 read32(u64 addr)
{
	u32 value;
	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(addr) : "memory");
	return value;
}

static inline void write32(u64 addr, u32 value)
{
	__asm__ volatile("str %w0, [%1]" : : "rZ"(value), "r"(addr) : "memory");
}

static inline void write64(u64 addr, u64 value)
{
	__asm__ volatile("str %0, [%1]" : : "r"(value), "r"(addr) : "memory");
}

/* What start.S stores at an exception; a handler may change elr. */
struct frame {
	u64 x[20]; // x0 to x19
	u64 x29;
	u64 x30;
	u64 elr;
	u64 spsr;
};

/* The program itself. `tree` is what x0 held at entry. */
void program(u64 tree);

/* Called with the vector's number, 0 to 15, at each exception. Without one of its own the program fails. */
extern void (*pi_handler)(u32 vector, struct frame *frame);
/* What a released core runs. */
extern void (*pi_core_program)(u32 number);
extern char core_entry[];

void pi_exception(u32 vector, struct frame *frame);
void pi_main(u64 tree);
void pi_core(u32 number);
void pi_run_el0(void (*code)(void), u64 sp);
void pi_el0_return(void);

/* Prints %s, %c, %u, %x (32 bits) and %lx (64 bits); \n becomes CR LF. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void put_char(char c);
void use_pl011(void);

/* One line: ok NAME or not ok NAME. */
void check(bool good, const char *name);
/* The last line, then halts the board. Does not return. */
void finish(void) __attribute__((noreturn));
/* Restarts the board, or halts it when `partition` is PM_RSTS_HALT. */
void pm_reset(u32 partition) __attribute__((noreturn));

/* Microseconds, by the system timer. */
void delay_us(u32 us);
/* Waits until a bit of `mask` is set at `addr`; false after `us` microseconds. */
bool wait_set(u64 addr, u32 mask, u32 us);

/* Sends a property message; true if the whole of it was answered. 16-byte aligned, message[0] is its size. */
bool mbox_call(volatile u32 *message);
/*
 * One tag with `words` words of values in and out. Returns the length of the answer that the tag holds, -1 if
 * the message or the tag was not answered.
 */
int mbox_tag(u32 tag, u32 *values, u32 words);

#endif
