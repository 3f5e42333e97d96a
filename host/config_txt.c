// SPDX-License-Identifier: Apache-2.0
//
// Reads config.txt as the firmware of a Raspberry Pi does: a line counts if the filters above it let it, the last
// one of a key wins, what is not known is passed over. Unlike the firmware it speaks when a line that it knows
// cannot be followed, or when one is passed over that was surely meant.
//
// Called by guest_config.c for a guest's card and by cmd_image.c for a board's. Owns nothing.
// Invariants: no file outside the card's folder is named; the work is bounded by FILE_SIZE_MAX and INCLUDES_MAX.
// Source: Raspberry Pi documentation, "config.txt", "File Format", "Conditional Filters", "Boot options".
#include "config_txt.h"

#include "base/bits.h"
#include "schema.h"
#include "util.h"

#include <string.h>
#include <unistd.h>

#define FILE_SIZE_MAX KIB(256)
#define LINE_MAX_USED 98             // characters of a line that the firmware looks at
#define MARK_UTF8     "\xef\xbb\xbf" // what some editors put first
#define INCLUDES_MAX  8              // files in all
#define ADDRESS_MAX   UINT32_MAX

enum key {
	KEY_ARM_64BIT,
	KEY_ARMSTUB,
	KEY_AUTO_INITRAMFS,
	KEY_CMDLINE,
	KEY_DEVICE_TREE,
	KEY_INITRAMFS,
	KEY_KERNEL,
	KEY_KERNEL_ADDRESS,
	KEY_KERNEL_OLD,
	KEY_OS_PREFIX,
	KEY_RAMFSADDR,
	KEY_RAMFSFILE,
	KEY_UPSTREAM_KERNEL,
	NR_KEYS
};

static const char *const names[NR_KEYS] = {
        [KEY_ARM_64BIT] = "arm_64bit",
        [KEY_ARMSTUB] = "armstub",
        [KEY_AUTO_INITRAMFS] = "auto_initramfs",
        [KEY_CMDLINE] = "cmdline",
        [KEY_DEVICE_TREE] = "device_tree",
        [KEY_INITRAMFS] = "initramfs", // has no `=`
        [KEY_KERNEL] = "kernel",
        [KEY_KERNEL_ADDRESS] = "kernel_address",
        [KEY_KERNEL_OLD] = "kernel_old",
        [KEY_OS_PREFIX] = "os_prefix",
        [KEY_RAMFSADDR] = "ramfsaddr",
        [KEY_RAMFSFILE] = "ramfsfile",
        [KEY_UPSTREAM_KERNEL] = "upstream_kernel",
};

// Filters by model; all of them stand for one question, so that each replaces the one before.
static const char *const models[] = {
        "pi0", "pi0w",  "pi02", "pi1", "pi2", "pi3",  "pi3+", "pi4",  "pi400",
        "pi5", "pi500", "cm0",  "cm1", "cm3", "cm3+", "cm4",  "cm4s", "cm5",
};

struct reader {
	struct config_txt *out;
	struct diags *diags;
	char model;
	bool model_ok; // the last filter by model is for this board
	bool other_ok; // no other filter is known to be against it, since [all]
	struct config_line lines[NR_KEYS];
	unsigned int files;
};

// --- lines ---------------------------------------------------------------------------------------

static void take_filter(struct reader *r, const char *line)
{
	char *word = util_format("%s", line + 1);

	word[strcspn(word, "]")] = '\0';
	if (strcmp(word, "all") == 0) {
		r->model_ok = r->other_ok = true;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		if (strcmp(word, models[i]) != 0)
			continue;
		r->model_ok = word[0] == 'p' && word[2] == r->model && word[3] == '\0';
		return;
	}
	// [none], and what asks for a serial number, a display, a pin's level.
	r->other_ok = false;
}

// The key that `word`, so many characters of a line, is; NR_KEYS: none of ours.
static enum key find_key(const char *word, size_t length)
{
	enum key key = 0;

	while (key < NR_KEYS &&
	       (strlen(names[key]) != length || memcmp(names[key], word, length) != 0))
		key++;
	return key;
}

// A line that the firmware passes over because of how it is written, though its key is known.
static void notice(struct reader *r, const char *line, struct place at)
{
	const char *word = line + strspn(line, " \t");
	size_t length = strcspn(word, "= \t");
	const char *rest = word + length + strspn(word + length, " \t");
	enum key key = find_key(word, length);

	if (key == KEY_INITRAMFS && (*rest == '=' || word != line || line[length] == '\t'))
		diag_add(r->diags, at,
		         "the firmware passes over this line; write `initramfs FILE followkernel`, "
		         "with one blank before FILE");
	if (key == NR_KEYS || key == KEY_INITRAMFS || *rest != '=')
		return;
	if (word != line || rest != word + length)
		diag_add(r->diags, at,
		         "the firmware passes over this line because of its blanks; write "
		         "`%s=VALUE` without any",
		         names[key]);
}

static void read_file(struct reader *r, const char *path, struct place from);

static void take_line(struct reader *r, char *line, struct place at)
{
	size_t length = strcspn(line, "=");
	enum key key;

	if (*line == '\0' || *line == '#')
		return;
	if (*line == '[') {
		take_filter(r, line);
		return;
	}
	if (!r->model_ok || !r->other_ok)
		return;
	if (strcmp(line, "include") == 0)
		diag_add(r->diags, at, "this line names no file");
	if (strncmp(line, "include ", strlen("include ")) == 0) {
		read_file(r, line + strlen("include "), at);
		return;
	}
	if (strncmp(line, "initramfs ", strlen("initramfs ")) == 0) {
		r->lines[KEY_INITRAMFS] = (struct config_line){line + strlen("initramfs "), at};
		r->lines[KEY_RAMFSFILE].value = r->lines[KEY_RAMFSADDR].value = NULL;
		return;
	}
	notice(r, line, at);
	key = line[length] == '=' ? find_key(line, length) : NR_KEYS;
	if (key == NR_KEYS || key == KEY_INITRAMFS)
		return;
	r->lines[key] = (struct config_line){line + length + 1, at};
	if (key == KEY_RAMFSFILE)
		r->lines[KEY_INITRAMFS].value = NULL;
}

// Splits the text, which ends in NUL, into lines as the firmware sees them.
static void take_text(struct reader *r, char *text, const char *path)
{
	struct place at = {path, 1};

	for (char *line = text, *next; line != NULL; line = next, at.line++) {
		size_t length = strcspn(line, "\n");

		next = line[length] == '\n' ? line + length + 1 : NULL;
		if (length > LINE_MAX_USED)
			length = LINE_MAX_USED;
		while (length > 0 && strchr("\r\t ", line[length - 1]) != NULL)
			length--;
		line[length] = '\0';
		take_line(r, line, at);
	}
}

// --- files ---------------------------------------------------------------------------------------

// The path of a file of the card; NULL after a mistake.
static const char *card_path(struct reader *r, const char *prefix, const char *name,
                             struct place at)
{
	const char *whole = util_format("%s%s", prefix, name), *part = whole;

	while (*whole == '/')
		part = ++whole; // the card is all that there is
	if (*name == '\0') {
		diag_add(r->diags, at, "this line names no file");
		return NULL;
	}
	for (; *part != '\0'; part += strcspn(part, "/"), part += strspn(part, "/")) {
		if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
			diag_add(r->diags, at,
			         "`%s` leads out of the card's folder; name a file in it", name);
			return NULL;
		}
	}
	return util_format("%s%s", r->out->dir, whole);
}

static void read_file(struct reader *r, const char *path, struct place from)
{
	bool included = r->files++ > 0;
	struct blob file;
	const char *why;
	char *text;

	if (included) {
		path = card_path(r, "", path, from);
		if (path == NULL)
			return;
		if (r->files > INCLUDES_MAX) {
			if (r->files == INCLUDES_MAX + 1)
				diag_add(r->diags, from,
				         "too many files are included; keep at most %d",
				         INCLUDES_MAX - 1);
			return;
		}
	}
	why = util_map(path, &file);
	if (why == NULL && file.size > FILE_SIZE_MAX)
		why = "it is too large for one";
	if (why == NULL && file.size != 0 && memchr(file.data, '\0', file.size) != NULL)
		why = "it is no text file";
	if (why != NULL) {
		diag_add(r->diags, from, "cannot read `%s` as a config.txt: %s; check the path",
		         path, why);
		return;
	}
	if (file.size >= strlen(MARK_UTF8) && memcmp(file.data, MARK_UTF8, strlen(MARK_UTF8)) == 0)
		diag_add(
		        r->diags, (struct place){path, 1},
		        "this line begins with a byte order mark, with which no firmware knows it; "
		        "save the file without one");
	text = util_alloc(file.size + 1);
	if (file.size != 0)
		memcpy(text, file.data, file.size);
	take_text(r, text, path);
}

// --- from lines to what they mean ----------------------------------------------------------------

static bool is_set(const struct reader *r, enum key key)
{
	uint64_t value;

	return r->lines[key].value != NULL && schema_parse_number(r->lines[key].value, &value) &&
	       value != 0;
}

static bool get_address(struct reader *r, struct config_line line, const char *text, uint64_t *out)
{
	if (schema_parse_number(text, out) && *out <= ADDRESS_MAX)
		return true;
	diag_add(r->diags, line.at,
	         "`%s` is no address; give a number of at most 32 bits, like 0x80000", text);
	return false;
}

// The file that a key names, or by itself `standard` if that is there or `always`.
static void set_file(struct reader *r, enum key key, const char *standard, bool always,
                     struct config_line *out)
{
	const char *prefix = r->lines[KEY_OS_PREFIX].value;
	struct config_line line = r->lines[key];

	if (prefix == NULL)
		prefix = "";
	if (line.value != NULL) {
		*out = (struct config_line){card_path(r, prefix, line.value, line.at), line.at};
		return;
	}
	if (standard == NULL)
		return;
	line = (struct config_line){card_path(r, prefix, standard, r->out->file), r->out->file};
	if (line.value != NULL && (always || access(line.value, F_OK) == 0))
		*out = line;
}

// `initramfs FILE followkernel`, or an address as its second word; or ramfsfile= and ramfsaddr=.
static void set_initramfs(struct reader *r)
{
	struct config_line line = r->lines[KEY_INITRAMFS], address = r->lines[KEY_RAMFSADDR];
	struct config_txt *out = r->out;
	char *file, *where;

	if (line.value == NULL && r->lines[KEY_RAMFSFILE].value == NULL) {
		if (is_set(r, KEY_AUTO_INITRAMFS))
			set_file(r, KEY_RAMFSFILE, "initramfs8", false, &out->initramfs);
		return;
	}
	if (line.value == NULL) {
		line = r->lines[KEY_RAMFSFILE];
	} else {
		file = util_format("%s", line.value + strspn(line.value, " \t"));
		where = file + strcspn(file, " \t");
		if (*where != '\0')
			*where++ = '\0';
		where += strspn(where, " \t");
		line.value = file;
		if (*where == '\0') {
			diag_add(r->diags, line.at,
			         "this line does not say where; write `initramfs FILE "
			         "followkernel`");
			return;
		}
		address = (struct config_line){where, line.at};
		if (strcmp(where, "followkernel") == 0 || strcmp(where, "0") == 0)
			address.value = NULL;
	}
	if (strpbrk(line.value, ",;") != NULL) {
		diag_add(r->diags, line.at,
		         "several initramfs files at once are not supported; join them into one");
		return;
	}
	r->lines[KEY_RAMFSFILE] = line;
	set_file(r, KEY_RAMFSFILE, NULL, false, &out->initramfs);
	if (address.value != NULL && strcmp(address.value, "-1") != 0 &&
	    get_address(r, address, address.value, &out->ramfs))
		out->initramfs_address = address;
}

static void set_cmdline(struct reader *r)
{
	struct config_line file = {.value = NULL};
	struct blob text;
	const char *why;
	size_t length = 0;

	set_file(r, KEY_CMDLINE, "cmdline.txt", false, &file);
	if (file.value == NULL)
		return;
	why = util_map(file.value, &text);
	if (why == NULL && text.size > FILE_SIZE_MAX)
		why = "it is too large for one";
	if (why != NULL) {
		diag_add(r->diags, file.at, "cmdline `%s` cannot be read: %s; check the path",
		         file.value, why);
		return;
	}
	while (length < text.size && strchr("\r\n", text.data[length]) == NULL)
		length++; // strchr finds a NUL too
	if (length < text.size && text.data[length] == '\0') {
		diag_add(r->diags, file.at, "cmdline `%s` is no text file", file.value);
		return;
	}
	r->out->cmdline = (struct config_line){
	        util_format("%.*s", (int)length, (const char *)text.data), {file.value, 1}};
}

static void set_tree(struct reader *r)
{
	const struct config_line line = r->lines[KEY_DEVICE_TREE];
	const char *standard = "bcm2711-rpi-4-b.dtb";

	if (line.value != NULL && *line.value == '\0')
		return; // no tree is wanted
	if (r->model == '3')
		standard = is_set(r, KEY_UPSTREAM_KERNEL) ? "bcm2837-rpi-3-b.dtb"
		                                          : "bcm2710-rpi-3-b.dtb";
	set_file(r, KEY_DEVICE_TREE, standard, false, &r->out->tree);
}

static void set_all(struct reader *r)
{
	const struct config_line address = r->lines[KEY_KERNEL_ADDRESS];
	const struct config_line bits = r->lines[KEY_ARM_64BIT];
	struct config_line *prefix = &r->lines[KEY_OS_PREFIX];
	struct config_txt *out = r->out;

	if (prefix->value != NULL &&
	    (*prefix->value == '\0' || card_path(r, "", prefix->value, prefix->at) == NULL))
		prefix->value = NULL;
	if (bits.value != NULL && strcmp(bits.value, "0") == 0)
		diag_add(r->diags, bits.at,
		         "arm_64bit=0 asks for a 32-bit kernel, which Mezzo does not start");
	if (is_set(r, KEY_KERNEL_OLD))
		diag_add(r->diags, r->lines[KEY_KERNEL_OLD].at,
		         "kernel_old=1 puts the kernel at address 0, where Mezzo cannot; use "
		         "kernel_address=0x80000");
	set_file(r, KEY_KERNEL, "kernel8.img", true, &out->kernel);
	if (address.value != NULL && get_address(r, address, address.value, &out->load))
		out->kernel_address = address;
	set_initramfs(r);
	set_tree(r);
	set_cmdline(r);
	// Not among what os_prefix= is put before.
	prefix->value = NULL;
	set_file(r, KEY_ARMSTUB, NULL, false, &out->armstub);
}

bool config_txt_read(const char *path, struct place from, char model, struct config_txt *config,
                     struct diags *diags)
{
	struct reader r = {
	        .out = config, .diags = diags, .model = model, .model_ok = true, .other_ok = true};
	size_t before = diags->count;

	*config = (struct config_txt){.dir = util_dir(path), .file = {path, 0}};
	read_file(&r, path, from);
	if (diags->count == before)
		set_all(&r);
	return diags->count == before;
}
