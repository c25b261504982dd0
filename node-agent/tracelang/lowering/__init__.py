"""Typing and lowering: nodes in, the typed tree out; repeated until no symbol's type grows any more."""
