# SPDX-License-Identifier: BSD-3-Clause
"""facet-guest where there is no simulator, and include/facet/guest.h in a program."""

import os
import signal
import subprocess

import pytest

TOOL = os.path.join(os.path.dirname(os.environ.get("FACET", "build/facet")), "facet-guest")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tool(*words):
    return subprocess.run([TOOL, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("words, sentence", [
    ([], "usage: facet-guest"), (["--fast", "sum"], "usage: facet-guest"),
    (["sum", "1"], "usage: facet-guest"), (["fail"], "usage: facet-guest"),
    (["writefile"], "usage: facet-guest"), (["sleep"], "unknown operation: sleep"),
    (["exit", "x"], "no number: x"), (["exit", ""], "no number: "), (["exit", "-1"], "no number"),
    (["fail", "18446744073709551616"], "no number"), (["work-begin", "0x"], "no number")])
def test_a_wrong_command_line(words, sentence):
    result = tool(*words)
    assert sentence in result.stderr and result.returncode == 2


def test_help():
    result = tool("--help")
    assert result.returncode == 0 and "dump-reset-stats" in result.stdout


@pytest.mark.parametrize("way", ["--port", "--addr"])
def test_without_a_simulator_it_says_so(way):
    result = tool(way, "exit")
    assert result.returncode == 1
    assert result.stderr.startswith("facet-guest: ") and result.stderr.count("\n") == 1


def test_the_instruction_is_invalid_without_a_simulator():
    assert tool("--insn", "sum").returncode == -signal.SIGILL


def test_it_is_static_and_small():
    with open(TOOL, "rb") as f:
        content = f.read()
    assert b"ld-linux" not in content and len(content) < 65536


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_the_header_makes_gem5s_bytes(tmp_path, compiler, level):
    (tmp_path / "t.c").write_text(
        '#include "facet/guest.h"\n'
        "uint64_t by_insn(struct facet_guest_args *a)\n"
        "{ return facet_guest_insn(FACET_GUEST_WORK_BEGIN, a); }\n"
        "uint64_t by_port(struct facet_guest_args *a)\n"
        "{ return facet_guest_port(FACET_GUEST_SUM, a); }\n")
    subprocess.run([compiler, level, "-Wall", "-Wextra", "-Werror", "-I", ROOT + "/include", "-c",
                    "t.c"], check=True, cwd=tmp_path)
    code = (tmp_path / "t.o").read_bytes()
    assert b"\x0f\x04\x5a\x00" in code
    assert b"\xe7\xe4" in code and b"\xe5\xe8" in code and b"\xe5\xe4" in code
