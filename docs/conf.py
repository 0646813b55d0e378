"""How the pages are built: Markdown in, HTML out, formulas as MathML; a page loads nothing from other hosts."""

import re
from importlib.metadata import version as installed_version
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

project = "vaekit"
author = "the vaekit authors"
copyright = author
version = release = installed_version("vaekit")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "inherited-members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"vaekit {release}"
html_math_renderer = "mathml"
html_copy_source = False

logger = logging.getLogger(__name__)

# What the converter leaves behind where it gave up: an unknown command, a lost line break, an empty operator.
GAVE_UP = re.compile(r"\\|linebreak=|<mo />")
# A named function needs a thin space where no bracket or sign stands beside it.
FUNCTION = r"<mi>[a-z]{2,}</mi>"
AFTER_FUNCTION = re.compile(rf"({FUNCTION})(?=<m[^o])")
BEFORE_FUNCTION = re.compile(rf"(</(?:mi|mn|msub|msup|msubsup|mfrac|msqrt)>)(?={FUNCTION})")
THIN_SPACE = r'\1<mspace width="0.167em" />'


def mathml(node: nodes.Element, display: str) -> str:
    """One formula as MathML; what cannot be shown is a warning, so that no page hides a blot."""
    formula = re.sub(r"\\(begin|end)\{(align|equation)\}", r"\\\1{\2*}", node.astext().strip())  # Sphinx counts them
    formula = re.sub(r"\\(begin|end)\{aligned\}", r"\\\1{split}", formula)  # the converter's name for it
    if r"\\" in formula and r"\begin" not in formula:
        lines = formula if "&" in formula else "&" + formula.replace(r"\\", r"\\ &")
        formula = rf"\begin{{split}}{lines}\end{{split}}"
    result = convert(formula, display=display)
    if GAVE_UP.search(result):
        logger.warning("MathML cannot show the formula %s", formula, location=node)
    result = result.replace("<mi>&#x0007E;</mi>", "<mo>&#x0223C;</mo>")
    return BEFORE_FUNCTION.sub(THIN_SPACE, AFTER_FUNCTION.sub(THIN_SPACE, result))


def visit_math(writer: Any, node: nodes.math) -> None:
    """Write a formula that stands in a line."""
    writer.body.append(mathml(node, "inline"))
    raise nodes.SkipNode


def visit_math_block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula on lines of its own, with its number where it has one."""
    writer.body.append(writer.starttag(node, "div", CLASS="math", style="overflow-x: auto"))
    if node.get("number"):
        writer.body.append(f'<span class="eqno">({node["number"]})</span>')
    writer.body.append(mathml(node, "block") + "</div>\n")
    raise nodes.SkipNode


def skip_what_others_wrote(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out members that come from Python, PyTorch or scikit-learn: their own pages describe them."""
    obj = getattr(obj, "fget", obj)
    module = getattr(obj, "__module__", None) or getattr(getattr(obj, "__objclass__", None), "__module__", None)
    return True if module and not module.startswith("vaekit") else None


def join_names(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep `mean, std: ...` one field of two names: Sphinx would read `mean,` as the type of `std`."""
    for i, line in enumerate(lines):
        if match := re.match(r":(?:ivar|param) [\w, *]+:", line):
            field, names = match[0].split(" ", 1)
            lines[i] = f"{field} {names.replace(', ', ',')}{line[match.end() :]}"


def setup(app: Sphinx) -> None:
    """Register the formulas' writer and the care for docstrings."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("autodoc-skip-member", skip_what_others_wrote)
    app.connect("autodoc-process-docstring", join_names, priority=900)
