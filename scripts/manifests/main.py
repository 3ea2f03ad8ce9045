"""Entry of scripts/check-manifests: which files are checked, by what, and how the result is told."""

import sys
from pathlib import Path

import compose
import image
import kustomization
from facts import Facts
from self_test import self_test

REPOSITORY = Path(__file__).resolve().parents[2]


def kustomizations(root):
    """The folders below k8s/ that render by themselves."""
    return sorted(file.parent for file in (root / "k8s").rglob("kustomization.yaml"))


def check_folder(root, folder):
    """The problems of one kustomization."""
    name = folder.relative_to(root)
    return [f"{name}: {problem}" for problem in kustomization.check(root, folder, Facts(root))]


def check_image(root):
    """The problems of the Dockerfile."""
    return [f"Dockerfile: {problem}" for problem in image.check(root, Facts(root))]


def check_compose(root, file):
    """The problems of a compose file."""
    return [f"{file}: {problem}" for problem in compose.check(root, file, Facts(root))]


def check(root):
    """All problems below `root`, and how many kustomizations were checked."""
    folders = kustomizations(root)
    problems = check_image(root)
    for file in compose.FILES:
        problems += check_compose(root, file)
    for folder in folders:
        problems += check_folder(root, folder)
    if not folders:
        problems.append("k8s: nothing was found that can be rendered")
    return problems, len(folders)


def check_part(root, file):
    """The problems of that part of `root` which `file` belongs to."""
    if file == "Dockerfile":
        return check_image(root)
    if file in compose.FILES:
        return check_compose(root, file)
    return check_folder(root, (root / file).parent)


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test(REPOSITORY, check_part)
    if arguments:
        print("check-manifests: the only argument is --self-test; see --help", file=sys.stderr)
        return 2
    problems, checked = check(REPOSITORY)
    for problem in problems:
        print(f"check-manifests: {problem}", file=sys.stderr)
    print(f"check-manifests: Dockerfile, compose files and {checked} kustomizations, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
