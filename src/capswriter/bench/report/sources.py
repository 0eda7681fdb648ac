"""Which fields of a result each figure comes from, and how."""

from __future__ import annotations

from typing import Final

SOURCES: Final = {
    "audio s/s": (
        "Throughput: samples[].audio of the tasks with a text, summed, divided by runs[].seconds; "
        "median of the rounds."
    ),
    "speed-up": (
        "Throughput divided by that of the fewest workers of the same arrangement in the same "
        "round; median of the rounds. Runs that ended early are left out."
    ),
    "rounds from – to": "The least and the greatest speed-up of a round.",
    "efficiency": "Speed-up divided by the ratio of the numbers of workers: 100 % is ideal.",
    "of the bare speed-up": (
        "The server's speed-up divided by that of bare processes (arrangement “bare”) in the same "
        "round; median."
    ),
    "of the bare limit": (
        "Throughput divided by that of as many bare processes in the same round; median."
    ),
    "p50": "samples[].ended - samples[].spoken: half of the tasks with a text waited no longer.",
    "p95": "The same: 95 % of the tasks waited no longer.",
    "p99": "The same: 99 % of the tasks waited no longer.",
    "max": "The same: the longest.",
    "tasks": "samples[] with a text.",
    "real-time factor": (
        "(samples[].ended - samples[].spoken) / samples[].audio: median of the tasks with a text."
    ),
    "errors": "samples[] without a text, by samples[].error.",
    "steady memory": (
        "runs[].usage[].pss summed over the processes (rss where pss is null): median of the "
        "second half of a run; median of the rounds."
    ),
    "growth": (
        "Steady memory divided by that of the fewest workers in the same round; median of the "
        "rounds."
    ),
    "peak memory": "The greatest sum of a moment in any round, also in those that ended early.",
    "drift": (
        "Least memory of the last third of a run divided by that of its middle third, less 1; "
        "median of the rounds. None where a third has fewer than three moments."
    ),
    "cores": (
        "Growth of runs[].usage[].cpu over all processes, divided by the time between the first "
        "and the last moment; median of the rounds."
    ),
    "front's cores": "The same of the process “front” alone.",
    "idle": (
        "1 - (runs[].spans[].ended - began, summed) / runs[].seconds; here of all workers, "
        "median of the rounds; by worker, of all rounds together."
    ),
    "segments": "runs[].spans[] of a worker, in all rounds.",
    "audio": "runs[].spans[].audio of a worker in all rounds; of a recording: its seconds.",
    "share": "A worker's audio divided by that of all workers.",
    "busy": "runs[].spans[].ended - began of a worker, in all rounds.",
    "right": "samples[].text that are equal to expected of the recording.",
    "wrong": "samples[].text that are not, and errors.",
    "not judged": "samples[] of recordings without an expected text.",
    "error rate": (
        "Words (characters, where the text is written without spaces) of recordings[].reference "
        "that samples[].text has wrong: median of each recording, then mean of the recordings."
    ),
    "ours to theirs": (
        "Throughput of the first row divided by that of this one in the same round; median."
    ),
    "median": "runs[].stages[]: median of all utterances; the last row is total - engine of each.",
    "99 %": "The same: 99 % of the utterances took no longer.",
    "longest": "The same: the longest.",
    "workers that fit": (
        "(memory - 2 GB for the system - cost of the first workers) / cost of a further one."
    ),
    "they take": "Cost of the first workers and of the further ones.",
    "cores they keep busy": "Cores that one worker used with its part of the front, times workers.",
    "with this machine's cores": "The lesser of those that fit and those that machine.cores feed.",
    "measured": "As in the tables below.",
    "wanted": "What people who add a worker expect of it.",
}
"""By the heading of a column."""
