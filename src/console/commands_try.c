// SPDX-License-Identifier: Apache-2.0
// `try`: asks one of the board's devices something harmless and shows what it answers, to see that it, its driver and its
// interrupt work. Owns the one request of each kind that may be under way, and their memory: static, because a device
// may answer when nobody waits any more. Called by shell.c alone, a step at a time; the answers come by interrupt.
// Invariant: a request that was not answered is not used again.
#include "arm/cpu.h"
#include "base/atomic.h"
#include "base/crc32.h"
#include "base/print.h"
#include "base/string.h"
#include "console/shell.h"
#include "hw/block.h"
#include "hw/net.h"
#include "hw/serial.h"
#include "hw/virtio_rng.h"

#define MAX_BLOCK     4096
#define DISK_REQUESTS 24
#define RANDOM_BYTES  32
#define FRAME_ROOM    9728
#define FRAME_LEAST   60
#define ETHER_TYPE    12     // where in a frame
#define ETHER_LOCAL   0x88b5 // IEEE 802, "Local Experimental Ethertype 1"
#define SHOWN         16     // bytes
#define HEX_SIZE      (SHOWN * 3 + 1)

static const char no_such_device[] = "no such device; disks and devices list them";

// One for all: who waits is the job that began it.
static bool waiting;

// What a kind of device is asked. `out` from the submission until the answer.
struct attempt {
	bool out;
	int error;
	uint32_t bytes;
	struct segment segment;
};

static struct {
	struct attempt at;
	uint32_t left; // requests without an answer
	struct block_request request[DISK_REQUESTS];
	uint8_t bytes[MAX_BLOCK];
} disk;

static struct {
	struct attempt at;
	struct virtio_rng_request request;
	uint8_t bytes[RANDOM_BYTES];
} noise;

static struct {
	struct attempt in, out;
	struct net_request receive, send;
	uint8_t received[FRAME_ROOM], sent[FRAME_LEAST];
} net;

static void over(struct attempt *at, int error, uint32_t bytes)
{
	at->error = error;
	at->bytes = bytes;
	store_release(&at->out, false);
	store_release(&waiting, false);
	cpu_post_local(CPU_WORK_CONSOLE); // the shell looks again
}

static void one_less(void)
{
	if (__atomic_sub_fetch(&disk.left, 1, __ATOMIC_ACQ_REL) == 0)
		over(&disk.at, disk.at.error, 0);
}

static void disk_done(struct block_request *request UNUSED, int error)
{
	if (error != 0)
		store_relaxed(&disk.at.error, error);
	one_less();
}

static void noise_done(struct virtio_rng_request *request, int error, uint32_t bytes)
{
	over(request->owner, error, bytes);
}

static void frame_received(struct net_request *request, int error, uint32_t bytes)
{
	over(request->owner, error, bytes);
}

static void frame_sent(struct net_request *request, int error, uint32_t bytes UNUSED)
{
	struct attempt *at = request->owner; // it is not waited for
	at->error = error;
	store_release(&at->out, false);
}

static const struct block_request_ops disk_ops = {.done = disk_done};
static const struct virtio_rng_request_ops noise_ops = {.done = noise_done};
static const struct net_request_ops receive_ops = {.done = frame_received};
static const struct net_request_ops send_ops = {.done = frame_sent};

static bool ready(void)
{
	return !load_acquire(&waiting);
}

static void end(struct shell_job *job UNUSED)
{
	store_release(&waiting, false);
}

// ---- what they have in common ----

static bool refused(struct shell_job *job, const struct attempt *at)
{
	if (!load_acquire(&at->out))
		return false;
	answer_error(&job->out, "%s: what was asked the last time is not answered yet",
	             job->argv[1]);
	return true;
}

// What a submission said; whether the job goes on, to show the answer.
static bool submitted(struct shell_job *job, struct attempt *at, int error)
{
	if (error == 0)
		return true;
	store_release(&at->out, false);
	store_release(&waiting, false);
	answer_error(&job->out, "%s: %s", job->argv[1],
	             error == ERR_IO          ? "it was given up"
	             : error == ERR_NOT_FOUND ? no_such_device
	                                      : "it cannot take a request now");
	return false;
}

static void begin(struct attempt *at, void *memory, uint32_t bytes)
{
	at->segment = (struct segment){PA((uintptr_t)memory), bytes};
	store_release(&at->out, true);
	store_release(&waiting, true);
}

// False, with a sentence, if there is no answer.
static bool answered(struct shell_job *job, const struct attempt *at)
{
	if (load_acquire(&at->out))
		answer_error(&job->out, "%s: broken off", job->argv[1]);
	else if (at->error != 0)
		answer_error(&job->out, "%s: it failed", job->argv[1]);
	return !job->out.failed;
}

static void show_bytes(struct shell_job *job, const uint8_t *bytes, uint32_t count)
{
	char text[HEX_SIZE] = "";
	size_t at = 0;
	for (uint32_t i = 0; i < count && i < SHOWN; i++)
		at += print_buffer(text + at, sizeof text - at, i == 0 ? "%02x" : " %02x",
		                   bytes[i]);
	answer_number(&job->out, "bytes", "bytes", ANSWER_NUMBER, count);
	answer_number(&job->out, "crc32", "CRC-32", ANSWER_HEX, crc32_update(0, bytes, count));
	answer_text(&job->out, "first", "first", text);
}

// ---- each kind ----

// All at once, so that there is more to answer than one interrupt is for. That they read the same, into the same place,
// is all one to the device. 0: some are on their way.
static int ask_disk(const struct block_range *range)
{
	unsigned asked = 0;
	int error = 0;
	disk.at.error = 0;
	store_relaxed(&disk.left, 1); // this function's own
	while (asked < DISK_REQUESTS && error == 0) {
		disk.request[asked] = (struct block_request){.op = BLOCK_READ,
		                                             .segments = &disk.at.segment,
		                                             .nr_segments = 1,
		                                             .ops = &disk_ops};
		(void)fetch_add(&disk.left, 1);
		error = block_submit(range, &disk.request[asked]);
		if (error == 0)
			asked++;
		else
			one_less(); // that one; if it is only that the device takes no more, there are enough
	}
	one_less();
	return asked != 0 ? 0 : error;
}

static bool try_disk(struct shell_job *job, const struct block_range *range)
{
	if (job->step != 0) {
		if (answered(job, &disk.at))
			show_bytes(job, disk.bytes, range->dev->block_size);
		return false;
	}
	if (refused(job, &disk.at))
		return false;
	begin(&disk.at, disk.bytes, range->dev->block_size);
	return submitted(job, &disk.at, ask_disk(range));
}

static bool try_noise(struct shell_job *job)
{
	if (job->step != 0) {
		if (answered(job, &noise.at))
			show_bytes(job, noise.bytes, noise.at.bytes);
		return false;
	}
	if (refused(job, &noise.at))
		return false;
	begin(&noise.at, noise.bytes, sizeof noise.bytes);
	noise.request = (struct virtio_rng_request){
	        .segment = noise.at.segment, .ops = &noise_ops, .owner = &noise.at};
	return submitted(job, &noise.at, virtio_rng_submit(&noise.request));
}

// A broadcast that means nothing to anybody.
static void make_frame(const struct net_dev *dev)
{
	memset(net.sent, 0, sizeof net.sent);
	memset(net.sent, UINT8_MAX, NET_MAC_SIZE);
	memcpy(net.sent + NET_MAC_SIZE, dev->mac, NET_MAC_SIZE);
	net.sent[ETHER_TYPE] = (uint8_t)(ETHER_LOCAL >> 8);
	net.sent[ETHER_TYPE + 1] = (uint8_t)ETHER_LOCAL;
	memcpy(net.sent + NET_HEADER, "Mezzo", sizeof "Mezzo");
}

static bool send_and_receive(struct shell_job *job, struct net_dev *dev)
{
	answer_number(&job->out, "up", "link", ANSWER_YES, net_is_up(dev) ? 1 : 0);
	answer_number(&job->out, "mtu", "MTU", ANSWER_NUMBER, dev->mtu);
	if (refused(job, &net.out) || refused(job, &net.in))
		return false;
	begin(&net.in, net.received, sizeof net.received);
	net.receive = (struct net_request){.segments = &net.in.segment,
	                                   .nr_segments = 1,
	                                   .ops = &receive_ops,
	                                   .owner = &net.in};
	if (!submitted(job, &net.in, net_receive(dev, &net.receive)))
		return false;
	make_frame(dev);
	net.out.segment = (struct segment){PA((uintptr_t)net.sent), sizeof net.sent};
	net.send = (struct net_request){.segments = &net.out.segment,
	                                .nr_segments = 1,
	                                .ops = &send_ops,
	                                .owner = &net.out};
	store_release(&net.out.out, true);
	int error = net_send(dev, &net.send);
	if (error != 0)
		return submitted(job, &net.out, error);
	return true;
}

static bool try_net(struct shell_job *job, struct net_dev *dev)
{
	if (job->step == 0)
		return send_and_receive(job, dev);
	if (answered(job, &net.in))
		show_bytes(job, net.received, net.in.bytes);
	return false;
}

static void try_serial(struct shell_job *job, struct serial_dev *dev)
{
	uint8_t bytes[SHOWN];
	char line[32];
	size_t length = print_buffer(line, sizeof line, "Mezzo: %s\r\n", serial_name(dev));
	size_t sent = serial_write(dev, line, length);
	answer_number(&job->out, "sent", "sent", ANSWER_NUMBER, sent);
	size_t got = serial_read(dev, bytes, sizeof bytes);
	show_bytes(job, bytes, (uint32_t)got);
}

static bool command_try(struct shell_job *job)
{
	const char *name = job->argv[1];
	struct block_range range;
	struct net_dev *dev = net_find(name);
	struct serial_dev *line = serial_find(name);
	if (block_find(name, &range) == 0)
		return try_disk(job, &range);
	if (strcmp(name, "rng0") == 0)
		return try_noise(job);
	if (dev != NULL)
		return try_net(job, dev);
	if (line != NULL)
		try_serial(job, line);
	else
		answer_error(&job->out, "%s: %s", name, no_such_device);
	return false;
}

const struct shell_command shell_try_commands[] = {
        {"try", "NAME", "ask a disk, net, console or rng0 of the board something", command_try, 1,
         1, .end = end, .ready = ready},
        {0},
};
