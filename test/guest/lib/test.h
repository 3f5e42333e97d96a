/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test kernel writes: `ok NAME`, `not ok NAME: got .. want ..`, `skip NAME: why`,
 * `known-bad NAME: ..`, and at the end `TEST-DONE P passed F failed`. Lines that begin with # are
 * notes.
 */
#ifndef GUEST_TEST_H
#define GUEST_TEST_H

#include "bits.h"
#include "exc.h"
#include "io.h"
#include "platform.h"
#include "print.h"
#include "psci.h"
#include "smp.h"
#include "sysreg.h"
#include "timer.h"

/*
 * Each kernel has one of these. test_main: test_done() follows when it returns. tool_main: for what
 * other tests use as a guest; `NAME: up` is printed before it, nothing after it but power off.
 */
void test_main(void) __attribute__((weak));
void tool_main(void) __attribute__((weak));
/* A kernel may have this one: it runs before the interrupt controller is touched. */
void test_early(void) __attribute__((weak));

/* One assertion, named like printf. Returns whether it held. */
bool check_eq(u64 got, u64 want, const char *name, ...) __attribute__((format(printf, 3, 4)));
bool check_true(bool held, const char *name, ...) __attribute__((format(printf, 2, 3)));
/*
 * As check_eq, for what QEMU's own device gets wrong: without Mezzo a mismatch is reported as
 * known-bad and not counted as failed; under Mezzo it fails.
 */
bool check_strict(u64 got, u64 want, const char *name, ...) __attribute__((format(printf, 3, 4)));
void test_skip(const char *why, const char *name, ...) __attribute__((format(printf, 2, 3)));

/* Many small comparisons under one name: quiet while they hold, the first few misses as notes. */
void group_begin(const char *name);
void group_strict(const char *name); /* known-bad instead of failed on bare QEMU */
bool group_eq(u64 got, u64 want, const char *what, ...) __attribute__((format(printf, 3, 4)));
void group_end(void);

/* Mezzo is underneath. */
bool test_under_mezzo(void);
/* Prints the totals and powers off. */
void test_done(void) __attribute__((noreturn));

/* The exception's class, for check_eq; NO_EXC if there was none. */
#define NO_EXC 0x100
static inline u64 exc_class(const struct exc_record *r)
{
	return r->count == 0 ? NO_EXC : FIELD_GET(ESR_EC, r->esr);
}

#endif
