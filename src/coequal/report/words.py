"""What a report says, in words: one sentence a question, the same in every output format."""

from __future__ import annotations

import math
from typing import Any

from coequal.equivalence.report import Counterexample, MeasuredTiming, RegionVerdict, Relation, Report
from coequal.subjects.wording import horizon_in_words, listed, numbers, power

MEANING = {
    "proved": "the stream computes its clip function, by exact arithmetic",
    "tested": "no difference found in sampled streams; not a proof",
    "different": "the stream does not compute its clip function",
    "within": "not its clip function, but no further off than was accepted",
    "undecided": "it could not be run or observed well enough",
}


def meaning(report: Report) -> str:
    """`the stream computes its clip function, by exact arithmetic; 1 problem: input-reuse`."""
    names = list(dict.fromkeys(finding.name for finding in report.problems))
    if not names:
        return MEANING[report.verdict.value]
    return f"{MEANING[report.verdict.value]}; {len(names)} problem{'s' * (len(names) > 1)}: {', '.join(names)}"


def conduct_in_words(report: Report) -> str:
    """`isolation fine, ownership problem, copies not asked`."""
    return str(report.conduct.get("text", ""))


def scope_in_words(scope: dict[str, Any]) -> str:
    """`float32 and float64 on cpu; 1 to 3 and 8 rows; 24 lengths from 0 to 1040 frames, in chunks of 1 to 9; eval mode`."""
    if not scope:
        return ""
    parts = [f"{listed(scope['formats'])} on {listed(scope['devices'])}"]
    rows = scope["batch_sizes"]
    parts += [f"{numbers(rows, 8)} row{'s' if rows != [1] else ''}"] if rows else []
    parts.append(f"{_lengths(scope['lengths'])} frames, in chunks of {numbers(scope['chunk_sizes'], 8)}")
    parts += [f"inputs {scope['inputs']}"]
    parts += [f"{scope['mode']} mode"] if scope["mode"] else []
    for what, name in (("buffers not drawn", "buffers_not_drawn"), ("globals read", "globals")):
        parts += [f"{what}: {listed(scope[name][:4])}{' and more' if len(scope[name]) > 4 else ''}"] if scope[name] else []
    return "; ".join(parts)


def _lengths(counts: list[int]) -> str:
    """`0 to 9`, if all of them are there, `24 lengths from 0 to 1040` if not, or the one number there is."""
    words = numbers(counts)
    return words if words.count(" ") < 3 else f"{len(counts)} lengths from {counts[0]} to {counts[-1]}"


def relation_in_words(relation: Relation) -> str:
    """`window-equal(8), emits last`; `stream-equal, first emission stands for clip frame 0`."""
    if relation.kind == "unknown":
        return "unknown"
    if relation.kind == "window":
        late = f", {relation.offset} frames late" if relation.offset else ""
        return f"window-equal({relation.window}), emits {relation.emits}{late}"
    return f"stream-equal, first emission stands for clip frame {relation.offset}"


def timing_in_words(timing: MeasuredTiming) -> str:
    """`receptive field 5, stride 1, delay 2 (frames), causal`, `?` for what is not known, empty if nothing is."""
    if timing == MeasuredTiming():
        return ""
    causal = {True: "causal", False: "looks ahead", None: "causality not measured"}[timing.causal]
    field = number(timing.receptive_field)
    return f"receptive field {field}, stride {number(timing.stride)}, delay {number(timing.delay)} (frames), {causal}"


def number(value: Any) -> str:
    """A number as people write it: `?` for None, `unbounded` for infinity, at most 4 digits of a fraction."""
    if value is None:
        return "?"
    if isinstance(value, float):
        return "unbounded" if math.isinf(value) else f"{value:.4g}"
    return str(value)


def regions_in_words(regions: dict[str, RegionVerdict]) -> str:
    """`head equal (40 frames), interior equal (312), tail different (3 of 22)`; empty in window mode."""
    seen = {name: region for name, region in regions.items() if region.frames}
    return ", ".join(
        f"{name} {r.outcome} ({f'{r.different:,} of ' if r.different else ''}{r.frames:,}{' frames' if not i else ''})"
        for i, (name, r) in enumerate(seen.items())
    )


def quality_in_words(quality: dict[str, Any]) -> str:
    """The scalar entries of the quality section, `name value`, in one line."""
    scalars = {k: v for k, v in quality.items() if isinstance(v, (int, float, str))}
    return ", ".join(f"{key.replace('_', ' ')} {number(value)}" for key, value in scalars.items())


def short_clip_in_words(quality: dict[str, Any]) -> str:
    """What the clip that the model is usually fed would have given instead: how many frames, how far off."""
    short = quality.get("short_clip")
    if not short:
        return ""
    if not short["affected"]:
        return f"clips of {short['length']} frames alone give the stream's frames"
    return (
        f"fed alone, {short['affected']} of the {short['frames']} frames of a clip of {short['length']} are not the"
        f" stream's: off by up to {short['error']:.2g} of the largest value"
    )


def proof_in_words(proof: dict[str, Any] | None) -> str:
    """`the same function at every length; wrong with probability below 2^-76: 1 draw of 4 primes, degree 2`."""
    if proof is None or proof["outcome"] != "equal":
        return ""
    horizon = horizon_in_words(proof["horizon"], proof["lengths"])
    draws = f"{proof['draws']} draw{'s' if proof['draws'] > 1 else ''}, {len(proof['primes'])} primes"
    functions = f", {proof['applications']:,} values of free functions" if proof["applications"] else ""
    bound = f"wrong with probability below {power(proof['bound'])}"
    return f"the same function {horizon}; {bound}: {draws}{functions}, degree {proof['degree']:,}"


def assumed(report: Report) -> list[str]:
    """What a proof rests on besides."""
    return list(report.proof["assumptions"]) if report.proof is not None and report.proof["outcome"] == "equal" else []


def weights_in_words(weights: dict[str, Any]) -> str:
    """`re-drawn: 4 tensors, 130 numbers; weights passed, reload passed`, or why they were left as they came."""
    outcomes = ", ".join(
        f"{name} {outcome}" for name, outcome in weights.get("outcomes", {}).items() if outcome != "skipped"
    )
    if weights.get("drawn"):
        drawn = f"re-drawn: {weights.get('tensors', '?')} tensors, {weights.get('numbers', '?')} numbers"
    else:
        drawn = f"as they came: {weights['why']}" if "why" in weights else quality_in_words(weights)
    return "; ".join(filter(None, (drawn, outcomes)))


def facts(report: Report) -> dict[str, str]:
    """Name and text of what was found out, without what is empty."""
    rows = {
        "function": _function_in_words(report),
        "conduct": conduct_in_words(report),
        "weights": weights_in_words(report.weights),
        "scope": scope_in_words(report.scope),
        "relation": relation_in_words(report.relation),
        "measured": timing_in_words(report.timing),
        "regions": regions_in_words(report.regions),
        "quality": quality_in_words(report.quality),
        "short clip": short_clip_in_words(report.quality),
        "proof": proof_in_words(report.proof),
        "memory": (report.proof or {}).get("state", ""),
        "seed": str(report.seed),
    }
    return {name: text for name, text in rows.items() if text}


def _function_in_words(report: Report) -> str:
    """The headline, with why it is not more."""
    if not report.function:
        return ""
    return f"{report.headline}: {report.reasons[0]}" if report.reasons else report.headline


def counterexample_rows(found: Counterexample) -> list[tuple[str, str]]:
    """Name and text of what a counterexample knows."""
    rows = {
        "frame": found.frame,
        "region": found.region or None,
        "module": found.module and f"{found.module} (the first that could be compared)",
        "expected": found.expected,
        "got": found.got,
        "what": found.detail,
        "in words": "; ".join(found.words) or None,
        "depends": found.uses or None,
        "schedule": ", ".join(f"{key} {value}" for key, value in found.schedule.items()),
    }
    known = {name: value for name, value in rows.items() if value is not None}
    return [(name, _short(value)) for name, value in known.items() if _short(value)]


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 400 else f"{text[:400]} ..."
