"""The preset `quick`, compiled, with what differs between commits and releases replaced."""

import re
from pathlib import Path

from pipeline import config
from pipeline.cluster import plan, spec

GOLDEN = Path(__file__).parent / "quick.yaml"
COMMAND = ["tfx-distill", "kubeflow", "submit", "--preset", "quick"]


def document(*overrides: str) -> str:
    return spec.document(plan.make(config.load("quick", overrides), COMMAND))


def comparison(*overrides: str) -> str:
    return spec.document(plan.make_comparison(config.load("quick", overrides), COMMAND))


def fixed(text: str) -> str:
    """Puts a word in the place of each fingerprint of code, and of TFX's release."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "FINGERPRINT", text)
    return re.sub(r"\btfx-[0-9.]+", "tfx-RELEASE", text)


if __name__ == "__main__":
    GOLDEN.write_text(fixed(document()), encoding="utf-8")
