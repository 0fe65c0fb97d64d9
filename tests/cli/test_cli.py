# SPDX-License-Identifier: BSD-3-Clause
"""The command line: every mistake gets one clear sentence and its documented exit code."""

import json
import re
import subprocess

import pytest

COMMANDS = ["exec", "boot", "restore", "checkpoint", "image", "get", "doctor", "version", "help", "completion"]


def one_sentence(result):
    """The only line on standard error, without its 'facet: '; nothing on standard output."""
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("facet: "), result.stderr
    return lines[0][len("facet: "):]


def test_no_command_shows_the_commands(facet):
    result = facet()
    assert result.returncode == 2
    assert all(command in result.stderr for command in COMMANDS)


@pytest.mark.parametrize("word, near", [
    ("exce", "exec"), ("verison", "version"), ("--versoin", "version"), ("DOCTOR", "doctor")])
def test_a_misspelt_command_names_the_nearest(facet, word, near):
    result = facet(word)
    assert result.returncode == 2
    assert "did you mean 'facet %s'?" % near in one_sentence(result)


def test_a_strange_command_points_to_help(facet):
    result = facet("xyzzy")
    assert result.returncode == 2
    assert one_sentence(result) == "unknown command 'xyzzy'; 'facet help' lists the commands"


@pytest.mark.parametrize("words, code, sentence", [
    (["version", "--jsno"], 2, "version: unknown option '--jsno'; did you mean '--json'?"),
    (["version", "-j"], 2, "unknown option '-j'"),
    (["version", "--json=1"], 2, "version: option '--json' takes no value"),
    (["version", "more"], 2, "version: unexpected operand 'more'"),
    (["version", "--json", "--json"], 2, "version: option '--json' is given twice"),
    (["help", "exce"], 2, "help: no topic 'exce'; did you mean 'exec'?"),
    (["help", "--man", "--markdown"], 2, "exclude each other"),
    (["completion"], 2, "the shells are bash, zsh and fish"),
    (["completion", "tcsh"], 2, "no completion for 'tcsh'"),
    (["exec"], 125, "no program given"),
    (["exec", "--"], 125, "no program given"),
    (["exec", "--max-inst", "3", "true"], 125, "did you mean '--max-insts'?"),
    (["exec", "--max-insts"], 125, "option '--max-insts' needs a value (N)"),
    (["exec", "--max-insts", "many", "true"], 125, "max_insts"),
    (["exec", "--cpus", "0", "true"], 125, "0 is less than the least allowed, 1"),
    (["exec", "--cpus", "65", "true"], 125, "65 is more than the most allowed, 64"),
    (["exec", "--cpuid", "x86-64-v4", "true"], 125, "cpuid: 'x86-64-v4' is not one of x86-64-v1|"),
    (["exec", "--cpu", "o4", "true"], 125, "functional"),
    (["exec", "--mem", "1000", "true"], 125, "mem"),
    (["exec", "--set", "cpus", "true"], 125, "PATH=VALUE"),
    (["exec", "--set", "cpsu=2", "true"], 125, "did you mean 'cpus'?"),
    (["exec", "--env", "NAME", "true"], 125, "NAME=VALUE"),
    (["exec", "--log", "lots", "true"], 125, "lots"),
    (["exec", "--stats-file", "stats.xml", "true"], 125, "must end in .txt, .json or .csv"),
    (["exec", "--stats-file", "/no/such/folder/stats.txt", "true"], 125, "No such file"),
])
def test_a_wrong_command_line(facet, words, code, sentence):
    result = facet(*words)
    assert sentence in one_sentence(result)
    assert result.returncode == code


def test_options_may_stand_behind_operands(facet):
    assert facet("help", "exec", "--man").stdout == facet("help", "--man", "exec").stdout
    assert facet("help", "--", "--man").returncode == 2  # an operand


def test_version(facet):
    document = json.loads(facet("version", "--json").stdout)
    assert document["schema_version"] == 1
    assert re.match(r"\d+\.\d+\.\d+$", document["version"])
    assert re.match(r"Zydis \d", document["decoder"])
    assert facet("--version").stdout == facet("version").stdout
    assert document["version"] in facet("version").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_every_option_of_the_reference(facet, command):
    text = facet("help", command).stdout
    assert text == facet(command, "--help").stdout == facet(command, "-h").stdout
    section = facet("help", "--markdown").stdout.split("## facet %s\n" % command)[1].split("\n## ")[0]
    options = re.findall(r"^\| `(--[a-z-]+)", section, re.M)
    assert "--help" in options
    assert all(re.search(r"^  %s\b" % option, text, re.M) for option in options)


@pytest.mark.parametrize("topic", [None, *COMMANDS])
def test_man_pages_are_clean_roff(facet, topic):
    page = facet("help", "--man", *([topic] if topic else [])).stdout
    assert page.startswith(".TH FACET")
    if topic:
        assert ".SH OPTIONS" in page and "\\-\\-help" in page


@pytest.mark.parametrize("typed, expected", [
    (["facet", "ex"], ["exec"]),
    (["facet", "exec", "--stats-f"], ["--stats-file="]),
    (["facet", "version", "--"], ["--help", "--json"]),
])
def test_bash_completion_completes(facet, tmp_path, typed, expected):
    script = tmp_path / "completion"
    script.write_text(facet("completion", "bash").stdout)
    words = " ".join("'%s'" % word for word in typed)
    program = "compopt() { :; }; . %s; COMP_WORDS=(%s); COMP_CWORD=%d; _facet; " \
              "printf '%%s\\n' \"${COMPREPLY[@]}\"" % (script, words, len(typed) - 1)
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(facet, shell):
    script = facet("completion", shell).stdout
    assert all(command in script for command in COMMANDS)


def test_a_full_disk_is_told(facet):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = facet("help", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert "No space left on device" in result.stderr


def test_a_status_file_tells_whose_failure_it_was(facet, tmp_path):
    status = tmp_path / "status.json"
    result = facet("exec", "--status-file", status, "--cpus", "0", "/bin/true")
    assert result.returncode == 125
    document = json.loads(status.read_text())
    assert document["end"] == "error" and document["exit_code"] == 125
    assert document["error"]["class"] == "input" and document["error"]["code"] == 3
    assert document["error"]["message"] in result.stderr
