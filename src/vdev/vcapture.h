// SPDX-License-Identifier: Apache-2.0
// A record of what goes through one port of a switch, for people with a network analyser.
#ifndef VDEV_VCAPTURE_H
#define VDEV_VCAPTURE_H

#include "vdev/vframe.h"

// In the form of a capture file: the file's header, then a header and bytes for each frame.
#define VCAPTURE_BEGIN 24U
#define VCAPTURE_HEAD  16U
#define VCAPTURE_MOST  (VCAPTURE_HEAD + VFRAME_HEAD)

struct vswitch_port;

// Begins to record what `port` sends and gets. ERR_BUSY: another one is recorded; ERR_NO_MEMORY.
int vcapture_begin(const struct vswitch_port *port);
// What a file begins with.
void vcapture_file(uint8_t bytes[VCAPTURE_BEGIN]);
// The next record, at most VCAPTURE_MOST bytes; 0: there is none. One CPU at a time.
uint32_t vcapture_take(uint8_t *bytes);
// Whether there is one. Any CPU, any lock.
bool vcapture_waits(void);
// No more; how many frames found no room. One CPU at a time.
uint64_t vcapture_end(void);

// ---- for the switch ----

void vcapture_add(const struct vframe *frame);
// Nothing more of this port is recorded: it is given back. Any CPU.
void vcapture_forget(const struct vswitch_port *port);
extern const struct vswitch_port *vcapture_port; // atomically; NULL: none
static inline void vcapture_frame(const struct vswitch_port *port, const struct vframe *frame)
{
	if (UNLIKELY(load_relaxed(&vcapture_port) == port))
		vcapture_add(frame);
}

#endif
