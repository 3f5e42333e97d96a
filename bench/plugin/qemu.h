/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few functions of QEMU's plugin interface that lines.c calls, declared here because Debian's QEMU takes plugins but
 * brings no header for them. Interface version 4, which QEMU 10.0 has; 3 (QEMU 9.1) has them all as well.
 * Source: QEMU, "QEMU TCG Plugins", "Plugin API"; GLib, "Byte Arrays" and "Arrays".
 */
#ifndef PLUGIN_QEMU_H
#define PLUGIN_QEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLUGIN_API    4
#define PLUGIN_EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;

struct plugin_info {
	const char *target_name;
	struct {
		int min, cur;
	} version;
	bool system_emulation;
	int smp_vcpus, max_vcpus;
};

struct plugin_reg {
	struct qemu_plugin_register *handle;
	const char *name, *feature;
};

enum plugin_cb_flags { PLUGIN_NO_REGS, PLUGIN_R_REGS, PLUGIN_RW_REGS };
enum plugin_mem_rw { PLUGIN_MEM_R = 1, PLUGIN_MEM_W, PLUGIN_MEM_RW };

/* GLib's; QEMU has it loaded. */
struct glib_array {
	void *data;
	unsigned len;
};
struct glib_array *g_byte_array_new(void);
struct glib_array *g_byte_array_set_size(struct glib_array *array, unsigned length);

typedef void (*plugin_vcpu_cb)(uint64_t id, unsigned vcpu);
typedef void (*plugin_exec_cb)(unsigned vcpu, void *data);
typedef void (*plugin_mem_cb)(unsigned vcpu, uint32_t info, uint64_t address, void *data);

void qemu_plugin_register_vcpu_init_cb(uint64_t id, plugin_vcpu_cb cb);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
                                           void (*cb)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t id, void *data), void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, plugin_exec_cb cb,
                                            enum plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, plugin_mem_cb cb,
                                      enum plugin_cb_flags flags, enum plugin_mem_rw rw,
                                      void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t bytes);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned qemu_plugin_mem_size_shift(uint32_t info);
struct glib_array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register *handle, struct glib_array *to);

#endif
