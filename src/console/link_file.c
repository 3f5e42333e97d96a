// SPDX-License-Identifier: Apache-2.0
// A file on its way to the host: its channel, from the offer to END. Owns link_state.file; what is under
// LOCK_CONSOLE is called by console.c and the link's other files, the rest by the command that makes the file.
//
// The maker puts bytes into the ring and looks whether the file is gone before each; the link takes them out as the
// host gives credit. A file that is not gone has the channel own[LINK_FILE], and nothing else has.
// Source: docs/wire.md.
#include "base/string.h"
#include "console/link.h"
#include "console/link_state.h"

STATIC_ASSERT(FRAME_DIRECTORY_SIZE + FRAME_ENTRY_SIZE + LINK_FILE_NAME <= LINK_FRAME_BYTES,
              "its entry fits");

uint16_t link_file_begin(const char *name, uint32_t id, const char **why)
{
	struct link_file *file = &link_state.file;

	if (!link_state.framed)
		*why = "this needs the framed wire: attach with `mezzo console`";
	else if ((link_state.features & FRAME_FEATURE_FILES) == 0)
		*why = "the program on the other end of the wire takes no files: attach with a "
		       "newer "
		       "`mezzo console`";
	else if (file->number != 0)
		*why = "another file is on its way: wait for its end";
	else
		*why = NULL;
	if (*why != NULL)
		return 0;
	file->ring = (struct ring){.bytes = file->bytes, .size = LINK_FILE_BYTES};
	file->told = file->ended = false;
	file->why = NULL;
	file->id = id;
	string_copy(file->name, name, sizeof file->name);
	store_release(&file->opened, 0);
	uint16_t number = link_directory_add_file();
	store_release(&file->number, number);
	return number;
}

// END, or just gone.
void link_file_end(uint16_t number, const char *why)
{
	struct link_file *file = &link_state.file;

	if (file->number != number || file->ended)
		return;
	if (why != NULL && !link_is_open(&link_state.own[LINK_FILE])) { // nobody to tell
		link_directory_gone(number);
		link_file_drop();
		return;
	}
	file->ended = true;
	file->why = why;
	if (why != NULL)
		store_release(&file->ring.tail, file->ring.head);
}

struct ring *link_file_ring(void)
{
	return &link_state.file.ring;
}

bool link_file_gone(uint16_t number)
{
	return load_acquire(&link_state.file.number) != number;
}

bool link_file_opened(void)
{
	return load_acquire(&link_state.file.opened) != 0;
}

void link_file_drop(void)
{
	link_state.own[LINK_FILE].session = 0;
	link_state.file.before = (uint16_t)link_state.file.number;
	store_release(&link_state.file.number, 0);
}

// ---- sending ----

static void send_end(struct wire *wire, struct vcons_channel *channel, uint32_t *effort)
{
	const char *why = link_state.file.why;
	uint8_t *payload = link_state.payload;
	size_t n = why != NULL ? strlen(why) : 0;

	if (n > LINK_FRAME_BYTES)
		n = LINK_FRAME_BYTES;
	frame_put32(payload, channel->sent);
	payload[4] = why != NULL ? FRAME_END_BROKEN : 0;
	if (n > 0)
		memcpy(payload + FRAME_END_SIZE, why, n);
	link_put(wire, FRAME_END, channel->number, payload, FRAME_END_SIZE + n, effort);
	link_directory_gone(channel->number);
	link_file_drop();
}

bool link_file_send(struct wire *wire, uint32_t *effort)
{
	struct link_file *file = &link_state.file;
	struct vcons_channel *channel = &link_state.own[LINK_FILE];
	const struct link_channel self = {FRAME_KIND_FILE, channel, NULL};
	uint32_t n = link_credit(channel), wait;

	if (file->number == 0 || !link_is_open(channel))
		return false;
	if (link_send_credit(wire, &self, effort))
		return true;
	wait = ring_fill(&file->ring);
	if (file->ended && wait == 0) {
		send_end(wire, channel, effort);
		return true;
	}
	if (n > LINK_FRAME_BYTES)
		n = LINK_FRAME_BYTES;
	if (n == 0 || (wait < n && !file->ended))
		return false; // it is worth waiting for a whole frame
	n = ring_get_some(&file->ring, link_state.payload + FRAME_DATA_SIZE, n);
	link_send_data(wire, channel, link_state.payload, n, effort);
	return true;
}
