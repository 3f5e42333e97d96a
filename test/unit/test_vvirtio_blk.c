// SPDX-License-Identifier: Apache-2.0
// Virtio disks: every request, however it is cut into segments, against a plain copy of the disk; what drivers and
// the board's disk may do wrong; resets while requests are with the device.
#include "disk_bench.h"

#define DATA (DB_HEADER + sizeof(struct virtio_blk_header))

static uint8_t model[DB_BYTES];

static void model_begin(void)
{
	for (uint64_t i = 0; i < DB_BYTES; i++)
		model[i] = db_byte(i);
}

// Compares guest memory with the model, page by page.
static void check_answer(uint64_t at, uint64_t bytes)
{
	uint64_t left;
	for (uint64_t done = 0, some; done < bytes; done += some) {
		const uint8_t *got = stage2_pointer(&vm->stage2, IPA(DB_ANSWER + done), &left);
		some = left < bytes - done ? left : bytes - done;
		if (memcmp(got, model + at + done, some) != 0)
			fail_msg("bytes of the disk from %#lx on", (unsigned long)(at + done));
	}
}

static void check_read(unsigned queue, uint64_t sector, uint64_t sectors, unsigned pieces)
{
	assert_int_equal(db_ask(queue, VIRTIO_BLK_IN, sector, 0, sectors * 512, pieces),
	                 VIRTIO_BLK_S_OK);
	check_answer(sector * 512, sectors * 512);
}

static void check_all(void)
{
	for (uint64_t sector = 0; sector < DB_SECTORS; sector += 512)
		check_read(0, sector, DB_SECTORS - sector < 512 ? DB_SECTORS - sector : 512, 1);
}

static void fill_data(uint64_t at, uint64_t bytes)
{
	uint64_t left;
	for (uint64_t done = 0, some; done < bytes; done += some) {
		uint8_t *to = stage2_pointer(&vm->stage2, IPA(DATA + done), &left);
		some = left < bytes - done ? left : bytes - done;
		for (uint64_t i = 0; i < some; i++)
			to[i] = model[at + done + i] = (uint8_t)rand();
	}
}

static void check_write(unsigned queue, uint64_t sector, uint64_t sectors, unsigned pieces)
{
	fill_data(sector * 512, sectors * 512);
	assert_int_equal(db_ask(queue, VIRTIO_BLK_OUT, sector, sectors * 512, 0, pieces),
	                 VIRTIO_BLK_S_OK);
}

static void check_erase(unsigned queue, uint32_t type, uint64_t sector, uint32_t sectors,
                        unsigned pieces)
{
	db_extent(sector, sectors, type == VIRTIO_BLK_WRITE_ZEROES && rand() % 2 == 0);
	assert_int_equal(db_ask(queue, type, sector, 16, 0, pieces), VIRTIO_BLK_S_OK);
	memset(model + sector * 512, 0, sectors * 512);
}

static const uint64_t ring_kinds[] = {0, VIRTIO_F_EVENT_IDX, VIRTIO_F_RING_PACKED,
                                      VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX};

// ---- what works ----

static void random_step(unsigned queues)
{
	unsigned queue = (unsigned)rand() % queues, pieces = (unsigned)rand() % 30 + 1;
	uint64_t sector = (uint64_t)rand() % DB_SECTORS, most = DB_SECTORS - sector;
	uint64_t sectors = (uint64_t)rand() % (rand() % 4 == 0 ? 900 : 20) + 1;

	sectors = sectors < most ? sectors : most;
	switch (rand() % 8) {
	case 0: check_erase(queue, VIRTIO_BLK_DISCARD, sector, (uint32_t)sectors, pieces); break;
	case 1:
		sectors *= 4;
		sectors = sectors < most ? sectors : most;
		check_erase(queue, VIRTIO_BLK_WRITE_ZEROES, sector, (uint32_t)sectors, pieces);
		break;
	case 2: assert_int_equal(db_ask(queue, VIRTIO_BLK_FLUSH, 0, 0, 0, pieces), 0); break;
	case 3:
	case 4: check_write(queue, sector, sectors, pieces); break;
	default: check_read(queue, sector, sectors, pieces); break;
	}
}

static void all_requests(bool host)
{
	srand(7);
	model_begin();
	db_make(host, host ? DESC_IMAGE_KEEP : DESC_IMAGE_COW, 3);
	for (unsigned kind = 0; kind < ARRAY_SIZE(ring_kinds); kind++) {
		db_start(ring_kinds[kind], 128);
		for (unsigned i = 0; i < 250; i++)
			random_step(3);
	}
	check_all();
	assert_int_equal(vb_logs, 0);
	if (host)
		assert_memory_equal(db_medium + DB_FIRST * 512, model, DB_BYTES);
	else
		assert_memory_not_equal(db_image, model, DB_BYTES);
}

static void test_image(void **state)
{
	(void)state;
	all_requests(false);
	for (uint64_t i = 0; i < DB_BYTES; i++) // the bundle is as it was
		assert_int_equal(db_image[i], db_byte(i));
}

static void test_host(void **state)
{
	(void)state;
	all_requests(true);
	for (unsigned i = 0; i < DB_FIRST * 512; i++) // and so is what is not the VM's
		assert_int_equal(db_medium[i], 0xee);
}

// A device that takes few segments, small ones, blocks of 4 KiB, and few requests at a time.
static void test_narrow_host(void **state)
{
	(void)state;
	srand(8);
	model_begin();
	db_board.max_segments = 3;
	db_board.max_segment_bytes = 3000;
	db_most = 2;
	db_make(true, DESC_IMAGE_KEEP, 2);
	db_start(0, 128);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t sector = (uint64_t)rand() % (DB_SECTORS - 64);
		if (rand() % 2 == 0)
			check_read(0, sector, (uint64_t)rand() % 64 + 1, 1);
		else
			check_write(1, sector, (uint64_t)rand() % 64 + 1, 1);
	}
	assert_memory_equal(db_medium + DB_FIRST * 512, model, DB_BYTES);
}

static void test_blocks_of_4k(void **state)
{
	(void)state;
	db_board.block_size = 4096;
	db_board.discard.max_sectors = 20; // two blocks and a half
	vm->nr_disks = 1;
	vm->disk[0] = (struct vm_disk){.name = "x", .image = {.mode = DESC_IMAGE_KEEP}};
	vm->disk[0].range = (struct block_range){&db_board, 96, 8192};
	assert_int_equal(vvirtio_blk_create(vm), 0);
	vvirtio_reset_all(vm);
	db_start(0, 128);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_CONFIG + VIRTIO_BLK_BLK_SIZE), 4096);
	srand(3);
	for (unsigned i = 0; i < 100; i++) // cut anywhere, whole blocks together
		assert_int_equal(db_ask(0, VIRTIO_BLK_IN, ((uint64_t)rand() % 1000) * 8, 0,
		                        (uint64_t)(rand() % 16 + 1) * 4096, 20),
		                 VIRTIO_BLK_S_OK);
	assert_int_equal(db_ask(0, VIRTIO_BLK_IN, 8, 0, 512, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(db_ask(0, VIRTIO_BLK_IN, 1, 0, 4096, 1), VIRTIO_BLK_S_IOERR);
	db_extent(8, 80, 0);
	unsigned before = db_submitted;
	assert_int_equal(db_ask(0, VIRTIO_BLK_DISCARD, 0, 16, 0, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(db_submitted - before, 5);
}

static void test_id(void **state)
{
	char id[21] = "";
	(void)state;
	db_make(false, DESC_IMAGE_RO, 1);
	db_start(0, 16);
	assert_int_equal(db_ask(0, VIRTIO_BLK_GET_ID, 0, 0, 20, 5), VIRTIO_BLK_S_OK);
	vb_get(DB_ANSWER, id, 20);
	assert_string_equal(id, "data.img");
	assert_int_equal(db_ask(0, VIRTIO_BLK_GET_ID, 0, 0, 19, 1), VIRTIO_BLK_S_IOERR);
	db_disk()->name = "a-name-that-is-much-too-long.img";
	assert_int_equal(db_ask(0, VIRTIO_BLK_GET_ID, 0, 0, 20, 1), VIRTIO_BLK_S_OK);
	vb_get(DB_ANSWER, id, 20);
	assert_string_equal(id, "a-name-that-is-much-");
}

static uint32_t config(uint32_t offset)
{
	return vb_read(0, VIRTIO_MMIO_CONFIG + offset);
}

static void test_config(void **state)
{
	static const struct {
		bool host;
		enum desc_image mode;
		uint32_t discard, zeroes; // of the board's
		uint64_t features;
	} disks[] = {
	        {false, DESC_IMAGE_COW, 0, 0, VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES},
	        {false, DESC_IMAGE_KEEP, 0, 0, VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES},
	        {false, DESC_IMAGE_RO, 0, 0, VIRTIO_BLK_F_RO},
	        {true, DESC_IMAGE_KEEP, 9, 0, VIRTIO_BLK_F_DISCARD},
	        {true, DESC_IMAGE_KEEP, 0, 9, VIRTIO_BLK_F_WRITE_ZEROES},
	        {true, DESC_IMAGE_KEEP, 0, 0, 0},
	        {true, DESC_IMAGE_RO, 9, 9, VIRTIO_BLK_F_RO},
	};
	const uint64_t always = VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH |
	                        VIRTIO_BLK_F_TOPOLOGY | VIRTIO_BLK_F_MQ;
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(disks); i++) {
		struct vdisk *disk;
		db_board.discard.max_sectors = disks[i].discard;
		db_board.write_zeroes.max_sectors = disks[i].zeroes;
		db_make(disks[i].host, disks[i].mode, i % 2 == 0 ? 1 : 8);
		disk = (struct vdisk *)vm->virtio->slot[i];
		uint64_t offered = vb_offered(i) & GENMASK_U64(23, 0);
		assert_int_equal(offered, always | disks[i].features);
		assert_int_equal(disk->dev.nr_queues, i % 2 == 0 ? 1 : 4);
		assert_int_equal(vb_read(i, VIRTIO_MMIO_CONFIG), DB_SECTORS);
		assert_int_equal(vb_read(i, VIRTIO_MMIO_CONFIG + VIRTIO_BLK_DISCARD_SECTORS) != 0,
		                 (offered & VIRTIO_BLK_F_DISCARD) != 0);
		assert_int_equal(vb_read(i, VIRTIO_MMIO_CONFIG + VIRTIO_BLK_ZEROES_SECTORS) != 0,
		                 (offered & VIRTIO_BLK_F_WRITE_ZEROES) != 0);
	}
	assert_int_equal(config(VIRTIO_BLK_SEG_MAX), 254);
	assert_int_equal(config(VIRTIO_BLK_BLK_SIZE), 512);
	assert_int_equal(config(VIRTIO_BLK_NUM_QUEUES) >> 16, 0);
	vb_access(0, VIRTIO_MMIO_CONFIG, 4, true, 0); // it is read-only
	assert_int_equal(config(VIRTIO_BLK_CAPACITY), DB_SECTORS);
}

static void test_life(void **state)
{
	(void)state;
	for (unsigned keep = 0; keep < 2; keep++) {
		model_begin();
		db_make(false, keep ? DESC_IMAGE_KEEP : DESC_IMAGE_COW, 1);
		if (keep) { // the bench has but one slot that its helpers know
			vm->virtio->slot[0] = vm->virtio->slot[1];
			vm->virtio->slot[0]->slot = 0;
			vm->virtio->count = 1;
		}
		db_start(0, 16);
		check_write(0, 10, 100, 4);
		db_start(0, 16); // a driver that begins anew finds what it wrote
		check_read(0, 0, 200, 1);
		assert_true(vvirtio_quiet(vm));
		vvirtio_reset_all(vm);
		vvirtio_blk_begin_life(vm);
		if (!keep)
			model_begin();
		db_start(0, 16);
		check_read(0, 0, 200, 1);
	}
}

// A request that takes long is done in pieces, and between them the guest runs.
static void test_pieces(void **state)
{
	uint32_t bytes;
	uint16_t id;
	(void)state;
	model_begin();
	db_make(false, DESC_IMAGE_COW, 1);
	db_start(0, 128);
	id = db_put(0, VIRTIO_BLK_IN, 0, 0, KIB(512), 1);
	vb_notify(&db_drv, 0);
	assert_false(vb_used(&db_drv, 0, &id, &bytes));
	assert_int_equal(db_wait(0, id, KIB(512), &bytes), VIRTIO_BLK_S_OK);
	check_answer(0, KIB(512));
	db_extent(0, DB_SECTORS, 0); // all of the disk, without touching it as a whole
	id = db_put(0, VIRTIO_BLK_WRITE_ZEROES, 0, 16, 0, 1);
	vb_notify(&db_drv, 0);
	assert_int_equal(db_wait(0, id, 0, &bytes), VIRTIO_BLK_S_OK);
	memset(model, 0, sizeof model);
	check_all();
}

// ---- what drivers do wrong ----

static void test_bad_requests(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector, out, in;
		uint8_t status;
	} cases[] = {
	        {VIRTIO_BLK_IN, DB_SECTORS, 0, 512, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, DB_SECTORS - 1, 0, 1024, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, UINT64_MAX, 0, 512, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, UINT64_MAX, 0, 1024, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, UINT64_C(1) << 55, 0, 512, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, 0 - UINT64_C(1) + 1 - 8, 0, 8192, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, 0, 0, 511, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, 0, 0, 513, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_IN, 0, 0, 0, VIRTIO_BLK_S_OK},
	        {VIRTIO_BLK_OUT, 0, 0, 0, VIRTIO_BLK_S_OK},
	        {VIRTIO_BLK_OUT, 0, 100, 0, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_OUT, DB_SECTORS, 512, 0, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_OUT, UINT64_MAX / 512, 512, 0, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_FLUSH, UINT64_MAX, 512, 512, VIRTIO_BLK_S_OK},
	        {2, 0, 0, 512, VIRTIO_BLK_S_UNSUPP},
	        {10, 0, 0, 512, VIRTIO_BLK_S_UNSUPP},
	        {14, 0, 0, 512, VIRTIO_BLK_S_UNSUPP},
	        {0x80000000, 0, 0, 512, VIRTIO_BLK_S_UNSUPP},
	        {VIRTIO_BLK_DISCARD, 0, 15, 0, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_DISCARD, 0, 32, 0, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_WRITE_ZEROES, 0, 0, 0, VIRTIO_BLK_S_IOERR},
	};
	(void)state;
	for (unsigned host = 0; host < 2; host++) {
		if (host)
			db_teardown(NULL), db_setup(NULL);
		db_make(host, DESC_IMAGE_KEEP, 1);
		db_start(0, 128);
		for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
			uint8_t status = db_ask(0, cases[i].type, cases[i].sector, cases[i].out,
			                        cases[i].in, i % 9 + 1);
			if (status != cases[i].status)
				fail_msg("row %u: status %u", i, status);
		}
		model_begin();
		check_all();
		assert_int_equal(vb_logs, 0);
	}
}

static void test_bad_extents(void **state)
{
	static const struct {
		uint32_t type;
		struct virtio_blk_extent extent;
		uint8_t status;
	} cases[] = {
	        {VIRTIO_BLK_DISCARD, {0, DB_SECTORS + 1, 0}, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_DISCARD, {1, DB_SECTORS, 0}, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_DISCARD, {0, UINT32_MAX, 0}, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_DISCARD, {UINT64_MAX, 1, 0}, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_DISCARD, {UINT64_MAX - 5, 7, 0}, VIRTIO_BLK_S_IOERR},
	        {VIRTIO_BLK_DISCARD, {0, 1, 1}, VIRTIO_BLK_S_UNSUPP},
	        {VIRTIO_BLK_DISCARD, {0, 0, 0}, VIRTIO_BLK_S_OK},
	        {VIRTIO_BLK_WRITE_ZEROES, {0, 1, 2}, VIRTIO_BLK_S_UNSUPP},
	        {VIRTIO_BLK_WRITE_ZEROES, {0, 1, 0x80000001}, VIRTIO_BLK_S_UNSUPP},
	        {VIRTIO_BLK_WRITE_ZEROES, {DB_SECTORS, 0, 1}, VIRTIO_BLK_S_OK},
	};
	(void)state;
	db_make(false, DESC_IMAGE_COW, 1);
	db_start(0, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		db_extent(cases[i].extent.sector, cases[i].extent.sectors, cases[i].extent.flags);
		uint8_t status = db_ask(0, cases[i].type, 0, 16, 0, 1);
		if (status != cases[i].status)
			fail_msg("row %u: status %u", i, status);
	}
	model_begin();
	check_all();
}

static void test_read_only(void **state)
{
	(void)state;
	for (unsigned host = 0; host < 2; host++) {
		if (host)
			db_teardown(NULL), db_setup(NULL);
		db_make(host, DESC_IMAGE_RO, 1);
		db_start(0, 16);
		assert_int_equal(db_ask(0, VIRTIO_BLK_OUT, 0, 512, 0, 1), VIRTIO_BLK_S_IOERR);
		db_extent(0, 8, 0);
		assert_int_equal(db_ask(0, VIRTIO_BLK_DISCARD, 0, 16, 0, 1), VIRTIO_BLK_S_UNSUPP);
		assert_int_equal(db_ask(0, VIRTIO_BLK_WRITE_ZEROES, 0, 16, 0, 1),
		                 VIRTIO_BLK_S_UNSUPP);
		assert_int_equal(db_ask(0, VIRTIO_BLK_FLUSH, 0, 0, 0, 1), VIRTIO_BLK_S_OK);
		model_begin();
		check_all();
	}
}

static void expect_broken(const char *why)
{
	vb_notify(&db_drv, 0);
	assert_true(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_NEEDS_RESET);
	assert_non_null(strstr(vb_log, why));
	vb_log[0] = '\0';
}

static void test_no_room(void **state)
{
	const struct vb_segment short_header[] = {{DB_HEADER, 15, false}, {DB_ANSWER, 513, true}};
	const struct vb_segment no_status[] = {{DB_HEADER, 16 + 512, false}, {DB_ANSWER, 0, true}};
	const struct vb_segment nothing = {DB_HEADER, 0, false};
	(void)state;
	db_make(false, DESC_IMAGE_COW, 1);
	db_header(DB_HEADER, VIRTIO_BLK_OUT, 0);
	db_start(0, 16);
	vb_add(&db_drv, 0, short_header, 2);
	expect_broken("queue 0 has a request of 15 bytes, less than a header");
	db_start(0, 16);
	vb_add(&db_drv, 0, no_status, 2);
	expect_broken("queue 0 has a request without room for its status");
	db_start(0, 16);
	vb_add(&db_drv, 0, no_status, 1);
	expect_broken("without room for its status");
	db_start(0, 16);
	vb_add(&db_drv, 0, &nothing, 1);
	expect_broken("less than a header");
	db_start(0, 16);
	model_begin();
	check_read(0, 0, 8, 1);
}

static void test_no_memory(void **state)
{
	(void)state;
	db_make(false, DESC_IMAGE_COW, 1);
	db_start(0, 16);
	model_begin();
	check_write(0, 0, 8, 1);
	db_pages_left = 1;
	assert_int_equal(db_ask(0, VIRTIO_BLK_OUT, 8, KIB(12), 0, 1), VIRTIO_BLK_S_IOERR);
	db_pages_left = 100;
	check_write(0, 8, 24, 1);
	check_all();
}

// ---- what the board's disk does ----

static void test_host_errors(void **state)
{
	static const struct {
		int error; // of an answer
		uint8_t status;
	} cases[] = {{ERR_IO, VIRTIO_BLK_S_IOERR}, {ERR_UNSUPPORTED, VIRTIO_BLK_S_UNSUPP}};
	uint32_t bytes;
	uint16_t id;
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		id = db_put(0, VIRTIO_BLK_IN, 0, 0, KIB(512), 1);
		vb_notify(&db_drv, 0);
		vb_pass_us(1000);
		assert_true(db_hangs > 1);
		db_answer(0, cases[i].error); // one part of several
		assert_int_equal(db_wait(0, id, KIB(512), &bytes), cases[i].status);
		assert_int_equal(bytes, 0);
	}
	db_refuse = ERR_IO; // it is dead
	assert_int_equal(db_ask(0, VIRTIO_BLK_IN, 0, 0, 512, 1), VIRTIO_BLK_S_IOERR);
	assert_int_equal(db_ask(0, VIRTIO_BLK_FLUSH, 0, 0, 0, 1), VIRTIO_BLK_S_IOERR);
	db_refuse = 0;
	check_read(0, 0, 8, 1);
}

// A device that is full is asked again, when an answer comes or by and by; as many requests as it takes are with it.
static void test_host_busy(void **state)
{
	uint32_t bytes;
	uint16_t id;
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 128);
	db_refuse = ERR_BUSY;
	id = db_put(0, VIRTIO_BLK_IN, 0, 0, 4096, 1);
	vb_notify(&db_drv, 0);
	vb_pass_us(1000);
	assert_int_equal(db_hangs, 0);
	db_refuse = 0;
	assert_int_equal(db_wait(0, id, 4096, &bytes), VIRTIO_BLK_S_OK);
	check_answer(0, 4096);

	for (unsigned i = 0; i < 40; i++) // each has its own place for the answer
	{
		const struct vb_segment segment[] = {{DB_HEADER, 16, false},
		                                     {DB_ANSWER + i * KIB(8), 4097, true}};
		vb_add(&db_drv, 0, segment, 2);
	}
	db_header(DB_HEADER, VIRTIO_BLK_IN, 16);
	vb_notify(&db_drv, 0);
	vb_pass_us(10000);
	assert_int_equal(db_hangs, 32);
	assert_int_equal(db_submitted, 33);
	for (unsigned left = 40; left != 0; left--) {
		assert_true(db_hangs != 0);
		db_answer((unsigned)rand() % db_hangs, 0);
		vb_pass_us(100);
		assert_int_equal(db_hangs, left - 1 < 32 ? left - 1 : 32);
		assert_true(vb_used(&db_drv, 0, &id, &bytes));
		assert_int_equal(bytes, 4097);
	}
	assert_false(vb_used(&db_drv, 0, &id, &bytes));
}

#define BUSY 8 // requests under way, from which on a driver need not notify

// Whether the driver is told not to notify.
static bool is_quiet(void)
{
	return (vb_get16(db_drv.ring[0].device) & 1) != 0;
}

static void put_some(unsigned n)
{
	while (n-- != 0)
		db_put(0, VIRTIO_BLK_IN, 0, 0, 512, 1);
}

// While so many of its requests are under way a driver need not notify: what it queues is found a little later, and when one
// of them is over. When they are fewer it is told again, and nothing costs time any more.
static void test_host_doorbell(void **state)
{
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 128);
	for (unsigned i = 0; i < BUSY; i++) {
		assert_false(is_quiet());
		put_some(1);
		vb_notify(&db_drv, 0);
		assert_int_equal(db_submitted, i + 1);
	}
	assert_true(is_quiet());
	put_some(3);
	assert_int_equal(db_submitted, BUSY);
	vb_pass_us(20); // a burst does not wait for its first answer
	assert_int_equal(db_submitted, BUSY + 3);
	assert_true(is_quiet() && alarm_first(vm) == TIMER_NEVER);
	put_some(2);
	vb_pass_us(100000); // nobody looks: there is nothing to wait for but an answer
	assert_int_equal(db_submitted, BUSY + 3);
	db_answer(3, 0);
	vb_pass_us(20);
	assert_int_equal(db_submitted, BUSY + 5);
	assert_true(is_quiet() && alarm_first(vm) == TIMER_NEVER);
	while (db_hangs >= BUSY)
		db_answer(0, 0);
	put_some(1); // before it is told to notify again
	vb_pass_us(20);
	assert_int_equal(db_submitted, BUSY + 6);
	vb_pass_us(20);
	assert_true(is_quiet()); // there are enough again
	db_answer_all(0);
	vb_pass_us(20);
	assert_false(is_quiet());
	assert_true(alarm_first(vm) == TIMER_NEVER);
	for (unsigned i = 0; i < 100;
	     i++) { // one at a time: each by its own notification, and no alarm
		put_some(1);
		vb_notify(&db_drv, 0);
		assert_int_equal(db_hangs, 1);
		db_answer(0, 0);
		assert_true(!is_quiet() && alarm_first(vm) == TIMER_NEVER);
	}
}

// A buffer comes at the worst moment: the driver saw that it need not notify, and the device has looked already.
static bool comes_late(const struct fake_event *event)
{
	if (event->kind == FAKE_BARRIER && strcmp(event->name, "dmb ish") == 0 && !is_quiet() &&
	    vb_get16(db_drv.ring[0].driver + 2) == BUSY) {
		fake_event_hook = NULL;
		put_some(1);
	}
	return false;
}

// Between telling the driver to notify again and the last look is a barrier, so that one of both sees the other.
static void test_host_doorbell_order(void **state)
{
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 128);
	put_some(BUSY);
	vb_notify(&db_drv, 0);
	vb_pass_us(20);
	assert_true(is_quiet());
	db_answer_all(0);
	fake_event_hook = comes_late;
	vb_pass_us(20);
	assert_null(fake_event_hook); // there was a barrier
	assert_int_equal(db_submitted, BUSY + 1);
	assert_false(is_quiet());
}

// A reset while the driver need not notify waits as ever, begins nothing, and the next life begins as the first.
static void test_host_doorbell_reset(void **state)
{
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 128);
	put_some(BUSY + 2);
	vb_notify(&db_drv, 0);
	vb_pass_us(20);
	put_some(2);
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	assert_true(vm->vcpu[0]->repeat);
	vm->vcpu[0]->repeat = false;
	while (db_hangs != 0) {
		assert_false(vvirtio_quiet(vm));
		db_answer(0, 0);
		vb_pass_us(20);
	}
	assert_int_equal(db_submitted, BUSY + 2);
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	assert_false(vm->vcpu[0]->repeat);
	assert_true(alarm_first(vm) == TIMER_NEVER);
	db_start(0, 128);
	assert_false(is_quiet());
	put_some(1);
	vb_notify(&db_drv, 0);
	assert_int_equal(db_submitted, BUSY + 3);
	assert_false(is_quiet());
	db_answer_all(0);
}

// While a request is with the device, neither the driver's reset nor the VM's end goes through; nothing new is begun.
static void test_host_reset(void **state)
{
	uint16_t id;
	uint32_t bytes;
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 128);
	db_most = 1;
	for (unsigned i = 0; i < 3; i++)
		db_put(0, VIRTIO_BLK_IN, 0, 0, 4096, 1);
	vb_notify(&db_drv, 0);
	assert_int_equal(db_hangs, 1);
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	assert_true(vm->vcpu[0]->repeat);
	vm->vcpu[0]->repeat = false;
	assert_true(vb_read(0, VIRTIO_MMIO_STATUS) & VIRTIO_DRIVER_OK);
	db_most = DB_HANGING;
	vb_notify(&db_drv, 0);
	vb_pass_us(10000);
	assert_int_equal(db_hangs, 1);
	assert_false(vvirtio_quiet(vm));
	db_answer(0, 0);
	vb_pass_us(10000);
	assert_int_equal(db_hangs, 0);
	assert_true(vb_used(&db_drv, 0, &id, &bytes)); // the first one still came back
	vb_write(0, VIRTIO_MMIO_STATUS, 0);
	assert_false(vm->vcpu[0]->repeat);
	assert_int_equal(vb_read(0, VIRTIO_MMIO_STATUS), 0);
	db_start(0, 128);
	check_read(0, 0, 200, 7);
	assert_true(vvirtio_quiet(vm));
}

// Where the driver looks for the status is given away while the request is under way: nobody writes there any more.
static void test_status_given_away(void **state)
{
	const uint64_t page = VB_RAM + MIB(14);
	struct page_list none = {0};
	uint32_t bytes;
	uint16_t id;
	(void)state;
	for (unsigned host = 0; host < 2; host++) {
		if (host)
			db_teardown(NULL), db_setup(NULL);
		db_make(host, DESC_IMAGE_KEEP, 1);
		db_start(0, 16);
		const struct vb_segment segment[] = {
		        {DB_HEADER, sizeof(struct virtio_blk_header), false},
		        {DB_ANSWER, KIB(512), true},
		        {page + 5, 1, true},
		};
		db_header(DB_HEADER, VIRTIO_BLK_IN, 0);
		vb_add(&db_drv, 0, segment, 3);
		vb_notify(&db_drv, 0);
		uint8_t *status = vb_at(page + 5, 1);
		*status = 0xaa;
		assert_false(vb_used(&db_drv, 0, &id, &bytes));
		assert_false(stage2_give_up(&vm->stage2, page, PAGE_SIZE, &none, false));
		for (unsigned i = 0; i < 100; i++, vb_pass_us(1000))
			db_answer_all(0);
		assert_true(vb_used(&db_drv, 0, &id, &bytes));
		assert_int_equal(*status, 0xaa);
	}
}

// To ask whether something is under way changes nothing: the balloon does, and goes on asking.
static void test_busy_is_a_question(void **state)
{
	struct vvirtio asks = {0};
	uint32_t bytes;
	uint16_t id;
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	asks.vm = vm;
	db_start(0, 16);
	id = db_put(0, VIRTIO_BLK_IN, 0, 0, 4096, 1);
	vb_notify(&db_drv, 0);
	assert_int_equal(vvirtio_settle(&asks), VVIRTIO_BUSY);
	assert_int_equal(db_wait(0, id, 4096, &bytes), VIRTIO_BLK_S_OK);
	assert_int_equal(vvirtio_settle(&asks), VVIRTIO_SETTLED);
	check_read(0, 0, 200, 1);
}

// Of memory that nobody touched, no more is filled at a time than there is time for: a part has no more than that.
static void test_host_parts(void **state)
{
	(void)state;
	db_board.max_segment_bytes = MIB(1);
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 16);
	uint16_t id = db_put(0, VIRTIO_BLK_IN, 0, 0, KIB(1024), 1);
	for (unsigned i = 0; i < 512; i++)
		(void)vb_at(DB_ANSWER + i * KIB(4), 1); // a block: one run
	vb_notify(&db_drv, 0);
	vb_pass_us(10000);
	assert_int_equal(db_hangs, 4);
	for (unsigned i = 0; i < db_hangs; i++) {
		uint64_t sum = 0;
		for (unsigned k = 0; k < db_hanging[i]->nr_segments; k++)
			sum += db_hanging[i]->segments[k].bytes;
		assert_int_equal(sum, KIB(256));
	}
	uint32_t bytes;
	assert_int_equal(db_wait(0, id, KIB(1024), &bytes), VIRTIO_BLK_S_OK);
}

// A queue that was stopped, and made anew with other rings, hears nothing of what was asked before.
static void test_host_queue_stops(void **state)
{
	uint16_t id;
	uint32_t bytes;
	(void)state;
	model_begin();
	db_make(true, DESC_IMAGE_KEEP, 1);
	for (unsigned packed = 0; packed < 2; packed++) {
		db_start(packed ? VIRTIO_F_RING_PACKED : 0, 128);
		db_most = 1;
		db_put(0, VIRTIO_BLK_IN, 0, 0, KIB(512), 20); // some of it is still in hand
		vb_notify(&db_drv, 0);
		vb_pass_us(1000);
		assert_int_equal(db_hangs, 1);
		vb_write(0, VIRTIO_MMIO_QUEUE_SEL, 0);
		vb_write(0, VIRTIO_MMIO_QUEUE_READY, 0);
		vb_queue(&db_drv, 0, 2, 0);
		db_answer(0, 0);
		vb_pass_us(1000);
		assert_false(vb_used(&db_drv, 0, &id, &bytes));
		assert_int_equal(*(uint8_t *)vb_at(DB_ANSWER + KIB(512), 1), 0xaa);
		db_most = DB_HANGING;
		check_read(0, 0, 100, 1);
	}
}

// A disk without a flush has nothing to flush, and one that says so later is believed.
static void test_host_flush(void **state)
{
	(void)state;
	db_make(true, DESC_IMAGE_KEEP, 1);
	db_start(0, 16);
	assert_int_equal(db_ask(0, VIRTIO_BLK_FLUSH, 0, 0, 0, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(db_submitted, 1);
	db_board.has_flush = false;
	assert_int_equal(db_ask(0, VIRTIO_BLK_FLUSH, 0, 0, 0, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(db_submitted, 1);
}

static void test_claims(void **state)
{
	const struct block_range all = {&db_board, 0, 1000}, part = {&db_board, 100, 100},
	                         next = {&db_board, 200, 100};
	struct block_dev second = db_board;
	const struct block_range other_disk = {&second, 100, 100};
	uint32_t other = 0;
	(void)state;
	db_numbers[1] = db_numbers[2] = db_numbers[3] = true;
	assert_int_equal(vdisk_host_claim(1, &part, true, &other), 0);
	assert_int_equal(vdisk_host_claim(2, &part, false, &other), ERR_BUSY);
	assert_int_equal(other, 1);
	assert_int_equal(vdisk_host_claim(1, &part, true, &other), ERR_BUSY); // nor twice by one
	assert_int_equal(vdisk_host_claim(2, &all, false, &other), ERR_BUSY);
	assert_int_equal(vdisk_host_claim(2, &next, true, &other), 0);
	assert_int_equal(vdisk_host_claim(2, &other_disk, true, &other), 0);
	vdisk_host_release(1);
	assert_int_equal(vdisk_host_claim(3, &part, false, &other), 0);
	assert_int_equal(vdisk_host_claim(1, &part, false, &other), 0); // two that read
	assert_int_equal(vdisk_host_claim(1, &part, true, &other), ERR_BUSY);
	db_numbers[1] = db_numbers[2] = db_numbers[3] = false; // they are gone
	db_numbers[4] = true;
	assert_int_equal(vdisk_host_claim(4, &all, true, &other), 0);
	for (unsigned i = 0; i < 1000; i++)
		if (vdisk_host_claim(4, &(struct block_range){&second, i, 1}, true, &other) != 0) {
			assert_int_equal(i, 255);
			break;
		}
	vdisk_host_release(4);
}

// ---- nonsense ----

// Whatever is in a queue, the disk stays whole, answers or needs a reset, and all that is with the device comes back.
static void test_random_rings(void **state)
{
	(void)state;
	srand(11);
	for (unsigned host = 0; host < 2; host++) {
		if (host)
			db_teardown(NULL), db_setup(NULL);
		db_make(host, DESC_IMAGE_KEEP, 2);
		for (unsigned round = 0; round < 300; round++) {
			db_start(ring_kinds[round % 4] | VIRTIO_F_INDIRECT, 16);
			for (unsigned i = 0; i < 12; i++)
				db_put((unsigned)rand() % 2, (uint32_t)rand() % 15,
				       (uint64_t)rand() % (DB_SECTORS + 10),
				       (uint64_t)rand() % 3 * 16 + (uint64_t)rand() % 9 * 512,
				       (uint64_t)rand() % 9 * 512, 1);
			for (unsigned i = 0; i < 30; i++) {
				uint64_t at = db_drv.ring[rand() % 2].desc + (unsigned)rand() % 400;
				if (rand() % 3 != 0)
					*(uint8_t *)vb_at(at, 1) ^= (uint8_t)(1 << rand() % 8);
				vb_notify(&db_drv, (unsigned)rand() % 3);
				if (rand() % 4 == 0)
					vb_pass_us(500);
				if (db_hangs != 0 && rand() % 2 == 0)
					db_answer((unsigned)rand() % db_hangs,
					          rand() % 8 == 0 ? ERR_IO : 0);
				if (rand() % 64 == 0)
					vb_write(0, VIRTIO_MMIO_STATUS, 0);
				vm->vcpu[0]->repeat = false;
			}
			db_answer_all(0);
			vb_pass_us(20000);
			db_answer_all(0);
			vb_logs = 0;
		}
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, db_setup, db_teardown)
	const struct CMUnitTest tests[] = {
	        TEST(test_image),
	        TEST(test_host),
	        TEST(test_narrow_host),
	        TEST(test_blocks_of_4k),
	        TEST(test_id),
	        TEST(test_config),
	        TEST(test_life),
	        TEST(test_pieces),
	        TEST(test_bad_requests),
	        TEST(test_bad_extents),
	        TEST(test_read_only),
	        TEST(test_no_room),
	        TEST(test_no_memory),
	        TEST(test_host_errors),
	        TEST(test_host_busy),
	        TEST(test_host_doorbell),
	        TEST(test_host_doorbell_order),
	        TEST(test_host_doorbell_reset),
	        TEST(test_host_reset),
	        TEST(test_status_given_away),
	        TEST(test_busy_is_a_question),
	        TEST(test_host_parts),
	        TEST(test_host_queue_stops),
	        TEST(test_host_flush),
	        TEST(test_claims),
	        TEST(test_random_rings),
	};
	return cmocka_run_group_tests(tests, db_open, db_close);
}
