"""Plants one violation of each rule in a copy of what is checked, to see that none goes unseen."""

import shutil
import sys
import tempfile
from pathlib import Path

from facts import SETTINGS

COPIED = ["Cargo.toml", "Dockerfile", "config", "k8s", str(SETTINGS)]

STATEFUL_SET = "k8s/base/statefulset.yaml"
PEERS = "k8s/base/service-peers.yaml"
BUDGET = "k8s/base/poddisruptionbudget.yaml"
POLICY = "k8s/base/networkpolicy.yaml"
FIVE = "k8s/overlays/five-replicas/replicas.yaml"
MONITOR = "k8s/overlays/monitoring/servicemonitor.yaml"
COMPOSE = "config/compose.yaml"

# What is planted: file, text that stands there once, text in its place, words that the violation is reported with.
PLANTED = [
    # What the tools see.
    (STATEFUL_SET, "  serviceName:", "  serviceNam:", "serviceNam"),
    (STATEFUL_SET, "  replicas: 3", '  replicas: "3"', "spec.replicas"),
    (STATEFUL_SET, "apiVersion: apps/v1", "apiVersion: apps/v1beta1", "schema for kind StatefulSet"),
    (STATEFUL_SET, "kind: StatefulSet", "kind: StatefulSet: x", "mapping values are not allowed"),
    ("Dockerfile", "--yes --no-install", "--no-install", "DL3014"),
    (COMPOSE, "stop_grace_period:", "stop_grace:", "stop_grace"),
    # The Dockerfile.
    ("Dockerfile", "FROM debian:trixie-20260918-slim@sha256:a", "FROM debian:trixie-slim@sha256:", "is not pinned"),
    ("Dockerfile", "FROM rust:1.95.0", "FROM rust:1.70.0", "Cargo.toml names Rust"),
    ("Dockerfile", "USER 65532:65532", "USER coordinator", "is not a number"),
    ("Dockerfile", "ENV DATA_PATH=/data", "ENV DATA_PATH=/data CONFIG_PATH=/config/config.yaml", "sets CONFIG_PATH"),
    ("Dockerfile", "WORKDIR /config", "WORKDIR /data", "does not run in /config"),
    ("Dockerfile", "HEALTHCHECK --", "# --", "has no HEALTHCHECK"),
    # The compose file.
    (COMPOSE, 'CLUSTER_REPLICAS: "3"', 'CLUSTER_REPLICAS: "2"', "CLUSTER_REPLICAS is 2"),
    (COMPOSE, "REPLICA_NAME: coordinator-2", "REPLICA_NAME: coordinator-1", "coordinator-2: REPLICA_NAME is"),
    (COMPOSE, "coordinator-2:8092,", "", "and should be coordinator-1:8092,coordinator-2:8092"),
    (COMPOSE, "REPLICA_NAME: coordinator-3", "REPLICA_NAME: coordinator-3\n      RUST: x", "RUST is no setting"),
    (COMPOSE, "image: zephyrfs/coordinator:", "image: zephyrfs/coordinator:9", "Cargo.toml makes it"),
    (COMPOSE, "- data-2:/data", "- data-1:/data", "coordinator-2: has no volume of its own"),
    (COMPOSE, "  healthcheck:", "  x-healthcheck:", "has no healthcheck"),
    (COMPOSE, "  stop_grace_period:", "  x-stop:", "has no stop_grace_period"),
    # The rules on the rendered manifests.
    (FIVE, "replicas: 5", "replicas: 4", "4 replicas are started, and CLUSTER_REPLICAS waits for 5"),
    (FIVE, "replicas: 5", "replicas: 4", "4 replicas bear no more losses"),
    (STATEFUL_SET, "podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady", "not Parallel"),
    (STATEFUL_SET, "serviceName: coordinator-peers", "serviceName: other", "serviceName other is no Service"),
    (PEERS, "  clusterIP: None", "", "is not headless"),
    (PEERS, "publishNotReadyAddresses: true", "publishNotReadyAddresses: false", "no cluster can form"),
    (PEERS, "port: 8092", "port: 8093", "lacks port 8092"),
    (STATEFUL_SET, "value: coordinator-peers:8092", "value: coordinator:8092", "CLUSTER_PEERS is"),
    (STATEFUL_SET, ".svc:8092", ".svc:8093", "PEER_ADVERTISE is"),
    (STATEFUL_SET, "- name: REPLICA_NAME", "- name: REPLICA", "REPLICA is no setting of the program"),
    (STATEFUL_SET, "- name: REPLICA_NAME", "- name: REPLICA", "$(REPLICA_NAME), which is not defined"),
    (PEERS, "  selector:\n    app.kubernetes.io/name: coo", "  selector:\n    app: coo", "selects no replica"),
    (PEERS, "targetPort: peers", "targetPort: grpc", "leads to grpc"),
    (STATEFUL_SET, "containerPort: 8090", "containerPort: 8099", "the container has the ports"),
    (BUDGET, "      app.kubernetes.io/name: coo", "      app: coo", "Budget coordinator selects no replica"),
    (BUDGET, "maxUnavailable: 1", "maxUnavailable: 2", "more than one replica go"),
    (POLICY, "        - port: 8080", "        - port: 8092", "lets others than replicas reach"),
    (STATEFUL_SET, "automountServiceAccountToken: false", "automountServiceAccountToken: true", "gets a token"),
    (STATEFUL_SET, "enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks"),
    (STATEFUL_SET, "runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
    (STATEFUL_SET, "runAsUser: 65532", "runAsUser: 1", "the image as 65532:65532"),
    (STATEFUL_SET, "fsGroup: 65532", "fsGroup: 1", "fsGroup"),
    (STATEFUL_SET, "type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
    (STATEFUL_SET, "PeriodSeconds: 30", "PeriodSeconds: 5", "less than 30 seconds"),
    (STATEFUL_SET, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "may gain privileges"),
    (STATEFUL_SET, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "outside its volumes"),
    (STATEFUL_SET, "drop: [ALL]", "drop: [NET_RAW]", "keeps capabilities"),
    (
        STATEFUL_SET,
        "      volumes:\n",
        "      initContainers: [{name: more, image: busybox}]\n      volumes:\n",
        "container more has no securityContext",
    ),
    (STATEFUL_SET, "mountPath: /data", "mountPath: /dat", "/data is no volume"),
    (STATEFUL_SET, "              memory: 512Mi", "              cpu: 500m", "memory has no limit"),
    (STATEFUL_SET, "              memory: 512Mi", "              cpu: 500m", "a limit of 500m CPUs"),
    (STATEFUL_SET, "              cpu: 250m\n", "", "no cpu is requested"),
    (STATEFUL_SET, "path: /ready", "path: /live", "readinessProbe does not ask for /ready"),
    (
        STATEFUL_SET,
        "          resources:\n",
        "          lifecycle: {preStop: {exec: {command: [sleep, '5']}}}\n          resources:\n",
        "lifecycle hook",
    ),
    (STATEFUL_SET, "image: zephyrfs/coordinator:", "image: zephyrfs/coordinator:9", "Cargo.toml makes it"),
    (MONITOR, "port: metrics", "port: http", "0 Services have its labels"),
]


def plant(root, file, old, new):
    """Puts `new` in the place of `old`, which has to be there once."""
    text = (root / file).read_text(encoding="utf-8")
    if text.count(old) != 1:
        return f"{old!r} is {text.count(old)} times in {file}"
    (root / file).write_text(text.replace(old, new), encoding="utf-8")
    return None


def copy(repository, root):
    for name in COPIED:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if (repository / name).is_dir():
            shutil.copytree(repository / name, root / name)
        else:
            shutil.copy(repository / name, root / name)


def self_test(repository, check_part):
    """Plants each violation, and returns the exit code. `check_part` checks what a file belongs to."""
    failures = []
    for file, old, new, words in PLANTED:
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            copy(repository, root)
            problem = plant(root, file, old, new)
            found = [] if problem else check_part(root, file)
        if problem:
            failures.append(problem)
        elif not any(words in one for one in found):
            failures.append(f"not seen: {new.strip()!r} in {file}; found {found}")
    for failure in failures:
        print(f"check-manifests: self-test: {failure}", file=sys.stderr)
    print(f"check-manifests: self-test: {len(PLANTED)} planted violations, {len(failures)} failures")
    return 1 if failures else 0
