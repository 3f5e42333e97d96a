// SPDX-License-Identifier: Apache-2.0
//
// The .conf file, by way of libconfuse: it splits the text into sections, keys and values, this
// file keeps what it finds with line numbers, and schema.c says what the values mean.
//
// Called by the verbs that take FILE.conf. Three things libconfuse does not do are done here:
//  - It counts lines with comments wrongly (3.3), and ends the process if it cannot read: so it
//    gets the text in memory, with comments blanked out.
//  - It stops at the first unknown key: so the key is added to those it takes and it starts again,
//    and schema.c reports them all.
//  - It takes the end of the file for the end of a section: so braces are counted here.
// Invariant: each assignment in the file reaches schema_set once.
#include "conf.h"

#include "guest_config.h"
#include "schema.h"
#include "util.h"

#include <confuse.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX MIB(1)
#define UNKNOWN_MAX   64 // unknown keys in one file, before reading is given up

// `key = value`, or a list of them. A section is known by its kind and its title; NULL is the top level.
struct assignment {
	enum schema_scope scope;
	char *section, *key;
	struct place at;
	char **text;
	size_t count;
};

// The callbacks of libconfuse carry no pointer of ours, hence this one.
static struct reader {
	const char *path;
	struct assignment *list;
	size_t count;
	char *unknown[SCHEMA_SCOPES][UNKNOWN_MAX + 1]; // what the file has beyond the keys
	size_t unknown_count[SCHEMA_SCOPES];
	char *error; // libconfuse's last words, and their line
	int error_line;
	enum schema_scope error_scope;
} reader;

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static enum schema_scope scope_of(const cfg_t *cfg)
{
	if (cfg->title == NULL)
		return SCHEMA_TOP;
	return strcmp(cfg->name, "net") == 0 ? SCHEMA_NET : SCHEMA_VM;
}

// libconfuse: a value was read. The first of an assignment has nvalues == 1.
static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const char *section = cfg->title;
	struct assignment *a = NULL;

	for (size_t i = reader.count; opt->nvalues > 1 && i > 0 && a == NULL; i--)
		if (reader.list[i - 1].scope == scope_of(cfg) &&
		    same(reader.list[i - 1].section, section) &&
		    same(reader.list[i - 1].key, opt->name))
			a = &reader.list[i - 1];
	if (a == NULL) {
		reader.list = util_grow(reader.list, reader.count + 1, sizeof(*reader.list));
		a = &reader.list[reader.count++];
		*a = (struct assignment){.scope = scope_of(cfg),
		                         .section = section != NULL ? util_format("%s", section)
		                                                    : NULL,
		                         .key = util_format("%s", opt->name),
		                         .at = {reader.path, cfg->line}};
	}
	a->text = util_grow(a->text, a->count + 1, sizeof(*a->text));
	a->text[a->count++] = util_format("%s", value);
	*(void **)result = NULL;
	return 0;
}

static void take_error(cfg_t *cfg, const char *format, va_list args)
{
	if (vasprintf(&reader.error, format, args) < 0)
		reader.error = util_format("out of memory");
	reader.error_line = cfg->line;
	reader.error_scope = scope_of(cfg);
}

static cfg_opt_t *options(enum schema_scope scope)
{
	const cfg_flag_t titled = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	const char *const *known = schema_keys(scope);
	size_t count = 0;
	cfg_opt_t *list = util_alloc((64 + UNKNOWN_MAX) * sizeof(*list));

	for (; known[count] != NULL; count++)
		list[count] = (cfg_opt_t)CFG_PTR_LIST_CB(known[count], 0, CFGF_NODEFAULT,
		                                         take_value, free);
	for (size_t i = 0; i < reader.unknown_count[scope]; i++)
		list[count++] = (cfg_opt_t)CFG_PTR_LIST_CB(reader.unknown[scope][i], 0,
		                                           CFGF_NODEFAULT, take_value, free);
	if (scope == SCHEMA_TOP) {
		list[count++] = (cfg_opt_t)CFG_SEC("vm", options(SCHEMA_VM), titled);
		list[count++] = (cfg_opt_t)CFG_SEC("net", options(SCHEMA_NET), titled);
	}
	list[count] = (cfg_opt_t)CFG_END();
	return list;
}

// If libconfuse stumbled over a key it does not know, learns that key: worth another try.
static bool learn(void)
{
	static const char words[] = "no such option '";
	size_t *count = &reader.unknown_count[reader.error_scope];
	char *name;

	if (strncmp(reader.error, words, sizeof(words) - 1) != 0 || *count == UNKNOWN_MAX)
		return false;
	name = util_format("%s", reader.error + sizeof(words) - 1);
	name[strcspn(name, "'")] = '\0';
	reader.unknown[reader.error_scope][(*count)++] = name;
	return true;
}

static cfg_t *parse(const char *text)
{
	cfg_t *cfg;

	for (;;) {
		cfg = cfg_init(options(SCHEMA_TOP), CFGF_NONE);
		cfg_set_error_function(cfg, take_error);
		reader.count = 0;
		reader.error = NULL;
		if (cfg_parse_buf(cfg, text) == CFG_SUCCESS || reader.error == NULL || !learn())
			return cfg;
		cfg_free(cfg);
	}
}

// --- the text ------------------------------------------------------------------------------------

// Where the comment that starts at `s` ends; `s` itself if none does. A slash starts one only
// where a word could start: `kernel = dir//Image` names a file.
static char *skip_comment(const char *text, char *s, char *end)
{
	bool word = s == text || strchr(" \t\r\n={},", s[-1]) != NULL;
	char *stop;

	if (*s == '#' || (word && s[0] == '/' && s[1] == '/'))
		return s + strcspn(s, "\n");
	if (word && s[0] == '/' && s[1] == '*') {
		stop = strstr(s + 2, "*/");
		return stop != NULL ? stop + 2 : end;
	}
	return s;
}

// Where the quoted string that starts at `s` ends; NULL if it does not.
static char *skip_string(char *s, char *end)
{
	char quote = *s;

	for (s++; *s != quote; s++) {
		if (*s == '\\' && s + 1 < end)
			s++;
		if (s >= end)
			return NULL;
	}
	return s + 1;
}

// Blanks comments; finds quotes and braces that nothing closes, for which libconfuse has no line.
static bool prepare(char *text, char *end, struct diags *diags)
{
	struct place at = {reader.path, 1}, open[2] = {{NULL, 0}};
	size_t depth = 0;

	for (char *s = text, *next; s < end; s = next) {
		next = skip_comment(text, s, end);
		if (next != s) {
			for (; s < next; s++) {
				at.line += *s == '\n';
				*s = *s == '\n' ? '\n' : ' ';
			}
			continue;
		}
		next = s + 1;
		if (*s == '"' || *s == '\'') {
			next = skip_string(s, end);
			if (next == NULL) {
				diag_add(diags, at,
				         "the quote that starts here never ends; close it");
				return false;
			}
		} else if (*s == '{' && depth < ARRAY_SIZE(open)) {
			open[depth++] = at;
		} else if (*s == '}' && depth > 0) {
			depth--;
		}
		for (; s < next; s++)
			at.line += *s == '\n';
	}
	if (depth > 0)
		diag_add(diags, open[depth - 1], "the `{` on this line is never closed; add a `}`");
	return depth == 0;
}

static char *load(const char *path, struct diags *diags)
{
	struct place at = {path, 0};
	struct blob file;
	const char *why = util_map(path, &file);
	char *text;

	if (why != NULL) {
		diag_add(diags, at, "cannot read the file: %s; check the path", why);
		return NULL;
	}
	if (file.size > FILE_SIZE_MAX ||
	    (file.size != 0 && memchr(file.data, '\0', file.size) != NULL)) {
		diag_add(diags, at, "this is not a .conf file; `mezzo ls` lists a bundle");
		return NULL;
	}
	text = util_alloc(file.size + 1);
	if (file.size != 0)
		memcpy(text, file.data, file.size);
	return prepare(text, text + file.size, diags) ? text : NULL;
}

// --- from assignments to the system --------------------------------------------------------------

static void report(struct diags *diags)
{
	struct place at = {reader.path, reader.error_line};
	const char *todo = "write `key = value`, and quote a value that holds spaces or any of = { "
	                   "} ( ) + , #";

	if (strncmp(reader.error, "found duplicate title", strlen("found duplicate title")) == 0)
		diag_add(diags, at, "there are two sections called %s; rename one",
		         strchr(reader.error, '\'') != NULL ? strchr(reader.error, '\'')
		                                            : "the same");
	else if (strncmp(reader.error, "missing title", strlen("missing title")) == 0)
		diag_add(diags, at,
		         "this section has no name; write for example `vm NAME {` or `net NAME {`");
	else
		diag_add(diags, at, "%s; %s", reader.error, todo);
}

static void assign(struct system *system, const struct assignment *a, struct diags *diags)
{
	struct vm *vm = NULL;
	struct net *net = NULL;

	for (size_t i = 0; a->scope == SCHEMA_VM && i < system->vm_count; i++)
		if (strcmp(system->vms[i].name, a->section) == 0)
			vm = &system->vms[i];
	if (a->scope == SCHEMA_NET)
		net = system_find_net(system, a->section);
	if (a->scope != SCHEMA_TOP && vm == NULL && net == NULL)
		return; // libconfuse drops a section that it could not finish
	for (const struct assignment *b = reader.list; b < a; b++) {
		if (b->scope != a->scope || !same(a->section, b->section) || !same(a->key, b->key))
			continue;
		diag_add(diags, a->at, "`%s` is given twice, first on line %d; keep one", a->key,
		         b->at.line);
		return;
	}
	if (net != NULL)
		schema_set_net(system, net, a->key, (const char *const *)a->text, a->count, a->at,
		               diags);
	else
		schema_set(system, vm, a->key, (const char *const *)a->text, a->count, a->at,
		           diags);
}

bool conf_read(const char *path, struct system *system, struct diags *diags)
{
	char *text;
	cfg_t *cfg;

	reader = (struct reader){.path = path};
	*system = (struct system){.dir = util_dir(path)};
	system->board.value = "virt";
	text = load(path, diags);
	if (text == NULL)
		return false;

	cfg = parse(text);
	for (unsigned int i = 0; i < cfg_size(cfg, "vm"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "vm", i);
		struct place end = {path, section->line};

		schema_check_name(system, section->title, end, diags);
		system_add(system, util_format("%s", section->title))->end = end;
	}
	for (unsigned int i = 0; i < cfg_size(cfg, "net"); i++) {
		cfg_t *section = cfg_getnsec(cfg, "net", i);

		system_add_net(system, util_format("%s", section->title))->at =
		        (struct place){path, section->line};
	}
	for (size_t i = 0; i < reader.count; i++)
		assign(system, &reader.list[i], diags);
	for (size_t i = 0; i < system->vm_count; i++)
		guest_config_apply(&system->vms[i], diags);
	if (reader.error != NULL)
		report(diags);
	else if (system->vm_count == 0)
		diag_add(diags, (struct place){path, 0},
		         "no VM is described; add `vm NAME { kernel = FILE }`");
	cfg_free(cfg);
	free(text);
	return reader.error == NULL;
}
