// SPDX-License-Identifier: Apache-2.0
// Two VMs that are played by a thread each, at once: the bench keeps one VM at hand, for one thread. Comes before the bench of
// a kind of device.
#ifndef TWO_THREADS_H
#define TWO_THREADS_H

#include <pthread.h>
#include <sched.h>

#define VB_THREADS _Thread_local
#include "virtio_bench.h"

#define AHEAD 50

static unsigned rounds = 3000; // of each thread; the program's argument
static uint32_t
        reached[VB_VMS]; // atomically: rounds that a thread has done; neither runs far ahead

static uint32_t any(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((*seed >> 33) % below);
}

// Thread n begins this round, or is over with `rounds`: waits for the other one if it is ahead.
static void keep_step(unsigned n, unsigned round)
{
	store_release(&reached[n], round);
	while (round != rounds && load_acquire(&reached[1 - n]) + AHEAD < round)
		sched_yield();
}

static bool unnoted(const struct fake_event *event)
{
	(void)event;
	return false;
}

// Runs `play` with 0 and with 1, until both are over. What it does is not recorded.
static void play_both(void *(*play)(void *n))
{
	pthread_t thread[VB_VMS];

	fake_event_hook = unnoted;
	for (uintptr_t n = 0; n < VB_VMS; n++)
		assert_int_equal(pthread_create(&thread[n], NULL, play, (void *)n), 0);
	for (unsigned n = 0; n < VB_VMS; n++)
		pthread_join(thread[n], NULL);
	fake_event_hook = NULL;
}

// [from, from + bytes) of the guest's memory is written by nobody else.
static void look_at_memory(uint64_t from, uint64_t bytes)
{
	for (uint64_t at = from; at < from + bytes; at += 256)
		*(uint8_t *)vb_at(at, 1) = 0xa5;
	for (uint64_t at = from; at < from + bytes; at += 256)
		if (*(uint8_t *)vb_at(at, 1) != 0xa5)
			abort();
}

#endif
