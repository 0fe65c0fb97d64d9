# SPDX-License-Identifier: BSD-3-Clause
"""Each check of tools/ finds what it is there to find, and passes what is right."""

import importlib.util
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLE = "| folder | may include | why |\n|---|---|---|\n| base | | |\n| sim | | |\n| isa | sim | |\n" \
        "| mem | sim | |\n| cli | include/facet | |\n"
TAG = "// SPDX-License-Identifier: BSD-3-Clause\n"


@pytest.fixture(name="tree")
def _tree(tmp_path):
    """tree({path: text}) makes a small source tree and returns a function that runs a check."""
    def make(contents):
        (tmp_path / "ARCHITECTURE.md").write_text(TABLE)
        with open(os.path.join(ROOT, ".clang-format"), encoding="utf-8") as f:
            (tmp_path / ".clang-format").write_text(f.read())
        for path, text in contents.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

        def run(check, *args):
            return subprocess.run([sys.executable, "-B", os.path.join(ROOT, "tools", check),
                                   "--root", str(tmp_path), *args],
                                  capture_output=True, text=True, check=False)
        return run
    return make


@pytest.mark.parametrize("path, include, right", [
    ("src/isa/a.c", "sim/bus.h", True),
    ("src/isa/a.c", "base/error.h", True),
    ("src/isa/a.c", "isa/isa.h", True),
    ("src/isa/a.c", "mem/cache.h", False),
    ("src/sim/a.c", "isa/isa.h", False),
    ("src/sim/a.c", "bus.h", False),
    ("src/cli/a.c", "facet/facet.h", True),
    ("src/cli/a.c", "sim/bus.h", False),
    ("src/sim/a.c", "facet/facet.h", False),
    ("src/isa/x86/a.c", "isa/isa_priv.h", False),
    ("src/isa/a.c", "isa/isa_priv.h", True),
    ("src/new/a.c", "base/error.h", False),
    ("include/facet/a.h", "base/error.h", False),
])
def test_layers(tree, path, include, right):
    result = tree({path: '#include "%s"\n' % include})("check_layers.py")
    assert (result.returncode == 0) == right, result.stdout
    assert right or result.stdout.startswith(path)


def test_layers_needs_its_table(tree, tmp_path):
    run = tree({})
    (tmp_path / "ARCHITECTURE.md").write_text("nothing\n")
    assert run("check_layers.py").returncode == 1


@pytest.mark.parametrize("member, right", [
    ("struct uart_params p;", True),
    ("WIRED(struct irq_line irq);", True),
    ("DERIVED(int cached);", True),
    ("int hidden;", False),
    ("struct uart_state *st;", False),
])
def test_components(tree, member, right):
    text = "struct uart {\n    struct component base;\n    %s // a member; with a comment\n};\n" % member
    result = tree({"src/dev/uart.c": text})("check_components.py")
    assert (result.returncode == 0) == right, result.stdout
    assert right or "src/dev/uart.c:3: struct uart" in result.stdout


@pytest.mark.parametrize("line, right", [
    ("strcpy(a, b);", False),
    ("x = time(NULL);", False),
    ("ops->exit(1);", True),
    ("sys_exit(1);", True),
    ("exit(1);", False),
    ("// exit(1)", True),
    ('puts("exit(1)");', True),
])
def test_banned(tree, line, right):
    result = tree({"src/sim/a.c": line + "\n"})("check_banned.py")
    assert (result.returncode == 0) == right, result.stdout


def test_banned_knows_owners(tree):
    run = tree({"src/cli/main.c": "exit(1);\n"})
    assert run("check_banned.py").returncode == 0


@pytest.mark.parametrize("text, right", [
    ("#include <stdint.h>\nuint8_t f(void);\n", True),
    ("uint8_t f(void);\n", False),
    ("static inline int f(int x) { int y; return x; }\n", False),
])
def test_headers(tree, text, right):
    result = tree({"src/sim/a.h": "#pragma once\n" + text})("check_headers.py")
    assert (result.returncode == 0) == right, result.stdout


def test_public_headers_are_cxx_too(tree):
    run = tree({"include/facet/a.h": "#pragma once\nint f(int new);\n"})
    assert run("check_headers.py").returncode == 1


@pytest.mark.parametrize("text, right", [
    (TAG + "int x;\n", True),
    (TAG + "int   x;\n", False),
    ("int x;\n", False),
    (TAG + "int x;\n\n", False),
])
def test_format(tree, text, right):
    result = tree({"src/sim/a.c": text})("check_format.py")
    if result.returncode == 77:
        pytest.skip(result.stdout)
    assert (result.returncode == 0) == right, result.stdout


def test_format_fixes(tree, tmp_path):
    run = tree({"src/sim/a.c": TAG + "int   x;\n"})
    if run("check_format.py", "--fix").returncode == 77:
        pytest.skip("no clang-format 14")
    assert (tmp_path / "src/sim/a.c").read_text() == TAG + "int x;\n"


def load(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(ROOT, "tools", name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_test_summary_counts():
    run_tests = load("run_tests")
    records = [
        {"name": "a", "result": "OK"},
        {"name": "b", "result": "FAIL"},
        {"name": "c", "result": "SKIP"},
        {"name": "d", "result": "TIMEOUT"},
        {"name": "e", "result": "OK", "stdout": "ok 1 - x\nok 2 - y # SKIP no\n1..2\n"},
        {"name": "f", "result": "FAIL", "stdout": "not ok 1 - x\nnot ok 2 - y\nok 3 - z\n1..3\n"},
    ]
    assert run_tests.count(records) == ([3, 4, 2], ["b", "d", "f"])
