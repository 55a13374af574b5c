"""The metadata store's server: ML Metadata's gRPC service over its own store."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from ml_metadata.metadata_store.pywrap.metadata_store_extension import metadata_store as methods
from ml_metadata.proto import metadata_store_pb2, metadata_store_service_pb2

_CODES = {code.value[0]: code for code in grpc.StatusCode}


@contextmanager
def serving(address: str, path: Path) -> Iterator[None]:
    """Serves a store that is kept in a file.

    Args:
      address: host and port.
      path: of the SQLite database.
    """
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(path)
    store = methods.CreateMetadataStore(
        config.SerializeToString(), metadata_store_pb2.MigrationOptions().SerializeToString()
    )
    service = metadata_store_service_pb2.DESCRIPTOR.services_by_name["MetadataStoreService"]
    handlers = {
        method.name: grpc.unary_unary_rpc_method_handler(_handler(store, method.name))
        for method in service.methods
        if hasattr(methods, method.name)
    }
    server = grpc.server(ThreadPoolExecutor(1))  # one call after the other
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service.full_name, handlers)]
    )
    server.add_insecure_port(address)
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def _handler(store: object, method: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    call = getattr(methods, method)

    def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
        response, message, code = call(store, request)
        if code:
            context.abort(_CODES[code], message.decode())
        return response

    return handle
