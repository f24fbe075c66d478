"""A report as one HTML page, with its pictures inside: it can be sent to somebody."""

import base64
from collections.abc import Mapping, Sequence
from html import escape as escaped
from typing import Any

from baco_local.text import clean

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; font-size: 0.9rem; } th, td { padding: 0.2rem 0.7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } img { max-width: 100%; height: auto; }
.ideas { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1rem; } .ideas p { background: #f6f6f6; padding: 0.6rem; white-space: pre-wrap; margin: 0.4rem 0; }
@media (max-width: 50rem) { .ideas { grid-template-columns: 1fr; } table { display: block; overflow-x: auto; } }
"""


def page(
    title: str,
    facts: Sequence[str],
    table: Sequence[Sequence[str]],
    orderings: Sequence[str],
    pictures: Mapping[str, tuple[bytes, str]],
    examples: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
) -> str:
    """pictures: heading to PNG and what it shows. examples: prompt, and columns of (heading, ideas)."""
    parts = [f"<h1>{escape(title)}</h1>", items(facts), "<h2>Coverage and Dominance</h2>", html_table(table)]
    parts += ["<h2>What holds here</h2>", items(orderings)] if orderings else []
    for heading, (png, says) in pictures.items():
        data = base64.b64encode(png).decode()
        parts += [
            f"<h2>{escape(heading)}</h2>",
            f'<img src="data:image/png;base64,{data}" alt="{escape(says)}">',
            f"<p>{escape(says)}</p>",
        ]
    parts += ["<h2>Ideas at three settings</h2>"] if examples else []
    for example in examples:
        columns = "".join(column(heading, ideas) for heading, ideas in example["columns"])
        parts += [f"<h3>{escape(example['prompt'])}</h3>", f'<div class="ideas">{columns}</div>']
    parts += ["<h2>How to read it</h2>", items(notes)]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n'
    )


def escape(text: str) -> str:
    """As text, without control characters: it may be a model's."""
    return escaped(clean(text))


def column(heading: str, ideas: Sequence[str]) -> str:
    paragraphs = "".join(f'<p dir="auto">{escape(idea)}</p>' for idea in ideas)
    return f"<div><b>{escape(heading)}</b>{paragraphs}</div>"


def items(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def html_table(lines: Sequence[Sequence[str]]) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(lines[0], 'th')}{''.join(row(line, 'td') for line in lines[1:])}</table>"
