// SPDX-License-Identifier: Apache-2.0
/*
 * The benchmark's virtual machine monitor for KVM: /init of a Linux kernel that runs on a board of QEMU's with EL2
 * (bench/peers.py packs both). Each machine is a process of its own and each vCPU a thread, tied to the CPU of its
 * number. The guest has an in-kernel GIC, PSCI in the kernel, and of devices a PL011 that only prints; everything else
 * reads as 0. Machine N starts /vmN.img with the tree /vmN.dtb; what it prints appears as lines with the prefix
 * "vmN: ". When the last one is off, so is the board.
 *
 * Arguments, behind "--" on the kernel's command line: gic=2|3 cpus=COUNT memory=MIB huge=0|1.
 *
 * It does as little as a monitor can, so that the figures are the kernel's: characters are gathered into lines and a
 * device access is one return to here.
 * Source: Linux Documentation/virt/kvm/api.rst; Documentation/virt/kvm/devices/arm-vgic.rst, arm-vgic-v3.rst.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_VMS    4
#define MAX_VCPUS  8
#define LINE_BYTES 256
#define NAME_BYTES 32

/* The memory map of QEMU's virt board, which bench/peers.py writes into the tree. */
#define GICD_BASE 0x08000000u
#define GICC_BASE 0x08010000u
#define GICR_BASE 0x080a0000u
#define UART_BASE 0x09000000u
#define UART_SIZE 0x1000u
#define RAM_BASE  0x40000000u

#define MIB          0x100000u
#define BLOCK        (2u * MIB) /* what a huge page is, and one block of stage 2 */
#define IMAGE_OFFSET BLOCK
#define TREE_OFFSET  (128u * MIB)
#define LEAST_MEMORY (4u * BLOCK)

/* PrimeCell UART (PL011) Technical Reference Manual, "Flag register, UARTFR". */
#define UART_DR      0x00u
#define UART_FR      0x18u
#define UART_FR_IDLE 0x90u /* transmit FIFO empty, receive FIFO empty */

struct vm {
	unsigned number, cpus, gic, huge;
	size_t memory;
	int kvm, fd;
	uint8_t *ram;
};

struct vcpu {
	const struct vm *vm;
	unsigned number;
	int fd;
	struct kvm_run *run;
};

/* Where QEMU's virt board has it; in less memory, the last block. */
static size_t tree_offset(const struct vm *vm)
{
	return vm->memory > TREE_OFFSET ? TREE_OFFSET : vm->memory - BLOCK;
}

static struct {
	char text[LINE_BYTES];
	size_t len;
	pthread_mutex_t lock;
} line = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
}

/* Nothing here is worth going on without. */
static _Noreturn void die(const char *what)
{
	perror(what);
	if (getpid() == 1)
		power_off();
	exit(1);
}

static int must(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

/* --- the machine ----------------------------------------------------------------------------------- */

static void load(const struct vm *vm, const char *kind, size_t offset)
{
	char name[NAME_BYTES];
	ssize_t done;
	int fd;

	snprintf(name, sizeof(name), "/vm%u.%s", vm->number, kind);
	fd = must(open(name, O_RDONLY), name);
	while ((done = read(fd, vm->ram + offset, vm->memory - offset)) > 0)
		offset += (size_t)done;
	must((int)done, name);
	close(fd);
}

/* Memory that the host's pages of 2 MiB can back, if they shall. */
static void make_memory(struct vm *vm)
{
	uint8_t *at = mmap(NULL, vm->memory + BLOCK, PROT_READ | PROT_WRITE,
	                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_userspace_memory_region region = {.guest_phys_addr = RAM_BASE,
	                                             .memory_size = vm->memory};

	if (at == MAP_FAILED)
		die("mmap");
	vm->ram = (uint8_t *)(((uintptr_t)at + BLOCK - 1) & ~(uintptr_t)(BLOCK - 1));
	must(madvise(vm->ram, vm->memory, vm->huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), "madvise");
	region.userspace_addr = (uintptr_t)vm->ram;
	must(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static void set_gic(int fd, uint32_t group, uint64_t attr, uint64_t *value)
{
	struct kvm_device_attr set = {.group = group, .attr = attr, .addr = (uintptr_t)value};

	must(ioctl(fd, KVM_SET_DEVICE_ATTR, &set), "KVM_SET_DEVICE_ATTR");
}

/* After the vCPUs: the redistributors are theirs. */
static void make_gic(const struct vm *vm)
{
	struct kvm_create_device make = {.type = vm->gic == 2 ? KVM_DEV_TYPE_ARM_VGIC_V2
	                                                      : KVM_DEV_TYPE_ARM_VGIC_V3};
	uint64_t gicd = GICD_BASE, gicc = GICC_BASE, gicr = GICR_BASE;

	must(ioctl(vm->fd, KVM_CREATE_DEVICE, &make), "KVM_CREATE_DEVICE");
	if (vm->gic == 2) {
		set_gic((int)make.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST, &gicd);
		set_gic((int)make.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU, &gicc);
	} else {
		set_gic((int)make.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &gicd);
		set_gic((int)make.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST,
		        &gicr);
	}
	set_gic((int)make.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
}

static void set_register(const struct vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg set = {.id = id, .addr = (uintptr_t)&value};

	must(ioctl(vcpu->fd, KVM_SET_ONE_REG, &set), "KVM_SET_ONE_REG");
}

#define CORE_REGISTER(name) \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(regs.name))

/* CPU 0 begins as an Image does; the others wait for the guest's CPU_ON. */
static void make_vcpu(const struct vm *vm, struct vcpu *vcpu, unsigned number)
{
	struct kvm_vcpu_init init;
	int size = must(ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");

	vcpu->vm = vm;
	vcpu->number = number;
	vcpu->fd = must(ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)number), "KVM_CREATE_VCPU");
	vcpu->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		die("mmap of kvm_run");
	must(ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	if (number > 0)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	must(ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
	if (number > 0)
		return;
	set_register(vcpu, CORE_REGISTER(regs[0]), RAM_BASE + tree_offset(vm));
	set_register(vcpu, CORE_REGISTER(pc), RAM_BASE + IMAGE_OFFSET);
}

/* --- running --------------------------------------------------------------------------------------- */

static void print_character(const struct vm *vm, char c)
{
	char text[LINE_BYTES + NAME_BYTES];
	int len;

	if (c == '\r')
		return;
	pthread_mutex_lock(&line.lock);
	if (c != '\n')
		line.text[line.len++] = c;
	if (c == '\n' || line.len == sizeof(line.text)) {
		len = snprintf(text, sizeof(text), "vm%u: %.*s\n", vm->number, (int)line.len,
		               line.text);
		line.len = 0;
		if (write(STDOUT_FILENO, text, (size_t)len) != len)
			die("console");
	}
	pthread_mutex_unlock(&line.lock);
}

static void access_device(const struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint64_t offset = run->mmio.phys_addr - UART_BASE;

	if (run->mmio.is_write && offset == UART_DR) {
		print_character(vcpu->vm, (char)run->mmio.data[0]);
	} else if (!run->mmio.is_write) {
		memset(run->mmio.data, 0, sizeof(run->mmio.data));
		if (offset == UART_FR)
			run->mmio.data[0] = UART_FR_IDLE;
	}
}

/* Runs until the guest switches its machine off, which ends the process and with it the other vCPUs. */
static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;
	cpu_set_t where;

	CPU_ZERO(&where);
	CPU_SET(vcpu->number, &where);
	sched_setaffinity(0, sizeof(where), &where); /* a board of fewer CPUs: anywhere */
	for (;;) {
		must(ioctl(vcpu->fd, KVM_RUN, 0), "KVM_RUN");
		switch (vcpu->run->exit_reason) {
		case KVM_EXIT_MMIO: access_device(vcpu); break;
		case KVM_EXIT_SYSTEM_EVENT:
			exit(vcpu->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? 0 : 1);
		default:
			printf("vmm: vm%u vCPU %u left for reason %u\n", vcpu->vm->number,
			       vcpu->number, vcpu->run->exit_reason);
			exit(1);
		}
	}
}

static _Noreturn void run_vm(struct vm *vm)
{
	static struct vcpu vcpus[MAX_VCPUS];
	pthread_t thread;

	vm->kvm = must(open("/dev/kvm", O_RDWR), "/dev/kvm");
	vm->fd = must(ioctl(vm->kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	make_memory(vm);
	load(vm, "img", IMAGE_OFFSET);
	load(vm, "dtb", tree_offset(vm));
	for (unsigned i = 0; i < vm->cpus; i++)
		make_vcpu(vm, &vcpus[i], i);
	make_gic(vm);
	for (unsigned i = 1; i < vm->cpus; i++) {
		if (pthread_create(&thread, NULL, run_vcpu, &vcpus[i]) != 0)
			die("pthread_create");
	}
	run_vcpu(&vcpus[0]);
	exit(1);
}

static unsigned number_of(int argc, char **argv, const char *name, unsigned otherwise)
{
	size_t len = strlen(name);

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], name, len) == 0 && argv[i][len] == '=')
			return (unsigned)strtoul(argv[i] + len + 1, NULL, 10);
	}
	return otherwise;
}

int main(int argc, char **argv)
{
	struct vm vm = {
	        .cpus = number_of(argc, argv, "cpus", 1),
	        .gic = number_of(argc, argv, "gic", 3),
	        .huge = number_of(argc, argv, "huge", 1),
	        .memory = (size_t)number_of(argc, argv, "memory", 512) * MIB,
	};
	char name[NAME_BYTES];

	if (vm.cpus > MAX_VCPUS)
		vm.cpus = MAX_VCPUS;
	if (vm.memory < LEAST_MEMORY)
		vm.memory = LEAST_MEMORY;
	for (; vm.number < MAX_VMS; vm.number++) {
		snprintf(name, sizeof(name), "/vm%u.img", vm.number);
		if (access(name, R_OK) != 0)
			break;
		if (must(fork(), "fork") == 0)
			run_vm(&vm);
	}
	while (wait(NULL) > 0)
		;
	power_off();
	return 1;
}
