"""The head of a page: one file that needs nothing else, follows no link by itself, and runs nothing."""

from __future__ import annotations

from importlib.resources import files


def head(title: str, rules: str) -> str:
    """The <head> with this title, and these CSS rules after those of all pages."""
    css = files("softmax_trick.report").joinpath("page.css").read_text(encoding="utf-8")
    return f"""<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"/>
<meta name="color-scheme" content="light dark"/>
<link rel="icon" href="data:,"/>
<title>{title}</title>
<style>
{css}{rules}</style>
</head>"""
