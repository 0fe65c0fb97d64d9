# SPDX-License-Identifier: BSD-3-Clause
"""What tests that run facet from the outside share. FACET names the program."""

import os
import subprocess

import pytest

FACET = os.environ.get("FACET", os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "build", "facet"))


@pytest.fixture
def facet():
    """facet(*words) runs the program and returns the CompletedProcess, output as text."""
    def run(*words, **options):
        defaults = {"capture_output": True, "text": True, "check": False, "timeout": 60,
                    "stdin": None if "input" in options else subprocess.DEVNULL}
        return subprocess.run([FACET, *map(str, words)], **{**defaults, **options})
    return run
