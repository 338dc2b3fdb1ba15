"""The calibration of a model as a picture: what is said against what is true. SVG is text, so it takes no library."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Final

from actors.matching.evaluation import Bin

_SIZE: Final = 420  # of the square, in pixels
_LEFT, _TOP, _RIGHT, _BELOW = 64, 48, 24, 64


def svg(bins: Sequence[Bin], title: str) -> str:
    """The picture. A point is a bin, as big as it has pairs; on the diagonal, what is said is true."""
    width, height = _LEFT + _SIZE + _RIGHT, _TOP + _SIZE + _BELOW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="28" font-size="15">{_escaped(title)}</text>',
        *_axes(),
        f'<line x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}" stroke="#888" stroke-dasharray="4 4"/>',
        *(_point(each) for each in bins),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes() -> list[str]:
    parts = [f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIZE}" height="{_SIZE}" fill="none" stroke="#444"/>']
    for tenth in range(0, 11, 2):
        share = tenth / 10
        parts.append(f'<text x="{_x(share)}" y="{_TOP + _SIZE + 18}" text-anchor="middle">{share:.1f}</text>')
        parts.append(f'<text x="{_LEFT - 8}" y="{_y(share) + 4}" text-anchor="end">{share:.1f}</text>')
        parts.append(f'<line x1="{_LEFT}" y1="{_y(share)}" x2="{_LEFT + _SIZE}" y2="{_y(share)}" stroke="#eee"/>')
    middle_x, middle_y = _LEFT + _SIZE / 2, _TOP + _SIZE / 2
    parts.append(f'<text x="{middle_x}" y="{_TOP + _SIZE + 44}" text-anchor="middle">probability on the link</text>')
    parts.append(
        f'<text x="18" y="{middle_y}" text-anchor="middle" transform="rotate(-90 18 {middle_y})">'
        "share that is one person</text>"
    )
    return parts


def _point(each: Bin) -> str:
    radius = 3 + 2 * log10(each.pairs)
    told = f"{each.pairs:,} pairs from {each.low:g} to {each.high:g}: said {each.said:.3f}, true {each.true:.3f}"
    return (
        f'<circle cx="{_x(each.said)}" cy="{_y(each.true)}" r="{radius:.1f}" fill="#2563eb" fill-opacity="0.6">'
        f"<title>{told}</title></circle>"
    )


def _x(share: float) -> float:
    return round(_LEFT + share * _SIZE, 1)


def _y(share: float) -> float:
    return round(_TOP + (1 - share) * _SIZE, 1)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
