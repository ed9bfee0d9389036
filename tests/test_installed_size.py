"""The size benchmark adds up what a wheel becomes on disk."""

from __future__ import annotations

import zipfile
from pathlib import Path

from benchmarks.installed_size import measure, platform_options, requirements, table


def test_a_wheel_is_its_files_and_the_bytecode_of_its_modules(tmp_path: Path) -> None:
    path = tmp_path / "some_thing-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("some_thing/data.bin", bytes(100_000))
        archive.writestr("some_thing/code.py", "value = 1\n")
        archive.writestr("some_thing/template.py", "{{ not python }}")
    size = measure(path)
    assert (size.name, size.version) == ("some-thing", "1.2")
    assert size.download_bytes == path.stat().st_size < 2_000
    assert size.files_bytes == 100_000 + len("value = 1\n") + len("{{ not python }}")
    assert 16 < size.bytecode_bytes < 1_000
    assert size.installed_bytes == size.files_bytes + size.bytecode_bytes
    assert table([size], "title").splitlines()[-1].split() == ["total", "0.0", "0.1"]


def test_a_board_with_glibc_2_28_takes_every_older_wheel() -> None:
    tags = platform_options("manylinux_2_28_aarch64")[1::2]
    assert tags[0] == "manylinux_2_28_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"} <= set(tags)
    assert "manylinux_2_29_aarch64" not in tags
    assert platform_options("host") == []


def test_extras_add_to_what_every_board_installs(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text('[project]\ndependencies = ["a"]\noptional-dependencies = { x = ["b"], y = ["c"] }\n')
    assert requirements(pyproject, []) == ["a"]
    assert requirements(pyproject, ["y"]) == ["a", "c"]
