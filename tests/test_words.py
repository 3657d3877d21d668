"""The code says one word for one thing: words that gave way to the field's own do not come back."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPOKEN = ("*.py", "*.md", "*.toml", "*.json", "*.yml")
"""Files that a reader meets."""
QUOTED = (
    "tests/test_words.py",
    "training/tiny_landscapes/captions.py",
    "nodes/huggingface/weights/",
    "docs/glossary.md",
)
"""Where a retired word is data: prompts, a vocabulary, the page that explains it."""

RETIRED = {
    r"nodes\.huggingface\.steering|Steering\.of": "conditioning.py, Conditioning",
    r"_eye_of|_SHARED_EYES|_HUNG_UPON": "image encoder, VISION_TOWERS, SHARES_SUBMODULES",
    r"facts_of|_FACTS": "quirks_of, FamilyQuirk",
    r"keeps_size": "restore_size",
    r"NumbersSeen|LatentsSeen": "FiniteCheck, LatentsCapture",
    r"stick_figure|skeletons": "draw_pose, openpose",
    r"ComingUses": "ModelLookahead",
    r"twin_of|settle_late_twin": "duplicate_of (common subexpression elimination)",
    r"poison(?:s|ed)?": "upstream_state (dead-path propagation)",
    r"DROPPED": "SKIPPED",
    r"FastPath": "a plain step; Settlement",
    r"asks_for_a_seed": "is_drawn",
    r"[Ff]oresight|ComingUses": "LookaheadPlanner, RunForecast, PlannedUse, ReadyUse",
    r"[Ww]orkplace": "DeviceRuntime",
    r"ListedModels": "ModelAllowlist",
    r"Encodings": "EncoderCache",
    r"WorkingMemory": "ActivationMemory",
    r"mould(ed)?|sparing": "template, low_memory",
    r"HUNG_UPON|EYES|eye_of": "SHARES_SUBMODULES, VISION_TOWERS, image_encoder_of",
    r"[Pp]ictures?|PICTURES?": "image; the class is ImageData",
    r"Blueprints|blueprint_digest": "WorkflowCache, workflow_digest",
    r"UnderWay|PASSED_ON": "ForegroundRun, PASS_THROUGH",
    r"look_again|look_for_orders": "refresh, poll_cancellations",
    r"jobs\.(?:pulse|signals|blueprints|preparation|recorder)": "the files of jobs/ as they are",
    r"[Ii]ntake": "InputSanitizer, sanitizer",
    r"unspeakable": "json_limits.violation",
    r"open_services": "open_app_state, which makes an AppState",
    r"OwnJobs": "JobRoutes",
    r"read_foreign": "read_client_workflow",
    r"lent_inputs": "exposed_inputs",
    r"untold": "ignore_warning; who takes what an image lost is called `warn`",
    r"Patience|Ladder|Tiers|Master|Ticket|Delivery|Preparation|_Bench|_Duty|modules_in": (
        "Timers, OomRecovery, WeightStore, HostCopy, Attempt, EventQueue, RequestValidator,"
        " ReplicaPipelines, PeriodicTask, a lease"
    ),
    r"copied_(?:document|inputs|outputs)": "fan_out_document, fan_out_inputs, fan_out_outputs",
}
"""
Patterns of retired words, and what is said in their place.

They match whole words of a name as well.
"""


@cache
def lines() -> list[tuple[str, str]]:
    """Return the lines that a reader meets, each with its place."""
    return [
        (f"{path.relative_to(ROOT)}:{number}", line)
        for path in files()
        if path.is_file() and not str(path.relative_to(ROOT)).startswith(QUOTED)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
    ]


def files() -> list[Path]:
    """Return the files under version control, or all of a copy that has none."""
    listed = subprocess.run(
        ["git", "ls-files", *SPOKEN], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.splitlines()]
    rooms = ("nodetool_core", "nodes", "graphs", "tests", "docs", "bench", "training")
    found = [path for room in rooms for kind in SPOKEN for path in (ROOT / room).rglob(kind)]
    return [*found, *(path for kind in SPOKEN for path in ROOT.glob(kind))]


@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_does_not_come_back(word: str) -> None:
    pattern = re.compile(rf"(?<![a-zA-Z])(?:{word})(?![a-z])")
    found = [f"{place}: {line.strip()[:100]}" for place, line in lines() if pattern.search(line)]
    assert found == [], f"say {RETIRED[word]}"
