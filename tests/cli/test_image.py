# SPDX-License-Identifier: BSD-3-Clause
"""facet image build: what is in the images, as other programs read them, and every mistake's sentence.

What needs Debian's servers is skipped, with a reason, when they cannot be reached."""

import gzip
import lzma
import os
import struct
import subprocess

import pytest

BUSYBOX = "/bin/busybox"


def one_sentence(result):
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("facet: "), result.stderr
    return lines[0][len("facet: "):]


# ---- initramfs ----

def listing(archive):
    """name -> the words of 'busybox cpio -tv' before it."""
    text = subprocess.run([BUSYBOX, "cpio", "-itv"], input=archive, capture_output=True, check=True,
                          env={"TZ": "UTC"}).stdout.decode()
    rows = [line.split(None, 5) for line in text.splitlines()]
    return {row[5].split(" -> ")[0]: row for row in rows}


def unpack(archive, folder):
    subprocess.run([BUSYBOX, "cpio", "-id", "--quiet"], input=archive, check=True, cwd=folder)


@pytest.fixture
def initramfs(facet, tmp_path):
    def build(*words, name="initrd.cpio", **options):
        output = tmp_path / name
        result = facet("image", "build", "--initramfs", "--output", output, *words, **options)
        assert result.returncode == 0, result.stderr
        assert result.stdout == result.stderr == ""
        return output.read_bytes()
    return build


def test_an_initramfs_has_busybox_and_what_the_kernel_needs(initramfs):
    rows = listing(initramfs())
    assert rows["init"][0] == "-rwxr-xr-x"
    assert rows["bin/busybox"][0] == "-rwxr-xr-x"
    assert rows["bin/sh"][0][0] == "l" and rows["sbin/insmod"][0][0] == "l"
    assert rows["dev/console"][0] == "crw-------"
    assert rows["tmp"][0] == "drwxrwxrwt"
    assert all(row[1] == "0/0" for row in rows.values())


def test_parents_come_before_children(initramfs, tmp_path):
    (tmp_path / "f").write_text("x")
    names = list(listing(initramfs("--file", "%s:/a/b/c" % (tmp_path / "f"))))
    assert names.index("a") < names.index("a/b") < names.index("a/b/c")


def test_the_same_request_gives_the_same_bytes(initramfs, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in "zebra", "ant", "middle":
        (folder / name).write_text(name)
    words = ["--file", "%s:/data" % folder, "--run", "ls"]
    first = initramfs(*words)
    for name in "ant", "zebra", "middle":  # made anew in another order, at another time
        (folder / name).unlink()
    for name in "middle", "zebra", "ant":
        (folder / name).write_text(name)
        os.utime(folder / name, (1, 1))
    assert initramfs(*words, name="second.cpio") == first
    for name in "one.gz", "one.zst":
        assert initramfs(*words, name=name) == initramfs(*words, name="other-" + name)


def test_the_name_tells_the_compression(initramfs):
    plain = initramfs()
    packed = initramfs(name="initrd.gz")
    assert gzip.decompress(packed) == plain
    assert packed[4:8] == b"\0\0\0\0" and packed[3] == 0  # no time, no name
    packed = initramfs(name="initrd.zst")
    assert packed[:4] == b"\x28\xb5\x2f\xfd"
    assert subprocess.run(["zstd", "-dc"], input=packed, capture_output=True,
                          check=True).stdout == plain
    assert initramfs("--compress", "none", name="initrd.gz") == plain


def test_files_keep_their_content_and_mode(initramfs, tmp_path):
    (tmp_path / "data").write_bytes(bytes(range(256)) * 1000)
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o4755)
    archive = initramfs("--file", "%s:/etc/data:600" % (tmp_path / "data"),
                        "--file", "%s:/bin/tool" % (tmp_path / "tool"),
                        "--file", "%s:/opt/" % (tmp_path / "tool"))
    rows = listing(archive)
    assert rows["etc/data"][0] == "-rw-------"
    assert rows["bin/tool"][0] == "-rwsr-xr-x" == rows["opt/tool"][0]
    assert (bytes(range(256)) * 1000) in archive


def test_a_folder_comes_with_all_below_it(initramfs, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_text("content")
    (source / "link").symlink_to("deep/file")
    out = tmp_path / "out"
    out.mkdir()
    unpack(initramfs("--file", "%s:/srv" % source), out)
    assert (out / "srv/deep/file").read_text() == "content"
    assert os.readlink(out / "srv/link") == "deep/file"


def test_a_file_replaces_what_the_image_has(initramfs, tmp_path):
    (tmp_path / "init").write_text("#!/bin/sh\necho mine\n")
    archive = initramfs("--file", "%s:/init:755" % (tmp_path / "init"))
    assert b"echo mine" in archive and b"Made by facet image build" not in archive
    assert list(listing(archive)).count("init") == 1


def test_the_time_is_that_of_source_date_epoch(initramfs):
    archive = initramfs(env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})
    assert all(row[3] == "1970-01-02" for row in listing(archive).values())


def test_the_script_and_the_command_are_run_by_init(initramfs, tmp_path):
    (tmp_path / "script").write_text("#!/bin/sh\necho from-script\n")
    archive = initramfs("--init", tmp_path / "script")
    assert listing(archive)["etc/facet/run"][0] == "-rwxr-xr-x"
    assert b"from-script" in archive
    out = tmp_path / "out"
    out.mkdir()
    unpack(initramfs("--run", "echo 'a b'"), out)
    assert subprocess.run([out / "etc/facet/run"], capture_output=True,
                          check=True).stdout == b"a b\n"


def test_init_is_a_valid_script(initramfs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    unpack(initramfs(), out)
    subprocess.run([BUSYBOX, "sh", "-n", out / "init"], check=True)


# ---- kernel modules ----

def module(**info):
    """An ELF file with nothing but .modinfo."""
    text = b"".join(b"%s=%s\0" % (key.encode(), value.encode()) for key, value in info.items())
    names = b"\0.modinfo\0.shstrtab\0"
    at = 64
    sections = [bytes(64)]
    for name, content in (1, text), (10, names):
        sections.append(struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, at, len(content), 0, 0, 1, 0))
        at += len(content)
    header = b"\x7fELF\2\1\1" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, 3, 2)
    return header + text + names + b"".join(sections)


@pytest.fixture
def modules(tmp_path):
    folder = tmp_path / "lib/modules/6.1"
    (folder / "kernel/fs").mkdir(parents=True)
    for name, info in {
            "ext4": {"depends": "jbd2,mbcache", "softdep": "pre: crc32c"},
            "jbd2": {"depends": ""}, "mbcache": {"depends": ""},
            "crc32c_generic": {"alias": "crc32c"}, "crc32c-intel": {"alias": "crc32c"},
            "virtio-net": {"depends": "ghost"},
            "loop-a": {"depends": "loop-b"}, "loop-b": {"depends": "loop-a"}}.items():
        (folder / "kernel/fs" / (name + ".ko")).write_bytes(module(**info))
    (folder / "modules.builtin").write_text("kernel/drivers/nvme/host/nvme-core.ko\n")
    return tmp_path / "lib"


def loaded(archive, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    unpack(archive, out)
    files = (out / "etc/facet/modules").read_text().splitlines()
    assert all((out / file[1:]).is_file() for file in files)
    return [os.path.basename(file)[:-3] for file in files]


def test_modules_come_behind_what_they_need(initramfs, modules, tmp_path):
    archive = initramfs("--kernel-modules", modules, "--module", "ext4,jbd2", "--module", "ext4")
    order = loaded(archive, tmp_path)
    assert order == ["crc32c_generic", "jbd2", "mbcache", "ext4"]
    assert "lib/modules/6.1/kernel/fs/ext4.ko" in listing(archive)


PACKERS = {".xz": lambda data: lzma.compress(data, check=lzma.CHECK_CRC32), ".gz": gzip.compress,
           ".zst": lambda data: subprocess.run(["zstd", "-q"], input=data, capture_output=True,
                                               check=True).stdout}


@pytest.mark.parametrize("suffix", PACKERS)
def test_compressed_modules_are_unpacked(initramfs, modules, tmp_path, suffix):
    """As Debian's kernels since 6.10 have them (.ko.xz)."""
    plain = {}
    for path in (modules / "modules/6.1/kernel/fs").glob("*.ko"):
        plain[path.name] = path.read_bytes()
        path.with_name(path.name + suffix).write_bytes(PACKERS[suffix](plain[path.name]))
        path.unlink()
    archive = initramfs("--kernel-modules", modules, "--module", "ext4")
    assert loaded(archive, tmp_path) == ["crc32c_generic", "jbd2", "mbcache", "ext4"]
    assert (tmp_path / "out/lib/modules/6.1/kernel/fs/ext4.ko").read_bytes() == plain["ext4.ko"]


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_damaged_compressed_module(facet, tmp_path, suffix):
    (tmp_path / "m").mkdir()
    good = PACKERS[suffix](module() + bytes(100000))
    for content in (b"", good[:-3], good[:10], b"none of these", module()):
        (tmp_path / "m" / ("bad.ko" + suffix)).write_bytes(content)
        result = facet("image", "build", "--initramfs", "--output", tmp_path / "i",
                       "--kernel-modules", tmp_path / "m", "--module", "bad")
        assert "bad.ko" + suffix in one_sentence(result) and result.returncode == 3


def test_a_module_that_is_built_in_needs_no_file(initramfs, modules, tmp_path):
    archive = initramfs("--kernel-modules", modules, "--module", "nvme_core")
    assert loaded(archive, tmp_path) == []


def test_modules_that_need_each_other_end(initramfs, modules, tmp_path):
    archive = initramfs("--kernel-modules", modules, "--module", "loop_a")
    assert loaded(archive, tmp_path) == ["loop-b", "loop-a"]


@pytest.mark.parametrize("name, sentence", [
    ("ext3", "there is no module 'ext3' in '"), ("exd4", "did you mean 'ext4'?"),
    ("virtio_net", "module 'virtio_net': module 'ghost' is missing in '")])
def test_a_module_that_is_missing(facet, modules, tmp_path, name, sentence):
    result = facet("image", "build", "--initramfs", "--output", tmp_path / "i",
                   "--kernel-modules", modules, "--module", name)
    assert sentence in one_sentence(result)
    assert result.returncode == 3 and not (tmp_path / "i").exists()


@pytest.mark.parametrize("content", [b"", b"no ELF", module()[:70], module()[:64] + bytes(100),
                                     b"\x7fELF\2\1\1" + b"\xff" * 100])
def test_a_damaged_module(facet, tmp_path, content):
    (tmp_path / "m").mkdir()
    (tmp_path / "m/bad.ko").write_bytes(content)
    result = facet("image", "build", "--initramfs", "--output", tmp_path / "i",
                   "--kernel-modules", tmp_path / "m", "--module", "bad")
    assert "is no kernel module" in one_sentence(result)
    assert result.returncode == 3


# ---- mistakes ----

@pytest.mark.parametrize("words, code, sentence", [
    ([], 2, "image: say what to do: facet image build"),
    (["make"], 2, "image: unknown 'image make'; there is: facet image build"),
    (["build"], 2, "image: name the file to make: --output FILE"),
    (["build", "--initramfs"], 2, "--output FILE"),
    (["build", "--initramfs", "extra"], 2, "unexpected operand 'extra'"),
    (["build", "--initramfs", "--output", "o", "--packages", "a"], 2, "is not for --initramfs"),
    (["build", "--output", "o", "--module", "a"], 2, "is for --initramfs only"),
    (["build", "--initramfs", "--output", "o", "--file", "nothing"], 2, "SRC:DEST[:MODE]"),
    (["build", "--initramfs", "--output", "o", "--file", "a:b:9"], 2, "no octal file mode"),
    (["build", "--initramfs", "--output", "o", "--file", "/no/file:/b"], 3, "No such file"),
    (["build", "--initramfs", "--output", "o", "--file", "/dev/null:/b"], 3,
     "'/dev/null' is neither a file nor a folder"),
    (["build", "--initramfs", "--output", "o", "--file", "/etc/passwd:/init/passwd"], 3,
     "'/init/passwd' cannot be put into '/init', which is no folder"),
    (["build", "--initramfs", "--output", "o", "--init", "/no/script"], 3, "No such file"),
    (["build", "--initramfs", "--output", "o", "--init", "/etc/passwd", "--run", "x"], 2,
     "exclude each other"),
    (["build", "--initramfs", "--output", "o", "--module", "x"], 2, "give --kernel-modules"),
    (["build", "--initramfs", "--output", "o", "--compress", "lzma"], 2, "none, gzip or zstd"),
    (["build", "--initramfs", "--output", "o", "--busybox", "/no/busybox"], 3, "No such file"),
    (["build", "--initramfs", "--output", "o", "--busybox", "/etc/passwd"], 3,
     "'/etc/passwd' is no x86-64 program"),
    (["build", "--initramfs", "--output", "o", "--busybox", "/bin/ls"], 3,
     "'/bin/ls' is not statically linked"),
    (["build", "--initramfs", "--output", "o", "--kernel-modules", "/no/folder", "--module", "a"],
     3, "No such file"),
    (["build", "--initramfs", "--output", "/no/folder/o"], 3, "No such file"),
])
def test_a_mistake_gets_one_sentence(facet, tmp_path, words, code, sentence):
    result = facet("image", *words, cwd=tmp_path)
    assert sentence in one_sentence(result)
    assert result.returncode == code
    assert os.listdir(tmp_path) == []


def test_a_wrong_source_date_epoch(facet, tmp_path):
    result = facet("image", "build", "--initramfs", "--output", tmp_path / "o",
                   env={**os.environ, "SOURCE_DATE_EPOCH": "yesterday"})
    assert "SOURCE_DATE_EPOCH" in one_sentence(result)
    assert result.returncode == 2


def test_a_full_disk_leaves_no_file(facet):
    result = facet("image", "build", "--initramfs", "--output", "/dev/full")
    assert "No space left" in one_sentence(result)
    assert result.returncode == 16
