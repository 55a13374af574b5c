"""In what the releases of Kubeflow Pipelines' backend differ that run a pipeline of ours."""

from typing import NamedTuple


class Backend(NamedTuple):
    """A release; the lines are of its tag 2.17.0, in `backend/src/v2`.

    Attributes:
      names_outputs: whether an output artifact has its key for a name, as long as it has no id
        (`provisionOutputs`, driver/driver.go:783).
      output_file_below_root: whether what the executor reports is a file beside its output
        artifacts (driver/driver.go:803), and not one in `/tmp`.
      caches_by_claim: whether the names of the volumes' claims are part of what the cache looks
        for (`GenerateCacheKey`, cacheutils/cache.go:225).
    """

    names_outputs: bool
    output_file_below_root: bool
    caches_by_claim: bool


# The changes came with 2.15.
BACKENDS = {
    "2.5 and 2.14": Backend(False, False, False),
    "2.17": Backend(True, True, True),
}


def of_release(release: str) -> Backend:
    """Returns what a release does, such as `2.14.0`."""
    major, minor = map(int, release.split(".")[:2])
    return BACKENDS["2.17" if (major, minor) >= (2, 15) else "2.5 and 2.14"]
