"""The pipeline: which components a run chains."""

from pipeline.graph.whole import create_pipeline

__all__ = ["create_pipeline"]
