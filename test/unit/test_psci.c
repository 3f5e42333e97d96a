// SPDX-License-Identifier: Apache-2.0
// PSCI as a guest finds it: every function and every error code, arguments of 32 and of 64 bits, and
// nothing beside the functions that exist.
#include "hw/psci_client.h"
#include "trap/trap.h"
#include "vcpu_bench.h"

#define VERSION       0x84000000
#define SUSPEND       0x84000001
#define OFF           0x84000002
#define ON            0x84000003
#define AFFINITY_INFO 0x84000004
#define MIGRATE_TYPE  0x84000006
#define SYSTEM_OFF    0x84000008
#define SYSTEM_RESET  0x84000009
#define FEATURES      0x8400000a
#define RESET2        0x84000012
#define SMC64         0x40000000

#define ENTRY (VM_VIRT_RAM_BASE + 0x80000)
#define HIGH  UINT64_C(0xfedcba9800000000) // what a 32-bit call must not look at

static int64_t call(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t result = 0x1234;
	vcpu->frame.x[1] = a;
	vcpu->frame.x[2] = b;
	vcpu->frame.x[3] = c;
	assert_true(psci_call(vcpu, function, &result));
	return (int64_t)result;
}

// Both forms of a function, the 32-bit one with dirt in the upper halves.
static const struct form {
	uint32_t id;
	uint64_t dirt;
} forms[] = {{0, HIGH}, {SMC64, 0}};

static void test_version(void **state)
{
	(void)state;
	assert_int_equal(call(VERSION, 0, 0, 0), 0x10001);
	assert_int_equal(call(MIGRATE_TYPE, 0, 0, 0), 2);
}

static void test_cpu_on(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		uint64_t d = forms[f].dirt;
		uint32_t id = ON | forms[f].id;
		bench_reset();
		vcpus[1].power = VCPU_OFF;
		assert_int_equal(call(id, d | 1, d | ENTRY, d | 0x77), PSCI_SUCCESS);
		assert_int_equal(vcpus[1].power, VCPU_ON_PENDING);
		assert_int_equal(vcpus[1].entry, ENTRY);
		assert_int_equal(vcpus[1].context, 0x77);
		assert_int_equal(vcpus[1].request, VCPU_REQ_START);
		assert_int_equal(call(id, d | 1, d | (ENTRY + 4), 0), PSCI_ON_PENDING);
		assert_int_equal(vcpus[1].entry, ENTRY);
		vcpus[1].power = VCPU_ON;
		assert_int_equal(call(id, d | 1, d | ENTRY, 0), PSCI_ALREADY_ON);
		assert_int_equal(call(id, d | 0, d | ENTRY, 0), PSCI_ALREADY_ON); // itself
		assert_int_equal(vcpus[1].entry, ENTRY);
		assert_int_equal(vcpus[1].context, 0x77);
	}
}

static void test_cpu_on_64_bits_are_kept(void **state)
{
	(void)state;
	vm.ram_size = GIB(16);
	vcpus[2].power = VCPU_OFF;
	assert_int_equal(call(ON | SMC64, 2, GIB(9), UINT64_C(0x8877665544332211)), PSCI_SUCCESS);
	assert_int_equal(vcpus[2].entry, GIB(9));
	assert_int_equal(vcpus[2].context, UINT64_C(0x8877665544332211));
}

static void test_cpu_on_nobody(void **state)
{
	static const uint64_t nobody[] = {
	        BENCH_VCPUS, 255,        0x100,      0x101,      0x10001,
	        0x1000001,   0x80000000, 0x40000001, 0xffffffff,
	};
	static const uint64_t nobody64[] = {UINT64_C(1) << 32, UINT64_C(0x100000001),
	                                    UINT64_C(1) << 40, UINT64_C(1) << 63, UINT64_MAX};
	(void)state;
	vcpus[1].power = VCPU_OFF;
	for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++) {
		assert_int_equal(call(ON, nobody[i], ENTRY, 0), PSCI_INVALID_PARAMETERS);
		assert_int_equal(call(ON | SMC64, nobody[i], ENTRY, 0), PSCI_INVALID_PARAMETERS);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(nobody64); i++)
		assert_int_equal(call(ON | SMC64, nobody64[i], ENTRY, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(vcpus[1].request, 0);
}

// The largest VM: what comes after its last vCPU is no vCPU.
static void test_cpu_on_behind_the_last(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VM_MAX_VCPUS; i++)
		vm.vcpu[i] = &vcpus[i % BENCH_VCPUS];
	vm.nr_vcpus = VM_MAX_VCPUS;
	assert_int_equal(call(ON, VM_MAX_VCPUS, ENTRY, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(call(AFFINITY_INFO, VM_MAX_VCPUS, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(call(AFFINITY_INFO, VM_MAX_VCPUS - 1, 0, 0), 0);
}

static void test_cpu_on_nowhere(void **state)
{
	static const uint64_t end = VM_VIRT_RAM_BASE + MIB(64);
	static const uint64_t bad[] = {
	        0, VM_VIRT_RAM_BASE - 4, ENTRY + 1, ENTRY + 2, ENTRY + 3, end, end - 2};
	(void)state;
	vcpus[1].power = VCPU_OFF;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(call(ON, 1, bad[i], 0), PSCI_INVALID_ADDRESS);
		assert_int_equal(call(ON | SMC64, 1, bad[i], 0), PSCI_INVALID_ADDRESS);
	}
	assert_int_equal(call(ON | SMC64, 1, ENTRY | UINT64_C(1) << 32, 0), PSCI_INVALID_ADDRESS);
	assert_int_equal(call(ON | SMC64, 1, UINT64_MAX - 3, 0), PSCI_INVALID_ADDRESS);
	assert_int_equal(vcpus[1].power, VCPU_OFF);
	assert_int_equal(call(ON | SMC64, 1, end - 4, 0), PSCI_SUCCESS);
}

// Two callers at once: one of them wins, and what it said is what counts.
static void test_cpu_on_is_won_once(void **state)
{
	(void)state;
	vcpus[3].power = VCPU_OFF;
	assert_int_equal(call(ON | SMC64, 3, ENTRY, 1), PSCI_SUCCESS);
	uint64_t result;
	vcpus[1].frame.x[1] = 3;
	vcpus[1].frame.x[2] = ENTRY + 8;
	vcpus[1].frame.x[3] = 2;
	assert_true(psci_call(&vcpus[1], ON | SMC64, &result));
	assert_int_equal((int64_t)result, PSCI_ON_PENDING);
	assert_int_equal(vcpus[3].context, 1);
}

static void test_cpu_off(void **state)
{
	(void)state;
	call(OFF, 0, 0, 0);
	assert_int_equal(vcpu->request, VCPU_REQ_OFF);
	assert_int_equal(vcpus[1].request, 0);
}

static void test_suspend(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		uint64_t d = forms[f].dirt;
		uint32_t id = SUSPEND | forms[f].id;
		static const uint32_t good[] = {0, 1, 0xffff, 0x1000000, 0x3000000, 0x300ffff};
		for (unsigned i = 0; i < ARRAY_SIZE(good);
		     i++) { // standby: no address is looked at
			vcpu->waiting = false;
			assert_int_equal(call(id, d | good[i], 0, 0), PSCI_SUCCESS);
			assert_true(vcpu->waiting);
		}
		vcpu->waiting = false;
		for (unsigned bit = 0; bit < 32; bit++) {
			if (bit <= 16 || bit == 24 || bit == 25)
				continue;
			assert_int_equal(call(id, d | BIT_U64(bit), ENTRY, 0),
			                 PSCI_INVALID_PARAMETERS);
		}
		assert_int_equal(call(id, d | 0x10000, d | (ENTRY + 2), 0), PSCI_INVALID_ADDRESS);
		assert_int_equal(call(id, d | 0x10000, d, 0), PSCI_INVALID_ADDRESS);
		assert_false(vcpu->waiting);
		assert_int_equal(call(id, d | 0x10000, d | ENTRY, 0), PSCI_SUCCESS);
		assert_true(vcpu->waiting);
	}
}

static void test_affinity_info(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		uint64_t d = forms[f].dirt;
		uint32_t id = AFFINITY_INFO | forms[f].id;
		bench_reset();
		vcpus[1].power = VCPU_OFF;
		vcpus[2].power = VCPU_ON_PENDING;
		assert_int_equal(call(id, d | 0, d | 0, 0), 0);
		assert_int_equal(call(id, d | 1, d | 0, 0), 1);
		assert_int_equal(call(id, d | 2, d | 0, 0), 2);
		assert_int_equal(call(id, d | BENCH_VCPUS, d | 0, 0), PSCI_INVALID_PARAMETERS);
		assert_int_equal(call(id, d | 0x100, d | 0, 0), PSCI_INVALID_PARAMETERS);
		assert_int_equal(call(id, d | 0x80000000, d | 0, 0), PSCI_INVALID_PARAMETERS);
		for (unsigned level = 1; level <= 3; level++) {
			uint64_t inside =
			        BIT_U64(8 * level) - 1;      // below the level: does not matter
			uint64_t other = BIT_U64(8 * level); // a neighbour that does not exist
			bench_reset();
			assert_int_equal(call(id, d | 0, d | level, 0), 0);
			assert_int_equal(call(id, d | (inside & 0xffffff), d | level, 0), 0);
			if (level < 3)
				assert_int_equal(call(id, d | other, d | level, 0),
				                 PSCI_INVALID_PARAMETERS);
			for (unsigned i = 0; i < BENCH_VCPUS; i++)
				vcpus[i].power = VCPU_OFF;
			assert_int_equal(call(id, d | 0, d | level, 0), 1);
			vcpus[2].power = VCPU_ON_PENDING;
			assert_int_equal(call(id, d | 0, d | level, 0), 2);
			vcpus[3].power = VCPU_ON;
			assert_int_equal(call(id, d | 0, d | level, 0), 0);
		}
		assert_int_equal(call(id, d | 0, d | 4, 0), PSCI_INVALID_PARAMETERS);
		assert_int_equal(call(id, d | 0, d | 0xffffffff, 0), PSCI_INVALID_PARAMETERS);
	}
	assert_int_equal(call(AFFINITY_INFO | SMC64, UINT64_C(1) << 32, 3, 0),
	                 PSCI_INVALID_PARAMETERS); // Aff3
	assert_int_equal(call(AFFINITY_INFO | SMC64, UINT64_C(1) << 40, 3, 0),
	                 PSCI_INVALID_PARAMETERS);
	assert_int_equal(call(AFFINITY_INFO | SMC64, 0, UINT64_C(1) << 32, 0),
	                 PSCI_INVALID_PARAMETERS);
}

static void assert_ended(enum vm_end why)
{
	assert_int_equal(vm.state, VM_ENDING);
	assert_int_equal(vm.end, why);
	for (unsigned i = 0; i < BENCH_VCPUS; i++)
		assert_true((vcpus[i].request & VCPU_REQ_STOP) != 0);
}

static void test_the_system_ends(void **state)
{
	(void)state;
	call(SYSTEM_OFF, 0, 0, 0);
	assert_ended(VM_END_OFF);
	bench_reset();
	call(SYSTEM_RESET, 0, 0, 0);
	assert_ended(VM_END_RESET);
	bench_reset();
	assert_int_equal(call(RESET2, 1, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(call(RESET2, 0x80000000, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(call(RESET2 | SMC64, 0x80000001, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(call(RESET2, 0x7fffffff, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(vm.state, VM_RUNNING);
	call(RESET2, HIGH, 5, 0);
	assert_ended(VM_END_RESET);
	bench_reset();
	call(RESET2 | SMC64, 0, 5, 0);
	assert_ended(VM_END_RESET);
}

// The first word decides: a VM that is going off does not restart.
static void test_only_the_first_end_counts(void **state)
{
	(void)state;
	call(SYSTEM_OFF, 0, 0, 0);
	call(SYSTEM_RESET, 0, 0, 0);
	assert_ended(VM_END_OFF);
}

static bool exists(uint32_t function)
{
	static const uint32_t there[] = {VERSION,
	                                 SUSPEND,
	                                 SUSPEND | SMC64,
	                                 OFF,
	                                 ON,
	                                 ON | SMC64,
	                                 AFFINITY_INFO,
	                                 MIGRATE_TYPE,
	                                 SYSTEM_OFF,
	                                 SYSTEM_RESET,
	                                 FEATURES,
	                                 RESET2,
	                                 RESET2 | SMC64,
	                                 AFFINITY_INFO | SMC64};
	for (unsigned i = 0; i < ARRAY_SIZE(there); i++)
		if (there[i] == function)
			return true;
	return false;
}

static void test_features_tell_the_truth(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 0x20000; n++) {
		uint32_t id = 0x84000000 + (n & 0xffff) + (n & 0x10000 ? SMC64 : 0);
		uint64_t result;
		assert_int_equal(psci_has(id), exists(id));
		assert_int_equal(call(FEATURES, id, 0, 0),
		                 exists(id) ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED);
		if (!exists(id))
			assert_false(psci_call(vcpu, id, &result));
	}
	assert_int_equal(call(FEATURES, 0x80000000, 0, 0), PSCI_SUCCESS); // SMCCC_VERSION
	assert_int_equal(call(FEATURES, HIGH | ON, 0, 0), PSCI_SUCCESS);
	static const uint32_t strangers[] = {0,          3,          0x04000003,
	                                     0x80000001, 0x85000003, 0x83000003,
	                                     0x84010003, 0xffffffff, 0xc6000003};
	for (unsigned i = 0; i < ARRAY_SIZE(strangers); i++) {
		assert_false(psci_has(strangers[i]));
		assert_int_equal(call(FEATURES, strangers[i], 0, 0), PSCI_NOT_SUPPORTED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(test_version),
	        TEST(test_cpu_on),
	        TEST(test_cpu_on_64_bits_are_kept),
	        TEST(test_cpu_on_nobody),
	        TEST(test_cpu_on_behind_the_last),
	        TEST(test_cpu_on_nowhere),
	        TEST(test_cpu_on_is_won_once),
	        TEST(test_cpu_off),
	        TEST(test_suspend),
	        TEST(test_affinity_info),
	        TEST(test_the_system_ends),
	        TEST(test_only_the_first_end_counts),
	        TEST(test_features_tell_the_truth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
