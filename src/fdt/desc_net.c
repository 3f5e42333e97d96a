// SPDX-License-Identifier: Apache-2.0
// The networks of a description: the nets themselves, and which of them a VM has interfaces at.
//
// Owns nothing. Called by desc.c, and by who needs an interface's own address.
// Invariant: an index in nic_net leads to a net of the description.
// Source: docs/bundle.md, "Description".
#include "fdt/desc_value.h"

#include <libfdt.h>

#include "base/bits.h"
#include "base/print.h"
#include "base/sha256.h"
#include "base/string.h"
#include "fdt/model_facts.h"

#define MAC_GROUP BIT_U32(0) // of the first byte
#define MAC_LOCAL BIT_U32(1)

bool desc_mac_is_good(const uint8_t mac[DESC_MAC_SIZE])
{
	static const uint8_t nobody[DESC_MAC_SIZE];
	return (mac[0] & MAC_GROUP) == 0 && memcmp(mac, nobody, sizeof nobody) != 0;
}

void desc_mac(const char *vm, uint32_t nic, uint8_t mac[DESC_MAC_SIZE])
{
	struct sha256 hash;
	uint8_t digest[SHA256_SIZE];
	char text[DESC_NAME_MAX + 24];
	const size_t length = print_buffer(text, sizeof text, "mezzo net %s %u", vm, nic);

	sha256_init(&hash);
	sha256_update(&hash, text, length);
	sha256_final(&hash, digest);
	memcpy(mac, digest, DESC_MAC_SIZE);
	mac[0] = (uint8_t)((mac[0] & ~MAC_GROUP) | MAC_LOCAL);
}

// ---- nets ----

static bool is_name(const char *name)
{
	for (const char *c = name; *c != '\0'; c++) {
		bool word = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
		            (*c >= 'a' && *c <= 'z');
		if (!word && (c == name || strchr("-_.", *c) == NULL))
			return false;
	}
	return true;
}

static const struct desc_net *find_net(const struct desc *desc, const char *name)
{
	for (uint32_t i = 0; i < desc->nr_nets; i++)
		if (strcmp(desc->nets[i].name, name) == 0)
			return &desc->nets[i];
	return NULL;
}

int desc_check_net(struct reader *reader, const struct desc_net *net)
{
	if (!is_name(net->name))
		return desc_fail(reader, "net-name",
		                 "\"%s\" may only have letters, digits and - _ . and must start "
		                 "with a letter or digit",
		                 net->name);
	if (find_net(reader->desc, net->name) != NULL)
		return desc_fail(reader, "net-name", "\"%s\" names another net already", net->name);
	return 0;
}

// ---- interfaces ----

int desc_take_nets(struct reader *reader, const struct rule *rule, struct tree_value value,
                   struct desc_vm *vm)
{
	uint32_t at = 0;

	while (at < value.size) {
		const char *name = (const char *)value.data + at;
		const size_t length = strnlen(name, value.size - at);
		if (length == value.size - at || length == 0)
			return desc_fail(reader, rule->name, "is not a list of names");
		if (vm->nr_nics == DESC_MAX_NICS)
			return desc_fail(reader, rule->name, "names more than %u nets",
			                 DESC_MAX_NICS);
		const struct desc_net *net = find_net(reader->desc, name);
		if (net == NULL)
			return desc_fail(reader, rule->name,
			                 "\"%s\" is not among the nets of /mezzo", name);
		vm->nic_net[vm->nr_nics++] = (uint8_t)(net - reader->desc->nets);
		at += (uint32_t)length + 1;
	}
	if (vm->nr_nics == 0)
		return desc_fail(reader, rule->name, "is not a list of names");
	return 0;
}

int desc_take_macs(struct reader *reader, const struct rule *rule, struct tree_value value,
                   struct desc_vm *vm)
{
	if (value.size == 0 || value.size % DESC_MAC_SIZE != 0 ||
	    value.size > DESC_MAX_NICS * DESC_MAC_SIZE)
		return desc_fail(reader, rule->name, "is not a list of 1 to %u addresses",
		                 DESC_MAX_NICS);
	vm->macs = value.data;
	vm->nr_macs = value.size / DESC_MAC_SIZE;
	return 0;
}

// The address that is given to an interface, or NULL.
static const uint8_t *given_mac(const struct desc_vm *vm, uint32_t nic)
{
	static const uint8_t none[DESC_MAC_SIZE];
	const uint8_t *said = vm->macs != NULL ? vm->macs + (size_t)nic * DESC_MAC_SIZE : none;
	return memcmp(said, none, sizeof none) != 0 ? said : NULL;
}

void desc_vm_mac(const struct desc_vm *vm, uint32_t nic, uint8_t mac[DESC_MAC_SIZE])
{
	const uint8_t *given = given_mac(vm, nic);

	if (given != NULL)
		memcpy(mac, given, DESC_MAC_SIZE);
	else
		desc_mac(vm->name, nic, mac);
}

// The VM that was given the same address at the same net before, or this VM; NULL: nobody.
static const struct desc_vm *find_twin(const struct desc *desc, const struct desc_vm *vm,
                                       uint32_t nic, const uint8_t *mac)
{
	for (uint32_t i = 0; i <= desc->nr_vms; i++) { // the one that is being read is the last
		const struct desc_vm *twin = &desc->vms[i];
		for (uint32_t j = 0; j < (twin == vm ? nic : twin->nr_nics); j++) {
			const uint8_t *other = given_mac(twin, j);
			if (twin->nic_net[j] == vm->nic_net[nic] && other != NULL &&
			    memcmp(mac, other, DESC_MAC_SIZE) == 0)
				return twin;
		}
	}
	return NULL;
}

int desc_check_nics(struct reader *reader, const struct desc_vm *vm)
{
	const struct model_facts *facts = model_facts(vm->machine);

	if (vm->macs != NULL && vm->nr_macs != vm->nr_nics)
		return desc_fail(reader, "macs", "has %u addresses for %u nets", vm->nr_macs,
		                 vm->nr_nics);
	if (vm->nr_nics != 0 && !facts->has_virtio)
		return desc_fail(reader, "nets",
		                 "a %s has no network interface that Mezzo provides, leave it out",
		                 facts->name);
	for (uint32_t i = 0; i < vm->nr_nics; i++) {
		const uint8_t *mac = given_mac(vm, i);
		if (mac == NULL)
			continue;
		if (!desc_mac_is_good(mac))
			return desc_fail(reader, "macs",
			                 "%02x:%02x:%02x:%02x:%02x:%02x is a group's address, not "
			                 "an interface's",
			                 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
		const struct desc_vm *twin = find_twin(reader->desc, vm, i, mac);
		if (twin != NULL)
			return desc_fail(reader, "macs",
			                 "%02x:%02x:%02x:%02x:%02x:%02x is also an address of %s "
			                 "at the same net",
			                 mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
			                 twin->name);
	}
	return 0;
}
