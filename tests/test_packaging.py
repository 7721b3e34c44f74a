"""What pyproject.toml says about the package against what is on the disk."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("warehouse", "ingest", "queries", "cli")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def test_every_package_on_the_disk_is_declared(project: dict[str, Any]) -> None:
    """An undeclared package works in the checkout and is missing from the wheel."""
    on_disk = {"caphouse"}
    for folder in FOLDERS:
        on_disk |= {"caphouse." + ".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / folder).rglob("__init__.py")}
    assert set(project["tool"]["setuptools"]["packages"]) == on_disk


def test_every_data_file_of_the_packages_is_declared(project: dict[str, Any]) -> None:
    declared: dict[str, list[str]] = project["tool"]["setuptools"]["package-data"]
    packages: list[str] = project["tool"]["setuptools"]["packages"]
    missing = []
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*"):
            if file.is_dir() or file.suffix in {".py", ".pyc"}:
                continue
            parts = file.relative_to(ROOT).parts
            # A file belongs to the innermost package above it; its pattern is relative to that one.
            owner = next(depth for depth in range(len(parts) - 1, 0, -1) if ".".join(("caphouse", *parts[:depth])) in packages)
            package, name = ".".join(("caphouse", *parts[:owner])), "/".join(parts[owner:])
            if not any(fnmatch(name, pattern.removeprefix("**/")) for pattern in declared.get(package, [])):
                missing.append("/".join(parts))
    assert not missing


def test_the_type_checker_sees_the_package_through_relative_links() -> None:
    links = {link.name: link for link in (ROOT / "tests" / "typing" / "caphouse").iterdir()}
    assert set(links) == {"__init__.py", "py.typed", *FOLDERS}
    for name, link in links.items():
        assert link.is_symlink(), name
        assert not link.readlink().is_absolute(), name
        assert link.resolve() == ROOT / name


def test_each_dependency_states_its_reason() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [") + 1
    listed = lines[start : lines.index("]", start)]
    assert listed
    assert [line for line in listed if "  # " not in line] == []
