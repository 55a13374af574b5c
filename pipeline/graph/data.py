"""The nodes that record the run, and bring the data in once it is found to be in order."""

from typing import Any, NamedTuple

from tfx.components import ExampleValidator, StatisticsGen
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.types import BaseChannel

from components.anomaly_gate.component import AnomalyGate
from components.cifar100_example_gen.component import Cifar100ExampleGen
from components.data_probe.component import DataProbe
from components.network_probe.component import NetworkProbe
from components.run_recorder.component import RunRecorder
from pipeline import fingerprint
from pipeline.plan import Plan


class DataNodes(NamedTuple):
    """In the order in which they run; without a probe, what it looks at was checked beforehand."""

    recorder: RunRecorder
    network_probe: NetworkProbe | None
    probe: DataProbe | None
    example_gen: Cifar100ExampleGen
    statistics_gen: StatisticsGen
    schema_gen: ImportSchemaGen
    validator: ExampleValidator
    anomaly_gate: AnomalyGate

    @property
    def run_record(self) -> BaseChannel:
        """The run's configuration, command, code and environment."""
        return self.recorder.outputs["run_record"]

    @property
    def examples(self) -> BaseChannel:
        """The images and labels of all splits."""
        return self.example_gen.outputs["examples"]

    @property
    def schema(self) -> BaseChannel:
        """What they must look like."""
        return self.schema_gen.outputs["schema"]


def data_nodes(plan: Plan) -> DataNodes:
    """Returns the nodes; what uses the data waits for `anomaly_gate`."""
    data = plan.config.data
    recorder = RunRecorder(run=plan.record, **plan.inputs)
    probe = None
    data_fingerprint: Any = plan.data_fingerprint
    if data_fingerprint is None:
        probe = DataProbe(
            source=plan.inputs["data_uri"],
            code_fingerprint=fingerprint.code("components.data_probe.executor"),
        )
        probe.add_upstream_node(recorder)
        data_fingerprint = probe.outputs["fingerprint"].future()[0].value
    example_gen = Cifar100ExampleGen(
        source=plan.inputs["data_uri"],
        data_fingerprint=data_fingerprint,
        eval_fraction=data.eval_fraction,
        limit=data.limit,
        code_fingerprint=fingerprint.code("components.cifar100_example_gen.executor"),
    )
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = ImportSchemaGen(schema_file=str(plan.imported_schema))
    for first in (example_gen, schema_gen):
        first.add_upstream_node(recorder)
    network_probe = _network_probe(plan)
    if network_probe is not None:
        network_probe.add_upstream_node(recorder)
        example_gen.add_upstream_node(network_probe)
    validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    anomaly_gate = AnomalyGate(
        anomalies=validator.outputs["anomalies"],
        code_fingerprint=fingerprint.code("components.anomaly_gate.executor"),
    )
    return DataNodes(
        recorder,
        network_probe,
        probe,
        example_gen,
        statistics_gen,
        schema_gen,
        validator,
        anomaly_gate,
    )


def _network_probe(plan: Plan) -> NetworkProbe | None:
    """Returns what looks at networks of the user's own that are not where the plan was made."""
    networks = plan.networks_to_find
    if not networks:
        return None
    return NetworkProbe(
        networks=networks,
        schema=str(plan.schema),
        code_fingerprint=fingerprint.code("components.network_probe.executor"),
    )
