# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program natively and under facet, in the same fixed environment, and compares."""

import os
import subprocess

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}


def native(words, **options):
    """The program itself: the oracle."""
    defaults = {"capture_output": True, "check": False, "timeout": 120, "env": ENVIRONMENT,
                "stdin": None if "input" in options else subprocess.DEVNULL}
    return subprocess.run(list(map(str, words)), **{**defaults, **options})


def shell_status(done):
    """The status as a shell shows it."""
    return done.returncode if done.returncode >= 0 else 128 - done.returncode


def simulated(words, *options, **more):
    """The same under facet."""
    facet = os.environ["FACET"]
    return native([facet, "exec", *options, "--", *words], **{"timeout": 600, **more})


def compare(words, *options, folders=None, **more):
    """Output and status must be those of a native run; folders: one each to run in."""
    where = [{"cwd": f} for f in folders] if folders else [{}, {}]
    expected = native(words, **where[0], **more)
    got = simulated(words, *options, **where[1], **more)
    assert got.stdout == expected.stdout
    assert got.returncode == shell_status(expected)
    return got
