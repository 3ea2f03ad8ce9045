"""Reads which top-level modules of a Rust crate name which, from the sources alone.

Comments, literals and code under #[cfg(test)] are left out; paths that begin with `crate`, `super`, `self` or the
crate's own name are resolved, use trees and re-exports by the root included. It knows no macros and no #[path].
"""

import re

ROOT = "(root)"
LITERAL_OR_COMMENT = re.compile(
    r"""//[^\n]*|/\*|\b(?:br|cr|r)(?P<hashes>\#*)".*?"(?P=hashes)|\b[bc]?"(?:\\.|[^"\\])*"|"(?:\\.|[^"\\])*"
      |b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])'""",
    re.DOTALL | re.VERBOSE,
)
CFG_TEST = re.compile(r"#\s*\[\s*cfg\s*\(\s*test\s*\)\s*\]")
MODULE_FILE = re.compile(r"\bmod\s+(\w+)\s*;")
MODULE_BLOCK = re.compile(r"\bmod\s+(\w+)\s*\{")
USE = re.compile(r"(?P<public>\bpub\b(?:\s*\([^)]*\))?\s*)?\buse\s+(?P<tree>[^;]+);")
PATH = re.compile(r"(?<![\w:])(?:crate|super|self|\w+)(?:\s*::\s*\w+)+")
VISIBILITY = re.compile(r"\bpub\s*\(\s*in\s[^)]*\)")


def blank(text, start, end):
    """`text` with spaces from start to end, line breaks kept, so that positions and line numbers stay."""
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def without_literals_and_comments(text):
    at = 0
    while found := LITERAL_OR_COMMENT.search(text, at):
        end = found.end()
        if found.group() == "/*":
            depth = 1
            while depth and (mark := re.compile(r"/\*|\*/").search(text, end)):
                depth += 1 if mark.group() == "/*" else -1
                end = mark.end()
        text = blank(text, found.start(), end)
        at = end
    return text


def end_of_item(text, at):
    """The position after the item that begins at `at`: its semicolon, or its closing brace."""
    depth = 0
    for position in range(at, len(text)):
        letter = text[position]
        if letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
            if depth < 0:
                return position
            if depth == 0 and letter == "}":
                return position + 1
        elif letter == ";" and depth == 0:
            return position + 1
    return len(text)


def without_test_items(text):
    """The text without items under cfg(test), and the names of modules among them that are files of their own."""
    files = set()
    while found := CFG_TEST.search(text):
        end = end_of_item(text, found.end())
        files.update(MODULE_FILE.findall(text[found.start():end]))
        text = blank(text, found.start(), end)
    return text, files


def blocks(text):
    """The inline modules of a file: name, start, end."""
    return [(m.group(1), m.end(), end_of_item(text, m.start())) for m in MODULE_BLOCK.finditer(text)]


def paths_of_tree(tree):
    """The paths that a use tree stands for, each a list of segments."""
    tree = re.sub(r"\bas\s+\w+", "", tree)
    tokens = re.findall(r"\w+|\{|\}|,|\*", tree)

    def parse(at, prefix):
        paths, path = [], list(prefix)
        while at < len(tokens):
            token = tokens[at]
            at += 1
            if token == "{":
                inner, at = parse(at, path)
                paths += inner
                path = None
            elif token in "},":
                if path is not None and len(path) > len(prefix):
                    paths.append(path)
                path = list(prefix)
                if token == "}":
                    return paths, at
            else:
                path.append(token)
        if path is not None and len(path) > len(prefix):
            paths.append(path)
        return paths, at

    return parse(0, [])[0]


class Crate:
    """The modules of one crate and which of them name which."""

    def __init__(self, name, source):
        self.name = name
        self.source = source
        self.files = {}
        for file in sorted(source.rglob("*.rs")):
            parts = file.relative_to(source).with_suffix("").parts
            if parts[-1] == "mod" or parts in (("lib",), ("main",)):
                parts = parts[:-1]
            self.files[file] = parts
        self.modules = {path[0] for path in self.files.values() if path}
        self.texts = {}
        tests = set()
        for file, path in self.files.items():
            raw = file.read_text(encoding="utf-8")
            text = without_literals_and_comments(raw)
            if re.search(r"#\s*\[\s*path\s*=", text):
                raise SystemExit(f"{file}: #[path] is not understood by this script; move the file instead")
            text, test_files = without_test_items(text)
            if re.search(r"#!\s*\[\s*cfg\s*\(\s*test\s*\)\s*\]", text):
                tests.add(path)
            tests.update(path + (test,) for test in test_files)
            self.texts[file] = VISIBILITY.sub(lambda m: " " * len(m.group()), text)
        is_test = lambda path: any(path[:depth] in tests for depth in range(1, len(path) + 1))
        self.texts = {file: text for file, text in self.texts.items() if not is_test(self.files[file])}
        self.exports = self.root_exports()

    def root_exports(self):
        """Name re-exported by the root -> the module that has it."""
        exports = {}
        for file, text in self.texts.items():
            if self.files[file]:
                continue
            for use in USE.finditer(text):
                if not use.group("public"):
                    continue
                for path in paths_of_tree(use.group("tree")):
                    path = [segment for segment in path if segment not in ("crate", "self")]
                    if path[0] in self.modules:
                        exports[path[-1]] = path[0]
                for alias in re.finditer(r"(\w+)\s+as\s+(\w+)", use.group("tree")):
                    if alias.group(1) in exports:
                        exports[alias.group(2)] = exports[alias.group(1)]
        return exports

    def references(self):
        """Every reference from code outside tests: file, line, own module path, segments of what is named."""
        for file, text in self.texts.items():
            inline = blocks(text)

            def place(position):
                names = [name for name, start, end in inline if start <= position < end]
                return text.count("\n", 0, position) + 1, self.files[file] + tuple(names)

            for use in USE.finditer(text):
                if not self.files[file] and use.group("public"):
                    # A re-export by the root hands a name on, and makes nothing depend on it.
                    continue
                for path in paths_of_tree(use.group("tree")):
                    yield (file, *place(use.start("tree")), path)
            rest = USE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
            for found in PATH.finditer(rest):
                yield (file, *place(found.start()), re.findall(r"\w+", found.group()))

    def target(self, own, path):
        """The top-level module that a path leads to; None outside this crate or within the own module."""
        base = None
        path = list(path)
        if path[0] in ("crate", self.name.replace("-", "_")):
            base, path = (), path[1:]
        elif path[0] in ("super", "self"):
            base = own
            while path and path[0] in ("super", "self"):
                base = base[:-1] if path[0] == "super" else base
                path = path[1:]
        elif not own and path[0] in self.modules:
            base = ()
        if base is None or not path:
            return None
        top = base[0] if base else path[0]
        if top not in self.modules:
            top = self.exports.get(top, ROOT)
        return None if top == (own[0] if own else ROOT) else top

    def edges(self):
        """(module, module) -> where the first names the second, once."""
        edges = {}
        for file, line, own, path in self.references():
            target = self.target(own, path)
            if target:
                edges.setdefault((own[0] if own else ROOT, target), f"{file}:{line}")
        return edges
