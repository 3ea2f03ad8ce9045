"""What has to hold besides for instances over PostgreSQL, which keep nothing and do not speak to each other."""

from facts import PEER_PORT

DATABASE_PORT = 5432


def updates_leave_as_many(objects, _facts):
    spec = objects.replicas["spec"]
    if spec["replicas"] < 2:
        yield f"{spec['replicas']} instance is started: nobody answers while it is away"
    update = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    if spec.get("strategy") != update:
        yield "an update does not start one instance before it stops another"
    affinity = objects.pod.get("affinity", {}).get("podAntiAffinity", {})
    spread = objects.pod.get("topologySpreadConstraints", [])
    if "requiredDuringSchedulingIgnoredDuringExecution" in affinity or any(
        wish["whenUnsatisfiable"] != "ScheduleAnyway" for wish in spread
    ):
        yield "an update stands still where there are no more machines than instances"
    if "kubernetes.io/hostname" not in [wish["topologyKey"] for wish in spread]:
        yield "instances are not spread over machines"


def nothing_is_kept(objects, facts):
    volumes = {volume["name"]: volume for volume in objects.pod.get("volumes", [])}
    if "emptyDir" not in volumes.get(objects.mount(facts.data), {}):
        yield f"{facts.data} is no emptyDir"
    claims = [name for name, volume in volumes.items() if "persistentVolumeClaim" in volume]
    if claims or objects.of_kind("PersistentVolumeClaim"):
        yield "a volume is claimed, and nothing is kept there"


def there_are_no_peers(objects, facts):
    wanted = facts.ports - {PEER_PORT}
    if objects.published() != wanted:
        yield f"the container has the ports {sorted(objects.published())}, and should have {sorted(wanted)}"
    for name in objects.environment():
        if name.startswith(("CLUSTER_", "PEER_")):
            yield f"{name} is for replicas with data of their own"
    for rule in objects.ingress():
        ports = [port.get("port") for port in rule.get("ports", [])]
        if not ports or PEER_PORT in ports:
            yield f"a NetworkPolicy opens port {PEER_PORT}"


def the_database_is_reached(objects, _facts):
    for policy in objects.of_kind("NetworkPolicy"):
        spec = policy["spec"]
        if "egress" not in spec and "Egress" not in spec.get("policyTypes", []):
            continue
        rules = spec.get("egress", [])
        if not any("ports" not in rule or DATABASE_PORT in [port.get("port") for port in rule["ports"]] for rule in rules):
            yield f"NetworkPolicy {policy['metadata']['name']} keeps instances from port {DATABASE_PORT}"


def the_url_is_a_secret(objects, _facts):
    reference = objects.source("DATABASE_URL").get("secretKeyRef")
    if reference is None:
        yield "DATABASE_URL does not come from a Secret"
    elif reference.get("optional"):
        yield "the Secret of DATABASE_URL is optional, and nothing works without it"
    if objects.source("DATABASE_PASSWORD") == {} and "DATABASE_PASSWORD" in objects.environment():
        yield "DATABASE_PASSWORD does not come from a Secret"
    if objects.of_kind("Secret"):
        yield "a Secret is rendered, so a password would have to be written into the repository"
    if objects.container.get("args") != ["--set", "database.type=postgres"]:
        yield "the arguments do not insist on PostgreSQL: with an empty DATABASE_URL instances keep data of their own"


def services_are_those_of_the_base(objects, base):
    """Clients need not know which of the two they speak to."""
    peers = base.replicas["spec"]["serviceName"]
    services, expected = (
        {one["metadata"]["name"]: one for one in rendered.of_kind("Service")} for rendered in (objects, base)
    )
    expected.pop(peers, None)
    for name in sorted(services.keys() | expected.keys()):
        if services.get(name) != expected.get(name):
            yield f"Service {name} is not as in the base"


def example_is_no_more_than_one(objects, example):
    """The Secret fits the Deployment, and cannot be taken for the real thing."""
    reference = objects.source("DATABASE_URL").get("secretKeyRef", {})
    values = example.get("stringData", {})
    if (example["metadata"]["name"], list(values)) != (reference.get("name"), [reference.get("key")]):
        yield "the example is not the Secret that DATABASE_URL comes from"
    if any(value.startswith(("postgres://", "postgresql://")) for value in values.values()):
        yield "the example holds a URL that the program would take"


POSTGRES_RULES = [
    updates_leave_as_many,
    nothing_is_kept,
    there_are_no_peers,
    the_database_is_reached,
    the_url_is_a_secret,
]
