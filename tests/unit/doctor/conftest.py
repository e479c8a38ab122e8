"""An environment without proxies, and a distribution to install."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

# Tests of instrumentors need the base package that instrumentors are made with.
collect_ignore = [] if find_spec("opentelemetry.instrumentation") else ["test_doctor_instrumentors.py"]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.getproxies", dict)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a distribution with an instrumentor, whose module has the given source."""

    def made(source: str) -> None:
        info = tmp_path / "acme_llm-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Acme_LLM\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[opentelemetry_instrumentor]\nacme = acme_llm:Acme\n")
        (tmp_path / "acme_llm.py").write_text(source)
        monkeypatch.delitem(sys.modules, "acme_llm", raising=False)
        monkeypatch.syspath_prepend(tmp_path)

    return made
