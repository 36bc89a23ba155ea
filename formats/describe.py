"""The tables of ``docs/formats.md``, made from the formats; ``python -m formats.describe`` writes them there."""

from __future__ import annotations

from pathlib import Path

from formats.losses import LOSSES
from formats.registry import FORMATS

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
_BEGIN, _END = "<!-- made by python -m formats.describe: begin -->", "<!-- end -->"


def tables() -> str:
    """What each format keeps and loses, in Markdown."""
    lines = ["| format | `--to` | written as | needs | loses |", "|---|---|---|---|---|"]
    for name, form in FORMATS.items():
        needs = "the size of each video" if form.needs_sizes else ""
        kind = f"a file, `{form.ending}`" if form.kind == "file" else "a folder"
        loses = ", ".join(f"`{kind}`" for kind in LOSSES if kind in form.loses)
        lines.append(f"| {form.title} | `{name}` | {kind} | {needs} | {loses} |")
    lines += ["", "| kind of loss | what is lost | counted in |", "|---|---|---|"]
    lines += [f"| `{kind}` | {loss.what} | {loss.unit}s |" for kind, loss in LOSSES.items()]
    return "\n".join(lines)


def page(text: str) -> str:
    """A page with the tables in their place."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{tables()}\n{_END}{after}"


def main() -> None:
    """Write the tables."""
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()
