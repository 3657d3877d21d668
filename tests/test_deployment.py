"""
The files of deployment: they name settings that there are, commands that there are, and agree.

Judged by what reads them where it is installed: the schemas of Compose and Kubernetes, nginx, Caddy
and systemd. Behind both proxies a real server is asked, with streams and sockets.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from nodetool_core.cli.app import make_app
from nodetool_core.server.settings import Settings
from nodetool_core.server.settings_sources import ENVIRONMENT_PREFIX
from tests.server import nodes
from tests.server.live import LiveServer, png
from tests.server.replicate.conftest import Steps, steps
from tests.server.test_clients import INSTALLED
from tests.waiting import free_port, wait_for_port

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
FILES = [
    ROOT / "Dockerfile",
    ROOT / "compose.yaml",
    *sorted(path for path in DEPLOY.iterdir() if path.suffix != ".toml"),
]
OTHERS = {"NODETOOL_CACHE_DIR", "NODETOOL_TOKEN"}
"""Variables that are no settings of the server: the cache's folder, and one of `.env`."""

SECONDS = 20
needs = {
    name: pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")
    for name in ("nginx", "caddy", "systemd-analyze")
}
needs_schemas = pytest.mark.skipif(
    not (INSTALLED / "deployment").is_dir(),
    reason="needs what reads these files: see tests/server/clients/install.sh",
)

ENVIRONMENT = {
    "NODETOOL_TOKEN": "t" * 48,
    "POSTGRES_PASSWORD": "p" * 48,
    "S3_SECRET": "s" * 48,
}


def substituted(text: str) -> str:
    """Return a text with the variables of `.env` in it, as Compose reads them."""

    def value(found: re.Match[str]) -> str:
        name, _, default = found[1].partition(":")
        known = ENVIRONMENT.get(name, default.removeprefix("-"))
        assert known and not known.startswith("?"), found[0]
        return known

    return re.sub(r"\$\{([^}]+)\}", value, text)


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(substituted((ROOT / "compose.yaml").read_text()))
    return found


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in manifests() if one["kind"] == kind]


def containers() -> list[dict[str, Any]]:
    return [one["spec"]["template"]["spec"]["containers"][0] for one in of_kind("Deployment")]


# Variables


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_variable_is_a_setting(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"\bNODETOOL_[A-Z_]+", text)) - OTHERS
    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert named <= known, named - known


def test_the_settings_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    (line,) = (line for line in text.splitlines() if line.startswith("ENV "))
    set_all(monkeypatch, dict(one.split("=", 1) for one in line.split()[1:]))
    found = Settings.read(token="t" * 48)
    assert (found.host, str(found.graphs)) == ("0.0.0.0", "/graphs")


@pytest.mark.parametrize("name", ["server", "worker"])
def test_the_settings_of_compose(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, compose()["services"][name]["environment"])
    found = Settings.read()
    assert found.tokens == ("t" * 48,)
    assert found.results.startswith("s3://") and found.broker and found.database


def test_the_settings_of_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, member in (("ConfigMap", "data"), ("Secret", "stringData")):
        set_all(monkeypatch, of_kind(kind)[0][member])
    found = Settings.read()
    assert len(found.tokens[0]) >= 16 and "*.svc" in found.allowed_hosts
    for container in containers():
        names = {"configMapRef", "secretRef"}
        assert {key for one in container["envFrom"] for key in one} == names


def test_the_settings_of_a_service() -> None:
    given = tomllib.loads((DEPLOY / "serve.toml").read_text())
    assert Settings.read(DEPLOY / "serve.toml").public_url == given["public_url"]


def test_the_variables_of_compose_are_in_the_example() -> None:
    text = (ROOT / "compose.yaml").read_text()
    named = set(re.findall(r"\$\{([A-Z0-9_]+)", text))
    example = (ROOT / ".env.example").read_text()
    assert named == set(re.findall(r"^([A-Z0-9_]+)=", example, re.MULTILINE))


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


# Commands


def commands() -> Iterator[list[str]]:
    found = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    yield json.loads(found[1])
    for name in ("server", "worker"):
        yield compose()["services"][name]["command"]
    yield from (container["args"] for container in containers())
    for path in DEPLOY.glob("*.service"):
        (line,) = re.findall(r"^ExecStart=(.*)$", path.read_text(), re.MULTILINE)
        yield ["nodetool", *shlex.split(line)[1:]]


def test_every_command_is_one() -> None:
    found = list(commands())
    assert len(found) == 7
    for program, *arguments in found:
        assert program == "nodetool" and arguments[0] in ("serve", "worker")
        # Options that there are not are refused before the help is shown.
        result = CliRunner().invoke(make_app(), [*arguments, "--help"])
        assert result.exit_code == 0, result.output


def test_the_image_has_what_the_package_is_made_of() -> None:
    """Each file that the build needs is copied, and let through to be copied."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "constraints.txt", "LICENSE", project["project"]["readme"]}
    needed |= {*wheel["packages"], *wheel["force-include"]}
    text = (ROOT / "Dockerfile").read_text()
    copied = {
        name.rstrip("/") for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE)
        for name in line.split()
    }  # fmt: skip
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert needed <= copied
    assert {f"!{name}" for name in copied} <= set(ignored) and "*" in ignored
    (extras,) = re.findall(r"'\.\[([\w,]+)\]'", text)
    assert {"serve", "worker", "postgres", "s3"} <= set(extras.split(","))
    assert set(extras.split(",")) <= project["project"]["optional-dependencies"].keys()


# Ends


def test_everybody_waits_longer_than_a_server_drains() -> None:
    drain = Settings.model_fields["drain_seconds"].default
    graces = [float(one["stop_grace_period"].rstrip("s")) for one in (
        compose()["services"][name] for name in ("server", "worker"))]  # fmt: skip
    for path in DEPLOY.glob("*.service"):
        (text,) = re.findall(r"^TimeoutStopSec=(\d+)$", path.read_text(), re.MULTILINE)
        graces.append(float(text))
    for one in of_kind("Deployment"):
        spec = one["spec"]["template"]["spec"]
        pause = spec["containers"][0].get("lifecycle", {}).get("preStop")
        graces.append(
            spec["terminationGracePeriodSeconds"]
            - (float(pause["exec"]["command"][-1]) if pause else 0.0)
        )
    assert len(graces) == 6
    assert all(grace >= drain + 5 for grace in graces), graces


def test_proxies_wait_longer_than_a_run_and_take_bodies_as_large() -> None:
    run, body = (Settings.model_fields[name].default for name in ("run_seconds", "max_body_bytes"))
    nginx, caddy = ((DEPLOY / name).read_text() for name in ("nginx.conf", "Caddyfile"))
    seconds = re.findall(r"(?:_timeout|_timeout )\s*(\d+)s", nginx + caddy)
    assert len(seconds) == 3 and all(float(one) > run for one in seconds)
    (large,) = re.findall(r"client_max_body_size (\d+)m;", nginx)
    assert int(large) * 2**20 == body and "max_size" not in caddy


# Compose


def test_what_services_of_compose_name_is_there() -> None:
    document = compose()
    services, volumes = document["services"], set(document["volumes"])
    used = set()
    for service in services.values():
        wanted = service.get("depends_on", [])
        for name in wanted:
            assert name in services
            state = wanted[name]["condition"] if isinstance(wanted, dict) else ""
            assert state != "service_healthy" or "healthcheck" in services[name]
        used |= {one.partition(":")[0] for one in service.get("volumes", ()) if one[0] != "."}
    assert used == volumes
    server = services["server"]["environment"]
    addresses = [server[f"{ENVIRONMENT_PREFIX}{one}"] for one in ("DATABASE", "BROKER")]
    for address in (*addresses, server["AWS_ENDPOINT_URL"]):
        assert urlsplit(address).hostname in services, address
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["objects"]["environment"]["ROOT_SECRET_KEY"] == server["AWS_SECRET_ACCESS_KEY"]


JUDGE = """
import sys
from compose_spec import PyCompose
read = PyCompose.from_yaml(sys.stdin.read())
read.validate()
print(*sorted(read.service_names()))
"""


@needs_schemas
def test_compose_by_its_specification() -> None:
    program = str(INSTALLED / "deployment" / "bin" / "python")
    text = yaml.safe_dump(compose())  # Its reader knows no merge keys, which Compose does.
    for given, is_right in ((text, True), (text.replace("replicas: 2", "replicas: two"), False)):
        done = subprocess.run(
            [program, "-c", JUDGE], input=given, capture_output=True, text=True, timeout=60
        )
        assert (done.returncode == 0) is is_right, done.stderr
        assert not is_right or done.stdout.split() == sorted(compose()["services"])


def test_files_in_an_object_store_by_the_variables_of_compose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With them alone, the bucket is made as there, and results are kept and read."""
    from moto.server import ThreadedMotoServer

    from nodetool_core.jobs.storage import open_storage

    environment = compose()["services"]["server"]["environment"]
    names = {name: text for name, text in environment.items() if name.startswith("AWS_")}
    store = ThreadedMotoServer("127.0.0.1", 0)
    store.start()
    try:
        host, port = store.get_host_and_port()
        set_all(monkeypatch, names | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"})
        _, _, script = compose()["services"]["bucket"]["command"]
        for _ in range(2):
            exec(script, {})
        storage = open_storage(environment["NODETOOL_SERVE_RESULTS"])
        assert storage.read(storage.put(png())) == png()
    finally:
        store.stop()


# Kubernetes


@needs_schemas
@pytest.mark.slow
def test_manifests_by_their_schema() -> None:
    program = INSTALLED / "deployment" / "bin" / "kubernetes-validate"
    command = [str(program), "--strict", str(DEPLOY / "kubernetes.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_manifests_name_one_another() -> None:
    server, worker = containers()
    assert {"startupProbe", "livenessProbe", "readinessProbe"} <= server.keys()
    paths = [server[probe]["httpGet"]["path"] for probe in server if probe.endswith("Probe")]
    assert set(paths) == {"/livez", "/readyz"}
    (service,) = of_kind("Service")
    assert service["spec"]["selector"] in [
        one["spec"]["template"]["metadata"]["labels"] for one in of_kind("Deployment")
    ]
    assert service["spec"]["ports"][0]["targetPort"] == server["ports"][0]["name"]
    claims = {one["metadata"]["name"] for one in of_kind("PersistentVolumeClaim")}
    for one in of_kind("Deployment"):
        spec = one["spec"]["template"]["spec"]
        assert (
            one["spec"]["selector"]["matchLabels"] == one["spec"]["template"]["metadata"]["labels"]
        )
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert {mount["name"] for mount in spec["containers"][0]["volumeMounts"]} == volumes
        assert {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in spec["volumes"]
            if "persistentVolumeClaim" in volume
        } <= claims
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"


# systemd


@needs["systemd-analyze"]
def test_units(tmp_path: Path) -> None:
    """Read by systemd, with a program that there is in place of the installed one."""
    paths = []
    for path in sorted(DEPLOY.glob("*.service")):
        text = path.read_text().replace("/srv/nodetool/.venv/bin/nodetool", "/bin/true")
        name = path.name.replace("@", "@0")
        (tmp_path / name).write_text(text.replace("User=nodetool", "User=root"))
        paths.append(str(tmp_path / name))
    assert len(paths) == 2
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line]
    assert said == [] and done.returncode == 0, done.stderr


# Proxies


@pytest.fixture
def proxied(tmp_path: Path) -> Iterator[Callable[[list[str], int], httpx2.Client]]:
    """Yield a function that starts a proxy, and gives a client of it."""
    running: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], port: int) -> httpx2.Client:
        with (tmp_path / "proxy.log").open("wb") as log:
            running.append(subprocess.Popen(command, stdout=log, stderr=log))
        try:
            wait_for_port(port, running[0], SECONDS)
        except AssertionError as error:
            raise AssertionError((tmp_path / "proxy.log").read_text()) from error
        return httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)

    yield start
    for process in running:
        process.terminate()
        process.wait(SECONDS)


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[LiveServer]:
    workflows = {"paint": nodes.paint(), "steps": steps(), "wait": nodes.wait("")}
    with LiveServer(
        tmp_path,
        workflows,
        nodes=(*nodes.NODES, Steps),
        public_url="http://127.0.0.1",
        client_workflows=True,
    ) as live:
        yield live


def nginx_config(folder: Path, server: int, port: int) -> list[str]:
    text = (DEPLOY / "nginx.conf").read_text()
    text = re.sub(r"^\s*ssl_.*\n", "", text, flags=re.MULTILINE)
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port}")
    text = text.replace("127.0.0.1:8188", f"127.0.0.1:{server}")
    folders = "".join(
        f"{name}_temp_path {folder / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = (
        f"daemon off; master_process off; pid {folder / 'nginx.pid'};\n"
        f"error_log stderr; events {{}}\nhttp {{ access_log off;\n{folders}{text}}}\n"
    )
    (folder / "nginx.conf").write_text(whole)
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy_config(folder: Path, server: int, port: int) -> list[str]:
    text = (DEPLOY / "Caddyfile").read_text()
    text = text.replace("images.example.com {", f"http://127.0.0.1:{port} {{")
    text = text.replace("127.0.0.1:8188", f"127.0.0.1:{server}")
    (folder / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{text}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


@needs["nginx"]
def test_nginx_takes_its_file(tmp_path: Path) -> None:
    """As it is but for the certificate, which is one of its own."""
    command = nginx_config(tmp_path, 1, free_port())
    done = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@needs["caddy"]
def test_caddy_takes_its_file() -> None:
    command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "config",
    [
        pytest.param(nginx_config, marks=needs["nginx"], id="nginx"),
        pytest.param(caddy_config, marks=needs["caddy"], id="caddy"),
    ],
)
@pytest.mark.slow
def test_behind_a_proxy(
    tmp_path: Path,
    behind: LiveServer,
    proxied: Callable[[list[str], int], httpx2.Client],
    config: Callable[[Path, int, int], list[str]],
) -> None:
    port, door = free_port(), f"proxy-{config.__name__}"
    with proxied(config(tmp_path, behind.port, port), port) as client:
        made = client.post("/models/paint", content=png())
        assert made.status_code == 200, made.text
        # Events come while the run is under way: the first is read before its door is opened.
        body = {"inputs": {"image": data_uri(), "door": door}, "wait": False}
        job = client.post("/v1/workflows/wait/runs", json=body).json()["id"]
        assert nodes.DOORS[door].came.acquire(timeout=SECONDS)
        with client.stream("GET", f"/v1/jobs/{job}/events") as events:
            lines = events.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: job_queued"
            nodes.DOORS[door].open.set()
            assert "event: job_ended" in list(lines)
        for content in (bytes(33 * 2**20), chunks(70)):
            large = client.post("/models/paint", content=content)
            assert large.status_code == 413, large.text
        assert hears_of_itself(port)


def chunks(number: int) -> Iterator[bytes]:
    """Yield as many MiB, so that nobody knows before how many come."""
    for _ in range(number):
        yield bytes(2**20)


def data_uri() -> str:
    from tests.server.v1.test_workflows import data_uri

    return data_uri(png())


def hears_of_itself(port: int) -> bool:
    """Return whether a socket of ComfyUI's API opens behind a proxy, and says something."""
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}/ws?clientId=x", proxy=None) as ws:
        return json.loads(ws.recv(timeout=SECONDS))["type"] == "status"


# The page


@pytest.mark.parametrize("name", ["nodetool.service", "serve.toml", "Caddyfile", "nginx.conf"])
def test_the_page_shows_the_files_as_they_are(name: str) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text()
    assert f"\n{(DEPLOY / name).read_text()}```\n" in page
