"""The tables: a title, what it can be asked for, and the lines."""

from types import ModuleType

from benchmarks.speed.tables import (
    cache,
    choices,
    convolutions,
    examplegen,
    growth,
    input_pipeline,
    methods,
    overhead,
    peers,
    settings,
    threads,
    together,
)

TABLES: dict[str, ModuleType] = {
    "methods": methods,
    "peers": peers,
    "cache": cache,
    "together": together,
    "choices": choices,
    "convolutions": convolutions,
    "input": input_pipeline,
    "growth": growth,
    "overhead": overhead,
    "examplegen": examplegen,
    "settings": settings,
    "threads": threads,
}
