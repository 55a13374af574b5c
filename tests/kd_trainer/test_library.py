import subprocess
import sys

import pytest


@pytest.mark.slow
def test_library_imports_without_tfx():
    code = (
        "import sys; import kd_trainer.training, kd_trainer.run_fn, kd_trainer.export; "
        "print([m for m in ('tfx', 'apache_beam', 'pipeline', 'components') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        encoding="utf-8",
    )
    assert result.stdout.strip() == "[]"
