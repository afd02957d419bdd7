"""Completion in the shell of `--option=value`, which click completes only as `--option value`.

Bash takes `=` for a word of its own, so that click finds no option before the value. zsh replaces
the whole word, so that click's value would replace the option.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from click.shell_completion import BashComplete, CompletionItem, ZshComplete, add_completion_class

EQUALS = "="


class BashCompletion(BashComplete):
    """Joins the words that bash has split at `=`, and completes the last part of them."""

    _kept = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the incomplete one, and that one, without what bash keeps of it."""
        before, last = super().get_completion_args()
        *words, incomplete = joined([*before, last])
        split = EQUALS in incomplete and EQUALS in (last, *before[-1:])
        self._kept = incomplete.removesuffix("" if last == EQUALS else last) if split else ""
        return words, incomplete

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """The completions, without what bash keeps."""
        kept = self._kept.partition(EQUALS)[2]
        found = super().get_completions(args, incomplete)
        return [_changed(item, str(item.value).removeprefix(kept)) for item in found]


class ZshCompletion(ZshComplete):
    """Completes the whole word, option included."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """The completions, after the option if the word has both."""
        option, equals, _ = incomplete.partition(EQUALS)
        found = super().get_completions(args, incomplete)
        if not equals or not option.startswith("-"):
            return found
        return [_changed(item, f"{option}{equals}{item.value}") for item in found]


def joined(words: Sequence[str]) -> list[str]:
    """Words, of which those on both sides of `=` are one.

    Examples:
        >>> joined(["run", "--env", "=", "test", "--params", "=", "a", "=", "1,b"])
        ['run', '--env=test', '--params=a=1,b']
    """
    found: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if found and (word == EQUALS or (before == EQUALS and not word.startswith("-"))):
            found[-1] += word
        else:
            found.append(word)
    return found


def complete_values_after_equals() -> None:
    """Let click use these classes."""
    add_completion_class(BashCompletion)
    add_completion_class(ZshCompletion)


def _changed(item: CompletionItem[Any], value: str) -> CompletionItem[Any]:
    return CompletionItem(value, item.type, item.help)
