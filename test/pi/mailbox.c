// SPDX-License-Identifier: Apache-2.0
/*
 * The property mailbox: what the firmware says about the board. Serial numbers and sizes differ between boards,
 * so what is checked is what holds on each.
 */
#include "pi.h"

#define TAG_FIRMWARE    0x00001U
#define TAG_REVISION    0x10002U
#define TAG_MAC         0x10003U
#define TAG_SERIAL      0x10004U
#define TAG_ARM_MEMORY  0x10005U
#define TAG_VC_MEMORY   0x10006U
#define TAG_CLOCK_RATE  0x30002U
#define TAG_TEMPERATURE 0x30006U
#define TAG_UNKNOWN     0x0f00fU
#define CLOCK_CORE      4U
#define MIB             (1U << 20)
#define GIB             (1U << 30)

static void memory(void)
{
	u32 arm[2] = {0, 0}, vc[2] = {0, 0};
	check(mbox_tag(TAG_ARM_MEMORY, arm, 2) == 8, "Arm memory answered");
	check(mbox_tag(TAG_VC_MEMORY, vc, 2) == 8, "VideoCore memory answered");
	check(arm[0] == 0 && arm[1] >= 64 * MIB && arm[1] % MIB == 0, "Arm memory begins at 0");
	check(vc[0] >= arm[1] && vc[1] >= MIB && vc[0] + vc[1] <= GIB,
	      "VideoCore memory lies above it");
}

void program(u64 tree)
{
	static volatile u32 message[16] __attribute__((aligned(16))) = {
	        64, 0, TAG_UNKNOWN, 8, 0, 1, 2, TAG_FIRMWARE, 4, 0, 0, 0};
	u32 one[1] = {0}, two[2] = {0, 0}, clock[2] = {CLOCK_CORE, 0}, heat[2] = {0, 0};
	(void)tree;
	check(mbox_tag(TAG_FIRMWARE, one, 1) == 4 && one[0] != 0, "firmware revision");
	one[0] = 0;
	check(mbox_tag(TAG_REVISION, one, 1) == 4 && one[0] != 0, "board revision");
	check(mbox_tag(TAG_SERIAL, two, 2) == 8, "serial number");
	two[0] = two[1] = 0;
	check(mbox_tag(TAG_MAC, two, 2) == 6, "address of the network is 6 bytes");
	memory();
	check(mbox_tag(TAG_CLOCK_RATE, clock, 2) == 8 && clock[0] == CLOCK_CORE && clock[1] >= MIB,
	      "core clock");
	check(mbox_tag(TAG_TEMPERATURE, heat, 2) == 8 && heat[1] < 100000,
	      "temperature below 100 degrees");
	check(mbox_call(message), "a message with an unknown tag is answered");
	check(message[5] == 1 && message[6] == 2, "the unknown tag is left as it was");
	check(message[9] == (4U | (1U << 31)) && message[10] != 0, "the tag after it is answered");
}
