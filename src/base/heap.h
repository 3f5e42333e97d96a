// SPDX-License-Identifier: Apache-2.0
// A heap of nodes that live in their owners: the one with the least key is at hand. Leftist heap:
// no memory of its own, every operation O(log n), any node can be taken out. Keys are compared
// modulo 2^64, so that time may go round. Locked by whoever owns the heap.
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include "base/types.h"

struct heap_node {
	struct heap_node *parent, *left, *right;
	uint64_t key;  // not changed while the node is in a heap
	uint32_t rank; // length of the shortest way down to a missing child
};

// All zero: empty.
struct heap {
	struct heap_node *root;
	uint32_t count;
};

// Puts a node that is in no heap. Equal keys: first in, first out is not promised.
static inline void heap_put(struct heap *heap, struct heap_node *node, uint64_t key);
// Takes a node out of the heap it is in.
static inline void heap_remove(struct heap *heap, struct heap_node *node);
// Takes `out` out and puts `in`, which is in no heap, in: as long as the keys allow it, in the same place, which
// touches its neighbours alone.
static inline void heap_exchange(struct heap *heap, struct heap_node *out, struct heap_node *in,
                                 uint64_t key);
// The node with the least key, or NULL.
static inline struct heap_node *heap_first(const struct heap *heap)
{
	return heap->root;
}

// ---- most heaps have one node, or none; the others ----

void heap_put_among(struct heap *heap, struct heap_node *node);
void heap_remove_among(struct heap *heap, struct heap_node *node);
void heap_exchange_among(struct heap *heap, struct heap_node *out, struct heap_node *in);

static inline void heap_put(struct heap *heap, struct heap_node *node, uint64_t key)
{
	*node = (struct heap_node){.key = key, .rank = 1};
	if (heap->count++ == 0)
		heap->root = node;
	else
		heap_put_among(heap, node);
}

static inline void heap_remove(struct heap *heap, struct heap_node *node)
{
	if (--heap->count == 0)
		heap->root = NULL;
	else
		heap_remove_among(heap, node);
}

static inline void heap_exchange(struct heap *heap, struct heap_node *out, struct heap_node *in,
                                 uint64_t key)
{
	*in = (struct heap_node){.key = key, .rank = 1};
	if (heap->count == 1)
		heap->root = in;
	else
		heap_exchange_among(heap, out, in);
}

#endif
