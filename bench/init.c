// SPDX-License-Identifier: Apache-2.0
// First process of a Linux guest whose only purpose is to say when it began: prints the virtual counter
// and switches the machine off. Static, without a C library; Linux's arm64 system calls.
typedef unsigned long u64;

#define SYS_WRITE        64
#define SYS_REBOOT       142
#define REBOOT_MAGIC1    0xfee1dead
#define REBOOT_MAGIC2    672274793
#define REBOOT_POWER_OFF 0x4321fedc

static long call(long number, u64 a, u64 b, u64 c)
{
	register long x8 __asm__("x8") = number;
	register u64 x0 __asm__("x0") = a;
	register u64 x1 __asm__("x1") = b;
	register u64 x2 __asm__("x2") = c;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
	return (long)x0;
}

__attribute__((noreturn, used)) void _start(void)
{
	u64 count;
	char line[] = "init-counter 00000000000000000000\n"; // 20 digits from place 13 on
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count));
	for (int i = 32; i > 12; i--, count /= 10)
		line[i] = (char)('0' + count % 10);
	call(SYS_WRITE, 1, (u64)line, sizeof line - 1);
	for (;;)
		call(SYS_REBOOT, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF);
}
