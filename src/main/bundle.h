// SPDX-License-Identifier: Apache-2.0
// What the boot loader gave with Mezzo: the archive with the description and the files of all VMs (docs/bundle.md).
#ifndef MAIN_BUNDLE_H
#define MAIN_BUNDLE_H

#include "base/cpio.h"
#include "fdt/board.h"
#include "fdt/desc.h"

// Opens the bundle and reads the description into *desc, whose strings stay in the tree that it came from: a /mezzo node
// in the board's own tree `fdt`, or the bundle's file. False, with a line in the log: there is none that is good, and *desc is
// not to be used. Once, at boot.
bool bundle_describe(const struct board *board, const void *fdt, struct desc *desc);
// The bytes of a file that the VM named `vm` is described with, as long and with the sums that the description says; with
// `sha256` that one too. False, with a line in the log. Any CPU, after bundle_describe.
bool bundle_take(const char *vm, const struct desc_file *file, bool sha256, const void **bytes,
                 uint64_t *size);
// The archive, which is empty if there is none.
const struct cpio *bundle_archive(void);

#endif
