// SPDX-License-Identifier: Apache-2.0
// The leftist heap against a list that is searched from end to end.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap.h"

#define NODES      200
#define OPERATIONS 100000

static struct heap_node nodes[NODES];
static bool inside[NODES];
static struct heap heap;

static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static uint32_t rank_of(const struct heap_node *node)
{
	return node != NULL ? node->rank : 0;
}

// Counts the nodes below, and checks what the heap promises about each.
static uint32_t check(const struct heap_node *node, const struct heap_node *parent)
{
	if (node == NULL)
		return 0;
	assert_ptr_equal(node->parent, parent);
	if (parent != NULL)
		assert_false(before(node->key, parent->key));
	assert_true(rank_of(node->left) >= rank_of(node->right));
	assert_int_equal(node->rank, rank_of(node->right) + 1);
	return 1 + check(node->left, node) + check(node->right, node);
}

static void check_all(void)
{
	const struct heap_node *least = NULL;
	uint32_t count = 0;
	for (unsigned i = 0; i < NODES; i++) {
		if (!inside[i])
			continue;
		count++;
		if (least == NULL || before(nodes[i].key, least->key))
			least = &nodes[i];
	}
	assert_int_equal(heap.count, count);
	assert_int_equal(heap.root != NULL, count != 0);
	if (count != 0)
		assert_int_equal(heap_first(&heap)->key, least->key);
}

static uint64_t any_key(uint64_t base)
{
	switch (random() % 3) {
	case 0: return base + (uint64_t)random() % 8; // many equals
	case 1: return base - (uint64_t)random();
	default: return base + ((uint64_t)random() << 20);
	}
}

static void run(uint64_t base, unsigned often)
{
	heap = (struct heap){0};
	for (unsigned i = 0; i < NODES; i++)
		inside[i] = false;
	for (unsigned n = 0; n < OPERATIONS; n++) {
		unsigned i = (unsigned)random() % NODES;
		if (random() % 4 == 0 && heap.root != NULL)
			i = (unsigned)(heap_first(&heap) - nodes);
		unsigned j = (unsigned)random() % NODES;
		if (inside[i] && !inside[j] && random() % 2 == 0) {
			heap_exchange(&heap, &nodes[i], &nodes[j],
			              random() % 2 == 0 ? nodes[i].key : any_key(base));
			inside[j] = true;
		} else if (inside[i])
			heap_remove(&heap, &nodes[i]);
		else
			heap_put(&heap, &nodes[i], any_key(base));
		inside[i] = !inside[i];
		check_all();
		if (n % often == 0)
			assert_int_equal(check(heap.root, NULL), heap.count);
	}
}

static void test_against_a_list(void **state)
{
	(void)state;
	srandom(3);
	run(1000000, 7);
}

static void test_keys_that_go_round(void **state)
{
	(void)state;
	srandom(4);
	run(0, 11);
	run((uint64_t)1 << 63, 11);
}

// The right spine, which every operation walks, is no longer than log2 of the count.
static void test_depth(void **state)
{
	(void)state;
	static struct heap_node many[100000];
	heap = (struct heap){0};
	for (unsigned order = 0; order < 3; order++) {
		for (uint32_t i = 0; i < 100000; i++) {
			uint64_t key = order == 0   ? i
			               : order == 1 ? 100000 - i
			                            : (uint64_t)random();
			heap_put(&heap, &many[i], key);
		}
		unsigned spine = 0;
		for (const struct heap_node *node = heap.root; node != NULL; node = node->right)
			spine++;
		assert_true(spine <= 17);
		uint64_t last = 0;
		for (uint32_t i = 0; i < 100000; i++) {
			struct heap_node *first = heap_first(&heap);
			assert_true(first->key >= last);
			last = first->key;
			heap_remove(&heap, first);
		}
		assert_null(heap.root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_against_a_list),
	        cmocka_unit_test(test_keys_that_go_round),
	        cmocka_unit_test(test_depth),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
