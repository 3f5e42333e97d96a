// SPDX-License-Identifier: Apache-2.0
// The wire to a board: a serial device or a socket.
#ifndef HOST_WIRE_H
#define HOST_WIRE_H

#define WIRE_BAUD 115200

// Opens the one at `path`, in *fd; reads and writes do not wait. `baud` is for serial devices. Returns NULL, or why
// there is no wire.
const char *wire_open(const char *path, unsigned int baud, int *fd);

#endif
