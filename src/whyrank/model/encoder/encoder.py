"""A BERT-family encoder with its tokenizer and pooling. The only file that talks to transformers.

Shapes: N texts · B texts in a batch · T tokens of all of them, end to end · L tokens, padded · D features
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from whyrank.core import processes
from whyrank.core.progress import progress
from whyrank.core.runtime import product_dtype
from whyrank.model.encoder.packed import ATTENTION, Layout
from whyrank.model.encoder.pooling import POOLINGS

TokenIds = Sequence[int] | np.ndarray
POOLING_FILE = Path("1_Pooling/config.json")
# Encoders that are right on packed texts once they are told where each text begins. Others, whose positions or windows
# reach across texts, work on padded batches.
PACKED = {"bert", "roberta", "xlm-roberta", "camembert"}


# Its bars for reading and writing a 90 MB file are noise in the log of a stage.
transformers.utils.logging.disable_progress_bar()


class ByteDropout(nn.Dropout):
    """`nn.Dropout` with a mask of random bytes, eight from each number drawn. p is rounded to multiples of 1/256.

    On a processor torch draws one number for every place of its mask, on one core. In float32 those masks took 9 % of a
    training step of MiniLM; with bfloat16 products the share is several times as much.
    """

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        dropped = round(256 * self.p)
        if not self.training or not 0 < dropped < 256 or value.device.type != "cpu":
            return super().forward(value)
        drawn = torch.randint(-(2**63), 2**63 - 1, (-(-value.numel() // 8),)).view(torch.uint8)
        kept = (drawn[: value.numel()] >= dropped).view(value.shape)
        return value * (kept * (256 / (256 - dropped))).to(value.dtype)


def use_bytes(module: nn.Module) -> None:
    """Let every dropout inside `module` draw bytes; nothing else of it changes."""
    for part in module.modules():
        if type(part) is nn.Dropout:
            part.__class__ = ByteDropout


class Encoder(nn.Module):
    """Transformer + pooling. `forward` gives one vector per row; `encode` works through any number of texts."""

    # Declared, for nn.Module's own attributes are of type Tensor | Module.
    transformer: transformers.PreTrainedModel

    def __init__(
        self,
        transformer: transformers.PreTrainedModel,
        tokenizer: transformers.PreTrainedTokenizerBase,
        pooling: str,
        declared: str | None = None,
    ) -> None:
        """declared   the pooling that the encoder's own files name, where they do; `pooling` is the one used"""
        super().__init__()
        self.transformer = transformer
        self.tokenizer = tokenizer
        self.pooling, self.declared = pooling, declared
        self.is_packed = transformer.config.model_type in PACKED
        if self.is_packed:
            transformer.set_attn_implementation(ATTENTION)
        use_bytes(transformer)

    @property
    def width(self) -> int:
        """D."""
        return int(self.transformer.config.hidden_size)

    @property
    def longest(self) -> int:
        """The most tokens the position table takes."""
        return int(self.transformer.config.max_position_embeddings)

    @property
    def embeddings(self) -> int:
        """Token ids that have an embedding."""
        table = self.transformer.get_input_embeddings()
        assert isinstance(table, nn.Embedding)
        return table.num_embeddings

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def forward(self, rows: Sequence[TokenIds]) -> torch.Tensor:
        """Vectors (B, D) float32 of tokenised texts, in the order given."""
        rows, layout, back_B = self.laid_out(rows)
        return self.pool(self.tokens(rows, layout), layout)[back_B]

    def after_layers(self, rows: Sequence[TokenIds], numbers: Sequence[int]) -> torch.Tensor:
        """Vectors (B, K, D) float32, as of `forward`, of the output of K layers by number, in one pass.

        numbers   from 1; the output of the last layer is what `forward` gives. Of a packed encoder only.
        """
        rows, layout, back_B = self.laid_out(rows)
        states = self.run_packed(rows, layout, output_hidden_states=True).hidden_states
        # states[0] are the embeddings.
        return torch.stack([self.pool(states[number][0], layout) for number in numbers], dim=1)[back_B]

    def laid_out(self, rows: Sequence[TokenIds]) -> tuple[list[TokenIds], Layout, torch.Tensor]:
        """The texts longest first with their layout, and where each one given went, (B,) int64."""
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        layout = Layout([len(rows[i]) for i in order], self.device)
        return [rows[i] for i in order], layout, torch.as_tensor(np.argsort(order), device=self.device)

    def tokens(self, rows: Sequence[TokenIds], layout: Layout) -> torch.Tensor:
        """The output of the last layer for every token, (T, D); `rows` longest first, as the layout has them."""
        if not self.is_packed:
            ids_BL, mask_BL = self.pad(rows)
            return self.transformer(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state[mask_BL.bool()]
        return self.run_packed(rows, layout).last_hidden_state[0]

    def run_packed(self, rows: Sequence[TokenIds], layout: Layout, **asked: bool) -> Any:
        """What transformers gives for texts laid end to end; `asked`: what else it should give."""
        ids_T = torch.from_numpy(np.concatenate(rows).astype(np.int64)).to(self.device)
        position_T = layout.positions(self.first_position)
        return self.transformer(input_ids=ids_T[None], position_ids=position_T[None], layout=layout, **asked)

    def pool(self, token_TD: torch.Tensor, layout: Layout) -> torch.Tensor:
        """(B, D) float32."""
        return POOLINGS[self.pooling](token_TD.float(), layout)

    @property
    def first_position(self) -> int:
        """Row of the position table that the first token takes: the RoBERTa family keeps the first ones for padding."""
        padding = getattr(self.transformer.get_submodule("embeddings"), "padding_idx", None)
        return 0 if padding is None else padding + 1

    def tokenise(self, texts: Sequence[str], limit: int) -> list[list[int]]:
        """Token ids of each text, special tokens included, cut to `limit`."""
        if len(texts) == 0:
            return []
        return self.tokenizer(list(texts), truncation=True, max_length=limit)["input_ids"]

    def tokenise_each(self, texts: Sequence[str], limits: Sequence[int]) -> list[list[int]]:
        """As `tokenise`, with a limit for each text."""
        ids: list[list[int]] = [[] for _ in texts]
        for limit in sorted(set(limits)):
            rows = [i for i, own in enumerate(limits) if own == limit]
            for i, row in zip(rows, self.tokenise([texts[i] for i in rows], limit), strict=True):
                ids[i] = row
        return ids

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, special tokens left out."""
        if not texts:
            return []
        # The tokenizer warns about texts longer than the position table; here they are only counted.
        ids = self.tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return [len(row) for row in ids]

    def pad(self, rows: Sequence[TokenIds]) -> tuple[torch.Tensor, torch.Tensor]:
        """Right-padded ids (B, L) int64 and mask (B, L) int64 on the encoder's device."""
        longest = max(len(row) for row in rows)
        ids_BL = torch.full((len(rows), longest), self.tokenizer.pad_token_id or 0)
        mask_BL = torch.zeros((len(rows), longest), dtype=torch.int64)
        for i, row in enumerate(rows):
            # A copy: rows read from parquet are read-only, and torch warns of sharing such memory.
            ids_BL[i, : len(row)] = torch.tensor(row)
            mask_BL[i, : len(row)] = 1
        return ids_BL.to(self.device), mask_BL.to(self.device)

    def encode(self, rows: Sequence[TokenIds], *, batch_tokens: int, precision: str) -> np.ndarray:
        """Vectors (N, D) float32 of tokenised texts, in the order given.

        batch_tokens   tokens per batch, counted as if padded; texts are grouped by length
        precision      auto | bf16 | fp16 | fp32; see `autocast`
        """
        vector_ND = np.zeros((len(rows), self.width), dtype=np.float32)
        batches = list(length_batches([len(row) for row in rows], batch_tokens))
        own = batches[processes.number() :: processes.count()]
        was_training = self.training
        self.eval()
        # Not inference_mode: what a sharded encoder gathers in it cannot be trained on afterwards.
        with torch.no_grad(), self.autocast(precision):
            for index_B in progress(own, total=len(own), what="encode"):
                vector_ND[index_B] = self([rows[i] for i in index_B]).cpu().numpy()
            # A sharded encoder is gathered by all processes at once, so that all must run as many forward passes.
            if len(own) * processes.count() < len(batches):
                self([rows[i] for i in batches[-1]])
        self.train(was_training)
        # Each process has filled in its own texts; the others' are zero.
        processes.add_up(torch.from_numpy(vector_ND))
        return vector_ND

    def autocast(self, precision: str) -> torch.autocast:
        """Half-precision matrix products, float32 sums; `auto`: bfloat16, only where the processor has it natively."""
        dtype = product_dtype(precision)
        is_half = dtype != torch.float32
        return torch.autocast(self.device.type, dtype=dtype if is_half else torch.bfloat16, enabled=is_half)

    def save(self, folder: Path, *, longest: int) -> None:
        """Weights as safetensors, tokenizer and pooling, where sentence-transformers looks for them.

        longest   tokens after which that library cuts a text
        """
        self.transformer.save_pretrained(folder, safe_serialization=True)
        self.tokenizer.save_pretrained(folder)
        write_pooling(folder, self.pooling, self.width, longest)


def write_pooling(folder: Path, pooling: str, width: int, longest: int) -> None:
    """What sentence-transformers needs besides the files of transformers; `export` writes which modules follow."""
    (folder / POOLING_FILE).parent.mkdir(exist_ok=True)
    own = {"embedding_dimension": width, "pooling_mode": pooling, "include_prompt": True}
    library = {"max_seq_length": longest, "do_lower_case": False}
    for file, content in ((POOLING_FILE, own), ("sentence_bert_config.json", library)):
        (folder / file).write_text(json.dumps(content, indent=2) + "\n")


def copy_weights(source: Path, target: Path) -> None:
    """Replace the weights of `target` by the very bytes of `source`, for an encoder that was not trained."""
    shutil.copyfile(source / "model.safetensors", target / "model.safetensors")


def length_batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices grouped by length, longest first, each group at most `batch_tokens` when padded (but at least one text).

    Longest first, so that a batch that does not fit in memory fails at once and not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batch: list[int] = []
    for i in order:
        if batch and lengths[batch[0]] * (len(batch) + 1) > batch_tokens:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
