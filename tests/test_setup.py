"""What `make setup` has uv install: the same as pip would, out of the same places, or pip does it."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.services import needed

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "uv_install.py"


@pytest.fixture(scope="module")
def uv_install():
    spec = importlib.util.spec_from_file_location("uv_install", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def run(tmp_path):
    """Run the script beside a program ``uv`` that notes what it is told and ends with a status."""

    def run(configuration, status=0, **environment):
        told, config = tmp_path / "told", tmp_path / "pip.conf"
        config.write_text(configuration)
        program = tmp_path / "bin" / "uv"
        program.parent.mkdir(exist_ok=True)
        noted = shlex.quote(str(told))
        note = f'printf \'%s\\n\' "$@" "$(cat $TMPDIR/*/torch.txt)" "cert $SSL_CERT_FILE" > {noted}'
        program.write_text(f"#!/bin/sh\n{note}\nexit {status}\n")
        program.chmod(0o755)
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "SSL_"))}
        done = subprocess.run(
            [sys.executable, SCRIPT, "--constraint", "constraints.txt", "numpy"],
            env={
                **outside,
                "PIP_CONFIG_FILE": str(config),
                "TMPDIR": str(tmp_path),
                "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done, told.read_text().splitlines() if told.exists() else None

    return run


def after(words, option):
    """The values of an option."""
    return [value for word, value in pairwise(words) if word == option]


def test_what_is_told_later_and_nearer_holds(uv_install):
    listed = "\n".join(
        [
            "global.index-url='https://mirror.example/simple'",
            "global.timeout='20'",
            "install.index-url='https://nearer.example/simple'",
            "download.index-url='https://not.ours.example/simple'",
            ":env:.find-links='/wheels /more'",
            "global.find-links='/not/these'",
            ":env:.timeout='60'",
        ]
    )
    assert uv_install.configuration(listed) == {
        "index-url": "https://nearer.example/simple",
        "timeout": "60",
        "find-links": "/wheels /more",
    }


def test_places_certificates_and_proxies_are_passed_on(uv_install):
    options, variables = uv_install.told(
        {
            "index-url": "https://mirror.example/simple",
            "extra-index-url": "https://one.example/simple\nhttps://two.example/simple",
            "find-links": "/wheels /more",
            "constraint": "/etc/caps.txt",
            "trusted-host": "mirror.example",
            "no-index": "true",
            "pre": "0",
            "cert": "/etc/ssl/ours.pem",
            "proxy": "http://proxy.example:3128",
            "default-timeout": "180",
            "disable-pip-version-check": "1",
        }
    )
    assert after(options, "--default-index") == ["https://mirror.example/simple"]
    assert after(options, "--index") == ["https://one.example/simple", "https://two.example/simple"]
    assert after(options, "--find-links") == ["/wheels", "/more"]
    assert after(options, "--constraint") == ["/etc/caps.txt"]
    assert after(options, "--allow-insecure-host") == ["mirror.example"]
    assert after(options, "--index-strategy") == ["unsafe-best-match"]
    assert "--no-index" in options
    assert "--prerelease" not in options
    assert variables == {
        "SSL_CERT_FILE": "/etc/ssl/ours.pem",
        "UV_HTTP_TIMEOUT": "180",
        **dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"), "http://proxy.example:3128"),
    }


def test_what_uv_cannot_be_told_is_left_to_pip(uv_install):
    with pytest.raises(uv_install.CannotTell, match="require-hashes"):
        uv_install.told({"require-hashes": "true"})


def test_uv_installs_beside_the_torch_that_pip_chose(run):
    torch = needed("torch")
    done, told = run("[global]\nindex-url = https://mirror.example/simple\ncert = /etc/ssl/ours.pem\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert told[:2] == ["pip", "install"]
    assert after(told, "--python") == [sys.executable]
    assert after(told, "--default-index") == ["https://mirror.example/simple"]
    assert told[-1] == "cert /etc/ssl/ours.pem"
    kept, ours = after(told, "--constraint")[-2:]  # a machine may have more
    assert (Path(kept).name, ours) == ("torch.txt", "constraints.txt")
    assert told[-2] == f"torch=={torch.__version__}"


@pytest.mark.parametrize(
    ("configuration", "status", "sentence"),
    [("", 2, "uv ended with status 2"), ("[global]\nrequire-hashes = true\n", 0, "require-hashes")],
)
def test_where_uv_does_not_do_it_the_script_says_so_and_fails(run, configuration, status, sentence):
    done, _ = run(configuration, status)
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_no_registry_is_named(uv_install):
    for script in (ROOT / "scripts").iterdir():
        if script.is_file():
            assert "http" not in script.read_text().replace("HTTP", ""), script
