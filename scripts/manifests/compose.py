"""Checks the compose files: their schema, and that what they start works together."""

import subprocess
from urllib.parse import urlsplit

import yaml

from facts import IMAGE, PEER_PORT


def check(root, file, facts):
    """Yields the problems of one of FILES."""
    problems = list(schema_problems(root / file))
    yield from problems
    if problems:
        return
    content = yaml.safe_load((root / file).read_text(encoding="utf-8"))
    replicas = {name: one for name, one in content["services"].items() if one["image"].startswith(f"{IMAGE}:")}
    for number, (name, service) in enumerate(replicas.items()):
        yield from (f"{name}: {problem}" for problem in replica_problems(name, number, service, facts))
    for name, service in content["services"].items():
        for setting in ("healthcheck", "stop_grace_period"):
            if setting not in service:
                yield f"{name}: has no {setting}"
    yield from FILES[file](root / file, content, replicas, facts)


def replica_problems(name, number, service, facts):
    """What has to hold for the coordinator of that number, wherever it keeps its data."""
    settings = service.get("environment", {})
    yield from differences(settings, {"REPLICA_NAME": name})
    for variable in sorted(settings.keys() - facts.variables):
        yield f"{variable} is no setting of the program"
    if service["image"] != facts.image:
        yield f"the image is {service['image']}, and Cargo.toml makes it {facts.image}"
    inside = sorted(facts.ports - {PEER_PORT})
    ports = [f"${{PUBLISH_ON:-127.0.0.1}}:{port + 100 * number}:{port}" for port in inside]
    if service["ports"] != ports:
        yield f"the ports are {service['ports']}, and should be {ports}"


def differences(settings, expected):
    for variable, value in expected.items():
        if settings.get(variable) != value:
            yield f"{variable} is {settings.get(variable)}, and should be {value}"


def check_raft(_file, _content, replicas, facts):
    """Replicas with data of their own: they form one cluster."""
    peers = ",".join(f"{name}:{PEER_PORT}" for name in replicas)
    volumes = set()
    for name, service in replicas.items():
        settings = service.get("environment", {})
        expected = {"CLUSTER_REPLICAS": str(len(replicas)), "CLUSTER_PEERS": peers}
        yield from (f"{name}: {problem}" for problem in differences(settings, expected))
        volume = next((mount for mount in service["volumes"] if mount.endswith(f":{facts.data}")), None)
        if volume is None or volume in volumes:
            yield f"{name}: has no volume of its own at {facts.data}"
        volumes.add(volume)


def check_postgres(file, content, replicas, facts):
    """Instances over one PostgreSQL: they keep nothing, and nobody else reaches the database."""
    others = content["services"].keys() - replicas.keys()
    if len(replicas) < 2 or len(others) != 1:
        yield f"{len(replicas)} coordinators and {len(others)} others are started, and should be two or more, and a database"
        return
    (database,) = others
    server = content["services"][database]
    made = server.get("environment", {})
    secret = made.get("POSTGRES_PASSWORD_FILE", "").removeprefix("/run/secrets/")
    url = f"postgres://{made.get('POSTGRES_USER')}@{database}:5432/{made.get('POSTGRES_DB')}"
    for name, service in replicas.items():
        settings = service.get("environment", {})
        expected = {"DATABASE_URL": url, "DATABASE_PASSWORD_FILE": f"/run/secrets/{secret}"}
        yield from (f"{name}: {problem}" for problem in differences(settings, expected))
        for variable in settings:
            if variable.startswith(("CLUSTER_", "PEER_")):
                yield f"{name}: {variable} is for replicas with data of their own"
        if "volumes" in service or facts.data not in service.get("tmpfs", []):
            yield f"{name}: keeps data of its own, or leaves a volume of the image behind"
        if service.get("depends_on", {}).get(database, {}).get("condition") != "service_healthy":
            yield f"{name}: does not wait until {database} is healthy"
    for name, service in content["services"].items():
        if service.get("secrets") != [secret]:
            yield f"{name}: is not given the secret {secret}"
        for variable, value in service.get("environment", {}).items():
            if variable.endswith("PASSWORD") or urlsplit(str(value)).password:
                yield f"{name}: {variable} shows a password to everybody who may look at containers"
    if "ports" in server:
        yield f"{database}: is reached from outside"
    if not any(mount.endswith(":/var/lib/postgresql/data") for mount in server.get("volumes", [])):
        yield f"{database}: keeps its data in no volume with a name"
    tag = server["image"].partition(":")[2]
    if not tag[:1].isdigit():
        yield f"{database}: the image {server['image']} is of no certain version, and data of one does not suit another"
    # Only a file is also there where the rest of the container's files can only be read.
    source = content.get("secrets", {}).get(secret, {}).get("file", "")
    ignored = (file.parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    if source.replace("./", "/", 1) not in ignored:
        yield f"the secret {secret} is no file that git ignores"


def schema_problems(file):
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "--color", "never", file.name]
    result = subprocess.run(command, cwd=file.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        yield " ".join(result.stdout.split())


# The compose files, and what has to hold for each besides.
FILES = {"config/compose.yaml": check_raft, "config/compose-postgres.yaml": check_postgres}
