"""Asks a server through the replicate SDK. Arguments: base URL, file of an image. Prints JSON."""

import asyncio
import base64
import json
import sys
from pathlib import Path

import replicate
from replicate.exceptions import ModelError, ReplicateError

url, photo = sys.argv[1], Path(sys.argv[2])
client = replicate.Client(base_url=url, api_token="test-token")


def text(output: object) -> str:
    return base64.b64encode(output.read()).decode()  # type: ignore[attr-defined]


images = [text(client.run("nodetool/draw", input={"prompt": "four", "width": 20}))]
with photo.open("rb") as file:
    images.append(text(client.run("nodetool/paint", input={"image": file, "prompt": "seven.."})))
with photo.open("rb") as file:
    sent = {"image": file, "prompt": "x"}
    images.append(text(client.run("nodetool/paint", input=sent, file_encoding_strategy="base64")))
model = client.models.get("nodetool/draw")
version = model.latest_version
images.append(text(client.run(f"nodetool/draw:{version.id}", input={"prompt": "abc"})))
images.append(text(client.run("nodetool/draw", input={"prompt": "xy"}, wait=False)))
twins = client.run("nodetool/twins", input={"image": photo})
images += [text(one) for one in twins]
images.append(text(asyncio.run(client.async_run("nodetool/draw", input={"prompt": "async"}))))

deployed = client.deployments.predictions.create("nodetool/draw", {"prompt": "d"})
deployed.wait()
steps = client.predictions.create(model="nodetool/steps", input={"prompt": "x"})
steps.wait()
progress = steps.progress
events = [event.event.value for event in client.stream("nodetool/steps", input={"prompt": "x"})]
of_one = [event.event.value for event in steps.stream()]
running = client.predictions.create(version=version, input={"prompt": "c"})
running.cancel()
file = client.files.create(photo, metadata={"of": "me"})
files = [one.id for one in client.files.list()]
same = client.files.get(file.id) == file
deleted = client.files.delete(file.id)
pages = sum(len(page) for page in replicate.pagination.paginate(client.predictions.list))
failures = []
for name, given in (("sub/broken", {"image": photo}), ("nodetool/nothing", {})):
    try:
        client.run(name, input=given)
    except (ModelError, ReplicateError) as error:
        failures.append([type(error).__name__, str(error)])
secret = client.webhooks.default.secret()
print(
    json.dumps(
        {
            "images": images,
            "inputs": list(version.openapi_schema["components"]["schemas"]["Input"]["properties"]),
            "deployed": deployed.status,
            "progress": [progress.percentage, progress.current, progress.total],
            "events": events,
            "of_one": of_one,
            "running": running.status,
            "files": [file.id in files, same, deleted, file.name, file.metadata],
            "pages": pages,
            "failures": failures,
            "models": [f"{one.owner}/{one.name}" for one in client.models.list()],
            "versions": len(model.versions.list()),
            "secret": secret.key,
        }
    )
)
