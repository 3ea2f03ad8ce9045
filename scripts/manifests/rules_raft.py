"""What has to hold besides for replicas with data of their own, which form a cluster."""

from facts import PEER_PORT
from objects import selects


def replicas_agree(objects, _facts):
    wanted = objects.replicas["spec"]["replicas"]
    formed = objects.environment().get("CLUSTER_REPLICAS")
    if formed != str(wanted):
        yield f"{wanted} replicas are started, and CLUSTER_REPLICAS waits for {formed}"
    if wanted % 2 == 0:
        yield f"{wanted} replicas bear no more losses than {wanted - 1}"
    if objects.replicas["spec"].get("podManagementPolicy") != "Parallel":
        yield "podManagementPolicy is not Parallel: the first replica waits for others that are not started"


def replicas_find_each_other(objects, _facts):
    name = objects.replicas["spec"]["serviceName"]
    service = objects.service(name)
    if service is None:
        yield f"the StatefulSet's serviceName {name} is no Service"
        return
    if service["spec"].get("clusterIP") != "None":
        yield f"Service {name} is not headless"
    if service["spec"].get("publishNotReadyAddresses") is not True:
        yield f"Service {name} does not publish replicas that are not ready: no cluster can form"
    if PEER_PORT not in [port["port"] for port in service["spec"]["ports"]]:
        yield f"Service {name} lacks port {PEER_PORT}"
    environment = objects.environment()
    if environment.get("CLUSTER_PEERS") != f"{name}:{PEER_PORT}":
        yield f"CLUSTER_PEERS is {environment.get('CLUSTER_PEERS')}, and should be {name}:{PEER_PORT}"
    advertised = f"$(REPLICA_NAME).{name}.$(POD_NAMESPACE).svc:{PEER_PORT}"
    if environment.get("PEER_ADVERTISE") != advertised:
        yield f"PEER_ADVERTISE is {environment.get('PEER_ADVERTISE')}, and should be {advertised}"


def only_replicas_reach_the_peers_port(objects, _facts):
    labels = objects.template["metadata"]["labels"]
    for rule in objects.ingress():
        ports = [port.get("port") for port in rule.get("ports", [])]
        if ports and PEER_PORT not in ports:
            continue
        sources = rule.get("from", [{}])
        alone = all(
            set(source) == {"podSelector"} and selects(source["podSelector"].get("matchLabels"), labels)
            for source in sources
        )
        if not alone:
            yield f"a NetworkPolicy lets others than replicas reach port {PEER_PORT}"


def ports_are_those_of_the_image(objects, facts):
    if objects.published() != facts.ports:
        yield f"the container has the ports {sorted(objects.published())}, and the image {sorted(facts.ports)}"


def data_outlives_the_pod(objects, facts):
    claims = {claim["metadata"]["name"] for claim in objects.replicas["spec"]["volumeClaimTemplates"]}
    if objects.mount(facts.data) not in claims:
        yield f"{facts.data} is no volume that outlives the pod"


def no_replica_stands_still(objects, _facts):
    limit = objects.container.get("resources", {}).get("limits", {}).get("cpu")
    if limit is not None and cpus(limit) < 2:
        yield f"a limit of {limit} CPUs makes replicas stand still for longer than the others wait for them"


def cpus(quantity):
    text = str(quantity)
    return float(text[:-1]) / 1000 if text.endswith("m") else float(text)


RAFT_RULES = [
    replicas_agree,
    replicas_find_each_other,
    only_replicas_reach_the_peers_port,
    ports_are_those_of_the_image,
    data_outlives_the_pod,
    no_replica_stands_still,
]
