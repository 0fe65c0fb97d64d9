# SPDX-License-Identifier: BSD-3-Clause
"""Initial RAM disks for tests: busybox, programs of this host with their libraries, a script.

The format: Linux, Documentation/driver-api/early-userspace/buffer-format.rst (newc)."""

import os
import re
import stat
import subprocess

BUSYBOX = "/bin/busybox"

# /init: $1 the number of CPUs of interest is what nproc says; then the test's own lines.
HEAD = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /root
/bin/busybox --install -s /busybox
export PATH=/usr/bin:/bin:/busybox HOME=/ LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
"""
TAIL = "\npoweroff -f\n"


def newc(files):
    """An archive of {path: (mode, bytes)}; folders are made as needed."""
    entries = {}
    for path in sorted(files):
        parts = path.split("/")
        for i in range(1, len(parts)):
            entries.setdefault("/".join(parts[:i]), (stat.S_IFDIR | 0o755, b""))
        entries[path] = files[path]
    out = bytearray()
    for inode, (path, (mode, data)) in enumerate([*sorted(entries.items()),
                                                  ("TRAILER!!!", (0, b""))], 1):
        name = path.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + name
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out)


def regular(path, mode=0o755):
    with open(path, "rb") as f:
        return stat.S_IFREG | mode, f.read()


def with_libraries(path, files):
    """Adds the host's program and what ldd(1) says that it needs."""
    real = os.path.realpath(path)
    files[path.lstrip("/")] = regular(real)
    shown = subprocess.run(["ldd", real], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+) \(0x", shown):
        # /lib is /usr/lib on this host and not in the archive: as the loader asks for it.
        files[library.lstrip("/")] = regular(os.path.realpath(library))


def initramfs(script, programs=(), files=None, head=HEAD, tail=TAIL):
    """The archive whose /init runs `script` and switches the machine off."""
    content = {"init": (stat.S_IFREG | 0o755, (head + script + tail).encode()),
               "bin/busybox": regular(BUSYBOX),
               "busybox": (stat.S_IFDIR | 0o755, b"")}
    for program in programs:
        with_libraries(program, content)
    for path, data in (files or {}).items():
        content[path.lstrip("/")] = (stat.S_IFREG | 0o755, data)
    return newc(content)
