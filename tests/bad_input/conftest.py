from pathlib import Path

import places as of_input
import pytest


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return of_input.lay_out(tmp_path_factory.mktemp("places"))
