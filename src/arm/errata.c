// SPDX-License-Identifier: Apache-2.0
// The table of errata. Owns which kinds of core have been reported; called while CPUs start, one by one.
// A row says what EL2 does. Nothing is patched at run time: what avoids these errata costs nothing worth a choice, but
// for the second invalidation of TLBs, which only CPUs get that need it. docs/raspberry-pi.md has a line for each row of
// that board's cores.
// Source: Arm Cortex-A53, Cortex-A57 and Cortex-A72 MPCore Software Developers Errata Notices; which
// revisions, and what helps, as Linux (Documentation/arch/arm64/silicon-errata) and Trusted Firmware-A
// ("Arm CPU Specific Build Macros") have it.
#include "arm/errata.h"

#include "arm/regs.h"
#include "base/bits.h"
#include "base/log.h"
#include "base/print.h"

#define LAST_KNOWN 0xff // every revision
#define MAX_KINDS  4
#define LINE_SIZE  240

enum answer {
	BY_BUILD, // compiler and linker leave out or change the sequences
	BY_CODE,  // EL2 never does what it takes
	BY_TWICE, // TLBs are invalidated twice: the first may end before all accesses that used an old entry
	BY_EL3,   // a bit that only EL3 can set: Mezzo's own EL3 does
	BY_GUEST, // concerns a kernel and its processes
	OPEN,
	NR_ANSWERS,
};

static const char *const answer_text[NR_ANSWERS] = {
        [BY_BUILD] = "avoided by the compiler",  [BY_CODE] = "by Mezzo's code",
        [BY_TWICE] = "by a second invalidation", [BY_EL3] = "left to EL3",
        [BY_GUEST] = "left to guests' kernels",  [OPEN] = "not avoided",
};

// Revisions are variant and revision as r0p4 = 0x04, both ends included. Ascending within a core.
static const struct erratum {
	uint16_t part;
	uint8_t first, last;
	uint32_t number;
	enum answer answer;
} table[] = {
        {MIDR_CORTEX_A53, 0x00, 0x01, 819472, BY_CODE}, // caches are cleaned and invalidated, never
        {MIDR_CORTEX_A53, 0x00, 0x02, 824069, BY_CODE}, // only cleaned: these four
        {MIDR_CORTEX_A53, 0x00, 0x02, 826319, BY_CODE},
        {MIDR_CORTEX_A53, 0x00, 0x02, 827319, BY_CODE},
        {MIDR_CORTEX_A53, 0x00, 0x04, 835769, BY_BUILD}, // multiply and add behind a load
        {MIDR_CORTEX_A53, 0x00, 0x03, 836870, BY_EL3},   // loads with a hint can starve exclusives
        {MIDR_CORTEX_A53, 0x00, 0x04, 843419, BY_BUILD}, // ADRP at the end of a page
        {MIDR_CORTEX_A53, 0x00, 0x04, 845719, BY_GUEST}, // loads of 32-bit processes
        {MIDR_CORTEX_A53, 0x00, LAST_KNOWN, 855873, BY_CODE},  // as 819472
        {MIDR_CORTEX_A53, 0x00, LAST_KNOWN, 1530924, BY_CODE}, // EL2 has no AT instruction
        {MIDR_CORTEX_A55, 0x00, LAST_KNOWN, 1530923, BY_CODE}, // as 1530924
        {MIDR_CORTEX_A55, 0x00, LAST_KNOWN, 2441007, BY_TWICE},
        {MIDR_CORTEX_A57, 0x00, 0x12, 832075, OPEN}, // exclusives beside loads of devices
        {MIDR_CORTEX_A57, 0x00, 0x12, 834220, OPEN}, // stage 2 reported where stage 1 faults
        {MIDR_CORTEX_A57, 0x00, LAST_KNOWN, 1319537, BY_CODE},  // as 1530924
        {MIDR_CORTEX_A57, 0x00, LAST_KNOWN, 1742098, BY_GUEST}, // AES in 32-bit processes
        {MIDR_CORTEX_A72, 0x00, 0x03, 859971, BY_EL3},          // prefetched instructions
        {MIDR_CORTEX_A72, 0x00, LAST_KNOWN, 1319367, BY_CODE},  // as 1530924
        {MIDR_CORTEX_A72, 0x00, LAST_KNOWN, 1655431, BY_GUEST}, // as 1742098
        {MIDR_CORTEX_A76, 0x00, 0x20, 1165522, BY_CODE},        // as 1530924
        {MIDR_CORTEX_A76, 0x00, 0x30, 1286807, BY_TWICE},
        {MIDR_NEOVERSE_N1, 0x00, 0x20, 1165522, BY_CODE}, // as 1530924
        {MIDR_CORTEX_A510, 0x00, 0x11, 2441009, BY_TWICE},
};

static const struct {
	uint16_t part;
	const char *name;
} names[] = {
        {MIDR_CORTEX_A53, "Cortex-A53"},   {MIDR_CORTEX_A57, "Cortex-A57"},
        {MIDR_CORTEX_A55, "Cortex-A55"},   {MIDR_CORTEX_A72, "Cortex-A72"},
        {MIDR_CORTEX_A76, "Cortex-A76"},   {MIDR_NEOVERSE_N1, "Neoverse-N1"},
        {MIDR_CORTEX_A510, "Cortex-A510"},
};

bool errata_repeat_tlbi;

static uint64_t reported[MAX_KINDS];
static unsigned nr_reported;

static bool concerns(const struct erratum *erratum, uint64_t midr)
{
	uint64_t revision = field_get(MIDR_VARIANT, midr) << 4 | field_get(MIDR_REVISION, midr);
	return field_get(MIDR_IMPLEMENTER, midr) == MIDR_IMPLEMENTER_ARM &&
	       field_get(MIDR_PART, midr) == erratum->part && revision >= erratum->first &&
	       revision <= erratum->last;
}

// Appends the numbers of one kind and what that kind means. Returns the line's new length.
static size_t list(char *line, size_t at, uint64_t midr, enum answer answer)
{
	bool any = false;
	size_t start = at;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (table[i].answer == answer && concerns(&table[i], midr)) {
			at += print_buffer(line + at, LINE_SIZE - at, "%s%u",
			                   any ? " " : (start == 0 ? "" : ", "), table[i].number);
			any = true;
		}
	if (any)
		at += print_buffer(line + at, LINE_SIZE - at, " %s", answer_text[answer]);
	return at;
}

void errata_report(uint64_t midr)
{
	char line[LINE_SIZE];
	size_t at = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		errata_repeat_tlbi |= table[i].answer == BY_TWICE && concerns(&table[i], midr);
	for (unsigned i = 0; i < nr_reported; i++)
		if (reported[i] == midr)
			return;
	if (nr_reported == MAX_KINDS)
		return;
	reported[nr_reported++] = midr;
	for (unsigned answer = 0; answer < NR_ANSWERS; answer++)
		at = list(line, at, midr, answer);
	for (unsigned i = 0; i < ARRAY_SIZE(names) && at != 0; i++)
		if (names[i].part == field_get(MIDR_PART, midr))
			log_line("errata of %s r%up%u: %s", names[i].name,
			         (unsigned)field_get(MIDR_VARIANT, midr),
			         (unsigned)field_get(MIDR_REVISION, midr), line);
}
