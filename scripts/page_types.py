"""Write the types of the API for the page, from the OpenAPI schema of this code; ``--check`` says whether they are old.

The check needs no Node: the file names the digest of the schema that it was made from.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from app.main import create_app
from app.settings import Settings

ROOT = Path(__file__).parents[1]
WEB = ROOT / "web"
TYPES = WEB / "src" / "api" / "schema.d.ts"
_MARK = "// OpenAPI schema: sha256 "


def openapi() -> str:
    """The schema of the API, as JSON with sorted keys."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data_dir=Path(folder)))
        schema = app.openapi()
        app.state.database.dispose()
    return json.dumps(schema, sort_keys=True)


def mark(schema: str) -> str:
    """First line of the types that were made from a schema."""
    return _MARK + hashlib.sha256(schema.encode()).hexdigest()


def main() -> int:
    """Write the types, or with ``--check`` say whether they are old."""
    schema = openapi()
    if "--check" in sys.argv:
        fresh = TYPES.exists() and TYPES.read_text().startswith(mark(schema))
        if not fresh:
            sys.stderr.write("the page's types of the API are old: run 'python scripts/page_types.py'\n")
        return 0 if fresh else 1
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "openapi.json", Path(folder) / "schema.d.ts"
        source.write_text(schema)
        command = [WEB / "node_modules" / ".bin" / "openapi-typescript", source, "--output", made]
        # What has a default may be left out of requests.
        command += ["--default-non-nullable", "false"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        TYPES.write_text(f"{mark(schema)}\n{made.read_text()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
