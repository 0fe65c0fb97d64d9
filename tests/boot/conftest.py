# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the tests of whole computers."""

import pytest

from boot import bare, initramfs, kernel
from boot.computer import QUIET, Computer


def pytest_configure(config):
    config.addinivalue_line("markers", "nightly: too long for every change")


@pytest.fixture
def computer(tmp_path):
    return Computer(tmp_path)


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """program(lines) assembles a bare-metal kernel (boot/bare.py) and returns its path."""
    folder = tmp_path_factory.mktemp("bare")
    return lambda lines: bare.build(folder, lines)


@pytest.fixture(scope="session")
def vmlinuz():
    return kernel.debian_kernel()


@pytest.fixture(scope="session")
def ramdisk(tmp_path_factory):
    """ramdisk(script, ...) makes an initial RAM disk (boot/initramfs.py) and returns its path."""
    folder = tmp_path_factory.mktemp("initrd")
    made = []

    def make(script, **more):
        path = folder / ("%d.cpio" % len(made))
        path.write_bytes(initramfs.initramfs(script, **more))
        made.append(path)
        return path
    return make


@pytest.fixture
def linux(computer, vmlinuz, ramdisk):
    """linux(script, *words) boots Debian's kernel with an initial RAM disk that runs the script."""
    def boot(script, *words, append=QUIET, **more):
        return computer.boot("--kernel", vmlinuz, "--initrd", ramdisk(script, **more),
                             "--append", append, *words)
    return boot
