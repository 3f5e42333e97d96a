// SPDX-License-Identifier: Apache-2.0
// What the files of the link share: link.c receives, link_send.c sends, link_directory.c knows the channels.
#ifndef CONSOLE_LINK_STATE_H
#define CONSOLE_LINK_STATE_H

#include "base/frame.h"
#include "console/output.h"
#include "vm/vm.h"

#define LINK_FRAME_BYTES 256  // of a channel in one frame
#define LINK_SLOTS       8192 // channels by number, modulo; a power of two above all there can be
#define LINK_GONE_MAX    16   // channels that ended, waiting to be told; beyond it all is told anew
#define LINK_LOOK_EFFORT 2    // of looking at something that has nothing to send

#define LINK_FILE_BYTES 4096 // of a file, made and not sent yet; a power of two
#define LINK_FILE_NAME  (VM_NAME_SIZE + 8)

enum link_own { LINK_SHELL, LINK_LOG, LINK_FILE, LINK_NR_OWN };

// A file on its way to the host. All but what is marked under LOCK_CONSOLE.
struct link_file {
	struct ring ring; // written by whoever makes the file
	uint32_t number;  // of its channel; 0: there is none; read by anyone
	uint16_t before;  // of the one before: the host may not know yet that it is gone
	uint32_t opened;  // the host has asked for it; read by anyone
	bool told;        // it is in the directory
	bool ended;       // nothing more is put into the ring
	const char *why;  // ended: it is not whole; NULL: it is
	uint32_t id;
	char name[LINK_FILE_NAME];
	uint8_t bytes[LINK_FILE_BYTES];
};

// All of it under LOCK_CONSOLE.
struct link_state {
	bool framed;
	uint64_t begun; // ticks: plain mode: when the START of what may be a HELLO came
	uint64_t heard; // ticks: framed: when the last correct frame came
	uint16_t sequence;
	uint64_t nonce;    // of the HELLO
	uint32_t features; // that both have

	// What is to be said about the link itself, at most one of each.
	bool welcome_due, error_due, pong_due;
	uint8_t error_type; // and what it is about
	uint16_t error_channel;
	const char *error_text;
	uint32_t pong_size;

	// The shell's channel.
	struct ring keys;       // on their way to the shell
	uint32_t answer_number; // of the command that is being answered
	bool answering;         // there is one

	struct link_file file;

	// The channels.
	struct vcons_channel own[LINK_NR_OWN];
	uint16_t last_number;
	uint16_t slots
	        [LINK_SLOTS]; // whose a number may be: a VM's number, or VM_MAX + 1 + enum link_own

	// The directory.
	bool whole;        // all of it is being told
	bool whole_begun;  // its first message is out
	bool scanning;     // VMs are being looked at for what has changed
	uint32_t cursor;   // the VM that was looked at last
	uint32_t own_told; // while `whole`: channels that are no VM's
	uint32_t nr_gone;
	uint16_t gone[LINK_GONE_MAX];

	// Taking turns.
	uint32_t turn;    // the kind of channel that is next
	uint32_t next_vm; // its number less 1, or the next after it

	uint8_t payload[LINK_FRAME_BYTES + FRAME_ANSWER_SIZE]; // of the frame that is being made
	uint8_t pong[FRAME_PING_MAX];
	uint8_t key_bytes[VCONS_IN_SIZE];
	struct frame_decoder decoder;
};

extern struct link_state link_state;

struct link_channel {
	enum frame_kind kind;
	struct vcons_channel *state;
	struct vm *vm; // only of FRAME_KIND_CONSOLE
};

// ---- link_directory.c ----

// Forgets all numbers and begins to tell everything.
void link_directory_begin(void);
// Gives the file's channel a number, which will be told. Returns it.
uint16_t link_directory_add_file(void);
// A channel ends: its number will be told.
void link_directory_gone(uint16_t number);
// The channel of this number; false: there is none.
bool link_find(uint16_t number, struct link_channel *channel);
// Puts the next message of the directory into the wire, if there is one. True: look again.
bool link_directory_send(struct wire *wire, uint32_t *effort);

// ---- link_send.c ----

// Puts a frame into the wire, where there is room for it.
void link_put(struct wire *wire, uint8_t type, uint16_t channel, const void *payload, size_t length,
              uint32_t *effort);
// The first byte position of the channel that the host may not send yet.
uint32_t link_allowance(const struct link_channel *channel);
// Whether typed bytes for this VM are kept.
bool link_takes_input(const struct vm *vm);
// Bytes that may be sent on the channel.
uint32_t link_credit(const struct vcons_channel *channel);
// Tells the host what it may send, if that is due. True: a frame was put.
bool link_send_credit(struct wire *wire, const struct link_channel *channel, uint32_t *effort);
// Sends `n` bytes of the channel: `payload` has room for the position, then these.
void link_send_data(struct wire *wire, struct vcons_channel *channel, uint8_t *payload, uint32_t n,
                    uint32_t *effort);

// ---- link_file.c ----

// Puts one frame of the file, if there is something to send. As the senders in link_send.c.
bool link_file_send(struct wire *wire, uint32_t *effort);
// The host wants no more of it, or there is no host.
void link_file_drop(void);

static inline bool link_is_open(const struct vcons_channel *channel)
{
	return load_relaxed(&channel->open) != 0 &&
	       load_relaxed(&channel->open) == load_relaxed(&vcons_session);
}

#endif
