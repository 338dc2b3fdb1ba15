"""Warnings: things that a catalog may say, but that were hardly meant. Each has its place in a file.

A rule reads the models of a document without problems, and yields its doubts. A new rule is written beside the others
and put into `_RULES`. A warning keeps nobody from taking the catalog, unless they ask for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from engine.catalog.advice.conditions import never_doubts
from engine.catalog.advice.consent import consent_doubts
from engine.catalog.advice.identity import identity_doubts
from engine.catalog.advice.letters import nobody_doubts, unmatched_doubts, way_out_doubts
from engine.catalog.advice.names import event_doubts, foreign_doubts, property_doubts, root_doubts, trait_doubts
from engine.catalog.advice.quiet_hours import quiet_doubts
from engine.catalog.advice.tiers import tier_warnings
from engine.catalog.checks.paths import path_doubts
from engine.catalog.document import Document
from engine.catalog.models import Models
from engine.catalog.problems import Problem

Rule = Callable[[Document, Models], Iterator[Problem]]


def warnings(document: Document, models: Models) -> list[Problem]:
    """Every doubt of every rule, by file."""
    found = (replace(doubt, is_warning=True) for rule in _RULES for doubt in rule(document, models))
    return sorted(found, key=lambda doubt: doubt.file)


_RULES: Final[tuple[Rule, ...]] = (
    consent_doubts,
    event_doubts,
    trait_doubts,
    property_doubts,
    path_doubts,
    root_doubts,
    foreign_doubts,
    never_doubts,
    way_out_doubts,
    nobody_doubts,
    unmatched_doubts,
    tier_warnings,
    identity_doubts,
    quiet_doubts,
)
