"""The libraries of models: imported once, whichever threads are the first to need them."""

from __future__ import annotations

import subprocess
import sys
import textwrap

FIRST_USES = """
import threading
from nodetool_core.models.diffusers import part_families, scheduler_choice, tasks
from nodetool_core.models.libraries import import_libraries

USES = [
    lambda: tasks.check_task("StableDiffusionPipeline", "image-to-image", "a model"),
    lambda: tasks.automatic_class("image-to-image"),
    lambda: scheduler_choice._class_named("EulerDiscreteScheduler"),
    part_families.part_families,
    import_libraries,
]
begin, wrong = threading.Barrier(len(USES)), []

def use(first):
    begin.wait()
    try:
        first()
    except Exception as error:
        wrong.append(repr(error))

threads = [threading.Thread(target=use, args=(first,)) for first in USES]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(wrong)
"""


def test_several_threads_may_be_the_first_to_need_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FIRST_USES)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stderr == "", "what they warn of, such as torchvision, is not for the terminal"
