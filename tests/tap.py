# SPDX-License-Identifier: BSD-3-Clause
"""A pytest plugin (-p tap -p no:terminal): TAP, so that Meson and `make test` count each test."""

_lines = []


def pytest_addoption(parser):
    # pytest's assertion messages ask for what the terminal plugin would have defined
    parser.addoption("--verbose", dest="verbose", type=int, default=1)


def _add(verdict, report, note=""):
    number = sum(not line.startswith("#") for line in _lines) + 1
    _lines.append("%s %d - %s%s" % (verdict, number, report.nodeid.replace("#", "."), note))


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        _add("ok", report)
    elif report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
        _add("ok", report, " # SKIP " + why)
    elif report.failed:
        _add("not ok", report, " (%s)" % report.when)
        _lines.extend("# " + line for line in str(report.longreprtext).splitlines())


def pytest_collectreport(report):
    if report.failed:
        _add("not ok", report, " (collection)")
        _lines.extend("# " + line for line in str(report.longreprtext).splitlines())


def pytest_unconfigure(config):
    count = sum(not line.startswith("#") for line in _lines)
    print("\n".join([*_lines, "1..%d" % count]))
