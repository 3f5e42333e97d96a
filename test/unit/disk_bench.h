// SPDX-License-Identifier: Apache-2.0
// Virtio disks on the bench of virtio devices: an image whose bytes are known, a disk of the board that does what a test
// wants, and a driver that cuts its requests into segments anywhere. Included once by a test.
#ifndef DISK_BENCH_H
#define DISK_BENCH_H

#include "virtio_bench.h"

#include "hw/block.h"
#include "vdev/vdisk.h"
#include "vdev/vdisk_host.h"
#include "vdev/vvirtio_blk.h"

#define DB_SECTORS 8200 // of the image: more than two leaves, no whole pages
#define DB_BYTES   (DB_SECTORS * 512)
#define DB_FIRST   100               // where the board's range begins on its disk
#define DB_HEADER  (VB_RAM + MIB(4)) // what the device reads: header and data
#define DB_ANSWER  (VB_RAM + MIB(8)) // what it writes: data and status
#define DB_MOST    KIB(512)          // of data
#define DB_HANGING 64

static uint8_t *db_image, *db_medium; // the board's: all of its disk
static uint64_t db_pages_left;
static struct page_list db_scratch, db_kept;
static bool db_numbers[8]; // VMs that exist

pa_t vm_take_page(struct vm *v, bool kept)
{
	(void)v;
	if (db_pages_left == 0)
		return PA(0);
	db_pages_left--;
	return pages_alloc(0, 1, PAGE_DATA, kept ? &db_kept : &db_scratch);
}

bool vm_number_taken(uint32_t id)
{
	return id < ARRAY_SIZE(db_numbers) && db_numbers[id];
}

static uint8_t db_byte(uint64_t at)
{
	return (uint8_t)(at * 5 + (at >> 9) * 3 + (at >> 16) + 7);
}

// ---- the board's disk ----

static struct block_request *db_hanging[DB_HANGING]; // not answered yet
static unsigned db_hangs, db_submitted, db_most;
static int db_refuse; // what the driver says to the next requests
static struct block_dev db_board;

static int db_submit(struct block_dev *dev, struct block_request *request, uint64_t sector)
{
	assert_ptr_equal(dev, &db_board);
	if (db_refuse != 0)
		return db_refuse;
	if (db_hangs >= db_most)
		return ERR_BUSY;
	assert_true(sector >= DB_FIRST || request->op == BLOCK_FLUSH);
	db_submitted++;
	db_hanging[db_hangs++] = request;
	return 0;
}

static const struct block_driver db_driver = {.name = "fake", .submit = db_submit};

// Answers the n-th of those that hang.
static void db_answer(unsigned n, int error)
{
	struct block_request *request = db_hanging[n];
	uint8_t *at = db_medium + (DB_FIRST + request->sector) * 512;
	for (unsigned i = n; i + 1 < db_hangs; i++)
		db_hanging[i] = db_hanging[i + 1];
	db_hangs--;
	for (unsigned i = 0; error == 0 && i < request->nr_segments; i++) {
		uint8_t *memory = (uint8_t *)(uintptr_t)request->segments[i].pa.v;
		uint32_t bytes = request->segments[i].bytes;
		if (request->op == BLOCK_READ)
			memcpy(memory, at, bytes);
		else
			memcpy(at, memory, bytes);
		at += bytes;
	}
	if (error == 0 && (request->op == BLOCK_DISCARD || request->op == BLOCK_WRITE_ZEROES))
		memset(at, 0, request->sectors * 512);
	request->ops->done(request, error);
}

static void db_answer_all(int error)
{
	while (db_hangs != 0)
		db_answer((unsigned)rand() % db_hangs, error);
}

// ---- a VM with one disk ----

static int db_open(void **state)
{
	db_image = malloc(DB_BYTES);
	db_medium = malloc(DB_BYTES + DB_FIRST * 512);
	return vb_open(state);
}

static int db_close(void **state)
{
	(void)state;
	free(db_image);
	free(db_medium);
	return 0;
}

static int db_setup(void **state)
{
	vb_setup(state);
	for (uint64_t i = 0; i < DB_BYTES; i++)
		db_image[i] = db_medium[DB_FIRST * 512 + i] = db_byte(i);
	memset(db_medium, 0xee, DB_FIRST * 512);
	db_pages_left = 4096;
	db_hangs = db_submitted = 0;
	db_most = DB_HANGING;
	db_refuse = 0;
	memset(db_numbers, 0, sizeof db_numbers);
	db_board = (struct block_dev){
	        .name = "vda",
	        .driver = &db_driver,
	        .sectors = DB_FIRST + DB_SECTORS,
	        .block_size = 512,
	        .has_flush = true,
	        .max_segments = BLOCK_MAX_SEGMENTS,
	        .max_segment_bytes = KIB(16),
	        .discard = {.max_sectors = 1000, .alignment = 1},
	        .write_zeroes = {.max_sectors = 1000, .alignment = 1},
	};
	return 0;
}

static int db_teardown(void **state)
{
	db_answer_all(ERR_IO);
	while (pages_scrub_some(&db_scratch) || pages_scrub_some(&db_kept))
		;
	return vb_teardown(state);
}

UNUSED static void db_make(bool host, enum desc_image mode, uint32_t vcpus)
{
	vm->nr_vcpus = vcpus;
	vm->nr_disks = 1;
	vm->disk[0] = (struct vm_disk){.name = "data.img", .image = {.mode = mode}};
	if (host)
		vm->disk[0].range = (struct block_range){&db_board, DB_FIRST, DB_SECTORS};
	else
		vm->disk[0].image = (struct vm_image){db_image, DB_BYTES, mode};
	assert_int_equal(vvirtio_blk_create(vm), 0);
	assert_int_equal(vvirtio_reset_all(vm), 0);
	assert_int_equal(vvirtio_blk_begin_life(vm), 0);
}

static struct vdisk *db_disk(void)
{
	return (struct vdisk *)vm->virtio->slot[0];
}

// ---- a driver ----

static struct vb_driver db_drv;

UNUSED static void db_start(uint64_t features, unsigned size)
{
	vb_begin(&db_drv, 0, VIRTIO_BLOCK, features);
	for (unsigned n = 0; n < db_disk()->dev.nr_queues; n++)
		vb_queue(&db_drv, n, size, 0);
	vb_go(&db_drv);
}

// Cuts `bytes` at `ipa` into at most `most` pieces at random, some of them empty.
static unsigned db_cut(uint64_t ipa, uint64_t bytes, bool write, unsigned most,
                       struct vb_segment *segment)
{
	unsigned n = 0;
	while (bytes != 0 && n + 1 < most) {
		uint64_t some = (uint64_t)rand() % 4 == 0 ? (uint64_t)rand() % 600
		                                          : (uint64_t)rand() % (bytes + 1);
		some = some < bytes ? some : bytes;
		segment[n++] = (struct vb_segment){ipa, (uint32_t)some, write};
		ipa += some;
		bytes -= some;
	}
	segment[n++] = (struct vb_segment){ipa, (uint32_t)bytes, write};
	return n;
}

static void db_header(uint64_t ipa, uint32_t type, uint64_t sector)
{
	struct virtio_blk_header header = {type, 0, sector};
	vb_put(ipa, &header, sizeof header);
}

// Puts a request into a queue whose data are `out` bytes behind the header and `in` bytes before the status, in one piece
// each (pieces 1), or cut at random.
UNUSED static uint16_t db_put(unsigned queue, uint32_t type, uint64_t sector, uint64_t out,
                              uint64_t in, unsigned pieces)
{
	struct vb_segment segment[64];
	unsigned n =
	        db_cut(DB_HEADER, sizeof(struct virtio_blk_header) + out, false, pieces, segment);
	db_header(DB_HEADER, type, sector);
	*(uint8_t *)vb_at(DB_ANSWER + in, 1) = 0xaa;
	n += db_cut(DB_ANSWER, in + 1, true, pieces, segment + n);
	return vb_add(&db_drv, queue, segment, n);
}

// Lets time pass until the buffer is back: its status.
UNUSED static uint8_t db_wait(unsigned queue, uint16_t id, uint64_t in, uint32_t *bytes)
{
	uint16_t got;
	for (unsigned i = 0; !vb_used(&db_drv, queue, &got, bytes); i++) {
		if (i == 5000)
			fail_msg("no answer");
		vb_pass_us(100);
		db_answer_all(0);
	}
	assert_int_equal(got, id);
	return *(uint8_t *)vb_at(DB_ANSWER + in, 1);
}

UNUSED static uint8_t db_ask(unsigned queue, uint32_t type, uint64_t sector, uint64_t out,
                             uint64_t in, unsigned pieces)
{
	uint32_t bytes;
	uint16_t id = db_put(queue, type, sector, out, in, pieces);
	vb_notify(&db_drv, queue);
	uint8_t status = db_wait(queue, id, in, &bytes);
	if (status == VIRTIO_BLK_S_OK)
		assert_int_equal(bytes, in + 1);
	else
		assert_int_equal(bytes, in == 0 ? 1 : 0);
	return status;
}

UNUSED static void db_extent(uint64_t sector, uint32_t sectors, uint32_t flags)
{
	struct virtio_blk_extent extent = {sector, sectors, flags};
	vb_put(DB_HEADER + sizeof(struct virtio_blk_header), &extent, sizeof extent);
}

#endif
