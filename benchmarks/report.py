"""Seconds that a report takes: to be written, to open in headless chromium until its samples show, and to filter.

    python -m benchmarks.report
    python -m benchmarks.report --samples 10000 --letters 2000

The samples are made up: of two arms, one in ten attacked, each with `--letters` of reasoning and a tenth of that as its
answer. `opened` counts from the navigation until the load event and the first samples on the page, the best and the
worst of `--rounds`; `filtered`: from a word typed into the search to the count of its matches. Wanted: 10,000 samples
opened in under 3 s.
"""

import argparse
import random
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from deliberant.evals import ScoredSample, rows
from deliberant.report import Evidence, render
from tests.browser import browser
from tests.evals.scored import POLICY, case, scored

SEARCHED = """(async () => {
  const start = performance.now(), field = document.getElementById("filters").elements.text;
  field.value = "needle";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return [performance.now() - start, document.querySelector("#filters output").textContent];
})()"""


def samples(arm: str, number: int, letters: int) -> list[ScoredSample]:
    rng = random.Random(0)
    words = [f"{rng.getrandbits(30):x}" for _ in range(2000)]
    made = []
    for place in range(number):
        text = " ".join(rng.choices(words, k=letters // 8))
        of = case(f"p{place}", text=" ".join(rng.choices(words, k=12)), suite=f"suite {place % 5}")
        of = replace(of, attack=f"attack {place % 7}") if place % 10 == 0 else of
        reasoning = f"{text} [F1]{' needle' * (place % 100 == 0)}"
        made.append(scored("refuse", arm=arm, of=of, cited=("F1",), reasoning=reasoning, answer=text[: letters // 10]))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--letters", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    arms = {arm: samples(arm, options.samples // 2, options.letters) for arm in ("base", "sft")}
    table = rows([each for members in arms.values() for each in members], POLICY, resamples=100)
    evidence = Evidence("benchmark", POLICY, "", {}, (), (), table, arms, {})
    start = time.perf_counter()
    html = render(evidence)
    print(f"written in {time.perf_counter() - start:.2f} s, {len(html.encode()) / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, browser(Path(folder) / "profile") as tab:
        page = Path(folder) / "report.html"
        page.write_text(html, encoding="utf-8")
        taken = []
        for _ in range(options.rounds):
            start = time.perf_counter()
            tab.open(page)
            shown = tab.run("document.querySelectorAll('#reader article').length")
            taken.append(time.perf_counter() - start)
            assert shown == 20 and tab.errors == [], (shown, tab.errors)
        counted = tab.run("document.querySelector('#filters output').textContent")
        print(f"opened in {min(taken):.2f} to {max(taken):.2f} s: {counted}")
        milliseconds, found = tab.run(SEARCHED)
        print(f"filtered in {milliseconds:.0f} ms: {found}")


if __name__ == "__main__":
    main()
