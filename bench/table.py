# SPDX-License-Identifier: Apache-2.0
"""What bench/run measured, as a table for a person, as a chart, and compared with what it was before."""

import math
import re

COLUMNS = {"bare": "bare QEMU", "mezzo": "Mezzo", "xen": "Xen", "kvm-vhe": "KVM, VHE", "kvm-nvhe": "KVM, nVHE"}
BOARDS = [f"{cpu}, GICv{gic}" for gic in (3, 2) for cpu in ("max", "neoverse-n1", "cortex-a53")]
PEERS = ("xen", "kvm-vhe", "kvm-nvhe")
# Parts of a page that are written here, by what has to be measured for them.
SECTIONS = {"figures": "bench", "virtio": "virtio"}
HEADINGS = {"bench": "Beside its peers", "virtio": "Disks and networks"}
TOLERANCE = 0.05

# Bao's figures, which were measured once and are not in the run.
BAO = {"psci_version": 214, "gicd_typer": 229, "gicd_isenabler1_read": 1294, "sgi_self_eoi": 890, "timer_busy": 217,
       "timer_wfi": 208, "sgi_wfi": 898, "sgi_back_wfi": 1792, "cpu_on": 13024}
# What Mezzo is to come to; there the guest's own instructions are in it, as they are here.
GOALS = {"null": 14, "psci_version": 40, "gicd_typer": 70, "gicd_isenabler1_read": 80, "pl011_status": 70,
         "pl011_character": 160, "sgi_self_eoi": 150, "timer_busy": 110, "timer_wfi": 110, "sgi_spin": 300,
         "sgi_back_wfi": 600, "id_register": 40, "cpu_on": 2000, "vm_switch": 260}
ROWS = {
    "null": "null hypercall",
    "psci_version": "PSCI_VERSION",
    "psci_version_held": "the same, an interrupt held in a list register",
    "smccc_version": "SMCCC_VERSION",
    "gicd_typer": "GICD_TYPER read",
    "gicd_isenabler1_read": "GICD_ISENABLER1 read",
    "gicd_isenabler1_write": "GICD_ISENABLER1 write",
    "gicr_typer": "GICR_TYPER read",
    "isenabler0_read": "GICR_ISENABLER0 read (GICv2: GICD)",
    "isenabler0_write": "GICR_ISENABLER0 write (GICv2: GICD)",
    "pl011_status": "PL011 status read",
    "pl011_character": "PL011 one character",
    "virtio_slot": "unused virtio slot read",
    "id_register": "ID register read",
    "sgi_self": "SGI to self, to the handler",
    "sgi_self_eoi": "SGI to self, until handled and EOI'd",
    "acknowledge": "acknowledge",
    "eoi": "EOI",
    "timer_busy": "virtual timer due, to the handler, busy",
    "timer_wfi": "the same out of WFI, pinned vCPU",
    "timer_wfi_shared": "the same out of WFI, WFI trapped",
    "cntp_busy": "physical timer due, to the handler, busy",
    "cpu_on": "CPU_ON until the vCPU runs C",
    "sgi_spin": "SGI to a spinning vCPU (all CPUs' work)",
    "sgi_wfi": "SGI to a vCPU in WFI, pinned (all CPUs' work)",
    "sgi_wfi_shared": "the same, WFI trapped",
    "sgi_back_spin": "SGI there and back, both spinning",
    "sgi_back_wfi": "SGI there and back, both in WFI, pinned",
    "sgi_back_wfi_shared": "the same, WFI trapped",
    "vm_switch": "VM switch on one core",
    "touch_2m": "first touch in a 2 MiB block",
    "touch_4k": "first touch of a 4 KiB page, median",
    "touch_4k_small": "the same, no pages of 2 MiB at the host",
    "touch_256m": "a store to each page of 256 MiB, in order",
    "touch_256m_random": "the same in a random order",
    "first_c": "reset to the guest's first C, 512 MiB",
}
VIRTIO = {
    "image_read_4k": "disk, image: read 4 KiB at random",
    "image_write_4k": "write 4 KiB at random, page written before",
    "image_read_128k": "read 128 KiB in order",
    "image_write_128k": "write 128 KiB in order",
    "board_read_4k": "disk, the board's: read 4 KiB at random",
    "board_write_4k": "write 4 KiB at random",
    "board_read_128k": "read 128 KiB in order",
    "board_write_128k": "write 128 KiB in order",
    "vm_1500": "net, to a VM: 1,514 bytes",
    "vm_64k": "65,000 bytes, in buffers of 16 KiB",
    "uplink_1500": "net, to the uplink: 1,514 bytes",
    "uplink_64k": "65,000 bytes, cut into 45 frames",
}
# Of these a host's speed decides too, so they are not compared.
HOSTS = ("board_", "uplink_")
# Where one mapping serves many pages the least says nothing.
BY_MEDIAN = ("touch_4k",)


def value_of(figures, column, row):
    """The figure, or None."""
    cell = figures.get(column, {}).get(row, {})
    return cell.get("median" if row in BY_MEDIAN else "min")


def number(value):
    return "-" if value is None else f"{value:,}"


def cell_of(figures, column, row):
    cell = figures.get(column, {}).get(row, {})
    value = value_of(figures, column, row)
    if value is None or row in BY_MEDIAN or cell["median"] <= cell["min"] + max(3, cell["min"] // 50):
        return number(value)
    return f"{value:,} ({cell['median']:,})"


def best_peer(figures, row, bao):
    """Xen fills all memory before its guest starts, and so has no first touch."""
    columns = [column for column in PEERS if column != "xen" or not row.startswith("touch")]
    values = [value for column in columns if (value := value_of(figures, column, row)) is not None]
    if bao and row in BAO:
        values.append(BAO[row])
    return min(values, default=None)


def line(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def operations(board, figures):
    """One table: an operation each row, a machine each column."""
    columns = [column for column in COLUMNS if column in figures]
    if not columns:
        return []
    bao = board.endswith("GICv3")
    out = [f"### {board}", "",
           line(["operation", *(COLUMNS[column] for column in columns), "Bao", "best peer / Mezzo", "goal"]),
           line(["---"] * (len(columns) + 4))]
    for row, title in ROWS.items():
        if not any(value_of(figures, column, row) is not None for column in columns):
            continue
        mine, best = value_of(figures, "mezzo", row), best_peer(figures, row, bao)
        ratio = f"{best / mine:.1f}" if mine and best is not None else "-"
        out.append(line([title, *(cell_of(figures, column, row) for column in columns),
                         number(BAO.get(row)) if bao else "-", ratio, number(GOALS.get(row))]))
    return out + [""]


def lines_table(board, figures):
    """What the plugin counted: lines, and each CPU's instructions outside the guest."""
    columns = [column for column in COLUMNS if any("lines" in cell for cell in figures.get(column, {}).values())]
    if not columns:
        return []
    out = [f"### Lines touched, {board}", "",
           "Distinct 64-byte lines at EL2, instructions + data; behind *host*, those of KVM's kernel at EL1 and of its",
           "monitor. Behind the semicolon the instructions outside the guest on each CPU, of which the last is CPU 1",
           "of the guest.", "",
           line(["operation", *(COLUMNS[column] for column in columns)]), line(["---"] * (len(columns) + 1))]
    for row, title in ROWS.items():
        cells = []
        for column in columns:
            cell = figures[column].get(row, {}).get("lines")
            if not cell:
                cells.append("-")
                continue
            text = f"{cell['code'] + cell['data']} ({cell['code']} + {cell['data']})"
            text += f", host {cell['host']}" if cell["host"] else ""
            cells.append(text + "; " + " + ".join(f"{count:,}" for count in cell["vcpus"] if count or len(cell["vcpus"]) == 1))
        if any(cell != "-" for cell in cells):
            out.append(line([title, *cells]))
    return out + [""]


def boot_table(boot):
    out = ["### A Linux boot, 512 MiB, one vCPU, max, GICv3", "",
           line(["", *(f"Linux {series}" for series in boot)]), line(["---"] * (len(boot) + 1))]
    rows = {
        "reset to the first process, bare QEMU": lambda b: f"{b['bare'] / 1e6:.1f} M",
        "the same under Mezzo": lambda b: f"{(b['first_instruction'] + b['to_init']) / 1e6:.1f} M "
                                          f"({(b['first_instruction'] + b['to_init']) / b['bare'] - 1:+.1%})",
        "reset to the guest's first instruction": lambda b: f"{b['first_instruction'] / 1e6:.1f} M",
        "guest's first instruction to its first process": lambda b: f"{b['to_init'] / 1e6:.1f} M "
                                                                    f"({b['to_init'] / b['bare'] - 1:+.1%})",
        "EL2's share of these, all messages on the console": lambda b: f"{b['el2_share']:.2%}",
        "the same with `quiet`": lambda b: f"{b['el2_share_quiet']:.2%}",
        "exits": lambda b: ", ".join(f"{count:,} {what.strip()}" for what, count in b["exits"].items()),
    }
    return out + [line([title, *(show(one) for one in boot.values())]) for title, show in rows.items()] + [""]


def size_lines(sizes):
    out = ["### Sizes", "", f"Image {sizes['image']:,} bytes; instructions {sizes['text']:,}, constants "
           f"{sizes['constants']:,}, zeroed memory {sizes['zeroed']:,}."]
    if "vm" in sizes:
        out.append(f"Each further VM of one vCPU takes {sizes['vm']:,} bytes of structures and tables, each further vCPU "
                   f"{sizes['vcpu']:,}.")
    return out + [""]


def vms_table(vms):
    rows = [row for row in ROWS if any(row in figures for figures in vms.values())]
    out = ["### The same exits with more VMs on the board, asleep", "",
           line(["operation", *(f"{count} VM" + ("s" if count != "1" else "") for count in vms)]),
           line(["---"] * (len(vms) + 1))]
    return out + [line([ROWS[row], *(number(figures.get(row, {}).get("min")) for figures in vms.values())])
                  for row in rows] + [""]


def markdown(data):
    versions = data.get("versions", {})
    out = ["Measured with " + "; ".join(f"{name} {version}" for name, version in versions.items()) + ".", "",
           "Instructions as the guest sees them, its own few included (the column of bare QEMU), the least of 1,000; in",
           "brackets the median where it is more.", ""]
    boards = sorted(data.get("figures", {}).items(), key=lambda board: BOARDS.index(board[0]))
    for board, figures in boards:
        out += operations(board, figures)
    for board, figures in boards:
        out += lines_table(board, figures)
    for part, show in (("boot", boot_table), ("sizes", size_lines), ("vms", vms_table)):
        if part in data:
            out += show(data[part])
    return "\n".join(out)


def virtio_markdown(data):
    """Disks and networks: what Mezzo adds to an operation, and the same guest on QEMU's own devices."""
    versions = data.get("versions", {})
    out = ["Measured with " + "; ".join(f"{name} {versions[name]}" for name in ("mezzo", "qemu", "compiler")
                                        if name in versions) + ".", "",
           "For one operation, when it is alone and when 32 are kept under way: exits, instructions of EL2 on all CPUs, and all",
           "instructions that pass until the next one, waiting included. The last two columns are what the same driver executes",
           "itself on bare QEMU, with QEMU's own devices, until it has to wait. How long a disk or an interface of QEMU takes is",
           "the host's affair.", "",
           line(["operation", "exits", "EL2", "all", "exits, 32", "EL2, 32", "all, 32", "bare QEMU", "bare, 32"]),
           line(["---"] * 9)]
    for row, title in VIRTIO.items():
        cells = [data["virtio"].get(f"{row}_{depth}", {}) for depth in (1, 32)]
        own = [cell.get("mezzo", {}) for cell in cells]
        out.append(line([title, *(text for cell in own for text in virtio_cells(cell)),
                         *(number(cell.get("bare", {}).get("own")) for cell in cells)]))
    return "\n".join([*out, ""])


def virtio_cells(cell):
    if "exits" not in cell:
        return ["-"] * 3
    return [f"{cell['exits']:.2f}", number(round(cell["el2"])), number(cell["ticks"])]


def report(data):
    """All that was measured."""
    return markdown(data) + (f"\n### {HEADINGS['virtio']}\n\n{virtio_markdown(data)}" if "virtio" in data else "")


def write_docs(path, data):
    text = path.read_text(encoding="utf-8")
    for part, show in (("figures", markdown), ("virtio", virtio_markdown)):
        if part not in data:
            continue
        name = SECTIONS[part]
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if begin not in text:
            text += f"\n## {HEADINGS[name]}\n\n{begin}\n{end}\n"
        before, rest = text.split(begin, 1)
        text = f"{before}{begin}\n{show(data)}{end}{rest.split(end, 1)[1]}"
    path.write_text(text, encoding="utf-8")


# --- the chart -------------------------------------------------------------------------------------

COLOURS = {"mezzo": "#1b7837", "xen": "#e08214", "kvm-vhe": "#5e7fb8", "kvm-nvhe": "#9970ab"}
BAR, GAP, LEFT, WIDTH = 11, 10, 330, 560
DECADES = 5  # of a logarithmic scale, from 10 to 1,000,000


def svg(data):
    """Bars on a logarithmic scale, of the first board."""
    board = BOARDS[0]
    figures = data.get("figures", {}).get(board, {})
    columns = [column for column in COLOURS if column in figures]
    shapes, y = [], 50
    for row, title in ROWS.items():
        values = {column: value_of(figures, column, row) for column in columns}
        if row.startswith("touch_256m") or not any(value and value > 0 for value in values.values()):
            continue
        shapes.append(f'<text x="{LEFT - 8}" y="{y + len(columns) * BAR / 2 + 4}" text-anchor="end">{title}</text>')
        for column, value in values.items():
            if value and value > 0:
                length = (math.log10(value) - 1) / DECADES * WIDTH if value > 10 else 1
                shapes.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 1}" '
                              f'fill="{COLOURS[column]}"/><text x="{LEFT + length + 4:.1f}" y="{y + BAR - 2}" '
                              f'class="n">{value:,}</text>')
            y += BAR
        y += GAP
    grid = "".join(f'<line x1="{LEFT + i * WIDTH / DECADES}" x2="{LEFT + i * WIDTH / DECADES}" y1="44" y2="{y}" '
                   f'stroke="#ddd"/><text x="{LEFT + i * WIDTH / DECADES}" y="40" text-anchor="middle" '
                   f'class="n">{10 ** (i + 1):,}</text>' for i in range(DECADES + 1))
    legend = "".join(f'<rect x="{LEFT + i * 120}" y="8" width="10" height="10" fill="{COLOURS[column]}"/>'
                     f'<text x="{LEFT + 14 + i * 120}" y="17">{COLUMNS[column]}</text>'
                     for i, column in enumerate(columns))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{y + 10}" '
            'font-family="sans-serif" font-size="12"><style>.n{font-size:9px;fill:#444}</style>'
            f'<rect width="100%" height="100%" fill="#fff"/><text x="8" y="17">instructions, {board}</text>'
            f"{legend}{grid}{''.join(shapes)}</svg>\n")


# --- against what it was ---------------------------------------------------------------------------


def flat(prefix, value):
    """All numbers below, by their path."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from flat(f"{prefix}/{key}" if prefix else key, below)
    elif isinstance(value, (int, float)) and not re.search(r"/(count|none)$", prefix):
        yield prefix, value


def own(data):
    """Mezzo's own figures: what it takes itself, and what its guests see."""
    found = {f"{board}/{path}": value for board, figures in data.get("figures", {}).items()
             for path, value in flat("", figures.get("mezzo", {})) if not path.endswith("/median")}
    for part in ("boot", "sizes", "vms"):
        found.update((path, value) for path, value in flat(part, data.get(part, {}))
                     if "/bare" not in path and not path.endswith("/median"))
    found.update((f"virtio/{row}/{what}", cell["mezzo"][what]) for row, cell in data.get("virtio", {}).items()
                 if not row.startswith(HOSTS) for what in ("exits", "el2") if what in cell.get("mezzo", {}))
    return found


def compare(now, before):
    """Prints what has changed by more than 5 %; the number of figures that are worse is the exit status' reason."""
    worse = 0
    for path in sorted(now.keys() & before.keys()):
        old, new = before[path], now[path]
        if abs(new - old) > TOLERANCE * abs(old):
            worse += new > old
            print(f"{'worse ' if new > old else 'better'} {path}: {old:,} -> {new:,}"
                  + (f" ({new / old - 1:+.1%})" if old else ""))
    missing = sorted(before.keys() - now.keys())
    if missing:
        print(f"{len(missing)} figures of the baseline were not measured")
    print(f"{len(now.keys() & before.keys())} figures compared, {worse} worse by more than {TOLERANCE:.0%}")
    return 1 if worse else 0
