// SPDX-License-Identifier: Apache-2.0
// The lives of VMs from outside: a board of CPUs that only leave and clean up, and guests that only end.
// After every end all memory is where it was, and the board is switched off exactly when nothing can run
// any more.
#include "own_process.h"

#include "arm/cpu.h"
#include "arm/features.h"
#include "base/panic.h"
#include "console/console.h"
#include "debug/dump.h"
#include "fake.h"
#include "hw/intc.h"
#include "hw/power.h"
#include "hw/timer.h"
#include "main/life.h"
#include "main/run.h"
#include "ram_arena.h"
#include "vdev/model.h"
#include "vdev/vpl061.h"
#include "vm/vm.h"

#define HZ 1000000

// ---- what the rest of Mezzo is told ----

#define DUMP_PARTS 3

static char said[16384];
static unsigned presses, forgotten, dismissed, model_resets, ends, ended_off, ended_crashed,
        switched_off;
static unsigned dump_parts;
static int model_answer;
static unsigned model_destroys;
static unsigned model_asked,
        model_loud; // how often its devices were asked to let go; how often they will not
static jmp_buf halted;

void console_write(const char *text, size_t length)
{
	size_t used = strlen(said);
	if (used + length + 1 > sizeof said)
		used = 0;
	memcpy(said + used, text, length);
	said[used + length] = 0;
}
int model_reset(struct vm *vm)
{
	model_resets++;
	assert_int_equal(vm->live, 0);
	return model_answer;
}
bool model_quiet(struct vm *vm)
{
	assert_int_equal(vm->live, 0);
	assert_int_equal(vm->state, VM_CLEANING);
	assert_true(vm->stage2.pages.first != 0);
	model_asked++;
	if (model_loud == 0)
		return true;
	model_loud--;
	return false;
}
void model_destroy(struct vm *vm)
{
	assert_null(vm_by_id(vm->id)); // nobody finds it any more
	model_destroys++;
}
void dump_exits(struct vm *vm)
{
	assert_int_equal(vm->live, 0);
}
bool dump_some(struct vm *vm)
{
	assert_int_equal(vm->live, 0);
	if (vm->crash.shown == DUMP_PARTS)
		return false;
	assert_true(vm->stage2.pages.first != 0); // it looks at the guest's memory
	vm->crash.shown++;
	dump_parts++;
	return true;
}
void console_end(unsigned off, unsigned crashed)
{
	ends++;
	ended_off = off;
	ended_crashed = crashed;
}
void power_off(void)
{
	switched_off++;
}
bool power_exists(void)
{
	return 0x10000;
}
void cpu_halt(void)
{
	longjmp(halted, 1);
}

void console_vms_changed(void)
{
}
void console_forget(struct vm *vm)
{
	assert_null(vm_by_id(vm->id)); // nobody finds it any more
	forgotten++;
}
void vpl061_press(struct vpl061 *key)
{
	(void)key;
	presses++;
}
static void send_sgi(const struct cpu *cpu, uint32_t sgi)
{
	assert_ptr_not_equal(cpu, cpu_this());
	assert_int_equal(sgi, 0);
}
static const struct intc_ops test_intc = {.version = 3, .send_sgi = send_sgi};

// ---- a scheduler without choices: each vCPU runs where it was put ----

void sched_enter(struct vcpu *vcpu)
{
	assert_int_equal(vcpu->sched.state, SCHED_OUT);
	assert_int_equal(vcpu->vm->state, VM_RUNNING);
	vcpu->sched.state = SCHED_RUNNING;
}
void sched_leave(struct vcpu *vcpu)
{
	assert_int_equal(vcpu->sched.state, SCHED_RUNNING);
	vcpu->sched.state = SCHED_OUT;
}
void sched_wake(struct vcpu *vcpu, bool urgent)
{
	(void)vcpu;
	(void)urgent;
}
void sched_dismiss(struct vm *vm)
{
	for (uint32_t i = 0; i < vm->nr_vcpus; i++)
		assert_int_equal(vm->vcpu[i]->sched.state, SCHED_OUT);
	dismissed++;
}

// ---- the board ----

static struct pages_count before; // with every VM built and none begun

static void time_is(uint64_t ms)
{
	fake_set_sysreg("cntpct_el0", 1000 + ms * (HZ / 1000));
}

// VM n has two vCPUs, on CPUs 2n and 2n + 1.
static void add_vms(unsigned vms)
{
	for (unsigned n = 0; n < vms; n++) {
		char name[16];
		snprintf(name, sizeof name, "vm%u", n);
		struct vm *vm = vm_create(name, 2, MIB(64));
		assert_non_null(vm);
		vm->vcpu[0]->cpu = cpu_get(2 * n);
		vm->vcpu[1]->cpu = cpu_get(2 * n + 1);
		vm->entry = 0x40080000;
		vm->tree = 0x44000000;
		vm->power_key = (struct vpl061 *)vm; // only pressed
		assert_int_equal(vm_publish(vm), 0);
	}
}

static void board(unsigned vms, uint64_t ram)
{
	fake_reset();
	fake_set_sysreg("id_aa64mmfr0_el1", 2);
	features_probe(true);
	stage2_init();
	fake_set_sysreg("cntfrq_el0", HZ);
	timer_init(0);
	for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++) {
		fake_run_on(cpu);
		timer_init_cpu();
		fake_cpu_this->in_guest = 1;
	}
	fake_run_on(0);
	time_is(0);
	intc = &test_intc;
	ram_arena_init(ram);
	add_vms(vms);
	before = pages_counts();
}
// Bit n of `which`: VM number n + 1 starts by itself.
static void begin_all(uint64_t which)
{
	FOR_EACH_VM (vm)
		vm->autostart = (which >> (vm->id - 1) & 1) != 0;
	life_begin_all();
}

static bool serves_stop(struct vcpu *vcpu)
{
	if (vcpu->cpu != cpu_this() || vcpu->sched.state == SCHED_OUT ||
	    (vcpu->request & VCPU_REQ_STOP) == 0)
		return false;
	vcpu->request &= ~(uint32_t)VCPU_REQ_STOP;
	if (!vm_end_is_pause(vcpu->vm->end))
		vcpu->power = VCPU_OFF;
	sched_leave(vcpu);
	life_leave(vcpu);
	return true;
}

// One turn of every CPU's loop; true if any of them had something to do.
static bool turn(void)
{
	bool busy = false;
	for (unsigned i = 0; i < FAKE_CPUS; i++) {
		fake_run_on(i);
		struct cpu *cpu = cpu_this();
		cpu->in_guest = 0;
		FOR_EACH_VM (vm)
			for (uint32_t v = 0; v < vm->nr_vcpus; v++)
				busy |= serves_stop(vm->vcpu[v]);
		uint64_t free = pages_counts().free;
		busy |= life_chore(cpu);
		assert_true(pages_counts().free <= free + 16 * 512); // a piece, no more
		cpu->work = 0;
		cpu->in_guest = 1;
	}
	fake_run_on(0);
	return busy;
}

static void settle(void)
{
	for (unsigned n = 0; turn(); n++)
		assert_true(n < 10000);
}

static void touch(struct vm *vm, uint64_t size)
{
	for (uint64_t o = 0; o < size; o += KIB(64))
		assert_int_equal(stage2_fault(&vm->stage2, IPA(vm->ram_base + o)), 0);
}

// The guest runs for a while and ends.
static void live_and_end(struct vm *vm, enum vm_end why)
{
	assert_int_equal(vm->state, VM_RUNNING);
	touch(vm, MIB(4));
	vm->vcpu[0]->power = VCPU_ON;
	if (why == VM_END_CRASH)
		vm_crash(vm->vcpu[0], "of a test");
	else
		vm_end(vm, why);
	settle();
}

static void assert_all_back(void)
{
	assert_int_equal(pages_counts().free, before.free);
	assert_int_equal(pages_counts().committed, before.committed);
}

static void assert_said(const char *text)
{
	if (strstr(said, text) == NULL)
		fail_msg("nobody said '%s', but:\n%s", text, said);
}

// ---- begin ----

static void test_a_life_begins(void **state)
{
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	time_is(5000);
	begin_all(1);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->live, 2);
	assert_int_equal(vm->cntvoff, fake_get_sysreg("cntpct_el0")); // guest time starts at 0
	assert_int_equal(vm->vcpu[0]->power, VCPU_ON_PENDING);
	assert_int_equal(vm->vcpu[0]->request, VCPU_REQ_START);
	assert_int_equal(vm->vcpu[0]->entry, 0x40080000);
	assert_int_equal(vm->vcpu[0]->context, 0x44000000);
	assert_int_equal(vm->vcpu[1]->power, VCPU_OFF);
	assert_int_equal(vm->vcpu[1]->request, 0);
	assert_int_equal(vm->vcpu[0]->sched.state, SCHED_RUNNING);
	assert_int_equal(vm->vcpu[1]->sched.state, SCHED_RUNNING);
	assert_int_equal(model_resets, 1);
}

// A Raspberry Pi: all cores begin together, and it has no power button.
static void test_a_machine_whose_cores_all_begin(void **state)
{
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	vm->park = 0;
	vm->park_size = 0xd8;
	vm->power_key = NULL;
	begin_all(1);
	assert_int_equal(vm->vcpu[0]->entry, 0x40080000);
	assert_int_equal(vm->vcpu[1]->power, VCPU_ON_PENDING);
	assert_int_equal(vm->vcpu[1]->request, VCPU_REQ_START);
	assert_int_equal(vm->vcpu[1]->entry, 0);
	assert_int_equal(vm->vcpu[1]->context, 0);
	assert_non_null(strstr(life_stop(vm), "no power button"));
	assert_int_equal(presses, 0);
	assert_int_equal(vm->stop_at, 0);
}

static void test_only_those_that_are_to_begin(void **state)
{
	(void)state;
	board(3, MIB(32));
	life_set_policy(true, 0);
	begin_all(2);
	assert_int_equal(vm_by_id(1)->state, VM_CREATED);
	assert_int_equal(vm_by_id(2)->state, VM_RUNNING);
	if (setjmp(halted) == 0) {
		live_and_end(vm_by_id(2), VM_END_OFF);
		fail_msg("the board stays on");
	}
	assert_int_equal(ended_off, 1); // what never began is neither
	assert_int_equal(ended_crashed, 0);
}

static void test_nothing_begins(void **state)
{
	(void)state;
	board(1, MIB(32));
	life_set_policy(true, 2);
	if (setjmp(halted) == 0) {
		begin_all(0);
		fail_msg("the board stays on");
	}
	assert_true(ends == 1 && ended_off == 0 && ended_crashed == 2);
}

// ---- end ----

static void test_off(void **state)
{
	(void)state;
	board(2, MIB(32));
	life_set_policy(true, 1);
	begin_all(3);
	live_and_end(vm_by_id(1), VM_END_OFF);
	assert_int_equal(vm_by_id(1)->state, VM_OFF);
	assert_said("vm0: off");
	assert_int_equal(ends, 0); // the other one runs
	if (setjmp(halted) == 0) {
		live_and_end(vm_by_id(2), VM_END_OFF);
		fail_msg("the board stays on");
	}
	assert_true(ends == 1 && ended_off == 2 && ended_crashed == 1); // one was never built
	assert_int_equal(switched_off, 1);
	assert_all_back();
}

// The board's disk works for the guest until after its end: its memory waits.
static void test_devices_let_go_first(void **state)
{
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	begin_all(1);
	model_loud = 100;
	live_and_end(vm, VM_END_RESET);
	uint64_t free = pages_counts().free;
	assert_int_equal(vm->state, VM_CLEANING);
	settle();
	assert_int_equal(pages_counts().free, free);
	assert_in_range(model_asked, 1, 99);
	model_loud = 0;
	settle();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->restarts, 1);
	model_asked = 0;
	live_and_end(vm, VM_END_OFF);
	assert_int_equal(model_asked, 1); // if the answer is yes
}

static void test_the_shell_stays(void **state)
{
	(void)state;
	board(1, MIB(32));
	life_set_policy(false, 0);
	begin_all(1);
	live_and_end(vm_by_id(1), VM_END_OFF);
	assert_int_equal(ends + switched_off, 0);
	assert_said("no virtual machine runs any more");
	assert_all_back();
}

static void test_a_thousand_reboots(void **state)
{
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	begin_all(1);
	for (unsigned n = 1; n <= 1000; n++) {
		time_is(n * 1000);
		live_and_end(vm, VM_END_RESET);
		assert_int_equal(vm->state, VM_RUNNING);
		assert_int_equal(vm->restarts, n);
		assert_int_equal(vm->live, 2);
		assert_int_equal(vm->vcpu[0]->power, VCPU_ON_PENDING);
		assert_int_equal(vm->cntvoff, fake_get_sysreg("cntpct_el0"));
		assert_int_equal(vm->stage2.mapped, 0);
		assert_true(before.free - pages_counts().free <= 4); // the root alone
	}
	assert_int_equal(model_resets, 1001);
	live_and_end(vm, VM_END_OFF);
	assert_all_back();
}

// ---- crash ----

static void test_a_crash(void **state)
{
	(void)state;
	dump_parts = 0;
	board(2, MIB(32));
	life_set_policy(true, 0);
	begin_all(3);
	live_and_end(vm_by_id(1), VM_END_CRASH);
	assert_int_equal(vm_by_id(1)->state, VM_CRASHED);
	assert_said("vm0: crashed");
	assert_int_equal(dump_parts, DUMP_PARTS);
	assert_int_equal(vm_by_id(2)->state, VM_RUNNING); // leaves the others alone
	if (setjmp(halted) == 0)
		live_and_end(vm_by_id(2), VM_END_OFF);
	assert_true(ended_off == 1 && ended_crashed == 1);
	assert_all_back();
}

static void test_crash_after_crash(void **state)
{
	static const unsigned waits[] = {100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000};
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	vm->on_crash = VM_CRASH_RESTART;
	life_set_policy(true, 0);
	begin_all(1);
	uint64_t now = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
		live_and_end(vm, VM_END_CRASH);
		assert_int_equal(vm->state, VM_WAITING);
		assert_all_back();
		time_is(now + waits[i] - 1);
		settle();
		assert_int_equal(vm->state, VM_WAITING);
		now += waits[i];
		time_is(now);
		settle();
		assert_int_equal(vm->state, VM_RUNNING);
		assert_int_equal(vm->restarts, i + 1);
	}
	now += 60000; // it lived for long
	time_is(now);
	live_and_end(vm, VM_END_CRASH);
	time_is(now + 100);
	settle();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(ends, 0);
}

static void test_one_ends_all(void **state)
{
	(void)state;
	board(4, MIB(64));
	vm_by_id(1)->on_crash = VM_CRASH_HALT_ALL;
	vm_by_id(2)->on_crash = VM_CRASH_RESTART;
	life_set_policy(true, 0);
	begin_all(7);
	touch(vm_by_id(3), MIB(8));
	live_and_end(vm_by_id(2), VM_END_CRASH); // waits for its next life
	assert_int_equal(vm_by_id(2)->state, VM_WAITING);
	if (setjmp(halted) == 0) {
		live_and_end(vm_by_id(1), VM_END_CRASH);
		fail_msg("the board stays on");
	}
	assert_said("all others are ended");
	assert_true(ends == 1 && ended_crashed == 1 && ended_off == 2);
	assert_all_back();
}

// ---- no memory ----

static void test_no_memory_to_begin(void **state)
{
	struct page_list taken = {0};
	(void)state;
	board(2, MIB(32));
	life_set_policy(true, 0);
	ram_arena_exhaust(&taken, 2); // one root of two pages
	begin_all(3);
	assert_int_equal(vm_by_id(1)->state, VM_RUNNING);
	assert_int_equal(vm_by_id(2)->state, VM_PAUSED);
	assert_int_equal(vm_by_id(2)->live, 0);
	vm_end(vm_by_id(1), VM_END_OFF);
	settle(); // and the other one's turn has come
	assert_int_equal(vm_by_id(2)->state, VM_RUNNING);
	assert_int_equal(vm_by_id(2)->vcpu[0]->power, VCPU_ON_PENDING);
	assert_int_equal(ends, 0);
	if (setjmp(halted) == 0) {
		vm_end(vm_by_id(2), VM_END_OFF);
		settle();
	}
	assert_true(ends == 1 && ended_off == 2);
	ram_arena_release(&taken);
	assert_all_back();
}

static void test_devices_without_memory(void **state)
{
	(void)state;
	board(1, MIB(32));
	life_set_policy(true, 0);
	model_answer = ERR_NO_MEMORY;
	if (setjmp(halted) == 0) {
		begin_all(1);
		fail_msg("nothing runs, and the board stays on");
	}
	assert_int_equal(vm_by_id(1)->state, VM_PAUSED);
	assert_true(ends == 1 && ended_crashed == 1);
	assert_all_back(); // it holds nothing while it waits
}

static void test_a_pause_keeps_everything(void **state)
{
	(void)state;
	board(2, MIB(32));
	struct vm *vm = vm_by_id(1), *other = vm_by_id(2);
	begin_all(3);
	touch(vm, MIB(4));
	touch(other, MIB(8));
	vm->vcpu[0]->power = vm->vcpu[1]->power = VCPU_ON;
	uint64_t mapped = vm->stage2.mapped, offset = vm->cntvoff;
	time_is(1000);
	vm_end(vm, VM_END_STARVE);
	settle();
	assert_int_equal(vm->state, VM_PAUSED);
	assert_int_equal(vm->vcpu[0]->sched.state, SCHED_OUT);
	assert_int_equal(vm->stage2.mapped, mapped);
	assert_int_equal(vm->vcpu[1]->power, VCPU_ON);
	time_is(4000);
	assert_false(turn()); // nothing brings it back but memory
	vm_end(other, VM_END_OFF);
	settle();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->cntvoff, offset + 3000 * (HZ / 1000)); // it noticed nothing
	assert_int_equal(vm->stage2.mapped, mapped);
	assert_int_equal(vm->vcpu[0]->sched.state, SCHED_RUNNING);
	assert_true((vm->vcpu[1]->request & VCPU_REQ_START) !=
	            0); // it may just have been switched on
	live_and_end(vm, VM_END_OFF);
	assert_all_back();
}

// Asked to end for good while it is on its way to a pause.
static void test_an_end_during_a_pause(void **state)
{
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	life_set_policy(true, 0);
	begin_all(1);
	touch(vm, MIB(2));
	vm_end(vm, VM_END_STARVE);
	vm_end(vm, VM_END_OFF);
	if (setjmp(halted) == 0)
		settle();
	assert_int_equal(vm->state, VM_OFF);
	assert_true(ends == 1 && ended_off == 1);
	assert_all_back();
}

// ---- what people ask for ----

static void refused(const char *why, const char *because)
{
	if (why == NULL || strstr(why, because) == NULL)
		fail_msg("not refused because of '%s' but: %s", because, why == NULL ? "-" : why);
}

static void test_start(void **state)
{
	(void)state;
	board(2, MIB(32));
	struct vm *vm = vm_by_id(1);
	refused(life_kill(vm), "does not run");
	refused(life_pause(vm), "does not run");
	refused(life_resume(vm), "not paused");
	refused(life_stop(vm), "does not run");
	assert_null(life_start(vm)); // CREATED
	assert_int_equal(vm->state, VM_RUNNING);
	refused(life_start(vm), "running already");
	live_and_end(vm, VM_END_OFF);
	assert_null(life_start(vm)); // OFF
	live_and_end(vm, VM_END_CRASH);
	assert_int_equal(vm->state, VM_CRASHED);
	assert_null(life_start(vm)); // CRASHED
	live_and_end(vm, VM_END_RESET);
	assert_int_equal(vm->restarts, 1);
	assert_null(life_kill(vm));
	settle();
	assert_null(life_restart(vm)); // OFF
	assert_int_equal(vm->restarts, 0);
	assert_null(life_kill(vm));
	settle();
	assert_all_back();
}

static void test_kill(void **state)
{
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	vm->on_crash = VM_CRASH_RESTART;
	// While it runs; twice.
	begin_all(1);
	touch(vm, MIB(4));
	assert_null(life_kill(vm));
	assert_null(life_kill(vm));
	settle();
	assert_int_equal(vm->state, VM_OFF);
	assert_all_back();
	// While it is on its way to its next life: it gets none.
	assert_null(life_start(vm));
	vm_end(vm, VM_END_RESET);
	assert_null(life_kill(vm));
	settle();
	assert_int_equal(vm->state, VM_OFF);
	assert_null(life_start(vm));
	touch(vm, MIB(12)); // a while to clean up
	vm_end(vm, VM_END_RESET);
	while (vm->state == VM_ENDING)
		(void)turn();
	assert_null(life_kill(vm));
	settle();
	assert_int_equal(vm->state, VM_OFF);
	// While it waits for it.
	assert_null(life_start(vm));
	live_and_end(vm, VM_END_CRASH);
	assert_int_equal(vm->state, VM_WAITING);
	refused(life_start(vm), "by itself");
	assert_null(life_kill(vm));
	settle();
	assert_int_equal(vm->state, VM_OFF);
	// While it is paused, or about to be.
	assert_null(life_start(vm));
	touch(vm, MIB(4));
	assert_null(life_pause(vm));
	settle();
	assert_null(life_kill(vm));
	settle();
	assert_int_equal(vm->state, VM_OFF);
	assert_null(life_start(vm));
	assert_null(life_pause(vm));
	assert_null(life_kill(vm));
	settle();
	assert_int_equal(vm->state, VM_OFF);
	// And a kill of long ago does not keep it from its next lives.
	assert_null(life_start(vm));
	live_and_end(vm, VM_END_RESET);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_null(life_kill(vm));
	settle();
	assert_all_back();
}

static void test_pause_and_resume(void **state)
{
	(void)state;
	board(2, MIB(32));
	struct vm *vm = vm_by_id(1);
	life_set_policy(true, 0);
	begin_all(3);
	uint64_t offset = vm->cntvoff;
	time_is(1000);
	assert_null(life_pause(vm));
	settle();
	assert_int_equal(vm->state, VM_PAUSED);
	refused(life_pause(vm), "paused already");
	refused(life_start(vm), "resume");
	refused(life_stop(vm), "paused");
	// It is alive: the board stays on when the other one ends, and its memory is not for it.
	live_and_end(vm_by_id(2), VM_END_OFF);
	assert_int_equal(vm->state, VM_PAUSED);
	assert_int_equal(ends, 0);
	time_is(11000);
	assert_null(life_resume(vm));
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->cntvoff, offset + 10000 * (HZ / 1000));
	refused(life_resume(vm), "not paused");
	// A restart of a paused one is a life from the start.
	assert_null(life_pause(vm));
	settle();
	assert_null(life_restart(vm));
	settle();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->restarts, 1);
	if (setjmp(halted) == 0)
		live_and_end(vm, VM_END_OFF);
	assert_all_back();
}

static void test_restart(void **state)
{
	(void)state;
	board(1, MIB(32));
	struct vm *vm = vm_by_id(1);
	vm->on_crash = VM_CRASH_RESTART;
	begin_all(1);
	assert_null(life_restart(vm));
	settle();
	assert_int_equal(vm->restarts, 1);
	live_and_end(vm, VM_END_CRASH);
	assert_int_equal(vm->state, VM_WAITING);
	assert_null(life_restart(vm)); // does not wait any longer
	settle();
	assert_int_equal(vm->state, VM_RUNNING);
	assert_null(life_kill(vm));
	settle();
	assert_all_back();
}

static void test_the_power_button(void **state)
{
	(void)state;
	board(2, MIB(32));
	struct vm *vm = vm_by_id(1), *deaf = vm_by_id(2);
	vm->stop_timeout_ms = 10000;
	deaf->stop_timeout_ms = 2000;
	begin_all(3);
	assert_null(life_stop(vm));
	assert_null(life_stop(deaf));
	assert_int_equal(presses, 2);
	live_and_end(vm, VM_END_OFF);
	time_is(1999);
	life_watch_stops();
	assert_null(strstr(said, "did not answer"));
	time_is(2000);
	life_watch_stops();
	assert_said("vm1: did not answer its power button within 2 s: `kill vm1` ends it");
	said[0] = 0;
	time_is(20000);
	life_watch_stops(); // once, and not of one that is off
	assert_null(strstr(said, "did not answer"));
	assert_null(life_kill(deaf));
	settle();
	assert_all_back();
}

// In every state; and nothing of it is left, not even its number.
static void test_destroy(void **state)
{
	static const enum vm_end ways[] = {VM_END_OFF, VM_END_RESET, VM_END_CRASH, VM_END_PAUSE,
	                                   VM_END_STARVE};
	(void)state;
	board(0, MIB(32));
	for (unsigned way = 0; way < 3 * (ARRAY_SIZE(ways) + 2); way++) {
		unsigned kind = way / 3, moment = way % 3;
		struct vm *vm = vm_create("short", 2, MIB(64));
		assert_non_null(vm);
		assert_int_equal(vm->id, 1);
		vm->vcpu[0]->cpu = cpu_get(3);
		vm->vcpu[1]->cpu = cpu_get(5);
		vm->on_crash = way % 2 == 0 ? VM_CRASH_RESTART : VM_CRASH_STOP;
		assert_int_equal(vm_publish(vm), 0);
		if (kind > 0) { // else CREATED
			assert_null(life_start(vm));
			touch(vm, MIB(4));
		}
		if (kind > 1) {
			if (ways[kind - 2] == VM_END_CRASH)
				vm_crash(vm->vcpu[1], "of a test");
			else
				vm_end(vm, ways[kind - 2]);
			for (unsigned i = 0; i < moment * 4; i++)
				(void)turn();
		}
		assert_null(life_destroy(vm));
		if (vm_by_id(1) == vm)
			refused(life_destroy(vm), "being destroyed");
		settle();
		assert_null(vm_by_id(1));
		assert_int_equal(forgotten, way + 1);
		assert_int_equal(dismissed, way + 1);
		assert_int_equal(model_destroys, way + 1);
		assert_all_back();
	}
}

// While a CPU may hold a pointer to it, the VM is out of sight but there.
static void test_destroyed_when_all_have_let_go(void **state)
{
	(void)state;
	board(1, MIB(32));
	uint64_t free = pages_counts().free;
	struct vm *vm = vm_by_id(1);
	for (unsigned i = 0; i < FAKE_CPUS; i++)
		cpu_get(i)->in_guest = i != 4; // this one works for the console
	assert_null(life_destroy(vm));
	assert_null(vm_by_id(1));
	for (unsigned i = 0; i < 100; i++) {
		assert_false(life_chore(cpu_this()));
		assert_int_equal(pages_counts().free, free);
	}
	cpu_get(4)->in_guest = 1;
	cpu_get(6)->in_guest = 0; // was seen before
	while (life_chore(cpu_this()))
		;
	assert_true(pages_counts().free > free);
}

// ---- anything ----

static void test_random_lives(void **state)
{
	(void)state;
	srand(7);
	board(0, MIB(64));
	uint64_t bare = pages_counts().free;
	add_vms(4);
	for (unsigned i = 0; i < 4; i++)
		vm_by_id(i + 1)->on_crash = VM_CRASH_RESTART;
	begin_all(15);
	uint64_t now = 0;
	for (unsigned n = 0; n < 4000; n++) {
		struct vm *vm = vm_by_id((unsigned)rand() % 4 + 1);
		time_is(now += (unsigned)rand() % 3000);
		if (vm->state == VM_RUNNING && rand() % 2 == 0)
			(void)stage2_fault(&vm->stage2,
			                   IPA(vm->ram_base + (uint64_t)rand() % MIB(16)));
		static const enum vm_end ways[] = {VM_END_RESET, VM_END_CRASH, VM_END_STARVE};
		static const char *(*const wishes[])(struct vm *) = {
		        life_start, life_stop, life_kill, life_pause, life_resume, life_restart};
		enum vm_end why = ways[rand() % 3];
		if (rand() % 3 == 0)
			(void)wishes[rand() % 6](vm);
		if (rand() % 4 == 0 && why == VM_END_CRASH)
			vm_crash(vm->vcpu[rand() % 2], "of a test");
		else if (rand() % 4 == 0)
			vm_end(vm, why);
		(void)turn();
		for (unsigned i = 0; i < 4; i++) { // nobody has a vCPU of a VM that does not run
			uint32_t s = vm_by_id(i + 1)->state;
			if (s == VM_PAUSED || s == VM_WAITING)
				assert_int_equal(vm_by_id(i + 1)->live, 0);
		}
	}
	time_is(now + 100000);
	settle();
	for (unsigned i = 1; i <= 4; i++)
		assert_null(life_destroy(vm_by_id(i)));
	settle();
	assert_int_equal(vm_count(), 0);
	assert_int_equal(pages_counts().free, bare);
	assert_int_equal(pages_counts().committed, BIT_U64(PAGES_MAX_ORDER));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_a_life_begins),
	        cmocka_unit_test(test_only_those_that_are_to_begin),
	        cmocka_unit_test(test_nothing_begins),
	        cmocka_unit_test(test_off),
	        cmocka_unit_test(test_devices_let_go_first),
	        cmocka_unit_test(test_the_shell_stays),
	        cmocka_unit_test(test_a_thousand_reboots),
	        cmocka_unit_test(test_a_crash),
	        cmocka_unit_test(test_crash_after_crash),
	        cmocka_unit_test(test_one_ends_all),
	        cmocka_unit_test(test_no_memory_to_begin),
	        cmocka_unit_test(test_devices_without_memory),
	        cmocka_unit_test(test_a_pause_keeps_everything),
	        cmocka_unit_test(test_an_end_during_a_pause),
	        cmocka_unit_test(test_start),
	        cmocka_unit_test(test_kill),
	        cmocka_unit_test(test_pause_and_resume),
	        cmocka_unit_test(test_restart),
	        cmocka_unit_test(test_a_machine_whose_cores_all_begin),
	        cmocka_unit_test(test_the_power_button),
	        cmocka_unit_test(test_destroy),
	        cmocka_unit_test(test_destroyed_when_all_have_let_go),
	        cmocka_unit_test(test_random_lives),
	};
	return own_process_run(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
