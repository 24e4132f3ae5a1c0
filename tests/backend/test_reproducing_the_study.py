"""The study's published tables, from 124 queries answered and rated through the real API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backend.services.deploy import add_chat
from backend.store.database import open_database
from tests.openai_server import Reply, chat_server
from tests.product import Product, running

QUERIES = 124
GPT_J, LLAMA, LLAMA_BASE, CHATGPT = (
    "GPT-J-6B-tuned", "LLaMA-2-7B-tuned", "LLaMA-2-7B", "ChatGPT-3.5",
)  # fmt: skip
RELEVANCE = {  # how often 1, 2, 3, 4 and 5 were given
    GPT_J: (18, 21, 31, 28, 26),
    LLAMA: (9, 11, 20, 41, 43),
    LLAMA_BASE: (28, 31, 29, 23, 13),
}
SUMS = {  # content, grammar, structure, style
    GPT_J: (368, 370, 388, 350),
    LLAMA: (429, 421, 450, 449),
    CHATGPT: (394, 427, 384, 349),
}
CRITERIA = ("content", "grammar", "structure", "style")
MISSING = (LLAMA, "content")  # one of the 124 scores was never given


def relevance_scores(model: str) -> list[int]:
    return [score for score, times in enumerate(RELEVANCE[model], start=1) for _ in range(times)]


def quality_scores(model: str) -> list[dict[str, int]]:
    """A score for each query and criterion, with the published sums."""
    rows: list[dict[str, int]] = [{} for _ in range(QUERIES)]
    for criterion, total in zip(CRITERIA, SUMS[model], strict=True):
        number = QUERIES - ((model, criterion) == MISSING)
        low, more = divmod(total, number)
        for query in range(number):
            rows[query][criterion] = low + (query < more)
    return rows


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """124 queries, four models behind an OpenAI-compatible endpoint, rated by both rubrics."""
    state_dir = tmp_path_factory.mktemp("study")
    with chat_server(lambda asked: Reply((f"Written by {asked.body['model']}.",))) as chats:
        db = open_database(state_dir / "suggest-answer.db")
        for model in (GPT_J, LLAMA, LLAMA_BASE, CHATGPT):
            add_chat(model, chats.base_url, active=True, db=db)
        db.conn.close()
        more = {"SUGGEST_ANSWER_SUGGEST__QUEUE_LIMIT": "1000", "SUGGEST_ANSWER_SUGGEST__COUNT": "4"}
        with running(state_dir, environment=more) as product:
            asked = [product.suggest(f"Query {number}")["id"] for number in range(QUERIES)]
            for suggestion_id in asked:
                assert product.finished(suggestion_id)["state"] == "done"
            rate_all(product)
            yield product


def rate_all(product: Product) -> None:
    for model in (GPT_J, LLAMA, LLAMA_BASE, CHATGPT):
        rows = product.db.query("SELECT id FROM candidates WHERE model = ? ORDER BY id", [model])
        ids = [row["id"] for row in rows]
        if model in RELEVANCE:
            for candidate, score in zip(ids, relevance_scores(model), strict=True):
                rate(product, candidate, "relevance", {"relevance": score})
        if model in SUMS:
            for candidate, scores in zip(ids, quality_scores(model), strict=True):
                rate(product, candidate, "quality", scores)


def rate(product: Product, candidate: str, rubric: str, scores: dict[str, int]) -> None:
    answer = product.client.post(
        f"/candidates/{candidate}/ratings",
        json={"rater": "manager", "rubric": rubric, "scores": scores},
    )
    assert answer.status_code == 201, answer.text


def report(product: Product, name: str, rubric: str) -> str:
    models = ",".join((GPT_J, LLAMA, LLAMA_BASE, CHATGPT))
    query = {"rubric": rubric, "format": "csv", "models": models}
    answer = product.client.get(f"/reports/{name}", params=query)
    assert answer.headers["Content-Type"].startswith("text/csv")
    return answer.text


def test_the_counts_of_ratings(study: Product) -> None:
    assert report(study, "counts", "relevance") == (
        "model,1,2,3,4,5,n\n"
        "GPT-J-6B-tuned,18,21,31,28,26,124\n"
        "LLaMA-2-7B-tuned,9,11,20,41,43,124\n"
        "LLaMA-2-7B,28,31,29,23,13,124\n"
    )


def test_the_negative_and_positive_shares(study: Product) -> None:
    assert report(study, "shares", "relevance") == (
        "model,negative %,positive %,n\n"
        "GPT-J-6B-tuned,31.5,68.5,124\n"
        "LLaMA-2-7B-tuned,16.1,83.9,124\n"
        "LLaMA-2-7B,47.6,52.4,124\n"
    )


def test_the_weighted_means_by_criterion(study: Product) -> None:
    lines = report(study, "means", "quality").splitlines()

    assert [",".join(line.split(",")[:10]) for line in lines] == [
        "model,content,grammar,structure,style,total,n content,n grammar,n structure,n style",
        "GPT-J-6B-tuned,1.335483871,0.5967741935,0.6258064516,0.4233870968,2.981451613,"
        "124,124,124,124",
        "LLaMA-2-7B-tuned,1.569512195,0.6790322581,0.7258064516,0.5431451613,3.517496066,"
        "123,124,124,124",
        "ChatGPT-3.5,1.42983871,0.6887096774,0.6193548387,0.4221774194,3.160080645,124,124,124,124",
    ]


def test_the_same_tables_in_json(study: Product) -> None:
    answer = study.client.get("/reports/means", params={"rubric": "quality"}).json()

    llama = next(row for row in answer["rows"] if row["model"] == LLAMA)
    assert llama["total"] == 3.517496066
    assert llama["n content"] == 123


def test_models_stood_in_each_place_equally_often(study: Product) -> None:
    rows = list(
        study.db.query("SELECT model, label, count(*) AS times FROM candidates GROUP BY 1, 2")
    )
    assert len(rows) == 16
    assert all(abs(row["times"] - QUERIES / 4) <= 6 for row in rows)


def test_no_log_holds_a_text(study: Product) -> None:
    for file in (study.state_dir / "log").iterdir():
        assert "Query" not in file.read_text()
        assert "Written by" not in file.read_text()


def test_an_unknown_report_is_refused(study: Product) -> None:
    answer = study.client.get("/reports/favourites")

    assert answer.status_code == 404
    assert "counts, shares, means" in answer.json()["detail"]
