// SPDX-License-Identifier: Apache-2.0
// The reader of bundles (base/cpio.c) on any bytes.
#include "fuzz.h"

#include <string.h>

#include "base/cpio.h"

void fuzz_setup(void)
{
}

static bool inside(const struct cpio *cpio, const void *at, size_t size)
{
	const uint8_t *first = at;
	return first >= cpio->bytes && size <= cpio->size - (size_t)(first - cpio->bytes);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct cpio cpio;
	struct cpio_member member, found;
	int result;
	size_t steps = 0;

	if (size > FUZZ_GUARDED_MAX)
		return;
	cpio_open(&cpio, fuzz_guarded(data, size, 1), size);
	struct cpio whole = cpio;
	while ((result = cpio_next(&cpio, &member)) > 0) {
		FUZZ_CHECK(++steps <= size / 110 + 1); // each has a header
		size_t name = strlen(member.name);
		FUZZ_CHECK(name != 0 && name <= CPIO_NAME_MAX &&
		           inside(&cpio, member.name, name + 1));
		FUZZ_CHECK(member.size == 0 || inside(&cpio, member.data, member.size));
		if (steps <= 8) {
			FUZZ_CHECK(cpio_find(&whole, member.name, &found) == CPIO_OK);
			FUZZ_CHECK(strcmp(found.name, member.name) == 0 &&
			           found.name <= member.name);
		}
	}
	FUZZ_CHECK(cpio_next(&cpio, &member) == result);
	FUZZ_CHECK(cpio.at <= size && cpio_error_text(result)[0] != 0);
	if (result == CPIO_OK)
		FUZZ_CHECK(cpio.length <= size);
	int none = cpio_find(&whole, "no file has this name", &found);
	FUZZ_CHECK(none == (result == CPIO_OK ? CPIO_NOT_FOUND : result));
}
