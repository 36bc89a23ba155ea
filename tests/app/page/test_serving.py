"""The built page is served at ``/`` under a policy that lets nothing else in; without it the status page is there."""

from __future__ import annotations

import anyio
import httpx2
import pytest

from app.main import create_app
from app.settings import Settings
from cli.serve import prepare


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text('<script type="module" src="/assets/index-abc.js"></script>')
    (folder / "assets" / "index-abc.js").write_text("export {};")
    (folder / "icon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def ask(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    prepare(settings)

    def ask(folder, *paths, **headers):
        app = create_app(settings, page=folder)

        async def all_of_them():
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return [await client.get(path, headers=headers) for path in paths]

        answers = anyio.run(all_of_them)
        app.state.database.dispose()
        return answers

    return ask


def test_the_entry_is_looked_for_anew_and_what_it_loads_is_kept_for_ever(ask, built):
    page, script, icon = ask(built, "/", "/assets/index-abc.js", "/icon.svg")
    assert page.headers["cache-control"] == icon.headers["cache-control"] == "no-cache"
    assert page.headers["content-type"].startswith("text/html")
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "javascript" in script.headers["content-type"]
    (again,) = ask(built, "/assets/index-abc.js", **{"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, script.headers["cache-control"])


def test_what_the_page_loads_comes_packed_where_the_browser_takes_that(ask, built):
    script = built / "assets" / "index-abc.js"
    script.write_text("export const text = 'again and again';\n" * 1000)
    (packed,) = ask(built, "/assets/index-abc.js", **{"Accept-Encoding": "gzip, deflate, br"})
    assert (packed.text, packed.headers["content-encoding"]) == (script.read_text(), "gzip")
    assert int(packed.headers["content-length"]) < script.stat().st_size / 20
    assert packed.headers["vary"] == "Accept-Encoding"
    assert "javascript" in packed.headers["content-type"]
    assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
    for refusal in ("identity", "gzip;q=0", "br"):
        (plain,) = ask(built, "/assets/index-abc.js", **{"Accept-Encoding": refusal})
        assert (plain.text, plain.headers["vary"]) == (script.read_text(), "Accept-Encoding")
        assert "content-encoding" not in plain.headers
    (part,) = ask(built, "/assets/index-abc.js", **{"Accept-Encoding": "gzip", "Range": "bytes=0-5"})
    assert (part.status_code, part.content) == (206, b"export")
    about = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]}
    (kept,) = ask(built, "/assets/index-abc.js", **about)
    assert (kept.status_code, kept.content) == (304, b"")


def test_the_page_runs_nothing_inline_and_nothing_of_others(ask, built):
    page, script, status = ask(built, "/", "/assets/index-abc.js", "/status")
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in script.headers["content-security-policy"]
    assert "Health" in status.text


@pytest.mark.parametrize(
    "path", ["/assets/nothing.js", "/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/assets/"]
)
def test_nothing_else_is_served(ask, built, path):
    (answer,) = ask(built, f"/assets/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_without_a_built_page_the_status_page_is_the_front_page(ask, tmp_path):
    front, status = ask(tmp_path / "nowhere", "/", "/status")
    assert front.text == status.text
    assert "ready" in front.text
    assert "style-src 'sha256-" in front.headers["content-security-policy"]
