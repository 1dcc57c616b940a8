"""What a search says is what the stored codes and labels say."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from hashbench.core.record import FitRecord
from hashbench.serve.client import AnswerError, Client

MAP = "map@all/div=hits/ties=expected/empty=zero"


def arrays_of(kept: Any, fit: FitRecord) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = kept.store.read_arrays(fit.fit_id, fit.artifacts["codes"])
    return found


def hamming(arrays: dict[str, NDArray[Any]], query: int) -> NDArray[np.int64]:
    """Distances of a query to the database, bit by bit."""
    differing = np.unpackbits(arrays["database"] ^ arrays["query"][query], axis=1)
    return differing.sum(axis=1).astype(np.int64)


def test_methods_are_the_fits_with_their_models(client: Client, kept: Any) -> None:
    found = {method["id"]: method for method in client.get("methods")["methods"]}
    assert set(found) == {f.fit_id for f in (kept.lsh, kept.itq, kept.cosine, kept.other)}
    lsh = found[kept.lsh.fit_id]
    assert (lsh["bits"], lsh["dataset"], lsh["method"]) == (16, "digits", "lsh on pixels")
    assert lsh["record"] == kept.lsh.record_id
    assert lsh["sizes"]["query"] == 20
    assert 0 < lsh["metrics"][MAP] < 1
    assert found[kept.cosine.fit_id]["bits"] is None
    classes = client.get(f"methods/{kept.lsh.fit_id}")["classes"]
    assert classes == [str(digit) for digit in range(10)]


@pytest.mark.parametrize("query", [0, 7, 19])
def test_a_query_of_the_record_finds_the_nearest_with_ties_by_position(
    client: Client, kept: Any, query: int
) -> None:
    arrays = arrays_of(kept, kept.lsh)
    far = hamming(arrays, query)
    order = np.argsort(far, kind="stable")[:25]
    labels = kept.data.data.labels

    said = client.get(f"methods/{kept.lsh.fit_id}/search", query=query, k=25)

    results = said["results"]
    assert [r["rank"] for r in results] == list(range(1, 26))
    assert [r["index"] for r in results] == order.tolist()
    assert [r["distance"] for r in results] == far[order].tolist()
    assert [r["position"] for r in results] == kept.data.split.database[order].tolist()
    digit = int(labels[kept.data.split.query[query]].argmax())
    digits = labels[kept.data.split.database].argmax(axis=1)
    assert said["query"]["labels"] == [str(digit)]
    assert [r["labels"] for r in results] == [[str(digits[at])] for at in order]
    assert [r["right"] for r in results] == (digits[order] == digit).tolist()
    assert said["right"] == np.count_nonzero(digits[order] == digit)
    assert said["relevant"] == np.count_nonzero(digits == digit)
    assert (said["engine"], said["database"], said["k"]) == ("exact", len(far), 25)
    assert said["milliseconds"]["encode"] is None and said["milliseconds"]["search"] > 0


def test_codes_are_told_bit_by_bit(client: Client, kept: Any) -> None:
    arrays = arrays_of(kept, kept.itq)
    said = client.get(f"methods/{kept.itq.fit_id}/search", query=3, k=1)
    bits = np.unpackbits(arrays["query"][3])[:12]
    assert said["query"]["code"] == "".join(map(str, bits))
    near = said["results"][0]
    theirs = np.unpackbits(arrays["database"][near["index"]])[:12]
    assert near["code"] == "".join(map(str, theirs))
    assert near["distance"] == np.count_nonzero(bits != theirs)


def test_ties_are_groups_that_say_how_many_are_left_out(client: Client, kept: Any) -> None:
    far = hamming(arrays_of(kept, kept.lsh), 5)
    said = client.get(f"methods/{kept.lsh.fit_id}/search", query=5, k=30)
    near = np.sort(far)[:30]
    values = np.unique(near)
    assert [tie["distance"] for tie in said["ties"]] == values.tolist()
    for number, (tie, value) in enumerate(zip(said["ties"], values, strict=True), start=1):
        ranks = 1 + np.flatnonzero(near == value)
        assert tie["tie"] == number
        assert tie["ranks"] == [ranks[0], ranks[-1]]
        assert tie["in_results"] == len(ranks)
        assert tie["in_database"] == np.count_nonzero(far == value)
        assert {r["tie"] for r in said["results"] if r["distance"] == value} == {number}


@pytest.mark.parametrize("name", ["lsh", "itq", "cosine"])
def test_an_uploaded_image_of_the_dataset_gets_the_answer_of_its_stored_code(
    client: Client, kept: Any, name: str
) -> None:
    fit = getattr(kept, name)
    stored = client.get(f"methods/{fit.fit_id}/search", query=4, k=15)
    sent = client.post(f"methods/{fit.fit_id}/search", kept.png(kept.data.split.query[4]), k=15)
    assert sent["query"] == {
        "kind": "upload",
        "index": None,
        "labels": None,
        "code": stored["query"]["code"],
        "thumbnail": None,
    }
    for mine, theirs in zip(sent["results"], stored["results"], strict=True):
        assert mine["right"] is None
        assert {**mine, "right": None} == {**theirs, "right": None}
    assert sent["milliseconds"]["decode"] > 0 and sent["milliseconds"]["encode"] > 0


def test_embeddings_are_compared_by_cosine(client: Client, kept: Any) -> None:
    arrays = arrays_of(kept, kept.cosine)
    a, b = arrays["query"][2].astype(float), arrays["database"].astype(float)
    far = 1 - b @ a / np.linalg.norm(b, axis=1) / np.linalg.norm(a)
    said = client.get(f"methods/{kept.cosine.fit_id}/search", query=2, k=5)
    assert said["engine"] == "cosine"
    assert said["query"]["code"] is None
    found = [r["distance"] for r in said["results"]]
    np.testing.assert_allclose(found, np.sort(far)[:5], atol=1e-5)
    assert all(tie["in_database"] is None for tie in said["ties"])


def test_a_database_image_finds_itself_first_among_equals(client: Client, kept: Any) -> None:
    said = client.get(f"methods/{kept.lsh.fit_id}/search", database=17, k=300)
    (own,) = [r for r in said["results"] if r["itself"]]
    assert (own["index"], own["distance"], own["tie"], own["right"]) == (17, 0, 1, True)


def test_another_engine_finds_the_same_distances(client: Client, kept: Any) -> None:
    path = f"methods/{kept.lsh.fit_id}/search"
    exact = client.get(path, query=1, k=20)
    flat = client.get(path, query=1, k=20, engine="faiss_flat")
    assert flat["engine"] == "faiss_flat"
    assert [r["distance"] for r in flat["results"]] == [r["distance"] for r in exact["results"]]


def test_two_methods_are_compared_on_one_query(client: Client, kept: Any) -> None:
    one, two = kept.lsh.fit_id, kept.itq.fit_id
    said = client.get("compare", methods=f"{one},{two}", query=6, k=20)
    for answer, fit_id in zip(said["answers"], (one, two), strict=True):
        alone = client.get(f"methods/{fit_id}/search", query=6, k=20)
        assert answer["results"] == alone["results"]
    sets = [{r["position"] for r in answer["results"]} for answer in said["answers"]]
    assert said["shared"]["positions"] == sorted(sets[0] & sets[1])
    assert said["shared"]["images"] == len(sets[0] & sets[1])


def test_an_index_that_means_two_images_is_not_compared_but_an_upload_is(
    client: Client, kept: Any
) -> None:
    methods = f"{kept.lsh.fit_id},{kept.other.fit_id}"
    with pytest.raises(AnswerError, match="POST an image file instead") as refused:
        client.get("compare", methods=methods, query=0)
    assert refused.value.status == 422
    sent = client.post("compare", kept.png(0), methods=methods, k=3)
    assert [len(answer["results"]) for answer in sent["answers"]] == [3, 3]


def test_queries_are_listed_a_part_at_a_time(client: Client, kept: Any) -> None:
    said = client.get(f"methods/{kept.lsh.fit_id}/queries", start=15, count=100)
    assert [row["index"] for row in said["queries"]] == [15, 16, 17, 18, 19]
    assert said["total"] == 20
    labels = kept.data.data.labels[kept.data.split.query]
    assert [row["labels"] for row in said["queries"]] == [
        [str(row.argmax())] for row in labels[15:]
    ]


@pytest.mark.parametrize("role", ["query", "database"])
def test_thumbnails_are_the_datasets_images(client: Client, kept: Any, role: str) -> None:
    data = client.raw("GET", f"methods/{kept.lsh.fit_id}/thumbnails/{role}/9")
    with Image.open(io.BytesIO(data)) as image:
        found = np.array(image)
    position = getattr(kept.data.split, role)[9]
    np.testing.assert_array_equal(found, kept.data.data.images[position])


def test_a_record_id_and_the_start_of_an_id_name_a_method_too(client: Client, kept: Any) -> None:
    for word in (kept.lsh.record_id, kept.lsh.fit_id[:12]):
        said = client.get(f"methods/{word}/search", query=0, k=1)
        assert said["method"]["record"] == kept.lsh.record_id


def test_many_requests_at_once_get_each_their_own_answer(client: Client, kept: Any) -> None:
    images = [kept.png(position) for position in kept.data.split.query]
    asked = [(i, fit) for i in range(len(images)) for fit in (kept.lsh, kept.itq)]

    def ask(i: int, fit: FitRecord) -> tuple[str, str]:
        path = f"methods/{fit.fit_id}/search"
        sent, stored = client.post(path, images[i], k=2), client.get(path, query=i, k=2)
        return sent["query"]["code"], stored["query"]["code"]

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda each: ask(*each), asked))
    assert [sent for sent, _ in codes] == [stored for _, stored in codes]
    assert len(set(codes)) > 10


def test_every_endpoint_is_listed_with_its_parameters(client: Client) -> None:
    listed = client.get("")["endpoints"]
    paths = {endpoint["path"]: endpoint for endpoint in listed}
    assert paths["/v1/methods/{word}/search"]["parameters"] == [
        *("k", "engine", "query", "database")
    ]
    assert {"/v1", "/v1/health", "/v1/compare", "/v1/collections"} <= set(paths)


def test_engines_are_listed_with_what_they_miss(client: Client) -> None:
    said = client.get("engines")
    assert said["default"] == "exact"
    assert {"name": "exact", "missing": None} in said["engines"]
