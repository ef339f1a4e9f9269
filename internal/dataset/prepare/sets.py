"""Writes a data set as `isobath bench --data` reads it: base.fvecs, query.fvecs, payload.jsonl
(one JSON object a row of base) and set.json (see ../doc.go)."""

import json
import pathlib

import numpy as np

SEED = 42


def split(count, queries):
    """Returns the row numbers of the queries and of the base, both in random order."""
    order = np.random.default_rng(SEED).permutation(count)
    return order[:queries], order[queries:]


def normalized(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def write_fvecs(path, rows):
    out = np.empty((rows.shape[0], rows.shape[1] + 1), dtype="<f4")
    out[:, 1:] = rows
    out.view("<i4")[:, 0] = rows.shape[1]
    out.tofile(path)


def write(folder, metric, base, queries, payloads, fields):
    """metric: cosine or l2; payloads: one dict a row of base; fields: name -> integer or keyword."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    assert len(base) == len(payloads)
    write_fvecs(folder / "base.fvecs", base)
    write_fvecs(folder / "query.fvecs", queries)
    with (folder / "payload.jsonl").open("w", encoding="utf-8") as f:
        for payload in payloads:
            json.dump(payload, f, ensure_ascii=False, separators=(",", ":"))
            f.write("\n")
    about = {"metric": metric, "dim": base.shape[1], "rows": len(base), "queries": len(queries), "fields": fields}
    (folder / "set.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(f"{folder}: {base.shape[0]} x {base.shape[1]}, {len(queries)} queries")
