"""The page of questions: each one names the public thread that asks it."""

import re
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "questions.md"
THREAD = re.compile(r"\[\S+ #(\d+)\]\(https://github\.com/[\w.-]+/[\w.-]+/issues/(\d+)\)")


def test_every_question_links_to_where_it_is_asked():
    _, *questions = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(questions) >= 20
    for question in questions:
        threads = THREAD.findall(question)
        assert threads, question.splitlines()[0]
        assert all(words == linked for words, linked in threads)
