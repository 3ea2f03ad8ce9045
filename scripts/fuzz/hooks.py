"""What scripts/fuzz-api changes about requests that are meant to be valid: rules that no schema can say."""

import itertools
import uuid

import schemathesis

# A coordinator may have been fuzzed before, and remembers.
RUN = uuid.uuid4().hex[:8]
NUMBERS = itertools.count()


def new_name():
    return f"fuzz-{RUN}-{next(NUMBERS)}"


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # The same key with another request is refused, and invented keys repeat.
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = new_name()
    # No id and no index may come twice in a file.
    chunks = case.body.get("chunks") if isinstance(case.body, dict) else None
    if case.operation.path.endswith("/files/register") and isinstance(chunks, list):
        for index, chunk in enumerate(chunks):
            chunk["chunk_id"] = new_name()
            chunk["index"] = index
