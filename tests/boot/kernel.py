# SPDX-License-Identifier: BSD-3-Clause
"""Debian's kernel for x86-64 virtual machines, as its package has it, fetched through apt once and
kept in a cache folder (FACET_TEST_CACHE, or facet-tests in the user's cache)."""

import fcntl
import glob
import os
import shutil
import subprocess

import pytest

META_PACKAGE = "linux-image-cloud-amd64"


def cache_folder():
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = os.environ.get("FACET_TEST_CACHE") or os.path.join(home, "facet-tests")
    os.makedirs(folder, exist_ok=True)
    return folder


def apt(folder, tool, *words):
    """Runs apt's tool with the host's sources, but lists and downloads in `folder`."""
    state, downloads = os.path.join(folder, "state"), os.path.join(folder, "cache")
    for path in (os.path.join(state, "lists/partial"), os.path.join(downloads, "archives/partial")):
        os.makedirs(path, exist_ok=True)
    options = ["Dir::State=" + state, "Dir::State::status=/var/lib/dpkg/status",
               "Dir::Cache=" + downloads, "APT::Sandbox::User=root"]
    return subprocess.run([tool, "-q", *[w for o in options for w in ("-o", o)], *words],
                          cwd=folder, env={**os.environ, "LC_ALL": "C"}, capture_output=True,
                          text=True, check=False, timeout=600)


def dependency(folder):
    """The package of the newest kernel: what the meta package depends on."""
    lines = apt(folder, "apt-cache", "depends", META_PACKAGE).stdout.splitlines()
    names = [line.split()[-1] for line in lines if line.strip().startswith("Depends:")]
    return next((n for n in names if n.startswith("linux-image-")), None)


def fetch(folder):
    """Downloads and unpacks the kernel into folder/kernel."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("this host has no apt, from which Debian's kernel comes")
    done = apt(folder, "apt-get", "update")
    name = dependency(folder) if done.returncode == 0 else None
    if name:
        done = apt(folder, "apt-get", "download", name)
    packages = sorted(glob.glob(os.path.join(folder, "linux-image-*.deb")))
    if not packages:
        said = (done.stderr.strip().splitlines() or ["no such package"])[-1]
        pytest.skip("apt cannot fetch %s: %s" % (META_PACKAGE, said))
    unpacked = os.path.join(folder, "unpacked")
    shutil.rmtree(unpacked, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-x", packages[-1], unpacked], check=True)
    os.rename(unpacked, os.path.join(folder, "kernel"))
    os.remove(packages[-1])


def debian_kernel():
    """The path of vmlinuz, or the test is skipped with the reason."""
    folder = cache_folder()
    pattern = os.path.join(folder, "kernel/boot/vmlinuz-*")
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other tests want it, too
        if not glob.glob(pattern):
            fetch(folder)
    return sorted(glob.glob(pattern))[-1]
