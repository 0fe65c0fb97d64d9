# SPDX-License-Identifier: BSD-3-Clause
"""facet doctor against what Linux says of the same host."""

import json
import os
import resource

import pytest


def findings(result):
    return {row["name"]: row for row in json.loads(result.stdout)["findings"]}


def cpu_flags():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next(line for line in f if line.startswith("flags")).split(":")[1].split()


def test_the_instruction_sets_are_those_that_linux_names(facet):
    found = findings(facet("doctor", "--json"))["cpu.sets"]["value"].split()
    linux = {"sse3": "pni", "sse4.1": "sse4_1", "sse4.2": "sse4_2", "lzcnt": "abm",
             "pclmul": "pclmulqdq", "sha": "sha_ni"}
    names = ["sse2", "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "avx", "avx2", "fma",
             "f16c", "bmi1", "bmi2", "movbe", "aes", "pclmul", "sha", "avx512f"]
    assert [n for n in names if n in found] == [n for n in names if linux.get(n, n) in cpu_flags()]


def test_text_and_json_say_the_same(facet):
    text = facet("doctor")
    result = facet("doctor", "--json")
    assert text.returncode == result.returncode
    assert json.loads(result.stdout)["usable"] == (result.returncode == 0)
    for name in findings(result):
        assert name in text.stdout


def test_a_low_limit_of_open_files_is_found_by_trying(facet):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    row = findings(facet("doctor", "--json", preexec_fn=limit))["limits.open_files"]
    assert row["verdict"] == "limited" and "ulimit -n" in row["advice"]


@pytest.mark.skipif(os.environ.get("FACET_SANITIZERS", "none") != "none",
                    reason="sanitizers need the address space")
def test_a_low_limit_of_address_space_is_found_by_trying(facet):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    row = findings(facet("doctor", "--json", preexec_fn=limit))["memory.address_space"]
    assert row["verdict"] != "ok" and "2^31" in row["value"]


def test_every_finding_has_a_verdict_and_a_value(facet):
    for row in findings(facet("doctor", "--json")).values():
        assert row["verdict"] in ("ok", "limited", "missing")
        assert row["value"]
        assert row["verdict"] == "ok" or row["advice"] or row["name"].startswith("kvm.")
