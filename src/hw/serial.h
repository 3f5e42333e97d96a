// SPDX-License-Identifier: Apache-2.0
// Further serial lines of the board, besides the console's UART: the first port of each virtio console, hvc0, hvc1 and so
// on in the order in which they were found. Bytes are copied.
#ifndef HW_SERIAL_H
#define HW_SERIAL_H

#include "base/types.h"

#define SERIAL_MAX_DEVICES 8

struct serial_dev;

struct serial_ops {
	// There may be something to read, or room to write. Any CPU, no lock held; may be called in vain.
	void (*changed)(void *owner);
};

// Line number `index`; NULL: there are no more.
struct serial_dev *serial_get(unsigned index);
struct serial_dev *serial_find(const char *name);
const char *serial_name(const struct serial_dev *dev);

// Who is told. NULL: nobody; then what is received waits, a few kilobytes of it, and after that the other side does. Any
// CPU; takes LOCK_HW.
void serial_listen(struct serial_dev *dev, const struct serial_ops *ops, void *owner);

// Sends as many of the bytes as there is room for; returns how many. A dead device takes all and sends none. Any CPU;
// takes LOCK_HW.
size_t serial_write(struct serial_dev *dev, const void *bytes, size_t count);
// Takes what was received, at most `count` bytes; returns how many. As above.
size_t serial_read(struct serial_dev *dev, void *bytes, size_t count);

#endif
