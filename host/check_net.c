// SPDX-License-Identifier: Apache-2.0
//
// Holds the nets of a system against its VMs and the board.
//
// Called by check.c. Owns nothing.
// Invariant: when it has found no mistake, each interface's net is among the system's.
#include "check_net.h"

#include "schema_net.h"
#include "util.h"

#include <stdlib.h>
#include <string.h>

static bool is_net_of(const struct vm *vm, const char *net)
{
	for (size_t i = 0; i < vm->nics.count; i++)
		if (strcmp(vm->nics.nic[i].net, net) == 0)
			return true;
	return false;
}

// What an interface's address will be: that of the file, or the one that Mezzo makes.
static void mac_of(const struct vm *vm, size_t nic, uint8_t mac[DESC_MAC_SIZE])
{
	if (vm->nics.nic[nic].has_mac)
		memcpy(mac, vm->nics.nic[nic].mac, DESC_MAC_SIZE);
	else
		desc_mac(vm->name, (uint32_t)nic, mac);
}

static const char *mac_text(const uint8_t mac[DESC_MAC_SIZE])
{
	return util_format("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
	                   mac[5]);
}

// Holds interface `nic` of VM `v` against all that stand before it.
static void check_mac(const struct system *system, size_t v, size_t nic, struct diags *diags)
{
	const struct vm *vm = &system->vms[v];
	uint8_t mac[DESC_MAC_SIZE], other[DESC_MAC_SIZE];

	mac_of(vm, nic, mac);
	for (size_t i = 0; i <= v; i++) {
		const struct vm *twin = &system->vms[i];

		for (size_t j = 0; j < (i == v ? nic : twin->nics.count); j++) {
			if (strcmp(twin->nics.nic[j].net, vm->nics.nic[nic].net) != 0)
				continue;
			mac_of(twin, j, other);
			if (memcmp(mac, other, sizeof(mac)) != 0)
				continue;
			diag_add(diags, vm->nics.at,
			         "net: %s has the address %s at `%s` already; give each interface "
			         "one of its own",
			         i == v ? "the VM itself" : util_format("VM `%s`", twin->name),
			         mac_text(mac), vm->nics.nic[nic].net);
			return;
		}
	}
}

static void check_vm(struct system *system, size_t v, struct diags *diags)
{
	const struct vm *vm = &system->vms[v];

	if (vm->nics.count != 0 && !system_model(vm)->has_virtio)
		diag_add(diags, vm->nics.at,
		         "net: a VM of machine `%s` has no network interface; drop the line",
		         vm->machine.value);
	for (size_t i = 0; i < vm->nics.count; i++) {
		const char *name = vm->nics.nic[i].net;

		if (system_find_net(system, name) == NULL)
			system_add_net(system, name)->at = vm->nics.at;
		check_mac(system, v, i, diags);
	}
}

static void check_net(const struct system *system, const struct net *net, bool no_interfaces,
                      struct diags *diags)
{
	bool used = false;

	schema_check_net_name(net->name, net->at, diags);
	for (size_t i = 0; i < system->vm_count; i++)
		used |= is_net_of(&system->vms[i], net->name);
	if (!used)
		diag_add(diags, net->at,
		         "no VM is at the net `%s`; write `net = { %s }` in one, or drop the "
		         "section",
		         net->name, net->name);
	if (net->uplink.value == NULL)
		return;
	if (no_interfaces)
		diag_add(diags, net->uplink.at,
		         "uplink: the board has no network interface that Mezzo can drive; drop "
		         "the line");
	for (const struct net *other = system->nets; other < net; other++)
		if (other->uplink.value != NULL &&
		    strcmp(other->uplink.value, net->uplink.value) == 0)
			diag_add(diags, net->uplink.at,
			         "uplink: the net `%s` has the board's interface `%s` already; one "
			         "net can",
			         other->name, other->uplink.value);
}

void check_nets(struct system *system, bool no_interfaces, struct diags *diags)
{
	for (size_t i = 0; i < system->vm_count; i++)
		check_vm(system, i, diags);
	for (size_t i = 0; i < system->net_count; i++)
		check_net(system, &system->nets[i], no_interfaces, diags);
	if (system->net_count > DESC_MAX_NETS)
		diag_add(diags, system->nets[DESC_MAX_NETS].at,
		         "this is one net more than Mezzo takes; keep at most %d", DESC_MAX_NETS);
}
