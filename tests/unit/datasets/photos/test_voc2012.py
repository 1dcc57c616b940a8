"""PASCAL VOC 2012 from a miniature of its archive, and its XML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hashbench.core.errors import DataError
from hashbench.datasets.sources.voc2012 import CLASSES, VOC2012, VOCObject, read_voc_objects

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<annotation><object><name>&b;</name></object></annotation>"
)
OUTSIDE = (
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    "<annotation><object><name>&x;</name></object></annotation>"
)


def test_images_are_by_name_and_difficult_objects_and_parts_do_not_count(voc: Path) -> None:
    data = VOC2012().load(voc)
    names = [{data.classes[column] for column in np.flatnonzero(row)} for row in data.labels]
    assert names == [{"cat"}, {"horse", "person"}, {"tvmonitor"}]
    assert data.classes == CLASSES == tuple(sorted(CLASSES))
    np.testing.assert_allclose(data.images[:, 0, 0, 0], [80, 0, 160], atol=2)


def test_objects_are_read_with_name_and_difficulty(voc: Path) -> None:
    path = voc / "VOCdevkit/VOC2012/Annotations/2007_000027.xml"
    assert read_voc_objects(path) == [VOCObject("person", True), VOCObject("cat", False)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "expected XML without a document type"),
        (OUTSIDE, "expected XML without a document type"),
        (BOMB.encode("utf-16").decode("latin-1"), "expected XML"),
        ("<annotation><object>", "expected XML, found"),
        ("", "expected XML, found"),
        ("<html></html>", "expected the element 'annotation', found 'html'"),
        ("<annotation>" + " " * 2**20 + "</annotation>", "expected at most 1048576 bytes"),
        (
            "<annotation><object><name>unicorn</name></object></annotation>",
            "expected one of the twenty classes, found 'unicorn'",
        ),
        (
            "<annotation><object></object></annotation>",
            "expected one of the twenty classes, found ''",
        ),
    ],
)
def test_xml_that_is_not_the_published_kind_is_an_error_in_one_line(
    content: str, message: str, voc: Path
) -> None:
    path = voc / "VOCdevkit/VOC2012/Annotations/2007_000027.xml"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        VOC2012().load(voc)
    assert message in str(caught.value)
    assert "2007_000027.xml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_annotation_is_an_error_that_names_it(voc: Path) -> None:
    (voc / "VOCdevkit/VOC2012/Annotations/2008_000008.xml").unlink()
    with pytest.raises(DataError, match=r"2008_000008\.xml: expected this annotation file"):
        VOC2012().load(voc)


@pytest.mark.parametrize("name", ["../../secret", "2007 000027", "/etc/hostname"])
def test_a_list_with_what_is_no_image_name_is_an_error(name: str, voc: Path) -> None:
    (voc / "VOCdevkit/VOC2012/ImageSets/Main/trainval.txt").write_text(f"{name}\n")
    with pytest.raises(DataError, match=r"trainval\.txt: expected image names"):
        VOC2012().load(voc)
