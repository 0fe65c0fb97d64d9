# SPDX-License-Identifier: BSD-3-Clause
"""What one sees of a run: pipeline traces, intervals, regions of interest, files of statistics.

The traces are read by parsers of this file, which know the formats and nothing else.
"""

import collections
import csv
import json
import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINE = ["--machine", "zen5@1.0"]
UNFUSED = ["--set", "system.cpu0.o3.macro_fusion=false"]  # a fused pair is one in the traces
STAGES = ["F", "Q", "Ds", "Is", "Cm"]
REGION = 2002  # instructions: work-begin's successor up to and with work-end


@pytest.fixture(name="program", scope="session")
def _program(tmp_path_factory):
    path = tmp_path_factory.mktemp("roi") / "roi"
    subprocess.run(["gcc", "-nostdlib", "-static", "-o", path, os.path.join(HERE, "roi.S")],
                   check=True)
    return path


def stats_of(path):
    return json.loads(path.read_text())["stats"]


def test_a_kanata_trace_opens_and_ends_every_instruction(facet, program, tmp_path):
    trace, stats = tmp_path / "f.kanata", tmp_path / "s.json"
    result = facet("exec", "--cpu", "o3", *MACHINE, *UNFUSED, "--trace", f"konata:{trace}",
                   "--stats-file", stats, "--", program)
    assert (result.returncode, result.stderr) == (21, "")
    lines = [line.split("\t") for line in trace.read_text().splitlines()]
    assert lines[0] == ["Kanata", "0004"] and lines[1][0] == "C="
    opened, retired, flushed = {}, 0, 0
    for fields in lines[2:]:
        if fields[0] == "C":
            assert int(fields[1]) > 0
        elif fields[0] == "I":
            assert fields[1] not in opened
            opened[fields[1]] = []
        elif fields[0] == "S":
            opened[fields[1]].append(STAGES.index(fields[3]))
        elif fields[0] == "R":
            stages = opened[fields[1]]
            assert stages[-1:] != ["R"] and stages == sorted(set(stages)) and stages[0] == 0
            stages.append("R")
            if fields[3] == "1":
                flushed += 1
            else:
                assert int(fields[2]) == retired
                retired += 1
        else:
            assert fields[0] == "L"
    assert all(stages[-1] == "R" for stages in opened.values())
    o3 = stats_of(stats)["system.cpu0.o3"]
    assert retired == o3["committedInsts"] > 80000
    assert flushed > 0


def test_an_o3pipeview_trace_has_seven_lines_in_order(facet, program, tmp_path):
    trace, stats = tmp_path / "f.txt", tmp_path / "s.json"
    facet("exec", "--cpu", "o3", *MACHINE, *UNFUSED, "--trace", f"o3pipeview:{trace}",
          "--stats-file", stats, "--", program)
    lines = [line.split(":") for line in trace.read_text().splitlines()]
    retired = 0
    for at in range(0, len(lines), 7):
        group = lines[at:at + 7]
        assert [line[1] for line in group] == ["fetch", "decode", "rename", "dispatch", "issue",
                                               "complete", "retire"]
        assert all(line[0] == "O3PipeView" for line in group)
        times = [int(line[2]) for line in group if int(line[2])]
        assert times == sorted(times)
        retired += int(group[6][2]) > 0
    assert retired == stats_of(stats)["system.cpu0.o3"]["committedInsts"]


@pytest.mark.parametrize("trace", ["konata", "o3pipeview"])
def test_a_trace_that_cannot_be_written_is_told_before_the_run(facet, program, tmp_path, trace):
    result = facet("exec", *MACHINE, "--trace", f"{trace}:{tmp_path}/none/f", "--", program)
    assert result.returncode == 125
    assert result.stderr.count("\n") == 1 and f"{tmp_path}/none/f" in result.stderr


def test_each_cpu_has_a_trace_of_its_own(facet, program, tmp_path):
    facet("exec", "--cpu", "o3", "--cpus", "2", *MACHINE, "--trace",
          f"konata:{tmp_path}/f.kanata", "--", program)
    assert (tmp_path / "f.0.kanata").stat().st_size > 10000
    assert (tmp_path / "f.1.kanata").exists()


def counters(stats, skip=("simFreq", "slotsInFlight", "mean", "stdev", "peakPages")):
    """All whole numbers by path; of what is a level or a ratio, none."""
    found = collections.Counter()

    def walk(value, path):
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, path + (key,))
        elif isinstance(value, list):
            for first, count in value:
                found[path + (first,)] = count
        elif isinstance(value, int) and path[-1] not in skip:
            found[path] = value
    walk(stats, ())
    return found


@pytest.mark.parametrize("period", ["10kinsts", "2us"])
@pytest.mark.parametrize("cpu", ["functional", "o3"])
def test_intervals_add_up_to_the_totals(facet, program, tmp_path, period, cpu):
    files = [tmp_path / f"s.{e}" for e in ("json", "csv", "txt")]
    facet("exec", "--cpu", cpu, *MACHINE, "--stats-every", period,
          *(word for f in files for word in ("--stats-file", f)), "--", program)
    document = json.loads(files[0].read_text())
    intervals = document["intervals"]
    assert len(intervals) > 2
    assert [i["from_ticks"] for i in intervals[1:]] == [i["ticks"] for i in intervals[:-1]]
    totals = counters(document["stats"])
    sums = collections.Counter()
    for interval in intervals:
        sums.update(counters(interval["stats"]))
    for key in ("simInsts", "simTicks"):
        assert sums[(key,)] == totals[(key,)]
    for path in [p for p in totals if "o3" in ".".join(map(str, p))]:
        assert sums[path] == totals[path], path
    with open(files[1], encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    assert [row["interval"] for row in rows] == [*map(str, range(len(intervals))), "total"]
    assert sum(int(row["simInsts"]) for row in rows[:-1]) == int(rows[-1]["simInsts"])
    assert files[2].read_text().count("Begin Simulation") == len(intervals) + 1


@pytest.mark.parametrize("cpu", ["functional", "timing", "o3"])
def test_statistics_of_the_region_of_interest_only(facet, program, tmp_path, cpu):
    facet("exec", "--cpu", cpu, *MACHINE, "--roi", "--stats-file", tmp_path / "s.json", "--",
          program)
    assert stats_of(tmp_path / "s.json")["simInsts"] == REGION


def test_the_model_changes_where_the_region_begins(facet, program, tmp_path):
    result = facet("exec", "--cpu", "functional", *MACHINE, "--switch", "o3@roi", "--stats-file",
                   tmp_path / "s.json", "--", program)
    assert result.returncode == 21
    o3 = stats_of(tmp_path / "s.json")["system.cpu0.o3"]["committedInsts"]
    assert 40000 < o3 < 43000


@pytest.mark.parametrize("extra", [[], ["--stats-every", "10kinsts"]])
def test_the_formats_of_one_run_are_equal_when_read_back(facet, program, tmp_path, extra):
    files = [tmp_path / f"s.{e}" for e in ("json", "csv", "txt")]
    facet("exec", "--cpu", "o3", *MACHINE, *extra,
          *(word for f in files for word in ("--stats-file", f)), "--", program)
    for other in files:
        result = facet("stats", "diff", files[0], other)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_stats_diff_names_what_differs_most_first(facet, tmp_path):
    for name, rows in (("a", "x,100,,\ny,10,,\nz,1,,\nold,5,,\n"),
                       ("b", "x,101,,\ny,20,,\nz,1,,\nnew,5,,\n")):
        (tmp_path / f"{name}.csv").write_text("name,value,unit,description\n" + rows)
    result = facet("stats", "diff", tmp_path / "a.csv", tmp_path / "b.csv")
    assert result.returncode == 4
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[:2] == [["only", "in", "B:", "new"], ["only", "in", "A:", "old"]]
    assert lines[3:] == [["y", "10", "20", "+10", "50.000%"], ["x", "100", "101", "+1", "0.990%"]]
    result = facet("stats", "diff", "--threshold", "2", tmp_path / "a.csv", tmp_path / "b.csv")
    assert "\nx " not in result.stdout and "\ny " in result.stdout
    assert facet("stats", "show", tmp_path / "a.csv", "o*").stdout.split() == ["old", "5"]
