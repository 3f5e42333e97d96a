// SPDX-License-Identifier: Apache-2.0
// The inside of an SD card: for vsd_card.c, which has its commands, and vsd_data.c, which moves and erases its blocks.
// Source: SD Physical Layer Simplified Specification, "Card Status".
#ifndef VDEV_VSD_STATE_H
#define VDEV_VSD_STATE_H

#include "base/bits.h"
#include "base/spinlock.h"
#include "vdev/vsd_card.h"
#include "vdev/vstore.h"
#include "vm/alarm.h"

#define NR_HOSTS  2
#define VSD_BLOCK VSTORE_BLOCK

// As the card status has them; the last one answers nothing and is never told.
enum state { IDLE, READY, IDENT, STBY, TRAN, DATA, RCV, PRG, DIS, INACTIVE };

// The card status. What is not named is never set.
#define OUT_OF_RANGE    BIT_U32(31)
#define BLOCK_LEN_ERROR BIT_U32(29)
#define ERASE_SEQ_ERROR BIT_U32(28)
#define ERASE_PARAM     BIT_U32(27)
#define WP_VIOLATION    BIT_U32(26)
#define ILLEGAL_COMMAND BIT_U32(22)
#define GENERAL_ERROR   BIT_U32(19)
#define WP_ERASE_SKIP   BIT_U32(15)
#define ERASE_RESET     BIT_U32(13)
#define CURRENT_STATE   GENMASK_U32(12, 9)
#define READY_FOR_DATA  BIT_U32(8)
#define APP_CMD         BIT_U32(5)

enum erase { ERASE_NONE, ERASE_FIRST, ERASE_BOTH }; // what of the sequence was given

struct vsd_card {
	// Fixed after start.
	struct vm *vm;
	struct vstore *store;
	const struct vsd_host_ops *host_ops[NR_HOSTS];
	void *host[NR_HOSTS];
	unsigned nr_hosts;
	int alarm;

	// Under the lock.
	struct spinlock lock;
	uint32_t state;  // enum state
	uint32_t status; // what the next R1 tells, but for the state
	uint32_t rca, argument;
	bool app;     // CMD55 was the last command
	bool if_cond; // CMD8 was answered
	bool wide, fast;
	uint32_t limit;   // blocks, by CMD23, for the next command; 0: none
	uint32_t written; // blocks that the last write wrote

	// A transfer: the buffer's `size` bytes of which `at` have moved, then blocks from `next` on.
	bool open;     // there is a block after this one
	bool single;   // it ends by itself even if it fails
	bool refused;  // the rest of a write is not taken
	uint32_t left; // further blocks; only if limited
	bool limited;
	uint32_t at, size;
	uint64_t next;
	_Alignas(uint64_t) uint8_t buffer[VSD_BLOCK];

	uint32_t erase; // enum erase
	uint64_t erase_first, erase_last;
	uint64_t erase_at; // PRG, DIS: how far it is
};

// How many blocks there are, with what makes the capacity a whole number of units. 0: there is no card.
static inline uint64_t vsd_data_blocks(const struct vsd_card *card)
{
	return vstore_size(card->store) / VSD_BLOCK;
}

// What follows is in vsd_data.c; the lock is held.

// The buffer's bytes go out, and nothing follows.
void vsd_data_send(struct vsd_card *card, uint32_t size);
// Blocks from the argument on come (DATA) or go (RCV): one, or `many`: as many as CMD23 said, or until CMD12. Its status
// says why not.
void vsd_data_begin(struct vsd_card *card, enum state state, bool many);

// The argument is the first block to be erased, or the last one; then go.
void vsd_data_erase_bound(struct vsd_card *card, bool first);
void vsd_data_erase(struct vsd_card *card);

extern const struct alarm_ops vsd_data_alarm;

#endif
