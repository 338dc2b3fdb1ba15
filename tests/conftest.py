"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hypothesis

# Timing never decides a test, and chance neither: what is proposed must not fail for what it did not touch. With
# HYPOTHESIS_PROFILE=explore every run draws other examples.
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ours"))
sys.path.insert(0, str(Path(__file__).parent))  # tests/support, without making packages that shadow ours
