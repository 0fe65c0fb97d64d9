#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Prints docs/reference/statistics.md: the statistics of `facet exec` and `facet boot`, as facet writes
them. Names of statistics are an interface; that this page is compared on every commit makes a change
visible."""

import os
import re
import struct
import subprocess
import sys
import tempfile

ROW = re.compile(r"(\S+)\s+(\S+)\s+# (.*) \((.*)\)$")
# Devices that a computer can have besides what it has by itself; {0} is a folder with a file "disk".
DEVICES = ["disk0.type=disk", "disk0.file={0}/disk", "disk1.type=disk", "disk1.file={0}/disk",
           "nvme0.type=nvme", "nvme0.disk=pc.disk0", "vblk0.type=virtio_blk", "vblk0.disk=pc.disk1",
           "share0.type=virtio_9p", "share0.folder={0}", "net0.type=virtio_net",
           "rng0.type=virtio_rng", "console0.type=virtio_console"]
# Parts that many devices have: shown once, as of DEVICE.
PARTS = re.compile(r"pc\.\w+\.(pci|virtio)\.")


def rows_of(facet, folder, *words):
    path = os.path.join(folder, "stats.txt")
    subprocess.run([facet, words[0], "--stats-file", path, *words[1:]], check=True)
    with open(path, encoding="utf-8") as f:
        return [match.groups() for match in map(ROW.match, f) if match]


def smallest_kernel(path):
    """A Multiboot kernel that ends the run: mov al, 0; out 0xf4, al; hlt."""
    base, heads = 0x200000, 52 + 32
    image = struct.pack("<III", 0x1badb002, 0, 0xffffffff & -0x1badb002) + b"\xb0\0\xe6\xf4\xf4"
    elf = b"\x7fELF\1\1\1".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, base + heads + 12, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 0, base, base, heads + len(image), heads + len(image), 7, 4096)
    with open(path, "wb") as f:
        f.write(elf + segment + image)


def computer_rows(facet, folder):
    kernel = os.path.join(folder, "kernel")
    smallest_kernel(kernel)
    with open(os.path.join(folder, "disk"), "wb") as f:
        f.write(bytes(65536))
    sets = [w for d in DEVICES for w in ("--set", "pc." + d.format(folder))]
    seen = set()
    for name, value, doc, unit in rows_of(facet, folder, "boot", "--kernel", kernel, *sets):
        name = PARTS.sub(r"pc.DEVICE.\1.", name)
        # The second of a kind has what the first has.
        if name not in seen and not re.match(r"pc\.(\w+\.)*[a-z]+[1-9]\.", name):
            seen.add(name)
            yield name, value, doc, unit


def print_table(rows):
    print("| name | unit | |\n|---|---|---|")
    for name, _, doc, unit in rows:
        print("| `%s` | %s | %s |" % (name, unit.strip("()"), doc))


def main():
    facet = sys.argv[1] if len(sys.argv) > 1 else "build/facet"
    with tempfile.TemporaryDirectory() as folder:
        print("# Statistics\n\nMade by `tools/statistics.py` from short runs; do not edit "
              "(`make update-reference`). The file formats: [stats.md](../formats/stats.md).\n\n"
              "## Programs: facet exec\n\nOf one CPU. With several, `system.cpu` becomes "
              "`system.cpu0`, `system.cpu1` and so on.\n")
        print_table(rows_of(facet, folder, "exec", "--", "/bin/true"))
        print("\n## Computers: facet boot\n\nOf one CPU and one device of each kind, called as the "
              "options of `facet boot` call them; what comes\nfrom a description has the name that "
              "it has there. Every PCI device has the rows of `pc.DEVICE.pci`,\nevery virtio device "
              "those of `pc.DEVICE.virtio`.\n")
        print_table(computer_rows(facet, folder))


if __name__ == "__main__":
    main()
