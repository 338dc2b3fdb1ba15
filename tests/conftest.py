"""What all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis

hypothesis.settings.register_profile("ours", deadline=None)  # timing never decides a test
hypothesis.settings.load_profile("ours")
sys.path.insert(0, str(Path(__file__).parent))  # tests/support, without making packages that shadow ours
