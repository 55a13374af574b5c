"""All nodes of a run."""

from tfx.orchestration.pipeline import Pipeline

from pipeline.graph.data import data_nodes
from pipeline.graph.judging import judging_nodes
from pipeline.graph.service import service_nodes
from pipeline.graph.training import training_nodes
from pipeline.plan import Plan


def create_pipeline(plan: Plan) -> Pipeline:
    """Chains the components of a run.

    Each component is given a hash of the code that it runs, and the schema and the networks of the
    user's own lie under paths of their content's, so that TFX's cache never serves what edited
    code or files would make different.
    """
    data = data_nodes(plan)
    training = training_nodes(plan, data)
    judging = judging_nodes(plan, data, training.trained)
    service = service_nodes(plan, data, training.trained, judging)
    return Pipeline(
        pipeline_name=plan.config.name,
        pipeline_root=plan.pipeline_root(plan.config.name),
        metadata_connection_config=plan.metadata,
        components=[
            node for part in (data, training, judging, service) for node in part if node is not None
        ],
        enable_cache=True,
        beam_pipeline_args=plan.config.beam.arguments,
    )
