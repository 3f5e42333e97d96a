// SPDX-License-Identifier: Apache-2.0
// The decoder beside LLVM's disassembler: what LLVM writes about a word is read back into a struct decoded, which must
// be what decode() says. As a unit test a seeded million words of the class of loads and stores; with the argument
// `all` (make test-decode) all 2^30 of them, on every CPU of this machine.
//
// LLVM is loaded when it is there; it is asked by its C interface alone (llvm-c/Disassembler.h), which does not change.
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "trap/decode.h"

#define SEED     UINT64_C(0x4d657a7a6f)
#define SOME     1000000
#define ALL      (1u << 30)
#define CHUNK    (1u << 20)
#define SHOW_MAX 20 // differences that are printed

// ---- LLVM ----

typedef void *llvm_context;
static llvm_context (*create)(const char *triple, const char *cpu, const char *features, void *info,
                              int tag, void *get_op_info, void *look_up);
static size_t (*disassemble)(llvm_context context, uint8_t *bytes, uint64_t count, uint64_t pc,
                             char *text, size_t size);
static llvm_context llvm;

static void *symbol(void *library, const char *name)
{
	void *at = dlsym(library, name);
	if (at == NULL)
		fprintf(stderr, "libLLVM has no %s\n", name);
	return at;
}

static bool llvm_open(void)
{
	// Features as LLVM 19 names them; +all knows them all and +v8a is what there is without.
	static const char *const libraries[] = {"libLLVM.so.19.1", "libLLVM-19.so.1"};
	static const char *const begin[] = {"LLVMInitializeAArch64TargetInfo",
	                                    "LLVMInitializeAArch64TargetMC",
	                                    "LLVMInitializeAArch64Disassembler"};
	void *library = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(libraries) && library == NULL; i++)
		library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
	if (library == NULL)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(begin); i++) {
		void *at = symbol(library, begin[i]);
		void (*function)(void);
		memcpy(&function, &at, sizeof function);
		function();
	}
	void *at = symbol(library, "LLVMCreateDisasmCPUFeatures");
	memcpy(&create, &at, sizeof create);
	at = symbol(library, "LLVMDisasmInstruction");
	memcpy(&disassemble, &at, sizeof disassemble);
	llvm = create("aarch64", "", "+all", NULL, 0, NULL, NULL);
	return llvm != NULL;
}

// ---- names: what each says by itself ----

enum suffix_set { PLAIN, NARROW, SIGNED, ORDERS, ORDERS_NARROW };
enum syntax {
	REGISTERS, // rt, rt2
	STRUCTURES,
	HINT,
	STATUS, // rs, rt, rt2
	BOTH,   // rs, rt
	ONE,    // rs, with rt = XZR
	TWICE,  // rs, rs + 1, rt, rt + 1
};

struct name {
	const char *stem;
	enum suffix_set suffixes;
	struct decoded d;
	enum syntax syntax;
};

#define ACCESS(...)                                \
	{                                          \
		.kind = DECODE_ACCESS, __VA_ARGS__ \
	}

static const struct name names[] = {
        {"ldr", SIGNED, ACCESS(.load = true), REGISTERS},
        {"str", NARROW, ACCESS(.load = false), REGISTERS},
        {"ldur", SIGNED, ACCESS(.load = true), REGISTERS},
        {"stur", NARROW, ACCESS(.load = false), REGISTERS},
        {"ldtr", SIGNED, ACCESS(.load = true, .unprivileged = true), REGISTERS},
        {"sttr", NARROW, ACCESS(.unprivileged = true), REGISTERS},
        {"ldapr", NARROW, ACCESS(.load = true, .ordered = true), REGISTERS},
        {"ldapur", SIGNED, ACCESS(.load = true, .ordered = true), REGISTERS},
        {"stlur", NARROW, ACCESS(.ordered = true), REGISTERS},
        {"ldar", NARROW, ACCESS(.load = true, .ordered = true), REGISTERS},
        {"ldlar", NARROW, ACCESS(.load = true, .ordered = true), REGISTERS},
        {"stlr", NARROW, ACCESS(.ordered = true), REGISTERS},
        {"stllr", NARROW, ACCESS(.ordered = true), REGISTERS},
        {"ldraa", PLAIN, ACCESS(.load = true, .authenticated = true), REGISTERS},
        {"ldrab", PLAIN, ACCESS(.load = true, .authenticated = true), REGISTERS},
        {"ldp", PLAIN, ACCESS(.load = true), REGISTERS},
        {"stp", PLAIN, ACCESS(.load = false), REGISTERS},
        {"ldnp", PLAIN, ACCESS(.load = true), REGISTERS},
        {"stnp", PLAIN, ACCESS(.load = false), REGISTERS},
        {"ldpsw", PLAIN, ACCESS(.load = true, .sign = true), REGISTERS},
        {"ldiapp", PLAIN, ACCESS(.load = true, .ordered = true), REGISTERS},
        {"stilp", PLAIN, ACCESS(.ordered = true), REGISTERS},
        {"ld1", PLAIN, ACCESS(.load = true), STRUCTURES},
        {"st1", PLAIN, ACCESS(.load = false), STRUCTURES},
        {"ld2", PLAIN, ACCESS(.load = true, .interleaved = true), STRUCTURES},
        {"st2", PLAIN, ACCESS(.interleaved = true), STRUCTURES},
        {"ld3", PLAIN, ACCESS(.load = true, .interleaved = true), STRUCTURES},
        {"st3", PLAIN, ACCESS(.interleaved = true), STRUCTURES},
        {"ld4", PLAIN, ACCESS(.load = true, .interleaved = true), STRUCTURES},
        {"st4", PLAIN, ACCESS(.interleaved = true), STRUCTURES},
        {"ld1r", PLAIN, ACCESS(.load = true, .replicate = true), STRUCTURES},
        {"ld2r", PLAIN, ACCESS(.load = true, .replicate = true, .interleaved = true), STRUCTURES},
        {"ld3r", PLAIN, ACCESS(.load = true, .replicate = true, .interleaved = true), STRUCTURES},
        {"ld4r", PLAIN, ACCESS(.load = true, .replicate = true, .interleaved = true), STRUCTURES},
        {"ldap1", PLAIN, ACCESS(.load = true, .ordered = true), STRUCTURES},
        {"stl1", PLAIN, ACCESS(.ordered = true), STRUCTURES},
        {"prfm", PLAIN, {.kind = DECODE_PREFETCH}, HINT},
        {"prfum", PLAIN, {.kind = DECODE_PREFETCH}, HINT},
        {"rprfm", PLAIN, {.kind = DECODE_PREFETCH}, HINT},
        {"ldxr", NARROW, {.kind = DECODE_EXCLUSIVE, .load = true}, REGISTERS},
        {"ldaxr", NARROW, {.kind = DECODE_EXCLUSIVE, .load = true, .ordered = true}, REGISTERS},
        {"ldxp", PLAIN, {.kind = DECODE_EXCLUSIVE, .load = true}, REGISTERS},
        {"ldaxp", PLAIN, {.kind = DECODE_EXCLUSIVE, .load = true, .ordered = true}, REGISTERS},
        {"stxr", NARROW, {.kind = DECODE_EXCLUSIVE}, STATUS},
        {"stlxr", NARROW, {.kind = DECODE_EXCLUSIVE, .ordered = true}, STATUS},
        {"stxp", PLAIN, {.kind = DECODE_EXCLUSIVE}, STATUS},
        {"stlxp", PLAIN, {.kind = DECODE_EXCLUSIVE, .ordered = true}, STATUS},
        {"cas", ORDERS_NARROW, {.kind = DECODE_CAS}, BOTH},
        {"casp", ORDERS, {.kind = DECODE_CAS}, TWICE},
        {"rcwcas", ORDERS, {.kind = DECODE_CAS}, BOTH},
        {"rcwscas", ORDERS, {.kind = DECODE_CAS}, BOTH},
        {"rcwcasp", ORDERS, {.kind = DECODE_CAS}, TWICE},
        {"rcwscasp", ORDERS, {.kind = DECODE_CAS}, TWICE},
        {"swp", ORDERS_NARROW, {.kind = DECODE_ATOMIC}, BOTH},
        {"rcwclr", ORDERS, {.kind = DECODE_ATOMIC}, BOTH},
        {"rcwsclr", ORDERS, {.kind = DECODE_ATOMIC}, BOTH},
        {"rcwset", ORDERS, {.kind = DECODE_ATOMIC}, BOTH},
        {"rcwsset", ORDERS, {.kind = DECODE_ATOMIC}, BOTH},
        {"rcwswp", ORDERS, {.kind = DECODE_ATOMIC}, BOTH},
        {"rcwsswp", ORDERS, {.kind = DECODE_ATOMIC}, BOTH},
#define LSE(name)                                                      \
	{"ld" name, ORDERS_NARROW, {.kind = DECODE_ATOMIC}, BOTH},     \
	{                                                              \
		"st" name, ORDERS_NARROW, {.kind = DECODE_ATOMIC}, ONE \
	}
        LSE("add"),
        LSE("clr"),
        LSE("eor"),
        LSE("set"),
        LSE("smax"),
        LSE("smin"),
        LSE("umax"),
        LSE("umin"),
        {"ldclrp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"ldsetp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"swpp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"rcwclrp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"rcwsclrp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"rcwsetp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"rcwssetp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"rcwswpp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"rcwsswpp", ORDERS, {.kind = DECODE_ATOMIC128}, REGISTERS},
        {"ld64b", PLAIN, {.kind = DECODE_BLOCK64, .load = true}, REGISTERS},
        {"st64b", PLAIN, {.kind = DECODE_BLOCK64}, REGISTERS},
        {"st64bv", PLAIN, {.kind = DECODE_BLOCK64}, BOTH},
        {"st64bv0", PLAIN, {.kind = DECODE_BLOCK64}, BOTH},
        {"stg", PLAIN, {.kind = DECODE_TAGS, .size = 4}, REGISTERS},
        {"st2g", PLAIN, {.kind = DECODE_TAGS, .size = 4}, REGISTERS},
        {"stzg", PLAIN, {.kind = DECODE_TAGS, .size = 4}, REGISTERS},
        {"stz2g", PLAIN, {.kind = DECODE_TAGS, .size = 4}, REGISTERS},
        {"stzgm", PLAIN, {.kind = DECODE_TAGS, .size = 4}, REGISTERS},
        {"stgm", PLAIN, {.kind = DECODE_TAGS, .size = 4}, REGISTERS},
        {"ldg", PLAIN, {.kind = DECODE_TAGS, .size = 4, .load = true}, REGISTERS},
        {"ldgm", PLAIN, {.kind = DECODE_TAGS, .size = 4, .load = true}, REGISTERS},
        {"stgp", PLAIN, {.kind = DECODE_TAGS, .size = 4}, REGISTERS},
        {"gcsstr", PLAIN, {.kind = DECODE_GCS}, REGISTERS},
        {"gcssttr", PLAIN, {.kind = DECODE_GCS}, REGISTERS},
};

// Every name with every suffix, in alphabetical order.
static struct full_name {
	char text[16];
	const struct name *name;
	struct decoded d;
} all_names[1024];
static size_t nr_names;

static void add_name(const struct name *name, const char *order, const char *width)
{
	struct full_name *full = &all_names[nr_names++];
	snprintf(full->text, sizeof full->text, "%s%s%s", name->stem, order, width);
	full->name = name;
	full->d = name->d;
	full->d.ordered |= order[0] != 0;
	if (width[0] == 's')
		full->d.sign = true, width++;
	// One more than the size; 0: the registers tell.
	if (width[0] != 0)
		full->d.size = width[0] == 'b' ? 1 : width[0] == 'h' ? 2 : 3;
	else if (full->d.size != 0)
		full->d.size++;
	if (strcmp(name->stem, "ldpsw") == 0)
		full->d.size = 3;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, ((const struct full_name *)b)->text);
}

static void fill_names(void)
{
	static const char *const orders[] = {"", "a", "l", "al"};
	static const char *const widths[] = {"", "b", "h", "sb", "sh", "sw"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		enum suffix_set set = names[i].suffixes;
		unsigned nr_orders = set == ORDERS || set == ORDERS_NARROW ? 4 : 1;
		unsigned nr_widths = set == SIGNED                           ? 6
		                     : set == NARROW || set == ORDERS_NARROW ? 3
		                                                             : 1;
		for (unsigned o = 0; o < nr_orders; o++)
			for (unsigned w = 0; w < nr_widths; w++)
				add_name(&names[i], orders[o], widths[w]);
	}
	qsort(all_names, nr_names, sizeof all_names[0], by_text);
}

static const struct full_name *find_name(const char *text)
{
	static const struct full_name *last;
	if (last == NULL || strcmp(last->text, text) != 0)
		last = bsearch(text, all_names, nr_names, sizeof all_names[0], by_text);
	return last;
}

// Names that are a kind of their own: CPYFP, SETGETN, ...
static bool is_copy(const char *text)
{
	return strncmp(text, "cpy", 3) == 0 ||
	       (strncmp(text, "set", 3) == 0 && strpbrk(text + 3, "pme") != NULL);
}

// ---- operands ----

struct reader {
	const char *at;
	bool bad;
};

static void skip_blanks(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t')
		r->at++;
}

static bool accept(struct reader *r, const char *text)
{
	skip_blanks(r);
	size_t length = strlen(text);
	if (strncmp(r->at, text, length) != 0)
		return false;
	r->at += length;
	return true;
}

static void expect(struct reader *r, const char *text)
{
	r->bad |= !accept(r, text);
}

static long number(struct reader *r)
{
	char *end;
	skip_blanks(r);
	long value = strtol(r->at, &end, 0);
	r->bad |= end == r->at;
	r->at = end;
	return value;
}

// The number; the letter says what kind. SP is 31 of kind x.
static uint8_t reg(struct reader *r, char *kind)
{
	skip_blanks(r);
	if (accept(r, "sp") || accept(r, "xzr")) {
		*kind = 'x';
		return 31;
	}
	if (accept(r, "wzr")) {
		*kind = 'w';
		return 31;
	}
	*kind = *r->at;
	r->bad |= *kind == 0 || strchr("wxbhsdqv", *kind) == NULL;
	r->at++;
	return (uint8_t)number(r);
}

static uint8_t log2_of(char kind)
{
	static const char kinds[] = "bhsdq";
	const char *at = strchr(kinds, kind);
	return kind == 'w' ? 2 : kind == 'x' ? 3 : at != NULL ? (uint8_t)(at - kinds) : 0xee;
}

static void extension(struct reader *r, struct decoded *d, char kind)
{
	static const struct {
		const char *text;
		uint8_t option;
	} extensions[] = {{"uxtw", 2}, {"lsl", 3}, {"sxtw", 6}, {"sxtx", 7}};
	d->extend = kind == 'x' ? 3 : 0;
	if (!accept(r, ","))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++)
		if (accept(r, extensions[i].text))
			d->extend = extensions[i].option;
	if (accept(r, "#"))
		d->shift = (uint8_t)number(r);
}

// [xn], [xn, #i], [xn, #i]!, [xn], #i, [xn], xm, [xn, xm, lsl #s], #literal
static void address(struct reader *r, struct decoded *d)
{
	char kind;
	if (accept(r, "#")) {
		d->literal = true;
		d->offset = number(r);
		return;
	}
	expect(r, "[");
	d->rn = reg(r, &kind);
	if (accept(r, ",")) {
		if (accept(r, "#")) {
			d->offset = number(r);
		} else {
			d->rm = reg(r, &kind);
			extension(r, d, kind);
		}
	}
	expect(r, "]");
	if (accept(r, "!")) {
		d->index = DECODE_PRE;
	} else if (accept(r, ",")) {
		d->index = DECODE_POST;
		if (accept(r, "#"))
			d->offset = number(r);
		else
			d->rm = reg(r, &kind);
	}
}

static void register_list(struct reader *r, struct decoded *d)
{
	char kind, next;
	uint8_t of = 0;
	expect(r, "{");
	do {
		uint8_t n = reg(r, &kind);
		if (of == 0)
			d->rt = n;
		else
			r->bad |= n != (d->rt + of) % 32;
		of++;
		expect(r, ".");
		d->lanes = *r->at >= '0' && *r->at <= '9' ? (uint8_t)number(r) : 0;
		next = *r->at++;
	} while (accept(r, ","));
	expect(r, "}");
	d->registers = of;
	d->size = log2_of(next);
	d->lane = DECODE_ALL;
	d->fp = true;
	if (accept(r, "[")) {
		d->lane = (uint8_t)number(r);
		expect(r, "]");
	}
	expect(r, ",");
	address(r, d);
}

static void registers(struct reader *r, struct decoded *d, enum syntax syntax)
{
	char first = 0, kind = 0;
	uint8_t list[4] = {0}, count = 0;
	skip_blanks(r);
	while (*r->at != '[' && *r->at != '#' && count < 4) {
		list[count++] = reg(r, &kind);
		if (first == 0 || syntax == STATUS)
			first = kind;
		if (!accept(r, ","))
			break;
		skip_blanks(r);
	}
	unsigned at = 0;
	if (syntax == STATUS || syntax == BOTH || syntax == ONE)
		d->rs = list[at++];
	if (syntax == TWICE) {
		d->rs = list[0];
		d->rt = list[2];
		r->bad |= count != 4 || list[1] != (list[0] + 1) % 32 ||
		          list[3] != (list[2] + 1) % 32;
		d->registers = 2;
	} else {
		d->rt = syntax == ONE ? 31 : list[at++];
		d->registers = 1;
	}
	if (syntax != TWICE && at < count) {
		d->rt2 = list[at++];
		d->registers = 2;
	}
	r->bad |= syntax != TWICE && syntax != ONE && at != count;
	d->fp = first != 'w' && first != 'x';
	d->size = d->size != 0 ? (uint8_t)(d->size - 1) : log2_of(first);
	if (d->kind == DECODE_ACCESS || d->kind == DECODE_EXCLUSIVE)
		d->wide = d->load && first == 'x';
	address(r, d);
}

// What LLVM's text says. False: it is not understood.
static bool read_text(const char *text, struct decoded *d)
{
	char word[24] = "";
	struct reader r = {text, false};
	skip_blanks(&r);
	size_t length = strcspn(r.at, " \t");
	if (length >= sizeof word)
		return false;
	memcpy(word, r.at, length);
	r.at += length;
	const struct full_name *name = find_name(word);
	if (name == NULL) {
		*d = (struct decoded){.kind = DECODE_COPY};
		return is_copy(word);
	}
	*d = name->d;
	d->rt = d->rt2 = d->rs = d->rn = d->rm = DECODE_NO_REG;
	switch (name->name->syntax) {
	case HINT: return true;
	case STRUCTURES: register_list(&r, d); break;
	default: registers(&r, d, name->name->syntax); break;
	}
	if (d->kind == DECODE_BLOCK64)
		d->registers = 8;
	skip_blanks(&r);
	return !r.bad && (*r.at == 0 || strncmp(r.at, "//", 2) == 0); // a remark may follow
}

// ---- both ----

// LLVM prints `{ v0.b }[3]` without the number of lanes, which the register's width gives only to us.
static void forget(struct decoded *d, const struct decoded *other)
{
	if (d->kind == DECODE_COPY || d->kind == DECODE_PREFETCH)
		*d = (struct decoded){.kind = d->kind};
	if (d->lane != DECODE_ALL && other->lanes == 0)
		d->lanes = 0;
}

// Fields of the class of LDXR that should be ones: those that name no register.
static bool should_be_ones(uint32_t word, const struct decoded *d)
{
	const uint32_t rs = 0x1f << 16, rt2 = 0x1f << 10;
	if ((word & 0x3f000000) != 0x08000000)
		return false;
	return (d->rs == DECODE_NO_REG && (~word & rs) != 0) ||
	       (d->rt2 == DECODE_NO_REG && (~word & rt2) != 0);
}

// The words that are unpredictable by the registers they name, or by other fields, which LLVM rejects and decode()
// describes.
static bool is_unpredictable(uint32_t word, const struct decoded *d)
{
	if (should_be_ones(word, d))
		return true;
	bool moves = d->index != DECODE_OFFSET && d->rn != 31 && !(d->fp && d->lanes != 0);
	switch (d->kind) {
	case DECODE_ACCESS:
		if (d->unprivileged) // predictable: LLVM takes LDTR for a load that moves its base
			return d->rt == d->rn;
		return (moves && !d->fp &&
		        (d->rt == d->rn || (d->registers == 2 && d->rt2 == d->rn))) ||
		       (d->load && d->registers == 2 && d->lanes == 0 && d->rt == d->rt2);
	case DECODE_TAGS: return moves && d->registers == 2 && (d->rt == d->rn || d->rt2 == d->rn);
	case DECODE_EXCLUSIVE:
		return d->load ? d->registers == 2 && d->rt == d->rt2
		               : d->rs == d->rt || (d->registers == 2 && d->rs == d->rt2) ||
		                         (d->rs == d->rn && d->rn != 31);
	case DECODE_ATOMIC128: return d->rt == 31 || d->rt2 == 31 || d->rt == d->rt2;
	case DECODE_COPY: return true;
	default: return false;
	}
}

static bool same(uint32_t word, char text[96])
{
	struct decoded ours = decode(word), theirs;
	uint8_t bytes[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16),
	                    (uint8_t)(word >> 24)};
	text[0] = 0;
	if (disassemble(llvm, bytes, 4, 0, text, 96) == 0)
		return ours.kind == DECODE_OTHER || is_unpredictable(word, &ours);
	if (!read_text(text, &theirs))
		return false;
	forget(&ours, &theirs);
	forget(&theirs, &ours);
	return memcmp(&ours, &theirs, sizeof ours) == 0;
}

static void show(uint32_t word, const char *text)
{
	struct decoded d = decode(word);
	printf("%08x: LLVM:%s | kind %u load %d fp %d sign %d wide %d ordered %d size %u registers "
	       "%u lanes %u lane %u "
	       "rt %u rt2 %u rs %u rn %u rm %u extend %u shift %u index %u offset %lld\n",
	       word, text[0] != 0 ? text : " nothing", d.kind, d.load, d.fp, d.sign, d.wide,
	       d.ordered, d.size, d.registers, d.lanes, d.lane, d.rt, d.rt2, d.rs, d.rn, d.rm,
	       d.extend, d.shift, d.index, (long long)d.offset);
}

// Number n of the class of loads and stores: bit 27 is 1 and bit 25 is 0.
static uint32_t word_of(uint32_t n)
{
	return (n & 0x01ffffff) | ((n >> 25) & 1) << 26 | 1u << 27 | ((n >> 26) & 0xf) << 28;
}

static unsigned compare(uint32_t word, unsigned different)
{
	char text[96];
	if (same(word, text))
		return different;
	if (different < SHOW_MAX)
		show(word, text);
	return different + 1;
}

// ---- a million of them ----

static uint64_t random_state = SEED;

static uint64_t next_random(void) // xorshift64*
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

static void test_some_words(void **state)
{
	unsigned different = 0;
	(void)state;
	if (llvm == NULL)
		skip();
	for (unsigned i = 0; i < SOME; i++)
		different = compare(word_of((uint32_t)(next_random() >> 34)), different);
	assert_int_equal(different, 0);
}

// DC ZVA is the only one elsewhere.
static void test_other_classes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SOME; i++) {
		uint32_t word = (uint32_t)(next_random() >> 32);
		if ((word & 0x0a000000) != 0x08000000 && (word & ~31u) != 0xd50b7420)
			assert_int_equal(decode(word).kind, DECODE_OTHER);
	}
	for (uint32_t rt = 0; rt < 32; rt++)
		assert_int_equal(decode(0xd50b7420 | rt).kind, DECODE_ZERO);
}

// ---- all of them ----

static int compare_part(unsigned part, unsigned parts)
{
	unsigned different = 0;
	for (uint32_t from = part * CHUNK; from < ALL; from += parts * CHUNK)
		for (uint32_t n = from; n < from + CHUNK; n++)
			different = compare(word_of(n), different);
	printf("part %u of %u: %u differences\n", part + 1, parts, different);
	fflush(stdout);
	return different != 0;
}

static int compare_all(void)
{
	unsigned parts = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), failed = 0;
	if (llvm == NULL) {
		printf("libllvm19 is not installed\n");
		return 1;
	}
	for (unsigned part = 0; part < parts; part++)
		if (fork() == 0)
			_exit(compare_part(part, parts));
	for (unsigned part = 0; part < parts; part++) {
		int status;
		failed += wait(&status) < 0 || status != 0;
	}
	printf("%u words compared, %u parts of %u differ\n", ALL, failed, parts);
	return failed != 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_some_words),
	        cmocka_unit_test(test_other_classes),
	};
	fill_names();
	(void)llvm_open();
	if (argc == 2 && strcmp(argv[1], "all") == 0)
		return compare_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
