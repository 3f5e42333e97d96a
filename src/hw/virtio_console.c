// SPDX-License-Identifier: Apache-2.0
// The first port of virtio consoles, as a line of bytes. Owns each one's rings and buffers; called by hw/virtio.c, and by
// whoever reads and writes.
//
// Further ports would need the control queues (MULTIPORT), which are not used.
// Invariant: a buffer is the device's, or is being filled or emptied by the driver, never both; what was received is
// read in the order in which it came.
// Source: Virtual I/O Device (VIRTIO) 1.2, "Console Device".
#include "base/atomic.h"
#include "base/log.h"
#include "base/print.h"
#include "base/string.h"
#include "hw/serial.h"
#include "hw/timer.h"
#include "hw/virtio.h"
#include "hw/virtio_drivers.h"

#define BUFFERS      8 // in each direction
#define BUFFER_BYTES 512

struct buffer {
	struct serial_dev *dev;
	bool out;        // the device has it
	uint32_t length; // received bytes, of which `at` were read
	uint32_t at;
	uint8_t bytes[BUFFER_BYTES];
};

struct serial_dev {
	struct virtio_dev *dev;
	char name[8];
	// Under the device's lock.
	const struct serial_ops *ops;
	void *owner;
	struct virtio_ring rx_ring, tx_ring;
	struct buffer rx[BUFFERS], tx[BUFFERS];
	unsigned rx_first, rx_count; // received, not read: a queue of numbers
	uint8_t rx_order[BUFFERS];
};

static struct serial_dev *lines[SERIAL_MAX_DEVICES];
static unsigned nr_lines; // fixed after boot

struct serial_dev *serial_get(unsigned index)
{
	return index < nr_lines ? lines[index] : NULL;
}

struct serial_dev *serial_find(const char *name)
{
	for (unsigned i = 0; i < nr_lines; i++)
		if (strcmp(lines[i]->name, name) == 0)
			return lines[i];
	return NULL;
}

const char *serial_name(const struct serial_dev *dev)
{
	return dev->name;
}

void serial_listen(struct serial_dev *dev, const struct serial_ops *ops, void *owner)
{
	spin_lock(&dev->dev->lock);
	dev->ops = ops;
	dev->owner = owner;
	spin_unlock(&dev->dev->lock);
}

// Gives a buffer to the device. There are no more buffers than descriptors.
static void give(struct virtio_ring *ring, struct buffer *buffer, uint32_t bytes, bool receives)
{
	const struct segment segment = {PA((uintptr_t)buffer->bytes), bytes};
	const struct virtio_part part = {&segment, 1, receives};
	buffer->out = true;
	(void)virtio_ring_put(ring, &part, 1, buffer, timer_now());
	virtio_kick(buffer->dev->dev, ring);
}

size_t serial_write(struct serial_dev *dev, const void *bytes, size_t count)
{
	const uint8_t *from = bytes;
	size_t sent = 0;
	spin_lock(&dev->dev->lock);
	if (dev->dev->state != VIRTIO_LIVE)
		sent = count;
	for (unsigned i = 0; i < BUFFERS && sent < count; i++) {
		struct buffer *buffer = &dev->tx[i];
		if (buffer->out)
			continue;
		size_t n = count - sent < BUFFER_BYTES ? count - sent : BUFFER_BYTES;
		memcpy(buffer->bytes, from + sent, n);
		sent += n;
		give(&dev->tx_ring, buffer, (uint32_t)n, false);
	}
	spin_unlock(&dev->dev->lock);
	return sent;
}

size_t serial_read(struct serial_dev *dev, void *bytes, size_t count)
{
	uint8_t *to = bytes;
	size_t got = 0;
	spin_lock(&dev->dev->lock);
	while (dev->rx_count != 0 && got < count) {
		struct buffer *buffer = &dev->rx[dev->rx_order[dev->rx_first]];
		size_t left = buffer->length - buffer->at;
		size_t n = count - got < left ? count - got : left;
		memcpy(to + got, buffer->bytes + buffer->at, n);
		got += n;
		buffer->at += (uint32_t)n;
		if (buffer->at < buffer->length)
			break;
		dev->rx_first = (dev->rx_first + 1) % BUFFERS;
		dev->rx_count--;
		if (dev->dev->state == VIRTIO_LIVE)
			give(&dev->rx_ring, buffer, BUFFER_BYTES, true);
	}
	spin_unlock(&dev->dev->lock);
	return got;
}

static void received(struct serial_dev *dev, struct buffer *buffer, uint32_t bytes)
{
	buffer->out = false;
	buffer->length = bytes;
	buffer->at = 0;
	if (bytes == 0) { // it is of use again at once, unless the device is dead
		if (dev->dev->state == VIRTIO_LIVE)
			give(&dev->rx_ring, buffer, BUFFER_BYTES, true);
		return;
	}
	dev->rx_order[(dev->rx_first + dev->rx_count++) % BUFFERS] = (uint8_t)(buffer - dev->rx);
}

static bool poll(struct virtio_dev *dev)
{
	struct serial_dev *line = dev->chip;
	struct virtio_answer answer;
	unsigned taken = 0;
	int error;
	spin_lock(&dev->lock);
	for (; taken < VIRTIO_A_POLL && virtio_take(dev, &line->tx_ring, &answer, &error);
	     taken++) {
		struct buffer *buffer = answer.owner;
		buffer->out = false;
	}
	for (; taken < VIRTIO_A_POLL && virtio_take(dev, &line->rx_ring, &answer, &error); taken++)
		received(line, answer.owner, error == 0 ? answer.bytes : 0);
	const struct serial_ops *ops = line->ops;
	void *owner = line->owner;
	spin_unlock(&dev->lock);
	if (taken != 0 && ops != NULL)
		ops->changed(owner);
	return taken == VIRTIO_A_POLL;
}

static int make_rings(struct virtio_dev *dev, struct serial_dev *line)
{
	int error = virtio_begin(dev, 0);
	if (error == 0)
		error = virtio_add_ring(dev, &line->rx_ring, VIRTIO_CONSOLE_RX, BUFFERS);
	if (error == 0)
		error = virtio_add_ring(dev, &line->tx_ring, VIRTIO_CONSOLE_TX, BUFFERS);
	return error;
}

static int start(struct virtio_dev *dev)
{
	struct serial_dev *line = virtio_memory(sizeof *line);
	if (line == NULL || nr_lines == SERIAL_MAX_DEVICES) {
		log_line("devices: the console at %s: %s: left alone", dev->where,
		         line == NULL ? "no memory" : "there are too many");
		return ERR_NO_MEMORY;
	}
	line->dev = dev;
	dev->chip = line;
	int error = make_rings(dev, line);
	if (error != 0)
		return error;
	if (line->rx_ring.size < BUFFERS || line->tx_ring.size < BUFFERS) {
		log_line("devices: the console at %s: its queues are too short: left alone",
		         dev->where);
		return ERR_UNSUPPORTED;
	}
	line->rx_ring.patient = true;
	line->tx_ring.patient = true; // nobody may be reading at the other end
	print_buffer(line->name, sizeof line->name, "hvc%u", nr_lines);
	dev->name = line->name;
	lines[nr_lines++] = line;
	virtio_run(dev);
	for (unsigned i = 0; i < BUFFERS; i++) {
		line->rx[i].dev = line->tx[i].dev = line;
		give(&line->rx_ring, &line->rx[i], BUFFER_BYTES, true);
	}
	log_line("%s: virtio-console at %s %s", line->name, dev->transport->name, dev->where);
	return 0;
}

const struct virtio_driver virtio_console = {
        .kind = VIRTIO_CONSOLE, .name = "virtio-console", .start = start, .poll = poll};
