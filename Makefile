# SPDX-License-Identifier: Apache-2.0
#
# Builds Mezzo and runs its tests. `make help` lists the targets.
#
#   COMPILER=gcc|clang   gcc builds into build/, clang (with lld) into build/clang/
#   DEBUG=1              adds the checks of the debug build, in build/debug/ (clang: build/clang/debug/)
#   VMID_BITS=2          VMIDs of so many bits, 2 to 16, to see them run out, in build/vmid2/ and so on; a
#                        board has fewer CPUs than numbers then: 2 bits make 3 numbers
#   V=1                  shows the commands
#
# Sources are found by wildcard: a new file needs no line here.

# With -s not even a line for each file.
SILENT    := $(findstring s,$(firstword -$(MAKEFLAGS)))
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

COMPILER ?= gcc
DEBUG    ?= 0
B        := build
O        := $(B)$(if $(filter clang,$(COMPILER)),/clang)$(if $(filter 1,$(DEBUG)),/debug)$(VMID_BITS:%=/vmid%)
GEN      := $(B)/gen
Q        := $(if $(V),,@)
say       = $(if $(SILENT),,@printf '  %-7s %s\n' $(1) $(patsubst $(B)/%,%,$@))

prefix  ?= /usr/local
bindir  ?= $(prefix)/bin
mandir  ?= $(prefix)/share/man
datadir ?= $(prefix)/share

# --- compilers --------------------------------------------------------------------------------

CROSS := $(if $(filter aarch64,$(shell uname -m)),,aarch64-linux-gnu-)
OBJCOPY := $(CROSS)objcopy
OBJDUMP := $(CROSS)objdump
ifeq ($(COMPILER),clang)
CC      := clang --target=aarch64-linux-gnu
LD      := ld.lld
HOSTCC  := clang
HOSTAR  := ar
# clang 14 and 15 want to be told that zeroing locals is meant; 16 and later do so unasked.
CC_ONLY := $(shell echo 'int x;' | $(CC) -ftrivial-auto-var-init=zero -xc -c -o /dev/null - 2>/dev/null || \
	     echo -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
else ifeq ($(COMPILER),gcc)
CC      := $(CROSS)gcc
LD      := $(CROSS)ld
HOSTCC  := gcc
HOSTAR  := ar
CC_ONLY := -fstack-usage
else
$(error COMPILER is gcc or clang, not '$(COMPILER)')
endif
# For small programs that are code and data in one segment: GNU ld warns of that, lld does not and knows no such option.
LD_ONE_SEGMENT := $(if $(filter gcc,$(COMPILER)),--no-warn-rwx-segments)

# Unpacked by tools/setup from Debian's libfdt-dev for arm64. It stands for all that setup does:
# every compilation waits for it.
FDT_DIR := $(B)/deb/libfdt
FDT_LIB := $(FDT_DIR)/libfdt.a

WARN := -Wall -Wextra -Wshadow -Wconversion -Werror -Wstrict-prototypes -Wmissing-prototypes \
	-Wundef -Wvla
DEPS  = -MMD -MP -MF $@.d
DEFS := $(if $(filter 1,$(DEBUG)),-DMEZZO_DEBUG) $(VMID_BITS:%=-DMEZZO_VMID_BITS=%)
# Paths in the image are relative to the repository, so that it is the same wherever it is built.
COMMON := -std=gnu17 -g -fno-common -ffile-prefix-map=$(CURDIR)/= $(WARN) $(DEFS)

# What runs at EL2: position independent without a loader, no FP/SIMD, no unaligned access (its
# first instructions run with the MMU off), no call into libgcc. Landing pads and signed return addresses, as hints that
# older CPUs skip (docs/exits.md). x18 stays the guest's in fast exits (arm/exits.S). What avoids errata: arm/errata.c.
EL2_FLAGS := $(COMMON) -O2 -ffreestanding -fPIE -fvisibility=hidden -mgeneral-regs-only -ffixed-x18 \
	-mstrict-align -mno-outline-atomics -mfix-cortex-a53-835769 -fno-omit-frame-pointer -fstack-protector-strong \
	-ftrivial-auto-var-init=zero -mbranch-protection=standard -ffunction-sections \
	-fdata-sections $(CC_ONLY) -Isrc -I$(GEN) -isystem $(FDT_DIR)/include
EL2_LDFLAGS := -pie -static --no-dynamic-linker -nostdlib -z text -z noexecstack \
	-z max-page-size=4096 -z separate-code --gc-sections --build-id=none \
	--fix-cortex-a53-843419 $(if $(filter gcc,$(COMPILER)),--fix-cortex-a53-835769)
HOST_FLAGS := $(COMMON) -O2 -fPIE -fstack-protector-strong -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	-I$(GEN)
UNIT_FLAGS := $(COMMON) -O1 -fno-omit-frame-pointer -D_GNU_SOURCE -DMEZZO_UNIT \
	-fsanitize=address,undefined -fno-sanitize-recover=all -Itest/unit/fake -Isrc -I$(GEN)

# --- sources ----------------------------------------------------------------------------------

SRC_C := $(wildcard src/*/*.c)
SRC_S := $(wildcard src/*/*.S)
LDS   := src/arm/mezzo.lds

# Only built for EL2: what they do has no meaning, or no fake yet, on the host.
NOT_ON_HOST := $(filter-out src/arm/cache.c src/arm/errata.c src/arm/features.c,$(wildcard src/arm/*.c)) src/main/boot.c src/main/run.c

# The host command shares the parts that read files and trees; unit tests see everything.
SHARED_C := $(filter-out $(NOT_ON_HOST),$(wildcard src/base/*.c src/fdt/*.c src/vm/image*.c) src/console/lines.c)
UNIT_C   := $(filter-out $(NOT_ON_HOST),$(SRC_C))
HOST_C   := $(wildcard host/*.c)
FAKE_C   := $(wildcard test/unit/fake/*.c test/unit/fake/*/*.c)
TEST_C   := $(wildcard test/unit/test_*.c)

EL2_OBJ  := $(SRC_C:%=$(O)/el2/%.o) $(SRC_S:%=$(O)/el2/%.o)
TESTS    := $(TEST_C:test/unit/%.c=$(O)/unit/%)

# --- targets ----------------------------------------------------------------------------------

.PHONY: help all setup ready run test test-unit test-decode test-fuzz test-host test-guest test-pi test-boot \
	test-hostile test-matrix test-distro \
	hostile fuzz fuzz-guest mutation soak bench bench-sched bench-virtio bench-compare check gdb install clean \
	unit-programs fuzz-programs guest demo few-vmids print-el2 print-fuzz test-plain \
	print-host print-unit FORCE

all: $(O)/mezzo.elf $(O)/mezzo.img $(O)/mezzo ## build the hypervisor (mezzo.elf, mezzo.img) and the host command

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z_.-]+:.*## / { printf "  %-22s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing, unpack kernels and libraries under build/
	$(Q)tools/setup

# On a fresh machine there is no compiler yet, so the build starts only when setup is done.
ready:
	$(Q)tools/setup --quiet
	$(Q)$(MAKE) --no-print-directory all demo unit-programs fuzz-programs guest pi hostile-image fuzzer few-vmids

run: ## boot the demo: several virtual machines in this terminal
	$(Q)tools/setup --quiet
	$(Q)$(MAKE) --no-print-directory all demo
	$(Q)$(O)/mezzo run demo/demo.conf

test: ready ## run every test; the last line is "N passed, N failed, N skipped"
	$(Q)tools/test unit fuzz host guest pi boot hostile

test-unit: unit-programs ## run the unit tests on this machine, under ASan and UBSan
	$(Q)tools/test unit

test-decode: ## compare the instruction decoder with LLVM's for all 2^30 words of loads and stores: minutes
	$(Q)tools/setup --quiet
	$(Q)$(MAKE) --no-print-directory $(B)/decode/compare
	$(Q)nice $(B)/decode/compare all

test-fuzz: all fuzz-programs ## a few seconds of each fuzz target
	$(Q)tools/test fuzz

# Hours; `make fuzz FUZZ_TARGETS="tree desc"` for some of them. What is found is kept and used the next time.
FUZZ_RUNS    ?= 10000000
FUZZ_TARGETS ?=
fuzz: all fuzz-programs ## run FUZZ_RUNS (10,000,000) executions of each fuzz target
	$(Q)test/fuzz/run --keep --runs $(FUZZ_RUNS) $(FUZZ_TARGETS)

test-host: $(O)/mezzo ## run the tests of the host command
	$(Q)tools/test host

test-guest: all guest ## run the EL1 test kernels, under Mezzo and on the bare board
	$(Q)tools/test guest

test-plain: all guest ## run all the EL1 test kernels once more, without fast exits
	$(Q)PLAIN_ALL=1 /usr/bin/python3 -B -m pytest -q -p no:cacheprovider --rootdir=test/guest test/guest -k test_plain

test-pi: all pi ## run the Raspberry Pi programs, as guests and on the bare board
	$(Q)tools/test pi

test-hostile: all guest hostile-image fuzzer ## attack Mezzo from a guest beside a victim, on a few boards
	$(Q)tools/test hostile

hostile: all guest hostile-image fuzzer ## the same on every CPU model, interrupt controller and number of CPUs
	$(Q)$(MAKE) --no-print-directory DEBUG=1 all
	$(Q)tools/test hostile-matrix

test-boot: all demo guest few-vmids ## boot Debian kernels so that every pair of settings occurs
	$(Q)tools/test boot

soak: ready ## live, reboot, move between CPUs and flood 10,000 times and more: half an hour
	$(Q)LIVES=$${LIVES:-10000} REBOOTS=$${REBOOTS:-100} MIGRATIONS=$${MIGRATIONS:-100000} \
		FLOOD_SECONDS=$${FLOOD_SECONDS:-300} /usr/bin/python3 -B -m pytest -v -p no:cacheprovider \
		--rootdir=test/boot --tb=short test/boot/test_machines.py test/boot/test_wire.py

# An image that runs out of VMIDs at once, for the tests of that.
few-vmids:
	$(Q)$(MAKE) --no-print-directory COMPILER=gcc DEBUG=0 VMID_BITS=2 $(B)/vmid2/mezzo.img

test-distro: ready ## boot Debian from a disk, its installer, its real-time kernel and U-Boot: makes them first
	$(Q)tools/setup --quiet distro
	$(Q)tools/test distro

test-matrix: all ## boot every combination of kernel, GIC, CPUs, CPU model and entry level
	$(Q)tools/test matrix

bench: all guest ## measure Mezzo and its peers by one guest, in instructions; ARGS="--only one --gic 3" for a part
	$(Q)tools/setup --quiet bench
	$(Q)$(MAKE) --no-print-directory bench-guest
	$(Q)bench/run $(ARGS)
	$(Q)$(if $(ARGS),,bench/sched)

bench-compare: ## show which of Mezzo's own figures differ by more than 5 % from bench/baseline.json
	$(Q)bench/run --compare

bench-sched: all guest ## only the shares, budgets and wake-ups of VMs that share CPUs
	$(Q)bench/sched

bench-virtio: all bench-guest bench-plugin ## only what disks and networks take: exits and instructions for each operation
	$(Q)bench/run --only virtio

check: ## format, layers, headers, analysers, both compilers, the gate on the ELF, sizes
	$(Q)tools/setup --quiet
	$(Q)tools/check

mutation: ready ## put known bugs back, one at a time, and see which test notices: hours
	$(Q)tools/mutate

gdb: $(O)/mezzo.elf ## attach to a machine started with: mezzo run ... -- -s -S
	gdb-multiarch -q $(O)/mezzo.elf -ex 'target remote localhost:1234'

compile_commands.json: FORCE | $(GEN)/version.h ## write the compilation database for editors and clang-tidy
	$(Q)tools/compdb '$(CC) $(filter-out -fstack-usage,$(EL2_FLAGS))' $(SRC_C) \
		-- '$(HOSTCC) $(HOST_FLAGS) -Isrc' $(HOST_C) \
		-- '$(HOSTCC) $(UNIT_FLAGS)' $(TEST_C) $(FAKE_C) > $@

# For tools/check: how each kind of source is compiled.
print-el2:; @echo '$(CC) $(filter-out -fstack-usage,$(EL2_FLAGS))'
print-host:; @echo '$(HOSTCC) $(HOST_FLAGS) -Isrc'
print-unit:; @echo '$(HOSTCC) $(UNIT_FLAGS)'

install: all ## install under $(DESTDIR)$(prefix)
	install -d $(DESTDIR)$(bindir) $(DESTDIR)$(datadir)/mezzo $(DESTDIR)$(mandir)
	install -m 755 $(O)/mezzo $(DESTDIR)$(bindir)/mezzo
	install -m 644 $(O)/mezzo.img $(DESTDIR)$(datadir)/mezzo/mezzo.img
	install -D -m 644 host/mezzo.bash-completion \
		$(DESTDIR)$(datadir)/bash-completion/completions/mezzo
	set -e; for page in $(wildcard docs/man/*.[1-9]); do \
		install -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done

clean: ## remove what was built, keep what was downloaded and unpacked
	rm -rf $(filter-out $(addprefix $(B)/,apt cache deb guests),$(wildcard $(B)/*)) compile_commands.json

# --- EL2 --------------------------------------------------------------------------------------

$(FDT_LIB):
	$(Q)tools/setup

$(GEN)/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define MEZZO_VERSION "%s"\n' \
		"$$(git describe --always --dirty 2>/dev/null || echo unknown)" > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(O)/mezzo.elf: $(EL2_OBJ) $(LDS) $(FDT_LIB)
	$(call say,LD)
	$(Q)$(LD) $(EL2_LDFLAGS) -T $(LDS) -Map $(O)/mezzo.map -o $@ $(EL2_OBJ) $(FDT_LIB)

$(O)/mezzo.img: $(O)/mezzo.elf
	$(call say,IMG)
	$(Q)$(OBJCOPY) -O binary $< $@

$(O)/el2/%.c.o: %.c Makefile | $(FDT_LIB) $(GEN)/version.h
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EL2_FLAGS) $(DEPS) -c -o $@ $<

$(O)/el2/%.S.o: %.S Makefile | $(FDT_LIB) $(GEN)/version.h
	$(call say,AS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fstack-usage,$(EL2_FLAGS)) $(DEPS) -c -o $@ $<

# --- the host command -------------------------------------------------------------------------

$(O)/mezzo: $(HOST_C:%=$(O)/host/%.o) $(O)/host/libmezzo.a
	$(call say,LINK)
	$(Q)$(HOSTCC) -pie -o $@ $^ -lconfuse -lfdt -larchive -lz

$(O)/host/libmezzo.a: $(SHARED_C:%=$(O)/host/%.o)
	$(call say,AR)
	$(Q)rm -f $@ && $(HOSTAR) rcs $@ $^

$(O)/host/%.c.o: %.c Makefile | $(FDT_LIB) $(GEN)/version.h
	$(call say,HOSTCC)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_FLAGS) -Isrc $(DEPS) -c -o $@ $<

# --- unit tests -------------------------------------------------------------------------------

unit-programs: $(TESTS)

# What a test puts itself in front of.
$(O)/unit/test_vbcm2835_chips: WRAP := spin_unlock
$(O)/unit/test_alloc_fail: WRAP := pages_alloc pages_alloc_zeroed pages_commit

$(TESTS): $(O)/unit/test_%: $(O)/unit/test/unit/test_%.c.o $(FAKE_C:%=$(O)/unit/%.o) $(O)/unit/libmezzo.a
	$(call say,LINK)
	$(Q)$(HOSTCC) -fsanitize=address,undefined $(WRAP:%=-Wl,--wrap=%) -o $@ $^ -lcmocka -lfdt -larchive -lz

$(O)/unit/libmezzo.a: $(UNIT_C:%=$(O)/unit/%.o)
	$(call say,AR)
	$(Q)rm -f $@ && $(HOSTAR) rcs $@ $^

$(O)/unit/%.c.o: %.c Makefile | $(FDT_LIB) $(GEN)/version.h
	$(call say,UNITCC)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(UNIT_FLAGS) $(DEPS) -c -o $@ $<

# The decoder's comparison once more, without sanitizers.
$(B)/decode/compare: test/unit/test_decode_llvm.c src/trap/decode.c src/trap/decode.h Makefile
	$(call say,LINK)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(COMMON) -O2 -D_GNU_SOURCE -Isrc -o $@ $(filter %.c,$^) -lcmocka

# --- fuzz targets ---------------------------------------------------------------------------------
#
# test/fuzz/fuzz_NAME.c makes $(B)/fuzz/NAME. host_NAME is linked with the host command, the others with what the unit
# tests have. Always clang's, whatever COMPILER says: GCC has no libFuzzer.

FUZZ_CC     := clang
FUZZ_FLAGS  := $(filter-out -fno-sanitize-recover=all -fsanitize=% -O1,$(UNIT_FLAGS)) -O2 -DMEZZO_DEBUG \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-sanitize-coverage=indirect-calls \
	-Itest/unit -Ihost
# What libFuzzer is told about each comparison costs half the time, and helps where an input has magic numbers and lengths
# that have to agree: there only.
FUZZ_CMP    := src/base/cpio.c src/fdt/tree.c $(wildcard src/vm/image*.c)
FUZZ_ONLY    = $(if $(filter $(FUZZ_CMP),$<),,-fno-sanitize-coverage=trace-cmp)
FUZZ_C      := $(wildcard test/fuzz/fuzz_*.c)
FUZZ_BOTH   := $(FUZZ_C:test/fuzz/fuzz_%.c=%)
FUZZ_HOST   := $(filter host_%,$(FUZZ_BOTH))
FUZZ_UNIT   := $(filter-out host_%,$(FUZZ_BOTH))
FUZZ_HOST_C := $(filter-out host/main.c,$(HOST_C)) $(SHARED_C)

# Without clang there is nothing to build; test/fuzz/run says so of each target by its name.
fuzz-programs: $(if $(shell command -v $(FUZZ_CC)),$(FUZZ_BOTH:%=$(B)/fuzz/%))

print-fuzz:; @echo '$(FUZZ_CC) $(FUZZ_FLAGS)'

FUZZ_LINK = $(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ -lcmocka -lconfuse -lfdt -larchive -lz

$(FUZZ_UNIT:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/fuzz/o/test/fuzz/fuzz_%.c.o $(B)/fuzz/o/test/fuzz/fuzz.c.o \
		$(FAKE_C:%=$(B)/fuzz/o/%.o) $(B)/fuzz/o/libunit.a
	$(call say,LINK)
	$(Q)$(FUZZ_LINK)

$(FUZZ_HOST:%=$(B)/fuzz/%): $(B)/fuzz/%: $(B)/fuzz/o/test/fuzz/fuzz_%.c.o $(B)/fuzz/o/test/fuzz/fuzz.c.o \
		$(B)/fuzz/o/libhost.a
	$(call say,LINK)
	$(Q)$(FUZZ_LINK)

$(B)/fuzz/o/libunit.a: $(UNIT_C:%=$(B)/fuzz/o/%.o)
	$(call say,AR)
	$(Q)rm -f $@ && $(HOSTAR) rcs $@ $^

$(B)/fuzz/o/libhost.a: $(FUZZ_HOST_C:%=$(B)/fuzz/o/%.o)
	$(call say,AR)
	$(Q)rm -f $@ && $(HOSTAR) rcs $@ $^

$(B)/fuzz/o/%.c.o: %.c Makefile | $(FDT_LIB) $(GEN)/version.h
	$(call say,FUZZCC)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) $(FUZZ_ONLY) $(DEPS) -c -o $@ $<

# Objects are found through their .d files; a header that went away costs a rebuild, not an error.
-include $(shell find $(O)/el2 $(O)/host $(O)/unit $(B)/fuzz -name '*.d' 2>/dev/null)
# --- the demo's bare-metal guest -------------------------------------------------------------------

demo: $(B)/demo/clock.elf
	@:

$(B)/demo/clock.elf: demo/clock.c Makefile | $(FDT_LIB)
	$(call say,DEMO)
	@mkdir -p $(@D)
	$(Q)$(CC) $(COMMON) -O2 -ffreestanding -fno-pie -fno-stack-protector -mgeneral-regs-only \
		-mstrict-align -c -o $(@:.elf=.o) $<
	$(Q)$(LD) -nostdlib -static --build-id=none -z noexecstack -Ttext=0x40400000 -e _start \
		-o $@ $(@:.elf=.o)

# The EL1 test kernels: target `guest`.
guest:
-include test/guest/Makefile.inc

# The benchmark's guest.
-include bench/guest/Makefile.inc

# Its peers' side.
-include bench/kvm/Makefile.inc

# The hostile image: target `hostile-image`.
hostile-image:
-include test/hostile/Makefile.inc

# Programs for a Raspberry Pi: target `pi`.
pi:
-include test/pi/Makefile.inc

# The bytecode guest fuzzer: target `fuzzer`.
fuzzer:
-include test/hostile/fuzzer/Makefile.inc

fuzz-guest: all fuzzer hostile-image ## ten million operations of the bytecode guest fuzzer beside a victim
	$(Q)test/hostile/fuzz.py
