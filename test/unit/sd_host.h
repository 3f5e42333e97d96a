// SPDX-License-Identifier: Apache-2.0
// What the tests of a card's two controllers share. Whoever includes it says by sd_host what is the controller's own.
#ifndef SD_HOST_H
#define SD_HOST_H

#include "sd_bench.h"

#include "vdev/vbcm2835_dma.h"

struct sd_host {
	uint32_t data; // address of its data port
	unsigned dreq; // its line to the DMA controller
	// A card of this kind, and the controller, ready for commands.
	void (*setup)(const void *image, uint64_t size, enum desc_image mode);
};
static const struct sd_host sd_host;

static const struct vbcm2835_dma_port *port;
static unsigned kicks;

void vbcm2835_dma_connect(struct vm *v, const struct vbcm2835_dma_port *p)
{
	assert_ptr_equal(v, vm);
	port = p;
}

void vbcm2835_dma_kick(struct vm *v, unsigned dreq)
{
	assert_ptr_equal(v, vm);
	assert_int_equal(dreq, sd_host.dreq);
	kicks++;
}

static void prepare(const void *image, uint64_t size, enum desc_image mode)
{
	kicks = 0;
	sd_host.setup(image, size, mode);
}

static int setup(void **state)
{
	(void)state;
	prepare(sd_image, SD_BYTES, DESC_IMAGE_COW);
	return 0;
}

static void again(const void *image, uint64_t size, enum desc_image mode)
{
	void *state = NULL;
	sd_teardown(&state);
	prepare(image, size, mode);
}

static unsigned state_of_card(void)
{
	return sd_command(13, sd_rca()) >> 9 & 15;
}

static void read_block(uint64_t block)
{
	for (unsigned i = 0; i < 512; i += 4) {
		uint32_t word = get(sd_host.data);
		for (unsigned n = 0; n < 4; n++)
			assert_int_equal(word >> (8 * n) & 0xff, sd_byte(block, i + n));
	}
}

static void write_block(uint32_t word)
{
	for (unsigned i = 0; i < 512; i += 4)
		set(sd_host.data, word);
}

static void test_every_command_in_every_state(void **state)
{
	(void)state;
	sd_check_all_commands();
}

#endif
