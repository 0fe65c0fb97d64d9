# SPDX-License-Identifier: BSD-3-Clause
"""Wrong files, wrong options, wrong checkpoints: one clear sentence, exit code 125, at once, and
nothing is left behind."""

import gzip
import json
import os
import resource
import shutil
import struct

import pytest

from boot.computer import Computer


AT_ONCE = 1 if os.environ.get("FACET_SANITIZERS", "none") == "none" else 10


@pytest.fixture
def refuse(computer):
    """refuse(command, *words) runs facet and returns the sentence with which it refused."""
    def run(command, *words):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = computer.finish(computer.start(command, *words))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.code == 125 and done.console == "", done.stderr
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("facet: "), done.stderr
        # CPU time, because the host may be busy
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < AT_ONCE
        assert set(os.listdir(done.folder)) <= {"status.json"}
        if done.status:
            assert done.status["end"] == "error" and done.status["exit_code"] == 125
            assert done.status["error"]["message"] == lines[0][len("facet: "):]
        return lines[0][len("facet: "):]
    return run


@pytest.fixture(scope="session")
def good(program):
    return program('PRINT "good"\nPOWER_OFF')


def image64():
    """As the beginning of Linux's Image for AArch64."""
    return bytes(0x38) + b"ARM\x64" + bytes(4096)


def elf(machine, kind=2):
    """An ELF header and nothing else."""
    return struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", kind, machine, 1, 0x1000000, 64, 0,
                       0, 64, 56, 0, 0, 0, 0) + bytes(4096)


# ---- kernels

@pytest.mark.parametrize("content, says", [
    (b"", "empty"),
    (b"#!/bin/sh\necho no kernel\n", "not a kernel"),
    (os.urandom(100000), "not a kernel"),
    (b"\0" * 100000, "not a kernel"),
    (gzip.compress(b"x" * 1000), "gzip"),
    (image64(), "AArch64"),
    (elf(183), "AArch64"),
    (elf(62), ""),
    (elf(62)[:40], ""),
], ids=["empty", "script", "noise", "zeros", "gzip", "arm64", "arm64 ELF", "ELF without segments",
        "half an ELF header"])
def test_a_file_that_is_no_kernel(refuse, tmp_path, content, says):
    (tmp_path / "kernel").write_bytes(content)
    sentence = refuse("boot", "--kernel", tmp_path / "kernel")
    assert "kernel" in sentence and str(tmp_path / "kernel") in sentence and says in sentence


def test_a_truncated_kernel(refuse, good, tmp_path):
    with open(good, "rb") as f:
        content = f.read()
    for size in (20, 100, 150):
        (tmp_path / "kernel").write_bytes(content[:size])
        assert str(tmp_path / "kernel") in refuse("boot", "--kernel", tmp_path / "kernel")


@pytest.mark.parametrize("option, called", [("--kernel", "kernel"), ("--initrd", "initial RAM disk")])
def test_what_is_no_regular_file(refuse, good, tmp_path, option, called):
    os.mkfifo(tmp_path / "pipe")
    words = [] if option == "--kernel" else ["--kernel", good]
    for path, says in ((tmp_path / "no", "No such file"), (tmp_path, "not a regular file"),
                       (tmp_path / "pipe", "not a regular file"), ("/dev/null", "not a regular file"),
                       ("", "No such file")):
        assert refuse("boot", *words, option, path).startswith("%s '%s': %s" % (called, path, says))


def test_an_unreadable_kernel_would_be_named(refuse, good, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    shutil.copy(good, tmp_path / "kernel")
    os.chmod(tmp_path / "kernel", 0)
    assert "Permission denied" in refuse("boot", "--kernel", tmp_path / "kernel")


def test_an_empty_initial_ram_disk(refuse, good, tmp_path):
    (tmp_path / "initrd").write_bytes(b"")
    assert refuse("boot", "--kernel", good, "--initrd", tmp_path / "initrd") == \
        "initial RAM disk '%s': the file is empty" % (tmp_path / "initrd")


def test_an_initial_ram_disk_that_does_not_fit(refuse, good, tmp_path):
    with open(tmp_path / "initrd", "wb") as f:
        f.truncate(64 << 20)
    sentence = refuse("boot", "--kernel", good, "--initrd", tmp_path / "initrd", "--mem", "32MiB")
    assert "initial RAM disk" in sentence


# ---- options

@pytest.mark.parametrize("words, says", [
    (["--cpus", "0"], "0 is less than the least allowed, 1"),
    (["--cpus", "65"], "65 is more than the most allowed, 64"),
    (["--cpus", "-1"], "cpus"),
    (["--mem", "64KiB"], "mem"),
    (["--mem", "20000001"], "no whole number of 4 KiB pages"),
    (["--set", "pc.uart0.char_tick=1us"], "did you mean 'char_ticks'?"),
    (["--set", "pc.uart7.char_ticks=1us"], "uart7"),
    (["--set", "cpsu=2"], "did you mean 'cpus'?"),
    (["--set", "pc.mem"], "PATH=VALUE"),
    (["--set", "pc.disk0.type=dsik"], "did you mean 'disk'?"),
    (["--kernel-entry", "pvhh"], "there are auto, linux64, pvh and multiboot"),
    (["--kernel-entry", "pvh"], "no entry of the kind 'pvh'"),
    (["--config", "/no/such.yaml"], "No such file"),
    (["--max-time", "3parsec"], "max_time"),
    (["--stuck-after", "soon"], "stuck_after"),
    (["--stats-file", "stats.xml"], "must end in .txt, .json or .csv"),
    (["--checkpoint-at", "later"], "wants a number of instructions"),
    (["--checkpoint-at", "0"], "not before the first instruction"),
    (["--checkpoint-every", "work-begin"], "wants a number or a time"),
    (["--max-inst", "1"], "did you mean '--max-insts'?"),
    (["operand"], "unexpected operand 'operand'"),
])
def test_a_wrong_option(refuse, good, words, says):
    assert says in refuse("boot", "--kernel", good, *words)


def test_no_kernel_given(refuse):
    assert refuse("boot") == "boot: no kernel given; 'facet help boot' explains"


def test_a_checkpoint_folder_that_cannot_be_made_ends_the_run(computer, good, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    run = computer.boot("--kernel", good, "--checkpoint-at", "20", "--checkpoint-every", "30",
                        checkpoints=tmp_path / "file" / "below")
    assert run.code == 125 and "cannot make the folder" in run.stderr
    assert run.status["end"] == "error"


# ---- checkpoints

@pytest.fixture(name="saved", scope="session")
def _saved(tmp_path_factory, good):
    """A checkpoint of the good kernel before its output."""
    run = Computer(tmp_path_factory.mktemp("saved")).boot("--kernel", good, "--checkpoint-at", "3")
    return run.checkpoints[0]


@pytest.fixture(name="copy")
def _copy(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def test_the_whole_checkpoint_is_good(computer, saved):
    assert computer.restore(saved).console == "good\n"


def test_options_may_stand_behind_the_checkpoint(computer, saved):
    run = computer.restore(saved, "--max-insts", "40")
    assert run.code == 124 and run.status["insts"] == 40


@pytest.mark.parametrize("words, says", [
    ([], "restore: wants one checkpoint"),
    (["a", "b"], "unexpected operand 'b'"),
    (["/no/such"], "No such file"),
    (["/dev/null"], "/dev/null"),
    (["/proc"], "/proc"),
    ([""], ""),
])
def test_what_is_no_checkpoint(refuse, words, says):
    assert says in refuse("restore", *words)


@pytest.mark.parametrize("name", ["manifest.json", "state.json", "memory.json", "memory.index",
                                  "memory.pack"])
def test_damage_is_told(refuse, copy, name):
    content = (copy / name).read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 4
    for bad in (flipped, content[:-1], content[:len(content) // 2], b"", content + b"x", None):
        (copy / name).unlink(missing_ok=True)
        if bad is not None:
            (copy / name).write_bytes(bad)
        assert str(copy) in refuse("restore", copy)


def test_a_checkpoint_of_another_version(refuse, copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["version"] = 999
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert "999" in refuse("restore", copy)


@pytest.mark.parametrize("words", [["pc.mem=1GiB"], ["pc.cpus=2"], ["pc.uart5.type=uart16550"]])
def test_a_checkpoint_is_not_for_another_machine(refuse, copy, words):
    assert refuse("restore", "--set", words[0], copy)


def test_what_is_to_be_saved_in_the_past_is_a_mistake(refuse, saved):
    assert "already" in refuse("restore", "--checkpoint-at", "2", saved)
    assert "already" in refuse("restore", "--checkpoint-at", "3", saved)
    assert "already" in refuse("restore", "--checkpoint-at", "1ns", saved)
