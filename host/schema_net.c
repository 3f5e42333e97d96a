// SPDX-License-Identifier: Apache-2.0
//
// The grammar of networks: names of nets, addresses, interfaces of a VM and of the board.
//
// Called by schema.c and by the verbs for each option that stands for a key.
// Invariant: what is set is well-formed; whether it fits the rest is check_net.c's.
#include "schema_net.h"

#include "util.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// "52:54:00:12:34:56"
static bool parse_mac(const char *text, uint8_t mac[DESC_MAC_SIZE])
{
	for (size_t i = 0; i < DESC_MAC_SIZE; i++) {
		char *end;

		if (!isxdigit((unsigned char)text[0]))
			return false;
		mac[i] = (uint8_t)strtoul(text, &end, 16);
		if (end - text > 2 || *end != (i + 1 < DESC_MAC_SIZE ? ':' : '\0'))
			return false;
		text = end + 1;
	}
	return true;
}

static bool is_net_name(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name[i]) && (i == 0 || strchr("-_.", name[i]) == NULL))
			return false;
	return length != 0 && length <= DESC_NET_MAX;
}

bool schema_check_net_name(const char *name, struct place at, struct diags *diags)
{
	if (is_net_name(name))
		return true;
	diag_add(diags, at,
	         "a net cannot be called `%s`; use 1 to %d letters, digits and, after the first, "
	         "`-_.`",
	         name, DESC_NET_MAX);
	return false;
}

// "lan0", or with an address "lan0@52:54:00:12:34:56".
static bool get_nic(const char *text, struct nic *nic, struct place at, struct diags *diags)
{
	const char *sign = strchr(text, '@');

	*nic = (struct nic){.has_mac = sign != NULL};
	nic->net = sign != NULL ? util_format("%.*s", (int)(sign - text), text) : text;
	if (!schema_check_net_name(nic->net, at, diags))
		return false;
	if (sign == NULL)
		return true;
	if (!parse_mac(sign + 1, nic->mac)) {
		diag_add(diags, at,
		         "net: `%s` is not an address; write for example `net = { "
		         "\"%s@52:54:00:12:34:56\" }`",
		         sign + 1, nic->net);
		return false;
	}
	if (desc_mac_is_good(nic->mac))
		return true;
	diag_add(diags, at,
	         "net: `%s` cannot be an interface's address; it must not be zero, and the first "
	         "number must be even",
	         sign + 1);
	return false;
}

void schema_take_nics(struct nics_key *out, const char *const *text, size_t count, struct place at,
                      struct diags *diags)
{
	struct nics_key nics = {.at = at};

	if (count > DESC_MAX_NICS) {
		diag_add(diags, at, "net: %zu interfaces are too many; give at most %d", count,
		         DESC_MAX_NICS);
		return;
	}
	for (size_t i = 0; i < count; i++)
		if (!get_nic(text[i], &nics.nic[nics.count++], at, diags))
			return;
	*out = nics;
}

void schema_take_uplink(struct text_key *out, const char *text, struct place at,
                        struct diags *diags)
{
	static const char prefix[] = "host:";
	const char *name = text + sizeof(prefix) - 1;

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || !is_net_name(name))
		diag_add(diags, at,
		         "uplink: `%s` is not an interface of the board; write for example `uplink "
		         "= \"host:net0\"`",
		         text);
	else
		*out = (struct text_key){name, at};
}

struct net *system_find_net(const struct system *system, const char *name)
{
	for (size_t i = 0; i < system->net_count; i++)
		if (strcmp(system->nets[i].name, name) == 0)
			return &system->nets[i];
	return NULL;
}

struct net *system_add_net(struct system *system, const char *name)
{
	system->nets = util_grow(system->nets, system->net_count + 1, sizeof(*system->nets));
	system->nets[system->net_count] = (struct net){.name = name};
	return &system->nets[system->net_count++];
}
