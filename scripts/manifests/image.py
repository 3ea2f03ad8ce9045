"""Checks the Dockerfile: hadolint's rules, and our own on what is pinned and who runs."""

import re
import subprocess


def check(root, facts):
    """Yields the problems."""
    yield from lint(root)
    text = (root / "Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
    for base in bases:
        if not re.fullmatch(r"[a-z/]+:[\w.-]+@sha256:[0-9a-f]{64}", base):
            yield f"{base} is not pinned by tag and digest"
    if not bases[0].startswith(f"rust:{facts.rust}"):
        yield f"is built with {bases[0]}, and Cargo.toml names Rust {facts.rust}"
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", facts.user):
        yield f"USER {facts.user} is not a number above 0, so Kubernetes cannot tell that it is not root"
    if re.search(r"^ENV .*CONFIG_PATH", text, re.MULTILINE):
        yield "sets CONFIG_PATH, so that a container without a configuration file does not start"
    if not re.search(r"^WORKDIR /config$", text, re.MULTILINE):
        yield "does not run in /config, so that a config.yaml that is mounted there goes unread"
    if not re.search(r"^HEALTHCHECK ", text, re.MULTILINE):
        yield "has no HEALTHCHECK"


def lint(root):
    """The findings of hadolint."""
    command = ["hadolint", "--no-color", "--format", "tty", "Dockerfile"]
    result = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    findings = result.stdout.splitlines()
    if result.returncode != 0 and not findings:
        findings = [f"hadolint ended with {result.returncode}"]
    return findings
