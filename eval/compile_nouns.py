"""WordNet's files -> ``assistant/lexicon/nouns.tsv`` and ``english.txt``: nouns that name something specific; all English words.

    python eval/compile_nouns.py DICT_FOLDER

DICT_FOLDER holds ``data.noun`` and ``index.noun`` of WordNet 3.x (Princeton University; its licence is in
``assistant/lexicon/WORDNET.txt``).
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

from assistant.text.words import stem

LEXICON = Path(__file__).resolve().parents[1] / "assistant" / "lexicon"
TARGET, ENGLISH = LEXICON / "nouns.tsv", LEXICON / "english.txt"
# Class -> first lemmas of the synsets below which a noun belongs to it, and how many of the noun's senses are looked at.
ROOTS = {
    "condition": (
        {"disease", "illness", "disorder", "ill_health", "symptom", "pathology", "injury", "mental_disorder", "pain"},
        2,
    ),
    "drug": ({"drug", "medicine", "antibiotic", "vaccine", "hormone", "vitamin"}, 2),
    "procedure": ({"medical_care", "operation", "therapy", "surgery", "diagnostic_procedure", "medical_procedure"}, 1),
}
# Class -> lexicographer file of the noun's first sense (wninput(5WN)).
FILES = {"body": "08", "food": "13", "person": "18", "plant": "20", "animal": "05", "substance": "27"}
MIN_LETTERS = 3


def synsets(path: Path) -> dict[str, tuple[str, str, list[str]]]:
    """Return offset -> (lexicographer file, first lemma, offsets of the hypernyms)."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            fields = line.split(" ")
            found[fields[0]] = (fields[1], fields[4].lower(), re.findall(r" @i? (\d{8}) n", line))
    return found


def ancestors(offset: str, tree: dict[str, tuple[str, str, list[str]]]) -> set[str]:
    """Return the first lemmas of a synset and of all above it."""
    seen: set[str] = set()
    queue, names = [offset], set()
    while queue:
        at = queue.pop()
        if at not in seen:
            seen.add(at)
            names.add(tree[at][1])
            queue.extend(tree[at][2])
    return names


def english(folder: Path) -> set[str]:
    """Return the stems of all single words that WordNet holds, of five letters and more."""
    lines = [
        line
        for kind in ("noun", "verb", "adj", "adv")
        for line in (folder / f"index.{kind}").read_text(encoding="utf-8").splitlines()
    ]
    return {stem(word) for line in lines if re.fullmatch(r"[a-z]{5,}", word := line.split(" ")[0])}


def main(folder: Path) -> None:
    """Write the table of nouns and the list of English words."""
    ENGLISH.write_text("\n".join(sorted(english(folder))) + "\n", encoding="utf-8")
    tree = synsets(folder / "data.noun")
    table: dict[str, set[str]] = defaultdict(set)
    for line in (folder / "index.noun").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        lemma = fields[0] if not line.startswith(" ") else ""
        if len(lemma) < MIN_LETTERS or not re.fullmatch(r"[a-z]+(?:-[a-z]+)*", lemma):
            continue
        senses = [field for field in fields[4:] if re.fullmatch(r"\d{8}", field)]
        for name, (roots, depth) in ROOTS.items():
            if any(roots & ancestors(sense, tree) for sense in senses[:depth]):
                table[name].add(lemma)
                break
        else:
            for name, number in FILES.items():
                if tree[senses[0]][0] == number:
                    table[name].add(lemma)
    TARGET.write_text("".join(f"{name}\t{' '.join(sorted(nouns))}\n" for name, nouns in sorted(table.items())), encoding="utf-8")
    print({name: len(nouns) for name, nouns in table.items()}, f"{TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
