// SPDX-License-Identifier: Apache-2.0
// The commands that look inside: interrupts, registers, device trees, the audit's result. The VM is made
// up, and so is what the audit finds; test_audit.c has the audit itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arm/regs.h"
#include "debug/commands_debug.h"
#include "fake.h"
#include "json.h"
#include "vdev/vgic_state.h"
#include "vm/audit.h"

static struct vm vm;
static struct vcpu vcpus[2];
static struct vgic vgic;
static struct vgic_cpu gic_cpus[2];
static char answer[1 << 18];

struct vm *vm_by_id(uint32_t id)
{
	return id == vm.id ? &vm : NULL;
}
struct vm *vm_after(uint32_t id)
{
	return id < vm.id ? &vm : NULL;
}
const struct el1_row el1_rows[] = {
        {"SCTLR_EL1", offsetof(struct el1_regs, sctlr)},
        {"apib_lo", offsetof(struct el1_regs, apib_lo)},
        {"VBAR_EL1", offsetof(struct el1_regs, vbar)},
};
const unsigned el1_row_count = ARRAY_SIZE(el1_rows);
void vvirtio_vsock_answered(unsigned caller)
{
	(void)caller;
}
bool vcpu_sample(struct vcpu *vcpu, struct vcpu_sample *sample)
{
	*sample = (struct vcpu_sample){.pc = vcpu->frame.pc};
	return vcpu->power == VCPU_ON;
}

// ---- an audit that goes as it is told ----

static unsigned begun, ended, planted;
static bool no_memory, changed;

int audit_begin(struct audit *a)
{
	memset(a, 0, sizeof *a);
	begun++;
	return no_memory ? ERR_NO_MEMORY : 0;
}
enum audit_step audit_step(struct audit *a)
{
	switch (a->at++) {
	case 1:
		a->vm = (struct audit_vm){.name = "linux",
		                          .id = 3,
		                          .mapped = 131072,
		                          .tables = 70,
		                          .others = 12,
		                          .changed = changed,
		                          .agrees = planted == 0};
		return AUDIT_VM;
	case 2:
		a->sums.pages = 524288;
		a->disagreements = planted;
		a->unsteady = changed;
		a->sums.moving = changed ? 5 : 0;
		for (unsigned i = 0; i < planted && i < AUDIT_MAX_FOUND; i++, a->nr_found++) {
			a->found[i].page = 0x40000000 + i * PAGE_SIZE;
			memset(a->found[i].expected, 'e', AUDIT_TEXT - 1);
			memset(a->found[i].found, 'f', AUDIT_TEXT - 1);
		}
		return AUDIT_DONE;
	default: return AUDIT_MORE;
	}
}
void audit_end(struct audit *a)
{
	(void)a;
	ended++;
}

// ---- calling ----

static const struct shell_command *const tables[] = {commands_debug, NULL};

static int setup(void **state)
{
	(void)state;
	fake_reset();
	shell_init(tables);
	memset(&vm, 0, sizeof vm);
	memset(vcpus, 0, sizeof vcpus);
	memset(&vgic, 0, sizeof vgic);
	memset(gic_cpus, 0, sizeof gic_cpus);
	strcpy(vm.name, "linux");
	vm.id = 3;
	vm.serial = 33;
	vm.nr_vcpus = 2;
	vm.gic = &vgic;
	for (unsigned i = 0; i < 2; i++) {
		vm.vcpu[i] = &vcpus[i];
		vcpus[i].id = i;
		vcpus[i].vm = &vm;
		vcpus[i].gic = &gic_cpus[i];
	}
	begun = ended = planted = 0;
	no_memory = changed = false;
	return 0;
}

// To a program, or as to a person.
static const char *ask(const char *line, bool person)
{
	uint8_t byte;
	size_t n = 0;
	struct ring *from = person ? shell_output() : shell_answer(SHELL_LINK);
	if (!person)
		assert_true(shell_call(SHELL_LINK, line, strlen(line)));
	for (const char *p = line; person && *p != '\0'; p++)
		assert_true(shell_input((uint8_t)*p));
	if (person)
		assert_true(shell_input('\r'));
	for (unsigned i = 0; i < 10000; i++) {
		uint32_t before = ring_fill(from);
		shell_poll();
		assert_true(ring_fill(from) - before <= SHELL_STEP);
		while (ring_get(from, &byte))
			answer[n++] = (char)byte;
	}
	answer[n] = '\0';
	if (!person && !json_valid(answer))
		fail_msg("no JSON: %s", answer);
	return answer;
}

static void assert_says(const char *line, bool person, const char *text)
{
	if (strstr(ask(line, person), text) == NULL)
		fail_msg("%s\ndoes not say\n%s", answer, text);
}

// ---- the commands ----

static void test_irq(void **state)
{
	(void)state;
	gic_cpus[0].bank.enabled = 0xffff | BIT_U32(27); // SGIs: always, and not worth a line
	gic_cpus[0].bank.priority[27] = 0xa0;
	gic_cpus[0].bank.held = BIT_U32(27);
	gic_cpus[1].bank.latch = BIT_U32(5);
	gic_cpus[1].bank.edge = 0xffff;
	vgic.spi[0].enabled = BIT_U32(1) | BIT_U32(2);
	vgic.spi[0].line = BIT_U32(1);
	vgic.spi[7].active = BIT_U32(31);
	assert_says(
	        "irq linux", true,
	        "VCPU INTID NAME                 ENABLED PENDING ACTIVE LISTED TRIGGER PRIORITY\r\n"
	        "   0    27 virtual timer        yes     no      no     yes    level        160\r\n"
	        "   1     5 between vCPUs        no      yes     no     no     edge           0\r\n"
	        "   -    33 UART (PL011)         yes     yes     no     no     level          0\r\n"
	        "   -    34 clock (PL031)        yes     no      no     no     level          0\r\n"
	        "   -   287 -                    no      no      yes    no     level          0\r\n"
	        "listed: ");
	assert_says("irq 3", false,
	            "{\"interrupts\":[{\"vcpu\":0,\"intid\":27,\"name\":\"virtual timer\","
	            "\"enabled\":true,\"pending\":false,\"active\":false,\"listed\":true,"
	            "\"trigger\":\"level\",\"priority\":160},");
	assert_says("irq 3", false, "{\"vcpu\":null,\"intid\":287,\"name\":null,");
	for (unsigned i = 0; i < VGIC_SPI_WORDS; i++)
		vgic.spi[i].enabled = UINT32_MAX;
	ask("irq linux", true);
	ask("irq linux", false);
	unsigned rows = 0;
	for (const char *p = answer; (p = strstr(p, "\"intid\"")) != NULL; p++)
		rows++;
	assert_int_equal(rows, 2 + 256);
	vm.gic = NULL;
	assert_string_equal(ask("irq linux", false), "{\"interrupts\":[]}");
}

static void test_regs(void **state)
{
	(void)state;
	vcpus[1].frame.pc = 0xffff800010081234;
	vcpus[1].frame.pstate = PSTATE_N | PSTATE_C | PSTATE_I | PSTATE_F | MODE_EL1H;
	vcpus[1].frame.x[30] = UINT64_MAX;
	vcpus[1].el1.sctlr = SCTLR_M | SCTLR_C;
	vcpus[1].el1.apib_lo = 0x5ec7e7;
	assert_says("regs linux 1", true, "  pc             0xffff800010081234\r\n");
	assert_non_null(strstr(answer, "EL1, masked: IF, flags N-C-\r\n"));
	assert_non_null(strstr(answer, "MMU on, data cache on, instruction cache off\r\n"));
	assert_non_null(strstr(answer, "  x30 ffffffffffffffff\r\n"));
	assert_non_null(strstr(answer, "  SCTLR_EL1      0x5\r\n"));
	assert_non_null(strstr(answer, "VBAR_EL1"));
	assert_null(strstr(answer, "5ec7e7"));
	assert_says("regs linux 1", false, "\"x29\":\"0x0\",\"x30\":\"0xffffffffffffffff\"");
	assert_says("regs linux", false, "{\"vcpu\":0,");
	vcpus[1].power = VCPU_ON;
	assert_says("regs linux 1", true, "vCPU 1 of linux as it was this moment\r\n");
	vcpus[1].power = VCPU_OFF;
	assert_says("regs linux 1", true, "which does not run, as it was when it last did\r\n");
	static const char *const wrong[] = {"2", "-1", "99999999999999", "x", "1x"};
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		char line[64], text[96];
		snprintf(line, sizeof line, "regs linux %s", wrong[i]);
		snprintf(text, sizeof text, "{\"error\":\"%s: linux has vCPUs 0 to 1\"}", wrong[i]);
		assert_string_equal(ask(line, false), text);
	}
}

static void test_dt(void **state)
{
	(void)state;
	// A root with a model, as it lies in memory.
	static const uint8_t tree[] __attribute__((aligned(8))) = {
	        0xd0, 0x0d, 0xfe, 0xed, 0,   0,   0, 0x66, 0,  0, 0, 0x38, 0, 0, 0, 0x60, 0, 0, 0,
	        0x28, 0,    0,    0,    17,  0,   0, 0,    16, 0, 0, 0,    0, 0, 0, 0,    6, 0, 0,
	        0,    0x28, 0,    0,    0,   0,   0, 0,    0,  0, 0, 0,    0, 0, 0, 0,    0, 0, 0,
	        0,    0,    1,    0,    0,   0,   0, 0,    0,  0, 3, 0,    0, 0, 4, 0,    0, 0, 0,
	        'a',  '"',  'b',  0,    0,   0,   0, 2,    0,  0, 0, 9,    0, 0, 0, 0,    0, 0, 0,
	        0,    'm',  'o',  'd',  'e', 'l', 0};
	vm.tree = 0x48000000;
	assert_string_equal(ask("dt linux", false),
	                    "{\"error\":\"linux: it is given no device tree\"}");
	vm.stage2.nr_sources = 2;
	vm.stage2.source[1] = (struct stage2_source){vm.tree, sizeof tree, tree};
	assert_says("dt linux", true, "/dts-v1/;\r\n\r\n/ {\r\n    model = \"a\\\"b\";\r\n};\r\n");
	assert_string_equal(
	        ask("dt linux", false),
	        "{\"source\":\"/dts-v1/;\\n\\n/ {\\n    model = \\\"a\\\\\\\"b\\\";\\n};\\n\"}");
	vm.stage2.source[1].size = sizeof tree - 1;
	assert_says("dt linux", false, "{\"error\":\"linux: what it is given");
}

static void test_audit_result(void **state)
{
	(void)state;
	assert_says("audit", true,
	            "\r\nlinux: 131072 pages mapped, 0 set aside, 70 tables, 12 others: as the "
	            "page array says\r\naudit: all 524288 pages agree\r\nmezzo> ");
	assert_string_equal(ask("audit", false),
	                    "{\"vms\":[{\"name\":\"linux\",\"number\":3,\"mapped\":131072,"
	                    "\"set_aside\":0,\"tables\":70,\"others\":12,\"devices\":0,"
	                    "\"changed\":false,\"agrees\":true}],\"disagreements\":[],"
	                    "\"pages\":524288,\"moving\":0,\"sums_compared\":true,\"disagree\":0}");
	planted = 50;
	assert_says("audit", true, "audit: 50 disagreements among 524288 pages\r\n");
	assert_non_null(strstr(answer, "the page array disagrees\r\n"));
	assert_non_null(strstr(answer, "\r\n        0x40013000 eeee"));
	ask("audit", false);
	planted = 0;
	changed = true;
	assert_says("audit", true,
	            "linux: 131072 pages mapped, 0 set aside, 70 tables, 12 others: "
	            "it changed meanwhile\r\n5 pages are of VMs that came");
	assert_non_null(strstr(answer, "the sums were not compared\r\n"));
	assert_int_equal(begun, ended);
	no_memory = true;
	assert_string_equal(ask("audit", false),
	                    "{\"error\":\"there is no memory left to mark pages in\"}");
	assert_int_equal(begun, ended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(test_irq, setup),
	        cmocka_unit_test_setup(test_regs, setup),
	        cmocka_unit_test_setup(test_dt, setup),
	        cmocka_unit_test_setup(test_audit_result, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
