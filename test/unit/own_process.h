// SPDX-License-Identifier: Apache-2.0
// Each test in a process of its own: for code that runs once in the life of a board and remembers that
// it did. The program starts itself again with a test's number; what that one prints is shown only if
// it fails.
#ifndef UNIT_OWN_PROCESS_H
#define UNIT_OWN_PROCESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct own_process {
	const char *program;
	unsigned number;
};

static inline void own_process_start(void **state)
{
	const struct own_process *own = *state;
	char output[8192], number[16];
	size_t length = 0;
	int ends[2], status;

	snprintf(number, sizeof number, "%u", own->number);
	assert_int_equal(pipe(ends), 0);
	fflush(stdout);
	const pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		close(ends[1]);
		execl(own->program, own->program, number, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	for (;;) {
		char spare[512];
		const ssize_t n = length + 1 < sizeof output ? read(ends[0], output + length,
		                                                    sizeof output - 1 - length)
		                                             : read(ends[0], spare, sizeof spare);
		if (n <= 0)
			break;
		if (length + 1 < sizeof output)
			length += (size_t)n;
	}
	close(ends[0]);
	output[length] = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s", output);
}

// For main(): runs all tests, or with a number just that one, here.
static inline int own_process_run(int argc, char **argv, const struct CMUnitTest *tests,
                                  size_t count)
{
	struct CMUnitTest outer[64];
	struct own_process own[64];

	if (count > 64)
		abort();
	if (argc > 1) {
		const size_t n = strtoul(argv[1], NULL, 10);
		return n < count ? _cmocka_run_group_tests("test", &tests[n], 1, NULL, NULL) : 1;
	}
	for (unsigned i = 0; i < count; i++) {
		own[i] = (struct own_process){"/proc/self/exe", i};
		outer[i] =
		        (struct CMUnitTest){tests[i].name, own_process_start, NULL, NULL, &own[i]};
	}
	return _cmocka_run_group_tests("tests", outer, count, NULL, NULL);
}

#endif
