# SPDX-License-Identifier: BSD-3-Clause
"""What facet itself makes for guests: Debian's kernels, initial RAM disks with modules, root file
systems. Skipped where apt or Debian's servers cannot be reached."""

import json
import subprocess

import pytest

from boot.computer import FACET

NO_NETWORK = ("cannot be reached", "apt-get", "mmdebstrap")


def facet(*words):
    """Standard output of a command that must succeed, as far as the network lets it."""
    done = subprocess.run([FACET, *map(str, words)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    if done.returncode and any(text in done.stderr for text in NO_NETWORK):
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    return done.stdout


def kernel(flavour):
    return json.loads(facet("get", "debian-kernel", "--flavour", flavour, "--json"))["kernel"]


def ramdisk(path, flavour, modules, script=None):
    """Runs the script; without one it goes on to root=."""
    words = []
    if script is not None:
        path.with_suffix(".sh").write_text("#!/bin/sh\n" + script)
        words = ["--init", path.with_suffix(".sh")]
    facet("image", "build", "--initramfs", "--kernel-modules", flavour, "--module", modules, *words,
          "--output", path)
    return path


def root(path, flavour, packages, script, *words):
    """Runs the script when systemd has reached its multi-user target, and switches off."""
    path.with_suffix(".sh").write_text("#!/bin/sh\n" + script)
    facet("image", "build", "--kernel-modules", flavour, "--packages", packages,
          "--init", path.with_suffix(".sh"), *words, "--output", path)
    return path
