# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the tests of CPU models; those of whole computers are boot's."""

# pylint: disable=unused-import
from boot.conftest import computer, pytest_configure, ramdisk, vmlinuz
