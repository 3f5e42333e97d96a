// SPDX-License-Identifier: Apache-2.0
// Two vCPUs switch the same third one on at once: one of them does, the other is told so. Not left to luck: the first
// call is single-stepped, and the whole of the second one happens between two of its instructions, once for each pair
// of neighbours around the moment at which the first one takes effect.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/psci_client.h"
#include "trap/trap.h"
#include "vcpu_bench.h"

#define ON64     0xc4000003
#define ENTRY(n) (VM_VIRT_RAM_BASE + 0x80000 + 0x1000 * (n))
#define BEFORE   300 // instructions: checks of the sanitizers are among them
#define BEHIND   40
#define MOST     20000
#define SECONDS  20

enum { FIRST_WON = 1, SECOND_WON = 2, SECOND_CALLED = 4, MIXED = 8 };

static volatile bool second_called, second_won;

static bool call(unsigned who)
{
	uint64_t result = 0x1234;
	vcpus[who].frame.x[1] = 2;
	vcpus[who].frame.x[2] = ENTRY(who);
	vcpus[who].frame.x[3] = who;
	return psci_call(&vcpus[who], ON64, &result) && result == PSCI_SUCCESS;
}

static void second(int signal_number)
{
	(void)signal_number;
	second_won = call(1);
	second_called = true;
}

// Stops itself once, so that the parent can say where the other call comes; what came of it is the exit status.
static void traced(void)
{
	signal(SIGUSR1, second);
	alarm(SECONDS);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(0);
	raise(SIGSTOP);
	bool won = call(0);
	bool of_winner =
	        vcpus[2].entry == ENTRY(won ? 0U : 1U) && vcpus[2].context == (won ? 0 : 1);
	_exit((won ? FIRST_WON : 0) | (second_won ? SECOND_WON : 0) |
	      (second_called ? SECOND_CALLED : 0) | (of_winner ? 0 : MIXED));
}

static pid_t start(void)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		traced();
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSTOPPED(status))
		skip(); // nobody may be traced here
	return child;
}

static void step(pid_t child)
{
	int status;
	assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
}

// Goes on with a signal, to the end.
static int finish(pid_t child, int signal_number)
{
	int status;
	assert_int_equal(ptrace(PTRACE_CONT, child, NULL, (void *)(intptr_t)signal_number), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool is_off(pid_t child)
{
	uintptr_t at = (uintptr_t)&vcpus[2].power, word = at & ~(uintptr_t)7;
	long seen = ptrace(PTRACE_PEEKDATA, child, (void *)word, NULL);
	return (uint32_t)((unsigned long)seen >> 8 * (at - word)) == VCPU_OFF;
}

// After how many instructions the call has taken effect.
static unsigned steps_to_effect(void)
{
	unsigned steps = 0;
	pid_t child = start();
	while (is_off(child) && steps < MOST) {
		step(child);
		steps++;
	}
	assert_int_equal(finish(child, 0), FIRST_WON);
	return steps;
}

static void test_cpu_on_by_two(void **state)
{
	bool before = false, behind = false;
	(void)state;
	vcpus[2].power = VCPU_OFF;
	unsigned effect = steps_to_effect();
	assert_true(effect > 10 && effect < MOST);
	for (unsigned at = effect > BEFORE ? effect - BEFORE : 0; at < effect + BEHIND; at++) {
		pid_t child = start();
		for (unsigned i = 0; i < at; i++)
			step(child);
		int came = finish(child, SIGUSR1);
		if (came != (SECOND_CALLED | FIRST_WON) && came != (SECOND_CALLED | SECOND_WON))
			fail_msg("the second call after %d instructions of %u: %#x", (int)at,
			         effect, (unsigned)came);
		before = before || (came & SECOND_WON) != 0;
		behind = behind || (came & FIRST_WON) != 0;
	}
	assert_true(before && behind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(test_cpu_on_by_two)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
