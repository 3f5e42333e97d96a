// SPDX-License-Identifier: Apache-2.0
// The channels of the framed link: their numbers, and the directory that tells the host about them. Owns both in
// link_state; called by the link's other files under LOCK_CONSOLE.
//
// A VM's channel is in struct vm and belongs to one greeting; nothing is cleared when the next one comes. A number
// is looked up in a slot and believed only if the channel found there says that it is its own.
// Invariant: two channels of a greeting never share a slot.
#include "base/string.h"
#include "console/link.h"
#include "console/link_state.h"

#define ENTRIES_MAX LINK_FRAME_BYTES // bytes of a message

STATIC_ASSERT(LINK_SLOTS > VM_MAX + LINK_NR_OWN, "each channel has a slot");
STATIC_ASSERT(VM_MAX + LINK_NR_OWN < UINT16_MAX, "slots are 16 bits wide");
STATIC_ASSERT(ENTRIES_MAX > FRAME_DIRECTORY_SIZE + FRAME_ENTRY_SIZE + VM_NAME_SIZE,
              "an entry fits");

static uint32_t changed; // atomic: look at all VMs again

static const struct {
	enum frame_kind kind;
	const char *name;
} own[LINK_NR_OWN] = {
        [LINK_SHELL] = {FRAME_KIND_SHELL, "shell"},
        [LINK_LOG] = {FRAME_KIND_LOG, "log"},
        [LINK_FILE] = {FRAME_KIND_FILE, NULL}, // it comes and goes
};

// ---- numbers ----

// Whose the slot of this number is, if anybody's.
static bool slot_owner(uint16_t number, struct link_channel *channel)
{
	uint32_t owner = link_state.slots[number % LINK_SLOTS];

	if (owner > VM_MAX) {
		uint32_t i = owner - VM_MAX - 1;
		*channel = (struct link_channel){own[i].kind, &link_state.own[i], NULL};
	} else {
		struct vm *vm = owner != 0 ? vm_by_id(owner) : NULL;
		if (vm == NULL)
			return false;
		*channel = (struct link_channel){FRAME_KIND_CONSOLE, &vm->con.channel, vm};
	}
	return channel->state->session == vcons_session &&
	       channel->state->number % LINK_SLOTS == number % LINK_SLOTS;
}

bool link_find(uint16_t number, struct link_channel *channel)
{
	return number != 0 && slot_owner(number, channel) && channel->state->number == number;
}

// Gives the channel a number, closed. Numbers whose slot is taken are left out; there are more slots than
// channels.
static void give_number(struct vcons_channel *channel, uint32_t owner)
{
	struct link_channel other;

	*channel = (struct vcons_channel){.session = vcons_session};
	do
		link_state.last_number++;
	while (link_state.last_number == 0 || slot_owner(link_state.last_number, &other));
	channel->number = link_state.last_number;
	link_state.slots[channel->number % LINK_SLOTS] = (uint16_t)owner;
}

static void tell_all(void)
{
	struct link_state *l = &link_state;

	l->whole = true;
	l->whole_begun = l->scanning = l->file.told = false;
	l->cursor = l->own_told = l->nr_gone = 0;
}

uint16_t link_directory_add_file(void)
{
	give_number(&link_state.own[LINK_FILE], VM_MAX + 1 + LINK_FILE);
	return link_state.own[LINK_FILE].number;
}

void link_directory_begin(void)
{
	struct link_state *l = &link_state;

	for (uint32_t i = 0; i < LINK_NR_OWN; i++)
		if (own[i].name != NULL)
			give_number(&l->own[i], VM_MAX + 1 + i);
	tell_all();
}

// ---- telling ----

static uint32_t put_entry(uint8_t *to, uint16_t number, enum frame_kind kind,
                          enum frame_state state, uint32_t id, const char *name)
{
	size_t length = strlen(name);

	frame_put16(to, number);
	to[2] = (uint8_t)kind;
	to[3] = (uint8_t)state;
	frame_put32(to + 4, id);
	to[8] = (uint8_t)length;
	memcpy(to + FRAME_ENTRY_SIZE, name, length);
	return FRAME_ENTRY_SIZE + (uint32_t)length;
}

// The VM's entry, if there is something to tell. Returns its size.
static uint32_t put_vm(uint8_t *to, struct vm *vm)
{
	struct vcons_channel *channel = &vm->con.channel;
	bool runs = load_acquire(&vm->state) == VM_RUNNING;
	uint8_t state = runs ? FRAME_STATE_THERE : FRAME_STATE_STOPPED;

	if (channel->session != vcons_session)
		give_number(channel, vm->id);
	else if (channel->told == state && !link_state.whole)
		return 0;
	channel->told = state;
	vcons_mark(&vm->con); // what it may be sent may be another number now
	return put_entry(to, channel->number, FRAME_KIND_CONSOLE, state, vm->id, vm->name);
}

// Adds entries of VMs from the cursor on. True: that was all of them.
static bool put_vms(uint8_t *payload, uint32_t *n, uint32_t *effort)
{
	struct vm *vm;

	while ((vm = vm_after(link_state.cursor)) != NULL) {
		if (*effort < LINK_LOOK_EFFORT) {
			*effort = 0;
			return false;
		}
		if (*n + FRAME_ENTRY_SIZE + VM_NAME_SIZE > ENTRIES_MAX)
			return false;
		*effort -= LINK_LOOK_EFFORT;
		*n += put_vm(payload + *n, vm);
		link_state.cursor = vm->id;
	}
	return true;
}

static bool file_is_new(const struct link_file *file)
{
	return file->number != 0 && !file->told;
}

static void put_gone(uint8_t *payload, uint32_t *n)
{
	struct link_state *l = &link_state;

	while (l->nr_gone > 0 && *n + FRAME_ENTRY_SIZE <= ENTRIES_MAX)
		*n += put_entry(payload + *n, l->gone[--l->nr_gone], FRAME_KIND_CONSOLE,
		                FRAME_STATE_GONE, 0, "");
}

// Mezzo's own channels: all of them if everything is told, else a file that is new.
static void put_own(uint8_t *payload, uint32_t *n)
{
	struct link_state *l = &link_state;
	struct link_file *file = &l->file;

	for (; l->whole && l->own_told < LINK_NR_OWN; l->own_told++)
		if (own[l->own_told].name != NULL)
			*n += put_entry(payload + *n, l->own[l->own_told].number,
			                own[l->own_told].kind, FRAME_STATE_THERE, 0,
			                own[l->own_told].name);
	if (file_is_new(file) && *n + FRAME_ENTRY_SIZE + LINK_FILE_NAME <= ENTRIES_MAX) {
		*n += put_entry(payload + *n, (uint16_t)file->number, FRAME_KIND_FILE,
		                FRAME_STATE_THERE, file->id, file->name);
		file->told = true;
	}
}

bool link_directory_send(struct wire *wire, uint32_t *effort)
{
	struct link_state *l = &link_state;
	uint8_t *payload = l->payload;
	uint32_t n = FRAME_DIRECTORY_SIZE;

	if (!l->whole && !l->scanning && exchange(&changed, 0) != 0) {
		l->scanning = true;
		l->cursor = 0;
	}
	if (!l->whole && !l->scanning && l->nr_gone == 0 && !file_is_new(&l->file))
		return false;
	put_gone(payload, &n);
	put_own(payload, &n);
	bool done = (!l->whole && !l->scanning) || put_vms(payload, &n, effort);
	payload[0] = 0;
	if (l->whole)
		payload[0] = (uint8_t)((l->whole_begun ? 0 : FRAME_DIRECTORY_RESET) |
		                       (done ? 0 : FRAME_DIRECTORY_MORE));
	if (n > FRAME_DIRECTORY_SIZE || (l->whole && done)) {
		link_put(wire, FRAME_DIRECTORY, 0, payload, n, effort);
		l->whole_begun = l->whole;
	}
	if (done)
		l->whole = l->whole_begun = l->scanning = false;
	return true;
}

void link_vms_changed(void)
{
	store_release(&changed, 1);
}

void link_directory_gone(uint16_t number)
{
	struct link_state *l = &link_state;

	if (l->nr_gone < LINK_GONE_MAX)
		l->gone[l->nr_gone++] = number;
	else
		tell_all();
}

void link_forget(struct vm *vm)
{
	const struct vcons_channel *channel = &vm->con.channel;

	if (link_state.framed && channel->session == vcons_session && channel->number != 0)
		link_directory_gone(channel->number);
}
