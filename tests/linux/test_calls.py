# SPDX-License-Identifier: BSD-3-Clause
"""System calls, signals, threads and memory: programs written for it print what they see; Linux
itself is the oracle."""

import json
import os
import subprocess
import time

import pytest

from linux.native import compare, native, simulated

HERE = os.path.dirname(os.path.abspath(__file__))


@pytest.fixture(name="build", scope="session")
def _build(tmp_path_factory):
    """build(source, *flags) compiles guest/source; once."""
    folder = tmp_path_factory.mktemp("guest")

    def build(source, *flags):
        name = source.rsplit(".", 1)[0] + "".join(flags).replace("/", "_")
        if not (folder / name).exists():
            compiler = "g++" if source.endswith(".cc") else "gcc"
            subprocess.run([compiler, "-O1", "-w", "-mavx", "-D_GNU_SOURCE", *flags, "-pthread",
                            "-o", folder / name, os.path.join(HERE, "guest", source)], check=True)
        return folder / name
    return build


@pytest.mark.parametrize("flags", [(), ("-static",), ("-static-pie", "-fPIE")],
                         ids=["dynamic", "static", "static-pie"])
@pytest.mark.parametrize("source", ["signals.c", "memory.c"])
def test_what_the_program_sees_is_what_linux_shows(build, source, flags):
    compare([build(source, *flags)])


def test_files(build, tmp_path):
    folders = [tmp_path / "native", tmp_path / "facet"]
    for folder in folders:
        folder.mkdir()
    compare([build("files.c")], folders=folders)


def test_sockets(build, tmp_path):
    folders = [tmp_path / "native", tmp_path / "facet"]
    for folder in folders:
        folder.mkdir()
    compare([build("sockets.c")], folders=folders)


def test_processes_by_descriptor_and_what_else_processes_share(build, tmp_path):
    folders = [tmp_path / "native", tmp_path / "facet"]
    for folder in folders:
        folder.mkdir()
    compare([build("processes.c")], folders=folders)


def test_watched_files(build, tmp_path):
    folders = [tmp_path / "native", tmp_path / "facet"]
    for folder in folders:
        folder.mkdir()
    compare([build("inotify.c")], folders=folders)


def test_a_program_that_waits_for_others_on_the_host_sees_them(build, tmp_path):
    with subprocess.Popen([os.environ["FACET"], "exec", "--", build("inotify.c"), "others"],
                          cwd=tmp_path, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        (tmp_path / "new").write_text("")
        out = program.communicate(timeout=30)[0]
    assert "mask 100 " in out and "'new'" in out and program.returncode == 0


def test_locks_of_files(build, tmp_path):
    folders = [tmp_path / "native", tmp_path / "facet"]
    for folder in folders:
        folder.mkdir()
    compare([build("locks.c")], folders=folders)


def test_which_times_of_files_change(build, tmp_path):
    folders = [tmp_path / "native", tmp_path / "facet"]
    for folder in folders:
        folder.mkdir()
    compare([build("times.c")], folders=folders)


def test_the_times_of_files_do_not_tell_the_date(build, tmp_path):
    runs = []
    for name in ("first", "other"):
        folder = tmp_path / name
        folder.mkdir()
        os.utime(folder, (10**9, 10**9))
        runs.append(simulated([build("times.c"), "absolute"], cwd=folder).stdout)
        # The host and later runs see what the program saw.
        assert 0 <= os.stat(folder / "g").st_mtime - 1767225600 < 60
        runs.append(simulated(["/usr/bin/stat", "-c", "%n %x %y %z", "g", "s", "y"],
                              cwd=folder).stdout)
        time.sleep(1.1)
    assert runs[0].count(b"\n") > 60 and runs[0] == runs[2]
    assert runs[1].count(b"2026") > 5 and runs[1] == runs[3]


def test_make_compares_times_of_the_simulated_clock(tmp_path):
    outputs = []
    for name in ("first", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Makefile").write_text("b: a\n\tcp a b; stat -c '%Y %Z' a b .\n")
        (folder / "a").write_text("1")
        for path in (folder / "Makefile", folder / "a", folder):
            os.utime(path, (10**9, 10**9))
        script = "make; make; sleep 1; echo 2 > a; make; make; tar c a b | tar tv; ls -l --full-time"
        outputs.append(simulated(["/bin/sh", "-c", script], cwd=folder).stdout)
        time.sleep(1.1)
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"cp a b") == 2
    assert outputs[0].count(b"is up to date") == 2


@pytest.mark.parametrize("cpus", [1, 2, 5])
def test_threads(build, cpus):
    compare([build("threads.cc")], "--cpus", cpus)


def test_a_root_folder_is_all_that_the_program_sees(build, tmp_path):
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc" / "motd").write_text("inside\n")
    (root / "escape").symlink_to("../../../../etc/motd")
    (root / "absolute").symlink_to("/etc/motd")
    program = build("cat.c", "-static")
    (root / "bin" / "cat").write_bytes(program.read_bytes())
    (root / "bin" / "cat").chmod(0o755)
    done = simulated(["/bin/cat", "/etc/motd", "/escape", "/absolute", "/../etc/motd"],
                     "--root", root)
    assert done.stdout == b"inside\n" * 4, done.stderr
    assert simulated(["/bin/cat", HERE + "/native.py"], "--root", root).returncode == 1


def stats(words, folder, *options, **more):
    path = folder / "stats.json"
    done = simulated(words, "--stats-file", path, *options, **more)
    return done, json.loads(path.read_text())["stats"]


@pytest.mark.parametrize("cpus", [1, 3])
def test_two_runs_are_the_same(build, tmp_path, cpus):
    program = build("threads.cc")
    runs = [stats([program], tmp_path, "--cpus", cpus) for _ in range(2)]
    assert runs[0][1] == runs[1][1]


def test_the_path_of_the_binary_does_not_matter(build, tmp_path):
    program = build("memory.c")
    long = tmp_path / ("x" * 100) / ("y" * 50)
    long.mkdir(parents=True)
    copy = long / "memory"
    copy.write_bytes(program.read_bytes())
    copy.chmod(0o755)
    first = stats([program], tmp_path)[1]
    second = stats([copy], tmp_path)[1]
    # The loader and the library look at the characters of the path; nothing else may differ.
    assert abs(first["simInsts"] - second["simInsts"]) < 2000
    for name in ("numSyscalls", "numFaults", "peakPages"):
        assert first["system.workload"][name] == second["system.workload"][name]


def test_the_environment_of_the_host_does_not_matter(build, tmp_path):
    program = build("memory.c")
    environment = {**os.environ, "SOMETHING": "x" * 1000, "LC_ALL": "C"}
    assert stats([program], tmp_path)[1] == stats([program], tmp_path, env=environment)[1]


def test_an_unknown_call_is_named_once(build):
    done = simulated([build("unknown.c")])
    assert done.returncode == 0
    assert done.stderr.count(b"add_key") == 1


def test_a_deadlock_is_reported(build):
    done = simulated([build("deadlock.c")])
    assert done.returncode == 124
    assert b"deadlock" in done.stderr


def test_scripts_and_their_interpreters(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh -e\necho \"$0\" \"$@\"\nfalse\necho not here\n")
    script.chmod(0o755)
    compare([script, "a", "b c"])
    outer = tmp_path / "outer"
    outer.write_text("#!%s  with args \nx\n" % script)
    outer.chmod(0o755)
    compare([outer, "1"])


def test_a_script_without_its_interpreter(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/nowhere/sh\n")
    script.chmod(0o755)
    done = simulated([script])
    assert done.returncode == 127
    assert b"/nowhere/sh" in done.stderr


def test_memory_that_is_full_ends_the_program(build):
    assert native([build("fill.c")]).stdout == b"it was enough\n"
    done = simulated([build("fill.c")], "--mem", "32MiB", timeout=60)
    assert done.returncode == 128 + 9
    assert b"memory is full" in done.stderr


@pytest.mark.parametrize("script", [
    "(echo through > p) & cat p; wait",
    "exec 3<>p; echo held >&3; read x <&3; echo $x",
    "cat p & (echo one; echo two) > p; wait; (sleep 0.1; echo late) > p & cat p"])
def test_named_pipes(tmp_path, script):
    folders = [tmp_path / "native", tmp_path / "facet"]
    for folder in folders:
        folder.mkdir()
        os.mkfifo(folder / "p")
    compare(["/bin/bash", "-c", script], folders=folders)


@pytest.mark.parametrize("seed", range(1, 4))
def test_hostile_calls_do_not_hurt_the_simulator(build, tmp_path, seed):
    # Its standard input is a file of its own: some of the calls change modes and owners.
    with open(tmp_path / "input", "w+b") as own:
        done = simulated([build("hostile.c", "-static"), seed, 20], cwd=tmp_path, timeout=120,
                         stdin=own)
    assert done.returncode == 0, done.stderr[-2000:]
    assert b"still here" in done.stderr
