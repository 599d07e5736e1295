"""CIFAR-10 in its two archives, true to their formats and small, and every fault of them named."""

import hashlib
import io
import os
import pickle
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from softmax_trick.training import TrainingError, cifar10
from softmax_trick.training.cifar10 import (
    BATCHES,
    BINARY,
    CIFAR10,
    PYTHON,
    load_cifar10,
    parse_binary,
    parse_pickle,
    read_archive,
    read_files,
)
from softmax_trick.training.files import Origin
from softmax_trick.training.split import Split

SHARED = Path(os.environ.get("SOFTMAX_TRICK_DATA", Path(__file__).parents[2] / "shared" / "data"))
PARTIAL = SHARED / "cifar-10-partial"
needs_partial = pytest.mark.skipif(
    not (PARTIAL / "train_first4000.bin").is_file(), reason="the part of CIFAR-10 is not in $SOFTMAX_TRICK_DATA"
)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pooch = pytest.importorskip("pooch")
    monkeypatch.delenv("SOFTMAX_TRICK_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")


def batch(number: int, size: int = 20) -> Split:
    random = np.random.RandomState(number)
    images = random.randint(0, 256, (size, 3, 32, 32)).astype(np.uint8)
    return Split(images, (np.arange(size) % 10).astype(np.uint8))


def binary(split: Split) -> bytes:
    return b"".join(
        bytes([label]) + image.tobytes() for image, label in zip(split.images, split.labels.tolist(), strict=True)
    )


def python_2(split: Split) -> bytes:
    """The pickle that Python 2 wrote, opcode by opcode: its strings are bytes, its array has NumPy's old name."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value

    def integer(value: int) -> bytes:
        return b"K" + bytes([value]) if value < 256 else b"J" + struct.pack("<i", value)

    pixels = split.images.reshape(len(split.labels), -1)
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + text(b"|") + b"NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + b"K\x00\x85" + text(b"b") + b"\x87R"
    shape = integer(pixels.shape[0]) + integer(pixels.shape[1]) + b"\x86"
    array += b"(K\x01" + shape + dtype + b"\x89" + text(pixels.tobytes()) + b"tb"
    labels = b"](" + b"".join(integer(label) for label in split.labels.tolist()) + b"e"
    names = b"](" + text(b"a_cat.png") + b"e"
    items = {b"data": array, b"labels": labels, b"batch_label": text(b"training batch 1 of 5"), b"filenames": names}
    return b"\x80\x02}(" + b"".join(text(key) + value for key, value in items.items()) + b"u."


def packed(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        folder = tarfile.TarInfo("cifar-10-batches")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in members.items():
            member = tarfile.TarInfo(f"cifar-10-batches/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def archive(name: str) -> bytes:
    if name == BINARY:
        members = {f"{batch_name}.bin": binary(batch(i)) for i, batch_name in enumerate(BATCHES)}
        return packed({"batches.meta.txt": b"airplane\n", **members, "readme.html": b"<html>"})
    members = {batch_name: python_2(batch(i)) for i, batch_name in enumerate(BATCHES)}
    return packed({"batches.meta": pickle.dumps({}), "readme.html": b"<html>", **members})


def origin(name: str, content: bytes) -> Origin:
    return Origin("cifar10", {name: f"md5:{hashlib.md5(content).hexdigest()}"}, ())


@pytest.mark.parametrize("name", [BINARY, PYTHON])
def test_an_archive_is_read(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = archive(name)
    (tmp_path / "cifar10").mkdir()
    (tmp_path / "cifar10" / name).write_bytes(content)
    monkeypatch.setattr(cifar10, "CIFAR10", origin(name, content))
    train, test = load_cifar10(tmp_path)
    assert (len(train.labels), len(test.labels)) == (100, 20)
    assert np.array_equal(train.images, np.concatenate([batch(i).images for i in range(5)]))
    assert np.array_equal(train.labels, np.concatenate([batch(i).labels for i in range(5)]))
    assert np.array_equal(test.images, batch(5).images)
    assert train.image == (3, 32, 32)


def test_an_image_is_its_red_plane_then_green_then_blue_row_by_row() -> None:
    content = bytes([7]) + b"".join(bytes([plane]) * 1024 for plane in (10, 20, 30))
    split = parse_binary(content)
    assert split.labels.tolist() == [7]
    assert split.images[0, :, 5, 6].tolist() == [10, 20, 30]
    rows = bytes([7]) + bytes(range(32)) * 96
    assert parse_binary(rows).images[0, 0, 3].tolist() == list(range(32))


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda content: content[: len(content) // 2], r"it lacks data_batch_\d(, data_batch_\d)*, test_batch"),
        (lambda content: content[:10], r"it lacks data_batch_1, data_batch_2, .*, test_batch"),
        (lambda content: b"<html>404</html>", r"it lacks data_batch_1, data_batch_2, .*, test_batch"),
        (lambda content: content + b" ", "its MD5 is not that of the original"),
        (
            lambda content: packed({"data_batch_1.bin": b"", "test_batch.bin": b"1"}),
            "it lacks data_batch_2, data_batch_3",
        ),
    ],
)
@pytest.mark.parametrize("name", [BINARY, PYTHON])
def test_an_archive_that_is_not_the_original_is_set_aside(
    name: str, damage: Callable[[bytes], bytes], fault: str, tmp_path: Path
) -> None:
    content = archive(name)
    (tmp_path / name).write_bytes(damage(content))
    with pytest.raises(TrainingError, match=fault) as caught:
        read_archive(tmp_path / name, origin(name, content))
    assert f"{name} is set aside as {name}.corrupt: run again" in str(caught.value)
    assert (tmp_path / f"{name}.corrupt").read_bytes() == damage(content)


def with_links(kind: bytes, target: str) -> bytes:
    """An archive whose first batch is a link."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        link = tarfile.TarInfo("cifar-10-batches-bin/data_batch_1.bin")
        link.type, link.linkname = kind, target
        archive.addfile(link)
        for i, name in enumerate(BATCHES[1:], start=1):
            data = binary(batch(i))
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
@pytest.mark.parametrize("target", ["data_batch_1.bin", "nowhere", "/etc/passwd", "data_batch_2.bin"])
def test_links_in_an_archive_are_not_followed(kind: bytes, target: str, tmp_path: Path) -> None:
    content = with_links(kind, target)
    (tmp_path / BINARY).write_bytes(content)
    with pytest.raises(TrainingError, match="'data_batch_1'; put the original there"):
        read_archive(tmp_path / BINARY, origin(BINARY, content))
    with pytest.raises(TrainingError, match=r"it lacks data_batch_1; .* is set aside"):
        read_archive(tmp_path / BINARY, origin(BINARY, b"another"))


def test_an_archive_that_unpacks_to_far_more_is_read_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar10, "LARGEST", 10_000)
    (tmp_path / BINARY).write_bytes(packed({"data_batch_1.bin": b"1", "other": bytes(20_000), "test_batch.bin": b"1"}))
    with pytest.raises(TrainingError, match=r"it lacks data_batch_2.*data_batch_5, test_batch; "):
        read_archive(tmp_path / BINARY, origin(BINARY, b"another"))


def test_the_checksums_are_those_published() -> None:
    assert CIFAR10.digests == {
        "cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-python.tar.gz": "md5:c58f30108f718f92721af3b95e74349a",
    }


# --- pickles ----------------------------------------------------------------------------------------------------------


def test_a_pickle_of_python_2_and_one_of_today_are_read() -> None:
    split = batch(0)
    today = pickle.dumps({b"data": split.images.reshape(20, -1), b"labels": split.labels.tolist()}, protocol=4)
    for content in (python_2(split), today):
        parsed = parse_pickle(content)
        assert np.array_equal(parsed.images, split.images)
        assert np.array_equal(parsed.labels, split.labels)
    assert pickle.loads(python_2(split), encoding="bytes")[b"batch_label"] == b"training batch 1 of 5"


class Call:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_calls_nothing(protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "called"
    for call in (Call(os.mkdir, (str(target),)), Call(eval, ("1 + 1",)), Call(np.load, (str(target),))):
        with pytest.raises(ValueError, match=r"no batch of CIFAR-10: the pickle wants .*, which no array needs"):
            parse_pickle(pickle.dumps({b"data": call, b"labels": []}, protocol=protocol))
    assert not target.exists()
    assert pickle.loads(pickle.dumps(Call(os.mkdir, (str(target),)), protocol=protocol)) is None
    assert target.exists(), "an ordinary unpickler does call it"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        python_2(batch(0))[:-1],
        python_2(batch(0))[: 20 * 3072],
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8)}, protocol=4),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, protocol=4),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 300]}, protocol=4),
        pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 10]}, protocol=4),
        pickle.dumps({b"data": np.zeros((2, 3072), np.float32), b"labels": [1, 2]}, protocol=4),
        pickle.dumps({b"data": np.zeros((2, 3071), np.uint8), b"labels": [1, 2]}, protocol=4),
        pickle.dumps({b"data": "text", b"labels": [1, 2]}, protocol=4),
        pickle.dumps([1, 2]),
    ],
)
def test_other_pickles_are_no_batches(content: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse_pickle(content)


# --- the six files ----------------------------------------------------------------------------------------------------


def files(folder: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, bytes | None] | None = None) -> None:
    """Six complete files, batches being of 50 images here, but for those that are wrong."""
    monkeypatch.setattr(cifar10, "BATCH", 50)
    monkeypatch.setattr(cifar10, "EACH", (25, 5))
    for i, name in enumerate(BATCHES):
        content = (wrong or {}).get(name, binary(batch(i, 50)))
        if content is not None:
            (folder / f"{name}.bin").write_bytes(content)


def test_the_six_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cifar-10-batches-bin").mkdir()
    files(tmp_path / "cifar-10-batches-bin", monkeypatch)
    train, test = load_cifar10(tmp_path)
    assert np.array_equal(train.images, np.concatenate([batch(i, 50).images for i in range(5)]))
    assert np.array_equal(test.labels, batch(5, 50).labels)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"test_batch": None}, r"these are missing: test_batch.bin\. Put cifar-10-binary.tar.gz or all six there"),
        ({"data_batch_2": binary(batch(1, 30))}, "these are missing: data_batch_2.bin from image 30 on"),
        (
            {"data_batch_2": binary(batch(1, 50))[:-1], "data_batch_5": None},
            "these are missing: data_batch_2.bin from image 49 on, data_batch_5.bin",
        ),
        ({"data_batch_1": b"\x0b" + binary(batch(0, 50))[1:]}, "data_batch_1.bin: label 11 at index 0"),
        ({"data_batch_1": b"\x01" + binary(batch(0, 50))[1:]}, "class 0 has 24 images where CIFAR-10 has 25"),
    ],
)
def test_files_that_are_not_the_six(
    wrong: dict[str, bytes | None], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(tmp_path, monkeypatch, wrong)
    with pytest.raises(TrainingError, match=message):
        read_files(tmp_path)


@needs_partial
def test_a_part_of_cifar_10_is_refused_and_what_is_missing_is_named() -> None:
    with pytest.raises(TrainingError) as caught:
        load_cifar10(PARTIAL)
    assert "is a part of CIFAR-10 only: it holds train_first4000.bin (4,000 images)" in str(caught.value)
    missing = ", ".join(f"{name}.bin" for name in BATCHES)
    assert f"of its six files of 10,000 images each these are missing: {missing}." in str(caught.value)
    assert (PARTIAL / "train_first4000.bin").exists()


@needs_partial
def test_the_part_is_in_the_binary_format() -> None:
    split = parse_binary((PARTIAL / "train_first4000.bin").read_bytes())
    # The first labels of data_batch_1: frog, truck, truck, deer, automobile.
    assert split.labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert 300 < split.counts.min() < split.counts.max() < 500
    # Neighbouring pixels of photographs are alike, across a row and down a column; scrambled they would not be.
    pixels = split.images[:400].astype(int)
    for axis in (2, 3):
        assert np.abs(np.diff(pixels, axis=axis)).mean() < 0.3 * np.abs(pixels - np.roll(pixels, 1, axis=0)).mean()


def test_without_files_and_network_cifar_10_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"binary.tar.gz is not in .* name the folder of cifar10 with --data"):
        load_cifar10(tmp_path)
