"""Messages of Kubeflow Pipelines' API, held against the models of kfp-server-api.

Those are generated from the API's specification; by themselves they let any type pass.
"""

import email
import json
import re

import kfp_server_api


class Refusal(Exception):  # noqa: N818
    """An answer other than 200."""

    def __init__(self, status, body=""):
        self.status = status
        self.body = body if isinstance(body, str) else json.dumps(body)


def refuse(status, message):
    raise Refusal(status, {"code": 0, "message": message, "details": []})


def parsed(model, body):
    """Returns a request's body, which must be one of the API's models."""
    content = json.loads(body)
    check(model, content, model)
    return content


def check(kind, value, where):
    """Refuses a field that the API does not have, and a value of another type, as it would."""
    if found := re.fullmatch(r"(list\[|dict\(str, )(.+)[\])]", kind):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            check(found[2], item, f"{where}.{key}")
        return
    native = {"str": str, "bool": bool, "int": int, "object": object, "datetime": str}
    if kind in native:
        if not isinstance(value, native[kind]):
            refuse(400, f"{where}: {value!r} is not a {kind}")
        return
    model = getattr(kfp_server_api, kind)
    if not model.openapi_types:
        if value not in model.allowable_values:
            refuse(400, f"{where}: {value!r} is not one of {model.allowable_values}")
        return
    attributes = {key: attribute for attribute, key in model.attribute_map.items()}
    for key, item in value.items():
        if key not in attributes:
            refuse(400, f"{where}: unknown field {key!r}")
        check(model.openapi_types[attributes[key]], item, f"{where}.{key}")
    model(**{attributes[key]: item for key, item in value.items()})


def uploaded_file(headers, body):
    """Returns the name and the content of the file in a multipart form."""
    message = email.message_from_bytes(
        f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body
    )
    (part,) = message.get_payload()
    assert part.get_param("name", header="content-disposition") == "uploadfile"
    return part.get_filename(), part.get_payload(decode=True)
