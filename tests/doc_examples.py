#!/usr/bin/env python3
"""Compiled examples for each 100 public items of core and runtime together, and whether they are enough.

An item is a function, method, type, trait, constant or macro that another crate can name, as `cargo doc` lists it: its pages
have to be there. Fields, variants, modules and what `bitflags` generates do not count. An example is a block of Rust in the
documentation that rustdoc compiles.
"""
import pathlib
import re
import sys

ENOUGH = 20
CRATES = ["syncmgr-core", "syncmgr-runtime"]
ROOT = pathlib.Path(__file__).parent.parent
PAGE = re.compile(r"(struct|enum|union|trait|fn|constant|static|type|macro)\.\w+\.html")
MEMBER = re.compile(r'<section id="(?:method|tymethod|associatedconstant|associatedtype)\.(\w+)"')
NOT_ITS_OWN = re.compile(r'id="(?:deref-methods|trait-implementations|implementors|foreign-impls)')
FENCE = re.compile(r"^\s*//[/!] ```(.*)$", re.MULTILINE)


def items(crate):
    pages = [page for page in (ROOT / "target/doc" / crate.replace("-", "_")).rglob("*.html") if PAGE.fullmatch(page.name)]
    texts = [text for text in map(pathlib.Path.read_text, pages) if 'http-equiv="refresh"' not in text]
    members = [MEMBER.findall(NOT_ITS_OWN.split(text)[0]) for text in texts]
    flags = [set(names) for names, text in zip(members, texts) if "impl-Flags-for-" in text]
    generated = set.intersection(*flags) if flags else set()
    own = [len(set(names) - generated) if "impl-Flags-for-" in text else len(names) for names, text in zip(members, texts)]
    return len(texts) + sum(own)


def examples(crate):
    fences = [FENCE.findall(source.read_text()) for source in (ROOT / crate / "src").rglob("*.rs")]
    opened = [tags for found in fences for tags in found[::2]]
    return sum(1 for tags in opened if not re.search("text|ignore|toml|sh|json|sql", tags))


counts = {crate: (items(crate), examples(crate)) for crate in CRATES}
for crate, (public, compiled) in counts.items():
    print(f"{crate}: {public} public items, {compiled} examples")
if not all(public for public, _ in counts.values()):
    sys.exit("some crate has no pages; run `cargo doc` first")
public, compiled = map(sum, zip(*counts.values()))
print(f"{100 * compiled / public:.1f} examples for each 100 items; {ENOUGH} are enough")
sys.exit(100 * compiled < ENOUGH * public)
