"""Where spans come from: the run, its CI and its source code, by OpenTelemetry's conventions `cicd.*` and `vcs.*`.

An attribute whose value is not known is left out. No other program is run: the values are read from environment
variables, from GitHub's file on the event that started the run, and from git's own files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pytest_llmtrace._stdlib import json, re

__all__ = ["identify"]

_GITHUB: Final = {
    "cicd.pipeline.name": "{GITHUB_WORKFLOW}",
    "cicd.pipeline.run.id": "{GITHUB_RUN_ID}",
    "cicd.pipeline.run.url.full": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
    "cicd.pipeline.task.name": "{GITHUB_JOB}",
    "cicd.worker.name": "{RUNNER_NAME}",
    "vcs.provider.name": "github",
    "vcs.owner.name": "{GITHUB_REPOSITORY_OWNER}",
    "vcs.repository.url.full": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}",
    "vcs.ref.head.name": "{GITHUB_HEAD_REF}|{GITHUB_REF_NAME}",  # For a pull request the latter is `12/merge`.
    "vcs.ref.head.type": "{GITHUB_REF_TYPE}",
    "vcs.ref.head.revision": "{GITHUB_SHA}",
    "vcs.ref.base.name": "{GITHUB_BASE_REF}",
    "vcs.change.id": r"{GITHUB_REF:refs/pull/(\d+)/.*}",
}
_GITLAB: Final = {
    "cicd.pipeline.name": "{CI_PIPELINE_NAME}",
    "cicd.pipeline.run.id": "{CI_PIPELINE_ID}",
    "cicd.pipeline.run.url.full": "{CI_PIPELINE_URL}",
    "cicd.pipeline.task.name": "{CI_JOB_NAME}",
    "cicd.pipeline.task.run.id": "{CI_JOB_ID}",
    "cicd.pipeline.task.run.url.full": "{CI_JOB_URL}",
    "cicd.worker.id": "{CI_RUNNER_ID}",
    "cicd.worker.name": "{CI_RUNNER_DESCRIPTION}",
    "vcs.provider.name": "gitlab",
    "vcs.owner.name": "{CI_PROJECT_NAMESPACE}",
    "vcs.repository.name": "{CI_PROJECT_NAME}",
    "vcs.repository.url.full": "{CI_PROJECT_URL}",
    "vcs.ref.head.name": "{CI_COMMIT_REF_NAME}",
    "vcs.ref.head.type": "{CI_COMMIT_TAG?}tag|{CI_COMMIT_REF_NAME?}branch",
    "vcs.ref.head.revision": "{CI_COMMIT_SHA}",
    "vcs.ref.base.name": "{CI_MERGE_REQUEST_TARGET_BRANCH_NAME}",
    "vcs.change.id": "{CI_MERGE_REQUEST_IID}",
    "vcs.change.title": "{CI_MERGE_REQUEST_TITLE}",
}
_JENKINS: Final = {
    "cicd.pipeline.name": "{JOB_NAME}",
    "cicd.pipeline.run.id": "{BUILD_NUMBER}",
    "cicd.pipeline.run.url.full": "{BUILD_URL}",
    "cicd.pipeline.task.name": "{STAGE_NAME}",
    "cicd.worker.name": "{NODE_NAME}",
    "vcs.repository.url.full": "{GIT_URL}",
    # For a pull request BRANCH_NAME is `PR-12`; outside multibranch jobs only GIT_BRANCH is set, to `origin/main`, by
    # the git plugin.
    "vcs.ref.head.name": r"{CHANGE_BRANCH}|{BRANCH_NAME}|{GIT_BRANCH:(?:origin/)?(.+)}",
    "vcs.ref.head.type": "{TAG_NAME?}tag|{BRANCH_NAME?}branch",
    "vcs.ref.head.revision": "{GIT_COMMIT}",
    "vcs.ref.base.name": "{CHANGE_TARGET}",
    "vcs.change.id": "{CHANGE_ID}",
    "vcs.change.title": "{CHANGE_TITLE}",
}
_BUILDKITE: Final = {
    "cicd.pipeline.name": "{BUILDKITE_PIPELINE_SLUG}",
    "cicd.pipeline.run.id": "{BUILDKITE_BUILD_ID}",
    "cicd.pipeline.run.url.full": "{BUILDKITE_BUILD_URL}",
    "cicd.pipeline.task.name": "{BUILDKITE_LABEL}",
    "cicd.pipeline.task.run.id": "{BUILDKITE_JOB_ID}",
    "cicd.worker.id": "{BUILDKITE_AGENT_ID}",
    "cicd.worker.name": "{BUILDKITE_AGENT_NAME}",
    "vcs.repository.url.full": "{BUILDKITE_REPO}",
    "vcs.ref.head.name": "{BUILDKITE_TAG}|{BUILDKITE_BRANCH}",
    "vcs.ref.head.type": "{BUILDKITE_TAG?}tag|{BUILDKITE_BRANCH?}branch",
    "vcs.ref.head.revision": "{BUILDKITE_COMMIT:([0-9a-f]+)}",  # In a build started by hand it may be `HEAD`.
    "vcs.ref.base.name": "{BUILDKITE_PULL_REQUEST_BASE_BRANCH}",
    "vcs.change.id": r"{BUILDKITE_PULL_REQUEST:(\d+)}",  # In other builds it is `false`.
}
_SYSTEMS: Final = {
    "GITHUB_ACTIONS": _GITHUB,
    "GITLAB_CI": _GITLAB,
    "JENKINS_URL": _JENKINS,
    "BUILDKITE": _BUILDKITE,
}
"""The CI systems, by a variable that each sets in its jobs: the value of each attribute as one or more forms, with `|`
between them, of which the first that can be filled in is used."""
_PLACE: Final = re.compile(r"\{(\w+)(?:(\?)|:([^}]*))?\}")
"""A place to fill in: `{NAME}` gives the value of a variable, `{NAME:pattern}` the group of a pattern that the value
matches, and `{NAME?}` an empty text. It cannot be filled in if the variable is not set, or does not match."""
_REVISION: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_WITH_USER: Final = re.compile(r"(?<=://)[^/?#]+@")


def identify(environ: Mapping[str, str], folder: Path, *, run: str) -> dict[str, str]:
    """Return the attributes that all spans of a run share.

    Args:
        environ: The environment variables.
        folder: The folder of the source code, or one within it.
        run: An id that tells the run from all others.
    """
    told = next((table for sign, table in _SYSTEMS.items() if environ.get(sign)), {})
    found = {**_of_git(folder), **_filled(told, environ), **_of_change(environ)}
    if "vcs.repository.url.full" in found:
        # The address that a CI gives of a repository may have a token in place of a user's name.
        url = found["vcs.repository.url.full"] = _WITH_USER.sub("", found["vcs.repository.url.full"])
        found.setdefault("vcs.repository.name", url.rstrip("/").rpartition("/")[2].removesuffix(".git"))
    return {"llmtrace.run.id": run, **found}


def _filled(table: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return a table with its forms filled in, without the lines that cannot be filled in."""
    filled = ((name, next(_fillings(forms, environ), "")) for name, forms in table.items())
    return {name: value for name, value in filled if value}


def _fillings(forms: str, environ: Mapping[str, str]) -> Iterator[str]:
    for form in forms.split("|"):
        said = [_said(place, environ) for place in _PLACE.finditer(form)]
        if None not in said:
            each = iter(said)
            yield _PLACE.sub(lambda _: next(each) or "", form)  # noqa: B023  # Used at once.


def _said(place: re.Match[str], environ: Mapping[str, str]) -> str | None:
    variable, is_asked, pattern = place.groups()
    value = environ.get(variable)
    if not value:
        return None
    if is_asked:
        return ""
    found = re.fullmatch(pattern or "(.*)", value, re.DOTALL)
    return found[1] if found else None


def _of_change(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what only GitHub's event file says of a pull request: `GITHUB_SHA` is the commit that would merge it."""
    try:
        change = json.loads(_read(Path(environ["GITHUB_EVENT_PATH"])))["pull_request"]
        told: dict[str, Any] = {"vcs.ref.head.revision": change["head"]["sha"], "vcs.change.title": change["title"]}
    except (KeyError, TypeError, OSError, ValueError, RecursionError):
        return {}  # The run was started by another event, or not on GitHub.
    return {name: value for name, value in told.items() if value and isinstance(value, str)}


# --- git -------------------------------------------------------------------------------------------------------------


def _of_git(folder: Path) -> dict[str, str]:
    """Return the attributes that git's own files tell; none if there are no such files, or they cannot be read."""
    try:
        return dict(_told_by_git(folder))
    except (OSError, UnicodeDecodeError):
        return {}


def _told_by_git(folder: Path) -> Iterator[tuple[str, str]]:
    own = next((place / ".git" for place in (folder, *folder.parents) if (place / ".git").exists()), None)
    if own is None:
        return
    if own.is_file():  # In a work tree or a submodule it reads `gitdir: PATH`.
        own = own.parent / _read(own).partition(":")[2].strip()
    common = own / _read(own / "commondir") if (own / "commondir").exists() else own
    head = _read(own / "HEAD")
    ref = head.removeprefix("ref:").strip() if head.startswith("ref:") else None
    if ref is not None and ref.startswith("refs/heads/"):
        yield "vcs.ref.head.name", ref.removeprefix("refs/heads/")
        yield "vcs.ref.head.type", "branch"
    revision = head if ref is None else _revision(ref, (own, common))
    if revision is not None and _REVISION.fullmatch(revision):
        yield "vcs.ref.head.revision", revision
    url = _origin(common / "config")
    if url:
        yield "vcs.repository.url.full", url


def _revision(ref: str, folders: tuple[Path, ...]) -> str | None:
    for folder in folders:
        if (folder / ref).is_file():
            return _read(folder / ref)
    packed = folders[-1] / "packed-refs"
    lines = _read(packed).splitlines() if packed.is_file() else []
    return next((line.partition(" ")[0] for line in lines if line.endswith(f" {ref}")), None)


def _origin(config: Path) -> str | None:
    """Return the address of the remote `origin` (git-config(1), "Syntax")."""
    section = ""
    for line in map(str.strip, _read(config).splitlines()):
        if line.startswith("["):
            section = line
        name, is_set, value = line.partition("=")
        if section == '[remote "origin"]' and is_set and name.strip() == "url":
            return value.strip()
    return None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
