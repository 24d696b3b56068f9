"""Near duplicates with datasketch or rensa: `python minhash_libraries.py datasketch|rensa
IN.jsonl`.

112 hashes in 14 bands over 5-word shingles of lower-case words, documents joined by union-find to
the smallest, as datatrove and we do. Prints one JSON object with the documents that stay. Runs in
the peers' environment.
"""

import json
import re
import sys

WORD = re.compile(r"\w+")
BANDS, ROWS, WORDS = 14, 8, 5


def shingles(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    return [
        " ".join(words[place : place + WORDS])
        for place in range(max(len(words) - WORDS + 1, 1))
    ]


def datasketch_neighbours(texts):
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(params=(BANDS, ROWS), num_perm=BANDS * ROWS)
    for place, text in enumerate(texts):
        minhash = MinHash(num_perm=BANDS * ROWS)
        minhash.update_batch([shingle.encode() for shingle in shingles(text)])
        yield index.query(minhash)
        index.insert(place, minhash)


def rensa_neighbours(texts):
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=0.8, num_perm=BANDS * ROWS, num_bands=BANDS)
    for place, text in enumerate(texts):
        minhash = RMinHash(num_perm=BANDS * ROWS, seed=1)
        minhash.update(shingles(text))
        yield index.query(minhash)
        index.insert(place, minhash)


def main() -> None:
    parent: list[int] = []
    with open(sys.argv[2], encoding="utf-8") as source:
        texts = (json.loads(line)["text"] for line in source)
        for place, found in enumerate(
            {"datasketch": datasketch_neighbours, "rensa": rensa_neighbours}[
                sys.argv[1]
            ](texts)
        ):
            parent.append(place)
            for other in found:
                roots = []
                for node in (place, other):
                    while parent[node] != node:
                        node = parent[node]
                    roots.append(node)
                parent[max(roots)] = min(roots)
    print(json.dumps({"kept": sum(root == place for place, root in enumerate(parent))}))


if __name__ == "__main__":
    main()
