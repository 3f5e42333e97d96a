// SPDX-License-Identifier: Apache-2.0
// Headers of kernels (vm/image*.c: arm64 Image, ELF, raw) with any request: a plan keeps everything in the file and in
// the guest's memory, and nothing overlaps; or there is a sentence.
#include "fuzz.h"

#include <string.h>

#include "base/bits.h"
#include "vm/image.h"

#define MOST (UINT64_C(1) << 47) // bytes of a file or of RAM

static struct image_plan plan;
static struct image_problem problem;

void fuzz_setup(void)
{
}

static bool apart(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a + a_size <= b || b + b_size <= a;
}

static void check_plan(const struct image_request *r)
{
	uint64_t kernel = plan.end - plan.start;
	FUZZ_CHECK(plan.nr_segments >= 1 && plan.nr_segments <= IMAGE_MAX_SEGMENTS);
	FUZZ_CHECK(range_contains(r->ram_base, r->ram_size, plan.start, kernel));
	for (uint32_t i = 0; i < plan.nr_segments; i++) {
		const struct image_segment *s = &plan.segments[i];
		FUZZ_CHECK(range_contains(0, r->kernel_size, s->offset, s->file_size));
		FUZZ_CHECK(s->file_size <= s->mem_size);
		FUZZ_CHECK(range_contains(plan.start, kernel, s->ipa, s->mem_size));
		FUZZ_CHECK(i == 0 || s[-1].ipa + s[-1].mem_size <= s->ipa);
	}
	FUZZ_CHECK(range_contains(plan.start, kernel, plan.entry, 4));
	FUZZ_CHECK(apart(plan.start, kernel, r->ram_base, r->boot_size));
	if (r->initrd_size != 0) {
		FUZZ_CHECK(range_contains(r->ram_base, r->ram_size, plan.initrd, r->initrd_size));
		FUZZ_CHECK(apart(plan.start, kernel, plan.initrd, r->initrd_size));
	}
	if (r->tree_size != 0) {
		FUZZ_CHECK(range_contains(r->ram_base, r->ram_size, plan.tree, r->tree_size));
		FUZZ_CHECK(apart(plan.start, kernel, plan.tree, r->tree_size));
		FUZZ_CHECK(is_aligned(plan.tree, 8));
		FUZZ_CHECK(r->initrd_size == 0 ||
		           apart(plan.initrd, r->initrd_size, plan.tree, r->tree_size));
		FUZZ_CHECK(apart(r->ram_base, r->boot_size, plan.tree, r->tree_size));
		FUZZ_CHECK(!plan.tree_at_base || plan.start - r->ram_base >= r->tree_size);
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	uint8_t what = fuzz_u8(&in);
	struct image_request request = {
	        .ram_base = what & 1 ? 0 : 0x40000000,
	        .ram_size =
	                what & 2 ? MIB(64) : align_down(fuzz_number(&in) & (MOST - 1), PAGE_SIZE),
	        .initrd_size = what & 4 ? fuzz_number(&in) & (MOST - 1) : 0,
	        .tree_size = what & 8 ? KIB(24) : 0,
	        .boot_size = what & 1 ? PAGE_SIZE : 0,
	        .has_load = (what & 16) != 0,
	        .has_entry = (what & 32) != 0,
	};
	if (request.has_load)
		request.load = fuzz_number(&in) + (what & 64 ? request.ram_base : 0);
	if (request.has_entry)
		request.entry = fuzz_number(&in) + (what & 64 ? request.ram_base : 0);
	if (in.left > FUZZ_GUARDED_MAX)
		return;
	request.kernel = fuzz_guarded(in.at, in.left, 8);
	request.kernel_size = in.left;
	memset(&problem, 0, sizeof problem);
	if (image_plan(&request, &plan, &problem) == 0)
		check_plan(&request);
	else
		FUZZ_CHECK(problem.text[0] != 0 &&
		           strnlen(problem.text, sizeof problem.text) < sizeof problem.text);
}
