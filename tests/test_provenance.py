from __future__ import annotations

import platform
import subprocess
from pathlib import Path

import pytest

from longtail.provenance import checkout, nvidia_gpus, processor


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return tmp_path


def test_a_clean_checkout_is_its_commit(repository: Path) -> None:
    (repository / "unknown to git").write_text("")
    (repository / "below").mkdir()
    assert checkout(repository / "below") == (git(repository, "rev-parse", "HEAD"), False)


def test_changes_to_it_are_noted(repository: Path) -> None:
    (repository / "file").write_text("two")
    assert checkout(repository) == (git(repository, "rev-parse", "HEAD"), True)


def test_outside_a_repository_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checkout(tmp_path) is None


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert checkout(tmp_path) is None


def test_without_git_there_is_none(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert checkout(repository) is None


def test_the_processor_has_a_name_and_the_host_stays_out_of_it() -> None:
    name = processor()
    assert name == name.strip() != ""
    assert platform.node() not in name


@pytest.mark.parametrize(
    ("files", "has_tools", "gpus"),
    [
        (["dev/nvidia0", "dev/nvidia3", "dev/nvidiactl", "dev/nvidia-uvm"], True, 2),
        (["dev/nvidia0", "proc/driver/nvidia/gpus/1", "proc/driver/nvidia/gpus/2"], True, 1),
        (["proc/driver/nvidia/gpus/0000:01:00.0", "proc/driver/nvidia/version"], False, 1),
        (["dev/dxg"], True, 1),
        (["dev/dxg"], False, 0),
        (["proc/driver/nvidia/version"], True, 0),
    ],
)
def test_gpus_are_counted_by_what_their_driver_makes(
    files: list[str], has_tools: bool, gpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.setattr("shutil.which", lambda _: "/bin/nvidia-smi" if has_tools else None)
    assert nvidia_gpus(tmp_path) == gpus
