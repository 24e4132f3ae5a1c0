"""Where line breaks, marks and addresses go when markup becomes plain text."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

_BLOCKS = frozenset(
    {"address", "article", "aside", "body", "center", "dd", "details", "div", "dt", "fieldset"}
    | {"figure", "footer", "form", "header", "hr", "li", "main", "nav", "section", "summary", "tr"}
)
_HEADINGS = {"h1": "## ", "h2": "## ", "h3": "### ", "h4": "#### ", "h5": "##### ", "h6": "###### "}
_LISTS = ("ul", "ol")
_APART = frozenset({"p", "pre", "blockquote", "dl", "table", *_LISTS, *_HEADINGS})
_CODE = ("code", "kbd", "samp", "tt")
_LEVELS = 6  # of quotes and lists that are shown
_SPACES = re.compile(r"[ \t\r\n\f\u00a0\u2007\u202f]+")
_LINKED = ("http://", "https://", "mailto:", "tel:")
_BARE = re.compile(r"^(?:https?://(?:www\.)?|mailto:|tel:)|[/\s]+$")


class Layout:
    """Collects the text of elements that are entered and left in the order of the document."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._due = 0
        self._space = False
        self._quotes = 0
        self._verbatim = 0
        self._lists: list[int | None] = []
        self._marker = ""
        self._links: list[tuple[str, int]] = []
        self._cells: list[int] = []

    def enter(self, node: LexborNode) -> None:
        """Note what an element means for the text that follows."""
        tag = node.tag or ""
        if tag == "br":
            self._due = min(self._due + 1, 2)
            return
        self._break_around(tag)
        if tag in _HEADINGS:
            self._marker = _HEADINGS[tag]
        elif tag in _LISTS:
            self._lists.append(1 if tag == "ol" else None)
        elif tag in _CODE:
            self._open_code()
        elif tag == "a":
            self._links.append(((node.attributes.get("href") or "").strip(), len(self.parts)))
        elif tag == "li":
            self._marker = self._item()
        else:
            self._open(tag)

    def leave(self, node: LexborNode) -> None:
        """End what `enter` began."""
        tag = node.tag or ""
        if tag == "a" and self._links:
            self._link(*self._links.pop())
        elif tag in _CODE:
            self._close_code()
        elif tag in _LISTS and self._lists:
            self._lists.pop()
        elif tag == "tr" and self._cells:
            self._cells.pop()
        if tag in _BLOCKS or tag in _APART:
            self._marker = ""
        self._break_around(tag)
        if tag == "blockquote":
            self._quotes = max(self._quotes - 1, 0)
        elif tag == "pre":
            self._verbatim = max(self._verbatim - 1, 0)

    def text(self, text: str) -> None:
        """Write the words of a text node."""
        if self._verbatim:
            self._verbatim_text(text)
            return
        words = _SPACES.sub(" ", text)
        if not words.strip():
            self._space = self._space or bool(words)
            return
        self._space = self._space or words[0] == " "
        self._flush()
        self.parts.append(words.strip())
        self._space = words[-1] == " "

    def _open(self, tag: str) -> None:
        if tag == "blockquote":
            self._quotes += 1
        elif tag == "pre":
            self._verbatim += 1
        elif tag == "tr":
            self._cells.append(0)
        elif tag in ("td", "th") and self._cells:
            self._cells[-1] += 1
            if self._cells[-1] > 1 and not self._due and self.parts:
                self.parts.append(" | ")

    def _open_code(self) -> None:
        if not self._verbatim:
            self._flush()
            self.parts.append("`")

    def _close_code(self) -> None:
        if self._verbatim:
            return
        if self.parts and self.parts[-1] == "`":
            self.parts.pop()
        else:
            self.parts.append("`")

    def _verbatim_text(self, text: str) -> None:
        for place, line in enumerate(text.split("\n")):
            if place:
                self._flush()
                self.parts.append("\n" + self._quoted())
            if line:
                self._flush()
                self.parts.append(line)

    def _quoted(self) -> str:
        return "> " * min(self._quotes, _LEVELS)

    def _item(self) -> str:
        indent = "  " * min(max(len(self._lists) - 1, 0), _LEVELS)
        if self._lists and (number := self._lists[-1]) is not None:
            self._lists[-1] = number + 1
            return f"{indent}{number}. "
        return f"{indent}- "

    def _link(self, address: str, start: int) -> None:
        if not address.lower().startswith(_LINKED):
            return
        words = "".join(self.parts[start:]).strip(" \n>-")
        if words and _BARE.sub("", words.lower()) != _BARE.sub("", address.lower()):
            self.parts.append(f" ({address.removeprefix('mailto:').removeprefix('tel:')})")

    def _break_around(self, tag: str) -> None:
        if tag in _APART and not (self._lists and tag in _LISTS):
            self._due, self._space = 2, False
        elif tag in _BLOCKS or tag in _LISTS:
            self._due, self._space = max(self._due, 1), False

    def _flush(self) -> None:
        """Write the line breaks or the space that are due, and the mark that opens the line."""
        if self._due:
            self.parts.append("\n" * self._due + self._quoted() if self.parts else self._quoted())
            self._due = 0
        elif self._space and self.parts:
            self.parts.append(" ")
        self._space = False
        if self._marker:
            self.parts.append(self._marker)
            self._marker = ""
