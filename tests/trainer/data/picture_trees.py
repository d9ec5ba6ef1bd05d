"""Small picture files in the layouts that data sets have."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.data.tiny_imagenet import Edition

CLASSES = ("cat", "dog")
WNIDS = ("n03", "n01", "n02")


def picture(seed: int, height: int = 40, width: int = 50) -> Image.Image:
    """A smooth coloured picture, different for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def write_tree(
    root: Path, splits: dict[str, int], classes: tuple[str, ...] = ("cat", "dog"), suffix: str = ".png"
) -> Path:
    """`splits` says how many pictures of each class a split has; every picture is another."""
    seed = 0
    for split, count in splits.items():
        for name in classes:
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                seed += 1
                picture(seed).save(root / split / name / f"{number:03d}{suffix}")
    return root


def write_tiny_imagenet(folder: Path, per_class: int = 6, val: int = 6) -> Edition:
    """A small tiny-imagenet-200 as published: JPEG files, some grey, boxes in the annotations of val."""
    root = folder / "tiny-imagenet-200"
    (root / "val" / "images").mkdir(parents=True)
    (root / "wnids.txt").write_text("".join(f"{wnid}\n" for wnid in WNIDS))
    (root / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\tfrog\nn03\tarch, archway\nn99\tother\n")
    files = [*_tiny_train(root, per_class), *(root / "val" / "images" / f"val_{number}.JPEG" for number in range(val))]
    digest = hashlib.sha256()
    for seed, path in enumerate(files):
        made = picture(seed, 64, 64)
        (made.convert("L") if seed % 4 == 3 else made).save(path, "JPEG", quality=75)
        digest.update(path.read_bytes())
    lines = [f"val_{number}.JPEG\t{WNIDS[number % 3]}\t0\t32\t44\t62\n" for number in range(val)]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    return Edition(per_class, digest.hexdigest())


def _tiny_train(root: Path, per_class: int) -> Iterator[Path]:
    for wnid in WNIDS:
        images = root / "train" / wnid / "images"
        images.mkdir(parents=True)
        yield from (images / f"{wnid}_{number}.JPEG" for number in range(per_class))
