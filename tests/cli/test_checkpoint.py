# SPDX-License-Identifier: BSD-3-Clause
"""facet checkpoint: list, show, verify, compare."""

import json
import os
import shutil
import subprocess

import pytest


@pytest.fixture
def folder(tmp_path):
    """Checkpoints 'one' and its child 'two'."""
    subprocess.run([os.environ["MAKE_CHECKPOINTS"], str(tmp_path)], check=True)
    return tmp_path


def test_ls_lists_them_and_says_which_cannot_be_used(facet, folder):
    result = facet("checkpoint", "ls", folder)
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and len(lines) == 3
    assert lines[1].endswith("/one") and lines[2].endswith("/two (parent ../one)")
    (folder / "one" / "state.json").write_text("{}")
    lines = facet("checkpoint", "ls", folder).stdout.splitlines()
    assert "unusable:" in lines[1] and "state.json is damaged" in lines[1]
    document = json.loads(facet("checkpoint", "--json", "ls", folder).stdout)
    assert [c["problem"] is None for c in document["checkpoints"]] == [False, True]


def test_show_says_what_is_in_one(facet, folder):
    text = facet("checkpoint", "show", folder / "two").stdout
    assert "map.ram" in text and "map.timer0" in text and "../one" in text and "0123" in text
    document = json.loads(facet("checkpoint", "--json", "show", folder / "two").stdout)
    [one] = document["checkpoints"]
    assert one["memory_bytes"] == 1 << 20
    assert one["memories"][0]["inherited_bytes"] + one["memories"][0]["stored_bytes"] == 1 << 20
    assert {"path": "map", "type": "physmap"}.items() <= one["components"][0].items()


def test_verify_walks_to_the_ancestors(facet, folder):
    assert facet("checkpoint", "verify", folder / "one", folder / "two").stdout.count("whole") == 2
    with open(folder / "one" / "memory.pack", "r+b") as pack:
        pack.truncate(1000)
    result = facet("checkpoint", "verify", folder / "two")
    assert result.returncode == 3 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "one" in result.stderr
    shutil.rmtree(folder / "one")
    result = facet("checkpoint", "--json", "verify", folder / "two")
    assert result.returncode == 3
    assert "its parent" in json.loads(result.stdout)["checkpoints"][0]["problem"]


def test_diff_names_what_differs(facet, folder):
    assert facet("checkpoint", "diff", folder / "one", folder / "one").returncode == 0
    result = facet("checkpoint", "diff", folder / "one", folder / "two")
    assert result.returncode == 4
    assert "machine tick: 0x" in result.stdout and "memory map.ram: 0x" in result.stdout
    document = json.loads(facet("checkpoint", "--json", "diff", folder / "one", folder / "two").stdout)
    kinds = {d["kind"] for d in document["differences"]}
    assert {"machine", "state", "memory"} <= kinds
    assert document["pages"] == sum(d["bytes"] for d in document["differences"]) // 4096


@pytest.mark.parametrize("words, code, sentence", [
    ([], 2, "there are ls, show, verify and diff"),
    (["lst"], 2, "did you mean 'ls'?"),
    (["show"], 2, "facet checkpoint show CHECKPOINT"),
    (["diff", "a"], 2, "facet checkpoint diff CHECKPOINT CHECKPOINT"),
    (["ls", "/no/such/folder"], 3, "cannot open directory '/no/such/folder'"),
    (["show", "/no/such/folder"], 3, "cannot use checkpoint '/no/such/folder'"),
    (["verify", "/tmp"], 3, "cannot use checkpoint '/tmp'"),
])
def test_a_mistake_gets_one_sentence(facet, words, code, sentence):
    result = facet("checkpoint", *words)
    assert result.returncode == code and result.stdout == ""
    assert result.stderr.count("\n") == 1 and sentence.lower() in result.stderr.lower()
