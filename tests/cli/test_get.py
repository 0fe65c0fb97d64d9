# SPDX-License-Identifier: BSD-3-Clause
"""facet get debian-kernel, with programs in place of apt's that serve a small package from a folder;
and once with apt itself, if Debian's servers can be reached."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

PACKAGE = "linux-image-6.1.0-1-cloud-amd64"
VERSION = "6.1.100-1"

APT_GET = """#!/bin/sh
echo "$@" >>"$SERVER/calls"
for word; do case $word in
    update) exit 0 ;;
    *=*) case $word in linux-*) cp "$SERVER/package.deb" "./%s_%s_amd64.deb"; exit ;; esac ;;
esac; done
echo "E: unexpected" >&2
exit 100
"""

APT_CACHE = """#!/bin/sh
for word; do last=$word; done
[ -e "$SERVER/$last" ] || { echo "E: No packages found" >&2; exit 100; }
cat "$SERVER/$last"
"""


def one_sentence(result):
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("facet: "), result.stderr
    return lines[0][len("facet: "):]


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.publish(b"the kernel", VERSION)

    def publish(self, kernel, version):
        root = self.folder / "root"
        shutil.rmtree(root, ignore_errors=True)
        modules = root / "lib/modules/6.1.0-1-cloud-amd64/kernel"
        for part in root / "DEBIAN", root / "boot", modules:
            part.mkdir(parents=True)
        (root / "DEBIAN/control").write_text(
            "Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <n@example.org>\n"
            "Description: none\n" % (PACKAGE, version))
        for name in "vmlinuz", "config", "System.map":
            (root / "boot" / (name + "-6.1.0-1-cloud-amd64")).write_bytes(
                kernel if name == "vmlinuz" else name.encode())
        (modules / "m.ko").write_text("module")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, self.folder / "package.deb"],
                       check=True, capture_output=True)
        self.describe(version, hashlib.sha256(
            (self.folder / "package.deb").read_bytes()).hexdigest())

    def describe(self, version, sha256):
        (self.folder / "linux-image-cloud-amd64").write_text(
            "Package: linux-image-cloud-amd64\nDepends: %s (= %s)\n\n" % (PACKAGE, version))
        (self.folder / ("%s=%s" % (PACKAGE, version))).write_text(
            "Package: %s\nVersion: %s\nSHA256: %s\n\n" % (PACKAGE, version, sha256))

    def calls(self):
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    return Server(folder)


@pytest.fixture
def get(facet, server, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "apt-get").write_text(APT_GET % (PACKAGE, VERSION))
    (programs / "apt-cache").write_text(APT_CACHE)
    for program in programs.iterdir():
        program.chmod(0o755)

    def run(*words, **environment):
        variables = {"PATH": "%s:/usr/bin:/bin" % programs, "SERVER": str(server.folder),
                     "XDG_CACHE_HOME": str(tmp_path / "cache"), **environment}
        return facet("get", "debian-kernel", *words, cwd=tmp_path,
                     env={k: v for k, v in variables.items() if v is not None})
    return run


def test_the_kernel_is_fetched_unpacked_and_pinned(get, tmp_path):
    result = get("--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["package"] == PACKAGE and found["version"] == VERSION
    assert found["release"] == "6.1.0-1-cloud-amd64"
    with open(found["kernel"], "rb") as f:
        assert hashlib.sha256(f.read()).hexdigest() == found["vmlinuz_sha256"]
    assert os.path.isfile(found["modules"] + "/kernel/m.ko")
    pin = json.load(open(found["pin"], encoding="utf-8"))
    assert pin["vmlinuz_sha256"] == found["vmlinuz_sha256"]
    assert pin["deb_sha256"] == found["deb_sha256"]
    # nothing else stays behind
    assert sorted(os.listdir(tmp_path / "cache/facet/debian-kernel")) == [
        "cloud-amd64.json", "%s_%s" % (PACKAGE, VERSION)]


def test_the_same_request_later_does_not_ask_apt(get, server):
    first = get()
    calls = server.calls()
    assert get().stdout == first.stdout and server.calls() == calls
    assert get("--update").returncode == 0 and len(server.calls()) > len(calls)


def test_an_update_takes_the_newer_kernel(get, server):
    get()
    server.publish(b"a newer kernel", "6.1.101-1")
    assert VERSION in get().stdout
    assert "6.1.101-1" in get("--update").stdout
    assert "6.1.101-1" in get().stdout


def test_output_is_a_copy_that_is_replaced_as_a_whole(get, server, tmp_path):
    out = tmp_path / "kernel"
    assert get("--output", out).returncode == 0
    assert (out / "vmlinuz").read_bytes() == b"the kernel"
    assert sorted(os.listdir(out)) == ["System.map", "config", "kernel.json", "lib", "vmlinuz"]
    (out / "stray").write_text("")
    server.publish(b"a newer kernel", "6.1.101-1")
    assert get("--update", "--output", out).returncode == 0
    assert (out / "vmlinuz").read_bytes() == b"a newer kernel" and not (out / "stray").exists()


def test_a_folder_of_something_else_is_not_replaced(get, tmp_path):
    out = tmp_path / "precious"
    out.mkdir()
    (out / "file").write_text("")
    result = get("--output", out)
    assert "was not made by facet get" in one_sentence(result)
    assert result.returncode == 3 and os.listdir(out) == ["file"]


def test_a_pin_is_met_and_another_hash_refused(get, server, tmp_path):
    get("--output", "k")
    shutil.copy(tmp_path / "k/kernel.json", tmp_path / "pin.json")
    assert get("--pin", "pin.json").returncode == 0
    shutil.rmtree(tmp_path / "cache")
    assert get("--pin", "pin.json").returncode == 0  # fetched again
    shutil.rmtree(tmp_path / "cache")
    server.publish(b"another kernel under the same name", VERSION)
    result = get("--pin", "pin.json")
    assert "but 'pin.json' pins" in one_sentence(result)
    assert result.returncode == 3


def test_a_pin_to_a_version_that_is_gone(get, tmp_path):
    get("--output", "k")
    pin = json.loads((tmp_path / "k/kernel.json").read_text())
    (tmp_path / "pin.json").write_text(json.dumps({**pin, "version": "6.0-1"}))
    assert "of version 6.0-1 any more" in one_sentence(get("--pin", "pin.json"))


@pytest.mark.parametrize("change, sentence", [
    ({"package": "../../etc"}, "'package' is missing or malformed"),
    ({"version": "1/2"}, "'version' is missing or malformed"),
    ({"deb_sha256": "abc"}, "'deb_sha256' is no SHA-256"),
    ({"vmlinuz_sha256": None}, "'vmlinuz_sha256' is missing"),
    ({"schema_version": 2}, "schema_version 2"),
    ({"flavour": "amd64"}, "pins a kernel of flavour amd64, not cloud-amd64")])
def test_a_wrong_pin(get, tmp_path, change, sentence):
    get("--output", "k")
    pin = json.loads((tmp_path / "k/kernel.json").read_text())
    (tmp_path / "pin.json").write_text(json.dumps({**pin, **change}))
    result = get("--pin", "pin.json")
    assert sentence in one_sentence(result) and result.returncode == 3


def test_a_kernel_damaged_in_the_cache_is_fetched_again(get):
    kernel = json.loads(get("--json").stdout)["kernel"]
    with open(kernel, "ab") as f:
        f.write(b"!")
    get()
    with open(kernel, "rb") as f:
        assert f.read() == b"the kernel"


def test_a_package_that_is_not_what_the_index_says(get, server, tmp_path):
    server.describe(VERSION, "0" * 64)
    result = get()
    assert "as apt's index says" in one_sentence(result) and result.returncode == 3
    assert os.listdir(tmp_path / "cache/facet/debian-kernel") == []


def test_a_truncated_package(get, server, tmp_path):
    package = server.folder / "package.deb"
    package.write_bytes(package.read_bytes()[:200])
    server.describe(VERSION, hashlib.sha256(package.read_bytes()).hexdigest())
    result = get()
    assert one_sentence(result).startswith("dpkg-deb failed") and result.returncode == 3
    assert os.listdir(tmp_path / "cache/facet/debian-kernel") == []


def test_no_network_or_no_such_source(get, server):
    (server.folder / "linux-image-cloud-amd64").unlink()
    result = get()
    assert "apt finds no package linux-image-cloud-amd64" in one_sentence(result)
    assert result.returncode == 3


def test_the_cache_is_the_users(get, tmp_path):
    assert get(XDG_CACHE_HOME=None, HOME=str(tmp_path / "home")).returncode == 0
    assert (tmp_path / "home/.cache/facet/debian-kernel").is_dir()
    assert get("--cache", "mine").returncode == 0
    assert (tmp_path / "mine/debian-kernel").is_dir()
    result = get(XDG_CACHE_HOME=None, HOME=None)
    assert "give '--cache'" in one_sentence(result) and result.returncode == 2


@pytest.mark.parametrize("words, code, sentence", [
    (["debian-kernel", "--flavour", "rt"], 2, "cloud-amd64 or amd64"),
    (["ubuntu-kernel"], 2, "there is: facet get debian-kernel"),
    (["debian-kernel", "--pin", "/no/pin.json"], 3, "No such file"),
    (["debian-kernel", "--pin", "/etc/passwd"], 3, "/etc/passwd"),
    (["debian-kernel", "--cache", "/proc/none"], 3, "cannot make directory")])
def test_a_mistake_gets_one_sentence(facet, words, code, sentence):
    result = facet("get", *words)
    assert sentence in one_sentence(result)
    assert result.returncode == code


def test_without_apt(facet, tmp_path):
    """In a view of the host where /usr/bin is empty."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespaces here")
    program = facet("version").args[0]
    found = subprocess.run(
        ["unshare", "-rm", "sh", "-c", 'mount --bind "$1" /usr/bin && shift && exec "$@"', "sh",
         tmp_path, program, "get", "debian-kernel", "--cache", tmp_path / "cache"],
        capture_output=True, text=True, check=False)
    assert "the program apt-get is missing: install the Debian package apt" in one_sentence(found)
    assert found.returncode == 5


def servers_answer():
    command = ["apt-get", "-q", "-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=5",
               "--print-uris", "download", "linux-image-cloud-amd64"]
    uris = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if not uris.startswith("'http"):
        return False
    from urllib.request import Request, urlopen
    try:
        with urlopen(Request(uris.split("'")[1], method="HEAD"), timeout=10):
            return True
    except OSError:
        return False


def test_with_apt_itself(facet, tmp_path):
    if not servers_answer():
        pytest.skip("apt has no network here, or no source with Debian's kernel")
    result = facet("get", "debian-kernel", "--json", "--cache", tmp_path / "cache", timeout=500)
    assert result.returncode == 0 and result.stderr == "", result.stderr
    found = json.loads(result.stdout)
    with open(found["kernel"], "rb") as f:
        assert f.read(0x206)[0x202:] == b"HdrS"
    assert os.path.isdir(found["modules"])
