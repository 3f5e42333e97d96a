// SPDX-License-Identifier: Apache-2.0
// The registers of the virtual GICs: each table against a plain search, every offset at every width
// with every kind of value, reset values, what is writable, byte lanes, the ends of what exists.
#include "test_vgic_board.h"

#include "vdev/vgic_reg.h"

#define ALL        0xffffffffu
#define BYTES(b)   ((uint32_t)(b)*0x01010101u)
#define IIDR       0x008
#define NSACR      0xe00
#define IGRPMODR   0xd00
#define GICR_CTLR  0x0000
#define GICR_IIDR  0x0004
#define GICR_TYPER 0x0008
#define GICR_WAKER 0x0014
#define PROPBASER  0x0070
#define PENDBASER  0x0078
#define PIDR2_V2   0xfe8
#define PIDR2_V3   0xffe8

static uint32_t get(uint64_t address)
{
	return (uint32_t)read_gic(0, address, 4);
}

static void set(uint64_t address, uint32_t value)
{
	write_gic(0, address, 4, value);
}

// ---- the tables ----

static void test_tables(void **state)
{
	(void)state;
	const struct vgic_frame *frames[] = {&vgicv2_distributor, &vgicv3_distributor,
	                                     &vgicv3_redistributor[0], &vgicv3_redistributor[1]};
	for (unsigned f = 0; f < ARRAY_SIZE(frames); f++) {
		const struct vgic_frame *frame = frames[f];
		for (uint32_t i = 0; i < frame->nr_rows; i++) {
			const struct vgic_reg *row = &frame->rows[i];
			assert_true(row->width == 4 || row->width == 8);
			assert_true(row->first % row->width == 0 && row->first <= row->last);
			assert_true(row->last < frame->size);
			assert_true(i == 0 || row->first > frame->rows[i - 1].last);
			// What cannot be read or cannot be written says why.
			assert_true((row->read && row->write) || row->why);
		}
		for (uint32_t offset = 0; offset < 2 * frame->size; offset++) {
			const struct vgic_reg *want = NULL;
			for (uint32_t i = 0; i < frame->nr_rows; i++)
				if (offset >= frame->rows[i].first && offset <= frame->rows[i].last)
					want = &frame->rows[i];
			assert_ptr_equal(vgic_frame_find(frame, offset), want);
		}
		assert_null(vgic_frame_find(frame, UINT32_MAX));
	}
}

// ---- all of it ----

static uint64_t noise = 1;
static uint64_t any64(void)
{
	noise = noise * 6364136223846793005u + 1442695040888963407u;
	return noise ^ noise >> 29;
}

static void sweep(unsigned cpu, uint64_t base, uint32_t size)
{
	for (unsigned round = 0; round < 3; round++)
		for (uint32_t offset = 0; offset < size; offset++)
			for (unsigned bytes = 1; bytes <= 8; bytes *= 2) {
				if (offset + bytes > size)
					continue;
				uint64_t value = round == 0 ? 0 : round == 1 ? ~0ull : any64();
				write_gic(cpu, base + offset, bytes, value);
				uint64_t got = read_gic(cpu, base + offset, bytes);
				assert_true(bytes == 8 || got >> (8 * bytes) == 0);
				fake_log_count = 0;
				if (offset % 64 == 0)
					settle();
			}
}

static void test_every_access(void **state)
{
	(void)state;
	for (unsigned cpus = 1; cpus <= 8; cpus += 7) {
		start(2, cpus);
		sweep(cpus - 1, GICD(0), 0x1000);
		start(3, cpus);
		sweep(0, GICD(0), 0x1000);
		sweep(0, GICD(0x6000), 0x2000);
		sweep(0, GICD(0xff00), 0x100);
		sweep(0, GICR(cpus - 1, 0), 0x200);
		sweep(0, GICR(cpus - 1, 0xff00), 0x100);
		sweep(0, GICR(cpus - 1, SGI_FRAME), 0x1000);
		sweep(0, GICR(0, SGI_FRAME), 0x1000);
		settle();
	}
}

static void test_outside(void **state)
{
	(void)state;
	struct access access = {.size = 4};
	start(2, 2);
	access.ipa = IPA(GICD(0x1000));
	assert_false(mmio_access(&vm.mmio, &vcpus[0], &access));
	access.ipa = IPA(GICR(0, 0));
	assert_false(mmio_access(&vm.mmio, &vcpus[0], &access));
	start(3, 2);
	access.ipa = IPA(GICR(2, 0)); // no such vCPU
	assert_false(mmio_access(&vm.mmio, &vcpus[0], &access));
	access.ipa = IPA(GICD(0x10000));
	assert_false(mmio_access(&vm.mmio, &vcpus[0], &access));
}

// ---- both versions ----

static void test_reset_values(void **state)
{
	(void)state;
	for (unsigned version = 2; version <= 3; version++) {
		build(version, 2);
		load_all();
		uint64_t own = version == 3 ? GICR(0, SGI_FRAME) : GICD(0);
		assert_int_equal(get(GICD(CTLR)), version == 3 ? 0x50 : 0);
		assert_int_equal(get(own + ISENABLER), version == 3 ? 0 : 0xffff);
		assert_int_equal(get(own + ICFGR), 0xaaaaaaaa);
		assert_int_equal(get(own + ICFGR + 4), 0);
		for (unsigned word = 1; word < 9; word++)
			for (uint32_t reg = IGROUPR; reg < IPRIORITYR; reg += 0x80)
				assert_int_equal(get(GICD(reg + 4 * word)), 0);
		for (unsigned i = 32; i < 288; i += 4) {
			assert_int_equal(get(GICD(IPRIORITYR + i)), 0);
			assert_int_equal(get(GICD(ITARGETSR + i)), 0);
		}
	}
}

static void test_bits(void **state)
{
	(void)state;
	static const struct {
		uint32_t set, clear;
	} pairs[] = {{ISENABLER, ICENABLER}, {ISPENDR, ICPENDR}, {ISACTIVER, ICACTIVER}};
	for (unsigned version = 2; version <= 3; version++) {
		start(version, 2);
		for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
			for (unsigned word = 1; word < 9; word++) {
				uint64_t s = GICD(pairs[i].set + 4 * word);
				uint64_t c = GICD(pairs[i].clear + 4 * word);
				set(s, 0xa5005a00);
				set(s, 0x00a5005a);
				set(s, 0);
				assert_int_equal(get(s), 0xa5a55a5a);
				assert_int_equal(get(c), 0xa5a55a5a);
				set(c, 0x0000ffff);
				assert_int_equal(get(s), 0xa5a50000);
				write_gic(0, c, 1, 0xff); // bytes are not for these
				write_gic(0, c + 2, 2, 0xffff);
				assert_int_equal(get(s), 0xa5a50000);
				assert_int_equal(read_gic(0, s, 1), 0);
				set(c, ALL);
				assert_int_equal(get(c), 0);
			}
			for (unsigned word = 9; word < 32; word++) {
				set(GICD(pairs[i].set + 4 * word), ALL);
				assert_int_equal(get(GICD(pairs[i].set + 4 * word)), 0);
			}
			settle();
		}
	}
}

static void test_priorities(void **state)
{
	(void)state;
	for (unsigned version = 2; version <= 3; version++) {
		start(version, 2);
		for (uint32_t i = 0; i < 288; i += 4) {
			uint64_t at = i < 32 && version == 3 ? GICR(0, SGI_FRAME + IPRIORITYR + i)
			                                     : GICD(IPRIORITYR + i);
			set(at, ALL);
			assert_int_equal(get(at), BYTES(0xf8));
			set(at, 0x10203040);
			assert_int_equal(get(at), 0x10203040);
			write_gic(0, at + 1, 1, 0xaf);
			assert_int_equal(get(at), 0x1020a840);
			assert_int_equal(read_gic(0, at + 1, 1), 0xa8);
			assert_int_equal(read_gic(0, at + 3, 1), 0x10);
			write_gic(0, at, 2, 0); // halves are not for these
			assert_int_equal(get(at), 0x1020a840);
		}
		for (uint32_t i = 288; i < 1020; i += 4) {
			set(GICD(IPRIORITYR + i), ALL);
			assert_int_equal(get(GICD(IPRIORITYR + i)), 0);
		}
	}
}

static void test_config(void **state)
{
	(void)state;
	for (unsigned version = 2; version <= 3; version++) {
		start(version, 2);
		uint64_t own = version == 3 ? GICR(0, SGI_FRAME) : GICD(0);
		set(own + ICFGR, 0);
		assert_int_equal(get(own + ICFGR), 0xaaaaaaaa);
		set(own + ICFGR + 4, ALL); // all but the linked timer
		assert_int_equal(get(own + ICFGR + 4), 0xaaaaaaaa & ~(2u << 22));
		for (unsigned i = 2; i < 18; i++) {
			set(GICD(ICFGR + 4 * i), ALL);
			assert_int_equal(get(GICD(ICFGR + 4 * i)), 0xaaaaaaaa);
			set(GICD(ICFGR + 4 * i), 0x8a2802aa & 0xaaaaaaaa);
			assert_int_equal(get(GICD(ICFGR + 4 * i)), 0x8a2802aa & 0xaaaaaaaa);
		}
		set(GICD(ICFGR + 4 * 18), ALL);
		assert_int_equal(get(GICD(ICFGR + 4 * 18)), 0);
	}
}

static void test_identity(void **state)
{
	(void)state;
	start(2, 4);
	assert_int_equal(get(GICD(TYPER)), 8 | 3 << 5);
	assert_int_equal(get(GICD(IIDR)) & 0xfff, 0x43b);
	assert_int_equal(get(GICD(PIDR2_V2)) >> 4 & 0xf, 2);
	start(3, 4);
	assert_int_equal(get(GICD(TYPER)), 8 | 9 << 19);
	assert_int_equal(get(GICD(PIDR2_V3)) >> 4 & 0xf, 3);
	assert_int_equal(get(GICR(1, PIDR2_V3)) >> 4 & 0xf, 3);
	assert_int_equal(get(GICR(1, GICR_IIDR)) & 0xfff, 0x43b);
	set(GICD(TYPER), ALL);
	set(GICD(IIDR), 0);
	assert_int_equal(get(GICD(TYPER)), 8 | 9 << 19);
	set(GICD(CTLR), ALL);
	assert_int_equal(get(GICD(CTLR)), 0x53);
	set(GICD(CTLR), 0);
	assert_int_equal(get(GICD(CTLR)), 0x50);
}

// ---- GICv2 ----

static void test_targets(void **state)
{
	(void)state;
	start(2, 3);
	assert_int_equal(read_gic(2, GICD(ITARGETSR), 4), BYTES(4));
	assert_int_equal(read_gic(1, GICD(ITARGETSR + 28), 4), BYTES(2));
	assert_int_equal(read_gic(1, GICD(ITARGETSR + 3), 1), 2);
	set(GICD(ITARGETSR), ALL);
	assert_int_equal(get(GICD(ITARGETSR)), BYTES(1));
	for (uint32_t i = 32; i < 288; i += 4) {
		set(GICD(ITARGETSR + i), ALL);
		assert_int_equal(get(GICD(ITARGETSR + i)), BYTES(7));
		set(GICD(ITARGETSR + i), 0x04020104);
		write_gic(0, GICD(ITARGETSR + i + 2), 1, 0xfd);
		assert_int_equal(get(GICD(ITARGETSR + i)), 0x04050104);
		assert_int_equal(read_gic(0, GICD(ITARGETSR + i + 2), 1), 5);
	}
	set(GICD(ITARGETSR + 288), ALL);
	assert_int_equal(get(GICD(ITARGETSR + 288)), 0);
	// One CPU: read as zero, writes ignored, and everything goes to it.
	start(2, 1);
	set(GICD(ITARGETSR + 32), ALL);
	assert_int_equal(get(GICD(ITARGETSR + 32)), 0);
	assert_int_equal(get(GICD(ITARGETSR)), 0);
	set_bit(0, ISENABLER, 32);
	line(32, true);
	assert_int_equal(ack(0), 32);
}

static void test_sgi_registers(void **state)
{
	(void)state;
	start(2, 2);
	set(GICD(ICENABLER), ALL); // SGIs stay enabled
	assert_int_equal(get(GICD(ISENABLER)), 0xffff);
	set(GICD(ISPENDR), 0xffff); // and are not pended without a source
	assert_int_equal(get(GICD(ISPENDR)), 0);
	set(GICD(SPENDSGIR + 4), 0xff020100);
	assert_int_equal(get(GICD(CPENDSGIR + 4)), 0x03020100);
	assert_int_equal(get(GICD(ISPENDR)), 0xe0);
	set(GICD(ICPENDR), ALL);
	assert_int_equal(get(GICD(ISPENDR)), 0xe0);
	write_gic(0, GICD(CPENDSGIR + 7), 1, 1);
	assert_int_equal(read_gic(0, GICD(SPENDSGIR + 7), 1), 2);
	assert_int_equal(read_gic(1, GICD(SPENDSGIR + 4), 4), 0); // banked
	assert_int_equal(get(GICD(SGIR)), 0);
}

// ---- GICv3 ----

static void test_routes(void **state)
{
	(void)state;
	start(3, 4);
	for (uint32_t i = 32; i < 288; i++) {
		uint64_t at = GICD(IROUTER + 8 * i);
		assert_int_equal(read_gic(0, at, 8), 0);
		write_gic(0, at, 8, ~0ull);
		assert_true(read_gic(0, at, 8) == 0xff80ffffffull);
		write_gic(0, at, 4, 3);
		assert_true(read_gic(0, at, 8) == 0xff00000003ull);
		write_gic(0, at + 4, 4, 0);
		assert_int_equal(read_gic(0, at + 4, 4), 0);
		assert_int_equal(read_gic(0, at, 8), 3);
		write_gic(0, at + 1, 1, 0xff);
		assert_int_equal(read_gic(0, at, 8), 3);
	}
	write_gic(0, GICD(IROUTER + 8 * 288), 8, 1);
	assert_int_equal(read_gic(0, GICD(IROUTER + 8 * 288), 8), 0);
	write_gic(0, GICD(IROUTER), 8, 1);
	assert_int_equal(read_gic(0, GICD(IROUTER), 8), 0);
}

static void test_private_not_in_distributor(void **state)
{
	(void)state;
	static const uint32_t zero[] = {IGROUPR,        ISENABLER,  ICENABLER,       ISPENDR,
	                                ICPENDR,        ISACTIVER,  ICACTIVER,       ICFGR,
	                                ICFGR + 4,      IPRIORITYR, IPRIORITYR + 28, ITARGETSR,
	                                ITARGETSR + 64, SGIR,       CPENDSGIR,       SPENDSGIR,
	                                NSACR,          IGRPMODR,   IGRPMODR + 8};
	start(3, 2);
	for (unsigned i = 0; i < ARRAY_SIZE(zero); i++) {
		set(GICD(zero[i]), ALL);
		assert_int_equal(get(GICD(zero[i])), 0);
	}
	assert_int_equal(get(GICR(0, SGI_FRAME + ISENABLER)), 0);
}

static void test_redistributors(void **state)
{
	(void)state;
	start(3, 3);
	for (unsigned cpu = 0; cpu < 3; cpu++) {
		uint64_t typer = (uint64_t)cpu << 32 | (uint64_t)cpu << 8 | (cpu == 2 ? 0x10 : 0);
		assert_true(read_gic(0, GICR(cpu, GICR_TYPER), 8) == typer);
		assert_int_equal(read_gic(0, GICR(cpu, GICR_TYPER), 4), (uint32_t)typer);
		assert_int_equal(read_gic(0, GICR(cpu, GICR_TYPER + 4), 4), typer >> 32);
		write_gic(0, GICR(cpu, GICR_TYPER), 8, ~0ull);
		assert_true(read_gic(0, GICR(cpu, GICR_TYPER), 8) == typer);
		assert_int_equal(get(GICR(cpu, GICR_WAKER)), 6);
		set(GICR(cpu, GICR_WAKER), 0);
		assert_int_equal(get(GICR(cpu, GICR_WAKER)), 0);
		set(GICR(cpu, GICR_WAKER), ALL);
		assert_int_equal(get(GICR(cpu, GICR_WAKER)), 6);
		set(GICR(cpu, GICR_CTLR), ALL);
		assert_int_equal(get(GICR(cpu, GICR_CTLR)), 0);
		write_gic(0, GICR(cpu, PROPBASER), 8, ~0ull);
		write_gic(0, GICR(cpu, PENDBASER), 4, ~0ull);
		assert_int_equal(read_gic(0, GICR(cpu, PROPBASER), 8), 0);
		assert_int_equal(read_gic(0, GICR(cpu, PENDBASER), 8), 0);
	}
	// Each has its own, whoever writes.
	for (unsigned cpu = 0; cpu < 3; cpu++)
		write_gic(2 - cpu, GICR(cpu, SGI_FRAME + ISENABLER), 4, 0x10u << cpu);
	for (unsigned cpu = 0; cpu < 3; cpu++)
		assert_int_equal(read_gic(1, GICR(cpu, SGI_FRAME + ICENABLER), 4), 0x10u << cpu);
	for (uint32_t reg = IGROUPR; reg < IPRIORITYR; reg += 0x80) {
		set(GICR(0, SGI_FRAME + reg + 4), ALL); // word 1 is not here
		assert_int_equal(get(GICR(0, SGI_FRAME + reg + 4)), 0);
	}
}

// ---- as fast exits ----

static void test_what_is_known(void **state)
{
	(void)state;
	if (!fast)
		return;
	static const uint64_t constant[] = {GICD(TYPER),         GICD(IIDR),
	                                    GICD(PIDR2_V3),      GICR(1, GICR_IIDR),
	                                    GICR(1, GICR_TYPER), GICR(2, GICR_TYPER),
	                                    GICR(0, PIDR2_V3),   GICR(0, SGI_FRAME + ICFGR)};
	static const uint64_t others[] = {GICD(CTLR), GICD(ISENABLER + 4), GICR(1, GICR_WAKER),
	                                  GICR(0, SGI_FRAME + ISPENDR)};
	start(3, 3);
	for (unsigned i = 0; i < ARRAY_SIZE(constant); i++) {
		uint64_t value = get(constant[i]), count = nr_known;
		assert_int_equal(get(constant[i]), value);
		assert_int_equal(nr_known, count + 1);
		(void)read_gic(0, constant[i], 2); // another load
		assert_int_equal(nr_known, count + 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		uint64_t count = nr_known;
		(void)get(others[i]);
		(void)get(others[i]);
		assert_int_equal(nr_known, count);
	}
}

// ---- creation ----

static void test_create(void **state)
{
	(void)state;
	build(3, 4);
	size_t needed = heap_used;
	for (unsigned version = 2; version <= 3; version++)
		for (heap_limit = 0; heap_limit < needed; heap_limit += 512) {
			heap_used = 0;
			memset(&vm.mmio, 0, sizeof vm.mmio);
			assert_int_equal(vgic_create(&vm, version), ERR_NO_MEMORY);
		}
	heap_limit = sizeof heap;
	assert_int_equal(vgic_create(&vm, 1), ERR_INVALID);
	assert_int_equal(vgic_create(&vm, 4), ERR_INVALID);
	vm.nr_vcpus = 0;
	assert_int_equal(vgic_create(&vm, 3), ERR_INVALID);
	vm.nr_vcpus = VM_MAX_VCPUS + 1;
	assert_int_equal(vgic_create(&vm, 3), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_tables),
	        cmocka_unit_test(test_every_access),
	        cmocka_unit_test(test_outside),
	        cmocka_unit_test(test_reset_values),
	        cmocka_unit_test(test_bits),
	        cmocka_unit_test(test_priorities),
	        cmocka_unit_test(test_config),
	        cmocka_unit_test(test_identity),
	        cmocka_unit_test(test_targets),
	        cmocka_unit_test(test_sgi_registers),
	        cmocka_unit_test(test_routes),
	        cmocka_unit_test(test_private_not_in_distributor),
	        cmocka_unit_test(test_redistributors),
	        cmocka_unit_test(test_what_is_known),
	        cmocka_unit_test(test_create),
	};
	int failed = cmocka_run_group_tests_name("the long way", tests, NULL, NULL);
	fast = true;
	return failed + cmocka_run_group_tests_name("fast exits", tests, NULL, NULL);
}
