# SPDX-License-Identifier: BSD-3-Clause
"""facet exec: whose exit status it is, what bad programs get, and that statistics are kept.

The oracle is the same program run natively, wherever it can be.
"""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


@pytest.fixture(name="guest", scope="session")
def _guest(tmp_path_factory):
    path = tmp_path_factory.mktemp("guest") / "guest"
    subprocess.run(["gcc", "-O1", "-static", "-w", "-o", path, os.path.join(HERE, "guest.c")],
                   check=True)
    return path


def native_status(*words):
    """The status that a shell shows."""
    done = subprocess.run(list(map(str, words)), env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def sentence(result):
    """The one line of facet on standard error."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("facet: ")]
    assert len(lines) == 1, result.stderr
    return lines[0][len("facet: "):]


def insts(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)["insts"]


@pytest.mark.parametrize("status", [0, 1, 2, 124, 125, 126, 127, 139, 255])
def test_the_exit_status_is_passed_on(facet, guest, tmp_path, status):
    result = facet("exec", "--status-file", tmp_path / "s.json", "--", guest, "exit", status)
    assert result.returncode == status == native_status(guest, "exit", status)
    assert result.stderr == ""
    document = json.loads((tmp_path / "s.json").read_text())
    assert (document["end"], document["status"]) == ("exited", status)


@pytest.mark.parametrize("words", [
    ["kill", int(signal.SIGKILL)], ["kill", int(signal.SIGTERM)], ["kill", int(signal.SIGUSR1)],
    ["abort"], ["jump"], ["load"], ["stack"], ["ud2"], ["privileged"], ["divide"]],
    ids=lambda words: "-".join(map(str, words)))
def test_death_by_a_signal(facet, guest, tmp_path, words):
    result = facet("exec", "--status-file", tmp_path / "s.json", "--stats-file",
                   tmp_path / "stats.txt", "--", guest, *words)
    assert result.returncode == native_status(guest, *words) > 128
    document = json.loads((tmp_path / "s.json").read_text())
    assert (document["end"], document["status"]) == ("killed", result.returncode - 128)
    assert document["reason"] == sentence(result)
    assert document["insts"] > 100
    assert str(document["insts"]) in (tmp_path / "stats.txt").read_text().split()


def test_an_instruction_of_no_level(facet, guest):
    result = facet("exec", "--", guest, "avx512")
    assert result.returncode == 128 + signal.SIGILL
    assert "SIGILL" in sentence(result)


def test_a_limit_ends_an_endless_loop(facet, guest, tmp_path):
    result = facet("exec", "--max-insts", "1M", "--status-file", tmp_path / "s.json",
                   "--stats-file", tmp_path / "s.csv", "--", guest, "loop")
    assert result.returncode == 124
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["end"] == "limit" and document["insts"] == 1000000
    assert "1000000" in sentence(result)
    assert "1000000" in (tmp_path / "s.csv").read_text()


def test_a_program_that_waits_for_ever_is_found_out(facet, guest, tmp_path):
    result = facet("exec", "--status-file", tmp_path / "s.json", "--", guest, "wait")
    assert result.returncode == 124
    assert json.loads((tmp_path / "s.json").read_text())["end"] == "deadlock"
    sentence(result)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_facet_and_keeps_the_statistics(facet, guest, tmp_path, number):
    from conftest import FACET
    status, stats = tmp_path / "s.json", tmp_path / "stats.json"
    with subprocess.Popen([FACET, "exec", "--status-file", status, "--stats-file", stats, "--",
                           guest, "loop"], stderr=subprocess.PIPE, text=True) as process:
        time.sleep(0.3)
        process.send_signal(number)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert json.loads(status.read_text())["end"] == "stopped"
    assert json.loads(stats.read_text())
    assert signal.Signals(number).name in error or "signal %d" % number in error


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_of_facet_is_not_the_programs(guest, number):
    from conftest import FACET
    with subprocess.Popen([FACET, "exec", "--", guest, "loop"], stderr=subprocess.PIPE,
                          text=True) as process:
        time.sleep(0.3)
        process.send_signal(number)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 125
    assert "internal error" in error


def test_a_program_may_close_its_streams(facet, guest):
    result = facet("exec", "--", guest, "close")
    assert result.returncode == 7 == native_status(guest, "close")
    assert result.stdout == result.stderr == ""


def test_standard_input_reaches_the_program(facet, guest):
    text = "line one\nline two\n"
    assert facet("exec", "--", guest, "cat", input=text).stdout == text


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_closed_stream_is_closed_for_the_program(guest, descriptor):
    from conftest import FACET
    results = []
    for prefix in [[], [FACET, "exec", "--"]]:
        done = subprocess.run([*prefix, "/bin/sh", "-c", "exec %s is-open %d" % (guest, descriptor)],
                              check=False, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                              preexec_fn=lambda: os.close(descriptor))
        results.append(done.returncode)
    assert results == [1, 1]


def test_a_reader_that_went_away(guest):
    from conftest import FACET
    with subprocess.Popen([FACET, "exec", "--", "/usr/bin/yes"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(timeout=20) == 128 + signal.SIGPIPE


def test_another_root_and_working_folder(facet, guest, tmp_path):
    (tmp_path / "sub").mkdir()
    shutil.copy(guest, tmp_path / "program")
    assert facet("exec", "--root", tmp_path, "--", "/program", "exit", 3).returncode == 3
    assert facet("exec", "--root", tmp_path, "--cwd", "/sub", "--", "../program", "exit",
                 4).returncode == 4
    for wrong in [["--root", "/no/such"], ["--root", tmp_path, "--cwd", "/no"]]:
        result = facet("exec", *wrong, "--", "/program")
        assert result.returncode == 125
        assert "No such file" in sentence(result)


def test_scripts_run_through_their_interpreter(facet, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho \"$1\"; exit 9\n")
    script.chmod(0o755)
    result = facet("exec", "--", script, "argument")
    assert (result.returncode, result.stdout) == (9, "argument\n")
    script.write_text("#!/no/such/interpreter\n")
    result = facet("exec", "--", script)
    assert result.returncode == 127
    assert "/no/such/interpreter" in sentence(result)


def bad_files(guest, folder):
    """name -> path of a file that is no program for this machine."""
    image = guest.read_bytes()
    contents = {
        "empty": b"",
        "one-byte": b"\x7f",
        "text": b"hello, world\n",
        "truncated-header": image[:40],
        "truncated-phdrs": image[:100],
        "truncated-segments": image[:len(image) // 2],
        "32-bit": image[:4] + b"\x01" + image[5:],
        "big-endian": image[:5] + b"\x02" + image[6:],
        "aarch64": image[:18] + b"\xb7\x00" + image[20:],
        "relocatable": image[:16] + b"\x01\x00" + image[18:],
        "phdr-offset": image[:32] + b"\xff" * 8 + image[40:],
        "phdr-count": image[:56] + b"\xff\xff" + image[58:],
        "segment-wild": image[:64 + 16] + b"\xff" * 40 + image[64 + 56:],
        "ones": image[:64] + b"\xff" * (len(image) - 64),
    }
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o755)
    return contents


BAD_FILES = ["empty", "one-byte", "text", "truncated-header", "truncated-phdrs",
             "truncated-segments", "32-bit", "big-endian", "aarch64", "relocatable", "phdr-offset",
             "phdr-count", "segment-wild", "ones"]


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_not_executable(facet, guest, tmp_path, name):
    assert sorted(bad_files(guest, tmp_path)) == sorted(BAD_FILES)
    result = facet("exec", "--status-file", tmp_path / "s.json", "--", tmp_path / name, timeout=10)
    document = json.loads((tmp_path / "s.json").read_text())
    if name == "truncated-segments":
        # Linux maps what there is and the program dies of it; facet may refuse it or do the same
        assert result.returncode == 126 or document["end"] == "killed"
        return
    assert result.returncode == 126, result.stderr
    assert document["error"]["class"] == "not-executable"
    assert str(tmp_path / name) in sentence(result)


def test_missing_programs(facet, tmp_path):
    for path in ["/no/such/program", "no-such-program", tmp_path / "missing"]:
        result = facet("exec", "--", path)
        assert result.returncode == 127 == native_status("sh", "-c", path)
        assert str(path) in sentence(result)


def test_a_missing_interpreter_is_named(facet, tmp_path):
    program = tmp_path / "program"
    subprocess.run(["gcc", "-w", "-o", program, "-Wl,--dynamic-linker=/lib/no-such-ld.so",
                    os.path.join(HERE, "guest.c")], check=True)
    result = facet("exec", "--", program, "exit", 0)
    assert result.returncode == 127
    assert "/lib/no-such-ld.so" in sentence(result)


def test_folders_and_files_without_permission(facet, guest, tmp_path):
    result = facet("exec", "--", tmp_path)
    assert result.returncode == 126 == native_status("sh", "-c", tmp_path)
    plain = tmp_path / "plain"
    shutil.copy(guest, plain)
    plain.chmod(0o644)
    result = facet("exec", "--", plain, "exit", 0)
    assert result.returncode == 126 == native_status("sh", "-c", "%s exit 0" % plain)
    assert "ermission" in sentence(result)


def test_the_environment_is_fixed(facet, guest):
    mine = {**os.environ, "FACET_TEST": "1"}
    fixed = facet("exec", "--", guest, "environment", env=mine).stdout.splitlines()
    assert fixed == facet("exec", "--", guest, "environment", env={}).stdout.splitlines()
    assert not any(line.startswith("FACET_TEST=") for line in fixed)
    more = facet("exec", "--env", "A=1", "--env", "HOME=/x", "--env", "A=2", "--", guest,
                 "environment").stdout.splitlines()
    assert [line for line in more if line.startswith(("A=", "HOME="))] in (["HOME=/x", "A=2"],
                                                                           ["A=2", "HOME=/x"])
    host = facet("exec", "--env-host", "--", guest, "environment", env=mine).stdout.splitlines()
    assert sorted(host) == sorted("%s=%s" % pair for pair in mine.items())


# Of another length, the path costs the C library other numbers of instructions: see
# docs/reference/determinism.md.
def test_the_same_run_gives_the_same_statistics(facet, guest, tmp_path):
    files = []
    for name in ["one", "two"]:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(guest, folder / "program")
        outputs = ["--stats-file", folder / "s.json", "--stats-file", folder / "s.txt",
                   "--stats-file", folder / "s.csv"]
        result = facet("exec", *outputs, "--", "./program", "random", cwd=folder,
                       env={"PATH": "/bin", "X": name * (1 + 40 * len(files))})
        assert result.returncode == 0, result.stderr
        files.append([result.stdout] + [(folder / f).read_bytes() for f in ("s.json", "s.txt",
                                                                           "s.csv")])
    assert files[0] == files[1]


def test_the_seed_decides_what_is_random(facet, guest):
    bytes_of = [facet("exec", "--seed", seed, "--", guest, "random").stdout for seed in (1, 1, 2)]
    assert bytes_of[0] == bytes_of[1] != bytes_of[2]
    assert len(bytes_of[0]) == 33


def test_settings_from_a_file(facet, guest, tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text("max_insts: 20k\nquantum: 100\n")
    assert facet("exec", "--config", good, "--", guest, "loop").returncode == 124
    # the command line wins
    status = tmp_path / "s.json"
    facet("exec", "--max-insts", "30k", "--config", good, "--status-file", status, "--", guest,
          "loop")
    assert insts(status) == 30000


def test_all_mistakes_of_a_settings_file_at_once(facet, guest, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("cpus: 4\nqantum: 5\nmem: lots\ncpus: 3\n")
    result = facet("exec", "--config", bad, "--", guest, "exit", 0)
    assert result.returncode == 125
    for mistake in [":2:", "quantum", ":3:", "lots", ":4:"]:
        assert mistake in result.stderr


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"[1, 2", b"cpus: {a: 1}", b"- cpus",
                                     b"&a [*a, *a]", b"cpus: !!binary xx"])
def test_broken_settings_files(facet, guest, tmp_path, content):
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    result = facet("exec", "--config", path, "--", guest, "exit", 3)
    assert result.returncode == 125
    assert "settings.yaml" in result.stderr


def test_a_missing_settings_file(facet, guest):
    result = facet("exec", "--config", "/no/such.yaml", "--", guest, "exit", 0)
    assert result.returncode == 125
    assert "/no/such.yaml" in sentence(result)


def test_an_instruction_trace(facet, guest, tmp_path):
    trace, status = tmp_path / "trace", tmp_path / "s.json"
    assert facet("exec", "--trace", "insn=%s" % trace, "--status-file", status, "--", guest,
                 "exit", 5).returncode == 5
    lines = [line for line in trace.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == insts(status)
    assert any("syscall" in line for line in lines)
    result = facet("exec", "--trace", "inns", "--", guest)
    assert result.returncode == 125
    assert "insn" in sentence(result)


def test_plain_and_traced_engine_count_alike(facet, guest, tmp_path):
    counts = []
    for option in [[], ["--traced"]]:
        facet("exec", *option, "--status-file", tmp_path / "s.json", "--", guest, "random")
        counts.append(insts(tmp_path / "s.json"))
    assert counts[0] == counts[1] > 1000
