"""The files that a repository needs are there, well-formed, and agree with one another."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from nodetool_core import DISTRIBUTION, __version__
from nodetool_core.reference.links import broken_links

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PAGES = ["SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "CHANGELOG.md"]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))


def test_every_file_is_there_and_its_links_lead_somewhere() -> None:
    pages = [ROOT / name for name in PAGES]
    assert [page.name for page in pages if not page.is_file()] == []
    assert broken_links([*pages, ROOT / ".github" / "pull_request_template.md"]) == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_for_issues_has_fields(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert form["name"] and form["description"]
    fields = [field["id"] for field in form["body"]]
    assert fields and len(set(fields)) == len(fields)
    assert all(field["attributes"]["label"] for field in form["body"])


def test_the_citation_has_the_version_of_the_code() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert (citation["version"], citation["license"]) == (__version__, "Apache-2.0")


def test_the_changelog_has_the_version_of_the_code() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "docs" / "changelog.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__.partition(".dev")[0] in headings


def test_the_classifiers_begin_with_the_least_python() -> None:
    project = PROJECT["project"]
    versions = [
        line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)
    ]
    assert project["name"] == DISTRIBUTION
    assert project["requires-python"] == f">={versions[0]}"
    minors = [int(version.partition(".")[2]) for version in versions]
    assert minors == list(range(minors[0], minors[0] + len(minors)))


def test_hooks_before_a_commit_call_programs_that_are_there() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    for hook in hooks:
        program, *words = shlex.split(hook["entry"])
        assert shutil.which(program, path=str(Path(ROOT / ".venv" / "bin"))) or shutil.which(
            program
        )
        assert all((ROOT / word).exists() for word in words if word.startswith("tests/"))


def test_ci_is_a_script_that_bash_reads() -> None:
    done = subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=False)
    assert done.returncode == 0
