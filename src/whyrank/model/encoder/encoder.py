"""A text encoder with its tokenizer, pooling and what it declares above that.

Shapes: N texts · B texts in a batch · T tokens of all of them, end to end · L tokens, padded · H features of a token ·
P of the pooling · D of a vector
"""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn

from whyrank.core import processes
from whyrank.core.progress import progress
from whyrank.core.runtime import product_dtype
from whyrank.model.encoder import pooling as poolings
from whyrank.model.encoder import tokenising
from whyrank.model.encoder.byte_dropout import use_bytes
from whyrank.model.encoder.declared import POOLING, Declared, Side
from whyrank.model.encoder.modes import evaluating
from whyrank.model.encoder.packed import ATTENTION, Layout, length_batches
from whyrank.model.encoder.projection import Projection, write_modules
from whyrank.model.encoder.tokenising import TokenIds

# Tokens that an encoder without a table of positions takes: more than any text has.
NO_LIMIT = 1_000_000
# Encoders that are right on packed texts once they are told where each text begins. Others, whose positions or windows
# reach across texts, work on padded batches.
PACKED = {"bert", "roberta", "xlm-roberta", "camembert"}
# transformers saves them with a tokenizer, though with HF_HUB_OFFLINE=1, or from a hub, they are others.
READING = ("is_local", "local_files_only")

# Its bars for reading and writing a 90 MB file are noise in the log of a stage.
transformers.utils.logging.disable_progress_bar()


class Encoder(nn.Module):
    """Transformer, pooling, projection. `forward` gives one vector per row; `encode` takes any number of texts."""

    # Declared, for nn.Module's own attributes are of type Tensor | Module.
    transformer: transformers.PreTrainedModel

    def __init__(
        self,
        transformer: transformers.PreTrainedModel,
        tokenizer: transformers.PreTrainedTokenizerBase,
        pooling: str,
        declared: Declared | None = None,
        projection: Projection | None = None,
    ) -> None:
        """pooling    the one used, whatever is declared; several joined by `+`
        declared   what the encoder's own files say
        Raises RuntimeError where the projection does not take what the pooling gives.
        """
        super().__init__()
        self.transformer = transformer
        self.projection = projection
        self.tokenizer = tokenizer
        self.pooling, self.declared = pooling, declared or Declared()
        self.width = projection.width(self.pooled_width) if projection else self.pooled_width
        # Code that came with an encoder may call itself one of them and compute something else.
        is_known = type(transformer).__module__.startswith("transformers.models.")
        self.is_packed = is_known and transformer.config.model_type in PACKED
        if self.is_packed:
            transformer.set_attn_implementation(ATTENTION)
        use_bytes(transformer)

    @property
    def token_width(self) -> int:
        """H."""
        return int(self.transformer.config.hidden_size)

    @property
    def pooled_width(self) -> int:
        """P."""
        return self.token_width * len(self.pooling.split("+"))

    @property
    def longest(self) -> int:
        """The most tokens that a text may have; `NO_LIMIT` of an encoder without a table of positions."""
        places = getattr(self.transformer.config, "max_position_embeddings", None) or -1
        return places - self.first_position if places > 0 else NO_LIMIT

    @property
    def embeddings(self) -> int:
        """Token ids that have an embedding."""
        table = self.transformer.get_input_embeddings()
        assert isinstance(table, nn.Embedding)
        return table.num_embeddings

    @property
    def device(self) -> torch.device:
        return self.transformer.device

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
        """The output of the last layer for every token, (T, H); `rows` longest first, as the layout has them."""
        if not self.is_packed:
            ids_BL, mask_BL = self.pad(rows)
            return self.transformer(input_ids=ids_BL, attention_mask=mask_BL).last_hidden_state[mask_BL.bool()]
        return self.run_packed(rows, layout).last_hidden_state[0]

    def run_packed(self, rows: Sequence[TokenIds], layout: Layout, **asked: bool) -> Any:
        """What transformers gives for texts laid end to end; `asked`: what else it should give."""
        ids_T = torch.from_numpy(np.concatenate(rows).astype(np.int64)).to(self.device)
        position_T = layout.positions(self.first_position)
        return self.transformer(input_ids=ids_T[None], position_ids=position_T[None], layout=layout, **asked)

    def pool(self, token_TH: torch.Tensor, layout: Layout) -> torch.Tensor:
        """(B, D) float32."""
        return self.project(poolings.pool(self.pooling, token_TH.float(), layout))

    def project(self, pooled_BP: torch.Tensor) -> torch.Tensor:
        """(B, D) float32."""
        if self.projection is None:
            return pooled_BP
        with torch.autocast(self.device.type, enabled=False):
            return self.projection(pooled_BP.float())

    @property
    def first_position(self) -> int:
        """Row of the position table that the first token takes: the RoBERTa family keeps the first ones for padding."""
        padding = getattr(getattr(self.transformer, "embeddings", None), "padding_idx", None)
        return 0 if padding is None else padding + 1

    def tokenise(self, texts: Sequence[str], limit: int, side: Side | None = None) -> list[TokenIds]:
        """Token ids of each text, special tokens and the prompt of its side included, cut to `limit`; of many, arrays.

        side   None: as a text that is neither query nor document, such as one of two that are compared
        """
        around = partial(self.tokens_around, side=side)
        return tokenising.tokenised(self.tokenizer, texts, limit, self.declared.prompt(side), around)

    def tokenise_each(self, texts: Sequence[str], limits: Sequence[int], side: Side | None = None) -> list[TokenIds]:
        """As `tokenise`, with a limit for each text."""
        ids: list[TokenIds] = [[] for _ in texts]
        for limit in sorted(set(limits)):
            rows = [i for i, own in enumerate(limits) if own == limit]
            for i, row in zip(rows, self.tokenise([texts[i] for i in rows], limit, side), strict=True):
                ids[i] = row
        return ids

    def tokens_around(self, parts: int = 1, side: Side | None = None) -> list[list[int]]:
        """Ids before, between and behind so many texts (1 or 2), as the tokenizer sets them; the prompt stands before.

        [CLS] a [SEP] b [SEP] of BERT, <s> a </s></s> b </s> of RoBERTa.
        """
        encoded = self.tokenizer(*["a"] * parts)
        gaps: list[list[int]] = [[] for _ in range(parts + 1)]
        at = 0
        for token, text in zip(encoded["input_ids"], encoded.sequence_ids(0), strict=True):
            if text is None:
                gaps[at].append(token)
            else:
                at = text + 1
        if prompt := self.declared.prompt(side):
            gaps[0] += self.tokenizer(prompt, add_special_tokens=False)["input_ids"]
        return gaps

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each whole text, special tokens left out."""
        return tokenising.counted(self.tokenizer, texts)

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
        # Not inference_mode: what a sharded encoder gathers in it cannot be trained on afterwards.
        with evaluating(self), torch.no_grad(), self.autocast(precision):
            for index_B in progress(own, total=len(own), what="encode"):
                vector_ND[index_B] = self([rows[i] for i in index_B]).cpu().numpy()
            # A sharded encoder is gathered by all processes at once, so that all must run as many forward passes.
            if len(own) * processes.count() < len(batches):
                self([rows[i] for i in batches[-1]])
        # Each process has filled in its own texts; the others' are zero.
        processes.add_up(torch.from_numpy(vector_ND))
        return vector_ND

    def autocast(self, precision: str) -> torch.autocast:
        """Half-precision matrix products, float32 sums; `auto`: bfloat16, only where it is faster."""
        is_half = (dtype := product_dtype(precision)) != torch.float32
        return torch.autocast(self.device.type, dtype=dtype if is_half else torch.bfloat16, enabled=is_half)

    def save(self, folder: Path, *, longest: int) -> None:
        """Weights as safetensors, tokenizer and modules, where sentence-transformers looks for them.

        longest   tokens after which that library cuts a text
        """
        self.transformer.save_pretrained(folder, safe_serialization=True)
        # It would save the limit of its last call, too: whoever reads it says a limit again.
        self.tokenizer.backend_tokenizer.no_truncation()
        self.tokenizer.backend_tokenizer.no_padding()
        self.tokenizer.init_kwargs = {k: v for k, v in self.tokenizer.init_kwargs.items() if k not in READING}
        self.tokenizer.save_pretrained(folder)
        above = self.projection.save(folder) if self.projection else []
        write_modules(folder, [("Transformer", ""), ("Pooling", POOLING), *above])
        names = self.pooling.split("+")
        pooling = {"embedding_dimension": self.token_width, "pooling_mode": names if len(names) > 1 else names[0]}
        (folder / POOLING).mkdir(exist_ok=True)
        # Not by the tokenizer's own files: transformers makes some tokenizers anew from their vocabulary.
        length = {"max_seq_length": longest, "do_lower_case": self.declared.lower_case}
        for file, content in (
            (f"{POOLING}/config.json", pooling | {"include_prompt": True}),
            ("sentence_bert_config.json", length),
        ):
            (folder / file).write_text(json.dumps(content, indent=2) + "\n")
