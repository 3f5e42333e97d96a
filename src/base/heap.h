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
void heap_put(struct heap *heap, struct heap_node *node, uint64_t key);
// Takes a node out of the heap it is in.
void heap_remove(struct heap *heap, struct heap_node *node);
// Takes `out` out and puts `in`, which is in no heap, in: as long as the keys allow it, in the same place, which
// touches its neighbours alone.
void heap_exchange(struct heap *heap, struct heap_node *out, struct heap_node *in, uint64_t key);
// The node with the least key, or NULL.
static inline struct heap_node *heap_first(const struct heap *heap)
{
	return heap->root;
}

#endif
