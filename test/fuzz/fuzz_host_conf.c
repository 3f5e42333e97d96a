// SPDX-License-Identifier: Apache-2.0
// The reader of .conf files (host/conf.c, schema.c, over libconfuse) on any bytes.
#include "host_file.h"

#include "../../host/conf.c"

static void host_one(const char *path)
{
	struct system system;
	struct diags diags = {0};
	bool read = conf_read(path, &system, &diags);
	FUZZ_CHECK(read || diags.count != 0);
	for (size_t i = 0; i < diags.count; i++)
		FUZZ_CHECK(diags.list[i].text[0] != 0 && diags.list[i].at.line >= 0);
}
