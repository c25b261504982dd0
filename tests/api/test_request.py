"""A request survives its way through an annotation, and nothing that isn't one is taken for one."""

from __future__ import annotations

import base64
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracejob_api.request import (
    DECODED_LIMIT,
    ENCODED_LIMIT,
    AgentRequest,
    ContainerTarget,
    JobRef,
    PodTarget,
    ProgramText,
    RequestError,
    RequestTooLarge,
    decode,
    encode,
)


def _request(text: str, *, pods: int = 1) -> AgentRequest:
    return AgentRequest(
        id="uid/node",
        job=JobRef(name="job", uid="uid", namespace="shop"),
        node="node",
        program=ProgramText(text=text, args=("a", "ü")),
        duration=60.0,
        start_timeout=120.0,
        interval=5.0,
        targets=tuple(
            PodTarget(
                uid=f"uid-{number}",
                name=f"web-{number}",
                namespace="shop",
                containers=(ContainerTarget(name="main", id="f" * 64),),
            )
            for number in range(pods)
        ),
    )


@given(st.text(max_size=500))
def test_any_program_comes_out_as_it_went_in(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert decode(encode(_request(text))) == _request(text)


def test_sixty_four_kilobytes_of_program_and_a_hundred_pods_fit() -> None:
    generator = random.Random(1)
    text = "".join(generator.choice("abcdefghijklmnopqrstuvwxyz{}();@=+ ") for _ in range(65536))
    assert len(encode(_request(text, pods=100))) < ENCODED_LIMIT


def test_what_does_not_fit_into_an_annotation_is_refused_with_its_size() -> None:
    generator = random.Random(1)
    text = "".join(chr(generator.randrange(32, 0x3000)) for _ in range(200_000))
    with pytest.raises(RequestTooLarge) as caught:
        encode(_request(text))
    assert caught.value.size > ENCODED_LIMIT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"not json")).decode(),
        base64.b64encode(zlib.compress(b'{"id": 1}')).decode(),
        encode(_request("begin {}"))[:-8],
        base64.b64encode(zlib.compress(b"[" * (DECODED_LIMIT + 1))).decode(),
    ],
    ids=["empty", "no base64", "no zlib", "no json", "no request", "cut short", "a bomb"],
)
def test_anything_else_is_an_error_not_a_crash(text: str) -> None:
    with pytest.raises(RequestError):
        decode(text)
