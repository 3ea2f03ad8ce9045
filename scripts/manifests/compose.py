"""Checks the compose file: its schema, and that its replicas form one cluster."""

import subprocess

import yaml

PEER_PORT = 8092


def check(root, facts):
    """Yields the problems."""
    file = root / "config" / "compose.yaml"
    problems = list(schema_problems(file))
    yield from problems
    if problems:
        return
    services = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    peers = ",".join(f"{name}:{PEER_PORT}" for name in services)
    volumes = set()
    for name, service in services.items():
        settings = service.get("environment", {})
        expected = {"REPLICA_NAME": name, "CLUSTER_REPLICAS": str(len(services)), "CLUSTER_PEERS": peers}
        for variable, value in expected.items():
            if settings.get(variable) != value:
                yield f"{name}: {variable} is {settings.get(variable)}, and should be {value}"
        for variable in sorted(settings.keys() - facts.variables):
            yield f"{name}: {variable} is no setting of the program"
        if service["image"] != facts.image:
            yield f"{name}: the image is {service['image']}, and Cargo.toml makes it {facts.image}"
        if "healthcheck" not in service:
            yield f"{name}: has no healthcheck"
        if "stop_grace_period" not in service:
            yield f"{name}: has no stop_grace_period"
        volume = next((mount for mount in service["volumes"] if mount.endswith(f":{facts.data}")), None)
        if volume is None or volume in volumes:
            yield f"{name}: has no volume of its own at {facts.data}"
        volumes.add(volume)


def schema_problems(file):
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "--color", "never", file.name]
    result = subprocess.run(command, cwd=file.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        yield " ".join(result.stdout.split())
