"""Digits with a known shortcut, at the import path that the records name."""

from learnorder.reproduce.papers.shortcuts import coloured, dominoes

__all__ = ["coloured", "dominoes"]
