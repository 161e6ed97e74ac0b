"""The browser's files that come from npm are the ones that tools/vendored.py names, with their licences."""

import hashlib

import pytest

from tools.vendored import ROOT, VENDORED, VendoredFile


@pytest.mark.parametrize("file", VENDORED, ids=lambda file: file.path)
def test_what_came_from_npm_is_unchanged(file: VendoredFile) -> None:
    assert hashlib.sha256((ROOT / file.path).read_bytes()).hexdigest() == file.sha256


def test_each_package_brings_its_licence() -> None:
    packages = {file.package for file in VENDORED}

    assert {file.package for file in VENDORED if file.member == "LICENSE"} == packages
