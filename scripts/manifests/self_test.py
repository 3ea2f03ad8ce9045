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
DEPLOYMENT = "k8s/overlays/postgres/deployment.yaml"
OVER_POSTGRES = "k8s/overlays/postgres/kustomization.yaml"
OWN_POLICY = "k8s/overlays/postgres/networkpolicy.yaml"
EXAMPLE = "k8s/overlays/postgres/secret.example.yaml"
COMPOSE_POSTGRES = "config/compose-postgres.yaml"

# What is planted in the pods of both: text that stands there once, text in its place, words that the violation is reported
# with.
IN_PODS = [
    ("- name: REPLICA_NAME", "- name: REPLICA", "REPLICA is no setting of the program"),
    ("fieldPath: metadata.name\n", "fieldPath: metadata.uid\n", "REPLICA_NAME is not the name of the pod"),
    ("containerPort: 8090", "containerPort: 8099", "the container has the ports"),
    ("automountServiceAccountToken: false", "automountServiceAccountToken: true", "gets a token"),
    ("enableServiceLinks: false", "enableServiceLinks: true", "enableServiceLinks"),
    ("runAsNonRoot: true", "runAsNonRoot: false", "may run as root"),
    ("runAsUser: 65532", "runAsUser: 1", "the image as 65532:65532"),
    ("fsGroup: 65532", "fsGroup: 1", "fsGroup"),
    ("type: RuntimeDefault", "type: Unconfined", "seccompProfile"),
    ("PeriodSeconds: 30", "PeriodSeconds: 5", "less than 30 seconds"),
    ("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "may gain privileges"),
    ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "outside its volumes"),
    ("drop: [ALL]", "drop: [NET_RAW]", "keeps capabilities"),
    (
        "      volumes:\n",
        "      initContainers: [{name: more, image: busybox}]\n      volumes:\n",
        "container more has no securityContext",
    ),
    ("              memory: 512Mi", "              cpu: 500m", "memory has no limit"),
    ("              cpu: 250m\n", "", "no cpu is requested"),
    ("path: /ready", "path: /live", "readinessProbe does not ask for /ready"),
    (
        "          resources:\n",
        "          lifecycle: {preStop: {exec: {command: [sleep, '5']}}}\n          resources:\n",
        "lifecycle hook",
    ),
    ("image: zephyrfs/coordinator:", "image: zephyrfs/coordinator:9", "Cargo.toml makes it"),
]

# What is planted in both compose files.
IN_COMPOSE_FILES = [
    ("REPLICA_NAME: coordinator-2", "REPLICA_NAME: coordinator-1", "coordinator-2: REPLICA_NAME is"),
    ("image: zephyrfs/coordinator:", "image: zephyrfs/coordinator:9", "Cargo.toml makes it"),
    ("REPLICA_NAME: coordinator-2", "REPLICA_NAME: coordinator-2\n      RUST: x", "RUST is no setting"),
    ("  # As in the image, which not every tool keeps it in.\n  healthcheck:", "  x-healthcheck:", "1: has no healthcheck"),
    ("  stop_grace_period: 30s\n  restart", "  restart", "coordinator-1: has no stop_grace_period"),
    (":8190:8090", ":8290:8090", "coordinator-2: the ports are"),
    (':8191:8091"', ':8191:8091"\n      - "8192:8092"', "coordinator-2: the ports are"),
]

# What is planted in one file.
PLANTED = [
    *[(file, *planted) for file in (STATEFUL_SET, DEPLOYMENT) for planted in IN_PODS],
    *[(file, *planted) for file in (COMPOSE, COMPOSE_POSTGRES) for planted in IN_COMPOSE_FILES],
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
    # The compose file of replicas with data of their own.
    (COMPOSE, 'CLUSTER_REPLICAS: "3"', 'CLUSTER_REPLICAS: "2"', "CLUSTER_REPLICAS is 2"),
    (COMPOSE, "coordinator-2:8092,", "", "and should be coordinator-1:8092,coordinator-2:8092"),
    (COMPOSE, "- data-2:/data", "- data-1:/data", "coordinator-2: has no volume of its own"),
    # The compose file over PostgreSQL.
    (COMPOSE_POSTGRES, "  coordinator-2:\n", "  other:\n    image: x\n  coordinator-2:\n", "2 others are started"),
    (COMPOSE_POSTGRES, "coordinator@postgres:5432", "coordinator@other:5432", "DATABASE_URL is"),
    (COMPOSE_POSTGRES, "coordinator@postgres:5432", "coordinator:x@postgres:5432", "DATABASE_URL shows a password"),
    (COMPOSE_POSTGRES, "  POSTGRES_DB: zephyrfs", "  POSTGRES_DB: other", "DATABASE_URL is"),
    (COMPOSE_POSTGRES, "  DATABASE_PASSWORD_FILE: /run/", "  DATABASE_PASSWORD_FILE: /", "DATABASE_PASSWORD_FILE is"),
    (COMPOSE_POSTGRES, "POSTGRES_PASSWORD_FILE: /run/secrets/d", "POSTGRES_PASSWORD: d", "POSTGRES_PASSWORD shows"),
    (COMPOSE_POSTGRES, "\n  secrets: [database-password]", "", "coordinator-1: is not given the secret"),
    (COMPOSE_POSTGRES, "\n    secrets: [database-password]", "", "postgres: is not given the secret"),
    (COMPOSE_POSTGRES, "REPLICA_NAME: coordinator-2", "CLUSTER_REPLICAS: 2", "for replicas with data of their own"),
    (COMPOSE_POSTGRES, "  tmpfs: [/data]\n", "", "coordinator-1: keeps data of its own, or leaves"),
    (COMPOSE_POSTGRES, "  tmpfs: [/data]", "  tmpfs: [/data]\n  volumes: [database:/data]", "coordinator-1: keeps data"),
    (COMPOSE_POSTGRES, "service_healthy", "service_started", "does not wait until postgres is healthy"),
    (COMPOSE_POSTGRES, "    healthcheck:", "    x-healthcheck:", "postgres: has no healthcheck"),
    (COMPOSE_POSTGRES, "    stop_grace_period: 60s\n", "", "postgres: has no stop_grace_period"),
    (COMPOSE_POSTGRES, "    user: postgres", "    ports: ['5432:5432']", "postgres: is reached from outside"),
    (COMPOSE_POSTGRES, "- database:/var/lib/postgresql/data", "- database:/data", "in no volume with a name"),
    (COMPOSE_POSTGRES, "image: postgres:15", "image: postgres:latest", "is of no certain version"),
    (COMPOSE_POSTGRES, "file: ./database-password", "environment: PASSWORD", "is no file that git ignores"),
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
    (STATEFUL_SET, "- name: REPLICA_NAME", "- name: REPLICA", "$(REPLICA_NAME), which is not defined"),
    (PEERS, "  selector:\n    app.kubernetes.io/name: coo", "  selector:\n    app: coo", "selects no replica"),
    (PEERS, "targetPort: peers", "targetPort: grpc", "leads to grpc"),
    (BUDGET, "      app.kubernetes.io/name: coo", "      app: coo", "Budget coordinator selects no replica"),
    (BUDGET, "maxUnavailable: 1", "maxUnavailable: 2", "more than one replica go"),
    (POLICY, "        - port: 8080", "        - port: 8092", "lets others than replicas reach"),
    (STATEFUL_SET, "mountPath: /data", "mountPath: /dat", "/data is no volume"),
    (STATEFUL_SET, "              memory: 512Mi", "              cpu: 500m", "a limit of 500m CPUs"),
    (POLICY, "        - port: 8091", "        - port: 8099", "no NetworkPolicy lets anybody reach port 8091"),
    (MONITOR, "port: metrics", "port: http", "0 Services have its labels"),
    # Those on instances over PostgreSQL.
    (DEPLOYMENT, "replicas: 2", "replicas: 1", "1 instance is started"),
    (DEPLOYMENT, "maxUnavailable: 0", "maxUnavailable: 1", "does not start one instance before"),
    (DEPLOYMENT, "    type: RollingUpdate\n    rollingUpdate:", "    x:", "Additional properties"),
    (
        DEPLOYMENT,
        "        - topologyKey: kubernetes.io/hostname\n          maxSkew: 1\n          whenUnsatisfiable: ScheduleAnyway",
        "        - topologyKey: kubernetes.io/hostname\n          maxSkew: 1\n          whenUnsatisfiable: DoNotSchedule",
        "an update stands still",
    ),
    (
        DEPLOYMENT,
        "      containers:\n",
        "      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: rack}]}}\n"
        "      containers:\n",
        "an update stands still",
    ),
    (DEPLOYMENT, "topologyKey: kubernetes.io/hostname", "topologyKey: rack", "not spread over machines"),
    (DEPLOYMENT, "mountPath: /data", "mountPath: /dat", "/data is no emptyDir"),
    (DEPLOYMENT, "emptyDir:\n            sizeLimit: 16Mi", "persistentVolumeClaim: {claimName: x}", "a volume is claimed"),
    (
        DEPLOYMENT,
        "              containerPort: 8091",
        "              containerPort: 8091\n            - name: peers\n              containerPort: 8092",
        "the container has the ports [8080, 8090, 8091, 8092]",
    ),
    (DEPLOYMENT, "            - name: DATABASE_URL", "            - name: PEER_PORT", "PEER_PORT is for replicas"),
    (DEPLOYMENT, "            - name: DATABASE_URL", "            - name: LOG_LEVEL", "DATABASE_URL does not come from"),
    (DEPLOYMENT, "                  key: url", "                  key: url\n                  optional: true", "is optional"),
    (
        DEPLOYMENT,
        "          ports:\n",
        "            - name: DATABASE_PASSWORD\n              value: x\n          ports:\n",
        "DATABASE_PASSWORD does not come from a Secret",
    ),
    (DEPLOYMENT, "database.type=postgres", "database.type=redb", "do not insist on PostgreSQL"),
    (OVER_POSTGRES, "  - deployment.yaml", "  - deployment.yaml\n  - secret.example.yaml", "a Secret is rendered"),
    (OVER_POSTGRES, "resources:\n", "namePrefix: other-\nresources:\n", "Service coordinator is not as in the base"),
    (OVER_POSTGRES, "name: coordinator-peers", "name: coordinator-metrics", "Service coordinator-metrics is not as"),
    (OVER_POSTGRES, "name: coordinator-peers", "name: coordinator-metrics", "Service coordinator-peers is not as"),
    (OWN_POLICY, "        - port: 8080", "        - port: 8092", "opens port 8092"),
    (OWN_POLICY, "        - port: 8080", "        - port: 8079", "no NetworkPolicy lets anybody reach port 8080"),
    (OWN_POLICY, "  ingress:", "  policyTypes: [Ingress, Egress]\n  ingress:", "keeps instances from port 5432"),
    (EXAMPLE, "name: coordinator-database", "name: other", "is not the Secret that DATABASE_URL comes from"),
    (EXAMPLE, "  url: <", "  uri: <", "is not the Secret that DATABASE_URL comes from"),
    (EXAMPLE, "url: <postgres://user:password@host:5432/zephyrfs>", "url: postgres://u@h/d", "that the program would take"),
    (EXAMPLE, "stringData:", "stringDate:", "stringDate"),
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
