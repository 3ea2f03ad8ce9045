"""What has to hold for all rendered manifests beyond their schemas. Each rule yields its problems, one text each."""

import re

from objects import selects


def variables_are_known(objects, facts):
    defined = []
    used = set()
    for variable in objects.container["env"]:
        for other in re.findall(r"\$\((\w+)\)", variable.get("value", "")):
            used.add(other)
            if other not in defined:
                yield f"{variable['name']} uses $({other}), which is not defined before it"
        defined.append(variable["name"])
    for name in defined:
        if name not in facts.variables | used:
            yield f"{name} is no setting of the program"
    if objects.source("REPLICA_NAME") != {"fieldRef": {"fieldPath": "metadata.name"}}:
        yield "REPLICA_NAME is not the name of the pod"


def services_lead_somewhere(objects, _facts):
    labels = objects.template["metadata"]["labels"]
    for service in objects.of_kind("Service"):
        name = service["metadata"]["name"]
        if not selects(service["spec"].get("selector"), labels):
            yield f"Service {name} selects no replica"
        for port in service["spec"]["ports"]:
            if objects.port(port.get("targetPort")) != port["port"]:
                yield f"Service {name}: port {port['port']} leads to {port.get('targetPort')}, which is another or none"


def policies_meet_the_replicas(objects, _facts):
    labels = objects.template["metadata"]["labels"]
    selectors = {"PodDisruptionBudget": "selector", "NetworkPolicy": "podSelector"}
    for kind, field in selectors.items():
        found = objects.of_kind(kind)
        if not found:
            yield f"there is no {kind}"
        for one in found:
            if not selects(one["spec"][field].get("matchLabels"), labels):
                yield f"{kind} {one['metadata']['name']} selects no replica"
    for budget in objects.of_kind("PodDisruptionBudget"):
        if budget["spec"].get("maxUnavailable") != 1:
            yield f"PodDisruptionBudget {budget['metadata']['name']} lets more than one replica go at a time"
    for port in sorted(objects.published()):
        if not any("ports" not in rule or {"port": port} in rule["ports"] for rule in objects.ingress()):
            yield f"no NetworkPolicy lets anybody reach port {port}"


def pod_is_restricted(objects, facts):
    pod = objects.pod
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod gets a token for the Kubernetes API"
    if pod.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false: a Service named grpc or http would change the configuration"
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True:
        yield "the pod may run as root"
    if f"{context.get('runAsUser')}:{context.get('runAsGroup')}" != facts.user:
        yield f"the pod runs as {context.get('runAsUser')}:{context.get('runAsGroup')}, and the image as {facts.user}"
    if context.get("fsGroup") != context.get("runAsGroup"):
        yield "fsGroup is not the group that the pod runs as: it could not write its volume"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "the pod's seccompProfile is not RuntimeDefault"
    if pod.get("terminationGracePeriodSeconds", 0) < 30:
        yield "the pod has less than 30 seconds to stop"


def containers_are_restricted(objects, _facts):
    for container in objects.containers():
        name = container["name"]
        context = container.get("securityContext")
        if context is None:
            yield f"container {name} has no securityContext"
            continue
        if context.get("allowPrivilegeEscalation") is not False:
            yield f"container {name} may gain privileges"
        if context.get("readOnlyRootFilesystem") is not True:
            yield f"container {name} can write outside its volumes"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"container {name} keeps capabilities"


def resources_are_given(objects, _facts):
    resources = objects.container.get("resources", {})
    for amount in ("cpu", "memory"):
        if amount not in resources.get("requests", {}):
            yield f"no {amount} is requested"
    if "memory" not in resources.get("limits", {}):
        yield "memory has no limit"


def probes_ask_the_right_thing(objects, _facts):
    paths = {"livenessProbe": "/live", "readinessProbe": "/ready"}
    for probe, path in paths.items():
        request = objects.container.get(probe, {}).get("httpGet", {})
        if (request.get("path"), request.get("port")) != (path, "metrics"):
            yield f"{probe} does not ask for {path} at port metrics"
    if "lifecycle" in objects.container:
        yield "the container has a lifecycle hook, and SIGTERM is all it needs"


def image_is_of_this_version(objects, facts):
    if objects.container["image"] != facts.image:
        yield f"the image is {objects.container['image']}, and Cargo.toml makes it {facts.image}"


def monitors_find_a_service(objects, _facts):
    for monitor in objects.of_kind("ServiceMonitor"):
        selector = monitor["spec"]["selector"].get("matchLabels")
        for endpoint in monitor["spec"]["endpoints"]:
            found = [
                service
                for service in objects.of_kind("Service")
                if selects(selector, service["metadata"].get("labels", {}))
                and endpoint["port"] in [port.get("name") for port in service["spec"]["ports"]]
            ]
            if len(found) != 1:
                name = monitor["metadata"]["name"]
                yield f"ServiceMonitor {name}: {len(found)} Services have its labels and a port {endpoint['port']}"


RULES = [
    variables_are_known,
    services_lead_somewhere,
    policies_meet_the_replicas,
    pod_is_restricted,
    containers_are_restricted,
    resources_are_given,
    probes_ask_the_right_thing,
    image_is_of_this_version,
    monitors_find_a_service,
]
