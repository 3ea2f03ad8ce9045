"""Renders one kustomization, validates what comes out against the schemas of Kubernetes, and applies the rules."""

import subprocess

import kubernetes_validate
import yaml

from objects import Objects
from rules import RULES

# The oldest version with every field that the manifests use, and the newest one that there is a schema of.
VERSIONS = ["1.27", "1.37"]
# Kinds that Kubernetes itself knows no schema of; the rules look at them all the same.
WITHOUT_SCHEMA = {"ServiceMonitor"}


def check(folder, facts):
    """Yields the problems of the kustomization in `folder`."""
    command = ["kubectl", "kustomize", str(folder)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if result.returncode != 0:
        yield result.stderr.strip()
        return
    documents = [document for document in yaml.safe_load_all(result.stdout) if document]
    problems = [problem for document in documents for problem in schema_problems(document)]
    yield from problems
    # The rules rely on the shape of what they look at.
    if not problems:
        objects = Objects(documents)
        for rule in RULES:
            yield from rule(objects, facts)


def schema_problems(document):
    name = f"{document.get('kind')} {document.get('metadata', {}).get('name')}"
    if document.get("kind") in WITHOUT_SCHEMA:
        return
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(str(step) for step in error.path)
            yield f"{name}: not valid for Kubernetes {version}: {place}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"{name}: {error.message}"
