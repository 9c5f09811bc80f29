"""A small site on an invented drug and disease, so that nothing can be built for the bundled articles."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ARTICLE = """---
id: "zorvastin-gout"
question: "What is the usual dose of zorvastin for gout?"
title: "Zorvastin for Gout"
language: "en"
audience: "clinician"
status: "under-review"
reviewed_by: null
reviewed_on: null
approved_sha256: null
last_updated: "2026-01-05"
editorial_policy: null
disclaimer: "professional-v1"
topics: ["zorvastin", "ZRV"]
references:
  - {n: 1, ref: "okafor-2021"}
  - {n: 2, ref: "lindqvist-2019"}
related: ["withdrawn-2015"]
disputed:
  - line: "flares"
    by: ["lindqvist-2019"]
    note: "An older observational study found no effect on flares."
---
Zorvastin (ZRV) for gout is usually given at 20 mg daily, up to a maximum of 40 mg daily. [1]

## Dosing
Start zorvastin in these steps:
- First dose: 10 mg zorvastin in the evening
- Increase: by 10 mg every four weeks [1]

## Evidence
- Flares: zorvastin 20 mg reduced gout flares compared with placebo [1] {#flares}

## Safety
The following warnings apply to zorvastin:
- Contraindication: do not use zorvastin together with warfarin, because bleeding has occurred [1]
- Adverse effects: nausea and dizziness [2]
- Monitoring: check liver enzymes after 6 weeks
- Off-label use: zorvastin is not approved for gout
"""

REFERENCE = """---
id: "{id}"
type: "{type}"
title: "{title}"
authors: ["Okafor A"]
journal: "Invented Journal"
year: {year}
volume: null
issue: null
pages: null
doi: null
pmid: null
pmcid: null
url: null
publication_types: []
evidence_level: "{type}"
design: null
verdict: null
retraction: {{state: "{state}", checked_on: null}}
licence: "unknown"
abstract_kind: "summary"
abstract_source: "editors' summary"
verified_by: null
---
{body}
"""
REFERENCES = {
    "okafor-2021": {
        "type": "rct",
        "title": "Zorvastin in gout: a randomised trial",
        "year": 2021,
        "state": "unknown",
        "body": "In 120 adults, zorvastin 20 mg daily lowered flares by 31% over 24 weeks.\n"
        "Nausea occurred in 8% of patients on zorvastin.",
    },
    "lindqvist-2019": {
        "type": "observational",
        "title": "Zorvastin and gout flares in a registry",
        "year": 2019,
        "state": "unknown",
        "body": "Zorvastin had no effect on gout flares in this registry of 310 patients.",
    },
    "withdrawn-2015": {
        "type": "trial",
        "title": "Zorvastin cures gout",
        "year": 2015,
        "state": "retracted",
        "body": "Zorvastin 400 mg daily is the maximum dose and cured gout in all patients.",
    },
}


def write_site(folder: Path) -> Path:
    """Write the site's corpus into ``folder`` and return it."""
    (folder / "articles").mkdir(parents=True)
    (folder / "references").mkdir()
    (folder / "articles" / "zorvastin-gout.md").write_text(ARTICLE, encoding="utf-8")
    for name, fields in REFERENCES.items():
        (folder / "references" / f"{name}.md").write_text(REFERENCE.format(id=name, **fields), encoding="utf-8")
    return folder
