"""The rendered objects of one kustomization, and the parts of them that rules ask for."""


class Objects:
    """Objects by kind, and shorter ways to the replicas' pod: of a StatefulSet with data, of a Deployment over PostgreSQL."""

    def __init__(self, documents):
        self.all = documents
        found = self.of_kind("StatefulSet") + self.of_kind("Deployment")
        if len(found) != 1:
            raise SystemExit(f"check-manifests: {len(found)} StatefulSets and Deployments are rendered instead of one")
        self.replicas = found[0]
        self.template = self.replicas["spec"]["template"]
        self.pod = self.template["spec"]
        self.container = self.pod["containers"][0]

    def are_over_postgres(self):
        return self.replicas["kind"] == "Deployment"

    def of_kind(self, kind):
        return [document for document in self.all if document["kind"] == kind]

    def service(self, name):
        """The Service of that name, or None."""
        return next((one for one in self.of_kind("Service") if one["metadata"]["name"] == name), None)

    def containers(self):
        return self.pod["containers"] + self.pod.get("initContainers", [])

    def environment(self):
        """Values of the container's variables by name, None where it comes from elsewhere."""
        return {variable["name"]: variable.get("value") for variable in self.container["env"]}

    def source(self, name):
        """Where the value of the container's variable comes from; nothing where it is given, or there is none."""
        found = [variable for variable in self.container["env"] if variable["name"] == name]
        return found[0].get("valueFrom", {}) if found else {}

    def mount(self, path):
        """The name of the volume that the container has at `path`, or None."""
        return next((one["name"] for one in self.container["volumeMounts"] if one["mountPath"] == path), None)

    def published(self):
        """The numbers of the container's ports."""
        return {port["containerPort"] for port in self.container["ports"]}

    def ingress(self):
        """What all network policies let in, rule by rule."""
        return [rule for policy in self.of_kind("NetworkPolicy") for rule in policy["spec"].get("ingress", [])]

    def port(self, name):
        """The number of the container's port of that name, or None."""
        return next((port["containerPort"] for port in self.container["ports"] if port.get("name") == name), None)


def selects(selector, labels):
    """Whether a selector, given as labels that must be there, picks something that has `labels`."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
