"""Installs with uv what pip would install, out of the same places: uv by itself does not read pip's configuration.

``python scripts/uv_install.py REQUIREMENT…`` with the Python to install into. It ends with another status than 0 where
there is no uv, where pip is told something that uv cannot be told, or where uv fails: then install with pip.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Options that uv has as well, by the names that pip's configuration has for them; those in ``_SEVERAL`` may have
#: several values.
_OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "constraint": "--constraint",
    "trusted-host": "--allow-insecure-host",
    "no-binary": "--no-binary",
    "only-binary": "--only-binary",
}
_SEVERAL = {"extra-index-url", "find-links", "constraint", "trusted-host", "no-binary", "only-binary"}
_FLAGS = {"no-index": ["--no-index"], "pre": ["--prerelease", "allow"], "no-cache-dir": ["--no-cache"]}
_VARIABLES = {
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "default-timeout": ("UV_HTTP_TIMEOUT",),
    "keyring-provider": ("UV_KEYRING_PROVIDER",),
}
#: How pip talks, and what says nothing about what is installed.
_NO_MATTER = {
    "cache-dir",
    "config-file",
    "disable-pip-version-check",
    "no-color",
    "no-input",
    "no-python-version-warning",
    "no-warn-script-location",
    "prefer-binary",
    "progress-bar",
    "quiet",
    "require-virtualenv",
    "retries",
    "root-user-action",
    "verbose",
}


class CannotTell(Exception):
    """Pip is told something that uv cannot be told; the text is for people."""


def configuration(listed: str) -> dict[str, str]:
    """What holds for ``pip install``, by option.

    Args:
        listed: What ``pip config list`` prints: ``global.index-url='…'``, ``install.…`` and ``:env:.…``.
    """
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        place, _, value = line.partition("=")
        section, _, name = place.rpartition(".")
        if section in found:
            found[section][name.replace("_", "-")] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def told(configured: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The options and environment variables that tell uv what pip is told.

    Raises:
        CannotTell: There is an option for which uv has none.
    """
    # Pip takes the best of all places; uv by itself takes the first place that has any.
    options, variables = ["--index-strategy", "unsafe-best-match"], {}
    for name, value in configured.items():
        if name in _NO_MATTER or not value.strip():
            continue
        if name in _OPTIONS:
            for one in value.split() if name in _SEVERAL else [value.strip()]:
                options += [_OPTIONS[name], one]
        elif name in _FLAGS:
            options += _FLAGS[name] if value.strip().lower() in ("1", "true", "yes", "on") else []
        elif name in _VARIABLES:
            variables |= dict.fromkeys(_VARIABLES[name], value.strip())
        else:
            raise CannotTell(f"pip is told {name}, which uv does not know")
    return options, variables


def find_uv(folder: Path) -> Path | None:
    """Uv: the machine's, or one that pip brings from its index into a folder; None where it cannot be had."""
    if found := shutil.which("uv"):
        return Path(found)
    program = folder / "bin" / "uv"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    if not program.exists():
        words = [*pip, "--no-deps", "--only-binary", ":all:", "--target", str(folder), "uv"]
        if subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode:
            return None
    return program if program.exists() else None


def command(uv: Path, options: Sequence[str], kept: Sequence[str], requirements: Sequence[str]) -> list[str]:
    """What is run.

    Args:
        uv: The program.
        options: For uv.
        kept: Files of constraints.
        requirements: What is to be installed; ``--constraint`` and ``--editable`` among them are uv's as well.
    """
    constraints = [word for file in kept for word in ("--constraint", file)]
    return [str(uv), "pip", "install", "--quiet", "--python", sys.executable, *options, *constraints, *requirements]


def install(requirements: Sequence[str], say: Callable[[str], object]) -> int:
    """Install requirements; gives the exit status, and says why where it is not 0."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        say("pip's configuration cannot be read")
        return 1
    try:
        options, variables = told(configuration(listed.stdout))
    except (CannotTell, SyntaxError, ValueError) as error:
        say(str(error))
        return 1
    uv = find_uv(Path(sys.prefix) / "uv")
    if uv is None:
        say("there is no uv here, and none in pip's index")
        return 1
    # Certificates of the machine, as pip has them; its names in older and newer versions of uv.
    environment = {"UV_NATIVE_TLS": "1", "UV_SYSTEM_CERTS": "1", **os.environ, **variables}
    with tempfile.TemporaryDirectory() as folder:
        kept = []
        try:
            file = Path(folder) / "torch.txt"
            file.write_text(f"torch=={version('torch')}\n")  # what pip chose for this machine stays
            kept.append(str(file))
        except PackageNotFoundError:
            pass
        done = subprocess.run(command(uv, options, kept, requirements), env=environment, check=False)
    if done.returncode:
        say(f"uv ended with status {done.returncode}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(install(sys.argv[1:], lambda sentence: sys.stderr.write(f"without uv: {sentence}\n")))
