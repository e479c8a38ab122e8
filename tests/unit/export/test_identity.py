"""How the attributes of a run are found in the environment and in git's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_llmtrace.export import identify

GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_WORKFLOW": "tests",
    "GITHUB_RUN_ID": "42",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/app",
    "GITHUB_REPOSITORY_OWNER": "acme",
    "GITHUB_JOB": "unit",
    "GITHUB_SHA": "a" * 40,
    "GITHUB_REF": "refs/pull/12/merge",
    "GITHUB_REF_NAME": "12/merge",
    "GITHUB_REF_TYPE": "branch",
    "GITHUB_HEAD_REF": "feature",
    "GITHUB_BASE_REF": "main",
    "RUNNER_NAME": "runner 1",
}
GITLAB = {
    "GITLAB_CI": "true",
    "CI_PIPELINE_ID": "42",
    "CI_PIPELINE_URL": "https://gitlab.com/acme/app/-/pipelines/42",
    "CI_JOB_NAME": "unit",
    "CI_JOB_ID": "43",
    "CI_PROJECT_NAME": "app",
    "CI_PROJECT_URL": "https://gitlab.com/acme/app",
    "CI_COMMIT_REF_NAME": "feature",
    "CI_COMMIT_SHA": "a" * 40,
    "CI_MERGE_REQUEST_IID": "7",
}
JENKINS = {
    "JENKINS_URL": "https://ci",
    "JOB_NAME": "app",
    "BUILD_NUMBER": "42",
    "BUILD_URL": "https://ci/job/app/42/",
    "GIT_URL": "https://robot:token@git.acme.com/acme/app.git",
    "GIT_COMMIT": "a" * 40,
    "BRANCH_NAME": "main",
}
BUILDKITE = {
    "BUILDKITE": "true",
    "BUILDKITE_PIPELINE_SLUG": "app",
    "BUILDKITE_BUILD_ID": "42",
    "BUILDKITE_JOB_ID": "43",
    "BUILDKITE_REPO": "git@github.com:acme/app.git",
    "BUILDKITE_BRANCH": "main",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH": "",
}
FOUND = {
    "github": (
        GITHUB,
        {
            "cicd.pipeline.name": "tests",
            "cicd.pipeline.run.id": "42",
            "cicd.pipeline.run.url.full": "https://github.com/acme/app/actions/runs/42",
            "cicd.pipeline.task.name": "unit",
            "cicd.worker.name": "runner 1",
            "vcs.provider.name": "github",
            "vcs.owner.name": "acme",
            "vcs.repository.name": "app",
            "vcs.repository.url.full": "https://github.com/acme/app",
            "vcs.ref.head.name": "feature",
            "vcs.ref.head.type": "branch",
            "vcs.ref.head.revision": "a" * 40,
            "vcs.ref.base.name": "main",
            "vcs.change.id": "12",
        },
    ),
    "gitlab": (
        GITLAB,
        {
            "cicd.pipeline.run.id": "42",
            "cicd.pipeline.run.url.full": "https://gitlab.com/acme/app/-/pipelines/42",
            "cicd.pipeline.task.name": "unit",
            "cicd.pipeline.task.run.id": "43",
            "vcs.provider.name": "gitlab",
            "vcs.repository.name": "app",
            "vcs.repository.url.full": "https://gitlab.com/acme/app",
            "vcs.ref.head.name": "feature",
            "vcs.ref.head.type": "branch",
            "vcs.ref.head.revision": "a" * 40,
            "vcs.change.id": "7",
        },
    ),
    "jenkins": (
        JENKINS,
        {
            "cicd.pipeline.name": "app",
            "cicd.pipeline.run.id": "42",
            "cicd.pipeline.run.url.full": "https://ci/job/app/42/",
            "vcs.repository.name": "app",
            "vcs.repository.url.full": "https://git.acme.com/acme/app.git",
            "vcs.ref.head.name": "main",
            "vcs.ref.head.type": "branch",
            "vcs.ref.head.revision": "a" * 40,
        },
    ),
    "buildkite": (
        BUILDKITE,
        {
            "cicd.pipeline.name": "app",
            "cicd.pipeline.run.id": "42",
            "cicd.pipeline.task.run.id": "43",
            "vcs.repository.name": "app",
            "vcs.repository.url.full": "git@github.com:acme/app.git",
            "vcs.ref.head.name": "main",
            "vcs.ref.head.type": "branch",
        },
    ),
    "nothing": ({}, {}),
}


@pytest.mark.parametrize("system", FOUND)
def test_ci(tmp_path: Path, system: str) -> None:
    """Each CI system's variables become attributes of the conventions; variables that are not set are left out."""
    environ, found = FOUND[system]
    assert identify(environ, tmp_path, run="r") == {"llmtrace.run.id": "r", **found}


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ('{"pull_request": {"head": {"sha": "%s"}, "title": "Faster"}}' % ("b" * 40), ("b" * 40, "Faster")),
        ('{"pull_request": {"head": {"sha": "%s"}, "title": null}}' % ("b" * 40), ("b" * 40, None)),
        ('{"pull_request": null}', ("a" * 40, None)),
        ('{"ref": "refs/heads/main"}', ("a" * 40, None)),
        ("[]", ("a" * 40, None)),
        ("[" * 100_000, ("a" * 40, None)),
        ("{", ("a" * 40, None)),
        (None, ("a" * 40, None)),
    ],
)
def test_a_pull_request_on_github(tmp_path: Path, event: str | None, found: tuple[str, str | None]) -> None:
    """The revision of a pull request is that of its branch, not of its merge commit; only GitHub's event names it."""
    path = tmp_path / "event.json"
    if event is not None:
        path.write_text(event, encoding="utf-8")
    told = identify({**GITHUB, "GITHUB_EVENT_PATH": str(path)}, tmp_path, run="r")
    assert (told["vcs.ref.head.revision"], told.get("vcs.change.title")) == found


VCS = ("vcs.change.id", "vcs.ref.head.name", "vcs.ref.head.type", "vcs.ref.head.revision")


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({**GITHUB, "GITHUB_REF": "refs/heads/main"}, (None, "feature", "branch", "a" * 40)),
        ({**GITLAB, "CI_COMMIT_TAG": "v1", "CI_COMMIT_REF_NAME": "v1"}, ("7", "v1", "tag", "a" * 40)),
        (
            {**JENKINS, "BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_BRANCH": "feature"},
            ("12", "feature", "branch", "a" * 40),
        ),
        ({**JENKINS, "BRANCH_NAME": "", "GIT_BRANCH": "origin/main"}, (None, "main", None, "a" * 40)),
        ({**JENKINS, "BRANCH_NAME": "v1", "TAG_NAME": "v1"}, (None, "v1", "tag", "a" * 40)),
        (
            {**BUILDKITE, "BUILDKITE_PULL_REQUEST": "12", "BUILDKITE_COMMIT": "HEAD"},
            ("12", "main", "branch", None),
        ),
        (
            {**BUILDKITE, "BUILDKITE_PULL_REQUEST": "false", "BUILDKITE_COMMIT": "c" * 40},
            (None, "main", "branch", "c" * 40),
        ),
        ({**BUILDKITE, "BUILDKITE_TAG": "v1"}, (None, "v1", "tag", None)),
    ],
)
def test_what_was_built(tmp_path: Path, environ: dict[str, str], found: tuple[str | None, ...]) -> None:
    """A pull request has its number and branch, a tag has the type `tag`, and what is not a revision is left out."""
    told = identify(environ, tmp_path, run="r")
    assert tuple(told.get(name) for name in VCS) == found


def test_git_tells_the_revision_that_a_ci_does_not(repository: Path) -> None:
    """If a CI gives `HEAD` as the revision, git's files say which revision was checked out."""
    told = identify({**BUILDKITE, "BUILDKITE_COMMIT": "HEAD"}, repository, run="r")
    assert told["vcs.ref.head.revision"] == "b" * 40


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository as git lays it out, on the branch `topic/one`."""
    git = tmp_path / ".git"
    (git / "refs" / "heads" / "topic").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/topic/one\n", encoding="utf-8")
    (git / "refs" / "heads" / "topic" / "one").write_text(f"{'b' * 40}\n", encoding="utf-8")
    config = '[core]\n\tbare = false\n[remote "origin"]\n\turl = https://me:sec@ret@git.acme.com/acme/app.git\n'
    (git / "config").write_text(config, encoding="utf-8")
    return tmp_path


GIT = {
    "vcs.ref.head.name": "topic/one",
    "vcs.ref.head.type": "branch",
    "vcs.ref.head.revision": "b" * 40,
    "vcs.repository.url.full": "https://git.acme.com/acme/app.git",
    "vcs.repository.name": "app",
}


def test_plain_git(repository: Path) -> None:
    """Without CI, git's files give branch, revision and origin; credentials are left out."""
    (repository / "below").mkdir()
    assert identify({}, repository / "below", run="r") == {"llmtrace.run.id": "r", **GIT}


def test_packed_references(repository: Path) -> None:
    """The revision of a branch may stand in one file with those of others."""
    (repository / ".git/refs/heads/topic/one").unlink()
    packed = f"# pack-refs with: peeled\n{'c' * 40} refs/heads/main\n{'b' * 40} refs/heads/topic/one\n"
    (repository / ".git/packed-refs").write_text(packed, encoding="utf-8")
    assert identify({}, repository, run="r") == {"llmtrace.run.id": "r", **GIT}


def test_a_work_tree(repository: Path, tmp_path: Path) -> None:
    """A work tree has its own HEAD and shares the rest."""
    own = repository / ".git/worktrees/other"
    own.mkdir(parents=True)
    (own / "HEAD").write_text(f"{'d' * 40}\n", encoding="utf-8")
    (own / "commondir").write_text("../..\n", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/.git").write_text(f"gitdir: {own}\n", encoding="utf-8")
    found = identify({}, tmp_path / "other", run="r")
    assert found == {
        "llmtrace.run.id": "r",
        "vcs.ref.head.revision": "d" * 40,
        "vcs.repository.url.full": GIT["vcs.repository.url.full"],
        "vcs.repository.name": "app",
    }


@pytest.mark.parametrize("broken", ["HEAD", "config"])
def test_what_cannot_be_read_is_left_out(repository: Path, broken: str) -> None:
    """A repository that has a file which cannot be read is left out as a whole."""
    (repository / ".git" / broken).write_bytes(b"\xff")
    assert identify({}, repository, run="r") == {"llmtrace.run.id": "r"}
