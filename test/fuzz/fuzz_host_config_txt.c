// SPDX-License-Identifier: Apache-2.0
// The reader of a Raspberry Pi's config.txt (host/config_txt.c) on any bytes, for either board.
#include "host_file.h"

#include "../../host/config_txt.c"

static void host_one(const char *path)
{
	for (char model = '3'; model <= '4'; model++) {
		struct config_txt config;
		struct diags diags = {0};
		struct place from = {"a.conf", 1};
		if (config_txt_read(path, from, model, &config, &diags))
			FUZZ_CHECK(config.kernel.value != NULL);
		else
			FUZZ_CHECK(diags.count != 0);
	}
}
