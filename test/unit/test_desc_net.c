// SPDX-License-Identifier: Apache-2.0
// Nets and network interfaces in a description: what they become, and a sentence for every way to get them wrong.
#include "desc_bench.h"

#define FILES "files { file@0 { path = \"k\"; size = /bits/ 64 <4096>; crc32 = <0>; }; };"
#define NETS                                                                           \
	"net@0 { reg = <0>; compatible = \"mezzo,net\"; net-name = \"lan0\"; };"       \
	"net@1 { reg = <1>; compatible = \"mezzo,net\"; net-name = \"dmz\"; uplink = " \
	"\"net0\"; anti-spoof; limit = /bits/ 64 <1000000>; };"
#define VM(n, name, parts)                                                               \
	"vm@" #n " { compatible = \"mezzo,vm\"; vm-name = \"" name "\"; kernel = \"k\";" \
	" memory = /bits/ 64 <0x4000000>; cpus = <1>;" parts "};"
#define SYSTEM(parts) \
	"/ { mezzo { compatible = \"mezzo,system\"; version = <1>;" FILES parts "}; };"
#define ONE(parts) SYSTEM(NETS VM(0, "a", parts))

static void test_nets(void **state)
{
	uint8_t mac[DESC_MAC_SIZE];
	(void)state;

	expect_sound(SYSTEM(VM(
	        0, "a", " nets = \"dmz\", \"lan0\"; macs = [02 00 00 00 00 01 00 00 00 00 00 00];")
	                            NETS VM(1, "b", " nets = \"lan0\";") VM(2, "c", "")));
	assert_int_equal(desc.nr_nets, 2);
	assert_string_equal(desc.nets[0].name, "lan0");
	assert_null(desc.nets[0].uplink);
	assert_false(desc.nets[0].anti_spoof);
	assert_int_equal(desc.nets[0].limit, 0);
	assert_string_equal(desc.nets[1].uplink, "net0");
	assert_true(desc.nets[1].anti_spoof);
	assert_int_equal(desc.nets[1].limit, 1000000);
	const struct desc_vm *vm = &desc.vms[0];
	assert_int_equal(vm->nr_nics, 2);
	assert_int_equal(vm->nic_net[0], 1);
	assert_int_equal(vm->nic_net[1], 0);
	desc_vm_mac(vm, 0, mac);
	assert_memory_equal(mac, "\2\0\0\0\0\1", 6);
	assert_int_equal(desc.vms[1].nr_nics, 1);
	assert_int_equal(desc.vms[2].nr_nics, 0);
}

// An address that is made of a name: always the same, an interface's own, and locally administered.
static void test_made_addresses(void **state)
{
	uint8_t mac[DESC_MAC_SIZE], other[DESC_MAC_SIZE];
	(void)state;

	desc_mac("linux", 0, mac);
	// printf 'mezzo net linux 0' | sha256sum, with the two low bits of the first byte set to 2
	assert_memory_equal(mac, "\xd6\x60\x54\x1a\x02\xc0", 6);
	for (uint32_t i = 0; i < 200; i++) {
		char name[8] = "vm";
		name[2] = (char)('a' + i % 26);
		name[3] = (char)('a' + i / 26);
		desc_mac(name, i % 4, mac);
		assert_int_equal(mac[0] & 3, 2);
		assert_true(desc_mac_is_good(mac));
		desc_mac(name, i % 4 + 1, other);
		assert_memory_not_equal(mac, other, 6);
	}
	expect_sound(
	        ONE(" nets = \"lan0\", \"lan0\"; macs = [00 00 00 00 00 00 52 54 00 00 00 01];"));
	desc_mac("a", 0, other);
	desc_vm_mac(&desc.vms[0], 0, mac);
	assert_memory_equal(mac, other, 6);
}

#define LONG_NAME "a123456789012345678901234567890x"

static const struct desc_wrong wrong[] = {
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; };"), "/mezzo/net@0: net-name: is missing"},
        {SYSTEM("net@0 { net-name = \"a\"; };"), "/mezzo/net@0: compatible: is missing"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"\"; };"), "net-name: is empty"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"-a\"; };"),
         "net-name: \"-a\" may only have letters"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"a b\"; };"),
         "may only have letters"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"" LONG_NAME "\"; };"),
         "net-name: has 32 bytes; it may have 31"},
        {SYSTEM(NETS "net@2 { compatible = \"mezzo,net\"; net-name = \"dmz\"; };"),
         "net-name: \"dmz\" names another net already"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"a\"; anti-spoof = <1>; };"),
         "anti-spoof: is a flag"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"a\"; limit = <5000>; };"),
         "limit: is not one number of 64 bits"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"a\"; limit = /bits/ 64 <10>; };"),
         "limit: is 10; it may be 1024 to "},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"a\"; uplink = \"\"; };"),
         "uplink: is empty"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"a\"; mtu = <9000>; };"),
         "mtu: this version of Mezzo does not know this property"},
        {SYSTEM("net@0 { compatible = \"mezzo,net\"; net-name = \"a\"; x { }; };"),
         "does not know this node"},
        {ONE(" nets = \"lan1\";"), "(a): nets: \"lan1\" is not among the nets of /mezzo"},
        {ONE(" nets;"), "nets: is not a list of names"},
        {ONE(" nets = \"\";"), "nets: is not a list of names"},
        {ONE(" nets = [61 62];"), "nets: is not a list of names"},
        {ONE(" nets = \"dmz\", \"dmz\", \"dmz\", \"dmz\", \"dmz\";"),
         "nets: names more than 4 nets"},
        {ONE(" nets = \"dmz\"; macs = [02 00 00 00 00];"),
         "macs: is not a list of 1 to 4 addresses"},
        {ONE(" nets = \"dmz\"; macs;"), "macs: is not a list of 1 to 4 addresses"},
        {ONE(" macs = [02 00 00 00 00 01];"), "macs: has 1 addresses for 0 nets"},
        {ONE(" nets = \"dmz\", \"lan0\"; macs = [02 00 00 00 00 01];"),
         "macs: has 1 addresses for 2 nets"},
        {ONE(" nets = \"dmz\"; macs = [01 00 00 00 00 01];"),
         "macs: 01:00:00:00:00:01 is a group's address"},
        {ONE(" nets = \"dmz\", \"dmz\"; macs = [02 00 00 00 00 01 02 00 00 00 00 01];"),
         "macs: 02:00:00:00:00:01 is also an address of a at the same net"},
        {SYSTEM(NETS VM(0, "a", " nets = \"dmz\"; macs = [02 00 00 00 00 01];")
                        VM(1, "b", " nets = \"dmz\"; macs = [02 00 00 00 00 01];")),
         "/mezzo/vm@1 (b): macs: 02:00:00:00:00:01 is also an address of a at the same net"},
        {ONE(" machine = \"raspi3\"; nets = \"dmz\";"),
         "nets: a raspi3 has no network interface that Mezzo provides"},
};

static void test_wrong(void **state)
{
	(void)state;
	expect_wrong(wrong, ARRAY_SIZE(wrong));
	// The same address at two nets is no mistake.
	expect_sound(SYSTEM(NETS VM(0, "a", " nets = \"dmz\"; macs = [02 00 00 00 00 01];")
	                            VM(1, "b", " nets = \"lan0\"; macs = [02 00 00 00 00 01];")));
	read_source(NULL);
}

static void test_too_many(void **state)
{
	static char source[8192];
	size_t at;
	(void)state;

	at = (size_t)snprintf(source, sizeof source,
	                      "/ { mezzo { compatible = \"mezzo,system\"; version = <1>;");
	for (unsigned i = 0; i <= DESC_MAX_NETS; i++)
		at += (size_t)snprintf(
		        source + at, sizeof source - at,
		        "net@%x { compatible = \"mezzo,net\"; net-name = \"n%u\"; };", i, i);
	snprintf(source + at, sizeof source - at, "}; };");
	assert_int_not_equal(read_source(source), 0);
	assert_non_null(strstr(problem.text, "there are more than 32 nets"));
	read_source(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nets),
	        cmocka_unit_test(test_made_addresses),
	        cmocka_unit_test(test_wrong),
	        cmocka_unit_test(test_too_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
