# SPDX-License-Identifier: BSD-3-Clause
"""What facet itself makes for guests: Debian's kernels, initial RAM disks with modules, root file
systems. Skipped where apt or Debian's servers cannot be reached."""

import fcntl
import hashlib
import json
import os
import subprocess

import pytest

from boot.computer import FACET
from boot.kernel import cache_folder

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


PACKAGES = ("python3,perl,make,gcc,g++,libc6-dev,binutils,sqlite3,openssl,xz-utils,zstd,bzip2,bc,dc,"
            "file,patch,jq,gawk,git,busybox-static")
# What the guest does comes with each boot, as a tar archive: --guest-file.
FETCH = "#!/bin/sh\ncd /root && facet-guest readfile | tar xf - && exec sh ./run\n"


def root(flavour):
    """A root file system with PACKAGES, whose guest runs `run` from the archive that facet is given
    as --guest-file. Making it takes minutes, so it is kept with the kernel."""
    key = hashlib.sha256((FETCH + PACKAGES + flavour).encode()).hexdigest()[:12]
    folder = os.path.join(cache_folder(), "roots")
    path = os.path.join(folder, "%s-%s.img" % (flavour, key))
    os.makedirs(folder, exist_ok=True)
    with open(path + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other tests want it, too
        if not os.path.exists(path):
            init = path + ".sh"
            with open(init, "w", encoding="ascii") as f:
                f.write(FETCH)
            facet("image", "build", "--kernel-modules", flavour, "--packages", PACKAGES, "--init",
                  init, "--size", "1500MiB", "--output", path)
    return path
