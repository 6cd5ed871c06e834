"""A document as JUnit XML."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from coequal.report.document import Case, Document, Facts, Place
from coequal.report.writers import junit


def suite(document: Document) -> Element:
    (found,) = ElementTree.fromstring(junit.text(document))
    return found


def test_a_case_is_a_testcase() -> None:
    cases = (
        Case("values", "failed", "differs in <frame> & 3", "one\ntwo", 1.5),
        Case("exact", "error", "not decided"),
        Case("fork", "skipped", "cannot be copied"),
        Case("drift", "warned", "slow"),
        Case("batch", "passed", "4 rows"),
    )
    found = suite(Document("verify", "a.py:b", cases=cases, place=Place("a.py", 7), seconds=2.0))
    assert found.attrib == {
        **{"name": "coequal verify a.py:b", "tests": "5", "failures": "1", "errors": "1", "skipped": "2"},
        "time": "2.000",
    }
    values = found[0]
    assert values.attrib == {"classname": "a.py:b", "name": "values", "time": "1.500", "file": "a.py", "line": "7"}
    assert (values[0].tag, values[0].get("message"), values[0].text) == ("failure", "differs in <frame> & 3", "one\ntwo")
    assert [case[0].tag if len(case) else None for case in found[1:5]] == ["error", "skipped", "skipped", None]


def test_where_nothing_can_fail_one_case_passes() -> None:
    found = suite(Document("systems"))
    assert [(case.get("name"), len(case)) for case in found.findall("testcase")] == [("coequal systems", 0)]


def test_facts_are_properties_and_the_terminal_is_output() -> None:
    facts = Facts((("shape", "1 x 2"),), subject="clip")
    found = suite(Document("cost", "conv", parts=(facts,)))
    assert found.find("properties/property").attrib == {"name": "clip shape", "value": "1 x 2"}  # type: ignore[union-attr]
    assert found.findtext("system-out") == "conv\n  clip  shape  1 x 2\n"


def test_what_xml_cannot_hold_is_replaced() -> None:
    found = suite(Document("verify", "a\x1bb", cases=(Case("x\x00", "failed", "\ud800"),)))
    assert found.get("name") == "coequal verify a\ufffdb"
    assert found[0].get("name") == "x\ufffd"
