"""The calls of the client that is generated of Kubeflow's API."""

import re
from collections.abc import Callable


def call(service: object, name: str) -> Callable:
    """Returns a call of one of the API's services.

    Of kfp 2.5, `runs` has `get_run`; of kfp 2.16 it has `run_service_get_run`.

    Args:
      service: of a `kfp.Client`, such as its `runs`.
      name: the call's, without its service's.
    """
    (found,) = (each for each in dir(service) if re.fullmatch(f"([a-z_]+_service_)?{name}", each))
    return getattr(service, found)
