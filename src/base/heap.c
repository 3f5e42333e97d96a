// SPDX-License-Identifier: Apache-2.0
// A leftist heap. Owns nothing; called by vm/sched.c under its queue's lock.
// Invariant: no node's key is less than its parent's; rank(left) >= rank(right), so the right
// spine, along which two heaps are joined, is as short as log2 of the count.
#include "base/heap.h"

static uint32_t rank_of(const struct heap_node *node)
{
	return node != NULL ? node->rank : 0;
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
	return (int64_t)(a->key - b->key) < 0;
}

// Restores the order of children and the rank of `node` and of what is above it, as far as they
// change.
static void repair(struct heap_node *node)
{
	for (; node != NULL; node = node->parent) {
		if (rank_of(node->left) < rank_of(node->right)) {
			struct heap_node *left = node->left;
			node->left = node->right;
			node->right = left;
		}
		uint32_t rank = rank_of(node->right) + 1;
		if (rank == node->rank)
			return;
		node->rank = rank;
	}
}

// Joins two heaps under `parent`, in the place that *link is. What hangs there is complete but for
// ranks above.
static void join(struct heap_node *parent, struct heap_node **link, struct heap_node *a,
                 struct heap_node *b)
{
	struct heap_node *last = parent;
	while (a != NULL && b != NULL) {
		if (before(b, a)) {
			struct heap_node *other = a;
			a = b;
			b = other;
		}
		*link = a;
		a->parent = last;
		last = a;
		link = &a->right;
		a = a->right;
	}
	*link = a != NULL ? a : b;
	if (*link != NULL)
		(*link)->parent = last;
	// Ranks along the spine, from below; up to `parent` none of them may be skipped.
	for (; last != parent; last = last->parent) {
		if (rank_of(last->left) < rank_of(last->right)) {
			struct heap_node *left = last->left;
			last->left = last->right;
			last->right = left;
		}
		last->rank = rank_of(last->right) + 1;
	}
	repair(parent);
}

void heap_put_among(struct heap *heap, struct heap_node *node)
{
	join(NULL, &heap->root, heap->root, node);
}

void heap_remove_among(struct heap *heap, struct heap_node *node)
{
	struct heap_node *parent = node->parent;
	struct heap_node **link = parent == NULL         ? &heap->root
	                          : parent->left == node ? &parent->left
	                                                 : &parent->right;
	join(parent, link, node->left, node->right);
	node->parent = node->left = node->right = NULL;
}

void heap_exchange_among(struct heap *heap, struct heap_node *out, struct heap_node *in)
{
	const struct heap_node *parent = out->parent, *left = out->left, *right = out->right;
	if ((parent != NULL && before(in, parent)) || (left != NULL && before(left, in)) ||
	    (right != NULL && before(right, in))) {
		heap_remove_among(heap, out);
		heap_put_among(heap, in);
		return;
	}
	uint64_t key = in->key;
	*in = *out;
	in->key = key;
	if (in->parent == NULL)
		heap->root = in;
	else if (in->parent->left == out)
		in->parent->left = in;
	else
		in->parent->right = in;
	if (in->left != NULL)
		in->left->parent = in;
	if (in->right != NULL)
		in->right->parent = in;
	out->parent = out->left = out->right = NULL;
}
