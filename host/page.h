// SPDX-License-Identifier: Apache-2.0
// The page that shows a VM's screen in a browser.
#ifndef HOST_PAGE_H
#define HOST_PAGE_H

extern const char page_script[], page_style[];

// The page itself, with the VM's name; fresh memory.
char *page_html(const char *name);

#endif
