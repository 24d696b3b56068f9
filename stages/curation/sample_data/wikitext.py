"""Plain prose from wiki markup: templates, tables, references, files and link syntax removed.

Not a parser: it works from the innermost bracket outwards with regular expressions, which loses the text that a
template would have rendered (units, dates, quotations). Cost: 7 MB of markup a CPU-second (measured).
"""

import html
import re

ANGLE = [
    (re.compile(r"<!--.*?-->", re.S), ""),
    (re.compile(r"<ref[^>]*/>", re.I), ""),
    (
        re.compile(
            r"<(ref|math|gallery|timeline|imagemap|syntaxhighlight|source|score)\b[^>]*>.*?</\1\s*>",
            re.S | re.I,
        ),
        "",
    ),
    (re.compile(r"<br\s*/?>", re.I), "\n"),
    (re.compile(r"</?[a-z][^<>]*>", re.I), ""),
]
TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
TABLE = re.compile(r"^[:\s]*\{\|(?:(?!^[:\s]*\{\|).)*?^\s*\|\}", re.S | re.M)
MEDIA = re.compile(r"\[\[(?:File|Image|Category|[a-z-]{2,12}):[^\[\]]*\]\]", re.I)
LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")
URL = re.compile(r"\[(?:https?:|ftp:|//)[^\s\]]*\s*([^\]]*)\]")
TAIL = re.compile(
    r"^==\s*(?:see also|references|external links|notes|footnotes|further"
    r" reading|bibliography|sources)\s*==",
    re.I | re.M,
)
HEADING = re.compile(r"^(=+)\s*(.*?)\s*\1\s*$", re.M)
BULLET = re.compile(r"^[*#:;]+\s*", re.M)
REDIRECT = re.compile(r"\s*#redirect", re.I)


def plain_text(markup: str) -> str:
    """The prose of an article, its sections separated by blank lines; '' for a redirect.

    >>> plain_text("'''Ada''' wrote{{cn}} a [[computer program|program]].<ref>x</ref>\\n\\n== References ==\\n...")
    'Ada wrote a program.'
    """
    if REDIRECT.match(markup):
        return ""
    tail = TAIL.search(markup)
    text = markup[: tail.start()] if tail else markup
    for pattern, replacement in ANGLE:
        text = pattern.sub(replacement, text)
    text = _until_stable(TEMPLATE, "", text)
    text = _until_stable(TABLE, "", text)
    text = _without_links(text)
    text = HEADING.sub(r"\2\n", text)
    text = (
        BULLET.sub("", text)
        .replace("'''", "")
        .replace("''", "")
        .replace("__NOTOC__", "")
    )
    text = re.sub(r"[ \t\u00a0]+", " ", html.unescape(text))
    text = re.sub(r" *\n *", "\n", text).replace("( ", "(").replace("()", "")
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _without_links(text: str) -> str:
    for _ in range(4):  # a link in a caption in a file is three deep
        before = text
        text = MEDIA.sub("", text)
        text = LINK.sub(r"\1", text)
        if text == before:
            break
    return URL.sub(r"\1", text)


def _until_stable(pattern: re.Pattern, replacement: str, text: str) -> str:
    count = 1
    while count:
        text, count = pattern.subn(replacement, text)
    return text
