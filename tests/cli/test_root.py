# SPDX-License-Identifier: BSD-3-Clause
"""facet image build of root file systems: e2fsprogs reads them back. A program in mmdebstrap's place
gives a small archive; once mmdebstrap itself runs, if Debian's servers can be reached."""

import io
import os
import re
import subprocess
import tarfile
import urllib.request

import pytest

from test_image import module, one_sentence

EPOCH = 1767225600
TOOLS = {**os.environ, "PATH": "/usr/sbin:/sbin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

MMDEBSTRAP = """#!/bin/sh
echo "$@" >"$SERVER/arguments"
echo "$SOURCE_DATE_EPOCH" >"$SERVER/epoch"
if [ -e "$SERVER/complaint" ]; then cat "$SERVER/complaint" >&2; exit 25; fi
for word; do case $word in *.tar) cp "$SERVER/root.tar" "$word" ;; esac; done
"""


def member(name, kind=tarfile.REGTYPE, mode=0o644, uid=0, link="", mtime=1000, **pax):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, uid, uid, mtime
    info.linkname, info.pax_headers = link, pax
    if kind == tarfile.CHRTYPE:
        info.devmajor, info.devminor = 5, 1
    return info


LONG = "usr/share/" + "long/" * 30 + "name"
MEMBERS = [
    (member("./", tarfile.DIRTYPE, 0o755), b""),
    (member("./bin", tarfile.SYMTYPE, 0o777, link="usr/bin"), b""),
    (member("./lib", tarfile.SYMTYPE, 0o777, link="usr/lib"), b""),
    (member("./usr", tarfile.DIRTYPE, 0o755), b""),
    (member("./usr/bin", tarfile.DIRTYPE, 0o755), b""),
    (member("./usr/lib", tarfile.DIRTYPE, 0o755), b""),
    (member("./usr/bin/su", mode=0o4755), b"su" * 5000),
    (member("./usr/bin/perl", mode=0o755), b"perl"),
    (member("./usr/bin/perl5.36", tarfile.LNKTYPE, 0o755, link="./usr/bin/perl"), b""),
    (member("./usr/bin/ping", mode=0o755, **{"SCHILY.xattr.user.note": "text"}), b"ping"),
    (member("./usr/bin/[", mode=0o755), b"test"),
    (member('./usr/lib/a "b" c'), b"quotes"),
    (member("./" + LONG), b"long"),
    (member("./dev", tarfile.DIRTYPE, 0o755), b""),
    (member("./dev/console", tarfile.CHRTYPE, 0o600), b""),
    (member("./home/user/file", uid=70000, mtime=EPOCH + 5000), b"of a user"),
    (member("./etc/machine-id"), b"0123456789abcdef"),
    (member("./etc/resolv.conf"), b"nameserver of the host"),
    (member("./var/log/apt/history.log"), b"today"),
    (member("./var/log/journal", tarfile.DIRTYPE, 0o2755), b""),
    (member("./var/cache/ldconfig/aux-cache"), b"cache"),
    (member("./tmp", tarfile.DIRTYPE, 0o1777), b""),
]


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    with tarfile.open(folder / "root.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in MEMBERS:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return folder


@pytest.fixture
def build(facet, server, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "mmdebstrap").write_text(MMDEBSTRAP)
    (programs / "mmdebstrap").chmod(0o755)
    (tmp_path / "out").mkdir()

    def run(*words, output="root.img", **environment):
        return facet("image", "build", "--output", tmp_path / "out" / output, *words, env={
            **os.environ, "PATH": "%s:/usr/sbin:/usr/bin:/sbin:/bin" % programs,
            "SERVER": str(server), **environment})
    return run


@pytest.fixture
def image(build, tmp_path):
    def run(*words, output="root.img", **environment):
        result = build(*words, output=output, **environment)
        assert result.returncode == 0 and result.stdout == result.stderr == "", result.stderr
        return tmp_path / "out" / output
    return run


def debugfs(image, command):
    return subprocess.run(["debugfs", "-R", command, image], env=TOOLS, capture_output=True,
                          text=True, check=True).stdout


def content(image, path):
    return debugfs(image, 'cat "%s"' % path)


def test_the_file_system_is_clean(image):
    result = subprocess.run(["e2fsck", "-fn", image()], env=TOOLS, capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stdout


def test_files_are_as_in_the_archive(image):
    root = image()
    assert content(root, "/usr/bin/su") == "su" * 5000
    assert content(root, '/usr/lib/a ""b"" c') == "quotes"
    assert content(root, "/" + LONG) == "long"
    assert content(root, "/usr/bin/[") == "test"
    assert "Mode:  04755" in debugfs(root, "stat /usr/bin/su")
    assert 'Fast link dest: "usr/bin"' in debugfs(root, "stat /bin")
    assert "Links: 2" in debugfs(root, "stat /usr/bin/perl5.36")
    assert content(root, "/usr/bin/perl5.36") == "perl"
    assert 'user.note (4) = "text"' in debugfs(root, "stat /usr/bin/ping")
    console = debugfs(root, "stat /dev/console")
    assert "character special" in console and "05:01" in console
    assert re.search(r"User: 70000 +Group: 70000", debugfs(root, "stat /home/user/file"))
    assert "Mode:  01777" in debugfs(root, "stat /tmp")


def test_no_time_is_later_than_the_epoch(image):
    root = image()
    assert "mtime: 0x000003e8" in debugfs(root, "stat /usr/bin/su")
    for path in "/home/user/file", "/etc/fstab", "/":
        for time in "ctime", "atime", "crtime":
            assert re.search(r"\b%s: 0x%08x:0" % (time, EPOCH), debugfs(root, "stat " + path))
    assert "mtime: 0x%08x" % EPOCH in debugfs(root, "stat /home/user/file")


def test_logs_caches_and_what_is_the_hosts_are_left_out(image):
    root = image()
    assert content(root, "/etc/machine-id") == ""
    assert "not found" in subprocess.run(
        ["debugfs", "-R", "stat /etc/resolv.conf", root], env=TOOLS, capture_output=True, text=True,
        check=True).stderr
    assert "journal" not in debugfs(root, "ls /var/log")
    assert "history.log" not in debugfs(root, "ls /var/log/apt")
    assert "aux-cache" not in debugfs(root, "ls /var/cache/ldconfig")


def test_it_can_boot_and_log_root_in(image):
    root = image("--hostname", "guest")
    assert content(root, "/etc/hostname") == "guest\n"
    assert content(root, "/etc/fstab").startswith("LABEL=facet-root / ext4 ")
    assert "Filesystem volume name:   facet-root\n" in debugfs(root, "stats -h")
    assert "--autologin root" in content(
        root, "/etc/systemd/system/serial-getty@.service.d/autologin.conf")


def test_the_same_request_gives_the_same_bytes(image):
    words = ["--file", "/etc/passwd:/etc/copy", "--run", "true"]
    one, two = image(*words), image(*words, output="two.img")
    assert one.read_bytes() == two.read_bytes()
    later = image(*words, output="later.img", SOURCE_DATE_EPOCH=str(EPOCH + 1))
    assert one.read_bytes() != later.read_bytes()


def test_files_follow_the_links_of_the_root(image, tmp_path):
    (tmp_path / "tool").write_text("mine")
    root = image("--file", "%s:/bin/tool:755" % (tmp_path / "tool"))
    assert content(root, "/usr/bin/tool") == "mine"
    assert 'Fast link dest: "usr/bin"' in debugfs(root, "stat /bin")


def test_a_command_is_run_when_the_system_is_up(image):
    root = image("--run", "echo hello")
    assert content(root, "/etc/facet/run") == "#!/bin/sh\necho hello\n"
    assert "ExecStart=/usr/lib/facet/run-and-poweroff" in content(
        root, "/etc/systemd/system/facet-run.service")
    assert "Mode:  0755" in debugfs(root, "stat /usr/lib/facet/run-and-poweroff")


def test_all_modules_come_with_their_indexes(image, tmp_path):
    folder = tmp_path / "kernel/lib/modules/6.1.0"
    (folder / "kernel").mkdir(parents=True)
    (folder / "kernel/one.ko").write_bytes(module(alias="pci:v1"))
    for name in "modules.order", "modules.builtin", "modules.builtin.modinfo":
        (folder / name).write_text("")
    root = image("--kernel-modules", tmp_path / "kernel")
    assert "one.ko" in debugfs(root, "ls /usr/lib/modules/6.1.0/kernel")
    assert content(root, "/usr/lib/modules/6.1.0/modules.dep") == "kernel/one.ko:\n"
    assert "modules.alias.bin" in debugfs(root, "ls /usr/lib/modules/6.1.0")
    assert sorted(os.listdir(folder)) == ["kernel", "modules.builtin", "modules.builtin.modinfo",
                                          "modules.order"]


def test_what_mmdebstrap_is_asked_for(image, server):
    image("--packages", "python3,bc", "--packages", "perl", "--suite", "trixie", "--mirror",
          "http://example.org/debian")
    words = (server / "arguments").read_text().split()
    included = next(w for w in words if w.startswith("--include="))
    assert included.endswith("python3,bc,perl") and "systemd-sysv" in included
    assert words[-3] == "trixie" and words[-1] == "http://example.org/debian"
    assert (server / "epoch").read_text() == "%d\n" % EPOCH


def test_the_size_is_the_one_that_was_asked_for(image):
    assert image("--size", "64MiB").stat().st_size == 64 << 20


# ---- mistakes ----

@pytest.mark.parametrize("words, code, sentence", [
    (["--size", "1MiB"], 3, "the size 1MiB is too small: the files take about"),
    (["--size", "100"], 2, "100B is no multiple of 4KiB"), (["--size", "big"], 3, "the size of the image: "),
    (["--size", "0B"], 2, "is 0"),
    (["--size", "64MiB", "--size", "1MiB"], 2, "given twice"),
    (["--size", "67108865B"], 2, "no multiple of 4KiB"),
    (["--packages", "a b"], 2, "'a b' is no name of a Debian package"),
    (["--packages", "--hook"], 2, "'--hook' is no name of a Debian package"),
    (["--suite", "--x"], 2, "is no name of a Debian release"),
    (["--mirror", "--x"], 2, "'--x' is no Debian server"),
    (["--file", "/no/file:/x"], 3, "No such file"),
    (["--kernel-modules", "/no/folder"], 3, "No such file")])
def test_a_mistake_gets_one_sentence(build, tmp_path, words, code, sentence):
    result = build(*words)
    assert sentence in one_sentence(result)
    assert result.returncode == code
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("complaint, code, sentence", [
    ("E: Unable to locate package nosuch\nE: mmdebstrap failed to run\n", 3,
     "Debian bookworm has no package 'nosuch'"),
    ("W: x\nE: apt-get update failed\nE: more\n", 3, "mmdebstrap: apt-get update failed"),
    ("tar: x: No space left on device\nE: failed\n", 16, "no space left"),
    ("E: unable to pick chroot mode automatically\n", 5, "install the Debian package uidmap"),
    ("strange\n", 3, "mmdebstrap failed with exit status 25: strange")])
def test_what_mmdebstrap_complains_about(build, server, tmp_path, complaint, code, sentence):
    (server / "complaint").write_text(complaint)
    result = build()
    assert sentence in one_sentence(result)
    assert result.returncode == code
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("damage", [
    lambda b: b[:700], lambda b: b"\0" * 100 + b[100:], lambda b: b[:124] + b"9" * 12 + b[136:],
    lambda b: b[:148] + b"777777\0 " + b[156:], lambda b: b[:8000], lambda b: b[:512 * 8], lambda b: b"x" * 5000])
def test_a_damaged_archive(build, server, tmp_path, damage):
    archive = server / "root.tar"
    archive.write_bytes(damage(archive.read_bytes()))
    result = build()
    assert "damaged tar archive" in one_sentence(result)
    assert result.returncode == 3 and os.listdir(tmp_path / "out") == []


def test_without_mmdebstrap(facet, tmp_path):
    if os.path.exists("/usr/bin/mmdebstrap"):
        pytest.skip("it is installed")
    result = facet("image", "build", "--output", tmp_path / "o")
    assert "install the Debian package mmdebstrap" in one_sentence(result)
    assert result.returncode == 5


def test_with_mmdebstrap_itself(facet, tmp_path):
    """Two builds from Debian's servers: minutes."""
    if not os.environ.get("FACET_LONG"):
        pytest.skip("takes minutes: set FACET_LONG=1")
    try:
        with urllib.request.urlopen("http://deb.debian.org/debian/dists/bookworm/Release",
                                    timeout=10):
            pass
    except OSError:
        pytest.skip("Debian's servers cannot be reached")
    for name in "one.img", "two.img":
        result = facet("image", "build", "--packages", "bc", "--output", tmp_path / name,
                       timeout=3000)
        assert result.returncode == 0, result.stderr
    assert (tmp_path / "one.img").read_bytes() == (tmp_path / "two.img").read_bytes()
    assert "Type: regular" in debugfs(tmp_path / "one.img", "stat /usr/bin/bc")
    assert subprocess.run(["e2fsck", "-fn", tmp_path / "one.img"], env=TOOLS, capture_output=True,
                          check=False).returncode == 0
