"""docker-compose.yml is what the specification allows, gives no secret away, and fits the service's settings."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from app.settings import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "STORAGE_ACCESS_KEY", "STORAGE_SECRET_KEY")
SERVICES = yaml.safe_load(TEXT)["services"]
PROFILES = ("gpu", "cpu-propagation", "backup")


@pytest.fixture
def against_the_specification(tool):
    """Check a file against the schema that the compose specification publishes."""
    program = tool("check-jsonschema", "the extra 'dev'")

    def check(path):
        return subprocess.run(
            [program, "--builtin-schema", "vendor.compose-spec", path], capture_output=True, text=True, check=False
        )

    return check


@pytest.fixture
def docker_compose(tool):
    """Have Compose itself read the file; it needs no engine for that."""
    program = tool("docker-compose", "Debian's package docker-compose")

    def config(environment, *words):
        profiles = [word for profile in PROFILES for word in ("--profile", profile)]
        return subprocess.run(
            [program, *profiles, "--file", ROOT / "docker-compose.yml", "--project-directory", ROOT, *words, "config"],
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    return config


def test_it_follows_the_specification(against_the_specification, tmp_path):
    done = against_the_specification(ROOT / "docker-compose.yml")
    assert done.returncode == 0, done.stdout
    (tmp_path / "wrong.yml").write_text(TEXT.replace("pids_limit:", "pids_limitation:", 1))
    assert against_the_specification(tmp_path / "wrong.yml").returncode == 1


def test_compose_reads_it_as_we_do(docker_compose, secrets_file, resolved):
    done = docker_compose({}, "--env-file", secrets_file)
    assert done.returncode == 0, done.stderr
    seen = yaml.safe_load(done.stdout.replace("$$", "$"))["services"]
    assert seen.keys() == SERVICES.keys()
    for name, ours in resolved["services"].items():
        assert seen[name].get("environment", {}) == ours.get("environment", {}), name
        assert seen[name].get("command") == ours.get("command"), name


@pytest.mark.parametrize("name", SECRETS)
def test_without_a_secret_nothing_starts(docker_compose, name):
    done = docker_compose({secret: "x" for secret in SECRETS if secret != name})
    assert done.returncode != 0
    assert "run scripts/new-env" in done.stderr


def test_secrets_have_no_default():
    variables = re.findall(r"(?<!\$)\$\{(\w+)(:?[?-])?([^}]*)\}", TEXT)
    assert {name for name, _, _ in variables} >= {*SECRETS}
    for name, kind, rest in variables:
        if re.search("PASSWORD|SECRET|KEY|TOKEN", name):
            assert (kind, rest) == (":?", "run scripts/new-env"), name
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|AUTH$", name) and name != "RCLONE_CONFIG_STORE_ENV_AUTH":
                assert re.fullmatch(r"\$\{\w+:\?run scripts/new-env\}", value), name


def test_what_may_be_set_is_in_the_example():
    example = (ROOT / ".env.example").read_text()
    named = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    used = {*re.findall(r"(?<!\$)\$\{(\w+)", TEXT)}
    assert used == {*named} - {"COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"}
    assert len(named) == len({*named})
    assert {*re.findall(r"^([A-Z_]+)=$", example, re.MULTILINE)} == {*SECRETS}


def test_settings_exist():
    known = {f"POSETWEEN_{name.upper()}" for name in Settings.model_fields}
    used = {*re.findall(r"POSETWEEN_[A-Z_]+", TEXT)}
    assert len(used) > 5
    assert used <= known


def test_images_are_pinned_and_ours_are_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, service in SERVICES.items():
        image, _, tag = service["image"].rpartition(":")
        if "build" in service:
            assert image.startswith("posetween"), name
            assert tag == version, name
        else:
            assert re.match(r"\d+\.\d+(\.\d+)?", tag), name


def test_everything_is_watched_limited_and_restarted():
    once = {
        needed
        for service in SERVICES.values()
        for needed, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    once |= {name for name, service in SERVICES.items() if service.get("profiles") == ["backup"]}
    assert once == {"bucket", "migrate", "objects"}
    for name, service in SERVICES.items():
        watched = "test" in service.get("healthcheck", {}) or "HEALTHCHECK" in dockerfile(service)
        assert watched or name in once, name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["restart"] == ("no" if name in once else "unless-stopped"), name
        assert "no-new-privileges:true" in service["security_opt"], name


def dockerfile(service):
    build = service.get("build")
    if build is None:
        return ""
    return (ROOT / (build["dockerfile"] if isinstance(build, dict) else "Dockerfile")).read_text()


def test_what_is_waited_for_says_when_it_is_ready():
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[needed]["healthcheck"], (name, needed)


def test_only_the_api_is_reached_from_outside_and_only_from_this_machine(resolved):
    published = {name: service["ports"] for name, service in resolved["services"].items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"]}
    networks = resolved["networks"]
    outside = {name for name, network in networks.items() if not (network or {}).get("internal")}
    assert {name for name, service in SERVICES.items() if outside & {*service["networks"]}} == {"api"}


def test_our_containers_write_to_their_volumes_only():
    for name, service in SERVICES.items():
        if "build" in service:
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["tmpfs"] == ["/tmp"], name


def test_the_machine_without_a_gpu_starts_the_rest():
    gpu = {name for name, service in SERVICES.items() if "reservations" in service["deploy"]["resources"]}
    assert gpu
    assert all(SERVICES[name]["profiles"] == ["gpu"] for name in gpu)
    assert not [name for name, service in SERVICES.items() if gpu & {*service.get("depends_on", {})}]


def test_each_profile_has_a_worker_that_no_long_job_keeps():
    workers = [service for service in SERVICES.values() if "worker" in service.get("command", [])]
    for profile, queue in (("gpu", "gpu"), ("cpu-propagation", "gpu"), (None, "cpu")):
        mine = [
            one["command"] for one in workers if one.get("profiles", [None]) == [profile] and queue in one["command"]
        ]
        lanes = [command[command.index("--lane") + 1] if "--lane" in command else "all" for command in mine]
        assert "quick" in lanes, profile
        # A quick worker does what takes long of the queue cpu as well, beside.
        assert "all" in lanes or queue == "cpu", profile


def test_the_api_s_image_can_copy_the_database():
    client = re.search(r"postgresql-client-(\d+)", (ROOT / "Dockerfile").read_text())
    server = re.match(r"postgres:(\d+)", SERVICES["postgres"]["image"])
    assert int(client[1]) >= int(server[1])


def test_the_database_and_the_store_have_neither_root_s_capabilities_nor_all_of_the_machine():
    assert SERVICES["postgres"]["user"] == "postgres"
    taking_over_a_folder = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
    for name, kept in (("postgres", set()), ("redis", set()), ("storage", taking_over_a_folder)):
        service = SERVICES[name]
        assert service["cap_drop"] == ["ALL"]
        assert set(service.get("cap_add", [])) == kept
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
