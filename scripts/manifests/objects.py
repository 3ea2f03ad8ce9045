"""The rendered objects of one kustomization, and the parts of them that rules ask for."""


class Objects:
    """Objects by kind, and shorter ways to the replicas' pod."""

    def __init__(self, documents):
        self.all = documents
        sets = self.of_kind("StatefulSet")
        if len(sets) != 1:
            raise SystemExit(f"check-manifests: {len(sets)} StatefulSets are rendered where one is expected")
        self.replicas = sets[0]
        self.template = self.replicas["spec"]["template"]
        self.pod = self.template["spec"]
        self.container = self.pod["containers"][0]

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

    def port(self, name):
        """The number of the container's port of that name, or None."""
        return next((port["containerPort"] for port in self.container["ports"] if port.get("name") == name), None)


def selects(selector, labels):
    """Whether a selector, given as labels that must be there, picks something that has `labels`."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
