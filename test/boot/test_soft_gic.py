# SPDX-License-Identifier: Apache-2.0
"""A guest with a GICv2 on a board with a GICv3: Debian takes its interrupts from a CPU interface in software."""

import machine
import pytest


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_linux(cpus, linux, nonce, tmp_path):
    conf = tmp_path / "soft.conf"
    conf.write_text(f"vm guest {{\n  kernel = {machine.kernel(linux())}\n  initrd = {machine.INITRAMFS}\n"
                    f"  memory = 256M\n  cpus = {cpus}\n  gic = 2\n"
                    f"  cmdline = \"console=ttyAMA0 mezzo.nonce={nonce}\"\n}}\n", encoding="ascii")
    result = machine.mezzo([conf], "--gic 3 --smp 2 --cpu cortex-a53")
    assert any("GICv2" in line for line in result.of("mezzo")), result.explain("not a GICv2")
    machine.check_linux(result, result.of("guest"), cpus, nonce)
    machine.check_end(result)
