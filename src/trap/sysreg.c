// SPDX-License-Identifier: Apache-2.0
// Trapped system registers and system instructions: one sorted table, a row for each. What has no row
// is undefined to a guest. Called through the exception-class table. Source: Arm ARM, "ISS encoding
// for an exception from MSR, MRS, or System instruction execution in AArch64 state".
#include "arm/sysreg.h"
#include "arm/barrier.h"
#include "arm/regs.h"
#include "base/bits.h"
#include "hw/timer.h"
#include "trap/idregs.h"
#include "trap/trap.h"
#include "vdev/vgicv3.h"
#include "vm/inject.h"
#include "vm/vm.h"

// A register's number: the order in which the table is sorted.
#define KEY(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

enum outcome {
	DONE,      // go on behind the instruction
	REPEAT,    // not finished: the instruction runs again
	UNDEFINED, // the guest gets an undefined instruction exception
};

struct row {
	uint16_t key;
	uint16_t arg; // whatever the functions make of it
	enum outcome (*read)(struct vcpu *vcpu, const struct row *row,
	                     uint64_t *value); // NULL: undefined
	enum outcome (*write)(struct vcpu *vcpu, const struct row *row, uint64_t value);
};

// ---- reads as zero, ignores writes ----
static enum outcome read_zero(struct vcpu *vcpu UNUSED, const struct row *row UNUSED,
                              uint64_t *value)
{
	*value = 0;
	return DONE;
}
static enum outcome ignore(struct vcpu *vcpu UNUSED, const struct row *row UNUSED,
                           uint64_t value UNUSED)
{
	return DONE;
}

// ---- set/way cache maintenance ----
static enum outcome set_way(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t value UNUSED)
{
	setway_trap(vcpu, read_sysreg(esr_el2));
	return REPEAT; // setway_trap has moved on if it is done
}

// ---- memory control registers, while HCR_EL2.TVM is set ----
enum vm_register {
#define SYSREG_VM(field, op0, op1, crn, crm, op2) VM_REG_##field,
#include "arm/sysregs.def"
};

static enum outcome write_sctlr(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t value)
{
	if (!setway_caches_change(vcpu, read_sysreg(sctlr_el1), value))
		return REPEAT;
	write_sysreg(value, sctlr_el1);
	return DONE;
}
static enum outcome write_vm_register(struct vcpu *vcpu UNUSED, const struct row *row,
                                      uint64_t value)
{
	switch ((enum vm_register)row->arg) {
	case VM_REG_sctlr: // has a row of its own
		break;
	case VM_REG_ttbr0: write_sysreg(value, ttbr0_el1); break;
	case VM_REG_ttbr1: write_sysreg(value, ttbr1_el1); break;
	case VM_REG_tcr: write_sysreg(value, tcr_el1); break;
	case VM_REG_esr: write_sysreg(value, esr_el1); break;
	case VM_REG_far: write_sysreg(value, far_el1); break;
	case VM_REG_afsr0: write_sysreg(value, afsr0_el1); break;
	case VM_REG_afsr1: write_sysreg(value, afsr1_el1); break;
	case VM_REG_mair: write_sysreg(value, mair_el1); break;
	case VM_REG_amair: write_sysreg(value, amair_el1); break;
	case VM_REG_contextidr: write_sysreg(value, contextidr_el1); break;
	}
	return DONE;
}

// ---- debug registers ----
#define MDSCR_WRITABLE (BIT_U64(0) | BIT_U64(12) | BIT_U64(13) | BIT_U64(15)) // SS, TDCC, KDE, MDE
#define OSLSR_OSLM     BIT_U64(3)
#define OSLSR_OSLK     BIT_U64(1)
#define OSLAR_OSLK     BIT_U64(0)

static enum outcome read_mdscr(struct vcpu *vcpu UNUSED, const struct row *row UNUSED,
                               uint64_t *value)
{
	*value = read_sysreg(mdscr_el1);
	return DONE;
}
static enum outcome write_mdscr(struct vcpu *vcpu UNUSED, const struct row *row UNUSED,
                                uint64_t value)
{
	write_sysreg(value & MDSCR_WRITABLE, mdscr_el1);
	return DONE;
}
static enum outcome read_oslsr(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t *value)
{
	*value = OSLSR_OSLM | (vcpu->debug.os_lock ? OSLSR_OSLK : 0);
	return DONE;
}
static enum outcome write_oslar(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t value)
{
	vcpu->debug.os_lock = (value & OSLAR_OSLK) != 0;
	write_sysreg(vcpu->debug.os_lock, oslar_el1);
	return DONE;
}
// DBGBVRn, DBGBCRn, DBGWVRn, DBGWCRn: arg is enum debug_kind in bits 5:4 and n in bits 3:0.
static enum outcome read_debug(struct vcpu *vcpu, const struct row *row, uint64_t *value)
{
	enum debug_kind kind = (enum debug_kind)(row->arg >> 4);
	unsigned n = row->arg & 15;
	if (n >= debugregs_count(kind))
		return UNDEFINED;
	*value = vcpu->debug.value[kind][n];
	return DONE;
}
static enum outcome write_debug(struct vcpu *vcpu, const struct row *row, uint64_t value)
{
	enum debug_kind kind = (enum debug_kind)(row->arg >> 4);
	unsigned n = row->arg & 15;
	if (n >= debugregs_count(kind))
		return UNDEFINED;
	vcpu->debug.value[kind][n] = value;
	vcpu->debug.used = true;
	cpu_this()->debug_dirty = true;
	debugregs_write(kind, n, value);
	return DONE;
}

// ---- the EL1 physical timer, emulated on EL2's ----
static uint64_t guest_now(const struct vcpu *vcpu)
{
	return timer_now() - vcpu->vm->cntvoff;
}
static bool cntp_is_enabled(const struct vcpu *vcpu)
{
	return (vcpu->cntp_ctl & CNT_CTL_ENABLE) != 0 && (vcpu->cntp_ctl & CNT_CTL_IMASK) == 0;
}
static NOINLINE void cntp_look(struct vcpu *vcpu)
{
	bool enabled = cntp_is_enabled(vcpu);
	uint64_t now = timer_now(), guest = now - vcpu->vm->cntvoff;
	bool due = guest >= vcpu->cntp_cval;
	uint64_t deadline = now + (vcpu->cntp_cval - guest);
	if (deadline < now) // the board's counter never gets there
		deadline = TIMER_NEVER;
	timer_set(TIMER_VCPU, enabled && !due ? deadline : TIMER_NEVER);
	if (vcpu->cntp_line != (enabled && due)) {
		vcpu->cntp_line = enabled && due;
		virq_set(vcpu->vm, vcpu, INTID_CNTP, vcpu->cntp_line);
	}
}
void cntp_update(struct vcpu *vcpu)
{
	if (UNLIKELY(cntp_is_enabled(vcpu) || vcpu->cntp_line))
		cntp_look(vcpu);
	else // as in most guests, always
		timer_set(TIMER_VCPU, TIMER_NEVER);
}
static enum outcome read_cntp_ctl(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t *value)
{
	bool due = guest_now(vcpu) >= vcpu->cntp_cval;
	*value = vcpu->cntp_ctl;
	if ((vcpu->cntp_ctl & CNT_CTL_ENABLE) != 0 && due)
		*value |= CNT_CTL_ISTATUS;
	return DONE;
}
static enum outcome write_cntp_ctl(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t value)
{
	vcpu->cntp_ctl = value & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
	cntp_update(vcpu);
	return DONE;
}
static enum outcome read_cntp_cval(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t *value)
{
	*value = vcpu->cntp_cval;
	return DONE;
}
static enum outcome write_cntp_cval(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t value)
{
	vcpu->cntp_cval = value;
	cntp_update(vcpu);
	return DONE;
}
static enum outcome read_cntp_tval(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t *value)
{
	*value = (uint32_t)(vcpu->cntp_cval - guest_now(vcpu));
	return DONE;
}
static enum outcome write_cntp_tval(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t value)
{
	vcpu->cntp_cval = guest_now(vcpu) + (uint64_t)(int64_t)(int32_t)(uint32_t)value;
	cntp_update(vcpu);
	return DONE;
}
static enum outcome read_cntpct(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t *value)
{
	*value = guest_now(vcpu);
	return DONE;
}

// ---- software generated interrupts of a GICv3 ----
static enum outcome write_dir(struct vcpu *vcpu, const struct row *row UNUSED, uint64_t value)
{
	if (vcpu->vm->gic_version < 3)
		return UNDEFINED;
	vgicv3_dir(vcpu, value);
	return DONE;
}
static enum outcome write_sgi(struct vcpu *vcpu, const struct row *row, uint64_t value)
{
	if (vcpu->vm->gic_version < 3)
		return UNDEFINED;
	vgicv3_sgi(vcpu, value, (enum vgicv3_sgi)row->arg);
	return DONE;
}

#define DEBUG_ROWS(n)                                                      \
	{KEY(2, 0, 0, n, 4), 0x00 | (n), read_debug, write_debug},         \
	        {KEY(2, 0, 0, n, 5), 0x10 | (n), read_debug, write_debug}, \
	        {KEY(2, 0, 0, n, 6), 0x20 | (n), read_debug, write_debug}, \
	{                                                                  \
		KEY(2, 0, 0, n, 7), 0x30 | (n), read_debug, write_debug    \
	}

// Ascending by key; sysreg_find looks by halves, and a unit test checks the order.
static const struct row rows[] = {
        {KEY(1, 0, 7, 6, 2), 0, NULL, set_way},  // DC ISW
        {KEY(1, 0, 7, 10, 2), 0, NULL, set_way}, // DC CSW
        {KEY(1, 0, 7, 14, 2), 0, NULL, set_way}, // DC CISW

        {KEY(2, 0, 0, 0, 2), 0, read_zero, ignore}, // OSDTRRX_EL1: no external debugger
        DEBUG_ROWS(0),
        DEBUG_ROWS(1),
        {KEY(2, 0, 0, 2, 0), 0, read_zero, ignore},       // MDCCINT_EL1
        {KEY(2, 0, 0, 2, 2), 0, read_mdscr, write_mdscr}, // MDSCR_EL1
        DEBUG_ROWS(2),
        {KEY(2, 0, 0, 3, 2), 0, read_zero, ignore}, // OSDTRTX_EL1
        DEBUG_ROWS(3),
        DEBUG_ROWS(4),
        DEBUG_ROWS(5),
        {KEY(2, 0, 0, 6, 2), 0, read_zero, ignore}, // OSECCR_EL1
        DEBUG_ROWS(6),
        DEBUG_ROWS(7),
        DEBUG_ROWS(8),
        DEBUG_ROWS(9),
        DEBUG_ROWS(10),
        DEBUG_ROWS(11),
        DEBUG_ROWS(12),
        DEBUG_ROWS(13),
        DEBUG_ROWS(14),
        DEBUG_ROWS(15),
        {KEY(2, 0, 1, 0, 0), 0, read_zero, NULL},   // MDRAR_EL1: no debug ROM
        {KEY(2, 0, 1, 0, 4), 0, NULL, write_oslar}, // OSLAR_EL1
        {KEY(2, 0, 1, 1, 4), 0, read_oslsr, NULL},  // OSLSR_EL1
        {KEY(2, 0, 1, 3, 4), 0, read_zero, ignore}, // OSDLR_EL1: no double lock
        {KEY(2, 0, 1, 4, 4), 0, read_zero, ignore}, // DBGPRCR_EL1: power is Mezzo's
        {KEY(2, 0, 7, 8, 6), 0, read_zero, ignore}, // DBGCLAIMSET_EL1
        {KEY(2, 0, 7, 9, 6), 0, read_zero, ignore}, // DBGCLAIMCLR_EL1
        {KEY(2, 0, 7, 14, 6), 0, read_zero, NULL},  // DBGAUTHSTATUS_EL1
        {KEY(2, 3, 0, 1, 0), 0, read_zero, NULL},   // MDCCSR_EL0
        {KEY(2, 3, 0, 4, 0), 0, read_zero, ignore}, // DBGDTR_EL0
        {KEY(2, 3, 0, 5, 0), 0, read_zero, ignore}, // DBGDTRRX_EL0, DBGDTRTX_EL0

        {KEY(3, 0, 0, 0, 6), 0, read_zero, NULL}, // REVIDR_EL1
        {KEY(3, 0, 1, 0, 0), VM_REG_sctlr, NULL, write_sctlr},
        {KEY(3, 0, 1, 0, 1), 0, read_zero, ignore}, // ACTLR_EL1
        {KEY(3, 0, 2, 0, 0), VM_REG_ttbr0, NULL, write_vm_register},
        {KEY(3, 0, 2, 0, 1), VM_REG_ttbr1, NULL, write_vm_register},
        {KEY(3, 0, 2, 0, 2), VM_REG_tcr, NULL, write_vm_register},
        {KEY(3, 0, 5, 1, 0), VM_REG_afsr0, NULL, write_vm_register},
        {KEY(3, 0, 5, 1, 1), VM_REG_afsr1, NULL, write_vm_register},
        {KEY(3, 0, 5, 2, 0), VM_REG_esr, NULL, write_vm_register},
        {KEY(3, 0, 6, 0, 0), VM_REG_far, NULL, write_vm_register},
        {KEY(3, 0, 10, 2, 0), VM_REG_mair, NULL, write_vm_register},
        {KEY(3, 0, 10, 3, 0), VM_REG_amair, NULL, write_vm_register},
        {KEY(3, 0, 12, 11, 1), 0, NULL, write_dir},             // ICC_DIR_EL1
        {KEY(3, 0, 12, 11, 5), VGICV3_SGI1R, NULL, write_sgi},  // ICC_SGI1R_EL1
        {KEY(3, 0, 12, 11, 6), VGICV3_ASGI1R, NULL, write_sgi}, // ICC_ASGI1R_EL1
        {KEY(3, 0, 12, 11, 7), VGICV3_SGI0R, NULL, write_sgi},  // ICC_SGI0R_EL1
        {KEY(3, 0, 13, 0, 1), VM_REG_contextidr, NULL, write_vm_register},
        {KEY(3, 1, 0, 0, 7), 0, read_zero, NULL},    // AIDR_EL1
        {KEY(3, 3, 14, 0, 1), 0, read_cntpct, NULL}, // CNTPCT_EL0
        {KEY(3, 3, 14, 0, 5), 0, read_cntpct, NULL}, // CNTPCTSS_EL0
        {KEY(3, 3, 14, 2, 0), 0, read_cntp_tval, write_cntp_tval},
        {KEY(3, 3, 14, 2, 1), 0, read_cntp_ctl, write_cntp_ctl},
        {KEY(3, 3, 14, 2, 2), 0, read_cntp_cval, write_cntp_cval},
};

static const struct row *find(uint16_t key)
{
	unsigned low = 0, high = ARRAY_SIZE(rows);
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (rows[middle].key == key)
			return &rows[middle];
		if (rows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static uint16_t key_of(uint64_t esr)
{
	return (uint16_t)KEY(field_get(ISS_SYS_OP0, esr), field_get(ISS_SYS_OP1, esr),
	                     field_get(ISS_SYS_CRN, esr), field_get(ISS_SYS_CRM, esr),
	                     field_get(ISS_SYS_OP2, esr));
}

// Reads of op0 = 3, op1 = 0, CRn = 0, CRm = 1..7: the space of the feature registers.
static bool is_id_register(uint16_t key)
{
	return (key & ~(KEY(0, 0, 0, 7, 7))) == KEY(3, 0, 0, 0, 0) && key >= KEY(3, 0, 0, 1, 0);
}

// Carries out a read or a write; *value is read or written.
static enum outcome access(struct vcpu *vcpu, uint16_t key, bool reads, uint64_t *value)
{
	if (is_id_register(key)) {
		if (!reads)
			return UNDEFINED;
		*value = idregs_read(vcpu->vm, (key >> 3) & 7, key & 7);
		return DONE;
	}
	const struct row *row = find(key);
	if (row != NULL && reads && row->read != NULL)
		return row->read(vcpu, row, value);
	if (row != NULL && !reads && row->write != NULL)
		return row->write(vcpu, row, *value);
	return UNDEFINED;
}

void sysreg_trap(struct vcpu *vcpu, uint64_t esr)
{
	unsigned rt = (unsigned)field_get(ISS_SYS_RT, esr);
	bool reads = (esr & ISS_SYS_READ) != 0;
	uint64_t value = reads ? 0 : vcpu_reg(vcpu, rt);
	switch (access(vcpu, key_of(esr), reads, &value)) {
	case DONE:
		if (reads)
			vcpu_set_reg(vcpu, rt, value);
		trap_advance(vcpu, esr);
		break;
	case REPEAT: break;
	case UNDEFINED: inject_undefined(vcpu); break;
	}
}

// ---- fast exits ----

#define ISS_SYS_KEY (ISS_SYS_OP0 | ISS_SYS_OP1 | ISS_SYS_CRN | ISS_SYS_CRM | ISS_SYS_OP2)
#define ISS_OF(op0, op1, crn, crm, op2)                                                            \
	(field_put(ISS_SYS_OP0, op0) | field_put(ISS_SYS_OP1, op1) | field_put(ISS_SYS_CRN, crn) | \
	 field_put(ISS_SYS_CRM, crm) | field_put(ISS_SYS_OP2, op2))

static NOINLINE uint64_t quick_id(struct vcpu *vcpu, uint64_t esr)
{
	const uint64_t space = ISS_SYS_KEY & ~(ISS_OF(0, 0, 0, 7, 7));
	uint64_t crm = field_get(ISS_SYS_CRM, esr);
	if ((esr & space) != ISS_OF(3, 0, 0, 0, 0) || crm == 0)
		return EXIT_LEAVE(GUEST_EXIT_SYNC);
	uint64_t value =
	        idregs_read(vcpu->vm, (unsigned)crm & 7, (unsigned)field_get(ISS_SYS_OP2, esr));
	vcpu->exits_by_class[EC_SYSREG]++;
	trap_exit_advance();
	vcpu_set_reg(vcpu, (unsigned)field_get(ISS_SYS_RT, esr), value);
	return exit_back(vcpu);
}

// SGIs, and reads of the feature registers.
uint64_t exit_sysreg(struct vcpu *vcpu, uint64_t esr)
{
	if ((esr & ISS_SYS_READ) != 0)
		return quick_id(vcpu, esr);
	if ((esr & ISS_SYS_KEY) != ISS_OF(3, 0, 12, 11, 5) || vcpu->vm->gic_version < 3)
		return EXIT_LEAVE(GUEST_EXIT_SYNC);
	vgicv3_sgi(vcpu, vcpu_reg(vcpu, (unsigned)field_get(ISS_SYS_RT, esr)), VGICV3_SGI1R);
	vcpu->exits_by_class[EC_SYSREG]++;
	trap_exit_advance();
	return trap_exit_back(vcpu);
}

// ---- the same timer, as a 32-bit program at EL0 names it ----

#define CP15_OPC2   GENMASK_U64(19, 17)
#define CP15_OPC1   GENMASK_U64(16, 14)
#define CP15_64OPC1 GENMASK_U64(19, 16)
#define CP15_RT2    GENMASK_U64(14, 10)

static const struct {
	bool pair; // MCRR, MRRC
	uint8_t opc1, crn, crm, opc2;
	uint16_t key;
} cp15_rows[] = {
        {false, 0, 14, 2, 0, KEY(3, 3, 14, 2, 0)}, // CNTP_TVAL
        {false, 0, 14, 2, 1, KEY(3, 3, 14, 2, 1)}, // CNTP_CTL
        {true, 0, 0, 14, 0, KEY(3, 3, 14, 0, 1)},  // CNTPCT
        {true, 2, 0, 14, 0, KEY(3, 3, 14, 2, 2)},  // CNTP_CVAL
};

static bool cp15_find(bool pair, uint64_t esr, uint16_t *key)
{
	uint64_t opc1 = field_get(pair ? CP15_64OPC1 : CP15_OPC1, esr);
	uint64_t crn = pair ? 0 : field_get(ISS_SYS_CRN, esr);
	uint64_t opc2 = pair ? 0 : field_get(CP15_OPC2, esr);
	for (unsigned i = 0; i < ARRAY_SIZE(cp15_rows); i++)
		if (cp15_rows[i].pair == pair && cp15_rows[i].opc1 == opc1 &&
		    cp15_rows[i].crn == crn && cp15_rows[i].opc2 == opc2 &&
		    cp15_rows[i].crm == field_get(ISS_SYS_CRM, esr)) {
			*key = cp15_rows[i].key;
			return true;
		}
	return false;
}

bool sysreg_trap_cp15(struct vcpu *vcpu, uint64_t esr)
{
	bool pair = field_get(ESR_EC, esr) == EC_CP15_64, reads = (esr & ISS_SYS_READ) != 0;
	unsigned rt = (unsigned)field_get(ISS_SYS_RT, esr);
	unsigned rt2 = (unsigned)field_get(CP15_RT2, esr);
	uint16_t key;
	if (!cp15_find(pair, esr, &key))
		return false;
	uint64_t value = (uint32_t)vcpu_reg(vcpu, rt);
	if (pair)
		value |= vcpu_reg(vcpu, rt2) << 32;
	if (access(vcpu, key, reads, &value) != DONE)
		return false;
	if (reads) {
		vcpu_set_reg(vcpu, rt, (uint32_t)value);
		if (pair)
			vcpu_set_reg(vcpu, rt2, value >> 32);
	}
	trap_advance(vcpu, esr);
	return true;
}
