"""What the manifests have to agree with: facts of the program, the workspace and the image, read from their files."""

import re
from pathlib import Path

SETTINGS = Path("src/coordinator/src/config/table.rs")
IMAGE = "zephyrfs/coordinator"
# Where replicas with data of their own speak to each other.
PEER_PORT = 8092


class Facts:
    """Facts of the repository below `root`. One that cannot be found is an error: nothing would be checked by it."""

    def __init__(self, root):
        cargo = (root / "Cargo.toml").read_text(encoding="utf-8")
        dockerfile = (root / "Dockerfile").read_text(encoding="utf-8")
        settings = (root / SETTINGS).read_text(encoding="utf-8")
        version = find(r'^version = "([^"]+)"', cargo, "Cargo.toml")
        self.image = f"{IMAGE}:{version}"
        self.rust = find(r'^rust-version = "([^"]+)"', cargo, "Cargo.toml")
        self.user = find(r"^USER (\S+)", dockerfile, "Dockerfile")
        self.ports = {int(port) for port in find(r"^EXPOSE ([\d ]+)$", dockerfile, "Dockerfile").split()}
        self.data = find(r"^VOLUME (\S+)$", dockerfile, "Dockerfile")
        self.variables = set(re.findall(r'\.env\("([A-Z_]+)"\)', settings)) | {"CONFIG_PATH"}
        if len(self.variables) < 2:
            raise SystemExit(f"check-manifests: {SETTINGS} names no environment variable")


def find(pattern, text, file):
    found = re.search(pattern, text, re.MULTILINE)
    if not found:
        raise SystemExit(f"check-manifests: nothing like {pattern} in {file}")
    return found[1]
