"""A page for every public name, written from the stub files, and links to them by the name that a user types.

The stubs next to each table of contents (`src/tutelage/__init__.pyi` and so on) list the public names. Each name gets a
page in docs/reference/generated; a name that two namespaces list has its page in the first of them. A module that no
heading below covers is an error, so that a new name cannot be left out.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from listing import NAMESPACES, PublicName, pages_of, public_names
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyObject, PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.roles import XRefRole
from sphinx.util.docfields import TypedField
from sphinx.util.nodes import make_refnode

HEADINGS = {
    "tutelage": {
        "workflow": "The whole way",
        "teachers": "Teachers",
        "checks": "Checks",
        "softlabels": "Soft labels",
        "losses": "Targets",
        "students": "Students",
        "training": "Training",
        "evaluation": "Evaluation",
        "search": "Search",
        "exporters": "Export",
        "data": "Data",
        "core": "Values, errors, and where tasks run",
    },
    "tutelage.losses": {
        "class_terms": "Classes",
        "value_terms": "Labels that are each on or off, and values",
        "hidden_terms": "Hidden layers",
        "objective": "Objectives",
        "schedules": "What changes during a training",
        "signals": "What a loss receives",
        "top_targets": "The most probable of many classes",
    },
}
"""Headings of a namespace, by the first part of the module that a name comes from, in the order of the page."""


def members_of(value: type) -> list[str]:
    """Public methods and properties that tutelage itself defines; those inherited from scikit-learn or torch are theirs."""
    found = []
    for name, member in inspect.getmembers_static(value):
        function = member.fget if isinstance(member, property) else getattr(member, "func", None) or getattr(member, "__func__", member)
        function = getattr(function, "fn", function)  # scikit-learn's available_if
        code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
        if not name.startswith("_") and code is not None and "/tutelage/" in code.co_filename.replace("\\", "/"):
            found.append(name)
    return sorted(found, key=lambda name: (name != "fit", name))


def page(name: PublicName) -> str:
    """The page of a name, in reStructuredText."""
    value = name.value
    lines = [name.name, "=" * len(name.name), "", f".. currentmodule:: {name.namespace}", ""]
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, BaseException) else "autoclass"
        members = members_of(value)
        lines += [f".. {kind}:: {name.name}", *([f"   :members: {', '.join(members)}", "   :member-order: groupwise"] if members else [])]
    else:
        lines += [f".. autofunction:: {name.name}"]
    return "\n".join([*lines, ""])


def contents(namespace: str, names: list[PublicName], documented: dict[str, str]) -> str:
    """The page of a namespace: what it is for, and a table of its names under headings."""
    module = importlib.import_module(namespace)
    summary = inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0]
    lines = [namespace, "=" * len(namespace), "", f".. py:module:: {namespace}", "", summary, ""]
    own = [name for name in names if name.namespace == namespace]
    headings = HEADINGS.get(namespace)
    groups: dict[str, list[PublicName]] = {heading: [] for heading in (headings or {"": ""}).values()}
    for name in own:
        part = name.module.split(".")[0]
        if headings is not None and part not in headings:
            raise ValueError(f"{name.path} comes from {name.module}, which has no heading; add one to HEADINGS in {__file__}.")
        groups[headings[part] if headings else ""].append(name)
    for heading, members in groups.items():
        if members:
            lines += [heading, "-" * len(heading), ""] if heading else []
            lines += [".. autosummary::", "   :nosignatures:", "", *(f"   {name.name}" for name in members), ""]
    here = [name for members in groups.values() for name in members if documented[name.path] == name.path]
    lines += [".. toctree::", "   :hidden:", "", *(f"   {name.name} <generated/{name.path}>" for name in here), ""]
    return "\n".join(lines)


def errors_page() -> str:
    """The tree of errors."""
    from tutelage.core import errors

    lines = ["Errors", "======", "", ".. py:module:: tutelage.core.errors", ""]
    lines += ["Every error that tutelage raises on purpose is a `TutelageError`; the others are in ``tutelage.core.errors``.", ""]

    def tree(kind: type, depth: int) -> Iterator[str]:
        summary = (inspect.getdoc(kind) or "").partition("\n")[0]
        path = "tutelage.TutelageError" if kind is errors.TutelageError else f"tutelage.core.errors.{kind.__name__}"
        yield f"{'  ' * depth}* :py:exc:`{kind.__name__} <{path}>`: {summary}"
        yield ""
        for narrower in kind.__subclasses__():
            if narrower.__module__ == errors.__name__:
                yield from tree(narrower, depth + 1)

    lines += tree(errors.TutelageError, 0)
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and kind.__module__ == errors.__name__]
    for kind in kinds:
        if issubclass(kind, errors.TutelageError) and kind is not errors.TutelageError:
            lines += [f".. autoexception:: {kind.__name__}", "   :show-inheritance:", ""]
    return "\n".join(lines)


def write_pages(app: Sphinx) -> None:
    """Write every page whose text changed, and remove those of names that are gone."""
    names = public_names()
    documented = pages_of(names)
    folder = Path(app.srcdir) / "reference"
    pages = {folder / "generated" / f"{name.path}.rst": page(name) for name in names if documented[name.path] == name.path}
    pages |= {folder / f"{namespace}.rst": contents(namespace, names, documented) for namespace in NAMESPACES}
    pages[folder / "errors.rst"] = errors_page()
    (folder / "generated").mkdir(exist_ok=True)
    for gone in {*(folder / "generated").glob("*.rst"), *folder.glob("*.rst")} - pages.keys():
        gone.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


class Links:
    """Finds the page that a name in a text or a signature means."""

    def __init__(self) -> None:
        names = public_names()
        self.documented = pages_of(names)
        self.defined = {f"{name.value.__module__}.{name.name}": self.documented[name.path] for name in names}
        self.by_name: dict[str, list[str]] = {}
        for name in names:
            self.by_name.setdefault(name.name, []).append(name.path)

    def target(self, written: str, module: str) -> str | None:
        """The documented path, or None where the name is not public.

        Args:
            written: `SoftTree`, `tl.losses.hint`, `losses.hint`, `SoftTree.fit` or a full path.
            module: the namespace of the page, preferred where several have the name.
        """
        written = written.removesuffix("()").removeprefix("~")
        path = "tutelage." + written.removeprefix("tl.") if written.startswith("tl.") else written
        owner, _, member = path.rpartition(".")
        for candidate in (path, f"tutelage.{path}", f"{module}.{path}"):
            if candidate in self.documented or candidate in NAMESPACES:
                return self.documented.get(candidate, candidate)
        if path in self.defined:
            return self.defined[path]
        if path in self.by_name:
            there = self.by_name[path]
            return self.documented[next((each for each in there if each.rpartition(".")[0] == module), there[0])]
        if owner and (of := self.target(owner, module)) is not None:
            return f"{of}.{member}"
        return None


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> nodes.Element | None:
    """Link a name to its page. A name that is not public stays as text; one that claims to be (`tl.`) must exist."""
    if node.get("refdomain") != "py" and node.get("reftype") != "public":
        return None
    written = str(node["reftarget"])
    domain: PythonDomain = env.domains.python_domain
    links: Links = app.public_links  # type: ignore[attr-defined]
    module = str(node.get("py:module") or "tutelage")
    own = f"{module}.{node['py:class']}.{written}" if node.get("py:class") else ""
    target = own if own in domain.objects else links.target(written, module)
    if target in domain.objects:
        found = domain.objects[target]
        return make_refnode(app.builder, str(node["refdoc"]), found.docname, found.node_id, contnode, target)
    return None if written.startswith("tl.") else contnode


class PublicRole(XRefRole):
    """The default role: a link where the text is a public name, and code where it is not."""

    def process_link(
        self, env: BuildEnvironment, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        """Keep the namespace and the class of the page."""
        refnode["py:module"], refnode["py:class"] = env.ref_context.get("py:module"), env.ref_context.get("py:class")
        return title, " ".join(target.split())


def escape_markup(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text with backticks: `classes_` and |s - y| are no markup."""
    example = False
    for number, line in enumerate(lines):
        example = bool(line.strip()) and (example or line.lstrip().startswith(">>>"))
        if not example:
            parts = re.split(r"(`+[^`]*`+)", line)
            parts[::2] = [re.sub(r"(?<=\w)_(?=\W|$)|\|", r"\\\g<0>", part) for part in parts[::2]]
            lines[number] = "".join(parts)


def split_errors(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Give each error of a "Raises:" section an entry, where the docstring lists several in one paragraph."""
    from tutelage.core import errors

    names = "|".join(name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception))
    start = next((number for number, line in enumerate(lines) if line.strip() == "Raises:"), None)
    if start is None:
        return
    stop = next((number for number in range(start + 1, len(lines)) if lines[number] and not lines[number].startswith("    ")), len(lines))
    text = " ".join(line.strip() for line in lines[start + 1 : stop])
    entries = re.split(rf"(?<=[.;])\s+(?=(?:(?:{names})(?:, (?:and )?)?)+:)", text.strip())
    lines[start + 1 : stop] = [*(f"    {entry}" for entry in entries), ""]


def split_attributes(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Give each attribute of an "Attributes:" section an entry, where the docstring describes several in one paragraph."""
    start = next((number for number, line in enumerate(lines) if line.strip() == "Attributes:"), None)
    if start is None:
        return
    stop = next((number for number in range(start + 1, len(lines)) if lines[number] and not lines[number].startswith("    ")), len(lines))
    known = {*getattr(value, "__annotations__", {}), *vars(value)}

    def entry(found: re.Match[str]) -> str:
        return f"\n    {found[1]}:" if found[1] in known or found[1].endswith("_") else found[0]

    text = "\n".join(lines[start + 1 : stop])
    text = re.sub(r"(?<=[.;])\s+(\w+):", entry, text)
    text = re.sub(r"^    (\w+(?:, \w+)+):", lambda found: found[0].replace(", ", ",\N{ZERO WIDTH SPACE}"), text, flags=re.MULTILINE)
    lines[start + 1 : stop] = text.split("\n")


def show_values(app: Sphinx, what: str, name: str, value: object, options: object, signature: str, returns: str) -> tuple[str, str] | None:
    """In a signature, the value of a constant that is a default (`bins: int = 15`, where the code says BINS), and short types."""
    function = value.__init__ if inspect.isclass(value) else inspect.unwrap(value) if callable(value) else None
    known = getattr(function, "__globals__", {})
    if not signature:
        return None
    shown = re.sub(r"(?<== )[A-Z][A-Z_]+\b", lambda found: repr(known.get(found[0], found[0])), signature)
    return short_types(shown), short_types(returns or "")


def short_types(text: str) -> str:
    """Types of arrays as the code writes them, `NDArray[Any]`, where Python spells them out."""
    text = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text)
    element = r"([^\[\]]*(?:\[[^\[\]]*\])?)"
    return re.sub(rf"[~\w.]*ndarray\[tuple\[[~\w.]*Any, \.\.\.\], [~\w.]*dtype\[{element}\]\]", r"NDArray[\1]", text)


def name_attributes() -> None:
    """The heading of a class's attributes is "Attributes", where Sphinx says "Variables"."""
    PyObject.doc_field_types = [_renamed(field) if field.name == "variable" else field for field in PyObject.doc_field_types]


def _renamed(field: Any) -> TypedField:
    return type(field)(
        field.name,
        label="Attributes",
        rolename=field.rolename,
        names=tuple(field.names),
        typerolename=field.typerolename,
        typenames=tuple(field.typenames),
        can_collapse=field.can_collapse,
    )


def prepare(app: Sphinx) -> None:
    """Before any page is read."""
    write_pages(app)
    app.public_links = Links()  # type: ignore[attr-defined]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    name_attributes()
    made_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    app.add_config_value("pages_made_by", made_by, "env")  # pages of an older extension are read again
    app.add_role("public", PublicRole(innernodeclass=nodes.literal))
    app.connect("builder-inited", prepare)
    for split in (split_errors, split_attributes):
        app.connect("autodoc-process-docstring", split, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", show_values)
    app.connect("autodoc-process-docstring", escape_markup, priority=600)  # after napoleon
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
