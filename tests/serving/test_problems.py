"""What went wrong is JSON that a terminal can show."""

import json

from tutelage.serving.problems import RETRY_S, Problem, busy


def test_a_problem_is_a_sentence_with_its_status():
    response = Problem(422, "column '\x1b[2J' is odd.").response()
    assert response.media_type == "application/problem+json"
    assert json.loads(response.body) == {
        "type": "about:blank",
        "title": json.loads(response.body)["title"],
        "status": 422,
        "detail": "column '\\x1b[2J' is odd.",
    }


def test_a_busy_server_says_when_to_come_back():
    assert (busy("full.").status, busy("full.").headers) == (503, {"retry-after": str(RETRY_S)})
