// SPDX-License-Identifier: Apache-2.0
// Records frames of one port at a time. Called by the switch, on the CPUs that send, and by the shell. Owns the records that
// nobody has taken yet: memory for them is taken at the first use and kept.
//
// A frame's first bytes are enough to see what it is, and they are copied anyway: so a record costs its sender little, and
// when there is no room for it the frame goes on and is counted.
// Invariant: `head` - `tail` records are there, at most RECORDS.
// Source: libpcap, "pcap-savefile(5)".
#include "vdev/vcapture.h"

#include "arm/cpu.h"
#include "base/string.h"
#include "hw/timer.h"
#include "mem/pages.h"

#define RECORDS 256U
#define ORDER   4 // pages, as a power of two

#define MAGIC    UINT32_C(0xa1b23c4d) // times in nanoseconds
#define ETHERNET 1U
#define NS       UINT64_C(1000000000)

struct record {
	uint32_t seconds, ns, kept, size; // as in the file
	uint8_t bytes[VFRAME_HEAD];
};
STATIC_ASSERT(sizeof(struct record) == VCAPTURE_MOST, "nothing is between the fields");
STATIC_ASSERT(RECORDS * sizeof(struct record) <= PAGE_SIZE << ORDER, "there is room for all");

const struct vswitch_port *vcapture_port;

static struct {
	struct spinlock lock; // LOCK_LINE: below it is nothing
	// Under the lock.
	struct record *records;
	uint64_t lost;
	// Atomically.
	uint32_t head, tail; // they count on
} capture = {.lock = SPINLOCK_INIT(LOCK_LINE)};

int vcapture_begin(const struct vswitch_port *port)
{
	if (load_relaxed(&vcapture_port) != NULL)
		return ERR_BUSY;
	if (capture.records == NULL)
		capture.records =
		        (void *)(uintptr_t)pages_alloc(ORDER, OWNER_EL2, PAGE_DATA, NULL).v;
	if (capture.records == NULL)
		return ERR_NO_MEMORY;
	spin_lock(&capture.lock);
	capture.lost = 0;
	store_relaxed(&capture.tail, capture.head);
	spin_unlock(&capture.lock);
	store_release(&vcapture_port, port);
	return 0;
}

void vcapture_file(uint8_t bytes[VCAPTURE_BEGIN])
{
	const uint32_t words[] = {MAGIC, 4U << 16 | 2U, 0, 0, VFRAME_HEAD, ETHERNET};
	STATIC_ASSERT(sizeof words == VCAPTURE_BEGIN, "versions 2.4, zone, accuracy, length, kind");
	memcpy(bytes, words, sizeof words);
}

void vcapture_add(const struct vframe *frame)
{
	uint64_t ns = timer_to_ns(timer_now());

	spin_lock(&capture.lock);
	uint32_t head = capture.head;
	if (head - load_acquire(&capture.tail) == RECORDS) {
		capture.lost++;
	} else {
		struct record *record = &capture.records[head % RECORDS];
		record->seconds = (uint32_t)(ns / NS);
		record->ns = (uint32_t)(ns % NS);
		record->kept = frame->head_size;
		record->size = frame->size;
		memcpy(record->bytes, frame->head, frame->head_size);
		store_release(&capture.head, head + 1);
	}
	spin_unlock(&capture.lock);
	cpu_post_local(CPU_WORK_CONSOLE);
}

bool vcapture_waits(void)
{
	return load_relaxed(&capture.head) != load_relaxed(&capture.tail);
}

uint32_t vcapture_take(uint8_t *bytes)
{
	uint32_t tail = load_relaxed(&capture.tail);

	if (load_acquire(&capture.head) == tail)
		return 0;
	const struct record *record = &capture.records[tail % RECORDS];
	uint32_t size = VCAPTURE_HEAD + record->kept;
	memcpy(bytes, record, size);
	store_release(&capture.tail, tail + 1);
	return size;
}

void vcapture_forget(const struct vswitch_port *port)
{
	const struct vswitch_port *recorded = port;

	compare_exchange(&vcapture_port, &recorded, NULL);
}

uint64_t vcapture_end(void)
{
	store_release(&vcapture_port, NULL);
	spin_lock(&capture.lock);
	uint64_t lost = capture.lost;
	spin_unlock(&capture.lock);
	return lost;
}
