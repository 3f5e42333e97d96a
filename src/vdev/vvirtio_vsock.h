// SPDX-License-Identifier: Apache-2.0
// The virtio socket device: stream sockets between VMs, and to Mezzo's shell. docs/virtio.md has the why.
#ifndef VDEV_VVIRTIO_VSOCK_H
#define VDEV_VVIRTIO_VSOCK_H

#include "base/types.h"
#include "vdev/vstate.h"

struct vm;
struct vsock;

// A VM that is made after another one has the context of this number and its own, which is above all that are given.
#define VSOCK_CID_MADE 4096U

#define VSOCK_SHELL_PORT 1 // of context 2: one line is a command, one line its answer
#define VSOCK_SERVED     4 // connections to it at a time

// Puts one into the VM's next slot if it is to have one (vm->socket.cid). The VM is being built. ERR_NO_MEMORY.
int vvirtio_vsock_create(struct vm *vm);
// The context is nobody's any more. The VM is about to be freed, or is not built after all.
void vvirtio_vsock_destroy(struct vm *vm);
// How many connections to other VMs it knows of. Any CPU; what it says may be old.
uint32_t vvirtio_vsock_connections(const struct vm *vm);

// What answers on context 2. Each of VSOCK_SERVED callers has one command at a time. Called under LOCK_DEVICE, for one
// caller by one CPU at a time; none of these waits.
struct vsock_service {
	// Takes a line of `length` bytes, which are not kept. False: not yet; vvirtio_vsock_answered says when.
	bool (*call)(unsigned caller, const char *line, size_t length);
	// Takes the next bytes of the answer, at most `most`; how many.
	uint32_t (*answer)(unsigned caller, uint8_t *bytes, uint32_t most);
	// Whether all of the answer can be taken. To be asked before `answer`.
	bool (*complete)(unsigned caller);
	// Nobody waits for the answer any more.
	void (*abort)(unsigned caller);
};
// Boot CPU, before any VM runs. Without it nobody answers there.
void vvirtio_vsock_serve(const struct vsock_service *service);
// A caller's answer has come further, or there is an end of what it called off. Any CPU, no lock held, outside of fast
// exits.
void vvirtio_vsock_answered(unsigned caller);

extern const struct vstate vvirtio_vsock_state;

#endif
