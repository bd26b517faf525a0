import pytest
from hypothesis import given
from hypothesis import strategies as st

from nngpt_perfclf.sandbox.words import LONGEST, printable, unicode_fault


@given(st.text(st.characters(), max_size=2000))
def test_whatever_is_said_fits_one_line_of_a_terminal(text):
    said = printable(text)
    assert said.isprintable()
    assert len(said) <= LONGEST
    said.encode("utf-8")


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=LONGEST))
def test_plain_words_are_left_as_they_are(text):
    assert printable(text) == text


@pytest.mark.parametrize(("text", "said"), [
    ("\x1b[1;31mred\x1b[0m", "red"), ("\x9b31mred", "red"), ("\x1b]0;title\x07rest", "rest"),
    ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"), ("\x1b(Bplain", "plain"), ("a\x1bMb", "ab"), ("a\x1b", "a"),
    ("one\r\ntwo\x00", "one  two "), ("\ud800", " "), ("\u202eleft", " left"),
])
def test_escapes_vanish_and_controls_become_spaces(text, said):
    assert printable(text) == said


def test_only_text_that_can_be_written_has_no_fault():
    assert unicode_fault("naïve 🙂") is None
    assert unicode_fault("\ud800") == "the network's code is not valid Unicode: surrogates not allowed"
