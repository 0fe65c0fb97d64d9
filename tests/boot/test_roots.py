# SPDX-License-Identifier: BSD-3-Clause
"""Debian on a disk: systemd reaches its multi-user target on a root that facet image build made,
the file system is whole afterwards, and programs do what the same ones do on this host."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import pytest

from boot import images
from boot.computer import TIMEOUT

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "programs"))
import cases  # noqa: E402
import run as programs  # noqa: E402

pytestmark = pytest.mark.nightly
APPEND = "console=ttyS0 panic=-1 root=%s rw"
TOOLS = {**os.environ, "PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C"}
BAD = r"BUG:|WARNING:|Oops|lockup|Call Trace|rcu.*stall|EXT4-fs error|I/O error|hung task"

# bus of the disk: device, modules that the initial RAM disk of a kernel loads (None: built in)
BUSES = {
    "nvme": ("/dev/nvme0n1", {"cloud-amd64": None, "amd64": "nvme,ext4"}),
    "virtio": ("/dev/vda", {"cloud-amd64": "virtio_pci,virtio_blk",
                            "amd64": "virtio_pci,virtio_blk,ext4"}),
    "virtio-mmio": ("/dev/vda", {"cloud-amd64": "virtio_mmio,virtio_blk",
                                 "amd64": "virtio_mmio,virtio_blk,ext4"}),
}

# Asks systemd and the kernel's log, then writes files, some of which go again, flushed and not.
WORK = r"""
state=$(systemctl is-system-running --wait)
echo "state $state, failed $(systemctl list-units --failed --no-legend | wc -l)"
systemctl is-active multi-user.target
dmesg | grep -E '%s' && echo TROUBLE
mkdir -p /root/work
cp -a /usr/lib/python3.11 /root/work/library
find /root/work/library -name '*.py' | head -n 200 | xargs rm
tar cf /root/work/archive.tar -C /root/work library
seq 1 300000 >/root/work/numbers
sync /root/work/numbers
mv /root/work/numbers /root/work/renamed
sha256sum </root/work/archive.tar
echo "cpus $(nproc)"
dmesg | grep -E '%s' && echo TROUBLE
echo done
""" % (BAD, BAD)


class Root:
    """A copy of the root file system that a guest may change."""

    def __init__(self, computer, folder, flavour, bus):
        self.computer, self.folder, self.flavour = computer, folder, flavour
        self.bus, (self.device, modules) = bus, BUSES[bus]
        self.image, self.words = str(folder / "root.img"), []
        subprocess.run(["cp", "--sparse=always", "--reflink=auto", images.root(flavour),
                        self.image], check=True)
        if modules[flavour]:
            initrd = images.ramdisk(folder / "initrd.cpio", flavour, modules[flavour])
            self.words = ["--initrd", initrd]

    def boot(self, files, *words, disk="write_through"):
        """Runs `run`, one of the files, with the others in its folder."""
        archive = self.folder / "files.tar"
        with tarfile.open(archive, "w") as tar:
            for name, path in files.items():
                tar.add(path, name)
        return self.computer.boot(
            "--kernel", images.kernel(self.flavour), "--append", APPEND % self.device, "--disk",
            "file=%s,format=raw,bus=%s,%s" % (self.image, self.bus, disk), "--guest-file", archive,
            "--guest-folder", self.folder, *self.words, *words)

    def script(self, text, *words, **options):
        path = self.folder / "run.sh"
        path.write_text(text)
        return self.boot({"run": path}, *words, **options)

    def check(self):
        """The file system was unmounted, and e2fsck finds nothing to complain about."""
        done = subprocess.run(["e2fsck", "-fn", self.image], env=TOOLS, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        head = subprocess.run(["dumpe2fs", "-h", self.image], env=TOOLS, capture_output=True,
                              text=True, check=True).stdout
        assert re.search(r"^Filesystem state: +clean$", head, re.M), head
        assert "needs_recovery" not in head

    def read(self, path):
        return subprocess.run(["debugfs", "-R", "cat " + path, self.image], env=TOOLS,
                              capture_output=True, check=True).stdout


@pytest.fixture(name="root")
def _root(computer, tmp_path):
    made = []

    def make(flavour, bus):
        made.append(Root(computer, tmp_path, flavour, bus))
        return made[-1]
    yield make
    for r in made:
        os.remove(r.image)


def assert_good(run, cpus):
    assert run.code == 0 and run.status["end"] == "power-off", run.stderr + run.console[-3000:]
    assert run.stderr == ""
    assert "state running, failed 0\n" in run.console and "\nactive\n" in run.console, run.console
    assert "Multi-User System" in run.console and "cpus %d\n" % cpus in run.console
    assert "done\n" in run.console and "TROUBLE" not in run.console, run.console
    assert not re.search(BAD, run.console), run.console
    assert "reboot: Power down" in run.console


@pytest.mark.parametrize("flavour, bus, cpus", [
    ("cloud-amd64", "nvme", 1), ("cloud-amd64", "nvme", 8), ("cloud-amd64", "virtio", 2),
    ("amd64", "nvme", 2), ("amd64", "virtio", 4), ("amd64", "virtio-mmio", 1)])
def test_systemd_comes_up_and_the_file_system_stays_whole(root, flavour, bus, cpus):
    r = root(flavour, bus)
    run = r.script(WORK, "--cpus", cpus)
    assert_good(run, cpus)
    r.check()
    archive = re.search(r"^([0-9a-f]{64})  -$", run.console, re.M).group(1)
    assert hashlib.sha256(r.read("/root/work/archive.tar")).hexdigest() == archive
    assert r.read("/root/work/renamed") == b"".join(b"%d\n" % i for i in range(1, 300001))
    assert r.read("/root/work/numbers") == b""


@pytest.mark.parametrize("bus", ["nvme", "virtio"])
def test_an_overlay_keeps_what_the_guest_wrote(root, bus):
    r = root("cloud-amd64", bus)
    overlay = "overlay=%s" % (r.folder / "changes.ov")
    with open(r.image, "rb") as f:
        before = hashlib.file_digest(f, "sha256").digest()
    assert_good(r.script(WORK, disk=overlay), 1)
    with open(r.image, "rb") as f:
        assert hashlib.file_digest(f, "sha256").digest() == before
    run = r.script("tail -n 1 /root/work/renamed; dmesg | grep -c 'recovery complete'\n"
                   "e2fsck -fn %s | tail -n 1; echo \"status $?\"\n" % r.device, disk=overlay)
    assert run.code == 0 and "\n300000\n0\n" in run.console, run.console[-3000:]


# ---- programs

PROGRAMS = os.path.join(TESTS, "programs")
SECTIONS = ("shell", "coreutils", "text", "languages", "compilers", "tools", "threads", "kernel")
RECORD = "python3 programs/run.py --record results.json --tier quick --tier full %s\n" % \
    " ".join("--section " + s for s in SECTIONS)


def native(image, folder, files):
    """Runs `run` in the root file system on this host, in namespaces of its own."""
    top = folder / "native"
    top.mkdir()
    subprocess.run(["debugfs", "-R", "rdump / %s" % top, image], env=TOOLS, capture_output=True,
                   check=True)
    for name, path in files.items():
        shutil.copytree(path, top / "root" / name) if os.path.isdir(path) else \
            shutil.copy(path, top / "root" / name)
    os.chmod(top / "tmp", 0o1777)
    inside = ("set -e; cd %s; mount --rbind /dev dev; mount -t proc proc proc; "
              "mount -t tmpfs -o mode=1777 run tmp; ip link set lo up; "
              "exec chroot . /bin/sh -c 'cd /root && sh ./run'" % top)
    words = ["unshare", "--mount", "--pid", "--fork", "--net",
             *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", inside]
    done = subprocess.run(words, env=TOOLS, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False, timeout=TIMEOUT)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("no namespaces here: " + done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((top / "root/results.json").read_text())
    shutil.rmtree(top)
    return rows


@pytest.mark.parametrize("flavour, bus, cpus", [("cloud-amd64", "nvme", 1), ("amd64", "virtio", 2)])
def test_programs_do_what_they_do_natively(root, flavour, bus, cpus):
    """The table of docs/reference/programs.md, as far as its packages are in the root."""
    r = root(flavour, bus)
    record, send = r.folder / "record.sh", r.folder / "send.sh"
    record.write_text(RECORD)
    send.write_text(RECORD + "facet-guest writefile results.json\n")
    expected = native(r.image, r.folder, {"run": record, "programs": PROGRAMS})
    run = r.boot({"run": send, "programs": PROGRAMS}, "--cpus", cpus, "--mem", "1GiB")
    assert run.code == 0 and run.status["end"] == "power-off", run.stderr + run.console[-3000:]
    assert not re.search(BAD, run.console), run.console
    got = json.loads((r.folder / "results.json").read_text())
    known = {case.name: case for case in cases.read()[1]}
    wrong = [line for name in expected
             for line in differences(known[name], expected[name], got.get(name))]
    assert not wrong, "\n".join(wrong)
    assert len(expected) >= 50 and got.keys() == expected.keys()
    r.check()


def differences(case, native_row, guest_row):
    if not guest_row:
        return [case.name + ": did not run in the guest"]
    found = programs.differences(case, programs.recorded(native_row), programs.recorded(guest_row))
    return ["%s: %s" % (case.name, line) for line in found]
