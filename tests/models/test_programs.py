# SPDX-License-Identifier: BSD-3-Clause
"""Programs on every CPU model: what they compute, and in how many instructions, is the same."""

import json
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("FACET_BUILD", os.path.join(ROOT, "build"))
# One round each of the shorter ones: those check their own results.
OWN = ["chase", "sse", "avx2", "string", "float", "sort"]
PROGRAMS = {name: [os.path.join(BUILD, "bench/programs", name), "1"] for name in OWN}
PROGRAMS.update({
    "ls": ["/bin/ls", "-l", "/usr/share"],
    "sh": ["/bin/sh", "-c", "for i in 1 2 3; do echo $i | cat; done; (exit 7); echo $?"],
    "sort": ["/usr/bin/sort", "--parallel=4", "/etc/services"],
    "awk": ["/usr/bin/awk", "BEGIN { for (i = 0; i < 3000; i++) s += i * 1.5; print s }"],
})
MODELS = ["timing", "o3"]


def part(stats, name):
    return json.loads(stats)["stats"]["system." + name]


@pytest.fixture(name="run")
def _run(tmp_path):
    """run(command, *options): (output, exit code, instructions, statistics) of facet exec."""
    def run(command, *options):
        stats, status = tmp_path / "stats.json", tmp_path / "status.json"
        done = subprocess.run([os.environ["FACET"], "exec", "--stats-file", stats, "--status-file",
                               status, *options, "--", *command], stdin=subprocess.DEVNULL,
                              capture_output=True, check=False, timeout=900)
        insts = json.loads(status.read_text()).get("insts")
        return (done.stdout, done.returncode, insts), stats.read_text(), done.stderr
    return run


def test_programs_have_the_same_output_and_instructions(run):
    for name, command in PROGRAMS.items():
        expected, _, _ = run(command)
        for model in MODELS:
            got, _, err = run(command, "--machine", "zen5@1.0", "--cpu", model)
            assert got == expected, (name, model, err)


def test_threads_compute_the_same_on_four_cpus_of_each_model(run):
    command = ["/usr/bin/python3", "-S", "-c", """
import threading
total = [0] * 4
def work(n):
    for i in range(2000): total[n] += i * n
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(total)"""]
    outputs = {model: run(command, "--machine", "zen5@1.0", "--cpu", model, "--cpus", "4")[0][:2]
               for model in ["functional", *MODELS]}
    assert len(set(outputs.values())) == 1, outputs


def test_two_runs_have_the_same_statistics(run):
    for model in MODELS:
        first, second = (run(PROGRAMS["ls"], "--machine", "zen5@1.0", "--cpu", model)[1]
                         for _ in range(2))
        assert first == second


def test_the_cpi_stack_adds_up_to_the_cycles(run):
    for model in MODELS:
        _, stats, _ = run(PROGRAMS["sort"], "--machine", "zen5@1.0", "--cpu", model)
        core = part(stats, "cpu0." + model)
        total = core["cpiStack"].pop("total")
        assert sum(core["cpiStack"].values()) == total == core["numCycles"] > 0


def test_every_machine_runs_a_program_on_each_of_its_models(run):
    names = [f[:-len(".yaml")] for f in sorted(os.listdir(os.path.join(ROOT, "configs")))]
    assert "zen5@1.0" in names
    for name in names:
        for model in ["functional", *MODELS]:
            got, _, err = run(["/bin/echo", "hello"], "--machine", name, "--cpu", model)
            missing = b"has no system.cpu0." + model.encode() in err
            assert missing or got[:2] == (b"hello\n", 0), (name, model, err)


def test_switching_at_every_instruction_changes_nothing(run):
    expected, _, _ = run(PROGRAMS["ls"])
    assert expected[2] > 100000  # and so many changes
    got, stats, err = run(PROGRAMS["ls"], "--machine", "zen5@1.0", "--switch-every", "1insts")
    assert got == expected, err
    for model in MODELS:
        assert part(stats, "cpu0." + model)["committedInsts"] > 30000


def test_switching_while_threads_run_changes_nothing(run):
    expected, _, _ = run(PROGRAMS["sort"])
    for period in ["100insts", "1us", "10us"]:
        got, _, err = run(PROGRAMS["sort"], "--machine", "zen5@1.0", "--cpus", "2",
                          "--switch-every", period)
        assert got[:2] == expected[:2], (period, err)


def test_warming_leaves_caches_and_predictors_as_the_timing_model_finds_them(run):
    command = PROGRAMS["ls"]
    _, timed, _ = run(command, "--machine", "demo-x86@24.0", "--cpus", "1")
    _, warmed, _ = run(command, "--machine", "demo-x86@24.0", "--cpus", "1", "--cpu", "functional",
                       "--warm")
    for row in ["overallMisses", "overallHits"]:
        assert part(timed, "l2")[row] == part(warmed, "l2")[row]


def test_what_cannot_be_is_one_sentence_before_anything_runs(facet):
    for words, said in [
            (["--cpu", "o3"], "need a description of the processor"),
            (["--machine", "zen5@1"], "did you mean 'zen5@1.0'?"),
            (["--machine", "zen5@1.0", "--switch", "timimg@1ms"], "did you mean 'timing'?"),
            (["--machine", "zen5@1.0", "--switch", "cpu1:o3@1ms"], "there is no cpu1"),
            (["--machine", "zen5@1.0", "--set", "system.l3.size=3000"], "system.l3"),
            (["--machine", "zen5@1.0", "--set", "system.cpu0.o3.robb=3"], "did you mean 'rob'?")]:
        done = facet("exec", *words, "--", "/bin/echo", "hello")
        assert (done.returncode, done.stdout) == (125, "")
        assert said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
