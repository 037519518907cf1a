#!/usr/bin/env python3
"""Checks that comments are in plain English and that the names of functions are short.

The script reads all tracked Rust files. A paragraph or list item of a comment counts as one comment; code blocks do not
count. It prints three figures and fails if one of them is above its limit:

- the words whoever, somebody, nobody and anybody, per 1,000 words of comments;
- the comments that open with What, Whether, Who, How, Where or When, per 1,000 words of comments;
- the function names of more than 75 characters.
"""
import pathlib
import re
import subprocess
import sys

MAX_VAGUE = 1
MAX_OPENINGS = 4
MAX_NAME = 75
ROOT = pathlib.Path(__file__).parent.parent
# The first group is the prefix, with the indentation or the code. The lines of one comment have the same prefix.
COMMENT = re.compile(r"(\s*//[/!]?|.*?[;,{}()\[\]]\s+//)(?!/)\s*(.*)")
ITEM = re.compile(r"(?:[-*]|#+|\d+\.)\s+")
VAGUE = re.compile(r"\b(?:whoever|somebody|nobody|anybody)\b", re.IGNORECASE)
OPENING = re.compile(r"(?:What|Whether|Who|How|Where|When)\b")
LONG_NAME = re.compile(rf"\bfn\s+(\w{{{MAX_NAME + 1},}})")


def comments(source):
    """Yields each comment as a list of its lines, with their numbers."""
    comment, previous, in_code = [], None, False
    for number, line in enumerate(source.splitlines(), 1):
        prefix, text = match.groups() if (match := COMMENT.match(line)) else (None, "")
        in_code = in_code and prefix == previous
        fence = text.startswith("```")
        ends = prefix != previous or not text or fence or ITEM.match(text)
        if comment and ends:
            yield comment
            comment = []
        if text and not fence and not in_code:
            comment.append((number, ITEM.sub("", text, count=1) if ends else text))
        previous, in_code = prefix, in_code ^ fence
    if comment:
        yield comment


words, vague, openings, long_names = 0, [], [], []
tracked = subprocess.run(["git", "ls-files", "*.rs"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
for name in tracked.stdout.splitlines():
    source = (ROOT / name).read_text()
    for comment in comments(source):
        words += sum(len(text.split()) for _, text in comment)
        vague += [f"{name}:{number}: {word}" for number, text in comment for word in VAGUE.findall(text)]
        number, text = comment[0]
        openings += [f"{name}:{number}: {text}"] if OPENING.match(text) else []
    for found in LONG_NAME.finditer(source):
        long_names.append(f"{name}:{source.count(chr(10), 0, found.start()) + 1}: {found[1]}")

failed = False
for subject, places, figure, limit in [
    ("whoever, somebody, nobody, anybody per 1,000 words of comments", vague, 1000 * len(vague) / words, MAX_VAGUE),
    ("comments that open with a question word per 1,000 words", openings, 1000 * len(openings) / words, MAX_OPENINGS),
    (f"function names of more than {MAX_NAME} characters", long_names, len(long_names), 0),
]:
    print(f"{subject}: {figure:.4g}; at most {limit}")
    if figure > limit:
        print("\n".join(places))
        failed = True
sys.exit(failed)
