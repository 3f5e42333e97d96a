// SPDX-License-Identifier: Apache-2.0
// The ground everything stands on: formatted print against the C library's, strings, bits, the log ring
// and its rate limit, and locks with real threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/print.h"
#include "base/spinlock.h"
#include "base/string.h"
#include "fake.h"

// The freestanding build's own, under other names.
#define STRING_UNIT_TEST
#define string_copy our_string_copy
#define memcpy      our_memcpy
#define memmove     our_memmove
#define memset      our_memset
#define memcmp      our_memcmp
#define memchr      our_memchr
#define strlen      our_strlen
#define strnlen     our_strnlen
#define strcmp      our_strcmp
#define strncmp     our_strncmp
#define strchr      our_strchr
#define strrchr     our_strrchr
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#include "base/string.c"
#pragma GCC diagnostic pop
#undef string_copy
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr

static char wire[8192]; // what reached the console
static jmp_buf halted;

void console_write(const char *text, size_t length)
{
	size_t used = strlen(wire);
	if (used + length + 1 > sizeof wire)
		used = 0;
	memcpy(wire + used, text, length);
	wire[used + length] = 0;
}

void cpu_halt(void)
{
	longjmp(halted, 1);
}

// ---- print ----

// The same by the C library, and by ours into rooms of every size.
static void compare(const char *format, ...) PRINTF_LIKE(1, 2);
static void compare(const char *format, ...)
{
	char theirs[2048], ours[2048];
	va_list args, copy;
	va_start(args, format);
	va_copy(copy, args);
	int length = vsnprintf(theirs, sizeof theirs, format, copy);
	va_end(copy);
	assert_in_range(length, 0, sizeof theirs - 1);
	memset(ours, 0x7f, sizeof ours);
	va_copy(copy, args);
	size_t n = print_vbuffer(ours, sizeof ours, format, copy);
	va_end(copy);
	if (strcmp(ours, theirs) != 0)
		fail_msg("%s: '%s', not '%s'", format, ours, theirs);
	assert_int_equal(n, length);
	assert_int_equal(ours[n + 1], 0x7f);
	for (size_t room = 0; room <= (size_t)length + 2 && room < 100; room++) {
		char *tight = malloc(room + 1); // the sanitizer watches its end
		va_copy(copy, args);
		n = print_vbuffer(tight, room, format, copy);
		va_end(copy);
		size_t expected = room == 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
		assert_int_equal(n, expected);
		if (room > 0) {
			assert_memory_equal(tight, theirs, expected);
			assert_int_equal(tight[expected], 0);
		}
		free(tight);
	}
	va_end(args);
}

static void test_numbers(void **state)
{
	static const uint64_t numbers[] = {0,          1,
	                                   9,          10,
	                                   15,         16,
	                                   127,        128,
	                                   255,        256,
	                                   0x7fff,     0x80000000,
	                                   0xffffffff, UINT64_C(1) << 32,
	                                   INT64_MAX,  UINT64_C(1) << 63,
	                                   UINT64_MAX, UINT64_MAX - 9};
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		uint64_t n = numbers[i];
		compare("%d %i %u %x %X", (int)n, (int)n, (unsigned)n, (unsigned)n, (unsigned)n);
		compare("%ld %lu %lx %lX", (long)n, (unsigned long)n, (unsigned long)n,
		        (unsigned long)n);
		compare("%lld %llu %llx", (long long)n, (unsigned long long)n,
		        (unsigned long long)n);
		compare("%zu %zx", (size_t)n, (size_t)n);
		compare("%hu %hx %hhu %hhx", (unsigned short)n, (unsigned short)n, (unsigned char)n,
		        (unsigned char)n);
		compare("[%1u|%5u|%20u|%-20u|%-3u|%020u]", (unsigned)n, (unsigned)n, (unsigned)n,
		        (unsigned)n, (unsigned)n, (unsigned)n);
		compare("[%5d|%-12d|%012d|%01d|%0*d]", (int)n, (int)n, (int)n, (int)n, 9, (int)n);
		compare("[%08x|%016lx|%-8x|%8X|%*x]", (unsigned)n, (unsigned long)n, (unsigned)n,
		        (unsigned)n, 11, (unsigned)n);
		if (n != 0) // ISO C leaves the prefix out before a zero; ours does not
			compare("%#lx %#10lx %-#20lx|", (unsigned long)n, (unsigned long)n,
			        (unsigned long)n);
	}
	compare("[%*d|%*d|%-*d|%0*x]", -7, 5, 7, 5, -7, 5, -7, 5U);
	compare("%hhd %hd", (signed char)-3, (short)-300);
}

static void test_text(void **state)
{
	(void)state;
	compare("%s", "");
	compare("plain");
	compare("%%");
	compare("100%% %s%c%s", "a", 'b', "c");
	compare("[%5s|%-5s|%2s|%.2s|%5.1s|%-6.3s|%.*s|%.0s]", "abc", "abc", "abc", "abc", "abc",
	        "abcdef", 2, "xyz", "none");
	compare("[%3c|%-3c]", 'x', 'y');
	char open_end[3] = {'a', 'b', 'c'}; // no NUL: the precision is what bounds it
	compare("%.3s", open_end);
	char room[32];
	const char *volatile nothing = NULL; // out of the compiler's sight
	print_buffer(room, sizeof room, "%s", nothing);
	assert_string_equal(room, "(null)");
	print_buffer(room, sizeof room, "%p", (void *)0x1234);
	assert_string_equal(room, "0x1234");
	print_buffer(room, sizeof room, "%#x", 0);
	assert_string_equal(room, "0x0");
}

// A mistake in a format is seen and harms nothing.
static void test_formats_it_does_not_know(void **state)
{
	static const struct {
		const char *format, *expected;
	} cases[] = {
	        {"%", ""},      {"a%", "a"},          {"%q!", "%q!"},        {"%5", ""},
	        {"%ll", ""},    {"%.", ""},           {"%-0#", ""},          {"%f.", "%f."},
	        {"%n!", "%n!"}, {"%99999999q", "%q"}, {"%.99999999q", "%q"}, {"%lllllllq", "%q"}};
	char room[64];
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *volatile format = cases[i].format; // out of the compiler's sight
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
		print_buffer(room, sizeof room, format, 1, 2, 3);
#pragma GCC diagnostic pop
		if (strcmp(room, cases[i].expected) != 0)
			fail_msg("'%s' gives '%s'", cases[i].format, room);
	}
}

static void test_widths_without_bound(void **state)
{
	char room[64];
	(void)state;
	assert_int_equal(print_buffer(room, sizeof room, "%*d", 2000000000, 1), sizeof room - 1);
	assert_int_equal(print_buffer(room, sizeof room, "%0*d", 2000000000, 1), sizeof room - 1);
	assert_int_equal(print_buffer(room, sizeof room, "%*d|", -5, 1), 6);
	assert_int_equal(print_buffer(room, sizeof room, "%0*d|", -5, 1), 6);
	assert_int_equal(print_buffer(room, sizeof room, "%.*s", -1, "abc"), 3);
	volatile int lowest = INT32_MIN;
	assert_int_equal(print_buffer(room, sizeof room, "%*d", lowest, 1), sizeof room - 1);
}

// ---- strings and bits ----

static void test_string_copy(void **state)
{
	char to[8];
	(void)state;
	memset(to, 'z', sizeof to);
	assert_true(string_copy(to, "abc", sizeof to));
	assert_string_equal(to, "abc");
	assert_true(string_copy(to, "1234567", sizeof to));
	assert_string_equal(to, "1234567");
	assert_false(string_copy(to, "12345678", sizeof to));
	assert_string_equal(to, "1234567");
	assert_false(string_copy(to, "x", 1));
	assert_string_equal(to, "");
	assert_true(string_copy(to, "", 1));
	to[0] = 'k';
	assert_false(string_copy(to, "x", 0));
	assert_int_equal(to[0], 'k');
}

// Each alignment of both sides: eight bytes at a time, four, and one.
static void test_memcpy(void **state)
{
	_Alignas(8) uint8_t from[64], to[64];
	(void)state;
	for (unsigned i = 0; i < sizeof from; i++)
		from[i] = (uint8_t)(i * 37 + 1);
	for (unsigned source = 0; source < 8; source++)
		for (unsigned dest = 0; dest < 8; dest++)
			for (unsigned n = 0; n < 48; n++) {
				memset(to, 0xee, sizeof to);
				assert_ptr_equal(our_memcpy(to + dest, from + source, n),
				                 to + dest);
				assert_memory_equal(to + dest, from + source, n);
				for (unsigned i = 0; i < sizeof to; i++)
					assert_true(to[i] == 0xee || (i >= dest && i < dest + n));
			}
}

// Each alignment, and sizes on both sides of what is stored at once.
static void test_memset(void **state)
{
	_Alignas(8) uint8_t to[224];
	(void)state;
	for (unsigned at = 0; at < 8; at++)
		for (unsigned n = 0; n < sizeof to - 8; n++) {
			memset(to, 0xee, sizeof to);
			assert_ptr_equal(our_memset(to + at, 0x1a5, n), to + at);
			for (unsigned i = 0; i < sizeof to; i++)
				assert_int_equal(to[i], i >= at && i < at + n ? 0xa5 : 0xee);
		}
}

static void test_bits(void **state)
{
	(void)state;
	assert_int_equal(GENMASK_U64(63, 0), UINT64_MAX);
	assert_int_equal(GENMASK_U64(0, 0), 1);
	assert_int_equal(GENMASK_U64(63, 63), UINT64_C(1) << 63);
	assert_int_equal(GENMASK_U32(31, 28), 0xf0000000);
	for (unsigned low = 0; low < 64; low++) {
		for (unsigned high = low; high < 64; high++) {
			uint64_t mask = GENMASK_U64(high, low);
			assert_int_equal(__builtin_popcountll(mask), high - low + 1);
			assert_int_equal(field_get(mask, UINT64_MAX), mask >> low);
			assert_int_equal(field_put(mask, UINT64_MAX), mask);
			assert_int_equal(field_get(mask, field_put(mask, 1)), 1);
		}
	}
	assert_int_equal(align_up(4097, 4096), 8192);
	assert_int_equal(align_up(4096, 4096), 4096);
	assert_int_equal(align_up(UINT64_MAX, 4096), 0); // as its comment says
	assert_int_equal(align_down(4095, 4096), 0);
	assert_false(is_power_of_two(0));
	assert_true(is_power_of_two(UINT64_C(1) << 63));
	assert_false(is_power_of_two(3));
}

static void test_ranges(void **state)
{
	(void)state;
	// Against a count of bytes, in a small world and at the end of the large one.
	for (uint64_t shift = 0; shift < 2; shift++) {
		uint64_t base = shift == 0 ? 0 : UINT64_MAX - 15;
		for (unsigned a = 0; a < 8; a++) {
			for (unsigned al = 0; al < 8; al++) {
				for (unsigned b = 0; b < 8; b++) {
					for (unsigned bl = 0; bl < 8; bl++) {
						bool shared = false, outside = b < a;
						for (unsigned i = b; i < b + bl; i++)
							shared |= i >= a && i < a + al;
						outside |= b + bl > a + al;
						assert_int_equal(
						        ranges_overlap(base + a, al, base + b, bl),
						        shared);
						assert_int_equal(
						        range_contains(base + a, al, base + b, bl),
						        !outside);
					}
				}
			}
		}
	}
	assert_false(range_contains(4096, 4096, 8191, UINT64_MAX)); // wraps back inside
	assert_false(range_contains(4096, 4096, UINT64_MAX, 4098));
	assert_false(range_contains(0, 16, UINT64_MAX - 3, 8));
	assert_true(range_contains(0, UINT64_MAX, 0, UINT64_MAX));
}

// ---- the log ----

static void test_lines(void **state)
{
	char long_line[400], kept[32];
	(void)state;
	wire[0] = 0;
	log_line("one %d", 1);
	log_line("%s", "");
	assert_string_equal(wire, "one 1\n\n");
	memset(long_line, 'x', sizeof long_line - 1);
	long_line[sizeof long_line - 1] = 0;
	wire[0] = 0;
	log_line("%s", long_line);
	assert_int_equal(strlen(wire), 255); // cut, and its end is still there
	assert_int_equal(wire[254], '\n');
	log_line("end");
	assert_int_equal(log_read(kept, 8), 8);
	assert_memory_equal(kept, "xxx\nend\n", 8);
	assert_int_equal(log_read(kept, 0), 0);
}

static void test_the_ring_keeps_the_newest(void **state)
{
	static char kept[40000], expected[1000];
	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		wire[0] = 0;
		log_line("line %u of many", i);
	}
	size_t n = log_read(kept, sizeof kept);
	assert_int_equal(n, 16384);
	size_t at = n;
	for (unsigned i = 2999; at > 100; i--) {
		snprintf(expected, sizeof expected, "line %u of many\n", i);
		at -= strlen(expected);
		assert_memory_equal(kept + at, expected, strlen(expected));
	}
}

static void test_rate_limit(void **state)
{
	struct ratelimit limit = {0};
	uint32_t refused;
	(void)state;
	for (uint64_t window = 0; window < 5; window++) {
		uint64_t start = 1000 + window * 100;
		for (unsigned i = 0; i < 50; i++) {
			bool allowed = ratelimit_allow(&limit, start + i * 2, 100, 7, &refused);
			assert_int_equal(allowed, i < 7);
			assert_int_equal(refused, i == 0 && window > 0 ? 43 : 0);
		}
	}
	// After a long silence, and where the counter wraps.
	assert_true(ratelimit_allow(&limit, UINT64_MAX - 10, 100, 1, &refused));
	assert_int_equal(refused, 43);
	assert_false(ratelimit_allow(&limit, 5, 100, 1, &refused));
	assert_true(ratelimit_allow(&limit, 95, 100, 1, &refused));
	assert_int_equal(refused, 1);
	assert_false(ratelimit_allow(&limit, 96, 100, 0, &refused)); // nothing is allowed
}

// ---- panic ----

static void test_panic(void **state)
{
	(void)state;
	wire[0] = 0;
	if (setjmp(halted) == 0)
		panic("the %s is %d", "answer", 42);
	assert_true(panicking);
	assert_non_null(strstr(wire, "[mezzo] panic: the answer is 42\n"));
	assert_non_null(strstr(wire, "bug in Mezzo"));
	wire[0] = 0;
	if (setjmp(halted) == 0) // the report itself fails: nothing more
		panic("again");
	assert_string_equal(wire, "");
	panicking = false;
	if (setjmp(halted) == 0)
		CHECK(1 + 1 == 3);
	assert_non_null(strstr(wire, "1 + 1 == 3"));
	panicking = false;
}

// ---- locks ----

#define THREADS 4
#define TURNS   5000

static struct spinlock lock = SPINLOCK_INIT(LOCK_PAGES);
static uint64_t shared_count, inside, overlaps;

static void *count_up(void *argument)
{
	(void)argument;
	for (unsigned i = 0; i < TURNS; i++) {
		if (i % 3 == 0) {
			while (!spin_trylock(&lock))
				;
		} else {
			spin_lock(&lock);
		}
		overlaps += __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) != 1;
		uint64_t before = shared_count; // plain: the lock alone protects it
		if (i % 8 == 0)
			sched_yield();
		shared_count = before + 1;
		__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
		spin_unlock(&lock);
	}
	return NULL;
}

static void test_one_at_a_time(void **state)
{
	pthread_t thread[THREADS];
	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, count_up, NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(overlaps, 0);
	assert_int_equal(shared_count, THREADS * TURNS);
	assert_int_equal(lock.next, lock.serving);
}

static void test_trylock_does_not_wait(void **state)
{
	struct spinlock own = SPINLOCK_INIT(LOCK_PAGES);
	(void)state;
	assert_true(spin_trylock(&own));
	assert_false(spin_trylock(&own));
	assert_false(spin_trylock(&own)); // a refusal takes no ticket
	spin_unlock(&own);
	assert_true(spin_trylock(&own));
	spin_unlock(&own);
	own.next = own.serving = UINT32_MAX; // tickets wrap
	spin_lock(&own);
	assert_int_equal(own.next, 0);
	assert_false(spin_trylock(&own));
	spin_unlock(&own);
	spin_lock(&own);
	spin_unlock(&own);
	assert_int_equal(own.serving, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_text),
	        cmocka_unit_test(test_formats_it_does_not_know),
	        cmocka_unit_test(test_widths_without_bound),
	        cmocka_unit_test(test_string_copy),
	        cmocka_unit_test(test_memcpy),
	        cmocka_unit_test(test_memset),
	        cmocka_unit_test(test_bits),
	        cmocka_unit_test(test_ranges),
	        cmocka_unit_test(test_lines),
	        cmocka_unit_test(test_the_ring_keeps_the_newest),
	        cmocka_unit_test(test_rate_limit),
	        cmocka_unit_test(test_panic),
	        cmocka_unit_test(test_one_at_a_time),
	        cmocka_unit_test(test_trylock_does_not_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
