# SPDX-License-Identifier: Apache-2.0
"""The gate on the linked image can fail: each rule of tools/elfgate is broken once."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CC = shutil.which("aarch64-linux-gnu-gcc") or "gcc"

GOOD = """
    .arch armv8.5-a
    .text
    .global _start
_start:
    bti c
    adrp x0, called
    add x0, x0, :lo12:called
    blr x0
    adr x1, .Lbase
    ldrb w2, [x3]
    add x1, x1, w2, sxtb #2
    br x1
.Lbase:
    bti j
    eret
    dsb nsh
    isb
    eret
    sb
    .balign 16
called:
    hint #34
    ret
signs:
    paciasp
    stp x29, x30, [sp, #-32]!
    cbz x0, 1f
    ldp x29, x30, [sp], #32
    autiasp
    b called
1:  ldp x29, x30, [sp], #32
    autiasp
    ret
fast_irq:
    str x30, [sp, #16]
    bl signs
    ldr x30, [sp, #16]
    eret
    sb
    .section .data.rel.ro, "aw"
    .quad called
"""


def gate(tmp_path, source, *options):
    assembly, elf = tmp_path / "image.S", tmp_path / "image.elf"
    assembly.write_text(source + '\n    .section .note.GNU-stack, "", %progbits\n')
    subprocess.run([CC, "-nostdlib", "-nostartfiles", "-static-pie", "-Wl,--no-dynamic-linker", *options, "-o", elf,
                    assembly], check=True)
    done = subprocess.run([sys.executable, "-B", ROOT / "tools/elfgate", elf], capture_output=True,
                          text=True, check=False)
    return done.returncode, done.stderr


def test_a_good_image_passes(tmp_path):
    assert gate(tmp_path, GOOD) == (0, "")


@pytest.mark.parametrize("old, new, message", [
    ("    eret\n    sb\n", "    eret\n", "no speculation barrier behind the eret"),
    ("    eret\n    dsb nsh\n    isb\n", "    eret\n    dsb nsh\n    nop\n",
     "no speculation barrier behind the eret"),
    ("    eret\n    dsb nsh\n    isb\n", "    eret\n    isb\n    dsb nsh\n",
     "no speculation barrier behind the eret"),
    ("    eret\n    sb\n", "    .arch_extension pauth\n    eretaa\n", "no speculation barrier"),
    ("    eret\n", "    ret\n", "no eret at all"),
    ("    eret\n    sb\n    .section", "    eret\n    .section", "nothing behind the last eret"),
    ("    hint #34\n", "    nop\n", "called at"),
    ("    hint #34\n", "    bti j\n    nop\n", "called at"),
    (".Lbase:\n    bti j\n", ".Lbase:\n", "computed jump"),
    (".Lbase:\n    bti j\n", ".Lbase:\n    bti c\n", "computed jump"),
    ("    paciasp\n", "    bti c\n", "no return address is signed"),
    ("    paciasp\n", "    bti c\n", "signs: x30 is stored at"),
    ("    stp x29, x30", "    autiasp\n    stp x29, x30", "signs: x30 is stored at"),
    ("    autiasp\n    b called\n", "    b called\n", "is not checked before"),
    ("    autiasp\n    ret\n", "    ret\n", "is not checked before"),
    ("    autiasp\n    ret\n", "    brk #0\n", "is not checked"),
    ("fast_irq:\n", "other:\n", "other: x30 is stored at"),
    ("fast_irq:\n", "fdt:\n", "fdt: x30 is stored at"),
    ("    blr x0\n", "    blr x0\n    fmov d1, x0\n", "FP/SIMD register"),
    ("    blr x0\n", "    blr x0\n    ldr q31, [x1]\n", "FP/SIMD register"),
    ("    blr x0\n", "    blr x0\n    msr fpcr, x1\n", "FP/SIMD register"),
    ("    blr x0\n", "    blr x0\n    dc cvac, x1\n", "see arm/errata.c"),
    ("    blr x0\n", "    blr x0\n    at s1e1r, x1\n", "see arm/errata.c"),
    ("    .section .data", '    .section .tdata, "awT"\n    .quad 1\n    .section .data', "segment TLS"),
    ("    .text\n", '    .section .both, "awx"\n    .quad 1\n    .text\n', "both writable and executable"),
])
def test_each_rule_can_be_broken(tmp_path, old, new, message):
    assert old in GOOD
    source = GOOD.replace(old, new)
    status, said = gate(tmp_path, source, *(["-Wl,-N"] if "both" in new else []))
    assert status == 1 and message in said, said
