"""Which code a run says that it is of: python -m pytest tests/viewer/test_commit.py"""

import subprocess

import pytest

import viewer.commit
from viewer.commit import VARIABLE, commit, unchanged_commit


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder in the place of the project's, without what this machine's environment and git say."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(viewer.commit, "PROJECT", tmp_path)
    return tmp_path


def git(folder, *arguments):
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
    done = subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_checkout_says_its_commit_and_whether_files_were_changed(project):
    git(project, "init", "-q")
    (project / "file").write_text("a")
    git(project, "add", "file")
    git(project, "commit", "-q", "-m", "first")
    head = git(project, "rev-parse", "HEAD")
    assert (commit(), commit(40), unchanged_commit()) == (head[:12], head, head[:12])
    (project / "file").write_text("b")
    assert (commit(), commit(40), unchanged_commit()) == (f"{head[:12]}-dirty", f"{head}-dirty", "")


def test_an_image_is_told_its_commit(project, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1f0a9c2")
    assert commit() == unchanged_commit() == "1f0a9c2"


@pytest.mark.parametrize("inside", ["nothing", "a repository without a commit", "the repository of somebody else"])
def test_what_nothing_tells_is_unknown(inside, project, monkeypatch):
    if inside == "a repository without a commit":
        git(project, "init", "-q")
    if inside == "the repository of somebody else":
        git(project, "init", "-q")
        monkeypatch.setattr(viewer.commit, "PROJECT", project / "site-packages")
        (project / "site-packages").mkdir()
    assert (commit(), unchanged_commit()) == ("unknown", "")


def test_without_git_it_is_unknown(project, monkeypatch):
    git(project, "init", "-q")
    monkeypatch.setenv("PATH", str(project))
    assert commit() == "unknown"
