// SPDX-License-Identifier: Apache-2.0
// The end of Mezzo itself. Called for Mezzo's own bugs alone; takes no lock and asks no other CPU.
#include "base/panic.h"

#include "base/print.h"

bool panicking;

void panic(const char *format, ...)
{
	char line[256];
	va_list args;
	bool again = panicking;
	panicking = true;
	if (again)
		cpu_halt(); // the report itself failed: what is out is out
	size_t n = print_buffer(line, sizeof line, "\n[mezzo] panic: ");
	console_write(line, n);
	va_start(args, format);
	n = print_vbuffer(line, sizeof line, format, args);
	va_end(args);
	console_write(line, n);
	n = print_buffer(line, sizeof line,
	                 "\n[mezzo] panic: called from %p; this is a bug in Mezzo\n",
	                 __builtin_return_address(0));
	console_write(line, n);
	cpu_halt();
}
