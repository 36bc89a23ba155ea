"""Building the application, and what it loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.main import create_app
from app.settings import Settings


def test_the_service_loads_nothing_heavy():
    heavy = "('torch', 'models', 'worker', 'transformers', 'zarr', 'numcodecs')"
    code = f"import sys, app.main; print([m for m in {heavy} if m in sys.modules])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"


SERVING = ("fastapi", "starlette", "uvicorn")
KEEPING = ("sqlalchemy", "pydantic", "obstore", "prometheus_client", "asyncio")


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("app.videos.probe", (*SERVING, *KEEPING, "torch")),
        ("app.videos.frame_child", (*SERVING, *KEEPING, "torch")),
        ("worker.kinds.ingest_child", (*SERVING, *KEEPING, "torch")),
        ("cli.worker", (*SERVING, "torch", "transformers", "zarr", "matplotlib", "scipy", "celery")),
    ],
)
def test_a_process_loads_nothing_that_it_does_not_use(module, heavy):
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "[]"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_nobody_on_the_network_is_served_without_a_key(tmp_path, host):
    with pytest.raises(ValueError, match="authentication"):
        create_app(Settings(data_dir=tmp_path, host=host, auth=False))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_authentication_may_be_off(serving, tmp_path, host):
    create_app(Settings(data_dir=tmp_path, host=host, auth=False)).state.database.dispose()


def test_without_authentication_everybody_is_the_admin(serving, tmp_path):
    service = serving(Settings(data_dir=tmp_path, port=0, auth=False))
    del service.http.headers["Authorization"]
    me = service.http.get("/me").json()
    assert (me["lab_id"], me["key_id"], me["role"], me["operator"]) == (1, None, "admin", True)


def test_health(house):
    root = str(house.http.base_url).partition("/api/")[0]
    for path in ("/healthz", "/readyz"):
        answer = house.http.get(root + path)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert "ready" in house.http.get(root + "/status").text


def test_the_service_loads_celery_only_for_a_broker(tmp_path):
    code = (
        "import sys; from app.main import create_app; from app.settings import Settings;"
        "create_app(Settings(data_dir=sys.argv[1], broker_url=sys.argv[2]));"
        "print([m for m in ('torch', 'models', 'worker', 'celery') if m in sys.modules])"
    )
    for broker, loaded in (("", "[]"), ("redis://127.0.0.1:1/0", "['celery']")):
        child = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), broker], capture_output=True, text=True, check=True
        )
        assert child.stdout.strip() == loaded
