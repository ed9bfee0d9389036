"""The set-up script: what it announces, what it refuses, when it has nothing to do, what it says offline."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
import venv
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import setup_pip
import setup_venv
from setup_pip import SetupError, cuda_requirements, not_available, refuse_cuda
from setup_venv import DOWNLOADS, Stamp, check_python, check_room, plan_text, planned, set_up

ROOT = Path(__file__).resolve().parent.parent
PIN = setup_venv.torch_pin(ROOT)
PYPROJECT = f"""
[project]
name = "small"
[project.optional-dependencies]
convert = ["numpy>=1", "{PIN}"]
broker = []
dev = []
"""

# Origin: `pip install --dry-run --no-deps --ignore-installed --report - torch==2.13.0`, shortened to what is read.
BASE_REQUIRES = ["filelock", "sympy>=1.13.3", 'optree>=0.13.0; extra == "optree"', 'pyyaml; extra == "pyyaml"']
CUDA_REQUIRES = [  # Python 3.13, x86-64 and aarch64 Linux, default index
    'cuda-toolkit[cublas,cudart,cufft]==13.0.3; platform_system == "Linux"',
    'nvidia-cudnn-cu13==9.20.0.48; platform_system == "Linux"',
    'nvidia-nccl-cu13==2.29.7; platform_system == "Linux"',
    'triton==3.7.1; platform_system == "Linux" and python_version < "3.15"',
]


def report(requires: list[str], system: str = "Linux") -> dict[str, Any]:
    """pip's installation report for one distribution with these requirements."""
    return {
        "environment": {"platform_system": system},
        "install": [{"metadata": {"name": "torch", "version": "2.13.0", "requires_dist": requires}}],
    }


class FakePip:
    """A pip that installs by writing metadata folders; `calls` holds what it was asked for."""

    calls: list[tuple[str, ...]]
    offers: dict[str, Any]
    lands: list[str]  # distributions that every editable installation brings
    offline: bool

    def __init__(self, folder: Path, borrowed: bool = False) -> None:
        self.folder, self.borrowed = folder, borrowed

    def renew(self, requirement: str) -> None:
        self.calls.append(("renew", requirement))

    def install(self, *arguments: str) -> None:
        assert not self.borrowed, "the system's pip may be too old for all but bringing a new one"
        self.calls.append(arguments)
        if self.offline:
            raise SetupError("could not get anything: no package index answered")
        (packages,) = self.folder.glob("lib/python*/site-packages")
        for name in ["torch-2.13.0+cpu", *self.lands]:
            (packages / f"{name}.dist-info").mkdir(exist_ok=True)

    def report(self, *arguments: str) -> dict[str, Any]:
        self.calls.append(("report", *arguments))
        return self.offers


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> type[FakePip]:
    """The fake in place of pip; its answers are class attributes that a test may change."""
    fake = type("FakePip", (FakePip,), {"calls": [], "offers": report(BASE_REQUIRES), "lands": [], "offline": False})
    monkeypatch.setattr(setup_venv, "Pip", fake)
    return fake


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a bare `.venv`, in which a stand-in for pip lies so that none is installed."""
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    venv.create(tmp_path / ".venv", with_pip=False, symlinks=True)
    packages = next((tmp_path / ".venv").glob("lib/python*/site-packages"))
    (packages / "pip").mkdir()
    (packages / "pip" / "__init__.py").touch()
    (packages / "pip-26.0.dist-info").mkdir()
    return tmp_path


# --- the announcement ----------------------------------------------------------------------------------------


def test_the_plan_names_each_download_and_adds_them_up() -> None:
    items = planned(["convert", "broker"])
    text = plan_text(items, Path("/x/.venv"), free_bytes=5_000_000_000)
    assert "PyTorch, CPU build                          192 MB" in text
    assert "iotcore" in text
    assert f"{sum(item.download_mb for item in items)} MB" in text.splitlines()[-2]
    assert f"{sum(item.disk_mb for item in items)} MB" in text.splitlines()[-2]
    assert "(5.0 GB free)" in text
    assert "the open model itself" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_plan_without_the_converter_has_no_pytorch_and_no_model() -> None:
    text = plan_text(planned(["broker"]), Path("/x/.venv"), free_bytes=0)
    assert "PyTorch" not in text
    assert "model" not in text
    assert "ONNX Runtime" in text


def test_the_plan_knows_every_extra_of_the_project() -> None:
    tables = setup_venv.project_tables(ROOT)
    assert {item.extra for item in DOWNLOADS} == {"", *tables["optional-dependencies"]}


def test_an_old_python_is_refused_with_a_way_out() -> None:
    with pytest.raises(SetupError, match=r"this is Python 3\.10, edgert needs 3\.11 or later: .*PYTHON=") as refused:
        check_python((3, 10))
    assert refused.value.exit_code == 2
    check_python((3, 11))


def test_too_little_room_is_refused_before_anything_is_fetched(
    checkout: Path, pip: type[FakePip], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 300_000_000))
    with pytest.raises(SetupError, match=f"{checkout} has 300 MB free, this needs .* MB") as refused:
        set_up(checkout, {"convert"}, "", allow_cuda=False)
    assert refused.value.exit_code == 2
    assert pip.calls == []
    check_room(planned(["flash"]), checkout / ".venv")  # 226 MB fit


def test_an_extra_that_does_not_exist_is_refused(checkout: Path, pip: type[FakePip]) -> None:
    with pytest.raises(SetupError, match="no extra 'brocker': there are broker, convert, dev") as refused:
        set_up(checkout, {"brocker"}, "", allow_cuda=False)
    assert refused.value.exit_code == 2
    assert pip.calls == []


# --- CUDA ----------------------------------------------------------------------------------------------------


def test_the_cuda_build_is_recognized_by_what_it_requires() -> None:
    assert cuda_requirements(report(BASE_REQUIRES)) == []
    assert len(cuda_requirements(report(BASE_REQUIRES + CUDA_REQUIRES))) == 4
    assert cuda_requirements(report(CUDA_REQUIRES, system="Darwin")) == []


@pytest.mark.parametrize("requirement", CUDA_REQUIRES)
def test_any_one_cuda_package_is_enough_to_refuse(requirement: str) -> None:
    with pytest.raises(SetupError, match="TORCH_INDEX=") as refused:
        refuse_cuda(report([*BASE_REQUIRES, requirement]))
    assert refused.value.exit_code == 2
    assert "ALLOW_CUDA=1" in str(refused.value)


def test_a_cuda_build_is_refused_before_it_is_installed(checkout: Path, pip: type[FakePip]) -> None:
    pip.offers = report(BASE_REQUIRES + CUDA_REQUIRES)
    with pytest.raises(SetupError, match="CUDA build of PyTorch"):
        set_up(checkout, {"convert"}, "", allow_cuda=False)
    assert pip.calls == [("report", PIN)]
    assert Stamp.read(checkout / ".venv") is None


def test_a_cuda_package_that_lands_by_another_way_is_reported_and_not_stamped(
    checkout: Path, pip: type[FakePip]
) -> None:
    pip.lands = ["nvidia_cublas-13.0.0"]
    with pytest.raises(SetupError, match=r"CUDA packages landed in .*: nvidia-cublas") as refused:
        set_up(checkout, {"convert"}, "", allow_cuda=False)
    assert refused.value.exit_code == 2
    assert Stamp.read(checkout / ".venv") is None


def test_cuda_can_be_allowed(checkout: Path, pip: type[FakePip]) -> None:
    pip.offers = report(CUDA_REQUIRES)
    pip.lands = ["nvidia_cublas-13.0.0", "triton-3.7.1"]
    set_up(checkout, {"convert"}, "", allow_cuda=True)
    assert Stamp.read(checkout / ".venv") is not None


def test_cuda_that_was_allowed_once_stays_allowed_in_that_venv(checkout: Path, pip: type[FakePip]) -> None:
    pip.lands = ["nvidia_cublas-13.0.0"]
    set_up(checkout, {"convert"}, "", allow_cuda=True)
    set_up(checkout, {"dev"}, "", allow_cuda=False)
    assert pip.calls[-1] == ("--editable", f"{checkout}[convert,dev]")


def test_pytorch_comes_first_and_from_the_index_that_was_named(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"convert"}, "http://index.example/cpu", allow_cuda=False)
    assert pip.calls == [
        ("report", "--index-url", "http://index.example/cpu", PIN),
        ("--index-url", "http://index.example/cpu", PIN),
        ("--editable", f"{checkout}[convert]"),
    ]


def test_pytorch_is_not_asked_for_where_it_is_not_wanted_or_already_there(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"broker"}, "", allow_cuda=False)
    assert pip.calls == [("--editable", f"{checkout}[broker]")]
    set_up(checkout, {"convert"}, "", allow_cuda=False)  # the fake has brought PyTorch by now
    assert pip.calls[1:] == [("--editable", f"{checkout}[broker,convert]")]


# --- the stamp -----------------------------------------------------------------------------------------------


def test_extras_add_up_and_what_is_there_is_not_installed_again(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"convert", "dev"}, "", allow_cuda=False)
    set_up(checkout, {"broker"}, "", allow_cuda=False)
    assert pip.calls[-1] == ("--editable", f"{checkout}[broker,convert,dev]")
    before = list(pip.calls)
    for extras in ({"convert", "broker"}, {"dev"}, set()):
        set_up(checkout, extras, "", allow_cuda=False)
    assert pip.calls == before


def test_a_changed_pyproject_installs_again_with_all_extras(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"convert", "dev"}, "", allow_cuda=False)
    (checkout / "pyproject.toml").write_text(PYPROJECT + "\n", encoding="utf-8")
    set_up(checkout, {"broker"}, "", allow_cuda=False)
    assert pip.calls[-1] == ("--editable", f"{checkout}[broker,convert,dev]")


def test_an_extra_that_the_project_has_no_longer_is_forgotten(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"broker", "dev"}, "", allow_cuda=False)
    (checkout / "pyproject.toml").write_text(PYPROJECT.replace("broker = []\n", ""), encoding="utf-8")
    set_up(checkout, {"dev"}, "", allow_cuda=False)
    assert pip.calls[-1] == ("--editable", f"{checkout}[dev]")


def test_a_set_up_that_failed_is_not_stamped(checkout: Path, pip: type[FakePip]) -> None:
    pip.offline = True
    with pytest.raises(SetupError):
        set_up(checkout, {"broker"}, "", allow_cuda=False)
    assert Stamp.read(checkout / ".venv") is None


def test_extras_that_could_not_be_added_leave_what_was_there_usable(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"broker"}, "", allow_cuda=False)
    pip.offline = True
    with pytest.raises(SetupError):
        set_up(checkout, {"dev"}, "", allow_cuda=False)
    set_up(checkout, {"broker"}, "", allow_cuda=False)
    with pytest.raises(SetupError):
        set_up(checkout, {"dev"}, "", allow_cuda=False)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"python": "3", "root": "/", "pyproject": "x", "extras": 1}'])
def test_a_stamp_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / setup_venv.STAMP_NAME).write_text(text, encoding="utf-8")
    assert Stamp.read(tmp_path) is None


def test_a_checkout_that_was_moved_gets_a_new_venv(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"broker"}, "", allow_cuda=False)
    moved = checkout.rename(checkout.with_name("moved"))
    (left_over,) = (moved / ".venv").glob("lib/python*/site-packages/pip-26.0.dist-info")
    set_up(moved, {"dev"}, "", allow_cuda=False)  # its console scripts would call the old place
    assert not left_over.exists()
    assert pip.calls[-1] == ("--editable", f"{moved}[broker,dev]")


def test_a_venv_whose_python_is_gone_is_not_used(checkout: Path) -> None:
    assert setup_venv.is_ours(checkout / ".venv")
    (checkout / ".venv" / "bin" / "python").unlink()
    assert not setup_venv.is_ours(checkout / ".venv")


def test_without_ensurepip_the_systems_pip_only_brings_a_new_one(
    checkout: Path, pip: type[FakePip], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(checkout / ".venv")
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find_spec(name))
    set_up(checkout, {"convert"}, "", allow_cuda=False)
    assert pip.calls == [
        ("renew", "pip>=25.3"),
        ("report", PIN),
        ("--editable", f"{checkout}[convert]"),
    ]


# --- as a program --------------------------------------------------------------------------------------------


def run_script(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script that takes `root` for its checkout."""
    (root / "tools").mkdir(exist_ok=True)
    for module in (setup_venv, setup_pip):
        shutil.copy(str(module.__file__), root / "tools")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
    command = [sys.executable, "-B", str(root / "tools" / "setup_venv.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**kept, **environment}, check=False
    )


def test_a_second_run_is_quick_and_touches_nothing(checkout: Path, pip: type[FakePip]) -> None:
    set_up(checkout, {"broker", "dev"}, "", allow_cuda=False)
    before = {path: path.lstat().st_mtime_ns for path in (checkout / ".venv").rglob("*")}
    seconds = []
    for _ in range(3):  # the quickest of three, as the machine may be busy
        started = time.perf_counter()
        done = run_script(checkout, "--extras", "broker")
        seconds.append(time.perf_counter() - started)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert min(seconds) < 0.5
    assert {path: path.lstat().st_mtime_ns for path in (checkout / ".venv").rglob("*")} == before


def test_without_a_network_it_says_what_it_could_not_get(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    done = run_script(tmp_path, "--extras", "convert", **nowhere)
    assert done.returncode == 1
    assert "about to install" in done.stderr
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("setup: ")]
    assert said.startswith(("setup: could not get pip>=25.3: ", f"setup: could not get {PIN}: "))
    assert "no package index answered" in said
    assert "pip's last error: ERROR: No matching distribution found for" in done.stderr
    assert "check the network" in done.stderr
    assert "Traceback" not in done.stderr
    assert Stamp.read(tmp_path / ".venv") is None


# --- pip's words ---------------------------------------------------------------------------------------------


def test_an_unreachable_index_is_told_from_a_package_that_is_not_there() -> None:
    retrying = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)': /simple/x/"
    missing = "ERROR: No matching distribution found for hatchling<2,>=1.25"
    assert "could not get hatchling<2,>=1.25: no package index answered\n" in str(
        not_available([retrying, missing], ("x",))
    )
    assert "or none has it for Python" in str(not_available([missing], ("x",)))


def test_another_failure_keeps_pips_words(capsys: pytest.CaptureFixture[str]) -> None:
    said = ["building", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"]
    error = not_available(said, ("--editable", "/x[convert]"))
    assert "could not get /x[convert]: pip stopped" in str(error)
    assert "No space left on device" in str(error)
    assert "building" in capsys.readouterr().err


def test_warnings_that_mean_nothing_are_kept_from_the_reader(capsys: pytest.CaptureFixture[str]) -> None:
    ignored = "WARNING: Location 'file:///x/torch/' is ignored: it is neither a file nor a directory.\n"
    listen = setup_pip.Listener(terminal=False)
    assert listen(ignored) == ""
    assert listen("  Downloading a-1-py3-none-any.whl (12 kB)\n") != ""
    assert capsys.readouterr().err == ""
    listen("  Downloading torch-2.13.0-cp311-none-any.whl (191.8 MB)\n")
    assert capsys.readouterr().err == "  fetching torch 2.13.0, 191.8 MB\n"


def test_a_terminal_shows_how_far_a_download_is_and_a_pipe_holds_no_such_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = [
        "Collecting torch==2.13.0\n",
        "  Downloading torch-2.13.0-cp311-none-any.whl (191.8 MB)\n",
        "Progress 500 of 1000\n",
    ]
    shown = {}
    for terminal in (True, False):
        kept = [line for line in map(setup_pip.Listener(terminal), said) if line]
        assert kept == said[:2]
        shown[terminal] = capsys.readouterr().err
    assert "\r\x1b[K    looking at torch" in shown[True]
    assert shown[True].endswith("  fetching torch 2.13.0, 191.8 MB\n\r\x1b[K     50%")
    assert shown[False] == "  fetching torch 2.13.0, 191.8 MB\n"
