# SPDX-License-Identifier: BSD-3-Clause
"""Virtio devices under Debian's kernels, in both transports: disks, shares, the console."""

import hashlib
import os
import random
import socket
import threading

import pytest

from boot import images
from boot.computer import QUIET

MODULES = {"pci": "virtio_pci", "mmio": "virtio_mmio"}
TROUBLE = "\ndmesg | grep -E 'BUG:|WARNING:|Oops|lockup|Call Trace' && echo TROUBLE\necho done\n"


@pytest.fixture(name="guest")
def _guest(computer, tmp_path):
    """guest(script, modules, *words) boots a flavour of Debian's kernel with these modules."""
    def boot(script, modules, *words, flavour="amd64", **options):
        path = images.ramdisk(tmp_path / "initrd.cpio", flavour, modules, script + TROUBLE)
        run = computer.boot("--kernel", images.kernel(flavour), "--initrd", path, "--append", QUIET,
                            *words, **options)
        assert run.code == 0 and run.status["end"] == "power-off", run.stderr + run.console
        assert "done\n" in run.console and "TROUBLE" not in run.console, run.console
        assert "init: cannot load" not in run.console and run.stderr == ""
        return run
    return boot


# ---- a disk, random numbers and a console

def noise(size):
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("flavour, transport", [
    ("cloud-amd64", "mmio"), pytest.param("cloud-amd64", "pci", marks=pytest.mark.nightly),
    ("amd64", "mmio"), pytest.param("amd64", "pci", marks=pytest.mark.nightly)])
def test_a_virtio_disk(guest, tmp_path, flavour, transport):
    """Also the writes: what the guest wrote and flushed is in the file at the end."""
    image, data = tmp_path / "disk.img", noise(3 << 20)
    image.write_bytes(data)
    bus = "virtio" + ("-mmio" if transport == "mmio" else "")
    run = guest("sha256sum </dev/vda\n"
                "dd if=/dev/vda of=/dev/vda bs=64k count=16 seek=32 conv=notrunc,fsync 2>/dev/null\n"
                "grep -c virtio0 /proc/interrupts; readlink /sys/bus/virtio/devices/virtio0\n",
                MODULES[transport] + ",virtio_blk", "--disk",
                "file=%s,format=raw,bus=%s,write_through" % (image, bus), flavour=flavour)
    assert hashlib.sha256(data).hexdigest() in run.console
    assert ("LNRO0005:00" if transport == "mmio" else "pci0000:00") in run.console
    assert image.read_bytes() == data[:2 << 20] + data[:1 << 20]


def test_several_devices_in_registers_of_memory(guest, tmp_path):
    """As many as there is room for; each has an interrupt of its own."""
    words = []
    for i in range(12):
        (tmp_path / str(i)).write_bytes(noise(4096 * (i + 1)))
        words += ["--disk", "file=%s,format=raw,bus=virtio-mmio" % (tmp_path / str(i))]
    run = guest("for d in /dev/vd?; do sha256sum <$d; done\n"
                "grep -E ' virtio[0-9]' /proc/interrupts | wc -l\n", "virtio_mmio,virtio_blk",
                "--cpus", 2, *words, flavour="cloud-amd64")
    sums = [hashlib.sha256(noise(4096 * (i + 1))).hexdigest() + "  -" for i in range(12)]
    assert [line for line in run.console.splitlines() if line.endswith("  -")] == sums
    assert "\n12\n" in run.console


def test_one_device_too_many_is_refused(computer, program, tmp_path):
    (tmp_path / "disk").write_bytes(bytes(4096))
    disk = "file=%s,format=raw,bus=virtio-mmio" % (tmp_path / "disk")
    run = computer.boot("--kernel", program("POWER_OFF"), *["--disk", disk] * 13)
    assert run.code == 125 and "room for 12 virtio devices" in run.stderr


def test_the_board_wires_its_devices(computer, program):
    words = [w for key in ("type=virtio_rng", "transport=mmio", "irq=5")
             for w in ("--set", "pc.rng0." + key)]
    run = computer.boot("--kernel", program("POWER_OFF"), *words)
    assert run.code == 125 and "the board wires it" in run.stderr


@pytest.mark.parametrize("transport", ["mmio", pytest.param("pci", marks=pytest.mark.nightly)])
def test_random_numbers_are_the_same_in_each_run(guest, transport):
    runs = [guest("dd if=/dev/hwrng bs=64 count=1 2>/dev/null | sha256sum",
                  MODULES[transport] + ",virtio_rng", "--set", "pc.rng0.type=virtio_rng", "--set",
                  "pc.rng0.transport=" + transport, flavour="cloud-amd64") for _ in range(2)]
    assert runs[0].outcome == runs[1].outcome and "  -" in runs[0].console


# ---- the virtio console

CONSOLE = ("for i in 1 2 3 4 5 6 7 8; do dmesg; done >/dev/hvc0\necho lines $(dmesg | wc -l)\n"
           "echo the end >/dev/hvc0\n")


@pytest.mark.parametrize("flavour", ["cloud-amd64", pytest.param("amd64",
                                                                 marks=pytest.mark.nightly)])
def test_the_virtio_console_goes_to_a_file(guest, tmp_path, flavour):
    run = guest(CONSOLE, "virtio_pci,virtio_console", "--virtio-console",
                "file:%s" % (tmp_path / "hvc0"), flavour=flavour)
    lines = (tmp_path / "hvc0").read_bytes().decode().replace("\r\n", "\n").splitlines()
    count = int(run.console.split("lines ")[1].split()[0])
    assert lines[-1] == "the end" and len(lines) == 8 * count + 1
    assert lines[:count] == lines[7 * count:8 * count] and "the end" not in run.console


def test_the_virtio_console_is_a_socket_for_both_directions(guest, tmp_path):
    path, got, done = str(tmp_path / "hvc0"), [], threading.Event()

    def talk():
        s = socket.socket(socket.AF_UNIX)
        while not done.is_set():
            try:
                s.connect(path)
                break
            except OSError:
                done.wait(0.05)
        text = b""
        while b"\n" not in text:  # the guest says this again and again, until somebody listens
            text += s.recv(100)
        s.sendall(b"seven times six\n")
        while True:
            piece = s.recv(4096)
            if not piece:
                break
            got.append(piece)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        guest("stty -F /dev/hvc0 -echo\nexec 3<>/dev/hvc0\n"
              "while ! read -t 1 line <&3; do echo hello >&3; done\n"
              'echo "heard $line" >&3\nsleep 1\n', "virtio_pci,virtio_console",
              "--virtio-console", "unix:" + path, flavour="cloud-amd64")
    finally:
        done.set()
        thread.join(60)
    assert b"heard seven times six" in b"".join(got)
    assert not os.path.exists(path)


@pytest.mark.parametrize("words, says", [
    (["--virtio-console", "stdio"], "two consoles are stdio"),
    (["--virtio-console", "pipe:x"], "there are stdio, file:PATH and unix:PATH"),
    (["--virtio-console", "file:/no/such/folder/x"], "No such file"),
])
def test_a_wrong_virtio_console_is_refused(computer, program, words, says):
    run = computer.boot("--kernel", program("POWER_OFF"), *words)
    assert run.code == 125 and says in run.stderr and run.console == ""


def test_a_checkpoint_has_its_virtio_console(computer, program, tmp_path):
    saved = computer.boot("--kernel", program("POWER_OFF"), "--virtio-console",
                          "file:%s" % (tmp_path / "a"), "--checkpoint-at", "2").checkpoints[0]
    assert computer.restore(saved).code == 0
    assert computer.restore(saved, "--virtio-console", "file:%s" % (tmp_path / "b")).code == 0
    plain = computer.boot("--kernel", program("POWER_OFF"), "--checkpoint-at", "2").checkpoints[0]
    run = computer.restore(plain, "--virtio-console", "file:%s" % (tmp_path / "c"))
    assert run.code == 125 and "no such console" in run.stderr


# ---- shares

P9 = "9pnet_virtio,9p"
MOUNT = "mount -t 9p -o trans=virtio,version=9p2000.L%s share0 /mnt || echo TROUBLE\ncd /mnt\n"
LIST = ("find . -type f | sort | while read -r f; do sha256sum \"$f\"; done >/tmp/sums\n"
        "find . -type l | sort | while read -r f; do echo \"$f $(readlink \"$f\")\"; done >>/tmp/sums\n"
        "find . | wc -l >>/tmp/sums\nsha256sum </tmp/sums\n")


@pytest.fixture(name="tree")
def _tree(tmp_path):
    """A folder of a few hundred files, large and small, with odd names, links and depth."""
    top = tmp_path / "tree"
    for i in range(300):
        path = top / ("folder %d" % (i % 7)) / ("deep/" * (i % 5)) / ("file-%03d" % i)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(i * i % 9973))
    (top / "large").write_bytes(noise(5 << 20))
    (top / "empty").write_bytes(b"")
    (top / "na\u00efve \"quotes\" $x").write_bytes(b"odd")
    (top / ("n" * 255)).write_bytes(b"long name")
    (top / "link").symlink_to("folder 1/file-001")
    (top / "dangling").symlink_to("/no/such/file")
    return top


def listing(top):
    """What LIST puts into /tmp/sums."""
    every = sorted(os.path.relpath(os.path.join(folder, name), top).encode()
                   for folder, folders, files in os.walk(top) for name in files + folders)
    out = b""
    for name in every:
        path = os.path.join(os.fsencode(top), name)
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as f:
                out += hashlib.sha256(f.read()).hexdigest().encode() + b"  ./" + name + b"\n"
    for name in every:
        path = os.path.join(os.fsencode(top), name)
        if os.path.islink(path):
            out += b"./" + name + b" " + os.readlink(path) + b"\n"
    return out + b"%d\n" % (len(every) + 1)


def state(top):
    """{path: everything that a reader must not change}"""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in files + folders:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            found[path] = (st.st_mode, st.st_uid, st.st_size, st.st_mtime_ns, st.st_ino)
    return found


@pytest.mark.parametrize("transport, options", [
    ("pci", ""), pytest.param("mmio", ",msize=262144,cache=loose", marks=pytest.mark.nightly)])
def test_a_share_is_read(guest, tree, transport, options):
    """And cannot be written."""
    before = state(tree)
    run = guest(MOUNT % options + LIST + "echo x >new 2>/dev/null && echo WRITTEN\n"
                "rm large 2>/dev/null && echo WRITTEN\nmkdir d 2>/dev/null && echo WRITTEN\n"
                "chmod 600 empty 2>/dev/null && echo WRITTEN\n",
                MODULES[transport] + "," + P9, "--share", tree, "--set",
                "pc.share0.transport=" + transport)
    assert hashlib.sha256(listing(tree)).hexdigest() in run.console
    assert "WRITTEN" not in run.console and state(tree) == before


WRITES = """
mkdir -p new/a/b
cp large new/copy
dd if=large of=new/a/part bs=1000 skip=77 count=1234 2>/dev/null
echo first >new/log; for i in 1 2 3 4 5 6 7 8 9; do echo line $i >>new/log; done
dd if=/dev/zero of=new/copy bs=1 seek=100000 count=10 conv=notrunc 2>/dev/null
truncate -s 12345 new/a/part
mv new/log new/a/b/moved
ln -s ../large new/link
ln new/copy new/second
chmod 640 new/copy
rm empty; rm -r "folder 3"
mv "folder 2" "renamed folder"
i=0; while [ $i -lt 100 ]; do echo $i >"renamed folder/n$i"; i=$((i + 1)); done
touch -d '2001-02-03 04:05:06' new/a/part
tar cf - "folder 4" | tar xf - -C new
sync
"""


@pytest.mark.parametrize("transport, options, attributes", [
    ("pci", "", "false"), pytest.param("mmio", ",msize=8192", "true", marks=pytest.mark.nightly),
    pytest.param("pci", ",cache=mmap", "true", marks=pytest.mark.nightly)])
def test_a_writable_share(guest, tree, transport, options, attributes):
    """The guest changes the tree; guest and host then see the same, and it is what was asked for.
    It sets times only where it sees the real ones."""
    large, names = (tree / "large").read_bytes(), os.listdir(tree / "folder 2")
    run = guest(MOUNT % options + WRITES + LIST + "cd /\numount /mnt\n",
                MODULES[transport] + "," + P9, "--share", "folder=%s,writable" % tree, "--set",
                "pc.share0.transport=" + transport, "--set",
                "pc.share0.real_attributes=" + attributes)
    assert hashlib.sha256(listing(tree)).hexdigest() in run.console
    new = tree / "new"
    copy = bytearray(large)
    copy[100000:100010] = bytes(10)
    assert (new / "copy").read_bytes() == copy == (new / "second").read_bytes()
    assert os.stat(new / "copy").st_ino == os.stat(new / "second").st_ino
    assert os.stat(new / "copy").st_mode & 0o777 == 0o640
    assert (new / "a/part").read_bytes() == large[77000:77000 + 12345]
    assert (os.stat(new / "a/part").st_mtime == 981173106) == (attributes == "true")
    assert (new / "a/b/moved").read_text().splitlines() == \
        ["first", *["line %d" % i for i in range(1, 10)]]
    assert os.readlink(new / "link") == "../large"
    assert not (tree / "empty").exists() and not (tree / "folder 3").exists()
    assert sorted(os.listdir(tree / "renamed folder")) == \
        sorted([*names, *["n%d" % i for i in range(100)]])
    assert sorted(p.name for p in (new / "folder 4").rglob("file-*")) == \
        sorted(p.name for p in (tree / "folder 4").rglob("file-*"))
