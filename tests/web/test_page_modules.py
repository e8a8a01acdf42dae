"""The modules of the page fit together: imports, names, classes of the style sheet, events, icons and views."""

import re
from collections.abc import Iterator

import pytest

from musicrec.web.app import STATIC

JS = STATIC / "js"
WIDEST = 140
# The only module that sets innerHTML does so for wavesurfer, from what ships with it.
PARSES = {"waveform.js"}

SOURCES = {file.name: file.read_text() for file in sorted(JS.glob("*.js"))}
HTML, CSS = (STATIC / "index.html").read_text(), (STATIC / "style.css").read_text()
ALL = "\n".join([*SOURCES.values(), HTML])

_IMPORT = re.compile(r'^import (?:\{([^}]*)\}|(\w+)) from "([^"]+)";', re.M)
_LAZY = re.compile(r'import\("\./([\w.]+)"\)')
_EXPORT = re.compile(r"^export (?:async )?(?:const|let|function|class) (\w+)", re.M)


def code_of(name: str) -> str:
    """A module without its imports and comments."""
    text = _IMPORT.sub("", SOURCES[name])
    return re.sub(r"/\*.*?\*/|(?<![:\"])//[^\n]*", "", text, flags=re.S)


def imports_of(name: str) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of what a module imports from others of the page."""
    for names, _, place in _IMPORT.findall(SOURCES[name]):
        if place.startswith("./"):
            for one in filter(None, (one.strip() for one in names.split(","))):
                yield place.removeprefix("./"), one


def words(text: str) -> set[str]:
    """The names in a text, also those with a hyphen, as classes have them."""
    return set(re.findall(r"[A-Za-z_][\w-]*", text))


def test_there_are_modules():
    assert len(SOURCES) > 40 and sum(len(list(imports_of(name))) for name in SOURCES) > 150


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_what_there_is_and_what_it_uses(name):
    for module, imported in imports_of(name):
        assert module in SOURCES, f"{name} imports {module}, which is not there"
        assert imported in _EXPORT.findall(SOURCES[module]), f"{name}: {module} exports no {imported}"
        assert imported in words(code_of(name)), f"{name} imports {imported} from {module} and does not use it"
    for lazy in _LAZY.findall(SOURCES[name]):
        assert lazy in SOURCES, f"{name} imports {lazy}, which is not there"


def test_modules_are_not_imported_in_a_circle():
    done: set[str] = set()

    def visit(name: str, on_the_way: tuple[str, ...]) -> None:
        assert name not in on_the_way, " -> ".join([*on_the_way, name])
        if name not in done:
            for module in dict(imports_of(name)):
                visit(module, (*on_the_way, name))
            done.add(name)

    for name in SOURCES:
        visit(name, ())
    assert done == set(SOURCES)


def test_what_is_exported_is_imported_elsewhere():
    used = {pair for name in SOURCES for pair in imports_of(name)}
    for name in SOURCES:
        lazily = [other for other in SOURCES if name in _LAZY.findall(SOURCES[other])]
        for exported in _EXPORT.findall(SOURCES[name]):
            known = (name, exported) in used or any(exported in words(code_of(other)) for other in lazily)
            known = known or (exported == "mount" and lazily)  # `main.js` calls it for the view that is chosen
            assert known, f"{name} exports {exported}, which no module imports"


def test_each_module_is_reached_from_the_page():
    found, ahead = set(), re.findall(r'src="js/([\w.]+)"', HTML)
    while ahead:
        name = ahead.pop()
        found.add(name)
        ahead += {*dict(imports_of(name)), *_LAZY.findall(SOURCES[name])} - found
    assert found == set(SOURCES)


def test_the_style_sheet_has_no_class_or_variable_that_is_never_used():
    rules = re.sub(r"/\*.*?\*/", "", CSS, flags=re.S)
    selectors = re.sub(r"\{[^{}]*\}", " ", rules)
    classes = set(re.findall(r"\.([A-Za-z][\w-]*)", selectors))
    assert len(classes) > 150
    assert classes - words(ALL) == set()
    variables = set(re.findall(r"(--[\w-]+):", rules))
    unused = {one for one in variables if len(re.findall(rf"{one}(?![\w-])", rules + ALL)) < 2}
    assert len(variables) > 20 and unused == set()


def test_what_is_told_is_listened_to():
    told, heard = (set(re.findall(rf'\b{act}\("([^"]+)"', ALL)) for act in ("tell", "listen"))
    heard |= {
        name for names in re.findall(r"of \[([^\]]+)\]\) listen\(", ALL) for name in re.findall(r'"(\w+)"', names)
    }
    assert told == heard and len(told) > 10


def test_each_icon_is_used():
    icons = set(re.findall(r'^  (\w+): "M', SOURCES["icons.js"], re.M))
    used = {
        name
        for call in re.findall(r"icon\(([^()]*(?:\([^()]*\))?[^()]*)\)", ALL)
        for name in re.findall(r'"(\w+)"', call)
    }
    assert len(icons) > 20 and used <= icons | {"like"} and icons == icons & used


@pytest.mark.parametrize("name", SOURCES)
def test_no_text_becomes_html(name):
    wrong = re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", code_of(name))
    assert not wrong or name in PARSES


def test_the_views_are_those_of_one_list():
    """Who adds a view adds a line to it; navigation and keys follow."""
    listed = re.findall(r'^  (\w+): \{ title: "([^"]+)", key: "(\w)", load: \(\) => import\("\./(\w+)\.js"\) \},$',
                        SOURCES["views.js"], re.M)  # fmt: skip
    assert {f"{module}.js" for *_, module in listed} == {
        name for name, source in SOURCES.items() if "export async function mount(" in source
    }
    assert len({key for _, _, key, _ in listed}) == len(listed) > 5
    for name, title, _, _ in listed:
        assert f"#/{name}" not in re.sub(r'class="brand" href="#/find"', "", HTML) and f">{title}<" not in HTML


@pytest.mark.parametrize("name", SOURCES)
def test_lines_are_not_too_long(name):
    long = {number: len(line) for number, line in enumerate(SOURCES[name].splitlines(), 1) if len(line) > WIDEST}
    assert name == "icons.js" or long == {}  # a drawing is one line
