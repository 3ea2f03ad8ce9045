"""Renders one kustomization, validates what comes out against the schemas of Kubernetes, and applies the rules."""

import subprocess

import kubernetes_validate
import yaml

from objects import Objects
from rules import RULES
from rules_postgres import POSTGRES_RULES, example_is_no_more_than_one, services_are_those_of_the_base
from rules_raft import RAFT_RULES

# What clients find has to be the same on PostgreSQL as here.
BASE = "k8s/base"
# An example of the Secret with the database's URL, which is not rendered.
EXAMPLE = "secret.example.yaml"
# The oldest version with every field that the manifests use, and the newest one that there is a schema of.
VERSIONS = ["1.27", "1.37"]
# Kinds that Kubernetes itself knows no schema of; the rules look at them all the same.
WITHOUT_SCHEMA = {"ServiceMonitor"}


def check(root, folder, facts):
    """Yields the problems of the kustomization in `folder`."""
    documents, error = render(folder)
    if error:
        yield error
        return
    problems = [problem for document in documents for problem in schema_problems(document)]
    yield from problems
    # The rules rely on the shape of what they look at.
    if problems:
        return
    objects = Objects(documents)
    for rule in RULES + (POSTGRES_RULES if objects.are_over_postgres() else RAFT_RULES):
        yield from rule(objects, facts)
    if objects.are_over_postgres():
        base, error = render(root / BASE)
        yield from [error] if error else services_are_those_of_the_base(objects, Objects(base))
        yield from check_example(objects, folder / EXAMPLE)


def check_example(objects, file):
    """Yields the problems of the example of a Secret that may lie beside a kustomization."""
    if file.exists():
        example = yaml.safe_load(file.read_text(encoding="utf-8"))
        problems = list(schema_problems(example))
        yield from problems or example_is_no_more_than_one(objects, example)


def render(folder):
    """What `folder` renders to, and why it does not."""
    result = subprocess.run(["kubectl", "kustomize", str(folder)], capture_output=True, text=True)
    documents = [document for document in yaml.safe_load_all(result.stdout) if document]
    return documents, result.stderr.strip() if result.returncode != 0 else None


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
